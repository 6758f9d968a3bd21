//! Memory and processor time of a process, as `/proc` tells them.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::process::Pid;

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// What is resident now (`VmRSS`).
    pub resident: u64,
    /// The most that ever was (`VmHWM`).
    pub peak: u64,
    /// What is resident and shared with nobody.
    pub private: u64,
}

pub(super) fn memory(pid: Pid) -> io::Result<Memory> {
    let status = read(pid, "status")?;
    let rollup = read(pid, "smaps_rollup")?;
    Ok(Memory {
        resident: kibibytes(&status, "VmRSS:"),
        peak: kibibytes(&status, "VmHWM:"),
        private: kibibytes(&rollup, "Private_Clean:") + kibibytes(&rollup, "Private_Dirty:"),
    })
}

/// The sum over the threads that live; the kernel's scheduler counts it in nanoseconds.
pub(super) fn cpu_time(pid: Pid) -> io::Result<Duration> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()))? {
        // A thread may end while we look.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        total += text.split_whitespace().next().and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(total))
}

fn read(pid: Pid, file: &str) -> io::Result<String> {
    let path = format!("/proc/{}/{file}", pid.as_raw_nonzero());
    fs::read_to_string(&path).map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

fn kibibytes(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
