//! Scripted clients in traffic, and the account of what became of them: what only the stand-in can do.

use std::time::Duration;

use proxysql_fleet::node::{Cnf, Node};
use proxysql_fleet::proxysql::{Boot, ClientEnd, ClientSpec, ClientState, Embedded, Rhythm, Unanswered};

use crate::conformance::bench::{Bench, run, until};

async fn node(bench: &Bench, idle_threads: bool) -> Node {
    bench.node(bench.spec("core"), &Cnf { idle_threads: Some(idle_threads), ..Cnf::default() }).await
}

fn script(node: &Node) -> &Embedded {
    node.embedded().expect("a stand-in")
}

async fn set(node: &Node, name: &str, value: u32) {
    run(node, &format!("SET {name}={value}")).await;
    run(node, "LOAD MYSQL VARIABLES TO RUNTIME").await;
}

async fn column(node: &Node, sql: &str) -> Vec<String> {
    let rows = node.query(sql).await.expect("an answer");
    rows.into_iter().map(|row| row[0].clone().unwrap_or_default()).collect()
}

fn in_state(state: ClientState) -> ClientSpec {
    ClientSpec { state, since: Duration::from_mins(1), ..ClientSpec::default() }
}

#[tokio::test]
async fn hundreds_in_traffic_leave_between_two_statements() {
    let bench = Bench::new(None);
    let node = node(&bench, true).await;
    set(&node, "mysql-session_idle_ms", 3_600_000).await;
    set(&node, "mysql-poll_timeout", 10).await;
    let transaction = Rhythm { transaction: 3, ..Rhythm::default() };
    for number in 0..300 {
        let rhythm = if number % 3 == 0 { transaction } else { Rhythm::default() };
        script(&node).add_busy_client(ClientSpec::default(), rhythm);
    }
    until("there is traffic", || async { script(&node).executed().len() > 2_000 }).await;
    assert_eq!(script(&node).clients().len(), 300);
    set(&node, "mysql-wait_timeout", 1).await;
    until("all have gone", || async {
        node.query("KILL CONNECTION 2147483647").await.expect_err("no such session");
        script(&node).clients().is_empty()
    })
    .await;
    assert_eq!(script(&node).endings().iter().filter(|ending| ending.end == ClientEnd::TimedOut).count(), 300);
    assert!(script(&node).cut_in_transaction().is_empty());
    assert!(script(&node).executed_without_answer().is_empty());
}

#[tokio::test]
async fn a_kill_cuts_what_runs_and_it_is_on_the_record() {
    let bench = Bench::new(None);
    let node = node(&bench, false).await;
    let insert = ClientState::Running("INSERT INTO t VALUES (1)".to_owned());
    let running = script(&node).add_client(in_state(insert));
    let transaction = script(&node).add_client(in_state(ClientState::InTransaction));
    let reading = script(&node).add_client(in_state(ClientState::Reading));
    for id in [running, transaction, reading] {
        run(&node, &format!("KILL CONNECTION {id}")).await;
    }
    let unanswered = |id, sql: &str, end| Unanswered { id, sql: sql.to_owned(), end };
    let lost = unanswered(running, "INSERT INTO t VALUES (1)", ClientEnd::Killed);
    assert_eq!(script(&node).executed_without_answer(), std::slice::from_ref(&lost));
    assert_eq!(script(&node).answers_cut_short(), [unanswered(reading, "", ClientEnd::Killed)]);
    let cut: Vec<u32> = script(&node).cut_in_transaction().iter().map(|ending| ending.id).collect();
    assert_eq!(cut, [transaction]);
    // The end of the process cuts, too, and the record outlives it.
    let late = script(&node).add_client(in_state(ClientState::Running("SELECT SLEEP(9)".to_owned())));
    node.query("PROXYSQL SHUTDOWN").await.expect_err("no answer");
    script(&node).stopped().await;
    script(&node).restart(Boot::Normal).await.expect("a restart");
    assert_eq!(script(&node).executed_without_answer(), [lost, unanswered(late, "SELECT SLEEP(9)", ClientEnd::Cut)]);
}

#[tokio::test]
async fn a_scripted_client_is_lost_as_a_real_one_is() {
    let bench = Bench::new(None);
    let node = node(&bench, true).await;
    let id = script(&node).add_client(in_state(ClientState::Idle));
    let there = format!("SELECT SessionID FROM stats_mysql_processlist WHERE ThreadID>=2 AND SessionID={id}");
    until("it is in an idle thread", || async { column(&node, &there).await.len() == 1 }).await;
    // No pass comes in between.
    script(&node).behave(|behaviour| behaviour.idle_pass = Duration::from_hours(1));
    let non_idle = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name='Client_Connections_non_idle'";
    assert_eq!(column(&node, non_idle).await, ["0"]);
    run(&node, "SET mysql-session_idle_show_processlist='false'").await;
    run(&node, "LOAD MYSQL VARIABLES TO RUNTIME").await;
    assert!(column(&node, &there).await.is_empty());
    run(&node, &format!("KILL CONNECTION {id}")).await;
    assert_eq!(script(&node).clients().len(), 1);
    assert!(!script(&node).change_client(id, ClientState::Running("INSERT INTO t VALUES (2)".to_owned())));
    assert_eq!(script(&node).executed_without_answer()[0].sql, "INSERT INTO t VALUES (2)");
    assert_eq!(script(&node).ended_clients(), [(id, ClientEnd::Killed)]);
}

#[tokio::test]
async fn scripted_states_stay_or_go_as_real_ones_do() {
    let bench = Bench::new(None);
    let node = node(&bench, false).await;
    let go = [ClientState::Connecting, ClientState::Idle, ClientState::Holding, ClientState::Reading];
    let go = go.map(|state| script(&node).add_client(in_state(state)));
    let stay = [
        ClientState::InTransaction,
        ClientState::Failed,
        ClientState::FastForward,
        ClientState::Running("SELECT 1".to_owned()),
    ];
    let stay = stay.map(|state| script(&node).add_client(in_state(state)));
    let shown =
        column(&node, "SELECT command||' '||ifnull(srv_host,'-') FROM stats_mysql_processlist ORDER BY SessionID");
    let held = "Sleep 127.0.0.1";
    assert_eq!(
        shown.await,
        ["Connecting client -", "Sleep -", held, "Sleep -", held, held, "Fast forward 127.0.0.1", "Query 127.0.0.1"]
    );
    set(&node, "mysql-wait_timeout", 1_000).await;
    run(&node, "SELECT 1").await;
    node.query("KILL CONNECTION 2147483647").await.expect_err("no such session");
    let ended: Vec<u32> = script(&node).ended_clients().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ended, go);
    // Not long enough, and then long enough, for those in a transaction.
    set(&node, "mysql-max_transaction_idle_time", 50_000).await;
    node.query("KILL CONNECTION 2147483647").await.expect_err("no such session");
    let left: Vec<u32> = script(&node).clients().into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, stay[2..]);
}
