//! What only the stand-in can do, on request: trouble, sessions, digests, and an account of all that it was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use proxysql_fleet::client::{Client, Reply};
use proxysql_fleet::node::{Cnf, Node};
use proxysql_fleet::proxysql::{
    Action, Behaviour, Boot, Cause, ClientEnd, ClientSpec, ClientState, DigestRow, DigestSchema, Embedded, Hook, Kind,
    Module, Outcome, Protocol, Rule,
};
use tokio::time::timeout;

use crate::conformance::bench::{Bench, rules, until};

async fn node(bench: &Bench) -> Node {
    let extra = r#"mysql_users=( { username="app", password="app", default_hostgroup=2 } )
        mysql_servers=( { address="127.0.0.31", port=3306, hostgroup=2 } )"#;
    bench.node(bench.spec("core"), &Cnf { extra: extra.to_owned(), idle_threads: Some(false), ..Cnf::default() }).await
}

fn script(node: &Node) -> &Embedded {
    node.embedded().expect("a stand-in")
}

async fn radmin(node: &Node) -> Client {
    Client::connect(node.spec().admin(), "radmin", "radmin").await.expect("a login")
}

#[tokio::test]
async fn every_statement_is_accounted_for() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    let log = script(&node).log().clone();
    let mut client = radmin(&node).await;
    client.query("SELECT 1").await.unwrap();
    assert_eq!(log.changes("radmin", 0).len(), 0);
    let mark = log.mark();
    client.query("INSERT INTO proxysql_servers (hostname) VALUES ('a')").await.unwrap();
    client.query("LOAD PROXYSQL SERVERS TO RUNTIME").await.unwrap();
    client.query("nonsense").await.unwrap_err();
    node.query("SELECT 2").await.unwrap();
    until("the last answer is noted", || async { log.of("observer", mark).last().unwrap().bytes_out > 0 }).await;
    let kinds: Vec<Kind> = log.of("radmin", mark).iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Kind::Write, Kind::Load(Module::ProxysqlServers), Kind::Read]);
    assert!(matches!(&log.of("radmin", mark)[2].outcome, Outcome::Error { code: 1045, .. }));
    let counters = log.counters("radmin");
    assert_eq!((counters.statements, counters.writes, counters.loads, counters.logins), (4, 1, 1, 1));
    assert_eq!(log.loads(Module::ProxysqlServers).len(), 1);
    assert_eq!(log.loads(Module::MysqlUsers).len(), 0);
}

#[tokio::test]
async fn statements_are_delayed_refused_and_cut() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    let trouble = script(&node).trouble();
    let mut client = radmin(&node).await;

    let wait = Duration::from_millis(200);
    let slow = trouble.add(Rule::new(Action::Delay(wait)).containing("select 7"));
    let started = Instant::now();
    client.query("SELECT 1").await.unwrap();
    assert!(started.elapsed() < wait);
    client.query("SELECT 7").await.unwrap();
    assert!(started.elapsed() >= wait);
    assert_eq!(trouble.hits(slow), 1);
    trouble.remove(slow);

    let failing = Action::Fail { code: 1045, text: "ProxySQL Admin Error: database is locked".to_owned() };
    trouble.add(Rule::new(failing).from_user("radmin").containing("INSERT").skip(1).once());
    let insert = |host: &str| format!("INSERT INTO proxysql_servers (hostname) VALUES ('{host}')");
    client.query(&insert("a")).await.unwrap();
    assert_eq!(client.query(&insert("b")).await.unwrap_err().text, "ProxySQL Admin Error: database is locked");
    client.query(&insert("b")).await.unwrap();

    trouble.add(Rule::new(Action::CutBefore).containing("'c'").once());
    assert!(client.query(&insert("c")).await.unwrap_err().is_silence());
    trouble.add(Rule::new(Action::CutAfter).containing("'d'").once());
    assert!(radmin(&node).await.query(&insert("d")).await.unwrap_err().is_silence());
    trouble.add(Rule::new(Action::CutWithin(20)).containing("global_variables").once());
    assert!(radmin(&node).await.query("SELECT * FROM global_variables").await.unwrap_err().is_silence());
    let rows = node.query("SELECT hostname FROM proxysql_servers ORDER BY 1").await.unwrap();
    assert_eq!(rows, [["a"], ["b"], ["d"]].map(|row| row.map(|text| Some(text.to_owned())).to_vec()));
}

#[tokio::test]
async fn something_may_happen_between_two_statements() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    let handle = script(&node).handle();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let hook = Hook::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let done = handle.sql("INSERT INTO proxysql_servers (hostname) VALUES ('behind')");
        let loaded = handle.load(Module::ProxysqlServers);
        async move { done.and(loaded).expect("a change behind the back") }
    });
    script(&node).trouble().add(Rule::new(Action::Before(hook)).containing("DELETE").once());
    let mut client = radmin(&node).await;
    let deleted = client.query("DELETE FROM proxysql_servers").await.unwrap();
    assert_eq!(deleted, Reply::Ok { affected: 1, info: String::new() });
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(node.query("SELECT hostname FROM runtime_proxysql_servers").await.unwrap().len(), 1);
    assert_eq!(script(&node).log().loads(Module::ProxysqlServers).len(), 0);
}

#[tokio::test]
async fn a_node_hangs_refuses_and_dies() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    let mut client = radmin(&node).await;
    node.stop_cont(true);
    assert!(timeout(Duration::from_millis(200), client.query("SELECT 1")).await.is_err());
    let connect = Client::connect(node.spec().admin(), "radmin", "radmin");
    assert!(timeout(Duration::from_millis(200), connect).await.is_err());
    node.stop_cont(false);
    assert!(client.receive().await.is_ok());

    script(&node).trouble().refuse(true);
    until("the port is closed", || async { tokio::net::TcpStream::connect(node.spec().admin()).await.is_err() }).await;
    assert!(client.query("SELECT 1").await.is_ok());
    script(&node).trouble().refuse(false);
    until("the port is open", || async { tokio::net::TcpStream::connect(node.spec().admin()).await.is_ok() }).await;

    assert_eq!(script(&node).cause(), None);
    client.query("PROXYSQL SHUTDOWN").await.unwrap_err();
    assert_eq!(script(&node).stopped().await, Cause::Shutdown);
    script(&node).kill().await;
    script(&node).restart(Boot::Normal).await.expect("a restart");
    radmin(&node).await.query(";").await.unwrap_err();
    assert_eq!(script(&node).stopped().await, Cause::Crash);
}

#[tokio::test]
async fn scripted_and_real_clients_are_sessions() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    let idle = script(&node).add_client(ClientSpec { since: Duration::from_secs(5), ..ClientSpec::default() });
    let busy = script(&node).add_client(ClientSpec {
        hostgroup: 2,
        backend: ("127.0.0.31".to_owned(), 3306),
        state: ClientState::InTransaction,
        ..ClientSpec::default()
    });
    let running = ClientState::Running("SELECT SLEEP(25)".to_owned());
    script(&node).add_client(ClientSpec { state: running, ..ClientSpec::default() });
    let mut real = Client::connect(node.spec().mysql(), "app", "app").await.expect("a login");
    let shown = async || {
        let sql = "SELECT command, srv_host, info FROM stats_mysql_processlist ORDER BY SessionID";
        let rows = node.query(sql).await.expect("an answer");
        rows.into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shown().await,
        [["Sleep", "", ""], ["Sleep", "127.0.0.31", ""], ["Query", "127.0.0.1", "SELECT SLEEP(25)"], ["Sleep", "", ""]]
    );
    real.query("BEGIN").await.unwrap();
    assert_eq!(shown().await[3], ["Sleep", "127.0.0.31", ""]);
    let used = "SELECT SUM(ConnUsed) FROM stats_mysql_connection_pool";
    assert_eq!(node.query(used).await.unwrap(), [[Some("3".to_owned())]]);
    real.query("COMMIT").await.unwrap();
    let counts = "SELECT SUM(frontend_connections), (SELECT Variable_Value FROM stats_mysql_global \
                  WHERE Variable_Name='Client_Connections_connected') FROM stats_mysql_users";
    assert_eq!(node.query(counts).await.unwrap(), [["4", "4"].map(|text| Some(text.to_owned()))]);
    let old =
        "SELECT SessionID FROM stats_mysql_processlist WHERE command='Sleep' AND srv_host IS NULL AND time_ms>=2000";
    assert_eq!(node.query(old).await.unwrap(), [[Some(idle.to_string())]]);

    node.query(&format!("KILL CONNECTION {idle}")).await.unwrap();
    assert!(node.query(&format!("KILL CONNECTION {idle}")).await.is_err());
    assert!(script(&node).remove_client(busy));
    assert_eq!(script(&node).ended_clients(), [(idle, ClientEnd::Killed), (busy, ClientEnd::Left)]);
    let own = script(&node).clients().last().expect("the real one").0;
    node.query(&format!("KILL CONNECTION {own}")).await.unwrap();
    assert!(real.closed_within(Duration::from_secs(5)).await);
    assert!(Client::connect(node.spec().mysql(), "app", "wrong").await.is_err());
}

#[tokio::test]
async fn pause_holds_everybody_and_may_answer_twice() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    let takes = Duration::from_millis(300);
    script(&node).behave(|behaviour| {
        behaviour.pause_takes = takes;
        behaviour.double_reply = true;
    });
    let mut client = radmin(&node).await;
    let mut other = radmin(&node).await;
    let started = Instant::now();
    client.send(3, b"PROXYSQL PAUSE").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.query("SELECT 1").await.unwrap();
    assert!(started.elapsed() >= takes);
    let ok = Ok(Reply::Ok { affected: 0, info: String::new() });
    assert_eq!(client.receive().await, ok);
    assert_eq!(client.query("SELECT 42").await, ok, "the second reply is in the way");
}

#[tokio::test]
async fn digests_are_made_while_they_are_read() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    let count = "SELECT COUNT(*) FROM stats_mysql_query_digest";
    assert_eq!(node.query(count).await.unwrap(), [[Some("0".to_owned())]]);
    script(&node).seed_digests(1_000_000, DigestSchema::V2_7, DigestRow::sample);
    assert_eq!(node.query(count).await.unwrap(), [[Some("1000000".to_owned())]]);
    let top = "SELECT digest, count_star FROM stats_mysql_query_digest WHERE hostgroup=3 ORDER BY count_star LIMIT 1";
    assert_eq!(node.query(top).await.unwrap()[0][1].as_deref(), Some("4"));
    // A reader that goes away in the middle costs nothing.
    let mut client = radmin(&node).await;
    client.send(3, b"SELECT * FROM stats_mysql_query_digest").await.unwrap();
    drop(client);
    // However a statement is written, the rows are the same.
    script(&node).seed_digests(2000, DigestSchema::V2_7, DigestRow::sample);
    let plain = node.query("SELECT * FROM stats_mysql_query_digest").await.unwrap();
    assert_eq!(plain, node.query("SELECT * FROM stats_mysql_query_digest WHERE 1").await.unwrap());
    script(&node).seed_digests(3, DigestSchema::V1_4, DigestRow::sample);
    assert!(node.query("SELECT client_address FROM stats_mysql_query_digest").await.is_err());
    assert_eq!(node.query("SELECT * FROM stats.stats_mysql_query_digest").await.unwrap()[0].len(), 11);
    script(&node).seed_digests(3, DigestSchema::V3_0, DigestRow::sample);
    assert_eq!(node.query("SELECT database FROM stats_pgsql_query_digest").await.unwrap().len(), 3);
    assert_eq!(node.query("SELECT * FROM stats_mysql_query_digest_reset").await.unwrap().len(), 3);
    assert_eq!(node.query(count).await.unwrap(), [[Some("0".to_owned())]]);
}

#[tokio::test]
async fn names_and_versions_decide_who_is_a_peer() {
    let bench = Bench::new(None);
    let core = bench.spec("core");
    let seed = vec![("core.test".to_owned(), core.admin_port)];
    let core = bench.node(core, &Cnf { extra: rules(&[(1, "^CORE")]), ..Cnf::default() }).await;
    core.query("LOAD MYSQL QUERY RULES TO RUNTIME").await.unwrap();
    script(&core).behave(|behaviour| behaviour.version = "2.7.9".to_owned());
    let satellite = bench.node(bench.spec("sat"), &Cnf { seeds: seed, ..Cnf::default() }).await;
    script(&satellite).behave(|behaviour| behaviour.other_version_rest = Duration::from_millis(100));
    script(&satellite).set_host("core.test", Some(core.spec().ip));
    let asked = |user: &str| script(&core).log().counters(user).statements;
    until("the versions are compared", || async { asked("cluster") >= 2 }).await;
    assert!(script(&satellite).pulls().is_empty());
    script(&core).behave(|behaviour| behaviour.version = "2.7.1".to_owned());
    until("the satellite follows", || async { !script(&satellite).pulls().is_empty() }).await;
    assert_eq!(script(&satellite).pulls()[0].from.0, "core.test");
}

#[tokio::test]
async fn the_agents_driver_gets_along() {
    use mysql_async::prelude::Queryable;
    let bench = Bench::new(None);
    let node = node(&bench).await;
    script(&node).seed_digests(50_000, DigestSchema::V2_7, DigestRow::sample);
    let options = mysql_async::OptsBuilder::default()
        .ip_or_hostname(node.spec().ip.to_string())
        .tcp_port(node.spec().admin_port)
        .user(Some("radmin"))
        .pass(Some("radmin"))
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 24))
        .wait_timeout(Some(28_800));
    let mut driver = mysql_async::Conn::new(options).await.expect("a login");
    let row: Option<(String, u16)> = driver.query_first("SELECT 'a', 6032").await.expect("a row");
    assert_eq!(row, Some(("a".to_owned(), 6032)));
    driver.ping().await.expect("an answer");
    let mut count = 0_u32;
    let mut rows = driver.query_iter("SELECT * FROM stats_mysql_query_digest").await.expect("rows");
    rows.for_each(|_| count += 1).await.expect("all rows");
    drop(rows);
    assert_eq!(count, 50_000);
    let error = driver.query_drop("SELECT * FROM nowhere").await.expect_err("an error");
    assert!(error.to_string().contains("no such table: nowhere"), "{error}");
    driver.query_drop("PROXYSQL SHUTDOWN").await.expect_err("no answer");
}

#[tokio::test]
async fn a_node_of_the_next_kind_speaks_of_postgres() {
    let bench = Bench::new(None);
    let node = node(&bench).await;
    assert!(node.query("LOAD PGSQL USERS TO RUNTIME").await.is_err());
    script(&node).behave(|behaviour| *behaviour = Behaviour::v3());
    script(&node).restart(Boot::Initial).await.expect("a restart");
    node.query("INSERT INTO pgsql_users (username,password) VALUES ('pg','pg')").await.unwrap();
    node.query("INSERT INTO pgsql_servers (hostgroup_id,hostname) VALUES (1,'10.0.0.1')").await.unwrap();
    for words in ["USERS", "SERVERS"] {
        node.query(&format!("LOAD PGSQL {words} TO RUNTIME")).await.unwrap();
        node.query(&format!("SAVE PGSQL {words} TO DISK")).await.unwrap();
    }
    assert_eq!(node.query("SELECT username FROM runtime_pgsql_users").await.unwrap().len(), 2);
    assert_eq!(node.query("SELECT hostname FROM disk.pgsql_servers").await.unwrap().len(), 1);
    let sums = node.checksums().await.unwrap();
    assert_eq!((sums.len(), sums["pgsql_users"].version, sums["pgsql_variables"].version), (11, 2, 0));
    let id = script(&node).add_client(ClientSpec {
        protocol: Protocol::Postgres,
        user: "pg".to_owned(),
        hostgroup: 1,
        backend: ("10.0.0.1".to_owned(), 5432),
        state: ClientState::InTransaction,
        ..ClientSpec::default()
    });
    let row = |values: &[&str]| values.iter().map(|value| Some((*value).to_owned())).collect::<Vec<_>>();
    let sql = "SELECT username, frontend_connections FROM stats_pgsql_users";
    assert_eq!(node.query(sql).await.unwrap(), [row(&["pg", "1"])]);
    let sql = "SELECT srv_host, status, ConnUsed FROM stats_pgsql_connection_pool";
    assert_eq!(node.query(sql).await.unwrap(), [row(&["10.0.0.1", "ONLINE", "1"])]);
    let sql = "SELECT SessionID, database, srv_host FROM stats_pgsql_processlist";
    assert_eq!(node.query(sql).await.unwrap(), [row(&[&id.to_string(), "information_schema", "10.0.0.1"])]);
    assert!(node.query("SELECT SessionID FROM stats_mysql_processlist").await.unwrap().is_empty());
    assert!(node.query(&format!("KILL CONNECTION {id}")).await.is_err());
    assert_eq!(node.query("SELECT @@pgsql-threads").await.unwrap(), [row(&["4"])]);
    assert_eq!(node.query("SELECT @@version").await.unwrap(), [row(&["3.0.0"])]);
}

#[tokio::test]
async fn dozens_of_nodes_fit_in_one_process() {
    let bench = Bench::new(None);
    let first = bench.spec("core");
    let cnf =
        Cnf { seeds: vec![(first.ip.to_string(), first.admin_port)], extra: rules(&[(1, "^ALL")]), ..Cnf::default() };
    let core = bench.node(first, &cnf).await;
    let mut satellites = Vec::new();
    for number in 0..30 {
        let own = Cnf { extra: String::new(), ..cnf.clone() };
        satellites.push(bench.node(bench.spec(&format!("sat{number}")), &own).await);
    }
    core.query("LOAD MYSQL QUERY RULES TO RUNTIME").await.unwrap();
    let behind = |node: &Node| script(node).runtime_rows("mysql_query_rules").is_empty();
    until("everybody follows", || async { !satellites.iter().any(behind) }).await;
}
