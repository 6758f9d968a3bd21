//! Everything the process was told, typed and validated.
//!
//! One table, [`keys::KEYS`], defines every key. From it come the flags, the variables, the keys of the file, `config.yaml` and the
//! reference in the documentation. [`Config`] is the typed form that the rest of the program reads.

mod duration;
mod error;
mod file;
pub mod keys;
mod kind;
mod layers;
mod load;
pub mod reference;
mod rules;
mod selector;
mod sources;
mod value;
mod yaml;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::{ConfigError, ConfigErrors, ValueOrigin};
pub use kind::KeyKind;
pub use load::{Loaded, load};
pub use sources::{Provenance, Sources};
pub use value::{
    Address, Compression, DiscoveryMode, DnsRecords, DumpFormat, DumpSource, LogFormat, LogLevel, OnSigterm,
    RequireConfig, RunMode, Secret, StaticMembers,
};

/// Everything the process was told. Field names are the keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How long to sleep before the first connection.
    #[serde(with = "duration::seconds")]
    pub start_delay: Duration,
    /// What the process does.
    pub run_mode: RunMode,
    /// `log.*`
    pub log: LogConfig,
    /// `proxysql.*`
    pub proxysql: ProxysqlConfig,
    /// `core.*`
    pub core: CoreConfig,
    /// `satellite.*`
    pub satellite: SatelliteConfig,
    /// `api.*`
    pub api: Api,
    /// `health.*`
    pub health: HealthConfig,
    /// `shutdown.*`
    pub shutdown: Shutdown,
    /// `dump.*`
    pub dump: DumpConfig,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The least severe line that is logged.
    pub level: LogLevel,
    /// Text or JSON.
    pub format: LogFormat,
    /// Whether lines carry file and line of their source.
    pub source: bool,
    /// Whether each answered probe is logged.
    pub probes: bool,
}

/// How to reach `ProxySQL`'s admin port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxysqlConfig {
    /// The admin port of the `ProxySQL` beside this agent.
    pub address: Address,
    /// Admin user.
    pub username: String,
    /// Its password; empty unless set. Never set together with `password_file`.
    pub password: Secret,
    /// A file with the password, to be read at every login.
    pub password_file: Option<PathBuf>,
    /// Bound of one connection attempt, greeting and login included. Never zero.
    #[serde(with = "duration::seconds")]
    pub connect_timeout: Duration,
    /// Timeout for a normal statement. Never zero.
    #[serde(with = "duration::seconds")]
    pub statement_timeout: Duration,
}

/// Core mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreConfig {
    /// Time between level-triggered passes. Never zero.
    #[serde(with = "duration::seconds")]
    pub interval: Duration,
    /// How cores discover each other. Its keys are set if and only if it is theirs.
    pub discovery: DiscoveryMode,
    /// Where the cores' pods are, and the values of their labels `app` and `component`.
    pub podselector: Podselector,
    /// A label selector in place of `podselector.app` and `.component`; see [`CoreConfig::label_selector`].
    pub selector: Option<String>,
    /// The name that leads to the cores, as somebody wrote it; set where `discovery` is `Dns`.
    pub dns_name: Option<String>,
    /// Which of its records to ask for.
    pub dns_records: DnsRecords,
    /// Time between two looks at it, at most. Never zero.
    #[serde(with = "duration::seconds")]
    pub dns_interval: Duration,
    /// The server to ask, in the place of those of `resolv.conf`.
    pub dns_server: Option<SocketAddr>,
    /// The cores; set where `discovery` is `Static`.
    pub static_members: Option<StaticMembers>,
    /// This core's address among the others.
    pub own_address: Option<IpAddr>,
    /// Hostname of the row that a node boots with.
    pub bootstrap_hostname: String,
    /// Whether a file may empty users or servers while runtime holds rows.
    pub allow_empty: bool,
    /// `ProxySQL`'s own configuration file, to be watched for changes.
    pub config_file: Option<PathBuf>,
}

impl CoreConfig {
    /// The label selector to send to the API server.
    pub fn label_selector(&self) -> String {
        self.selector
            .clone()
            .unwrap_or_else(|| format!("app={},component={}", self.podselector.app, self.podselector.component))
    }
}

/// Which pods are cores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Podselector {
    /// Their namespace.
    pub namespace: String,
    /// The value of their label `app`.
    pub app: String,
    /// The value of their label `component`.
    pub component: String,
}

/// Satellite mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SatelliteConfig {
    /// Time between level-triggered passes. Never zero.
    #[serde(with = "duration::seconds")]
    pub interval: Duration,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// The address to listen on; see [`Api::listen_on`].
    pub address: IpAddr,
    /// 1 to 65535.
    pub port: u16,
    /// A file with the token that guards what changes something.
    pub token_file: Option<PathBuf>,
}

impl Api {
    /// Addresses to try, in this order, until one can be bound. `[::]` takes IPv4 as well; where the kernel has no IPv6, `0.0.0.0` is
    /// next, as with the Go agent.
    pub fn listen_on(&self) -> Vec<SocketAddr> {
        let mut addresses = vec![SocketAddr::new(self.address, self.port)];
        if self.address.is_ipv6() && self.address.is_unspecified() {
            addresses.push(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.port));
        }
        addresses
    }
}

/// What probes answer from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthConfig {
    /// A snapshot younger than this answers without asking `ProxySQL`. Less than `max_age`.
    #[serde(with = "duration::seconds")]
    pub refresh: Duration,
    /// A snapshot older than this counts as silence. Never zero.
    #[serde(with = "duration::seconds")]
    pub max_age: Duration,
    /// Whether readiness asks for users and servers in runtime; see [`Config::requires_config`].
    pub require_config: RequireConfig,
    /// How many backends must be ONLINE for readiness.
    pub min_online: u64,
}

/// The way down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// File created while this node is draining.
    pub draining_file: PathBuf,
    /// How long endpoints get to stop routing here before the listener closes.
    #[serde(with = "duration::seconds")]
    pub propagation_delay: Duration,
    /// How long clients get to finish.
    #[serde(with = "duration::seconds")]
    pub drain_timeout: Duration,
    /// The bound of the whole way down; more than `drain_timeout`.
    #[serde(with = "duration::seconds")]
    pub shutdown_timeout: Duration,
    /// How long a session must have been idle to be evicted.
    #[serde(with = "duration::seconds")]
    pub evict_idle_after: Duration,
    /// What SIGTERM does.
    pub on_sigterm: OnSigterm,
}

/// Dump mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DumpConfig {
    /// Where `<hostname>-digests.csv` goes unless `output` is set; see [`DumpConfig::target`].
    pub directory: PathBuf,
    /// The file itself, or `-`.
    pub output: Option<PathBuf>,
    /// Whether reading resets the digests.
    pub reset: bool,
    /// CSV or JSON lines.
    pub format: DumpFormat,
    /// None or gzip.
    pub compress: Compression,
    /// Skip digests with a lower count; 0 dumps all.
    pub min_count: u64,
    /// Dump only the N digests with the highest total time; 0 dumps all.
    pub top: u64,
    /// Source of the digests.
    pub source: DumpSource,
    /// The bound of the whole dump. Never zero.
    #[serde(with = "duration::seconds")]
    pub timeout: Duration,
}

/// Where a dump goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DumpTarget {
    /// Standard output; log lines then go to standard error.
    Stdout,
    /// This very file.
    File(PathBuf),
    /// A file named after the host in this directory.
    Directory(PathBuf),
}

impl DumpConfig {
    /// Where the dump goes, of `output` and `directory`.
    pub fn target(&self) -> DumpTarget {
        match &self.output {
            Some(path) if path.as_os_str() == "-" => DumpTarget::Stdout,
            Some(path) => DumpTarget::File(path.clone()),
            None => DumpTarget::Directory(self.directory.clone()),
        }
    }
}

impl Config {
    /// Whether readiness asks for users and servers in runtime, `auto` resolved.
    pub fn requires_config(&self) -> bool {
        match self.health.require_config {
            RequireConfig::True => true,
            RequireConfig::False => false,
            RequireConfig::Auto => self.run_mode == RunMode::Satellite,
        }
    }
    /// Every key at its default, with this run mode.
    pub fn defaults(run_mode: RunMode) -> Result<Self, ConfigErrors> {
        let sources = Sources { run_mode: Some(run_mode), ..Sources::default() };
        load(&sources).map(|loaded| loaded.config)
    }

    /// What a reload to `new` means for a running process.
    pub fn diff_live(&self, new: &Self) -> LiveChange {
        let (old_values, new_values) = (layers::of(self), layers::of(new));
        let mut change = LiveChange::default();
        for key in keys::KEYS {
            let differs = if key.is_secret() {
                self.proxysql.password != new.proxysql.password
            } else {
                old_values.find_ref(key.name) != new_values.find_ref(key.name)
            };
            if differs {
                let names = if key.live { &mut change.applied } else { &mut change.needs_restart };
                names.push(key.name);
            }
        }
        change
    }

    /// This configuration with the live keys of `new`: what a running process goes on with after a reload.
    #[must_use]
    pub fn with_live(&self, new: &Self) -> Self {
        let mut next = layers::mix(self, new).unwrap_or_else(|| self.clone());
        // Secrets do not travel as values, and the password is not live: the password file is.
        next.proxysql.password.clone_from(&self.proxysql.password);
        next
    }
}

/// Keys that differ between two configurations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveChange {
    /// Keys that a running process takes over.
    pub applied: Vec<&'static str>,
    /// Keys that wait for the next start.
    pub needs_restart: Vec<&'static str>,
}
