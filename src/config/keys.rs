//! The one definition of every key. Flags, variables, the keys of the file, `config.yaml` and the README's reference come from here.

use super::kind::Kind;
use super::value::{
    Compression, Discovery, DnsRecords, DumpFormat, DumpSource, LogFormat, LogLevel, OnSigterm, RequireConfig, RunMode,
};

/// One key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The name, with dots: `core.podselector.app`. It is the path in the file and, after `--`, the flag.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
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
        matches!(self.kind, Kind::Secret)
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

const fn key(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Key {
    Key { name, kind, default: Some(default), about, live: false, go: false }
}

const WITH_UNIT_0: Kind = Kind::Duration { zero: true };
const WITH_UNIT: Kind = Kind::Duration { zero: false };

/// Every key, in the order in which people read them: section by section.
pub const KEYS: &[Key] = &[
    key("start_delay", WITH_UNIT_0, "0", "Sleep before the first connection.").go(),
    Key {
        name: "run_mode",
        kind: Kind::Word(RunMode::WORDS, &[]),
        default: None,
        about: "core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query \
                digests once and ends. Required.",
        live: false,
        go: true,
    },
    key("log.level", Kind::Word(LogLevel::WORDS, &[]), "INFO", "The least severe line that is logged, in any case.")
        .go()
        .live(),
    // The Go agent's help offered "plain".
    key("log.format", Kind::Word(LogFormat::WORDS, &[("plain", "text")]), "text", "Form of a log line, in any case.")
        .go(),
    key("log.source", Kind::Bool, "false", "Add file and line of the source to each log line.").go(),
    key("log.probes", Kind::Bool, "false", "Log each answered probe.").go().live(),
    key("proxysql.address", Kind::Address, "127.0.0.1:6032", "ProxySQL's admin port: host:port or [v6]:port.").go(),
    key("proxysql.username", Kind::Text, "radmin", "Admin user.").go(),
    key("proxysql.password", Kind::Secret, "", "Its password. A file or a variable keeps it out of the process list.")
        .go(),
    key(
        "proxysql.password_file",
        Kind::OptionalPath,
        "",
        "A file with the password, read at every login; instead of proxysql.password.",
    ),
    key("proxysql.connect_timeout", WITH_UNIT, "5", "Bound of one connection attempt, login included."),
    key("proxysql.statement_timeout", WITH_UNIT, "10", "Bound of one ordinary statement."),
    key(
        "core.interval",
        Kind::Interval,
        "10",
        "Time between two passes over members and configuration; 0 is the default.",
    )
    .go()
    .live(),
    key(
        "core.discovery",
        Kind::Word(Discovery::WORDS, &[]),
        "kubernetes",
        "How a core finds the others: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes \
         core.static_members.",
    ),
    key("core.podselector.namespace", Kind::Namespace, "proxysql", "Namespace of the cores' pods.").go(),
    key("core.podselector.app", Kind::LabelValue, "proxysql", "Value of their label app.").go(),
    key("core.podselector.component", Kind::LabelValue, "core", "Value of their label component.").go(),
    key(
        "core.selector",
        Kind::Selector,
        "",
        "A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component.",
    ),
    key(
        "core.dns_name",
        Kind::DnsName,
        "",
        "The name whose A and AAAA records are the cores; resolv.conf's search list applies unless it ends with a dot.",
    ),
    key(
        "core.dns_records",
        Kind::Word(DnsRecords::WORDS, &[]),
        "both",
        "Records to ask for. A core with both kinds would be two members: choose one.",
    ),
    key(
        "core.dns_interval",
        WITH_UNIT,
        "5",
        "Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s.",
    ),
    key(
        "core.dns_server",
        Kind::OptionalSocket,
        "",
        "The server to ask; empty asks those of /etc/resolv.conf, which is read at each look.",
    ),
    key(
        "core.static_members",
        Kind::StaticMembers,
        "",
        "The cores' addresses, with commas between them; without a port it is that of proxysql.address. No names: a node that \
         pulls through a name that leads to itself hangs.",
    ),
    key(
        "core.own_address",
        Kind::OptionalIp,
        "",
        "This core's address among those of dns or static. Empty finds it: the host of proxysql.address, or one that is local.",
    ),
    key(
        "core.bootstrap_hostname",
        Kind::Host,
        "proxysql-core",
        "Hostname of the row of proxysql_servers that a node boots with.",
    ),
    key(
        "core.allow_empty",
        Kind::Bool,
        "false",
        "Publish a file even if it empties users or servers while runtime holds rows.",
    )
    .live(),
    key(
        "core.config_file",
        Kind::OptionalPath,
        "",
        "ProxySQL's own configuration file, to publish it again whenever it changes; empty is no watch.",
    ),
    key("satellite.interval", Kind::Interval, "10", "Time between two looks at the cores; 0 is the default.")
        .go()
        .live(),
    key(
        "api.address",
        Kind::Ip,
        "::",
        "Address to listen on. :: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6.",
    ),
    key("api.port", Kind::Port, "8080", "Port for probes, /shutdown and metrics.").go(),
    key(
        "api.token_file",
        Kind::OptionalPath,
        "",
        "A file with the token that every request that changes something must carry; empty is no token.",
    ),
    key("health.refresh", WITH_UNIT_0, "1", "A snapshot younger than this answers a probe without asking ProxySQL.")
        .live(),
    key("health.max_age", WITH_UNIT, "10", "A snapshot older than this counts as ProxySQL's silence.").live(),
    key(
        "health.require_config",
        Kind::Word(RequireConfig::WORDS, &[]),
        "auto",
        "Ready only with a user and a server in runtime; auto is true on a satellite, false on a core.",
    )
    .live(),
    key("health.min_online", Kind::Count, "0", "Ready only with so many backends ONLINE.").live(),
    key(
        "shutdown.draining_file",
        Kind::Path,
        "/var/lib/proxysql/draining",
        "The file that says that this node drains.",
    )
    .go(),
    key(
        "shutdown.propagation_delay",
        WITH_UNIT_0,
        "5",
        "What endpoints get to stop routing here before the listener closes; skipped where no client ever came.",
    )
    .live(),
    key("shutdown.drain_timeout", WITH_UNIT_0, "30", "What clients get to finish.").go().live(),
    key(
        "shutdown.shutdown_timeout",
        WITH_UNIT,
        "60",
        "Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout.",
    )
    .go()
    .live(),
    key("shutdown.evict_idle_after", WITH_UNIT_0, "200ms", "How long a session must be idle to be evicted by a drain.")
        .live(),
    key(
        "shutdown.on_sigterm",
        Kind::Word(OnSigterm::WORDS, &[]),
        "drain",
        "drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted.",
    )
    .live(),
    key(
        "dump.directory",
        Kind::DirectoryOrTemp,
        "",
        "Where <hostname>-digests.csv goes; empty is the system's temporary directory.",
    ),
    key("dump.output", Kind::OptionalPath, "", "A file instead of dump.directory; - is standard output."),
    key("dump.reset", Kind::Bool, "false", "Reset the digests by reading them."),
    key("dump.format", Kind::Word(DumpFormat::WORDS, &[]), "csv", "Form of the dump."),
    key("dump.compress", Kind::Word(Compression::WORDS, &[]), "none", "Compression of the dump."),
    key("dump.min_count", Kind::Count, "0", "Only digests seen at least so often; 0 is all."),
    key("dump.top", Kind::Count, "0", "Only so many digests, by total time; 0 is all."),
    key("dump.source", Kind::Word(DumpSource::WORDS, &[]), "mysql", "Whose digests, MySQL's or PostgreSQL's."),
    key("dump.timeout", WITH_UNIT, "10m", "Bound of the whole dump."),
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
