//! The subcommand `plan`: what publishing the file would change now.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::agent::{Forecast, ModuleReport, Report, plan};
use crate::apart::{self, config_file};
use crate::app::{AppError, block_on, live, target};
use crate::cli::Planned;
use crate::config::Loaded;
use crate::domain::config_file::publish::{Change, Difference};
use crate::domain::config_file::{Blind, Reading};
use crate::edge::admin::Admin;
use crate::edge::signals;

/// Publishing would change something.
const EXIT_CHANGES: u8 = 3;

/// What stands for standard input.
const STDIN: &str = "-";
/// How long a file may take to come, through a pipe from whoever makes it.
const ARRIVAL: Duration = Duration::from_mins(1);

/// Prints the plan; 0 if publishing would load nothing, 3 if it would load something, 1 if the file would be refused or nobody answers.
pub fn main(loaded: &Loaded, planned: &Planned) -> ExitCode {
    let json = planned.json;
    let publishing = live(&loaded.config).publishing;
    let mut admin = Admin::new(target(&loaded.config));
    let work = async {
        // An interrupt would leave the file in ProxySQL's memory. The plan is through in a moment, and all its waits are bounded.
        let _heard = signals::listen().map_err(|error| AppError::Signals(error).to_string())?;
        let file = match &planned.file {
            Some(path) => Some(reading(path).await),
            None => None,
        };
        plan(&publishing, file, &mut admin).await.map_err(|error| error.to_string())
    };
    let planned = block_on(work).map_err(|error| AppError::Runtime(error).to_string()).flatten();
    // Whoever interrupts it now waits for what is printed, and is not heard while nobody reads that.
    let _ = signals::end_by_default();
    let report = match planned {
        Ok(report) => report,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "cannot create a plan: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let text = if json { serde_json::to_string_pretty(&report).unwrap_or_default() } else { text(&report) };
    // Whoever does not read what is written has asked for the exit code only.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    match (report.refuses(), report.changes()) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(EXIT_CHANGES),
        (false, false) => ExitCode::SUCCESS,
    }
}

/// A file that `ProxySQL` need not see.
async fn reading(path: &Path) -> Reading {
    let path = if path == Path::new(STDIN) { PathBuf::from("/dev/stdin") } else { path.to_owned() };
    let file = path.clone();
    let read =
        apart::run(&format!("read {}", path.display()), ARRIVAL, move || Ok(config_file::reading_now(&file))).await;
    read.unwrap_or_else(|error| Reading::blind(Blind::Unreadable { path, reason: error.to_string() }))
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for planned in &report.modules {
        let ModuleReport { module, outcome, reason, differences, at_restart, shown_otherwise, passed_over } = planned;
        // Writing to a string does not fail.
        let _ = match (outcome, reason) {
            (Forecast::Unchanged, _) => writeln!(text, "{module}: nothing to do"),
            (Forecast::LeftAlone, _) if report.blind.is_some() => {
                writeln!(
                    text,
                    "{module}: no entries in the file; module left unchanged, whether it has an empty section or none"
                )
            }
            (Forecast::LeftAlone, _) => writeln!(text, "{module}: not in the file; module left unchanged"),
            (Forecast::Changes, _) => writeln!(text, "{module}: {} changes", differences.len()),
            (Forecast::Refused, reason) => {
                writeln!(text, "{module}: refused: {}", reason.as_deref().unwrap_or_default())
            }
        };
        for difference in differences {
            let _ = writeln!(text, "  {}", line(difference));
        }
        for difference in at_restart {
            let _ = writeln!(text, "  {}; takes effect when ProxySQL restarts", line(difference));
        }
        for difference in shown_otherwise {
            let _ = writeln!(text, "  {}", difference.shown_as());
        }
        for entry in passed_over {
            let _ = writeln!(text, "  !{entry}: ProxySQL does not take it from the file");
        }
    }
    if !report.not_published.is_empty() {
        let _ = writeln!(text, "not published: {}", report.not_published.join(", "));
    }
    if let Some(blind) = &report.blind {
        let _ = writeln!(text, "not everything in the file is seen: {blind}");
    }
    text
}

fn line(difference: &Difference) -> String {
    let mut line = format!("{difference} ({})", difference.table);
    if let Change::Changed(cells) = &difference.change {
        for cell in cells {
            let shown =
                |value: &Option<String>| value.as_ref().map_or("[redacted]".to_owned(), |value| format!("{value:?}"));
            let _ = write!(line, " {}{} -> {}", name(&cell.column), shown(&cell.from), shown(&cell.to));
        }
    }
    line
}

fn name(column: &str) -> String {
    if column.is_empty() { String::new() } else { format!("{column}: ") }
}
