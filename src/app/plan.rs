//! The subcommand `plan`: what publishing the file would change now.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use super::{AppError, block_on, live, target};
use crate::agent::{Forecast, ModuleReport, Report, plan};
use crate::config::Loaded;
use crate::domain::publish::{Change, Difference};
use crate::edge::admin::Admin;
use crate::edge::signals;

/// Publishing would change something.
const SOMETHING: u8 = 3;

/// Prints the plan; 0 if there is nothing to do, 3 if there is something, 1 if the file would be refused or nobody answers.
pub fn main(loaded: &Loaded, json: bool) -> ExitCode {
    let publishing = live(&loaded.config).publishing;
    let mut admin = Admin::new(target(&loaded.config));
    let work = async {
        // An interrupt would leave the file in ProxySQL's memory. The plan is through in a moment, and all its waits are bounded.
        let _heard = signals::listen().map_err(|error| AppError::Signals(error).to_string())?;
        plan(&publishing, &mut admin).await.map_err(|error| error.to_string())
    };
    let planned = block_on(work).map_err(|error| AppError::Runtime(error).to_string()).flatten();
    // Whoever interrupts it now waits for what is printed, and is not heard while nobody reads that.
    let _ = signals::end_by_default();
    let report = match planned {
        Ok(report) => report,
        Err(reason) => {
            let _ = writeln!(io::stderr(), "no plan: {reason}");
            return ExitCode::FAILURE;
        }
    };
    let text = if json { serde_json::to_string_pretty(&report).unwrap_or_default() } else { text(&report) };
    // Whoever does not read what is written has asked for the exit code only.
    let _ = writeln!(io::stdout(), "{}", text.trim_end());
    match (report.refuses(), report.changes()) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(SOMETHING),
        (false, false) => ExitCode::SUCCESS,
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for ModuleReport { module, outcome, reason, differences, passed_over } in &report.modules {
        // Writing to a string does not fail.
        let _ = match (outcome, reason) {
            (Forecast::Unchanged, _) => writeln!(text, "{module}: nothing to do"),
            (Forecast::LeftAlone, _) if report.blind.is_some() => {
                writeln!(text, "{module}: no entries in the file; left alone, whether it has an empty section or none")
            }
            (Forecast::LeftAlone, _) => writeln!(text, "{module}: not in the file; left alone"),
            (Forecast::Changes, _) => writeln!(text, "{module}: {} to change", differences.len()),
            (Forecast::Refused, reason) => {
                writeln!(text, "{module}: refused: {}", reason.as_deref().unwrap_or_default())
            }
        };
        for difference in differences {
            let _ = writeln!(text, "  {}", line(difference));
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
