//! Log lines: level and format of the configuration, to a subscriber of `tracing`.
//!
//! Text is `TIME LEVEL message key=value`, JSON the flat object that Go's slog writes: `time`, `level`, `source`, `msg`, then the fields
//! of the event. Third-party crates are heard from WARN on, unless the level is DEBUG or TRACE.
//!
//! Whoever logs waits for nobody: see [`queue`]. The end of the process waits for what is on its way, within a bound: [`flush`].

mod queue;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

use self::queue::Queue;
use crate::config::{Config, DumpTarget, LogFormat, LogLevel, RunMode};

/// The name under which this crate's lines go.
const OWN: &str = "proxysql_agent";

/// How long the end of the process waits for lines that are on their way.
pub const LAST_LINES: Duration = Duration::from_millis(500);

/// What the lines of this process go through.
static QUEUE: OnceLock<Arc<Queue>> = OnceLock::new();

/// Waits until every line is written, at most so long.
pub fn flush(within: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(within);
    }
}

/// Lines that were dropped since the start, because nobody read them.
pub fn dropped() -> u64 {
    QUEUE.get().map_or(0, |queue| queue.dropped())
}

/// Changes the level of a running process.
#[derive(Debug, Clone)]
pub struct Handle(reload::Handle<Targets, tracing_subscriber::Registry>);

impl Handle {
    /// From now on, lines of at least this level.
    pub fn set_level(&self, level: LogLevel) {
        // Fails only when the subscriber is gone, and then nobody listens.
        let _ = self.0.reload(targets(level));
    }
}

/// Starts logging for the whole process. Lines go to standard output, as with the Go agent; to standard error where standard output
/// carries a dump. Colours only on a terminal, and not if `NO_COLOR` is set.
pub fn init(config: &Config) -> Handle {
    let to_stderr = config.run_mode == RunMode::Dump && config.dump.target() == DumpTarget::Stdout;
    let terminal = if to_stderr { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let ansi = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if to_stderr { start(config, ansi, io::stderr()) } else { start(config, ansi, io::stdout()) }
}

fn start<W>(config: &Config, ansi: bool, output: W) -> Handle
where
    W: Write + Send + 'static,
{
    // Through the queue again, and so in the form of every other line.
    let say = |lines| warn!(lines, "log lines were dropped because standard output was not read in time");
    match Queue::start(output, say) {
        Ok(queue) => {
            let entry = queue.entry();
            let _ = QUEUE.set(queue);
            install(config, ansi, move || entry.clone())
        }
        // Without a thread there is no process soon. What it says waits then, as it would for anybody.
        Err(_) => install(config, ansi, io::stderr),
    }
}

fn install<W>(config: &Config, ansi: bool, writer: W) -> Handle
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (subscriber, handle) = subscriber(config, ansi, writer);
    // A subscriber that is there already stays: tests bring their own.
    let _ = tracing::subscriber::set_global_default(subscriber);
    handle
}

/// The subscriber and its handle, for any writer.
pub fn subscriber<W>(config: &Config, ansi: bool, writer: W) -> (impl Subscriber + Send + Sync, Handle)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(targets(config.log.level));
    let lines = Lines { format: config.log.format, source: config.log.source, ansi };
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(ansi)
        .log_internal_errors(false)
        .event_format(lines)
        .with_writer(writer);
    (tracing_subscriber::registry().with(filter).with(layer), Handle(handle))
}

fn targets(level: LogLevel) -> Targets {
    let (own, others, kube) = match level {
        LogLevel::Trace => (LevelFilter::TRACE, LevelFilter::TRACE, LevelFilter::TRACE),
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::DEBUG, LevelFilter::DEBUG),
        LogLevel::Info => (LevelFilter::INFO, LevelFilter::WARN, LevelFilter::OFF),
        LogLevel::Warn => (LevelFilter::WARN, LevelFilter::WARN, LevelFilter::OFF),
        LogLevel::Error => (LevelFilter::ERROR, LevelFilter::ERROR, LevelFilter::OFF),
    };
    // Watcher and client complain at each try, and return what they complain of; this crate says it once.
    Targets::new()
        .with_default(others)
        .with_target("kube_runtime", kube)
        .with_target("kube_client", kube)
        .with_target(OWN, own)
}

/// How a line looks.
struct Lines {
    format: LogFormat,
    source: bool,
    ansi: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        if !metadata.target().starts_with(OWN) {
            fields.rest.push(("target", Value::from(metadata.target())));
        }
        let line = match self.format {
            LogFormat::Json => self.json(&time, metadata, &fields),
            LogFormat::Text => self.text(&time, metadata, &fields),
        };
        writeln!(writer, "{line}")
    }
}

impl Lines {
    fn json(&self, time: &str, metadata: &Metadata<'_>, fields: &Fields) -> String {
        let mut line = format!("{{\"time\":\"{time}\",\"level\":\"{}\"", metadata.level());
        if let Some((file, number)) = self.source(metadata) {
            let _ = write!(line, ",\"source\":{{\"file\":{},\"line\":{number}}}", Value::from(file));
        }
        let _ = write!(line, ",\"msg\":{}", Value::from(fields.message.as_str()));
        for (name, value) in &fields.rest {
            let _ = write!(line, ",{}:{value}", Value::from(*name));
        }
        line.push('}');
        line
    }

    fn text(&self, time: &str, metadata: &Metadata<'_>, fields: &Fields) -> String {
        let (dim, colour, end) = if self.ansi {
            let colour = match *metadata.level() {
                Level::ERROR => "\x1b[31m",
                Level::WARN => "\x1b[33m",
                Level::INFO => "\x1b[32m",
                _ => "\x1b[34m",
            };
            ("\x1b[2m", colour, "\x1b[0m")
        } else {
            ("", "", "")
        };
        let mut line = format!("{dim}{time}{end} {colour}{:<5}{end} ", metadata.level().as_str());
        if let Some((file, number)) = self.source(metadata) {
            let _ = write!(line, "{dim}{file}:{number}{end} ");
        }
        escape(&mut line, &fields.message);
        for (name, value) in &fields.rest {
            let _ = write!(line, " {dim}{name}={end}");
            match value {
                Value::String(text) if is_plain(text) => line.push_str(text),
                value => escape(&mut line, &value.to_string()),
            }
        }
        line
    }

    fn source<'a>(&self, metadata: &Metadata<'a>) -> Option<(&'a str, u32)> {
        if self.source { metadata.file().zip(metadata.line()) } else { None }
    }
}

/// Whether a value needs no quotes in a text line.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=')
}

/// Keeps a line a line, and a terminal from obeying what a server or a client chose to be called.
fn escape(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
}

/// The fields of one event, in the order in which they were given.
#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, Value)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            ("message", value) => self.message = value.to_string(),
            (name, value) => self.rest.push((name.strip_prefix("r#").unwrap_or(name), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.add(field, Value::from(text));
    }
}
