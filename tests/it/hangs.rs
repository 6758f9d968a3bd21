//! Whatever hangs, be it who reads the log or what files are on: probes are answered, and the process ends when it is asked to.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::life::{Make, Pod, call};
use crate::support::{PATIENCE, eventually};

/// As many probes as a minute of 50 a second: a pipe takes some 500 of their lines, and the agent keeps 1,024.
const PROBES: usize = 3_000;
/// A kubelet waits a second; a machine that runs other tests may take longer.
const ANSWERED: Duration = Duration::from_secs(5);

/// A pipe in the place of a file: whoever opens it waits for the other side, for ever.
fn pipe(dir: &Path, name: &str) -> PathBuf {
    let path = dir.join(name);
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Both sides of a pipe at once, so that nobody waits for the other.
fn open(pipe: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(pipe).unwrap()
}

/// Probes, fifty at a time; the longest that one took.
async fn probed(pod: &Pod, many: usize) -> Duration {
    let mut clients = JoinSet::new();
    for _ in 0..50 {
        let (api, many) = (pod.api, many / 50);
        clients.spawn(async move {
            let mut longest = Duration::ZERO;
            for _ in 0..many {
                longest = longest.max(call(api, "GET", "/healthz/live", &[]).await.took);
            }
            longest
        });
    }
    clients.join_all().await.into_iter().max().unwrap()
}

async fn dropped(pod: &Pod) -> f64 {
    let metrics = pod.get("/metrics").await.text;
    let line = metrics.lines().find(|line| line.starts_with("proxysql_agent_log_lines_dropped_total ")).unwrap();
    line.split(' ').next_back().unwrap().parse().unwrap()
}

/// SIGTERM, and how long it takes.
async fn terminate(pod: &mut Pod) -> Duration {
    let began = Instant::now();
    pod.agent.terminate();
    assert_eq!(pod.gone().await, Some(0));
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_no_probe_and_no_end_and_what_is_lost_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let log = pipe(dir.path(), "log");
    let mut reader = open(&log);
    let mut pod = Make::new().output(&log).env("LOG_PROBES", "true").ready().await;
    let longest = probed(&pod, PROBES).await;
    let lost = dropped(&pod).await;
    eprintln!("{PROBES} probes with a log that nobody reads: longest {longest:?}, {lost} lines lost");
    assert!(longest < ANSWERED, "{longest:?}");
    assert!(lost > 0.0);
    let memory = pod.agent.memory().unwrap();
    eprintln!("resident {} kB", memory.resident >> 10);

    let text = Arc::new(Mutex::new(String::new()));
    let read = Arc::clone(&text);
    // Ends with this process.
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(many) = reader.read(&mut bytes) {
            read.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..many]));
        }
    });
    let said = |what: &str| text.lock().unwrap().lines().any(|line| line.contains(what));
    eventually("it says what was lost", async || {
        said("log lines were dropped because standard output was not read in time lines=")
    })
    .await;
    pod.get("/healthz/live").await;
    assert!(terminate(&mut pod).await < PATIENCE);
    eventually("its last words are read", async || said("drain finished ended=")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_is_obeyed_while_nobody_reads_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = pipe(dir.path(), "log");
    let _deaf = open(&log);
    let mut pod = Make::new().output(&log).env("LOG_PROBES", "true").ready().await;
    probed(&pod, PROBES).await;
    let took = terminate(&mut pod).await;
    eprintln!("the end took {took:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_file_that_hangs_does_not_keep_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let marker = dir.path().join("draining");
    let mut pod = Make::new()
        .env("SHUTDOWN_DRAINING_FILE", &marker.to_string_lossy())
        .env("SHUTDOWN_DRAIN_TIMEOUT", "5")
        .env("SHUTDOWN_SHUTDOWN_TIMEOUT", "8")
        .ready()
        .await;
    // The start removes what an earlier life has left, and so the pipe comes later.
    pipe(dir.path(), "draining");
    let took = terminate(&mut pod).await;
    eprintln!("the end took {took:?}");
    assert!(took < Duration::from_secs(11), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_file_that_hangs_is_the_agents_trouble_and_nobody_elses() {
    let dir = tempfile::tempdir().unwrap();
    let password = pipe(dir.path(), "password");
    let mut pod = Make::new()
        .env("PROXYSQL_PASSWORD", "")
        .env("PROXYSQL_PASSWORD_FILE", &password.to_string_lossy())
        .start()
        .await;
    eventually("it says what is wrong", async || pod.get("/healthz/ready").await.reasons() == ["agent_error"]).await;
    let answer = pod.get("/healthz/ready").await;
    assert!(answer.text.contains(&*password.to_string_lossy()), "{}", answer.text);
    let longest = probed(&pod, 200).await;
    assert!(longest < ANSWERED, "{longest:?}");
    assert_eq!((pod.code("/healthz/started").await, pod.code("/healthz/live").await), (200, 200));
    // Who waits in the pipe is let go; the next login finds a file.
    fs::remove_file(&password).unwrap();
    fs::write(&password, "radmin").unwrap();
    let took = terminate(&mut pod).await;
    assert!(took < Duration::from_secs(11), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_and_a_configuration_that_hang_hold_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (token, config) = (dir.path().join("token"), dir.path().join("config.yaml"));
    fs::write(&token, "the-token").unwrap();
    fs::write(&config, "health: { min_online: 0 }\n").unwrap();
    let mut pod = Make::new()
        .env("API_TOKEN_FILE", &token.to_string_lossy())
        .variable("AGENT_CONFIG_FILE", &config.to_string_lossy())
        .ready()
        .await;
    for file in [&token, &config] {
        fs::remove_file(file).unwrap();
        pipe(dir.path(), file.file_name().unwrap().to_str().unwrap());
    }
    let mut refused = JoinSet::new();
    for _ in 0..20 {
        let api = pod.api;
        let given = [("authorization", "Bearer the-token")];
        refused.spawn(async move { call(api, "POST", "/shutdown?wait=false", &given).await });
    }
    pod.agent.signal(Signal::HUP);
    let longest = probed(&pod, 500).await;
    assert!(longest < ANSWERED, "{longest:?}");
    assert!(refused.join_all().await.iter().all(|answer| answer.code == 401));
    eventually("it says what is wrong", async || {
        let log = pod.log();
        log.contains("api.token_file cannot be read: timed out") && log.contains("reload failed")
    })
    .await;
    let took = terminate(&mut pod).await;
    assert!(took < Duration::from_secs(11), "{took:?}");
}
