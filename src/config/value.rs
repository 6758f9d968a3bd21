//! The types of single values: words with a fixed choice, addresses, secrets, durations.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::discovery::resolution::is_usable;
use crate::domain::endpoint::Endpoint;

/// Defines an enum whose variants are words of the configuration, read in any case.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every word, in the order in which they are offered.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word as it stands in the configuration.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What the process does (`run_mode`).
    RunMode {
        /// Owns configuration and keeps the list of members.
        Core = "core",
        /// Follows the cores.
        Satellite = "satellite",
        /// Writes the query digests once, then ends.
        Dump = "dump",
    }
}

words! {
    /// The least severe line that is logged (`log.level`).
    LogLevel {
        /// Everything, third-party crates included.
        Trace = "TRACE",
        /// Each decision.
        Debug = "DEBUG",
        /// Each change.
        Info = "INFO",
        /// What somebody should look at.
        Warn = "WARN",
        /// What did not work.
        Error = "ERROR",
    }
}

words! {
    /// How a log line looks (`log.format`).
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "JSON",
    }
}

words! {
    /// Whether readiness asks for users and servers in runtime (`health.require_config`).
    RequireConfig {
        /// As [`super::Config::requires_config`] says: on a satellite, not on a core.
        Auto = "auto",
        /// Always.
        True = "true",
        /// Never.
        False = "false",
    }
}

words! {
    /// What SIGTERM does (`shutdown.on_sigterm`).
    OnSigterm {
        /// Drain, stop `ProxySQL`, end.
        Drain = "drain",
        /// End and leave `ProxySQL` running.
        Detach = "detach",
        /// Drain if this pod is being deleted, else detach.
        Auto = "auto",
    }
}

words! {
    /// How cores discover each other (`core.discovery`).
    DiscoveryMode {
        /// By a watch on pods.
        Kubernetes = "kubernetes",
        /// By the addresses that a name leads to.
        Dns = "dns",
        /// By a list.
        Static = "static",
    }
}

words! {
    /// Which records of a name are asked for (`core.dns_records`).
    DnsRecords {
        /// IPv4 and IPv6.
        Both = "both",
        /// IPv4.
        A = "A",
        /// IPv6.
        Aaaa = "AAAA",
    }
}

words! {
    /// The form of a dump (`dump.format`).
    DumpFormat {
        /// RFC 4180, with a header.
        Csv = "csv",
        /// One JSON object a line.
        Jsonl = "jsonl",
    }
}

words! {
    /// The compression of a dump (`dump.compress`).
    Compression {
        /// Plain bytes.
        None = "none",
        /// gzip.
        Gzip = "gzip",
    }
}

words! {
    /// Source of the digests are dumped (`dump.source`).
    DumpSource {
        /// `stats_mysql_query_digest`.
        Mysql = "mysql",
        /// `stats_pgsql_query_digest`.
        Pgsql = "pgsql",
        /// One after the other.
        Both = "both",
    }
}

/// A text that no output may show. `Debug`, `Display` and `Serialize` give `[redacted]`.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// What stands in the place of every secret.
    pub const REDACTED: &'static str = "[redacted]";

    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: only for the one place that hands it to the other side.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::REDACTED)
    }
}

/// A host and a port, `host:port` or `[v6]:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    /// A name, an IPv4 or an IPv6 literal, the last without its brackets.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Endpoint::new(&self.host, self.port).fmt(f)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "host:port or [v6]:port";
        if text.contains('@') {
            return Err("host:port or [v6]:port, without a user");
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once("]:").ok_or(FORM)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "an IPv6 address within the brackets")?;
            (host, port)
        } else {
            if text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6()) || text.matches(':').count() > 1 {
                return Err("an IPv6 address in brackets, [v6]:port");
            }
            text.split_once(':').ok_or(FORM)?
        };
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || !(host.contains(':') || host.chars().all(of_a_name)) {
            return Err(FORM);
        }
        match port.parse::<u16>() {
            Ok(port) if port > 0 && !text.ends_with(&format!("+{port}")) => Ok(Self { host: host.to_owned(), port }),
            _ => Err("a port from 1 to 65535 after the colon"),
        }
    }
}

/// Addresses of cores, `10.0.0.1, 10.0.0.2:7032, [fd00::1]:6032`; at least one, and no key twice. Without a port it is the admin
/// port's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StaticMembers(Vec<(IpAddr, Option<u16>)>);

impl StaticMembers {
    /// More are no cluster of cores.
    const MOST: usize = 256;

    /// The members, `port` being the port of those that have none of their own.
    pub fn with_port(&self, port: u16) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(move |(ip, own)| SocketAddr::new(*ip, own.unwrap_or(port)))
    }
}

impl FromStr for StaticMembers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut members = Vec::new();
        for part in text.split([',', ' ']).filter(|part| !part.is_empty()) {
            let with_port = || part.parse::<SocketAddr>().ok().map(|at| (at.ip(), Some(at.port())));
            let alone =
                part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(part).parse::<IpAddr>();
            let Some((ip, port)) = alone.ok().map(|ip| (ip, None)).or_else(with_port) else {
                // ProxySQL takes names, but a node that syncs from a name resolving to itself hangs for good.
                return Err(format!("{part:?} is not an IP address; use core.dns_name for names"));
            };
            let ip = ip.to_canonical();
            if !is_usable(ip) || port == Some(0) {
                return Err(format!("{part:?} cannot be connected to"));
            }
            if members.contains(&(ip, port)) {
                return Err(format!("{part:?} is listed twice"));
            }
            members.push((ip, port));
        }
        match members.len() {
            0 => Err("the list is empty".to_owned()),
            1..=Self::MOST => Ok(Self(members)),
            _ => Err(format!("at most {}", Self::MOST)),
        }
    }
}

impl fmt::Display for StaticMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (ip, port)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match port {
                Some(port) => write!(f, "{comma}{}", SocketAddr::new(*ip, *port))?,
                None => write!(f, "{comma}{ip}")?,
            }
        }
        Ok(())
    }
}

impl From<StaticMembers> for String {
    fn from(members: StaticMembers) -> Self {
        members.to_string()
    }
}

impl TryFrom<String> for StaticMembers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
