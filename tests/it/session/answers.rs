//! Whatever becomes of a call, the next one gets its own answer, and nothing is left behind. The library's connection on a stand-in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use proxysql_agent::domain::cluster::member::{Member, Members};
use proxysql_agent::domain::proxysql::statement::Statement;
use proxysql_agent::edge::admin::{Admin, AdminError, Answer, Password, Target};
use proxysql_fleet::net::Block;
use proxysql_fleet::node::{Cnf, Node, NodeSpec};
use proxysql_fleet::proxysql::{Action, Embedded, Hook, Outcome, Rule};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::support::eventually;

/// Rows on the server, so that an answer is long enough to stop half-way.
const ROWS: usize = 500;
/// By how much a late answer is late: it comes, after the deadline of whoever waits.
const LATE: Duration = Duration::from_millis(400);
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(30);
/// What an answer that has begun usually needs to arrive as far as it goes.
const ARRIVAL: Duration = Duration::from_millis(20);
const OBSERVATION: &str = "SELECT 'clock'";

struct Bench {
    node: Node,
    _block: Block,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let (block, dir) = (Block::take().unwrap(), tempfile::tempdir().unwrap());
        let spec = NodeSpec {
            name: "core".to_owned(),
            ip: block.address().unwrap().into(),
            admin_port: block.port(6032).unwrap(),
            mysql_port: block.port(6033).unwrap(),
            dir: dir.path().to_owned(),
        };
        let node = Node::start_embedded(spec, &Cnf::default()).await.unwrap();
        let bench = Self { node, _block: block, _dir: dir };
        let rows = (0..ROWS).map(|i| format!("('10.1.{}.{}', 6032, 0, 'core-{i}')", i / 250, i % 250));
        let rows = rows.collect::<Vec<_>>().join(",");
        bench.script().sql(&format!("INSERT INTO proxysql_servers VALUES {rows}")).unwrap();
        bench
    }

    fn script(&self) -> &Embedded {
        self.node.embedded().unwrap()
    }

    fn admin(&self, statement_timeout: Duration) -> Admin {
        self.admin_with("radmin", LONG, statement_timeout)
    }

    fn admin_with(&self, password: &str, connect_timeout: Duration, statement_timeout: Duration) -> Admin {
        let address = self.node.spec().admin();
        Admin::new(Target {
            host: address.ip().to_string(),
            port: address.port(),
            username: "radmin".to_owned(),
            password: Password::Text(password.to_owned()),
            connect_timeout,
            statement_timeout,
        })
    }
}

/// So many rows to insert, whose number is the answer.
fn insert(names: &[&str]) -> Statement {
    Statement::InsertMembers(names.iter().map(|name| Member::of_pod(*name, 1, *name)).collect::<Members>())
}

/// The next statements get their own answers: rows that were inserted are counted, and then seen.
async fn is_in_step(admin: &mut Admin, what: &str) {
    let inserted = Answer { rows: Vec::new(), affected: 3 };
    assert_eq!(admin.run(&insert(&["x", "y", "z"])).await.unwrap(), inserted, "{what}");
    let seen = admin.run(&Statement::Observe).await.unwrap();
    let has = |name: &str| seen.rows.iter().any(|row| row[0] == "memory" && row[1] == name);
    assert!(has("x") && has("y") && has("z") && has("10.1.0.0"), "{what}: {} rows", seen.rows.len());
    let refused = admin.run(&insert(&["x"])).await.unwrap_err();
    assert!(matches!(&refused, AdminError::Refused { text, .. } if text.contains("UNIQUE")), "{what}: {refused}");
    let gone: Members = ["x", "y", "z"].iter().map(|name| Member::of_pod(*name, 1, *name)).collect();
    let deleted = admin.run(&Statement::DeleteMembers(gone)).await.unwrap();
    assert_eq!((deleted.rows.len(), deleted.affected), (0, 3), "{what}");
}

/// Where an answer stops.
fn moments() -> [(&'static str, Action); 5] {
    [
        ("before the answer", Action::Delay(LATE)),
        ("within its header", Action::PauseWithin(2, LATE)),
        ("amid the columns", Action::PauseWithin(100, LATE)),
        ("before the first row", Action::PauseWithin(320, LATE)),
        ("amid the rows", Action::PauseWithin(9_000, LATE)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_dropped_leaves_no_answer_to_the_next() {
    let bench = Bench::start().await;
    let mut admin = bench.admin(LONG);
    for (what, action) in moments() {
        is_in_step(&mut admin, "before").await;
        let (mark, arrived) = (bench.script().log().mark(), Arc::new(Notify::new()));
        let (trouble, told) = (bench.script().trouble(), arrived.clone());
        let tell = Hook::new(move || {
            told.notify_one();
            std::future::ready(())
        });
        trouble.add(Rule::new(Action::Before(tell)).containing(OBSERVATION).once());
        trouble.add(Rule::new(action).containing(OBSERVATION).once());
        let arrived = async {
            arrived.notified().await;
            sleep(ARRIVAL).await;
        };
        tokio::select! {
            biased;
            answer = admin.run(&Statement::Observe) => panic!("{what}: {answer:?}"),
            () = arrived => {}
        }
        is_in_step(&mut admin, what).await;
        // And when the late answer is out.
        let out = || bench.script().log().since(mark)[0].outcome != Outcome::Open;
        eventually("the late answer", async || out()).await;
        is_in_step(&mut admin, what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_past_its_deadline_leaves_no_answer_to_the_next() {
    let bench = Bench::start().await;
    for (what, action) in moments() {
        let mut admin = bench.admin(SHORT);
        is_in_step(&mut admin, "before").await;
        bench.script().trouble().add(Rule::new(action).containing(OBSERVATION).once());
        let error = admin.run(&Statement::Observe).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer to the observation within 0.2 s", "{what}");
        is_in_step(&mut admin, what).await;
        sleep(LATE).await;
        is_in_step(&mut admin, what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_given_up_is_made_anew() {
    let bench = Bench::start().await;
    let mut admin = bench.admin_with("radmin", SHORT, LONG);
    bench.script().trouble().hang(true);
    let error = admin.run(&Statement::Observe).await.unwrap_err();
    assert!(matches!(error, AdminError::LoginTimeout { .. }), "{error}");
    assert!(timeout(Duration::from_millis(50), admin.run(&Statement::Observe)).await.is_err());
    bench.script().trouble().hang(false);
    is_in_step(&mut admin, "after a hung login").await;
}

/// The agent's ends of connections to this port that are open.
fn open_connections(server: SocketAddr) -> usize {
    let IpAddr::V4(ip) = server.ip() else { panic!("{server}") };
    let remote = format!("{:08X}:{:04X}", u32::from_le_bytes(ip.octets()), server.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    columns.filter(|column| column[2] == remote && column[3] == "01").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_calls_leave_no_connections_behind() {
    let bench = Bench::start().await;
    let server = bench.node.spec().admin();
    let mut admin = bench.admin(LONG);
    let never = Duration::from_hours(1);
    for action in [Action::Hang, Action::PauseWithin(9_000, never)] {
        let rule = bench.script().trouble().add(Rule::new(action).containing(OBSERVATION));
        for call in 1..=50 {
            let begun = async {
                eventually("the statement is there", async || bench.script().trouble().hits(rule) >= call).await;
                sleep(Duration::from_millis(5)).await;
            };
            tokio::select! {
                answer = admin.run(&Statement::Observe) => panic!("{answer:?}"),
                () = begun => {}
            }
        }
        bench.script().trouble().remove(rule);
        is_in_step(&mut admin, "after many abandoned calls").await;
        eventually("one connection is left", async || open_connections(server) == 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_keeps_the_connection_and_an_end_does_not() {
    let bench = Bench::start().await;
    let (mut admin, log) = (bench.admin(LONG), bench.script().log());
    is_in_step(&mut admin, "first").await;
    let connection = || log.since(0).last().unwrap().connection;
    let first = connection();
    let text = "ProxySQL Admin Error: database is locked".to_owned();
    bench.script().trouble().add(Rule::new(Action::Fail { code: 1045, text }).once());
    let refused = admin.run(&Statement::Observe).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "ProxySQL rejected the observation: ProxySQL Admin Error: database is locked (code 1045)"
    );
    assert!(admin.is_connected());
    is_in_step(&mut admin, "after a refusal").await;
    assert_eq!(connection(), first);
    for action in [Action::CutBefore, Action::CutAfter, Action::CutWithin(2), Action::CutWithin(9_000)] {
        let what = format!("{action:?}");
        bench.script().trouble().add(Rule::new(action).once());
        let lost = admin.run(&Statement::Observe).await.unwrap_err();
        assert!(matches!(lost, AdminError::Lost { .. }), "{what}: {lost}");
        assert!(!admin.is_connected(), "{what}");
        let last = connection();
        is_in_step(&mut admin, &what).await;
        assert_ne!(connection(), last, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_tells_the_user_and_not_the_password() {
    let bench = Bench::start().await;
    let mut admin = bench.admin_with("t0p-secret", LONG, LONG);
    let refused = admin.run(&Statement::Observe).await.unwrap_err();
    assert!(matches!(refused, AdminError::LoginRefused { code: 1045, .. }), "{refused}");
    assert!(refused.to_string().contains("Access denied for user 'radmin'"), "{refused}");
    for text in [refused.to_string(), format!("{refused:?}"), format!("{admin:?}")] {
        assert!(!text.contains("t0p-secret"), "{text}");
    }
}

/// A statement of nothing but semicolons kills ProxySQL; as values they are text like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_semicolon_is_never_a_statement() {
    let bench = Bench::start().await;
    let mut admin = bench.admin(LONG);
    for odd in [";", ";;", " ; ", "';", "'; ;--", ""] {
        admin.run(&insert(&[odd])).await.unwrap();
        let seen = admin.run(&Statement::Observe).await.unwrap();
        assert!(seen.rows.iter().any(|row| row[0] == "memory" && row[1] == odd && row[4] == odd), "{odd:?}");
        admin.run(&Statement::DeleteMembers([Member::of_pod(odd, 1, odd)].into())).await.unwrap();
    }
    assert!(admin.run(&Statement::Observe).await.is_ok());
    assert_eq!(bench.script().cause(), None);
}
