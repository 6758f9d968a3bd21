//! What is not a statement: logins, other commands of the protocol, the ways to pause and to end.

use std::time::{Duration, Instant};

use proxysql_fleet::client::{Client, Reply};
use proxysql_fleet::node::{AdminError, Cnf, Node};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::conformance::bench::{Bench, kinds, until};

async fn nodes() -> Vec<(Bench, Node)> {
    let mut nodes = Vec::new();
    for kind in kinds() {
        let bench = Bench::new(kind);
        let node = bench.node(bench.spec("core"), &Cnf::default()).await;
        nodes.push((bench, node));
    }
    nodes
}

async fn radmin(node: &Node) -> Client {
    Client::connect(node.spec().admin(), "radmin", "radmin").await.expect("a login")
}

fn ok() -> Reply {
    Reply::Ok { affected: 0, info: String::new() }
}

/// An error of the admin module.
fn refused(text: &str) -> (u16, String) {
    (1045, format!("ProxySQL Admin Error: {text}"))
}

async fn error(client: &mut Client, sql: &str) -> (u16, String) {
    let error = client.query(sql).await.expect_err("an error");
    assert_eq!(error.state, "28000");
    (error.code, error.text)
}

#[tokio::test]
async fn logins() {
    for (_bench, node) in nodes().await {
        let address = node.spec().admin();
        let login = async |user: &str, password: &str, plugin: &str| {
            let stream = TcpStream::connect(address).await.expect("a connection");
            let client = Client::login(stream, user, password, plugin).await;
            client.map(|client| client.server_version).map_err(|error| (error.code, error.state, error.text))
        };
        for plugin in ["mysql_native_password", "caching_sha2_password", "mysql_clear_password"] {
            assert_eq!(login("radmin", "radmin", plugin).await.as_deref(), Ok("8.0.27"), "{plugin}");
        }
        for user in ["admin", "stats", "cluster", "observer"] {
            assert!(login(user, user, "mysql_native_password").await.is_ok(), "{user}");
        }
        let denied = |user: &str, using: &str| {
            let text = format!("ProxySQL Error: Access denied for user '{user}'@'127.0.0.1' (using password: {using})");
            Err((1045, "28000".to_owned(), text))
        };
        assert_eq!(login("radmin", "wrong", "mysql_native_password").await, denied("radmin", "YES"));
        assert_eq!(login("radmin", "wrong", "caching_sha2_password").await, denied("radmin", "YES"));
        assert_eq!(login("nobody", "x", "mysql_native_password").await, denied("nobody", "YES"));
        assert_eq!(login("nobody", "", "mysql_native_password").await, denied("nobody", "NO"));
        assert_eq!(login("radmin", "", "mysql_native_password").await, denied("radmin", "NO"));
    }
}

#[tokio::test]
async fn two_names_are_for_the_local_address_alone() {
    for (_bench, node) in nodes().await {
        let from_elsewhere = async |user: &str| {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            socket.bind("127.0.0.50:0".parse().expect("an address")).expect("a loopback address");
            let stream = socket.connect(node.spec().admin()).await.expect("a connection");
            Client::login(stream, user, user, "mysql_native_password").await
        };
        for user in ["admin", "stats"] {
            let error = from_elsewhere(user).await.expect_err("a refusal");
            assert_eq!((error.code, error.state.as_str()), (1040, "42000"));
            assert_eq!(error.text, format!("User '{user}' can only connect locally"));
        }
        assert!(from_elsewhere("radmin").await.is_ok());
    }
}

#[tokio::test]
async fn other_commands_of_the_protocol() {
    for (_bench, node) in nodes().await {
        let mut client = radmin(&node).await;
        assert_eq!(client.command(0x0e, b"").await, Ok(ok()));
        assert_eq!(client.command(0x02, b"nosuch").await, Ok(ok()));
        let mut failing = async |command: u8, body: &[u8]| {
            let error = client.command(command, body).await.expect_err("an error");
            (error.code, error.text)
        };
        let unsupported = "Command not supported".to_owned();
        assert_eq!(failing(0x16, b"SELECT 1").await, (1045, unsupported.clone()));
        assert_eq!(failing(0x04, b"mysql_servers\0").await, (1045, unsupported.clone()));
        assert_eq!(failing(0x0c, b"\x01\0\0\0").await, (9003, unsupported));
        let reset = "Received unsupported 'COM_RESET_CONNECTION' for session type 'PROXYSQL_SESSION_ADMIN'".to_owned();
        assert_eq!(failing(0x1f, b"").await, (1047, reset));
        assert_eq!(client.command(0x1b, b"\0\0").await, Ok(Reply::End));
        assert!(matches!(client.query("SELECT 1").await, Ok(Reply::Rows { .. })));
        assert!(timeout(Duration::from_millis(300), client.command(0x11, b"radmin\0\0\0")).await.is_err());
        for command in [0x0a, 0x07, 0x0d, 0x01] {
            let mut client = radmin(&node).await;
            client.send(command, b"").await.expect("a packet");
            assert!(client.closed_within(Duration::from_secs(2)).await, "{command:#x}");
        }
    }
}

#[tokio::test]
async fn semicolons_alone_end_the_process() {
    for (_bench, mut node) in nodes().await {
        let mut client = radmin(&node).await;
        for harmless in ["", " ", "-- x", "/* c */;", "\n"] {
            assert_eq!(error(&mut client, harmless).await, refused("not an error"), "{harmless:?}");
        }
        let mut stats = Client::connect(node.spec().admin(), "stats", "stats").await.expect("a login");
        let error = stats.query(" ; ").await.expect_err("no answer");
        assert!(error.is_silence());
        until("the process is gone", || async { TcpStream::connect(node.spec().admin()).await.is_err() }).await;
        assert!(client.closed_within(Duration::from_secs(2)).await);
        node.restart(false).await.expect("a new process");
        radmin(&node).await;
    }
}

#[tokio::test]
async fn pause_closes_the_port_and_nobody() {
    for (_bench, node) in nodes().await {
        let mut client = radmin(&node).await;
        let mut waiting = TcpStream::connect(node.spec().mysql()).await.expect("the port is open");
        until("the connection counts", || async { connected(&node).await == "1" }).await;
        assert_eq!(client.query("PROXYSQL PAUSE").await, Ok(ok()));
        assert_eq!(
            error(&mut client, "PROXYSQL PAUSE").await,
            refused("ProxySQL MySQL module is already paused, impossible to pause")
        );
        let paused = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name='mysql_listener_paused'";
        assert_eq!(client.rows(paused).await.unwrap(), [[Some("true".to_owned())]]);
        assert!(TcpStream::connect(node.spec().mysql()).await.is_err());
        assert_eq!(connected(&node).await, "1");
        let mut byte = [0; 1];
        assert_eq!(tokio::io::AsyncReadExt::read(&mut waiting, &mut byte).await.expect("the greeting"), 1);
        assert_eq!(client.query("PROXYSQL RESUME").await, Ok(ok()));
        assert_eq!(
            error(&mut client, "PROXYSQL RESUME").await,
            refused("ProxySQL MySQL module is not paused, impossible to resume")
        );
        assert_eq!(client.rows(paused).await.unwrap(), [[Some("false".to_owned())]]);
        until("the port is open", || async { TcpStream::connect(node.spec().mysql()).await.is_ok() }).await;
    }
}

async fn connected(node: &Node) -> String {
    let sql = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name='Client_Connections_connected'";
    node.query(sql).await.expect("an answer")[0][0].clone().expect("a number")
}

#[tokio::test]
async fn kill_connection_ends_one_session() {
    for (_bench, node) in nodes().await {
        let mut client = radmin(&node).await;
        let mut session = TcpStream::connect(node.spec().mysql()).await.expect("the port is open");
        let list = "SELECT SessionID, user, command, srv_host FROM stats_mysql_processlist";
        until("the session shows", || async { node.query(list).await.is_ok_and(|rows| rows.len() == 1) }).await;
        let row = node.query(list).await.unwrap().remove(0);
        assert_eq!(row[1].as_deref(), Some("unauthenticated user"));
        assert_eq!(row[2].as_deref(), Some("Connecting client"));
        assert_eq!(row[3], None);
        assert_eq!(error(&mut client, "KILL CONNECTION 99999").await, refused("Unknown thread id: 99999"));
        let id = row[0].clone().unwrap();
        assert_eq!(client.query(&format!("KILL CONNECTION {id}")).await, Ok(ok()));
        let mut rest = Vec::new();
        let ended =
            timeout(Duration::from_secs(5), tokio::io::AsyncReadExt::read_to_end(&mut session, &mut rest)).await;
        assert!(ended.is_ok(), "the session goes on");
        until("the list is empty", || async { node.query(list).await.is_ok_and(|rows| rows.is_empty()) }).await;
    }
}

#[tokio::test]
async fn an_idle_client_shows_counts_and_is_evicted() {
    let extra = r#"mysql_users=( { username="app", password="app", default_hostgroup=2 } )"#;
    for kind in kinds() {
        let bench = Bench::new(kind);
        let node = bench.node(bench.spec("core"), &Cnf { extra: extra.to_owned(), ..Cnf::default() }).await;
        let mut client = Client::connect(node.spec().mysql(), "app", "app").await.expect("a login");
        let denied = Client::connect(node.spec().mysql(), "app", "wrong").await.expect_err("a refusal");
        assert_eq!(denied.text, "ProxySQL Error: Access denied for user 'app'@'127.0.0.1' (using password: YES)");
        let counts = "SELECT username, frontend_connections FROM stats_mysql_users";
        until("the client counts", || async {
            node.query(counts).await.is_ok_and(|rows| rows == [["app", "1"].map(|text| Some(text.to_owned()))])
        })
        .await;
        let idle = "SELECT SessionID FROM stats_mysql_processlist WHERE user='app' AND command='Sleep' \
                    AND srv_host IS NULL AND info IS NULL AND time_ms>=2000 AND hostgroup=-1";
        until("the client is idle", || async { node.query(idle).await.is_ok_and(|rows| rows.len() == 1) }).await;
        let id = node.query(idle).await.unwrap()[0][0].clone().expect("an id");
        node.query(&format!("KILL CONNECTION {id}")).await.expect("an OK");
        assert!(client.closed_within(Duration::from_secs(5)).await);
        until("nobody counts", || async {
            node.query(counts).await.is_ok_and(|rows| rows.iter().all(|row| row[1].as_deref() == Some("0")))
        })
        .await;
    }
}

#[tokio::test]
async fn shutdown_and_kill_end_without_an_answer() {
    for sql in ["PROXYSQL SHUTDOWN", "PROXYSQL KILL", "PROXYSQL SHUTDOWN SLOW"] {
        for (_bench, node) in nodes().await {
            let mut client = radmin(&node).await;
            let mut bystander = radmin(&node).await;
            let started = Instant::now();
            let error = client.query(sql).await.expect_err("no answer");
            assert!(error.is_silence(), "{sql}: {error}");
            assert!(bystander.closed_within(Duration::from_secs(5)).await);
            until("the ports are closed", || async { TcpStream::connect(node.spec().admin()).await.is_err() }).await;
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    }
}

#[tokio::test]
async fn restart_keeps_the_process_and_its_versions() {
    for (_bench, node) in nodes().await {
        let mut client = radmin(&node).await;
        client.query("LOAD MYSQL USERS TO RUNTIME").await.unwrap();
        client.query("CREATE TABLE main.mark (x INT)").await.unwrap();
        let before = node.checksums().await.unwrap();
        assert!(client.query("PROXYSQL RESTART").await.expect_err("no answer").is_silence());
        until("the node is back", || async {
            node.query("SELECT 1").await.is_ok() && node.query("SELECT * FROM main.mark").await.is_err()
        })
        .await;
        let after = node.checksums().await.unwrap();
        assert_eq!(after["mysql_users"].version, before["mysql_users"].version + 1);
    }
}

#[tokio::test]
async fn stop_ends_sessions_and_start_opens_the_port() {
    for (_bench, node) in nodes().await {
        let mut client = radmin(&node).await;
        let _session = TcpStream::connect(node.spec().mysql()).await.expect("the port is open");
        let stopped = client.query("PROXYSQL STOP").await;
        if node.is_real() && stopped.as_ref().is_err_and(AdminError::is_silence) {
            // Seen on a busy machine: it hangs up instead of answering.
            continue;
        }
        assert_eq!(stopped, Ok(ok()));
        assert!(TcpStream::connect(node.spec().mysql()).await.is_err());
        until("the node starts again", || async {
            let Ok(mut client) = Client::connect(node.spec().admin(), "radmin", "radmin").await else { return false };
            client.query("PROXYSQL START").await.is_ok()
        })
        .await;
        until("the port is open", || async { TcpStream::connect(node.spec().mysql()).await.is_ok() }).await;
    }
}
