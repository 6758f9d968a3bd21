//! How far a dump is, for somebody who watches it on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::time::Instant;

/// A dump that is done within this shows nothing.
const QUIET: Duration = Duration::from_secs(1);
/// How often the line changes.
const EVERY: Duration = Duration::from_millis(500);
/// How many records pass between two looks at the clock.
const STRIDE: u64 = 512;

/// One line on standard error, if that is a terminal; it goes when this is dropped.
#[derive(Debug)]
pub struct DumpProgress {
    began: Instant,
    due: Instant,
    terminal: bool,
    shown: bool,
}

impl DumpProgress {
    /// Begins to count the time.
    pub fn new() -> Self {
        let now = Instant::now();
        Self { began: now, due: now + QUIET, terminal: io::stderr().is_terminal(), shown: false }
    }

    /// Since it began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Says how far it is, if it is time to.
    pub fn at(&mut self, rows: u64, bytes: u64) {
        if !self.terminal || !rows.is_multiple_of(STRIDE) {
            return;
        }
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + EVERY;
        self.shown = true;
        let seconds = (now - self.began).as_secs();
        // A terminal that has gone away is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[K{rows} digests, {} MiB, {seconds} s", bytes >> 20);
    }
}

impl Default for DumpProgress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for DumpProgress {
    fn drop(&mut self) {
        if self.shown {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
