use std::sync::{Arc, Mutex};

use tracing::{debug, error, info, trace};

use super::*;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
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
    assert!(text.contains("error=\"proxysql-agent: invalid configuration (0 errors)"), "{text}");
}

#[test]
fn the_source_is_named_on_request() {
    let text = logged(|config| config.log.source = true, false, |_, _| info!("x"));
    assert!(without_time(&text).starts_with("INFO  src/logging/tests.rs:"), "{text}");
    let json = |config: &mut Config| (config.log.source, config.log.format) = (true, LogFormat::Json);
    let text = logged(json, false, |_, _| info!("x"));
    let line: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["source"]["file"], "src/logging/tests.rs");
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
