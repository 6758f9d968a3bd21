//! Metrics: the status as Prometheus and OpenMetrics read it. A scrape asks nobody and waits for nothing.

mod table;

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

pub use self::table::METRICS;
use crate::domain::counters::{BUCKETS, Latency};
use crate::domain::health::Policy;
use crate::state::{State, Status};

/// What every name begins with.
pub const PREFIX: &str = "proxysql_agent";

/// One family of metrics: its definition, for the documentation as well, and how it is read off the status.
pub struct Metric {
    /// The name without [`PREFIX`], unit and `_total`.
    name: &'static str,
    /// What it is.
    kind: MetricKind,
    /// What it is counted in, where that is not a number of things.
    unit: Option<&'static str>,
    /// The names of its labels.
    labels: &'static [&'static str],
    /// What it tells, in one sentence.
    help: &'static str,
    samples: fn(&View<'_>, &mut Samples<'_>),
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A value that goes up and down.
    Gauge,
    /// A number that only grows while the process lives.
    Counter,
    /// Times by bucket, with their sum and their number.
    Histogram,
    /// 1, for its labels.
    Info,
}

impl MetricKind {
    /// The word for it, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    const fn wire(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::Gauge,
            Self::Counter => MetricType::Counter,
            Self::Histogram => MetricType::Histogram,
            Self::Info => MetricType::Info,
        }
    }
}

impl Metric {
    /// The name of its samples, as a query has it; those of a histogram add `_bucket`, `_sum` or `_count`.
    pub fn full_name(&self) -> String {
        let unit = self.unit.map(|unit| format!("_{unit}")).unwrap_or_default();
        let suffix = match self.kind {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::Histogram => "",
        };
        format!("{PREFIX}_{}{unit}{suffix}", self.name)
    }

    /// What it is.
    pub fn kind(&self) -> MetricKind {
        self.kind
    }
}

/// The reference table of `docs/metrics.md`, in Markdown.
pub fn markdown() -> String {
    let mut text = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in METRICS {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let (name, kind) = (metric.full_name(), metric.kind.as_str());
        let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {} |", metric.help);
    }
    text
}

/// What is read for one scrape.
struct View<'a> {
    status: &'a Status,
    policy: Policy,
    process: &'a Process,
    /// Log lines that were dropped.
    dropped: u64,
    now: Instant,
}

/// What does not change while the process lives.
#[derive(Debug)]
struct Process {
    mode: &'static str,
    /// Seconds since 1970.
    started: f64,
}

/// Takes in the samples of one family.
struct Samples<'a> {
    encoder: MetricEncoder<'a>,
    metric: &'a Metric,
    outcome: fmt::Result,
}

impl Samples<'_> {
    /// A sample with these values of the labels, in their order.
    #[expect(clippy::cast_precision_loss, reason = "no counter gets near 2^53")]
    fn count(&mut self, values: &[&str], value: u64) {
        self.put(values, value as f64);
    }

    /// 1 or 0.
    fn flag(&mut self, values: &[&str], value: bool) {
        self.put(values, f64::from(u8::from(value)));
    }

    fn put(&mut self, values: &[&str], value: f64) {
        let kind = self.metric.kind;
        self.write(values, |encoder| match kind {
            MetricKind::Counter => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
            _ => encoder.encode_gauge(&value),
        });
    }

    fn info(&mut self, values: &[&str]) {
        if self.outcome.is_ok() {
            self.outcome = self.encoder.encode_info(&self.metric.labelled(values));
        }
    }

    fn latency(&mut self, values: &[&str], latency: &Latency) {
        let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(latency.buckets).collect();
        self.write(values, |encoder| {
            encoder.encode_histogram::<NoLabelSet>(latency.sum, latency.count(), &buckets, None)
        });
    }

    fn write(&mut self, values: &[&str], write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result) {
        if self.outcome.is_err() {
            return;
        }
        self.outcome = if values.is_empty() {
            write(&mut self.encoder)
        } else {
            let labels = self.metric.labelled(values);
            self.encoder.encode_family(&labels).and_then(|mut encoder| write(&mut encoder))
        };
    }
}

impl Metric {
    fn labelled<'v>(&self, values: &[&'v str]) -> Vec<(&'static str, &'v str)> {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        self.labels.iter().copied().zip(values.iter().copied()).collect()
    }
}

/// Reads the status at each scrape.
struct MetricReader {
    state: State,
    policy: Box<dyn Fn() -> Policy + Send + Sync>,
    dropped: fn() -> u64,
    process: Process,
}

impl fmt::Debug for MetricReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Collector for MetricReader {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.state.status();
        let (policy, dropped, now) = ((self.policy)(), (self.dropped)(), Instant::now());
        let view = View { status: &status, policy, process: &self.process, dropped, now };
        for metric in METRICS {
            let unit = metric.unit.map(|unit| Unit::Other(unit.to_owned()));
            let encoder = encoder.encode_descriptor(metric.name, metric.help, unit.as_ref(), metric.kind.wire())?;
            let mut samples = Samples { encoder, metric, outcome: Ok(()) };
            (metric.samples)(&view, &mut samples);
            samples.outcome?;
        }
        Ok(())
    }
}

/// What answers scrapes: from the value of the header `Accept` to the type and the text of the answer.
///
/// `mode` is the run mode; `policy` is what probes go by at the moment; `dropped` counts log lines that nobody read.
pub fn renderer(
    state: State,
    mode: &'static str,
    policy: impl Fn() -> Policy + Send + Sync + 'static,
    dropped: fn() -> u64,
) -> impl Fn(&str) -> (&'static str, String) + Send + Sync + 'static {
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut registry = Registry::with_prefix(PREFIX);
    let reader = MetricReader { state, policy: Box::new(policy), dropped, process: Process { mode, started } };
    registry.register_collector(Box::new(reader));
    move |accept| {
        let mut text = String::with_capacity(32 << 10);
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        if wants_openmetrics(accept) {
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
        } else {
            ("text/plain; version=0.0.4; charset=utf-8", classic(&text))
        }
    }
}

/// Whether OpenMetrics is asked for at least as much as the text format that everybody reads.
fn wants_openmetrics(accept: &str) -> bool {
    let weight = |wanted: &str| {
        let of = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let is_it = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(wanted));
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            is_it.then_some(weight)
        };
        accept.split(',').filter_map(of).fold(0.0, f32::max)
    };
    let openmetrics = weight("application/openmetrics-text");
    openmetrics > 0.0 && openmetrics >= weight("text/plain")
}

/// OpenMetrics as the text format 0.0.4: a counter and an info are named like their samples there, and units are not known.
fn classic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            out.extend([line, "\n"]);
            continue;
        };
        if comment.starts_with("HELP ") {
            help = Some(line);
        } else if let Some((name, kind)) = comment.strip_prefix("TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                kind => ("", kind),
            };
            let about = help.take().and_then(|help| help.splitn(4, ' ').nth(3)).unwrap_or_default();
            let _ = writeln!(out, "# HELP {name}{suffix} {about}\n# TYPE {name}{suffix} {kind}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_asks_for_is_what_it_gets() {
        for (accept, openmetrics) in [
            ("", false),
            ("*/*", false),
            ("text/plain;version=0.0.4", false),
            ("application/openmetrics-text", true),
            ("Application/OpenMetrics-Text; version=1.0.0", true),
            ("application/openmetrics-text;q=0", false),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true,
            ),
            ("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.1", false),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;q=0.6,text/html", false),
        ] {
            assert_eq!(wants_openmetrics(accept), openmetrics, "{accept}");
        }
    }

    #[test]
    fn names_are_those_of_samples_in_the_classic_format() {
        let text = "# HELP a_loads What was loaded.\n# TYPE a_loads counter\na_loads_total{module=\"x # y\"} 1\n\
                    # HELP a_build This build.\n# TYPE a_build info\na_build_info{version=\"2\"} 1\n\
                    # HELP a_age_seconds Its age.\n# TYPE a_age_seconds gauge\n# UNIT a_age_seconds seconds\na_age_seconds 0.5\n# EOF\n";
        assert_eq!(
            classic(text),
            "# HELP a_loads_total What was loaded.\n# TYPE a_loads_total counter\na_loads_total{module=\"x # y\"} 1\n\
             # HELP a_build_info This build.\n# TYPE a_build_info gauge\na_build_info{version=\"2\"} 1\n\
             # HELP a_age_seconds Its age.\n# TYPE a_age_seconds gauge\na_age_seconds 0.5\n"
        );
    }
}
