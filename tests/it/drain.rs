//! A drain that drains: who is waited for, who is evicted, who is cut, and when it ends.

use std::time::Duration;

use proxysql_fleet::proxysql::{Cause, ClientEnd, ClientSpec, ClientState, Rhythm};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::life::{Make, Pod, call, in_background, number, raw, seconds};
use crate::support::{PATIENCE, eventually, on_real_proxysql};

const SECOND: Duration = Duration::from_secs(1);

/// Asks for a drain and waits for its end, in a task of its own.
fn shutdown(pod: &Pod) -> impl Future<Output = Value> + Send + use<> {
    let api = pod.api;
    in_background(async move {
        let answer = call(api, "POST", "/shutdown", &[]).await;
        assert_eq!(answer.code, 200, "{answer:?}");
        answer.body()
    })
}

async fn step_is(pod: &Pod, step: &str) {
    eventually(&format!("the drain is {step}"), async || pod.get("/drain").await.body()["drain"]["step"] == step).await;
}

fn adds_up(body: &Value) {
    let [clients, evicted, finished, cut] =
        ["clients", "evicted", "finished", "terminated"].map(|name| number(body, &format!("/drain/{name}")));
    assert_eq!(clients, evicted + finished + cut, "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_clients_it_takes_what_pause_takes_whatever_the_timeouts() {
    // Thirty seconds of each would not go unnoticed.
    let mut pod = Make::new()
        .env("SHUTDOWN_PROPAGATION_DELAY", "30")
        .env("SHUTDOWN_DRAIN_TIMEOUT", "100")
        .env("SHUTDOWN_SHUTDOWN_TIMEOUT", "150")
        .ready()
        .await;
    // A TCP probe is no client, and has never been one.
    drop(tokio::net::TcpStream::connect(pod.node.spec().mysql()).await.unwrap());
    let began = Instant::now();
    let body = shutdown(&pod).await;
    assert_eq!(pod.gone().await, Some(0));
    let (took, pause) = (began.elapsed(), seconds(&body, "pause"));
    eprintln!("without clients: gone after {took:?}, PAUSE took {pause:?}");
    assert!(took < pause + SECOND, "{took:?}, {body}");
    assert_eq!(body["drain"]["ended"], "completed");
    assert_eq!((body["status"].as_str(), body["message"].as_str()), (Some("ok"), Some("shutdown initiated")));
    assert!(pod.node.query("SELECT 1").await.is_err(), "ProxySQL is gone, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_get_their_time_where_a_client_has_ever_come() {
    if on_real_proxysql("endpoints_get_their_time_where_a_client_has_ever_come") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_PROPAGATION_DELAY", "1.5").ready().await;
    for id in pod.clients(1, &ClientState::Idle) {
        assert!(pod.embedded().remove_client(id));
    }
    let draining = shutdown(&pod);
    step_is(&pod, "propagating").await;
    assert!(pod.marker().is_file());
    assert_eq!(pod.get("/healthz/ready").await.reasons(), ["draining"]);
    assert_eq!(pod.code("/healthz/live").await, 200);
    assert_eq!(pod.sent("PROXYSQL PAUSE"), 0, "the listener is still open");
    let body = draining.await;
    assert!(seconds(&body, "propagation") >= Duration::from_millis(1_500), "{body}");
    assert_eq!(pod.gone().await, Some(0));
}

/// What a drain may change, in the order of names.
const VARIABLES: &str = "SELECT * FROM runtime_global_variables";

fn ended(pod: &Pod, ids: &[u32], how: ClientEnd) -> usize {
    pod.embedded().ended_clients().iter().filter(|(id, end)| ids.contains(id) && *end == how).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxysql_closes_who_is_idle_and_the_others_finish() {
    if on_real_proxysql("proxysql_closes_who_is_idle_and_the_others_finish") {
        return;
    }
    let mut pod = Make::new().ready().await;
    let idle = pod.clients(100, &ClientState::Idle);
    let transactions = pod.clients(10, &ClientState::InTransaction);
    let queries = pod.clients(5, &ClientState::Running("SELECT SLEEP(5)".to_owned()));
    // A connection that has not logged in is no client.
    pod.clients(1, &ClientState::Connecting);
    let draining = shutdown(&pod);
    eventually("the idle ones are gone", async || ended(&pod, &idle, ClientEnd::TimedOut) == 100).await;
    eventually("and seen to be", async || number(&pod.get("/drain").await.body(), "/clients") == 15).await;
    let progress = pod.get("/drain").await.body();
    assert!(progress["drain"]["ended"].is_null(), "{progress}");
    let waiting_for = &progress["drain"]["waiting_for"];
    let [transactions_left, running, resting] =
        ["in_transaction", "running", "idle"].map(|why| waiting_for[why].as_u64());
    assert_eq!((transactions_left, running, resting), (Some(10), Some(5), Some(0)), "{progress}");
    assert_eq!(progress["drain"]["left"][0]["user"], "app", "{progress}");
    assert!(!progress.to_string().contains("SLEEP"), "never the text of a statement: {progress}");
    // They commit, their queries return, and they leave.
    for id in transactions.iter().chain(&queries) {
        assert!(pod.embedded().change_client(*id, ClientState::Idle));
    }
    let body = draining.await;
    eprintln!("the report: {}", body["drain"]);
    assert_eq!(body["drain"]["ended"], "completed");
    adds_up(&body);
    let counts = ["clients", "terminated"].map(|name| number(&body, &format!("/drain/{name}")));
    assert_eq!(counts, [115, 0]);
    // Who is seen to rest after a COMMIT is told to go for that.
    assert!(number(&body, "/drain/evicted") >= 100, "{body}");
    let kills =
        pod.embedded().log().of("radmin", 0).into_iter().filter(|entry| entry.sql.starts_with("KILL CONNECTION"));
    assert!(kills.into_iter().all(|entry| entry.sql.ends_with(" 2147483647")), "no session is killed");
    assert_eq!(pod.gone().await, Some(0));
}

/// The busy pools of a real day: they never rest for long, some of them not at all between two transactions.
async fn pools_leave_between_two_statements(idle_threads: bool) {
    let mut pod = Make::new().idle_threads(idle_threads).ready().await;
    let rhythms = [
        Rhythm::default(),
        Rhythm { transaction: 2, rest: Duration::from_millis(75), between: Duration::ZERO, ..Rhythm::default() },
        Rhythm { rest: Duration::from_millis(3), ..Rhythm::default() },
    ];
    let busy: Vec<u32> = (0..90)
        .map(|number| pod.embedded().add_busy_client(ClientSpec::default(), rhythms[number % rhythms.len()]))
        .collect();
    let idle = pod.clients(20, &ClientState::Idle);
    eventually("there is traffic", async || pod.embedded().executed().len() > 500).await;
    let body = shutdown(&pod).await;
    eprintln!("idle threads {idle_threads}: {}", body["drain"]);
    assert_eq!((body["drain"]["ended"].as_str(), number(&body, "/drain/terminated")), (Some("completed"), 0), "{body}");
    assert_eq!(number(&body, "/drain/clients"), (busy.len() + idle.len()) as u64, "{body}");
    let node = pod.embedded();
    assert!(node.cut_in_transaction().is_empty(), "{:?}", node.cut_in_transaction());
    assert!(node.executed_without_answer().is_empty(), "{:?}", node.executed_without_answer());
    let timed_out = node.endings().iter().filter(|ending| ending.end == ClientEnd::TimedOut).count();
    assert_eq!(timed_out, busy.len() + idle.len(), "every one by the thread that serves it");
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_pools_leave_between_two_statements() {
    if !on_real_proxysql("busy_pools_leave_between_two_statements") {
        pools_leave_between_two_statements(false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_pools_leave_between_two_statements_with_idle_threads() {
    if !on_real_proxysql("busy_pools_leave_between_two_statements_with_idle_threads") {
        pools_leave_between_two_statements(true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn session_state_is_kept_for_half_of_the_window_and_a_slow_reader_reads_on() {
    if on_real_proxysql("session_state_is_kept_for_half_of_the_window_and_a_slow_reader_reads_on") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "6").ready().await;
    let holding = pod.clients(2, &ClientState::Holding);
    let draining = shutdown(&pod);
    step_is(&pod, "waiting_for_clients").await;
    let began = Instant::now();
    eventually("they are told from others", async || {
        pod.get("/drain").await.body()["drain"]["waiting_for"]["session_state"] == 2
    })
    .await;
    eventually("they go", async || ended(&pod, &holding, ClientEnd::TimedOut) == 2).await;
    let kept = began.elapsed();
    assert!(kept >= Duration::from_millis(2_500), "half of six seconds, but for the steps before: {kept:?}");
    let body = draining.await;
    assert_eq!((body["drain"]["ended"].as_str(), number(&body, "/drain/evicted")), (Some("completed"), 2), "{body}");
    assert_eq!(pod.gone().await, Some(0));
}

/// Whose last statement failed is in a transaction for all that ProxySQL believes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_closed_is_named_in_the_report() {
    if on_real_proxysql("who_cannot_be_closed_is_named_in_the_report") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "2").ready().await;
    pod.clients(1, &ClientState::Failed);
    pod.clients(1, &ClientState::FastForward);
    let body = shutdown(&pod).await;
    let why = |word: &str| number(&body, &format!("/drain/waiting_for/{word}"));
    assert_eq!((why("fast_forward"), why("failed_statement"), why("in_transaction")), (1, 1, 0), "{body}");
    assert_eq!(number(&body, "/drain/terminated"), 2);
    assert_eq!(pod.gone().await, Some(0));
    assert!(pod.log().contains("why=failed_statement"), "{}", pod.log());
}

/// Sessions of users that were removed go on: `stats_mysql_users` does not have them any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logged_in_as_a_user_that_is_gone_is_waited_for_like_any_other() {
    if on_real_proxysql("who_logged_in_as_a_user_that_is_gone_is_waited_for_like_any_other") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "30").ready().await;
    let [id] = pod.clients(1, &ClientState::InTransaction)[..] else { panic!() };
    for sql in [
        "INSERT INTO mysql_users (username, password) VALUES ('other', 'x')",
        "DELETE FROM mysql_users WHERE username='app'",
        "LOAD MYSQL USERS TO RUNTIME",
    ] {
        pod.node.query(sql).await.unwrap();
    }
    let draining = shutdown(&pod);
    step_is(&pod, "waiting_for_clients").await;
    sleep(SECOND).await;
    assert_eq!(number(&pod.get("/drain").await.body(), "/clients"), 1);
    assert!(pod.embedded().change_client(id, ClientState::Idle));
    let body = draining.await;
    assert_eq!((body["drain"]["ended"].as_str(), number(&body, "/drain/terminated")), (Some("completed"), 0), "{body}");
    assert_eq!(pod.gone().await, Some(0));
}

/// However a drain ends that does not end in SHUTDOWN: nothing that it has set is left, and nothing that was being edited was loaded.
async fn variables_are_back(after: Duration, kill: bool) {
    let mut pod = Make::new().env("SHUTDOWN_PROPAGATION_DELAY", "1").ready().await;
    let clients = pod.clients(1, &ClientState::InTransaction);
    pod.node.query("SET mysql-max_connections=777").await.unwrap();
    let (memory, runtime) = ("SELECT * FROM global_variables ORDER BY variable_name", VARIABLES);
    let before = [pod.node.query(memory).await.unwrap(), pod.node.query(runtime).await.unwrap()];
    assert_eq!(pod.call("POST", "/shutdown?wait=false").await.code, 202);
    sleep(after).await;
    if kill {
        pod.restart_agent().await;
    } else {
        assert_eq!(pod.call("DELETE", "/drain").await.code, 200);
    }
    pod.is_ready().await;
    // While the listener is open, a node is ready before the last of it is undone.
    let ours = "SELECT name FROM sqlite_master WHERE name LIKE 'proxysql_agent_%'";
    eventually("nothing is left behind", async || pod.node.query(ours).await.unwrap().is_empty()).await;
    let after_it = [pod.node.query(memory).await.unwrap(), pod.node.query(runtime).await.unwrap()];
    let differ = |layer: usize| {
        let rows = before[layer].iter().zip(&after_it[layer]).filter(|(one, other)| one != other);
        rows.map(|(one, other)| format!("{one:?} {other:?}")).collect::<Vec<_>>()
    };
    assert_eq!((differ(0), differ(1)), (vec![], vec![]), "after {after:?}, killed: {kill}");
    assert!(raw(pod.node.spec().mysql(), b"").await.is_ok(), "the listener is open");
    if let Some(node) = pod.node.embedded() {
        let is_there = |id: &u32| node.clients().iter().any(|(there, _)| there == id);
        assert!(clients.iter().all(is_there), "and the client is still there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_drain_leaves_every_variable_as_it_was() {
    if on_real_proxysql("a_cancelled_drain_leaves_every_variable_as_it_was") {
        return;
    }
    for after in [0, 700, 1_200, 2_500, 4_000] {
        variables_are_back(Duration::from_millis(after), false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_while_it_drains_leaves_no_node_dark() {
    if on_real_proxysql("an_agent_that_is_killed_while_it_drains_leaves_no_node_dark") {
        return;
    }
    for after in [100, 1_050, 1_200, 2_500, 4_000] {
        variables_are_back(Duration::from_millis(after), true).await;
    }
}

/// What an agent that was killed long ago has kept of memory is nobody's any more: memory is what is in effect, as it was before the drain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_memory_is_not_put_back_by_who_undoes_a_drain() {
    if on_real_proxysql("an_old_copy_of_memory_is_not_put_back_by_who_undoes_a_drain") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_PROPAGATION_DELAY", "0").ready().await;
    pod.clients(1, &ClientState::InTransaction);
    let own = pod.node.query(VARIABLES).await.unwrap();
    assert_eq!(pod.call("POST", "/shutdown?wait=false").await.code, 202);
    step_is(&pod, "waiting_for_clients").await;
    eventually("the drain has set its own", async || pod.node.query(VARIABLES).await.unwrap() != own).await;
    pod.agent.kill().await;
    for sql in [
        "DROP TABLE IF EXISTS main.proxysql_agent_claim",
        "DROP TABLE IF EXISTS main.proxysql_agent_kept_mysql_variables",
        "CREATE TABLE main.proxysql_agent_kept_mysql_variables AS SELECT * FROM main.global_variables WHERE variable_name LIKE 'mysql-%'",
        "UPDATE main.proxysql_agent_kept_mysql_variables SET variable_value='13' WHERE variable_name='mysql-max_connections'",
    ] {
        pod.node.query(sql).await.unwrap();
    }
    pod.restart_agent().await;
    pod.is_ready().await;
    let ours = "SELECT name FROM sqlite_master WHERE name LIKE 'proxysql_agent_%'";
    eventually("nothing is left behind", async || pod.node.query(ours).await.unwrap().is_empty()).await;
    assert_eq!(pod.node.query(VARIABLES).await.unwrap(), own, "in effect is what was before the drain");
    let differ = "SELECT m.variable_name, m.variable_value, r.variable_value FROM main.global_variables m \
                  JOIN runtime_global_variables r USING (variable_name) \
                  WHERE m.variable_value<>r.variable_value AND m.variable_name LIKE 'mysql-%'";
    assert_eq!(pod.node.query(differ).await.unwrap(), Vec::<Vec<Option<String>>>::new(), "and so is memory");
}

/// A second SIGTERM while PAUSE holds the port: the process waits for the answer, and then stops ProxySQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_term_during_pause_still_stops_proxysql() {
    if on_real_proxysql("a_second_term_during_pause_still_stops_proxysql") {
        return;
    }
    let mut pod = Make::new().ready().await;
    pod.embedded().behave(|behaviour| behaviour.pause_takes = SECOND * 4);
    pod.clients(1, &ClientState::InTransaction);
    pod.agent.terminate();
    eventually("PAUSE is under way", async || pod.sent("PROXYSQL PAUSE") == 1).await;
    pod.agent.terminate();
    assert_eq!(pod.gone().await, Some(0));
    assert_eq!((pod.sent("PROXYSQL SHUTDOWN"), pod.embedded().stopped().await), (1, Cause::Shutdown));
}

/// It is cancelled while PAUSE takes longer than the whole shutdown may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_is_cancelled_during_a_long_pause_serves_again() {
    if on_real_proxysql("a_drain_that_is_cancelled_during_a_long_pause_serves_again") {
        return;
    }
    let make = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "1").env("SHUTDOWN_SHUTDOWN_TIMEOUT", "2");
    let pod = make.ready().await;
    pod.embedded().behave(|behaviour| behaviour.pause_takes = SECOND * 4);
    assert_eq!(pod.call("POST", "/shutdown?wait=false").await.code, 202);
    eventually("PAUSE is under way", async || pod.sent("PROXYSQL PAUSE") == 1).await;
    let cancelled = pod.call("DELETE", "/drain").await;
    assert!(matches!(cancelled.code, 200 | 202), "{cancelled:?}");
    assert!(!cancelled.body().to_string().contains("stopped"), "{cancelled:?}");
    pod.is_ready().await;
    assert!(raw(pod.node.spec().mysql(), b"").await.is_ok(), "the listener is open again");
    assert_eq!(pod.sent("PROXYSQL SHUTDOWN"), 0);
    assert_eq!(pod.code("/healthz/live").await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_never_ends_is_cut_at_the_timeout_and_reported() {
    if on_real_proxysql("a_transaction_that_never_ends_is_cut_at_the_timeout_and_reported") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "2").ready().await;
    pod.clients(1, &ClientState::InTransaction);
    let body = shutdown(&pod).await;
    assert_eq!((body["drain"]["ended"].as_str(), number(&body, "/drain/terminated")), (Some("drain_timeout"), 1));
    let drain = seconds(&body, "drain");
    assert!(drain >= SECOND * 2 && drain < SECOND * 4, "{drain:?}");
    adds_up(&body);
    assert_eq!(pod.embedded().stopped().await, Cause::Shutdown);
    assert_eq!(pod.gone().await, Some(0));
}

/// Where variables may not be set, those on idle threads are neither seen nor killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_sessions_that_are_not_listed_are_listed_for_the_drain() {
    if on_real_proxysql("idle_sessions_that_are_not_listed_are_listed_for_the_drain") {
        return;
    }
    let mut pod = Make::new().idle_threads(true).ready().await;
    for sql in ["SET mysql-session_idle_show_processlist='false'", "LOAD MYSQL VARIABLES TO RUNTIME"] {
        pod.node.query(sql).await.unwrap();
    }
    pod.clients(3, &ClientState::Idle);
    let body = shutdown(&pod).await;
    assert_eq!((number(&body, "/drain/clients"), number(&body, "/drain/terminated")), (3, 0), "{body}");
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_3_0_both_answers_of_pause_are_survived_and_postgresql_clients_are_waited_for() {
    if on_real_proxysql("on_3_0_both_answers_of_pause_are_survived_and_postgresql_clients_are_waited_for") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "30").start().await;
    pod.embedded().behave(|behaviour| *behaviour = proxysql_fleet::proxysql::Behaviour::v3());
    pod.node.restart(false).await.unwrap();
    // Only users who are in effect are counted.
    for sql in ["INSERT INTO pgsql_users (username,password) VALUES ('app','app')", "LOAD PGSQL USERS TO RUNTIME"] {
        pod.node.query(sql).await.unwrap();
    }
    pod.is_ready().await;
    let spec = ClientSpec {
        protocol: proxysql_fleet::proxysql::Protocol::Postgres,
        state: ClientState::InTransaction,
        ..ClientSpec::default()
    };
    let id = pod.embedded().add_client(spec);
    pod.clients(3, &ClientState::Idle);
    let api = pod.api;
    let cancelled = in_background(async move { call(api, "POST", "/shutdown", &[]).await });
    eventually("only PostgreSQL's is left", async || pod.get("/drain").await.body()["drain"]["evicted"] == 3).await;
    // Cancelled and begun again: RESUME is answered twice, too.
    assert_eq!(pod.call("DELETE", "/drain").await.code, 200);
    assert_eq!(cancelled.await.code, 409);
    pod.is_ready().await;
    let draining = shutdown(&pod);
    step_is(&pod, "waiting_for_clients").await;
    assert!(pod.embedded().remove_client(id));
    let body = draining.await;
    adds_up(&body);
    assert_eq!((number(&body, "/drain/terminated"), body["drain"]["notes"].to_string().as_str()), (0, "[]"), "{body}");
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_restores_service_and_tells_who_waits() {
    if on_real_proxysql("cancelling_restores_service_and_tells_who_waits") {
        return;
    }
    let mut pod = Make::new().ready().await;
    assert_eq!(pod.call("DELETE", "/drain").await.code, 409, "there is none");
    pod.clients(1, &ClientState::InTransaction);
    let api = pod.api;
    let waiting = in_background(async move { call(api, "GET", "/shutdown", &[]).await });
    step_is(&pod, "waiting_for_clients").await;
    assert!(pod.marker().is_file() && raw(pod.node.spec().mysql(), b"").await.is_err());
    let cancelled = pod.call("DELETE", "/drain").await;
    assert_eq!((cancelled.code, cancelled.body()["phase"].as_str()), (200, Some("running")));
    assert_eq!(waiting.await.code, 409);
    pod.is_ready().await;
    assert!(!pod.marker().exists());
    assert!(raw(pod.node.spec().mysql(), b"").await.is_ok(), "the listener is open again");
    assert_eq!(pod.get("/drain").await.body()["drain"]["ended"], "cancelled");
    // SIGTERM is as good as ever.
    for (id, _) in pod.embedded().clients() {
        pod.embedded().remove_client(id);
    }
    pod.agent.terminate();
    assert_eq!(pod.gone().await, Some(0));
    assert_eq!((pod.sent("PROXYSQL RESUME"), pod.sent("PROXYSQL SHUTDOWN")), (1, 1));
}

/// As 2.7.1 does now and then: a thread does not take its listener back, and a share of the new connections hangs for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxysql_that_is_deaf_after_resume_is_not_left_serving_half_of_its_clients() {
    if on_real_proxysql("a_proxysql_that_is_deaf_after_resume_is_not_left_serving_half_of_its_clients") {
        return;
    }
    let mut pod = Make::new().ready().await;
    pod.embedded().behave(|behaviour| behaviour.deaf_after_resume = 2);
    let client = pod.clients(1, &ClientState::InTransaction)[0];
    assert_eq!(pod.call("POST", "/shutdown?wait=false").await.code, 202);
    step_is(&pod, "waiting_for_clients").await;
    assert!(matches!(pod.call("DELETE", "/drain").await.code, 200 | 202));
    eventually("the drain goes on", async || pod.sent("PROXYSQL PAUSE") == 2).await;
    assert_eq!(pod.code("/healthz/ready").await, 503, "nobody is sent to a node where half of the clients hang");
    assert!(pod.embedded().change_client(client, ClientState::Idle), "and who was there finishes");
    let notes = |pod: &Value| pod["drain"]["notes"].to_string();
    let body = call(pod.api, "POST", "/shutdown", &[]).await.body();
    assert!(notes(&body).contains("only a new process"), "{body}");
    assert_eq!(pod.gone().await, Some(0));
    assert_eq!((pod.sent("PROXYSQL RESUME"), pod.embedded().stopped().await), (1, Cause::Shutdown));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_joins_one_drain_and_gets_one_answer() {
    if on_real_proxysql("whoever_asks_joins_one_drain_and_gets_one_answer") {
        return;
    }
    let mut pod = Make::new().ready().await;
    let [id] = pod.clients(1, &ClientState::InTransaction)[..] else { panic!() };
    let waiting = [shutdown(&pod), shutdown(&pod)];
    let at_once = pod.call("POST", "/shutdown?wait=false").await;
    assert_eq!((at_once.code, at_once.body()["phase"].as_str()), (202, Some("draining")));
    pod.agent.terminate();
    let more = [shutdown(&pod), shutdown(&pod)];
    // One that hangs up: it has sent its request and is gone.
    let hang_up = format!("GET /shutdown HTTP/1.1\r\nhost: {}\r\n\r\n", pod.api);
    let mut stream = tokio::net::TcpStream::connect(pod.api).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, hang_up.as_bytes()).await.unwrap();
    drop(stream);
    step_is(&pod, "waiting_for_clients").await;
    assert!(pod.embedded().remove_client(id));
    let mut bodies = Vec::new();
    for caller in waiting.into_iter().chain(more) {
        bodies.push(caller.await["drain"].clone());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0] && body["ended"] == "completed"), "{bodies:?}");
    assert_eq!(pod.gone().await, Some(0));
    assert_eq!((pod.sent("PROXYSQL PAUSE"), pod.sent("PROXYSQL SHUTDOWN")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_file_is_no_condition_and_one_from_an_earlier_life_goes() {
    let mut pod = Make::new().ready().await;
    std::fs::write(pod.marker(), "left\n").unwrap();
    pod.restart_agent().await;
    pod.is_ready().await;
    eventually("it is removed", async || !pod.marker().exists()).await;
    // A folder in its place cannot be written.
    std::fs::create_dir(pod.marker()).unwrap();
    let answer = pod.get("/shutdown").await;
    assert_eq!((answer.code, answer.body()["drain"]["ended"].as_str()), (200, Some("completed")));
    assert_eq!(pod.gone().await, Some(0));
    assert!(pod.log().contains("cannot write the draining file"), "{}", pod.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxysql_that_goes_away_ends_it() {
    let mut pod = Make::new().env("SHUTDOWN_PROPAGATION_DELAY", "0").ready().await;
    pod.node.kill().await;
    let began = Instant::now();
    let answer = pod.get("/shutdown").await;
    assert!(began.elapsed() < SECOND * 2, "{:?}", began.elapsed());
    assert_eq!(answer.body()["drain"]["ended"], "proxysql_exited");
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sub_command_drains_through_the_port_and_tells_by_its_exit_code() {
    let mut pod = Make::new().ready().await;
    let mut command = pod.sub_command("shutdown");
    assert_eq!(command.exit_code(PATIENCE).await.unwrap(), Some(0), "{}", command.log().last());
    command.log().wait_for(PATIENCE, |line| line.text.contains("\"ended\":\"completed\"")).await.unwrap();
    assert_eq!(pod.gone().await, Some(0));
    let mut nobody = pod.sub_command("shutdown");
    assert_eq!(nobody.exit_code(PATIENCE).await.unwrap(), Some(1));
}
