//! Child processes: the real agent, and whatever else a rig starts. None outlives this process.

mod leash;
mod log;
mod usage;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use tokio::process::{Child, Command};

pub use leash::Leash;
pub use log::{Log, LogLine};
pub use usage::Memory;

/// A program with its output captured. It is killed when this is dropped, and when this process dies, however it dies.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    log: Log,
    _leash: Leash,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub binary: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment, besides `PATH`.
    pub environment: BTreeMap<String, String>,
    /// Where its output is written as well, in addition to the lines kept in memory.
    pub log_file: PathBuf,
}

impl Program {
    /// A program without arguments and environment.
    pub fn new(binary: &Path, log_file: &Path) -> Self {
        Self {
            binary: binary.to_owned(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            log_file: log_file.to_owned(),
        }
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.insert(key.to_owned(), value.into());
        self
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts it, in a process group of its own: Ctrl-C on the terminal is for the parent alone. It works in the folder of its log, so
    /// that no `config.yaml` of whoever starts it becomes its own.
    pub fn start(&self) -> io::Result<Process> {
        let failed =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot start {}: {error}", self.binary.display()));
        let folder = std::path::absolute(self.log_file.parent().unwrap_or(Path::new(".")))?;
        let mut child = Command::new(std::path::absolute(&self.binary)?)
            .current_dir(folder)
            .args(&self.arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(&self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("a new process without an id"))?;
        let leash = Leash::new(pid)?;
        let log = Log::create(&self.log_file, child.stdout.take(), child.stderr.take())?;
        Ok(Process { child, pid, log, _leash: leash })
    }
}

impl Process {
    /// What it said.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id.
    pub fn id(&self) -> Pid {
        self.pid
    }

    /// Sends a signal; one that has ended already does not mind.
    pub fn signal(&mut self, signal: Signal) {
        // While it was not waited for, its id is nobody else's.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Stops it in its tracks, or lets it go on.
    pub fn freeze(&mut self, frozen: bool) {
        self.signal(if frozen { Signal::STOP } else { Signal::CONT });
    }

    /// Asks it to end.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Ends it at once and waits until it is gone.
    pub async fn kill(&mut self) {
        // It fails where the process has ended, which is what is wanted.
        drop(self.child.kill().await);
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; an error of kind `TimedOut` if it has not ended within the limit.
    pub async fn wait(&mut self, limit: Duration) -> io::Result<ExitStatus> {
        tokio::time::timeout(limit, self.child.wait()).await?
    }

    /// As [`Self::wait`], as an exit code; one that a signal ended has none.
    pub async fn exit_code(&mut self, limit: Duration) -> io::Result<Option<i32>> {
        self.wait(limit).await.map(|status| status.code())
    }

    /// How much memory it holds.
    pub fn memory(&self) -> io::Result<Memory> {
        usage::memory(self.pid)
    }

    /// How much processor time it has used so far.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        usage::cpu_time(self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> Process {
        Program::new(Path::new("/bin/sh"), &dir.join("log"))
            .arg("-c")
            .arg(script)
            .env("GREETING", "hello")
            .start()
            .unwrap()
    }

    #[tokio::test]
    async fn output_environment_and_exit_code_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = shell("echo $GREETING $HOME; echo oops >&2; exit 3", dir.path());
        assert_eq!(process.exit_code(Duration::from_secs(10)).await.unwrap(), Some(3));
        process.log().wait_for(Duration::from_secs(10), |line| line.text == "hello").await.unwrap();
        process.log().wait_for(Duration::from_secs(10), |line| line.text == "oops").await.unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap().lines().count(), 2);
    }

    #[tokio::test]
    async fn a_process_can_be_frozen_measured_and_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = shell("trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done", dir.path());
        process.log().wait_for(Duration::from_secs(10), |line| line.text == "ready").await.unwrap();
        let memory = process.memory().unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident && memory.private > 0, "{memory:?}");
        process.freeze(true);
        process.terminate();
        assert_eq!(process.wait(Duration::from_millis(100)).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        process.freeze(false);
        assert_eq!(process.exit_code(Duration::from_secs(10)).await.unwrap(), Some(0));
        assert!(!process.is_running());
        process.kill().await;
    }
}
