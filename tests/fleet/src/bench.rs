//! The agent's measurements on the embedded cluster, held against its budgets.

mod idle;
mod latency;
mod report;

use std::io;
use std::path::Path;
use std::time::Duration;

use report::Report;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Pod events, over all lanes.
    events: usize,
    /// How long an idle fleet is watched; figures are told for a minute.
    idle: Duration,
}

const FULL: Size = Size { events: 200, idle: Duration::from_mins(1) };
const QUICK: Size = Size { events: 20, idle: Duration::from_secs(15) };

/// Measures, prints a table, and answers whether every budget was met.
pub(crate) async fn run(agent: &Path, quick: bool) -> bool {
    match measure(agent, if quick { QUICK } else { FULL }).await {
        Ok(report) => {
            print!("{report}");
            report.is_met()
        }
        Err(error) => {
            eprintln!("the measurement broke off: {error}");
            false
        }
    }
}

async fn measure(agent: &Path, size: Size) -> io::Result<Report> {
    let agent = std::path::absolute(agent)?;
    let mut report = Report::default();
    let bytes = std::fs::metadata(&agent)?.len();
    eprintln!("{} pod events, one at a time on each of {} clusters of one core ...", size.events, latency::LANES);
    let latencies = latency::measure(&agent, size.events).await?;
    eprintln!("{} s of three cores and two satellites with nothing to do ...", size.idle.as_secs());
    let idle = idle::measure(&agent, size.idle).await?;
    eprintln!("a core among {} pods ...", idle::PODS);
    let crowd = idle::crowd(&agent).await?;

    report.within(
        "pod event to runtime row, median",
        report::millis(latencies.median()),
        "10 ms",
        latencies.median() <= Duration::from_millis(10),
    );
    report.told("pod event to runtime row, p99", report::millis(latencies.percentile(99)));
    report.told(
        "pod event to runtime row, slowest",
        format!("{} of {}", report::millis(latencies.percentile(100)), latencies.count()),
    );
    let statements = idle.statements;
    report.within("admin statements in an idle minute", format!("{statements:.1}"), "20", statements <= 20.0);
    report.told("admin bytes in an idle minute", format!("{:.0}", idle.bytes));
    report.within(
        "processor time of an idle minute",
        report::millis(idle.cpu),
        "5 ms",
        idle.cpu <= Duration::from_millis(5),
    );
    // The kernel maps the pages of the file around those that are used, up to nearly all of it: what the agent itself takes is private.
    report.within("resident memory, idle", report::mebibytes(idle.resident), "8 MiB", idle.resident <= 8 << 20);
    report.within("of it private", report::mebibytes(idle.private), "2 MiB", idle.private <= 2 << 20);
    let more = |resident: u64| resident.saturating_sub(crowd.alone);
    let label = format!("more with {} pods in the namespace", idle::PODS);
    report.within(&label, report::mebibytes(more(crowd.others)), "4 MiB", more(crowd.others) <= 4 << 20);
    report.told("more if all of them match the selector", report::mebibytes(more(crowd.matching)));
    report.within("size of the binary", report::megabytes(bytes), "7 MB", bytes <= 7_000_000);
    Ok(report)
}
