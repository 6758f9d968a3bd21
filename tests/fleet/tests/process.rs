//! The fleet as a program: whatever becomes of it, nothing that it started is left behind.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const PATIENCE: Duration = Duration::from_secs(30);

/// An agent that does nothing but write down its process id; it does not even end when it is asked to.
fn idle_agent(dir: &Path) -> PathBuf {
    let agent = dir.join("agent");
    let pids = dir.join("pids");
    fs::write(
        &agent,
        format!("#!/bin/sh\ntrap '' TERM INT\necho $$ >> {}\nwhile :; do sleep 1; done\n", pids.display()),
    )
    .unwrap();
    fs::set_permissions(&agent, Permissions::from_mode(0o755)).unwrap();
    agent
}

fn demo(agent: &Path, dir: &Path) -> Child {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_proxysql-fleet"));
    demo.args(["demo", "--embedded", "--agent"]).arg(agent).env("TMPDIR", dir).env_remove("KUBEBUILDER_ASSETS");
    demo.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts the demonstration with agents that do nothing, ends it so, and sees that they are gone. Answers its exit code.
fn nothing_is_left_after(signal: Signal) -> Option<i32> {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = demo(&idle_agent(dir.path()), dir.path());
    let mut agents = Vec::new();
    eventually("five agents run", || {
        let pids = fs::read_to_string(dir.path().join("pids")).unwrap_or_default();
        agents = pids.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect();
        agents.len() == 5
    });
    assert!(agents.iter().all(|pid| test_kill_process(*pid).is_ok()));
    kill_process(Pid::from_child(&demo), signal).unwrap();
    let status = demo.wait().unwrap();
    eventually("the agents are gone", || agents.iter().all(|pid| test_kill_process(*pid).is_err()));
    status.code()
}

#[test]
fn an_interrupted_demonstration_takes_its_agents_with_it() {
    assert_eq!(nothing_is_left_after(Signal::INT), Some(130));
}

#[test]
fn a_killed_demonstration_takes_its_agents_with_it() {
    assert_eq!(nothing_is_left_after(Signal::KILL), None);
}
