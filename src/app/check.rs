//! The sub-command `check`: whether a configuration is good, without contacting anything.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::{Loaded, RunMode};
use crate::domain::budget::Budget;

/// Worker threads of a `ProxySQL` that was not told how many: `mysql-threads`.
const THREADS: u32 = 4;

/// Says that the configuration is good, and what deserves a warning; 0. One that is not good does not get here.
pub fn main(loaded: &Loaded) -> ExitCode {
    // Whoever does not read what is written has asked for the exit code only.
    let _ = io::stdout().write_all(text(loaded).as_bytes());
    ExitCode::SUCCESS
}

fn text(loaded: &Loaded) -> String {
    let (mode, shutdown) = (loaded.config.run_mode, &loaded.config.shutdown);
    let file = loaded.file.as_ref().map_or("no file".to_owned(), |path| path.display().to_string());
    let mut text = format!("the configuration is good: run_mode {mode}, {file}\n");
    // Writing to a string does not fail.
    for warning in &loaded.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    if mode == RunMode::Dump {
        return text;
    }
    let budget = Budget::new(shutdown.propagation_delay, THREADS, shutdown.drain_timeout);
    let total = budget.total().as_secs_f32();
    if let Some(short) = budget.falls_short_of(shutdown.shutdown_timeout) {
        let short = short.as_secs_f32();
        let _ = writeln!(text, "warning: shutdown.shutdown_timeout is {short} s shorter than the way down can take");
    }
    let _ = writeln!(
        text,
        "the way down takes up to {total} s with {THREADS} worker threads ({budget}); terminationGracePeriodSeconds has to \
         be as long"
    );
    text
}
