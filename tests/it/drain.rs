//! A drain that drains: who is waited for, who is evicted, who is cut, and when it ends.

use std::time::Duration;

use proxysql_fleet::proxysql::{Cause, ClientEnd, ClientSpec, ClientState};
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
        ["clients", "evicted", "finished", "cut"].map(|name| number(body, &format!("/drain/{name}")));
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
    assert_eq!(body["drain"]["ended"], "empty");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_clients_are_evicted_the_others_finish_and_no_variable_changes() {
    if on_real_proxysql("idle_clients_are_evicted_the_others_finish_and_no_variable_changes") {
        return;
    }
    let mut pod = Make::new().ready().await;
    let idle = pod.clients(100, &ClientState::Idle);
    let transactions = pod.clients(10, &ClientState::InTransaction);
    let queries = pod.clients(5, &ClientState::Running("SELECT SLEEP(5)".to_owned()));
    // Somebody at the door is no client.
    pod.clients(1, &ClientState::Connecting);
    let variables = pod.node.query("SELECT * FROM runtime_global_variables").await.unwrap();
    let draining = shutdown(&pod);
    let ended = |pod: &Pod, ids: &[u32], how: ClientEnd| {
        pod.embedded().ended_clients().iter().filter(|(id, end)| ids.contains(id) && *end == how).count()
    };
    eventually("the idle ones are evicted", async || ended(&pod, &idle, ClientEnd::Killed) == 100).await;
    assert_eq!(pod.node.query("SELECT * FROM runtime_global_variables").await.unwrap(), variables);
    let progress = pod.get("/drain").await.body();
    assert_eq!((number(&progress, "/clients"), progress["drain"]["ended"].is_null()), (15, true), "{progress}");
    // They commit, their queries return, and they leave.
    for id in transactions.iter().chain(&queries) {
        assert!(pod.embedded().change_client(*id, ClientState::Idle) && pod.embedded().remove_client(*id));
    }
    let body = draining.await;
    eprintln!("the report: {}", body["drain"]);
    assert_eq!(body["drain"]["ended"], "empty");
    adds_up(&body);
    let counts = ["clients", "evicted", "finished", "cut"].map(|name| number(&body, &format!("/drain/{name}")));
    assert_eq!(counts, [115, 100, 15, 0]);
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evictions_are_paced_and_each_session_is_seen_idle_just_before() {
    if on_real_proxysql("evictions_are_paced_and_each_session_is_seen_idle_just_before") {
        return;
    }
    let mut pod = Make::new().ready().await;
    pod.clients(60, &ClientState::Idle);
    shutdown(&pod).await;
    let log = pod.embedded().log().of("radmin", 0);
    let kills: Vec<_> = log.iter().filter(|entry| entry.sql.starts_with("KILL CONNECTION")).collect();
    assert_eq!(kills.len(), 60);
    let first = kills[0].at;
    let spread = kills[59].at.duration_since(first).unwrap();
    assert!(spread >= Duration::from_millis(900), "ten at each tick of 200 ms: {spread:?}");
    // Before each batch there is a look, and no batch has more than ten.
    let batches = log.split(|entry| entry.sql.starts_with("SELECT 'clients'"));
    let largest = batches.map(|batch| batch.iter().filter(|entry| entry.sql.starts_with("KILL")).count()).max();
    assert_eq!(largest, Some(10));
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_uses_its_connections_is_not_evicted() {
    if on_real_proxysql("a_client_that_uses_its_connections_is_not_evicted") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_EVICT_IDLE_AFTER", "600ms").ready().await;
    let [active] = pod.clients(1, &ClientState::InTransaction)[..] else { panic!() };
    let draining = shutdown(&pod);
    step_is(&pod, "emptying").await;
    // Idle, but each time only for a moment.
    let began = Instant::now();
    while began.elapsed() < SECOND * 2 {
        assert!(pod.embedded().change_client(active, ClientState::Idle), "evicted while active");
        sleep(Duration::from_millis(50)).await;
    }
    let body = draining.await;
    assert_eq!(number(&body, "/drain/evicted"), 1, "in the end it is idle for long: {body}");
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_never_ends_is_cut_at_the_timeout_and_reported() {
    if on_real_proxysql("a_transaction_that_never_ends_is_cut_at_the_timeout_and_reported") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "2").ready().await;
    pod.clients(1, &ClientState::InTransaction);
    let body = shutdown(&pod).await;
    assert_eq!((body["drain"]["ended"].as_str(), number(&body, "/drain/cut")), (Some("drain_timeout"), 1));
    let drain = seconds(&body, "drain");
    assert!(drain >= SECOND * 2 && drain < SECOND * 4, "{drain:?}");
    adds_up(&body);
    assert_eq!(pod.embedded().stopped().await, Cause::Shutdown);
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_idle_sessions_are_not_listed_the_report_says_so() {
    if on_real_proxysql("where_idle_sessions_are_not_listed_the_report_says_so") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "1").ready().await;
    for sql in ["SET mysql-session_idle_show_processlist='false'", "LOAD MYSQL VARIABLES TO RUNTIME"] {
        pod.node.query(sql).await.unwrap();
    }
    pod.clients(1, &ClientState::InTransaction);
    let body = shutdown(&pod).await;
    let notes = body["drain"]["notes"].to_string();
    assert!(notes.contains("session_idle_show_processlist"), "{notes}");
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
    let spec = ClientSpec { protocol: proxysql_fleet::proxysql::Protocol::Postgres, ..ClientSpec::default() };
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
    step_is(&pod, "emptying").await;
    assert!(pod.embedded().remove_client(id));
    let body = draining.await;
    assert_eq!((number(&body, "/drain/finished"), body["drain"]["notes"].to_string().as_str()), (1, "[]"), "{body}");
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
    step_is(&pod, "emptying").await;
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
    step_is(&pod, "emptying").await;
    assert!(pod.embedded().remove_client(id));
    let mut bodies = Vec::new();
    for caller in waiting.into_iter().chain(more) {
        bodies.push(caller.await["drain"].clone());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0] && body["ended"] == "empty"), "{bodies:?}");
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
    assert_eq!((answer.code, answer.body()["drain"]["ended"].as_str()), (200, Some("empty")));
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
    assert_eq!(answer.body()["drain"]["ended"], "gone");
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sub_command_drains_through_the_port_and_tells_by_its_exit_code() {
    let mut pod = Make::new().ready().await;
    let mut command = pod.sub_command("shutdown");
    assert_eq!(command.exit_code(PATIENCE).await.unwrap(), Some(0), "{}", command.log().last());
    command.log().wait_for(PATIENCE, |line| line.text.contains("\"ended\":\"empty\"")).await.unwrap();
    assert_eq!(pod.gone().await, Some(0));
    let mut nobody = pod.sub_command("shutdown");
    assert_eq!(nobody.exit_code(PATIENCE).await.unwrap(), Some(1));
}
