//! Log lines: level and format of the configuration, to a subscriber of `tracing`.
//!
//! Text is `TIME LEVEL message key=value`, JSON the flat object that Go's slog writes: `time`, `level`, `source`, `msg`, then the fields
//! of the event. Third-party crates are heard from WARN on, unless the level is DEBUG or TRACE.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

use crate::config::{Config, DumpTarget, LogFormat, LogLevel, RunMode};

/// The name under which this crate's lines go.
const OWN: &str = "proxysql_agent";

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
    // A subscriber that is there already stays: tests bring their own.
    if to_stderr {
        let (subscriber, handle) = subscriber(config, ansi, io::stderr);
        let _ = tracing::subscriber::set_global_default(subscriber);
        handle
    } else {
        let (subscriber, handle) = subscriber(config, ansi, io::stdout);
        let _ = tracing::subscriber::set_global_default(subscriber);
        handle
    }
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, error, info, trace, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic in a log line").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Buffer {
        fn take(&self) -> String {
            let bytes = std::mem::take(&mut *self.0.lock().expect("no panic in a log line"));
            String::from_utf8(bytes).expect("text")
        }
    }

    fn logged(change: impl FnOnce(&mut Config), ansi: bool, log: impl FnOnce(&Handle, &Buffer)) -> String {
        let mut config = Config::defaults(RunMode::Core).expect("defaults");
        change(&mut config);
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let (subscriber, handle) = subscriber(&config, ansi, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || log(&handle, &buffer));
        buffer.take()
    }

    fn without_time(line: &str) -> &str {
        line.split_once(' ').map_or(line, |(_, rest)| rest)
    }

    #[test]
    fn a_json_line_is_flat() {
        let text = logged(
            |config| config.log.format = LogFormat::Json,
            false,
            |_, _| info!(member = "10.0.0.1", rows = 3_u64, ratio = 0.5, fine = true, r#type = ?Some(1), "joined \"x\"\n"),
        );
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert!(text.starts_with("{\"time\":\"2") && text.ends_with("}\n") && text.lines().count() == 1, "{text}");
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{text}");
        let expected = serde_json::json!({"time": line["time"], "level": "INFO", "msg": "joined \"x\"\n", "member": "10.0.0.1",
            "rows": 3, "ratio": 0.5, "fine": true, "type": "Some(1)"});
        assert_eq!(line, expected);
    }

    #[test]
    fn a_text_line_stays_a_line() {
        let text = logged(|_| (), false, |_, _| warn!(pod = "a", why = "two words", n = 1, "odd\nname \x1b[2J"));
        assert_eq!(without_time(&text), "WARN  odd\\nname \\u{1b}[2J pod=a why=\"two words\" n=1\n");
        let text = logged(|_| (), true, |_, _| error!("x"));
        assert!(text.contains("\x1b[31mERROR\x1b[0m x"), "{text:?}");
    }

    #[test]
    fn an_error_brings_its_causes() {
        let error = io::Error::other(crate::config::ConfigErrors(vec![]));
        let text = logged(|_| (), false, |_, _| error!(error = &error as &dyn std::error::Error, "x"));
        assert!(text.contains("error=\"proxysql-agent: 0 mistakes"), "{text}");
    }

    #[test]
    fn the_source_is_named_on_request() {
        let text = logged(|config| config.log.source = true, false, |_, _| info!("x"));
        assert!(without_time(&text).starts_with("INFO  src/logging.rs:"), "{text}");
        let json = |config: &mut Config| (config.log.source, config.log.format) = (true, LogFormat::Json);
        let text = logged(json, false, |_, _| info!("x"));
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["source"]["file"], "src/logging.rs");
    }

    #[test]
    fn levels_and_third_parties() {
        let all = || {
            error!("own");
            warn!("own");
            info!("own");
            debug!("own");
            trace!("own");
            error!(target: "kube_client", "returned");
            warn!(target: "other", "other");
            info!(target: "other", "other");
            debug!(target: "other", "other");
            trace!(target: "other", "other");
        };
        for (level, own, others, kube) in [
            (LogLevel::Error, 1, 0, 0),
            (LogLevel::Warn, 2, 1, 0),
            (LogLevel::Info, 3, 1, 0),
            (LogLevel::Debug, 4, 3, 1),
            (LogLevel::Trace, 5, 4, 1),
        ] {
            let text = logged(|config| config.log.level = level, false, |_, _| all());
            assert_eq!(text.matches("own").count(), own, "{level}");
            assert_eq!(text.matches("other target=other").count(), others, "{level}");
            assert_eq!(text.matches("returned target=kube_client").count(), kube, "{level}");
        }
    }

    #[test]
    fn the_level_changes_while_running() {
        let text = logged(
            |_| (),
            false,
            |handle, buffer| {
                debug!("before");
                handle.set_level(LogLevel::Debug);
                debug!("during");
                handle.set_level(LogLevel::Error);
                warn!("after");
                assert!(!buffer.0.lock().expect("unpoisoned").is_empty());
            },
        );
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("DEBUG during"), "{text}");
    }
}
