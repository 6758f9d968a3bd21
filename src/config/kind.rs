//! What values a key takes: from text, whatever layer it came from, to a typed value.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use figment::value::{Empty, Value};

use super::duration::{self, number};
use super::value::{Address, StaticMembers};
use super::{Secret, selector};

/// What values a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// true or false.
    Bool,
    /// A whole number, 0 or more.
    Count,
    /// 1 to 65535.
    Port,
    /// Seconds, or a number with a unit; whether zero is a value.
    Duration {
        /// Whether zero is a value.
        zero: bool,
    },
    /// A duration for which 0 means 10 s, as in the Go agent.
    Interval,
    /// One of these words, in any case; or one of these other names for them.
    Word(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// Any text but none.
    Text,
    /// Any text; never shown.
    Secret,
    /// `host:port`, `[v6]:port`.
    Address,
    /// An IPv4 or IPv6 address.
    Ip,
    /// An address, or nothing.
    OptionalIp,
    /// An address with a port, or nothing.
    OptionalSocket,
    /// A name of the DNS, or nothing.
    DnsName,
    /// Addresses with or without ports, or nothing.
    StaticMembers,
    /// A name or an address without a port.
    Host,
    /// A path.
    Path,
    /// A path, or nothing.
    OptionalPath,
    /// A path; nothing is the system's temporary directory.
    DirectoryOrTemp,
    /// The name of a Kubernetes namespace.
    Namespace,
    /// The value of a Kubernetes label.
    LabelValue,
    /// A Kubernetes label selector, or nothing.
    Selector,
}

/// What the Go agent takes for a boolean.
const TRUE: &[&str] = &["1", "t", "T", "TRUE", "true", "True"];
const FALSE: &[&str] = &["0", "f", "F", "FALSE", "false", "False"];

/// Longest value of a label, longest name of a namespace, longest part of a name.
const LABEL: usize = 63;
/// Longest name of the DNS, without the dot at its end.
const LONGEST_NAME: usize = 253;

impl KeyKind {
    /// The typed value of a text; else what was expected.
    pub(super) fn parse(self, text: &str) -> Result<Value, String> {
        let fits = |fits: bool| if fits { Some(Value::from(text)) } else { None };
        let empty = || Value::Empty(figment::value::Tag::Default, Empty::None);
        let value = match self {
            Self::Bool if TRUE.contains(&text) => Some(Value::from(true)),
            Self::Bool if FALSE.contains(&text) => Some(Value::from(false)),
            Self::Bool => None,
            Self::Count => number(text).map(Value::from),
            Self::Port => number(text).filter(|port| (1..=65_535).contains(port)).map(Value::from),
            Self::Duration { zero } => duration::parse(text).filter(|it| zero || !it.is_zero()).map(in_text),
            Self::Interval => {
                duration::parse(text).map(|it| if it.is_zero() { Duration::from_secs(10) } else { it }).map(in_text)
            }
            Self::Word(words, others) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .or_else(|| others.iter().find(|(other, _)| other.eq_ignore_ascii_case(text)).map(|(_, word)| word))
                .map(|word| Value::from(*word)),
            Self::Text | Self::Path => fits(!text.is_empty() && !text.contains('\0')),
            Self::Address => match text.parse::<Address>() {
                Ok(address) => Some(Value::from(address.to_string())),
                Err(expected) => return Err(expected.to_owned()),
            },
            Self::OptionalIp | Self::OptionalSocket | Self::DnsName | Self::StaticMembers if text.is_empty() => {
                Some(empty())
            }
            Self::Ip | Self::OptionalIp => text
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                .unwrap_or(text)
                .parse::<IpAddr>()
                .ok()
                .map(|address| Value::from(address.to_string())),
            Self::OptionalSocket => {
                text.parse::<SocketAddr>().ok().filter(|at| at.port() > 0).map(|at| Value::from(at.to_string()))
            }
            Self::DnsName => fits(is_dns_name(text)),
            Self::StaticMembers => match text.parse::<StaticMembers>() {
                Ok(members) => Some(Value::from(members.to_string())),
                Err(problem) => return Err(format!("{}: {problem}", self.expected())),
            },
            Self::Host => fits(!text.is_empty() && text.chars().all(of_a_host)),
            Self::OptionalPath | Self::DirectoryOrTemp if text.is_empty() => Some(empty()),
            Self::OptionalPath | Self::DirectoryOrTemp | Self::Secret => fits(!text.contains('\0')),
            Self::Namespace => fits(is_namespace(text)),
            Self::LabelValue => fits(!text.is_empty() && selector::is_value(text)),
            Self::Selector if text.trim().is_empty() => Some(empty()),
            Self::Selector => match selector::check(text) {
                Ok(()) => Some(Value::from(text.trim())),
                Err(problem) => return Err(format!("a label selector: {problem}")),
            },
        };
        value.ok_or_else(|| {
            let numeric = matches!(self, Self::Count | Self::Port | Self::Duration { .. } | Self::Interval);
            let zeros = numeric && text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
            if zeros { format!("{}, without leading zeros", self.expected()) } else { self.expected() }
        })
    }

    /// What values there are, in words that complete "expected".
    pub fn expected(self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Count => "a whole number, 0 or more".to_owned(),
            Self::Port => "a port from 1 to 65535".to_owned(),
            Self::Duration { zero: true } | Self::Interval => {
                "0 or more seconds, such as 30, 0.5, 500ms or 5m, in whole milliseconds up to a year".to_owned()
            }
            Self::Duration { zero: false } => {
                "more than 0 seconds, such as 30, 0.5, 500ms or 5m, in whole milliseconds up to a year".to_owned()
            }
            Self::Word(words, _) => match words {
                [most @ .., last] => format!("{} or {last}", most.join(", ")),
                [] => String::new(),
            },
            Self::Text => "a non-empty string".to_owned(),
            Self::Secret => "a string".to_owned(),
            Self::Address => "host:port or [v6]:port".to_owned(),
            Self::Ip => "an IPv4 or IPv6 address, such as 0.0.0.0, :: or 127.0.0.1".to_owned(),
            Self::OptionalIp => "an IPv4 or IPv6 address, or nothing".to_owned(),
            Self::OptionalSocket => "address:port, such as 127.0.0.1:53 or [::1]:53, or nothing".to_owned(),
            Self::DnsName => "a DNS name, such as proxysql-core or cores.example.com., or nothing".to_owned(),
            Self::StaticMembers => {
                "addresses with or without a port, such as 10.0.0.1,10.0.0.2:6032,[fd00::1]:6032".to_owned()
            }
            Self::Host => "a host name or an IP address, without a port".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::OptionalPath | Self::DirectoryOrTemp => "a path, or nothing".to_owned(),
            Self::Namespace => "a namespace name: lower-case letters, digits and dashes, at most 63".to_owned(),
            Self::LabelValue => {
                "a label value: letters, digits, dashes, dots and underscores, at most 63, the first and the last a letter or a digit"
                    .to_owned()
            }
            Self::Selector => "a label selector, such as app=proxysql,tier in (core)".to_owned(),
        }
    }

    /// What stands for a value in the help.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Count => "number",
            Self::Port => "port",
            Self::Duration { .. } | Self::Interval => "seconds",
            Self::Word(..) => "word",
            Self::Text | Self::Secret | Self::LabelValue => "text",
            Self::Address => "host:port",
            Self::Ip | Self::OptionalIp => "address",
            Self::OptionalSocket => "address:port",
            Self::StaticMembers => "addresses",
            Self::Host => "host",
            Self::Path | Self::OptionalPath | Self::DirectoryOrTemp => "path",
            Self::Namespace | Self::DnsName => "name",
            Self::Selector => "selector",
        }
    }

    /// A value as an error may show it.
    pub(super) fn shown(self, text: &str) -> String {
        const LONGEST: usize = 100;
        let text = match (self, text.rsplit_once('@')) {
            (Self::Secret, _) => return Secret::REDACTED.to_owned(),
            // Somebody who pastes user:password@host:port meant well.
            (Self::Address, Some((_, host))) => format!("{}@{host}", Secret::REDACTED),
            _ => text.to_owned(),
        };
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{:?}…", &text[..end]),
            None => format!("{text:?}"),
        }
    }
}

fn in_text(duration: Duration) -> Value {
    Value::from(duration::text(duration))
}

fn of_a_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':')
}

/// A name as the DNS has it, and no address. Underscores are no letters of a host name, but of names that lead to some.
fn is_dns_name(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let of_a_label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.len() <= LONGEST_NAME
        && name.split('.').all(|label| (1..=LABEL).contains(&label.len()) && label.chars().all(of_a_label))
        && name.parse::<IpAddr>().is_err()
}

fn is_namespace(text: &str) -> bool {
    (1..=LABEL).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("0", Some(0)),
            ("10", Some(10_000)),
            ("0.5", Some(500)),
            ("0.250", Some(250)),
            ("1.5s", Some(1_500)),
            ("200ms", Some(200)),
            ("5m", Some(300_000)),
            ("0.5m", Some(30_000)),
            ("0.5ms", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("010", None),
            (".5", None),
            ("1.", None),
            ("1 s", None),
            ("1h", None),
            ("ms", None),
            ("1_000", None),
            ("18446744073709551615", None),
            ("99999999999", None),
            ("١", None),
        ] {
            assert_eq!(duration::parse(text), ms.map(Duration::from_millis), "{text}");
            if let Some(duration) = duration::parse(text) {
                assert_eq!(duration::parse(&duration::text(duration)), Some(duration), "{text}");
            }
        }
    }

    #[test]
    fn numbers() {
        for (text, value) in [("0", Some(0)), ("42", Some(42)), ("007", None), ("", None), ("1.0", None), ("0x1", None)]
        {
            assert_eq!(number(text), value, "{text}");
        }
    }

    #[test]
    fn an_error_shows_neither_secrets_nor_pages() {
        assert_eq!(KeyKind::Secret.shown("hunter2"), "[redacted]");
        assert_eq!(KeyKind::Address.shown("radmin:hunter2@db:6032"), "\"[redacted]@db:6032\"");
        assert!(KeyKind::Text.shown(&"é".repeat(1000)).chars().count() < 110);
    }
}
