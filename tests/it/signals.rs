//! Signals, and the end of the process whenever it is asked for.

use std::time::Duration;

use proxysql_fleet::kubernetes::{KubeApi, PodSpec};
use proxysql_fleet::proxysql::{Action, ClientState, Rule};
use rustix::process::Signal;
use tokio::time::Instant;

use crate::life::{Make, Pod, call, in_background, raw};
use crate::support::{PATIENCE, eventually, on_real_proxysql};

/// What is there to be waited for takes this long at most, whatever the timeouts of a drain.
const AT_ONCE: Duration = Duration::from_secs(2);

/// SIGTERM, and how long it takes.
async fn terminate(pod: &mut Pod) -> Duration {
    let began = Instant::now();
    pod.agent.terminate();
    assert_eq!(pod.gone().await, Some(0), "{}", pod.log());
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_before_proxysql_was_ever_reached_ends_it_at_once() {
    // Refused.
    let mut pod = Make::new().without_node().start().await;
    assert!(terminate(&mut pod).await < AT_ONCE);
    // While it sleeps.
    let mut pod = Make::new().without_node().env("START_DELAY", "60").start().await;
    assert_eq!(pod.code("/healthz/live").await, 200);
    assert!(terminate(&mut pod).await < AT_ONCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_before_a_mute_proxysql_was_ever_reached_ends_it_at_once() {
    let mut pod = Make::new().without_node().env("PROXYSQL_CONNECT_TIMEOUT", "0.5").start().await;
    // Accepts, and says nothing.
    let _mute = tokio::net::TcpListener::bind(pod.node.spec().admin()).await.unwrap();
    eventually("it is tried", async || pod.log().contains("accepted the connection but")).await;
    assert!(terminate(&mut pod).await < AT_ONCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_during_a_reconnection_ends_it_at_once() {
    let mut pod = Make::new().ready().await;
    pod.node.kill().await;
    eventually("it is noticed", async || pod.log().contains("reconcile failed")).await;
    assert!(terminate(&mut pod).await < AT_ONCE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_during_a_round_leaves_nothing_half_applied() {
    if on_real_proxysql("sigterm_during_a_round_leaves_nothing_half_applied") {
        return;
    }
    // Restoring the list is DELETE, LOAD FROM CONFIG, a look, LOAD TO RUNTIME; the signal comes in the middle of that.
    let mut pod = Make::new().seed().without_node().start().await;
    let slow = Action::Delay(Duration::from_millis(300));
    pod.embedded().trouble().add(Rule::new(slow).containing("PROXYSQL SERVERS FROM CONFIG").from_user("radmin"));
    pod.node.restart(false).await.unwrap();
    for sql in ["DELETE FROM proxysql_servers", "LOAD PROXYSQL SERVERS TO RUNTIME"] {
        pod.node.query(sql).await.unwrap();
    }
    eventually("a round has begun", async || pod.sent("DELETE FROM proxysql_servers") > 0).await;
    assert!(terminate(&mut pod).await < AT_ONCE);
    let log = pod.embedded().log().of("radmin", 0);
    let sent: Vec<&str> = log.iter().map(|entry| entry.sql.as_str()).collect();
    let pause = sent.iter().position(|sql| *sql == "PROXYSQL PAUSE").unwrap();
    let deleted = sent.iter().position(|sql| sql.starts_with("DELETE")).unwrap();
    let loaded = sent.iter().position(|sql| *sql == "LOAD PROXYSQL SERVERS TO RUNTIME").unwrap();
    assert!(deleted < loaded && loaded < pause, "{sent:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_ends_the_waiting() {
    if on_real_proxysql("a_second_sigterm_ends_the_waiting") {
        return;
    }
    for signal in [Signal::TERM, Signal::INT] {
        let mut pod = Make::new().ready().await;
        pod.clients(1, &ClientState::InTransaction);
        pod.agent.signal(signal);
        eventually("it drains", async || pod.get("/drain").await.body()["drain"]["step"] == "waiting_for_clients")
            .await;
        let api = pod.api;
        let waiting = in_background(async move { call(api, "GET", "/shutdown", &[]).await });
        eventually("it is asked", async || pod.log().contains("drain requested")).await;
        assert!(terminate(&mut pod).await < AT_ONCE);
        let answer = waiting.await;
        assert_eq!((answer.code, answer.body()["drain"]["ended"].as_str()), (200, Some("forced")));
        assert_eq!(pod.sent("PROXYSQL SHUTDOWN"), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigusr1_logs_the_whole_status() {
    let mut pod = Make::new().ready().await;
    pod.agent.signal(Signal::USR1);
    let line = pod.agent.log().wait_for(PATIENCE, |line| line.text.contains(" status ")).await.unwrap();
    for field in ["phase=running", "ready=true", "live=true", "clients=0", "backends=2", "online=2", "age_ms="] {
        assert!(line.text.contains(field), "{field}: {}", line.text);
    }
    assert!(terminate(&mut pod).await < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn detached_it_leaves_proxysql_and_its_clients_alone() {
    let mut pod = Make::new().env("SHUTDOWN_ON_SIGTERM", "detach").ready().await;
    if pod.node.embedded().is_some() {
        pod.clients(3, &ClientState::Idle);
    }
    for _ in 0..10 {
        assert!(terminate(&mut pod).await < AT_ONCE);
        assert!(raw(pod.node.spec().mysql(), b"").await.is_ok(), "the listener is open");
        pod.restart_agent().await;
        pod.is_ready().await;
        assert!(!pod.marker().exists());
    }
    if let Some(node) = pod.node.embedded() {
        assert_eq!((node.clients().len(), pod.sent("PROXYSQL")), (3, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auto_asks_the_api_server_whether_the_pod_is_being_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let block = proxysql_fleet::net::Block::take().unwrap();
    let api = KubeApi::start(&block, dir.path(), false).await.unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    api.kubeconfig(&kubeconfig).unwrap();
    let own = PodSpec::new("proxysql", "own-pod").ip(std::net::IpAddr::from([10, 0, 0, 1]));
    api.put(own).await.unwrap();
    let make = || {
        Make::new()
            .env("SHUTDOWN_ON_SIGTERM", "auto")
            .variable("KUBECONFIG", &kubeconfig.to_string_lossy())
            .variable("POD_NAMESPACE", "proxysql")
            .variable("POD_NAME", "own-pod")
    };
    // Restarted: the pod stays.
    let mut pod = make().ready().await;
    assert!(terminate(&mut pod).await < AT_ONCE);
    assert!(pod.node.query("SELECT 1").await.is_ok(), "{}", pod.log());
    // Deleted.
    let mut pod = make().ready().await;
    match api.embedded() {
        Some(api) => drop(api.terminate("proxysql", "own-pod")),
        None => api.delete("proxysql", "own-pod").await.unwrap(),
    }
    terminate(&mut pod).await;
    assert!(pod.node.query("SELECT 1").await.is_err(), "{}", pod.log());
    // Nobody knows: it drains.
    drop(api);
    let mut pod = make().ready().await;
    terminate(&mut pod).await;
    assert!(pod.node.query("SELECT 1").await.is_err(), "{}", pod.log());
    assert!(pod.log().contains("cannot read own pod"), "{}", pod.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grace_period_that_is_too_short_is_said_at_start() {
    let pod = Make::new()
        .env("SHUTDOWN_PROPAGATION_DELAY", "5")
        .env("SHUTDOWN_DRAIN_TIMEOUT", "30")
        .env("SHUTDOWN_SHUTDOWN_TIMEOUT", "31")
        .ready()
        .await;
    // 5 s propagation, 1 s for each of two threads, 30 s, 3 s to spare.
    let line =
        pod.agent.log().wait_for(PATIENCE, |line| line.text.contains("the maximum shutdown time")).await.unwrap();
    assert!(line.text.contains("short_by=9") && line.text.contains("needed=40"), "{}", line.text);
}
