//! Documentation of the keys: `config.yaml`, the table in `docs/configuration.md`, the effective configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::keys::{KEYS, Key};
use super::layers;
use super::{Config, KeyKind, Loaded, Provenance};

/// The reference table of `docs/configuration.md`, in Markdown.
pub fn markdown() -> String {
    let mut text = "| key | default | meaning | live | since |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for key in KEYS {
        let default = match key.default {
            None => "none".to_owned(),
            Some("") => "empty".to_owned(),
            Some(default) if is_seconds(key, default) => format!("`{default}` s"),
            Some(default) => format!("`{default}`"),
        };
        let about = format!("{}{}", key.about, words(key)).replace('|', "\\|").replace('<', "&lt;");
        let live = if key.live { "yes" } else { "" };
        let since = if key.go { "1.x (Go)" } else { "2.0" };
        let _ = writeln!(text, "| `{}` | {default} | {about} | {live} | {since} |", key.name);
    }
    text
}

/// The reference file: every key at its default, with its meaning.
pub fn config_yaml() -> String {
    let mut text = "\
# Every key of proxysql-agent with its default. The agent reads the file that AGENT_CONFIG_FILE names, else
# /etc/proxysql-agent/config.yaml, else ./config.yaml. A variable overrides the file, and a flag overrides both:
# core.interval is AGENT_CORE_INTERVAL and --core.interval. A duration is a number of seconds, or has a unit: 500ms, 30s, 5m.
# A reload (SIGUSR2, SIGHUP, POST /reload) applies the keys marked live; the others need a restart of the agent.

"
    .to_owned();
    outline(&mut text, |text, key, indent| {
        for line in wrap(&format!("{}{}{}", key.about, words(key), live(key)), 110 - indent.len()) {
            let _ = writeln!(text, "{indent}# {line}");
        }
        let (_, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        let _ = match key.default {
            Some(default) => writeln!(text, "{indent}{name}: {}", scalar(key, default)),
            None => writeln!(text, "{indent}# {name}: core"),
        };
    });
    text
}

/// The effective configuration as YAML, with the source of each value and secrets masked.
pub fn effective(loaded: &Loaded) -> String {
    let settings: BTreeMap<&str, (String, String)> =
        settings(&loaded.config, &loaded.provenance).map(|(key, value, origin)| (key.name, (value, origin))).collect();
    let mut text = String::new();
    outline(&mut text, |text, key, indent| {
        let (_, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        let Some((value, origin)) = settings.get(key.name) else { return };
        let line = format!("{indent}{name}: {}", scalar(key, value));
        let _ = writeln!(text, "{line:<50} # {origin}");
    });
    text
}

/// Every key with its value as one would write it, secrets masked, and where that comes from.
pub fn settings(config: &Config, provenance: &Provenance) -> impl Iterator<Item = (&'static Key, String, String)> {
    let values = layers::of(config);
    let has_password = !config.proxysql.password.is_empty();
    KEYS.iter().map(move |key| {
        let shown = !key.is_secret() || has_password;
        let value = if shown { layers::text(values.find_ref(key.name)) } else { String::new() };
        (key, value, provenance.of(key.name).to_string().replace(char::is_control, "?"))
    })
}

/// Walks over all keys and writes the lines of their sections between them.
fn outline(text: &mut String, mut write: impl FnMut(&mut String, &'static Key, &str)) {
    let mut open: Vec<&str> = Vec::new();
    for key in KEYS {
        let path: Vec<&str> = key.name.split('.').collect();
        let sections = &path[..path.len() - 1];
        if !sections.starts_with(&open) || sections.len() < open.len() {
            open.truncate(open.iter().zip(sections).take_while(|(a, b)| a == b).count());
        }
        for section in &sections[open.len()..] {
            if open.is_empty() && !text.is_empty() {
                text.push('\n');
            }
            let _ = writeln!(text, "{}{section}:", "  ".repeat(open.len()));
            open.push(section);
        }
        write(text, key, &"  ".repeat(open.len()));
    }
}

/// A value as a YAML scalar that every reader takes for what it is.
fn scalar(key: &Key, value: &str) -> String {
    let bare = match key.kind {
        KeyKind::Bool
        | KeyKind::Count
        | KeyKind::Port
        | KeyKind::Duration { .. }
        | KeyKind::Interval
        | KeyKind::Word(..) => true,
        _ => {
            value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
                && value.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
                && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
                    .contains(&value.to_lowercase().as_str())
        }
    };
    if bare { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

fn is_seconds(key: &Key, default: &str) -> bool {
    matches!(key.kind, KeyKind::Duration { .. } | KeyKind::Interval)
        && default.bytes().all(|byte| byte.is_ascii_digit())
}

/// A sentence with the words a key takes, where its meaning does not name them; else nothing.
pub fn words(key: &Key) -> String {
    match key.kind {
        KeyKind::Word(words, _) if !words.iter().all(|word| key.about.contains(word)) => {
            format!(" One of {}.", words.join(", "))
        }
        _ => String::new(),
    }
}

fn live(key: &Key) -> &'static str {
    if key.live { " Live." } else { "" }
}

/// Breaks a text into lines of at most `width` characters, between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
