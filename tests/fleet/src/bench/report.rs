//! What was measured, beside what is allowed.

use std::fmt;
use std::time::Duration;

/// A table that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Report {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    what: String,
    measured: String,
    /// The budget, and whether it was met.
    budget: Option<(String, bool)>,
}

impl Report {
    /// A figure with a budget.
    pub(super) fn within(&mut self, what: &str, measured: String, budget: &str, met: bool) {
        self.lines.push(Line { what: what.to_owned(), measured, budget: Some((budget.to_owned(), met)) });
    }

    /// A figure without one.
    pub(super) fn told(&mut self, what: &str, measured: String) {
        self.lines.push(Line { what: what.to_owned(), measured, budget: None });
    }

    /// Whether every budget was met.
    pub(super) fn is_met(&self) -> bool {
        self.lines.iter().all(|line| line.budget.as_ref().is_none_or(|(_, met)| *met))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{:<44} {:>16} {:>10}", "figure", "measured", "budget")?;
        for line in &self.lines {
            let (budget, verdict) = match &line.budget {
                None => ("", ""),
                Some((budget, true)) => (budget.as_str(), "  met"),
                Some((budget, false)) => (budget.as_str(), "  EXCEEDED"),
            };
            writeln!(
                formatter,
                "{}",
                format!("{:<44} {:>16} {budget:>10}{verdict}", line.what, line.measured).trim_end()
            )?;
        }
        Ok(())
    }
}

pub(super) fn millis(span: Duration) -> String {
    format!("{:.1} ms", span.as_secs_f64() * 1_000.0)
}

pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

pub(super) fn megabytes(bytes: u64) -> String {
    format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_exceeded_budget_fails_the_report() {
        let mut report = Report::default();
        report.told("size", megabytes(6_980_001));
        report.within("memory", mebibytes((7 << 20) + (1 << 19)), "8 MiB", true);
        assert!(report.is_met());
        report.within("median", millis(Duration::from_micros(12_340)), "10 ms", false);
        assert!(!report.is_met());
        let text = report.to_string();
        for part in ["6.98 MB\n", "7.5 MiB      8 MiB  met", "12.3 ms      10 ms  EXCEEDED"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
