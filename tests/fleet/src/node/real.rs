//! The real binary, as a child of this process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::NodeSpec;
use crate::proxysql::Boot;

/// A `ProxySQL` process; it is killed when this is dropped.
#[derive(Debug)]
pub struct RealProxysql {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    spec: NodeSpec,
    idle_threads: bool,
    monitor: bool,
    boot: Boot,
    child: Child,
}

impl RealProxysql {
    /// Starts the binary on `spec.dir`, where its `proxysql.cnf` is, with or without `--idle-threads`. Does not wait for its
    /// ports.
    pub fn start(binary: PathBuf, spec: NodeSpec, idle_threads: bool) -> io::Result<Self> {
        let child = spawn(&binary, &[], &spec, (idle_threads, false), Boot::Normal)?;
        Ok(Self { binary, environment: Vec::new(), spec, idle_threads, monitor: false, boot: Boot::Normal, child })
    }

    /// The binary that is run.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// From the next restart on, another binary is run.
    pub fn set_binary(&mut self, binary: PathBuf) {
        self.binary = binary;
    }

    /// From the next restart on, with the monitor's threads or, as at first, without them.
    pub fn set_monitor(&mut self, on: bool) {
        self.monitor = on;
    }

    /// From the next restart on, with one more variable.
    pub fn set_variable(&mut self, key: &str, value: &str) {
        self.environment.push((key.to_owned(), value.to_owned()));
    }

    /// Where it runs.
    pub fn spec(&self) -> &NodeSpec {
        &self.spec
    }

    /// SIGKILL, waited for.
    pub async fn kill(&mut self) {
        // It may be gone already, which is what was wanted.
        let _ = self.child.kill().await;
    }

    /// A new process, in place of the old one.
    pub async fn restart(&mut self, boot: Boot) -> io::Result<()> {
        self.kill().await;
        if boot == Boot::Initial {
            for entry in fs::read_dir(&self.spec.dir)?.flatten() {
                let name = entry.file_name();
                // What the file includes is not ProxySQL's to make.
                let is_kept = [".cnf", ".log", ".inc", ".conf"].iter().any(|end| name.to_string_lossy().ends_with(end));
                if !is_kept && entry.path().is_file() {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        self.boot = boot;
        self.start_again()
    }

    /// As the last start, in place of a process that has ended.
    pub(super) fn start_again(&mut self) -> io::Result<()> {
        self.child = spawn(&self.binary, &self.environment, &self.spec, (self.idle_threads, self.monitor), self.boot)?;
        Ok(())
    }

    /// SIGSTOP or SIGCONT.
    pub fn stop_cont(&self, stopped: bool) {
        let signal = if stopped { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        if let Some(pid) = pid {
            // A process that has ended cannot be stopped, and need not be.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.spec.dir.join("proxysql.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Whether the process has ended.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

/// Through `setpriv`, where there is one, so that it does not outlive this process however that ends.
fn spawn(
    binary: &Path,
    environment: &[(String, String)],
    spec: &NodeSpec,
    (idle_threads, monitor): (bool, bool),
    boot: Boot,
) -> io::Result<Child> {
    let log = File::options().create(true).append(true).open(spec.dir.join("proxysql.log"))?;
    let setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|path| Path::new(path).exists());
    let mut command = match setpriv {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .arg("-f")
        .args((!monitor).then_some("-M"))
        .args(idle_threads.then_some("--idle-threads"))
        .arg("-c")
        .arg(spec.dir.join("proxysql.cnf"))
        .arg("-D")
        .arg(&spec.dir)
        .args(match boot {
            Boot::Normal => None,
            Boot::Initial => Some("--initial"),
            Boot::Reload => Some("--reload"),
        })
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}
