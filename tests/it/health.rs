//! Probes that never hang, and readiness that means configured.

use std::time::Duration;

use proxysql_fleet::rig::{Rig, Role};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::life::{Make, Pod, call, in_background};
use crate::support::{PATIENCE, eventually, fleet, on_real_proxysql, settings};

const PROBES: [&str; 3] = ["/healthz/started", "/healthz/ready", "/healthz/live"];

async fn codes(pod: &Pod) -> [u16; 3] {
    let [started, ready, live] = PROBES;
    [pod.code(started).await, pod.code(ready).await, pod.code(live).await]
}

/// The time that all but one in a hundred stay below, and the longest.
fn p99(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() * 99 / 100 - 1], times[times.len() - 1])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_satellite_is_unconfigured_until_its_first_sync_and_stays_ready_without_cores() {
    let mut rig = Rig::start(settings()).await.unwrap();
    rig.add_satellite().await.unwrap();
    {
        let satellite = rig.member("satellite-1").unwrap();
        let agent = satellite.agent.as_ref().unwrap();
        eventually("it is unconfigured", async || {
            let Ok(reply) = agent.get("/healthz/ready").await else { return false };
            let status = reply.status;
            let body = reply.json().await.unwrap();
            status == 503 && body["reasons"][0]["reason"] == "unconfigured"
        })
        .await;
        assert_eq!(agent.get("/healthz/started").await.unwrap().status, 200);
        assert_eq!(agent.get("/healthz/live").await.unwrap().status, 200);
    }
    rig.add_core().await.unwrap();
    let satellite = rig.member("satellite-1").unwrap();
    let agent = satellite.agent.as_ref().unwrap();
    // A kubelet asks all the time.
    let mut ready_at = None;
    let mut synced_at = None;
    let began = Instant::now();
    while ready_at.is_none() {
        assert!(began.elapsed() < PATIENCE, "not ready: {}", agent.process.log().last());
        let users = satellite.node.query("SELECT COUNT(*) FROM runtime_mysql_users").await.unwrap();
        let servers = satellite.node.query("SELECT COUNT(*) FROM runtime_mysql_servers").await.unwrap();
        let none = Some("0".to_owned());
        if synced_at.is_none() && users[0][0] != none && servers[0][0] != none {
            synced_at = Some(Instant::now());
        }
        if agent.get("/healthz/ready").await.unwrap().status == 200 {
            ready_at = Some(Instant::now());
        }
        sleep(Duration::from_millis(20)).await;
    }
    let late = ready_at.unwrap().saturating_duration_since(synced_at.unwrap_or(ready_at.unwrap()));
    eprintln!("ready {late:?} after the first sync");
    assert!(late < Duration::from_millis(1_500), "{late:?}");

    for core in rig.names(Role::Core) {
        rig.kill(&core).await.unwrap();
    }
    let satellite = rig.member("satellite-1").unwrap();
    let node = &satellite.node;
    eventually("the bootstrap row is back", async || {
        let rows = node.members(proxysql_fleet::node::Layer::Runtime).await.unwrap();
        rows.iter().all(|row| row.hostname == rig.bootstrap().ip().to_string())
    })
    .await;
    let agent = satellite.agent.as_ref().unwrap();
    assert_eq!(agent.get("/healthz/ready").await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_are_offline_leave_a_node_ready_unless_one_is_asked_for() {
    for (wanted, code) in [("0", 200), ("1", 503)] {
        let pod = Make::new().env("HEALTH_MIN_ONLINE", wanted).env("HEALTH_REFRESH", "0.1").ready().await;
        for sql in ["UPDATE mysql_servers SET status='OFFLINE_SOFT'", "LOAD MYSQL SERVERS TO RUNTIME"] {
            pod.node.query(sql).await.unwrap();
        }
        eventually("it sees them", async || pod.get("/healthz/live").await.body()["backends"]["online"] == 0).await;
        let answer = pod.get("/healthz/ready").await;
        assert_eq!(answer.code, code, "{}", answer.text);
        assert_eq!(pod.code("/healthz/live").await, 200);
        if code == 503 {
            assert_eq!(answer.reasons(), ["too_few_online"]);
        } else {
            assert_eq!(answer.body()["message"], "all backends offline");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_listener_is_a_reason() {
    let pod = Make::new().env("HEALTH_REFRESH", "0.1").ready().await;
    pod.node.query("PROXYSQL PAUSE").await.unwrap();
    eventually("it is not ready", async || pod.code("/healthz/ready").await == 503).await;
    assert_eq!(pod.get("/healthz/ready").await.reasons(), ["paused"]);
    pod.node.query("PROXYSQL RESUME").await.unwrap();
    pod.is_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_proxysql_is_there_only_liveness_is_content_and_then_all_are() {
    let mut pod = Make::new().without_node().start().await;
    assert_eq!(codes(&pod).await, [503, 503, 200]);
    assert_eq!(pod.get("/healthz/ready").await.reasons(), ["unreachable"]);
    pod.node.restart(false).await.unwrap();
    pod.is_ready().await;
    assert_eq!(codes(&pod).await, [200, 200, 200]);
    pod.node.kill().await;
    eventually("it is not ready", async || pod.code("/healthz/ready").await == 503).await;
    assert_eq!(pod.code("/healthz/live").await, 200, "it is being restarted already");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_proxysql_is_alive_for_max_age_and_no_longer_and_no_probe_hangs() {
    let max_age = Duration::from_secs(3);
    let mut pod = Make::new()
        .env("HEALTH_MAX_AGE", "3")
        .env("SHUTDOWN_SHUTDOWN_TIMEOUT", "6")
        .env("SHUTDOWN_DRAIN_TIMEOUT", "3")
        .ready()
        .await;
    // Continued within the time: nothing has happened.
    pod.node.stop_cont(true);
    let stopped = Instant::now();
    while stopped.elapsed() < max_age / 2 {
        assert_eq!(pod.code("/healthz/live").await, 200);
    }
    pod.node.stop_cont(false);
    pod.is_ready().await;

    pod.node.stop_cont(true);
    let stopped = Instant::now();
    let dead = loop {
        let answer = pod.get("/healthz/live").await;
        if answer.code == 503 {
            break stopped.elapsed();
        }
        assert!(stopped.elapsed() < PATIENCE);
    };
    eprintln!("live turned 503 {dead:?} after the stop, health.max_age is {max_age:?}");
    // The first question that finds it silent comes up to health.refresh after the stop.
    assert!(dead >= max_age && dead < max_age + Duration::from_secs(3), "{dead:?}");

    let mut probes = JoinSet::new();
    for client in 0..50 {
        let api = pod.api;
        probes.spawn(async move {
            let mut times = Vec::new();
            for _ in 0..20 {
                times.push(call(api, "GET", PROBES[client % 3], &[]).await.took);
            }
            times
        });
    }
    let (p99, longest) = p99(probes.join_all().await.concat());
    eprintln!("1,000 probes of a stopped ProxySQL: p99 {p99:?}, longest {longest:?}");
    assert!(p99 < Duration::from_secs(1), "{p99:?}");

    let answer = pod.get("/shutdown").await;
    eprintln!("/shutdown of a stopped ProxySQL returned after {:?}, shutdown_timeout is 6 s", answer.took);
    assert!(answer.took >= Duration::from_secs(6) && answer.took < Duration::from_secs(8), "{:?}", answer.took);
    // It was not stopped, and that is no success.
    assert_eq!((answer.code, answer.body()["drain"]["ended"].as_str()), (504, Some("shutdown_timeout")));
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_refused_and_a_password_that_does_not_read_are_not_held_against_proxysql() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "radmin\n").unwrap();
    let max_age = Duration::from_secs(1);
    let mut pod = Make::new()
        .env("PROXYSQL_PASSWORD", "")
        .env("PROXYSQL_PASSWORD_FILE", &file.to_string_lossy())
        .env("HEALTH_MAX_AGE", "1")
        .env("HEALTH_REFRESH", "0.2")
        .env("PROXYSQL_CONNECT_TIMEOUT", "0.5")
        .env("PROXYSQL_STATEMENT_TIMEOUT", "0.5")
        .ready()
        .await;
    for (word, says) in [("login_refused", "refused the login"), ("agent_error", "cannot read the password")] {
        if word == "login_refused" {
            std::fs::write(&file, "another\n").unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
        }
        // The next question takes a new login.
        pod.node.restart(false).await.unwrap();
        eventually(word, async || pod.get("/healthz/ready").await.reasons() == [word]).await;
        let answer = pod.get("/healthz/ready").await;
        assert!(answer.text.contains(says) && !answer.text.contains("another"), "{}", answer.text);
        let since = Instant::now();
        while since.elapsed() < 3 * max_age {
            assert_eq!((pod.code("/healthz/started").await, pod.code("/healthz/live").await), (200, 200), "{word}");
        }
        assert_eq!(pod.get("/status").await.body()["proxysql"]["connection"], word);
        std::fs::write(&file, "radmin\n").unwrap();
        pod.is_ready().await;
    }
    // Silence is ProxySQL's still.
    pod.node.stop_cont(true);
    eventually("it is not live", async || pod.code("/healthz/live").await == 503).await;
    pod.node.stop_cont(false);
    pod.is_ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_was_never_let_in_does_not_have_proxysql_killed() {
    for (key, value, word) in [
        ("PROXYSQL_PASSWORD", "wrong", "login_refused"),
        ("PROXYSQL_ADDRESS", "no-such-host.invalid:6032", "agent_error"),
    ] {
        let mut pod = Make::new().env(key, value).start().await;
        eventually(word, async || pod.get("/healthz/ready").await.reasons() == [word]).await;
        assert_eq!(codes(&pod).await, [200, 503, 200], "{word}");
        // There is nothing that it could drain.
        pod.agent.terminate();
        assert_eq!(pod.gone().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_keep_answering_while_a_pause_of_many_threads_holds_the_admin_port() {
    // A second for each thread of the real one.
    let mut pod = Make::new().threads(16).ready().await;
    if let Some(node) = pod.node.embedded() {
        node.behave(|behaviour| behaviour.pause_takes = Duration::from_secs(4));
    }
    let api = pod.api;
    let draining = in_background(async move { call(api, "GET", "/shutdown", &[]).await });
    eventually("it pauses", async || pod.get("/drain").await.body()["drain"]["step"] == "pausing").await;
    let mut times = Vec::new();
    while pod.get("/drain").await.body()["drain"]["step"] == "pausing" {
        for (path, code) in PROBES.iter().zip([200, 503, 200]) {
            let answer = pod.get(path).await;
            assert_eq!(answer.code, code, "{path} {}", answer.text);
            times.push(answer.took);
        }
    }
    let answer = draining.await;
    let many = times.len();
    let (p99, longest) = p99(times);
    eprintln!(
        "{many} probes during a PAUSE of {}: p99 {p99:?}, longest {longest:?}",
        answer.body()["drain"]["seconds"]["pause"]
    );
    assert!(p99 < Duration::from_millis(50), "{p99:?}");
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_probes_is_one_read_a_second() {
    if on_real_proxysql("a_flood_of_probes_is_one_read_a_second") {
        return;
    }
    let pod = Make::new().ready().await;
    let before = pod.sent("SELECT 'users'");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        pod.get("/healthz/ready").await;
    }
    let reads = pod.sent("SELECT 'users'") - before;
    assert!((2..=4).contains(&reads), "{reads} reads in 3 s");
    let quiet = pod.sent("SELECT 'users'");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(pod.sent("SELECT 'users'"), quiet, "nobody asks, nothing is read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_of_a_fleet_is_ready() {
    let rig = fleet(settings(), 2, 1).await;
    for member in rig.members() {
        let agent = member.agent.as_ref().unwrap();
        eventually("it is ready", async || agent.get("/healthz/ready").await.is_ok_and(|reply| reply.status == 200))
            .await;
    }
}
