//! How client sessions end: by the passes of the threads that own them, by a tick, by KILL CONNECTION, with `--idle-threads`
//! and without. Compared are orders and facts, not times.

use std::path::PathBuf;
use std::time::Duration;

use proxysql_fleet::client::{Client, Reply};
use proxysql_fleet::database::Database;
use proxysql_fleet::node::{Cnf, Node};
use tokio::time::sleep;

use crate::conformance::bench::{Bench, kinds, run, until, within};

/// Longer than any pass takes to come.
const SOON: Duration = Duration::from_secs(15);
/// Passes of idle threads take several, two seconds apart.
const SEVERAL_PASSES: Duration = Duration::from_secs(40);
/// No session has this number.
const TICK: &str = "KILL CONNECTION 2147483647";

struct Scene {
    node: Node,
    database: Database,
    _bench: Bench,
}

impl Scene {
    async fn new(kind: Option<PathBuf>, idle_threads: bool) -> Self {
        let bench = Bench::new(kind);
        let database = Database::start().await.expect("a port");
        let extra = format!(
            r#"mysql_users=( {{ username="app", password="app", default_hostgroup=2 }},
                {{ username="fast", password="fast", default_hostgroup=2, fast_forward=1 }} )
            mysql_servers=( {{ address="127.0.0.1", port={}, hostgroup=2 }} )"#,
            database.address().port()
        );
        let cnf = Cnf { extra, idle_threads: Some(idle_threads), ..Cnf::default() };
        let node = bench.node(bench.spec("core"), &cnf).await;
        Self { node, database, _bench: bench }
    }

    async fn client(&self) -> Client {
        self.login("app").await
    }

    async fn login(&self, user: &str) -> Client {
        Client::connect(self.node.spec().mysql(), user, user).await.expect("a login")
    }

    /// Sets a variable, in effect in all threads when this returns: a tick has them look.
    async fn set(&self, name: &str, value: u32) {
        run(&self.node, &format!("SET {name}={value}")).await;
        run(&self.node, "LOAD MYSQL VARIABLES TO RUNTIME").await;
    }

    async fn tick(&self) {
        let error = self.node.query(TICK).await.expect_err("no such session");
        assert_eq!(error.text, "ProxySQL Admin Error: Unknown thread id: 2147483647");
    }

    /// The statements that were carried out.
    fn executed(&self) -> Vec<String> {
        match self.node.embedded() {
            Some(node) => node.executed().into_iter().map(|(_, sql)| sql).collect(),
            None => self.database.executed(),
        }
    }

    async fn column(&self, sql: &str) -> Vec<String> {
        let rows = self.node.query(sql).await.expect("an answer");
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }

    async fn sessions(&self, condition: &str) -> Vec<String> {
        self.column(&format!("SELECT SessionID FROM stats_mysql_processlist WHERE {condition} ORDER BY SessionID"))
            .await
    }

    /// Until so many sessions are in idle threads, whose numbers follow those of the two workers.
    async fn until_in_idle_threads(&self, many: usize) -> Vec<String> {
        until("the sessions are in idle threads", || async { self.sessions("ThreadID>=2").await.len() == many }).await;
        self.sessions("ThreadID>=2").await
    }
}

async fn works(client: &mut Client, sql: &str) {
    client.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[tokio::test]
async fn a_pass_ends_the_idle_and_leaves_transactions_failures_and_fast_forward() {
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        let mut idle = scene.client().await;
        works(&mut idle, "SELECT 1").await;
        let mut silent = scene.client().await;
        let mut holding = scene.client().await;
        works(&mut holding, "SET @mine=1").await;
        let mut transaction = scene.client().await;
        works(&mut transaction, "BEGIN").await;
        works(&mut transaction, "INSERT INTO t VALUES ('in a transaction')").await;
        let mut failed = scene.client().await;
        let error = failed.query("SELECT * FROM no_such_table").await.expect_err("no such table");
        assert_eq!((error.code, error.state.as_str()), (1146, "42S02"));
        let mut fast = scene.login("fast").await;
        works(&mut fast, "SELECT 1").await;
        let fast_forward = "command='Fast forward'";
        assert_eq!(scene.sessions(fast_forward).await.len(), 1);
        assert_eq!(scene.sessions("command='Sleep' AND srv_host IS NOT NULL").await.len(), 3);

        scene.set("mysql-wait_timeout", 1).await;
        for client in [&mut idle, &mut silent, &mut holding] {
            assert!(client.closed_within(SOON).await);
        }
        // Another pass or two, for those that stay.
        sleep(Duration::from_secs(3)).await;
        assert_eq!(scene.sessions("1").await.len(), 3);
        works(&mut fast, "SELECT 1").await;
        works(&mut transaction, "SELECT 1").await;
        sleep(Duration::from_secs(3)).await;
        works(&mut transaction, "COMMIT").await;
        assert!(transaction.closed_within(SOON).await);
        works(&mut failed, "SELECT 1").await;
        assert!(failed.closed_within(SOON).await);
        assert_eq!(scene.sessions("1").await, scene.sessions(fast_forward).await);
    }
}

#[tokio::test]
async fn a_tick_brings_the_pass_about_on_quiet_threads() {
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        let mut client = scene.client().await;
        scene.set("mysql-poll_timeout", 20_000).await;
        scene.tick().await;
        scene.set("mysql-wait_timeout", 1).await;
        assert!(!client.closed_within(Duration::from_millis(2_500)).await);
        scene.tick().await;
        assert!(client.closed_within(Duration::from_secs(5)).await);
    }
}

#[tokio::test]
async fn what_runs_is_not_cut_by_a_pass() {
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        scene.set("mysql-poll_timeout", 10).await;
        let mut client = scene.client().await;
        client.send(3, b"SELECT SLEEP(3)").await.unwrap();
        until("it runs", || async { scene.sessions("command='Query'").await.len() == 1 }).await;
        scene.set("mysql-wait_timeout", 1).await;
        for _ in 0..50 {
            scene.tick().await;
            sleep(Duration::from_millis(20)).await;
        }
        assert!(matches!(client.receive().await, Ok(Reply::Rows { .. })));
        assert!(client.closed_within(SOON).await);
    }
}

#[tokio::test]
async fn who_does_not_read_is_taken_for_idle() {
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        let large = "SELECT filler FROM kilobytes LIMIT 24000";
        let mut reader = scene.client().await;
        assert!(matches!(reader.query(large).await, Ok(Reply::Rows { rows, .. }) if rows.len() == 24_000));
        reader.send(3, large.as_bytes()).await.unwrap();
        until("the result waits", || async { scene.sessions("command='Sleep' AND srv_host IS NULL").await.len() == 1 })
            .await;
        scene.set("mysql-wait_timeout", 100).await;
        within(SOON, "the reader is cut", || async { scene.sessions("1").await.is_empty() }).await;
        assert!(reader.receive().await.expect_err("not the whole result").is_silence());
    }
}

#[tokio::test]
async fn who_reads_slowly_is_left_to_read() {
    use mysql_async::prelude::Queryable;
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        let options = mysql_async::OptsBuilder::default()
            .ip_or_hostname(scene.node.spec().ip.to_string())
            .tcp_port(scene.node.spec().mysql_port)
            .user(Some("app"))
            .pass(Some("app"))
            .prefer_socket(false)
            .max_allowed_packet(Some(1 << 24))
            .wait_timeout(Some(28_800));
        let mut reader = mysql_async::Conn::new(options).await.expect("a login");
        scene.set("mysql-poll_timeout", 10).await;
        scene.set("mysql-wait_timeout", 2_000).await;
        let mut rows = reader.query_iter("SELECT filler FROM kilobytes LIMIT 24000").await.expect("rows");
        let mut count = 0;
        while rows.next().await.expect("a row").is_some() {
            count += 1;
            if count % 1_000 == 0 {
                // The client's pace: a second or three for all of it.
                sleep(Duration::from_millis(100)).await;
                scene.tick().await;
            }
        }
        assert_eq!(count, 24_000);
    }
}

#[tokio::test]
async fn the_extended_list_tells_why_a_session_stays() {
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        scene.set("mysql-show_processlist_extended", 1).await;
        scene.tick().await;
        let mut clients = Vec::new();
        for statements in
            [&["SELECT 1"][..], &["BEGIN", "SELECT 1"], &["SELECT * FROM no_such_table"], &["SET @mine=1"]]
        {
            let mut client = scene.client().await;
            for sql in statements {
                // One of them is meant to fail.
                let _ = client.query(sql).await;
            }
            clients.push(client);
        }
        let facts = [
            "$.active_transactions",
            "$.status",
            "$.backends[0].conn.MultiplexDisabled",
            "$.backends[0].conn.MultiplexDisabled_ext",
            "$.backends[0].conn.mysql.server_status",
            "$.backends[0].conn.mysql.net.last_errno",
            "$.backends[0].conn.status.user_variable",
        ];
        let columns = facts.map(|fact| format!("json_extract(extended_info,'{fact}')")).join(",");
        let sql = format!("SELECT {columns} FROM stats_mysql_processlist ORDER BY SessionID");
        let rows = scene.node.query(&sql).await.expect("an answer");
        let rows: Vec<String> = rows
            .into_iter()
            .map(|row| row.into_iter().map(|cell| cell.unwrap_or("-".into())).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(rows, ["0 4 - - - - -", "1 4 0 1 3 0 0", "1 4 0 1 2 1146 0", "0 4 1 1 2 0 1"]);
    }
}

#[tokio::test]
async fn a_kill_reaches_a_worker_at_once_and_an_idle_thread_at_its_passes() {
    for kind in kinds() {
        for idle_threads in [false, true] {
            let scene = Scene::new(kind.clone(), idle_threads).await;
            let mut clients = Vec::new();
            for _ in 0..12 {
                clients.push(scene.client().await);
            }
            let ids = if idle_threads {
                scene.until_in_idle_threads(12).await
            } else {
                sleep(Duration::from_secs(3)).await;
                assert_eq!(scene.sessions("ThreadID>=2").await.len(), 0);
                scene.sessions("1").await
            };
            for id in &ids {
                run(&scene.node, &format!("KILL CONNECTION {id}")).await;
            }
            if idle_threads {
                // Each idle thread passes every second one over, until its next pass.
                sleep(Duration::from_millis(500)).await;
                assert!(!scene.sessions("1").await.is_empty());
            }
            let limit = if idle_threads { SEVERAL_PASSES } else { Duration::from_secs(2) };
            within(limit, "all are gone", || async { scene.sessions("1").await.is_empty() }).await;
            for client in &mut clients {
                assert!(client.closed_within(SOON).await);
            }
        }
    }
}

#[tokio::test]
async fn what_comes_between_a_kill_and_an_idle_thread_is_carried_out_and_not_answered() {
    for kind in kinds() {
        let scene = Scene::new(kind, true).await;
        let mut warm = scene.client().await;
        let mut lost = false;
        for attempt in 0..20 {
            // A connection to the database is at hand, or there would be time to end the session before it is there.
            works(&mut warm, "SELECT 1").await;
            let mut client = scene.client().await;
            let port = "SELECT MAX(SessionID) FROM stats_mysql_processlist";
            let id = scene.column(port).await.remove(0);
            let there = format!("ThreadID>=2 AND SessionID={id}");
            until("it is in an idle thread", || async { scene.sessions(&there).await.len() == 1 }).await;
            run(&scene.node, &format!("KILL CONNECTION {id}")).await;
            let sql = format!("INSERT INTO t VALUES ('attempt {attempt}')");
            assert!(client.query(&sql).await.expect_err("no answer").is_silence());
            sleep(Duration::from_millis(100)).await;
            if scene.executed().contains(&sql) {
                lost = true;
                if let Some(node) = scene.node.embedded() {
                    let lost: Vec<String> = node.executed_without_answer().into_iter().map(|lost| lost.sql).collect();
                    assert_eq!(lost, [sql]);
                }
                break;
            }
        }
        assert!(lost, "no statement was carried out without an answer");
    }
}

#[tokio::test]
async fn a_long_session_idle_keeps_sessions_with_their_workers() {
    for kind in kinds() {
        let scene = Scene::new(kind, true).await;
        let mut before = scene.client().await;
        scene.until_in_idle_threads(1).await;
        scene.set("mysql-session_idle_ms", 3_600_000).await;
        scene.tick().await;
        let mut after = scene.client().await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!((scene.sessions("ThreadID<2").await.len(), scene.sessions("ThreadID>=2").await.len()), (1, 1));
        // Who speaks comes back, and stays.
        works(&mut before, "SELECT 1").await;
        sleep(Duration::from_secs(3)).await;
        assert_eq!(scene.sessions("ThreadID<2").await.len(), 2);
        scene.set("mysql-wait_timeout", 1).await;
        scene.tick().await;
        for client in [&mut before, &mut after] {
            assert!(client.closed_within(Duration::from_secs(5)).await);
        }
    }
}

#[tokio::test]
async fn idle_threads_end_their_idle_sessions_by_themselves_and_in_several_passes() {
    for kind in kinds() {
        let scene = Scene::new(kind, true).await;
        let mut clients = Vec::new();
        for _ in 0..12 {
            clients.push(scene.client().await);
        }
        scene.until_in_idle_threads(12).await;
        scene.set("mysql-wait_timeout", 1).await;
        let mut rest = Vec::new();
        within(SEVERAL_PASSES, "all are gone", || async { scene.sessions("1").await.is_empty() }).await;
        for client in &mut clients {
            rest.push(client.closed_within(SOON).await);
        }
        assert_eq!(rest, [true; 12]);
    }
}

#[tokio::test]
async fn the_memory_of_stacks_tells_whether_there_are_idle_threads() {
    for kind in kinds() {
        for idle_threads in [false, true] {
            let scene = Scene::new(kind.clone(), idle_threads).await;
            let mut client = Client::connect(scene.node.spec().admin(), "radmin", "radmin").await.expect("a login");
            let mut stack = async |of: &str| -> u64 {
                let sql = format!(
                    "SELECT Variable_Value FROM stats_memory_metrics WHERE Variable_Name='stack_memory_{of}_threads'"
                );
                client.rows(&sql).await.expect("an answer")[0][0]
                    .as_deref()
                    .expect("a value")
                    .parse()
                    .expect("a number")
            };
            // Those that looked whether the node is up are gone.
            sleep(Duration::from_millis(500)).await;
            let one = stack("admin").await;
            let _second = Client::connect(scene.node.spec().admin(), "radmin", "radmin").await.expect("a login");
            let two = stack("admin").await;
            assert_eq!(stack("mysql").await, (two - one) * if idle_threads { 4 } else { 2 });
            assert_eq!(stack("cluster").await, 0);
        }
    }
}

#[tokio::test]
async fn a_removed_user_vanishes_and_its_sessions_go_on() {
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        let mut client = scene.client().await;
        works(&mut client, "SELECT 1").await;
        let counted = "SELECT username FROM stats_mysql_users WHERE username='app'";
        assert_eq!(scene.column(counted).await, ["app"]);
        run(&scene.node, "DELETE FROM mysql_users WHERE username='app'").await;
        run(&scene.node, "LOAD MYSQL USERS TO RUNTIME").await;
        assert_eq!(scene.column(counted).await, [""; 0]);
        assert_eq!(scene.sessions("user='app'").await.len(), 1);
        works(&mut client, "SELECT 1").await;
        assert!(Client::connect(scene.node.spec().mysql(), "app", "app").await.is_err());
    }
}

#[tokio::test]
async fn values_out_of_range_spring_back() {
    for kind in kinds() {
        let scene = Scene::new(kind, false).await;
        for (name, first, wrong) in [
            ("mysql-wait_timeout", "28800000", ["-1", "1728000001"]),
            ("mysql-poll_timeout", "2000", ["9", "20001"]),
            ("mysql-session_idle_ms", "1", ["0", "3600001"]),
        ] {
            for value in wrong {
                run(
                    &scene.node,
                    &format!("UPDATE global_variables SET variable_value='{value}' WHERE variable_name='{name}'"),
                )
                .await;
                run(&scene.node, "LOAD MYSQL VARIABLES TO RUNTIME").await;
                for table in ["global_variables", "runtime_global_variables"] {
                    let sql = format!("SELECT variable_value FROM {table} WHERE variable_name='{name}'");
                    assert_eq!(scene.column(&sql).await, [first], "{name} {value} {table}");
                }
            }
        }
    }
}
