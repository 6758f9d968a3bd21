//! Layers of values, typed by the definition of their keys, and how they become a [`Config`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::error::{ConfigError, ValueOrigin, with_hint};
use super::keys::{self, Key};
use super::kind::KeyKind;
use super::value::Secret;
use super::{Config, Sources};

/// The values of one source. Holds secrets, hence no `Debug`.
pub(super) struct ConfigLayer {
    name: &'static str,
    pub(super) entries: BTreeMap<&'static str, (Value, ValueOrigin)>,
}

impl Provider for ConfigLayer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut root = Dict::new();
        for (name, (value, _)) in &self.entries {
            insert(&mut root, name, value.clone());
        }
        Ok(Profile::Default.collect(root))
    }
}

/// Puts a value at its dotted place.
fn insert(dict: &mut Dict, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            dict.insert(name.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = dict.entry(section.to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// What was found on the way through the layers.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) errors: Vec<ConfigError>,
    pub(super) warnings: Vec<String>,
    /// Variables that look like misspelt ones: no mistakes by themselves, but perhaps the reason for one.
    pub(super) suspects: Vec<ConfigError>,
    /// Keys with a mistake: rules between keys keep quiet about them.
    pub(super) wrong: BTreeSet<&'static str>,
}

impl Findings {
    /// Nothing is known of the file: what is missing may stand there.
    pub(super) fn all_wrong(&mut self) {
        self.wrong.extend(keys::KEYS.iter().map(|key| key.name));
    }
}

impl ConfigLayer {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, entries: BTreeMap::new() }
    }

    /// Takes a value in, or reports what is wrong with it.
    pub(super) fn set(&mut self, key: &'static Key, text: &str, origin: ValueOrigin, findings: &mut Findings) {
        if text.is_empty() && key.kind == KeyKind::DirectoryOrTemp {
            return;
        }
        match key.kind.parse(text) {
            Ok(value) => {
                self.entries.insert(key.name, (value, origin));
            }
            Err(expected) => {
                let near = match key.kind {
                    KeyKind::Word(words, _) => keys::nearest(text, words.iter().copied()),
                    _ => None,
                };
                let problem = format!("{} is {}, expected {expected}", key.name, key.kind.shown(text));
                let problem = match &origin {
                    ValueOrigin::Variable(_) if is_service_url(text) => {
                        format!(
                            "{problem}; Kubernetes sets this variable for a Service of that name: set enableServiceLinks: false in the pod"
                        )
                    }
                    _ => with_hint(problem, near),
                };
                findings.wrong.insert(key.name);
                findings.errors.push(ConfigError::new(origin, problem));
            }
        }
    }

    /// As [`Self::set`], for text that the system hands over.
    fn set_os(&mut self, key: &'static Key, text: &OsStr, origin: ValueOrigin, findings: &mut Findings) {
        if let Some(text) = text.to_str() {
            self.set(key, text, origin, findings);
        } else {
            findings.wrong.insert(key.name);
            let problem = format!("{} is not UTF-8 text, expected {}", key.name, key.kind.expected());
            findings.errors.push(ConfigError::new(origin, problem));
        }
    }
}

/// Every default, the temporary directory resolved.
pub(super) fn defaults(sources: &Sources, findings: &mut Findings) -> ConfigLayer {
    let mut layer = ConfigLayer::new("defaults");
    for key in keys::KEYS {
        if key.kind == KeyKind::DirectoryOrTemp {
            layer.set_os(key, sources.temp_dir.as_os_str(), ValueOrigin::Default, findings);
        } else if let Some(default) = key.default {
            layer.set(key, default, ValueOrigin::Default, findings);
        }
    }
    if let (Some(run_mode), Some(key)) = (sources.run_mode, keys::find("run_mode")) {
        layer.set(key, run_mode.as_str(), ValueOrigin::Default, findings);
    }
    layer
}

/// Variables. An empty one counts as not set, and one that is not known as somebody else's, as in the Go agent: the prefix is a common
/// one.
pub(super) fn variables(environment: &[(OsString, OsString)], findings: &mut Findings) -> ConfigLayer {
    let mut layer = ConfigLayer::new("environment");
    let known: BTreeMap<String, &'static Key> = keys::KEYS.iter().map(|key| (key.variable(), key)).collect();
    let mut foreign = Vec::new();
    for (name, text) in environment {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with(keys::PREFIX) || name == keys::FILE_VARIABLE || text.is_empty() {
            continue;
        }
        if let Some(key) = known.get(&name) {
            layer.set_os(key, text, ValueOrigin::Variable(name), findings);
        } else if is_ignored(&name[keys::PREFIX.len()..].to_lowercase()) {
            findings.warnings.push(ignored(&ValueOrigin::Variable(name)));
        } else if !is_service_link(&name, text) {
            match nearest_variable(&name) {
                Some(near) => {
                    let problem = format!("not a variable of this agent, and ignored; did you mean {near}?");
                    findings.suspects.push(ConfigError::new(ValueOrigin::Variable(name), problem));
                }
                None => foreign.push(name),
            }
        }
    }
    findings.warnings.extend(findings.suspects.iter().map(ToString::to_string));
    if !foreign.is_empty() {
        // One line: some tools set a dozen.
        let are = if foreign.len() == 1 { "is not a variable" } else { "are not variables" };
        let warning = format!("{} {are} of this agent, and ignored", foreign.join(", "));
        findings.warnings.push(warning.chars().flat_map(printable).collect());
    }
    layer
}

/// The variable that an unknown one is nearest to, if one is near. The prefix, which all have, makes none of them nearer.
fn nearest_variable(name: &str) -> Option<String> {
    let bare = |name: &str| name.trim_start_matches(keys::PREFIX).to_lowercase();
    let file = bare(keys::FILE_VARIABLE);
    let names = keys::KEYS.iter().map(|key| key.name).chain([file.as_str()]);
    let near = keys::nearest(&bare(name), names)?;
    Some(keys::find(near).map_or_else(|| keys::FILE_VARIABLE.to_owned(), Key::variable))
}

/// A character of a name, as a terminal may show it.
fn printable(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

/// Flags; of one that is repeated the last counts.
pub(super) fn flags(given: &[(&'static Key, OsString)], findings: &mut Findings) -> ConfigLayer {
    let mut layer = ConfigLayer::new("flags");
    for (key, text) in given {
        layer.set_os(key, text, ValueOrigin::Flag(key.flag()), findings);
    }
    layer
}

/// The layers, lowest first, as a configuration, and where each value comes from.
pub(super) fn merge(layers: &[ConfigLayer]) -> Result<(Config, BTreeMap<&'static str, ValueOrigin>), ConfigError> {
    let figment = layers.iter().fold(Figment::new(), Figment::merge);
    // No value in this message: every one was checked before, so this is a mistake in the program, and it may be in a secret.
    let config = figment.extract::<Config>().map_err(|error| {
        ConfigError::new(ValueOrigin::Default, format!("{} does not fit its type", error.path.join(".")))
    })?;
    let mut origins = BTreeMap::new();
    for key in keys::KEYS {
        let winner = figment.find_metadata(key.name).map(|metadata| metadata.name.clone());
        let layer = layers.iter().find(|layer| winner.as_deref() == Some(layer.name));
        let origin = layer.and_then(|layer| layer.entries.get(key.name)).map(|(_, origin)| origin.clone());
        origins.insert(key.name, origin.unwrap_or(ValueOrigin::Default));
    }
    Ok((config, origins))
}

/// A configuration as values, its secrets masked.
pub(super) fn of(config: &Config) -> Value {
    Value::serialize(config).unwrap_or_else(|_| Value::from(Dict::new()))
}

/// `running` with the live keys of `new`. Secrets come out masked.
pub(super) fn mix(running: &Config, new: &Config) -> Option<Config> {
    let (running, new) = (of(running), of(new));
    let mut layer = ConfigLayer::new("running");
    for key in keys::KEYS {
        let value = if key.live { &new } else { &running }.find_ref(key.name)?.clone();
        layer.entries.insert(key.name, (value, ValueOrigin::Default));
    }
    merge(&[layer]).ok().map(|(config, _)| config)
}

/// A value of a configuration as one would write it.
pub(super) fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(_, text)) => text.clone(),
        Some(Value::Bool(_, bool)) => bool.to_string(),
        Some(Value::Num(_, number)) => number.to_u128().map_or_else(String::new, |number| number.to_string()),
        _ => String::new(),
    }
}

/// Whether a name is one of those that the Go agent read and never used.
pub(super) fn is_ignored(name: &str) -> bool {
    keys::IGNORED.contains(&name)
}

pub(super) fn ignored(origin: &ValueOrigin) -> String {
    format!("{origin}: interfaces has no effect and can be removed")
}

fn is_service_url(text: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| text.starts_with(scheme))
}

/// Whether Kubernetes set this variable for a Service whose name begins with `agent`: nobody's mistake.
fn is_service_link(name: &str, text: &OsStr) -> bool {
    let numbered = |name: &str| {
        let Some((_, rest)) = name.rsplit_once("_PORT_") else { return false };
        let mut parts = rest.split('_');
        parts.next().is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
            && parts.next().is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol))
            && parts.next().is_none_or(|what| ["PROTO", "PORT", "ADDR"].contains(&what))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && text.to_str().is_some_and(is_service_url))
        || numbered(name)
}

/// A value for a message: quoted, shortened, masked if it is secret.
pub(super) fn shown(name: &str, value: &Value) -> String {
    match keys::find(name) {
        Some(key) => key.kind.shown(&text(value.find_ref(name))),
        None => Secret::REDACTED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_links_are_told_from_mistakes() {
        for (name, text, is_link) in [
            ("AGENT_SERVICE_HOST", "10.0.0.1", true),
            ("AGENT_WEB_SERVICE_PORT_HTTP", "80", true),
            ("AGENT_PORT", "tcp://10.0.0.1:80", true),
            ("AGENT_PORT_80_TCP_ADDR", "10.0.0.1", true),
            ("AGENT_PORT_80_TCP", "tcp://10.0.0.1:80", true),
            ("AGENT_PORT", "80", false),
            ("AGENT_PORT_80_FOO", "80", false),
            ("AGENT_PROXYSQL_PORT", "6032", false),
        ] {
            assert_eq!(is_service_link(name, OsStr::new(text)), is_link, "{name}");
        }
    }
}
