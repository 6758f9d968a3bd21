//! One node of a cluster, embedded or the real binary, behind the same face.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

pub use crate::client::AdminError;
use crate::client::Client;
pub use crate::proxysql::Checksum;
use crate::proxysql::{Behaviour, Boot, Embedded};

mod real;

pub use real::RealProxysql;

/// The variable that names a real binary.
pub const BINARY: &str = "PROXYSQL_BIN";
/// The variable that has nodes of both kinds run with `--idle-threads`, if it is 1.
pub const IDLE_THREADS: &str = "PROXYSQL_IDLE_THREADS";
/// The login that [`Node::query`] uses, so that its statements can be told from those of others.
pub const OBSERVER: &str = "observer";
const QUERY_LIMIT: Duration = Duration::from_secs(10);
/// A real process takes a second, on a machine with nothing else to do.
const START_LIMIT: Duration = Duration::from_secs(40);
/// How often it is started before it counts as one that does not start.
const MOST_STARTS: u32 = 5;

/// Where a node is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// For messages.
    pub name: String,
    /// The address of both ports.
    pub ip: IpAddr,
    /// The admin port.
    pub admin_port: u16,
    /// The port for `MySQL` clients.
    pub mysql_port: u16,
    /// The datadir: it holds `proxysql.cnf` and `proxysql.db`.
    pub dir: PathBuf,
}

impl NodeSpec {
    /// The address of the admin port.
    pub fn admin(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.admin_port)
    }

    /// The address of the port for `MySQL` clients.
    pub fn mysql(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.mysql_port)
    }

    /// A text with this node's own directory and addresses in the places for them.
    pub fn fill(&self, text: &str) -> String {
        text.replace("@DIR@", &self.dir.to_string_lossy())
            .replace("@IP@", &self.ip.to_string())
            .replace("@ADMIN@", &self.admin().to_string())
            .replace("@MYSQL@", &self.mysql().to_string())
    }
}

/// What a `proxysql.cnf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cnf {
    /// `cluster_check_interval_ms`.
    pub check_interval_ms: u32,
    /// `cluster_check_status_frequency`: a peer's figures are read at every so many checks.
    pub status_frequency: u32,
    /// The first rows of `proxysql_servers`: host and admin port.
    pub seeds: Vec<(String, u16)>,
    /// Further lines of `admin_variables`, as they are.
    pub admin: String,
    /// Further lines of `mysql_variables`, as they are.
    pub mysql: String,
    /// Further sections, as they are.
    pub extra: String,
    /// The password of `radmin`.
    pub password: String,
    /// No line of the file, but a flag of the process: `--idle-threads`. As [`IDLE_THREADS`] says if nothing is said here.
    pub idle_threads: Option<bool>,
    /// The whole file instead of all that: `@DIR@`, `@IP@`, `@ADMIN@` and `@MYSQL@` in it are the node's own.
    pub whole: Option<String>,
}

impl Default for Cnf {
    fn default() -> Self {
        Self {
            check_interval_ms: 200,
            status_frequency: 5,
            seeds: Vec::new(),
            admin: String::new(),
            mysql: String::new(),
            extra: String::new(),
            password: "radmin".to_owned(),
            idle_threads: None,
            whole: None,
        }
    }
}

impl Cnf {
    fn idle_threads(&self) -> bool {
        self.idle_threads.unwrap_or_else(|| std::env::var_os(IDLE_THREADS).is_some_and(|value| value == "1"))
    }

    /// The text of the file, for real and embedded nodes alike.
    pub fn render(&self, spec: &NodeSpec) -> String {
        if let Some(text) = &self.whole {
            return spec.fill(text);
        }
        let mut modules = String::new();
        for module in [
            "mysql_query_rules",
            "mysql_servers",
            "mysql_users",
            "proxysql_servers",
            "mysql_variables",
            "admin_variables",
        ] {
            // Writing to a string does not fail.
            let _ = writeln!(modules, "  cluster_{module}_diffs_before_sync=3");
        }
        let seeds: Vec<String> = self
            .seeds
            .iter()
            .map(|(host, port)| format!("  {{ hostname=\"{host}\", port={port}, weight=0, comment=\"seed\" }}"))
            .collect();
        format!(
            "datadir=\"{dir}\"\n\
             admin_variables=\n{{\n  admin_credentials=\"admin:admin;radmin:{password};cluster:cluster;observer:observer\"\n  \
             stats_credentials=\"stats:stats\"\n  mysql_ifaces=\"{admin}\"\n  cluster_username=\"cluster\"\n  \
             cluster_password=\"cluster\"\n  cluster_check_interval_ms={interval}\n  \
             cluster_check_status_frequency={frequency}\n{modules}{more_admin}\n}}\n\
             mysql_variables=\n{{\n  threads=2\n  interfaces=\"{mysql}\"\n  monitor_enabled=false\n  \
             server_version=\"8.0.27\"\n{more_mysql}\n}}\n\
             proxysql_servers=\n(\n{seeds}\n)\n{extra}\n",
            dir = spec.dir.display(),
            password = self.password,
            admin = spec.admin(),
            mysql = spec.mysql(),
            interval = self.check_interval_ms,
            frequency = self.status_frequency,
            seeds = seeds.join(",\n"),
            more_admin = self.admin,
            more_mysql = self.mysql,
            extra = self.extra,
        )
    }
}

/// A layer of a node's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// What statements change.
    Memory,
    /// What is in effect.
    Runtime,
    /// What a restart begins with.
    Disk,
}

/// A row of `proxysql_servers`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Name or address.
    pub hostname: String,
    /// The admin port.
    pub port: u16,
    /// Without meaning to `ProxySQL`.
    pub weight: u32,
    /// Free text.
    pub comment: String,
}

/// A node that runs, or has.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // there are dozens of them, not millions
pub enum Node {
    /// Inside this process.
    Embedded(Embedded),
    /// A child of this process.
    Real(RealProxysql),
}

impl Node {
    /// Starts a node of the kind that the environment asks for, once its `proxysql.cnf` is written; returns when its admin
    /// port answers.
    pub async fn start(spec: NodeSpec, cnf: &Cnf) -> io::Result<Self> {
        match std::env::var_os(BINARY) {
            Some(binary) if !binary.is_empty() => Self::start_real(binary.into(), spec, cnf).await,
            _ => Self::start_embedded(spec, cnf).await,
        }
    }

    /// Starts an embedded node.
    pub async fn start_embedded(spec: NodeSpec, cnf: &Cnf) -> io::Result<Self> {
        write_cnf(&spec, cnf)?;
        let behaviour = Behaviour { idle_threads: cnf.idle_threads(), ..Behaviour::default() };
        Ok(Self::Embedded(Embedded::start(spec, behaviour).await?))
    }

    /// Starts a real node.
    pub async fn start_real(binary: PathBuf, spec: NodeSpec, cnf: &Cnf) -> io::Result<Self> {
        write_cnf(&spec, cnf)?;
        let mut node = Self::Real(RealProxysql::start(binary, spec, cnf.idle_threads())?);
        node.answers().await?;
        Ok(node)
    }

    /// Where it runs.
    pub fn spec(&self) -> &NodeSpec {
        match self {
            Self::Embedded(node) => node.spec(),
            Self::Real(node) => node.spec(),
        }
    }

    /// Whether it is the real binary.
    pub fn is_real(&self) -> bool {
        matches!(self, Self::Real(_))
    }

    /// For scripts, the statement log and scripted clients.
    pub fn embedded(&self) -> Option<&Embedded> {
        match self {
            Self::Embedded(node) => Some(node),
            Self::Real(_) => None,
        }
    }

    /// For what only the real binary does.
    pub fn real_mut(&mut self) -> Option<&mut RealProxysql> {
        match self {
            Self::Embedded(_) => None,
            Self::Real(node) => Some(node),
        }
    }

    /// As SIGKILL: listeners and connections are gone, the datadir stays.
    pub async fn kill(&mut self) {
        match self {
            Self::Embedded(node) => node.kill().await,
            Self::Real(node) => node.kill().await,
        }
    }

    /// A new process, killing the old one if it runs, on the same datadir or on one that is fresh but for `proxysql.cnf`.
    pub async fn restart(&mut self, fresh_datadir: bool) -> io::Result<()> {
        let boot = if fresh_datadir { Boot::Initial } else { Boot::Normal };
        match self {
            Self::Embedded(node) => node.restart(boot).await,
            Self::Real(node) => {
                node.restart(boot).await?;
                self.answers().await
            }
        }
    }

    /// SIGSTOP and SIGCONT, or what looks like them.
    pub fn stop_cont(&self, stopped: bool) {
        match self {
            Self::Embedded(node) => node.trouble().hang(stopped),
            Self::Real(node) => node.stop_cont(stopped),
        }
    }

    /// Runs one statement on a connection of its own, within ten seconds; no rows for an `OK`.
    pub async fn query(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, AdminError> {
        let asked = async {
            let mut client = Client::connect(self.spec().admin(), OBSERVER, OBSERVER).await?;
            client.rows(sql).await
        };
        match timeout(QUERY_LIMIT, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }

    /// `runtime_checksums_values` by name.
    pub async fn checksums(&self) -> Result<BTreeMap<String, Checksum>, AdminError> {
        let rows = self.query("SELECT name, version, epoch, checksum FROM runtime_checksums_values").await?;
        let parse = |row: Vec<Option<String>>| {
            let mut values = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || values.next().unwrap_or_default();
            let name = next();
            let (version, epoch) = (next().parse().unwrap_or_default(), next().parse().unwrap_or_default());
            (name, Checksum { version, epoch, checksum: next() })
        };
        Ok(rows.into_iter().map(parse).collect())
    }

    /// The rows of `proxysql_servers` in one layer.
    pub async fn members(&self, layer: Layer) -> Result<BTreeSet<Row>, AdminError> {
        let table = match layer {
            Layer::Memory => "main.proxysql_servers",
            Layer::Runtime => "runtime_proxysql_servers",
            Layer::Disk => "disk.proxysql_servers",
        };
        let rows = self.query(&format!("SELECT hostname, port, weight, comment FROM {table}")).await?;
        let parse = |row: Vec<Option<String>>| {
            let mut values = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || values.next().unwrap_or_default();
            let hostname = next();
            let (port, weight) = (next().parse().unwrap_or_default(), next().parse().unwrap_or_default());
            Row { hostname, port, weight, comment: next() }
        };
        Ok(rows.into_iter().map(parse).collect())
    }

    /// Waits until the admin port answers; the error shows the end of the process's log.
    ///
    /// 2.7.1 now and then dies of a race between its threads as it starts; it is started again, as a kubelet does.
    async fn answers(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        let mut starts = 1;
        while self.query("SELECT 1").await.is_err() {
            if let Self::Real(node) = self
                && (node.ended() || Instant::now() > deadline)
            {
                if node.ended() && starts < MOST_STARTS {
                    starts += 1;
                    node.start_again()?;
                    continue;
                }
                return Err(io::Error::other(format!("{} does not answer:\n{}", node.spec().name, node.last_words())));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn write_cnf(spec: &NodeSpec, cnf: &Cnf) -> io::Result<()> {
    std::fs::create_dir_all(&spec.dir)?;
    std::fs::write(spec.dir.join("proxysql.cnf"), cnf.render(spec))
}
