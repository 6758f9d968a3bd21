//! What all members of a rig have in common.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Owns configuration, or pulls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A core: a member of the list.
    Core,
    /// A satellite: nobody lists it.
    Satellite,
}

impl Role {
    /// As the run mode is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Satellite => "satellite",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Which of the two containers of a pod is first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Both in the same instant.
    #[default]
    Together,
    /// The agent, and ProxySQL after it.
    AgentFirst,
    /// ProxySQL, and the agent when its admin port answers.
    ProxysqlFirst,
}

/// What a rig is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agent's executable.
    pub agent: PathBuf,
    /// `core.interval` and `satellite.interval`, in seconds.
    pub interval: u32,
    /// `admin-cluster_check_interval_ms`.
    pub check_interval_ms: u32,
    /// Which container of a pod starts first.
    pub order: Order,
    /// The namespace of all pods.
    pub namespace: String,
    /// The label `app` of all pods.
    pub app: String,
    /// The label `component` of the cores.
    pub component: String,
    /// What the file of a core holds besides admin settings and the bootstrap row: users, servers, rules.
    pub configuration: String,
    /// The hash of the template that members are made from.
    pub template: String,
    /// Whether a core's agent is told where the file of its ProxySQL is.
    pub config_file: bool,
    /// Whether every `ProxySQL` runs with `--idle-threads`; as the environment says if nothing is said here.
    pub idle_threads: Option<bool>,
    /// More variables for every agent; they win over the rig's.
    pub environment: BTreeMap<String, String>,
    /// Whether the API is the stand-in even where the environment names a real one: for trouble that only it makes.
    pub scripted_api: bool,
    /// The same for every ProxySQL.
    pub scripted_proxysql: bool,
}

impl Settings {
    /// Usual settings with this agent: quick checks, the rest as in a deployment of the defaults.
    pub fn new(agent: &Path) -> Self {
        Self {
            agent: agent.to_owned(),
            interval: 2,
            check_interval_ms: 200,
            order: Order::default(),
            namespace: "proxysql".to_owned(),
            app: "proxysql".to_owned(),
            component: "core".to_owned(),
            configuration: CONFIGURATION.to_owned(),
            template: "6b7f9c4d5".to_owned(),
            config_file: false,
            idle_threads: None,
            environment: BTreeMap::new(),
            scripted_api: false,
            scripted_proxysql: false,
        }
    }

    /// With a variable for every agent.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.environment.insert(key.to_owned(), value.into());
        self
    }
}

/// Two users, a writer with two readers, and the rules that split reads from writes.
const CONFIGURATION: &str = r#"
mysql_servers =
(
    { address="127.0.0.1", port=33061, hostgroup=10, max_connections=200, comment="writer" },
    { address="127.0.0.1", port=33062, hostgroup=20, max_connections=200, comment="reader" },
    { address="127.0.0.1", port=33063, hostgroup=20, max_connections=200, comment="reader" }
)
mysql_users =
(
    { username="app", password="app-secret", default_hostgroup=10, active=1 },
    { username="report", password="report-secret", default_hostgroup=20, active=1 }
)
mysql_query_rules =
(
    { rule_id=10, active=1, match_digest="^SELECT .* FOR UPDATE", destination_hostgroup=10, apply=1 },
    { rule_id=20, active=1, match_digest="^SELECT", destination_hostgroup=20, apply=1 }
)
"#;
