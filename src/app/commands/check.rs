//! The subcommand `check`: validates a configuration offline.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::config::{Loaded, RunMode};
use crate::domain::drain::budget::Budget;

/// Worker threads of a `ProxySQL` that was not told how many: `mysql-threads`.
const THREADS: u32 = 4;

/// Reports that the configuration is valid, with warnings; 0. An invalid one does not get here.
pub fn main(loaded: &Loaded) -> ExitCode {
    // A closed stdout is not an error; callers may only want the exit code.
    let _ = io::stdout().write_all(text(loaded).as_bytes());
    ExitCode::SUCCESS
}

fn text(loaded: &Loaded) -> String {
    let (mode, shutdown) = (loaded.config.run_mode, &loaded.config.shutdown);
    let file = loaded.file.as_ref().map_or("no file".to_owned(), |path| path.display().to_string());
    let mut text = format!("configuration is valid: run_mode {mode}, {file}\n");
    // `fmt::Write` for a string never fails.
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
        let _ =
            writeln!(text, "warning: shutdown.shutdown_timeout is {short} s shorter than the maximum shutdown time");
    }
    let _ = writeln!(
        text,
        "shutdown may take up to {total} s with {THREADS} worker threads ({budget}); set terminationGracePeriodSeconds to \
         at least that"
    );
    text
}
