//! The one definition of every key. Flags, variables, the keys of the file, `config.yaml` and the table in `docs/configuration.md` come from here.

use super::kind::KeyKind;
use super::value::{
    Compression, DiscoveryMode, DnsRecords, DumpFormat, DumpSource, LogFormat, LogLevel, OnSigterm, RequireConfig,
    RunMode,
};

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name, with dots: `core.podselector.app`. It is the path in the file and, after `--`, the flag.
    pub name: &'static str,
    /// What values it takes.
    pub kind: KeyKind,
    /// The default as one would write it; `None` where a value must be given.
    pub default: Option<&'static str>,
    /// What it is for, in a sentence or two.
    pub about: &'static str,
    /// Whether a reload applies it to a running process.
    pub live: bool,
    /// Whether the Go agent has it too.
    pub go: bool,
}

impl Key {
    /// The environment variable: `AGENT_CORE_PODSELECTOR_APP`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase().replace('.', "_"))
    }

    /// The flag: `--core.podselector.app`.
    pub fn flag(&self) -> String {
        format!("--{}", self.name)
    }

    /// The section it stands in; empty at the top.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }

    /// Whether no output may show its value.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, KeyKind::Secret)
    }

    const fn live(mut self) -> Self {
        self.live = true;
        self
    }

    const fn go(mut self) -> Self {
        self.go = true;
        self
    }
}

/// What every variable begins with.
pub const PREFIX: &str = "AGENT_";

/// The variable that names the file.
pub const FILE_VARIABLE: &str = "AGENT_CONFIG_FILE";

/// Keys of the Go agent that are read and mean nothing.
pub const IGNORED: &[&str] = &["interfaces"];

/// The key of that name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

const fn key(name: &'static str, kind: KeyKind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, default: Some(default), about, live: false, go: false }
}

const WITH_UNIT_0: KeyKind = KeyKind::Duration { zero: true };
const WITH_UNIT: KeyKind = KeyKind::Duration { zero: false };

/// Every key, section by section, in the order of the documentation.
pub const KEYS: &[Key] = &[
    key("start_delay", WITH_UNIT_0, "0", "Delay before the first connection.").go(),
    Key {
        name: "run_mode",
        kind: KeyKind::Word(RunMode::WORDS, &[]),
        default: None,
        about: "core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump \
                writes the query digests once and exits. Required.",
        live: false,
        go: true,
    },
    key("log.level", KeyKind::Word(LogLevel::WORDS, &[]), "INFO", "Minimum log level (case-insensitive).")
        .go()
        .live(),
    // The Go agent's help offered "plain".
    key("log.format", KeyKind::Word(LogFormat::WORDS, &[("plain", "text")]), "text", "Log format (case-insensitive).")
        .go(),
    key("log.source", KeyKind::Bool, "false", "Add source file and line to each log line.").go(),
    key("log.probes", KeyKind::Bool, "false", "Log every probe request.").go().live(),
    key("proxysql.address", KeyKind::Address, "127.0.0.1:6032", "ProxySQL's admin port: host:port or [v6]:port.").go(),
    key("proxysql.username", KeyKind::Text, "radmin", "User for the admin port.").go(),
    key("proxysql.password", KeyKind::Secret, "", "Password of this user. Use a file or a variable to keep it out of the process list.")
        .go(),
    key(
        "proxysql.password_file",
        KeyKind::OptionalPath,
        "",
        "File with the password, read at every login; replaces proxysql.password.",
    ),
    key("proxysql.connect_timeout", WITH_UNIT, "5", "Timeout for connecting, including login."),
    key("proxysql.statement_timeout", WITH_UNIT, "10", "Timeout for a normal statement."),
    key(
        "core.interval",
        KeyKind::Interval,
        "10",
        "Reconcile interval; 0 means the default.",
    )
    .go()
    .live(),
    key(
        "core.discovery",
        KeyKind::Word(DiscoveryMode::WORDS, &[]),
        "kubernetes",
        "How cores discover each other: kubernetes watches pods; dns resolves core.dns_name; static uses \
         core.static_members.",
    ),
    key("core.podselector.namespace", KeyKind::Namespace, "proxysql", "Namespace of the core pods.").go(),
    key("core.podselector.app", KeyKind::LabelValue, "proxysql", "Value of the label app of the core pods.").go(),
    key("core.podselector.component", KeyKind::LabelValue, "core", "Value of the label component of the core pods.").go(),
    key(
        "core.selector",
        KeyKind::Selector,
        "",
        "Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component.",
    ),
    key(
        "core.dns_name",
        KeyKind::DnsName,
        "",
        "DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot.",
    ),
    key(
        "core.dns_records",
        KeyKind::Word(DnsRecords::WORDS, &[]),
        "both",
        "Record types to query. If cores have both, choose one, or each core is listed twice.",
    ),
    key(
        "core.dns_interval",
        WITH_UNIT,
        "5",
        "Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s.",
    ),
    key(
        "core.dns_server",
        KeyKind::OptionalSocket,
        "",
        "DNS server; empty uses /etc/resolv.conf, re-read at each lookup.",
    ),
    key(
        "core.static_members",
        KeyKind::StaticMembers,
        "",
        "Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only: a node that \
         syncs from a name resolving to itself hangs.",
    ),
    key(
        "core.own_address",
        KeyKind::OptionalIp,
        "",
        "Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces.",
    ),
    key(
        "core.bootstrap_hostname",
        KeyKind::Host,
        "proxysql-core",
        "Hostname in the bootstrap row of proxysql_servers.",
    ),
    key(
        "core.allow_empty",
        KeyKind::Bool,
        "false",
        "Allow publishing a file that removes all users or all servers.",
    )
    .live(),
    key(
        "core.config_file",
        KeyKind::OptionalPath,
        "",
        "ProxySQL's own configuration file, published whenever it changes; empty disables the watch.",
    ),
    key("satellite.interval", KeyKind::Interval, "10", "Reconcile interval; 0 means the default.")
        .go()
        .live(),
    key(
        "api.address",
        KeyKind::Ip,
        "::",
        "Listen address of the HTTP server. :: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6.",
    ),
    key("api.port", KeyKind::Port, "8080", "Port of the HTTP server: probes, /shutdown, /status, metrics.").go(),
    key(
        "api.token_file",
        KeyKind::OptionalPath,
        "",
        "File with the bearer token required for mutating requests; empty disables authentication.",
    ),
    key("health.refresh", WITH_UNIT_0, "1", "Probes answer from a health snapshot younger than this without querying ProxySQL.")
        .live(),
    key("health.max_age", WITH_UNIT, "10", "After this long without an answer ProxySQL counts as unreachable.").live(),
    key(
        "health.require_config",
        KeyKind::Word(RequireConfig::WORDS, &[]),
        "auto",
        "Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core.",
    )
    .live(),
    key("health.min_online", KeyKind::Count, "0", "Minimum number of ONLINE backends for readiness.").live(),
    key(
        "shutdown.draining_file",
        KeyKind::Path,
        "/var/lib/proxysql/draining",
        "File created while this node is draining.",
    )
    .go(),
    key(
        "shutdown.propagation_delay",
        WITH_UNIT_0,
        "5",
        "Time for endpoints to propagate before the listener is paused; skipped if no client ever connected.",
    )
    .live(),
    key("shutdown.drain_timeout", WITH_UNIT_0, "30", "Maximum time to wait for clients.").go().live(),
    key(
        "shutdown.shutdown_timeout",
        WITH_UNIT,
        "60",
        "Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout.",
    )
    .go()
    .live(),
    key("shutdown.evict_idle_after", WITH_UNIT_0, "200ms", "Minimum idle time of a session before a drain evicts it.")
        .live(),
    key(
        "shutdown.on_sigterm",
        KeyKind::Word(OnSigterm::WORDS, &[]),
        "drain",
        "What SIGTERM does: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted.",
    )
    .live(),
    key(
        "dump.directory",
        KeyKind::DirectoryOrTemp,
        "",
        "Directory for <hostname>-digests.csv; empty is the system's temporary directory.",
    ),
    key("dump.output", KeyKind::OptionalPath, "", "Output file, in place of dump.directory; - is standard output."),
    key("dump.reset", KeyKind::Bool, "false", "Reset the digests after reading them."),
    key("dump.format", KeyKind::Word(DumpFormat::WORDS, &[]), "csv", "Output format."),
    key("dump.compress", KeyKind::Word(Compression::WORDS, &[]), "none", "Compression of the output."),
    key("dump.min_count", KeyKind::Count, "0", "Skip digests with a lower count; 0 dumps all."),
    key("dump.top", KeyKind::Count, "0", "Dump only the N digests with the highest total time; 0 dumps all."),
    key("dump.source", KeyKind::Word(DumpSource::WORDS, &[]), "mysql", "Source of the digests, MySQL or PostgreSQL."),
    key("dump.timeout", WITH_UNIT, "10m", "Timeout for the whole dump."),
];

/// The known name nearest to one that is not: another case or separator, the right name in the wrong section or with something after
/// it, or a few letters off.
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '.'], "_");
    let wanted = plain(wrong);
    let limit = 1 + wanted.chars().count() / 4;
    known
        .map(|name| {
            let candidate = plain(name);
            let tail = candidate.ends_with(&format!("_{wanted}"));
            let longer = candidate.len() > 3 && wanted.starts_with(&candidate);
            let letters = distance(&wanted, &candidate);
            (if tail || longer { letters.min(1) } else { letters }, name)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Letters to insert, drop, replace or swap with their neighbour to turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, b) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(this[column] + 1);
            if row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b {
                best = best.min(before_last[column - 1] + 1);
            }
            this.push(best);
        }
        before_last = std::mem::replace(&mut last, this);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("adress", "address"), 1);
        assert_eq!(distance("lgo", "log"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn the_nearest_name_is_found() {
        let names = || KEYS.iter().map(|key| key.name);
        for (wrong, right) in [
            ("proxysql.adress", Some("proxysql.address")),
            ("drain_timeout", Some("shutdown.drain_timeout")),
            ("core.podSelector.app", Some("core.podselector.app")),
            ("proxysql.password-file", Some("proxysql.password_file")),
            ("runmode", Some("run_mode")),
            ("entirely.different", None),
            ("x", None),
        ] {
            assert_eq!(nearest(wrong, names()), right, "{wrong}");
        }
    }

    #[test]
    fn names_are_unique_and_their_defaults_are_good_values() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..index].iter().all(|other| other.name != key.name), "{} twice", key.name);
            if let Some(default) = key.default {
                assert!(key.kind.parse(default).is_ok(), "{}: {default:?}", key.name);
            }
        }
    }
}
