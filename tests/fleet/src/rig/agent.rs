//! One agent beside its ProxySQL: the settings it is given, and what it says it does.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use super::Role;
use super::settings::Settings;
use crate::http::{self, Reply};
use crate::process::{LogLine, Process, Program};

/// What an agent is told besides the rig's common settings.
#[derive(Clone, Debug)]
pub(super) struct Post<'a> {
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) admin: SocketAddr,
    pub(super) api: SocketAddr,
    pub(super) bootstrap: SocketAddr,
    pub(super) kubeconfig: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) config_file: Option<PathBuf>,
}

/// A running agent.
#[derive(Debug)]
pub struct AgentProcess {
    /// The process.
    pub process: Process,
    api: SocketAddr,
}

impl AgentProcess {
    pub(super) fn start(settings: &Settings, post: &Post<'_>) -> io::Result<Self> {
        let mut program = Program::new(&settings.agent, &post.dir.join("agent.log"))
            .env("AGENT_RUN_MODE", post.role.as_str())
            .env("AGENT_PROXYSQL_ADDRESS", post.admin.to_string())
            .env("AGENT_PROXYSQL_USERNAME", "radmin")
            .env("AGENT_PROXYSQL_PASSWORD", "radmin")
            .env("AGENT_CORE_INTERVAL", settings.interval.to_string())
            .env("AGENT_SATELLITE_INTERVAL", settings.interval.to_string())
            .env("AGENT_CORE_PODSELECTOR_NAMESPACE", &settings.namespace)
            .env("AGENT_CORE_PODSELECTOR_APP", &settings.app)
            .env("AGENT_CORE_PODSELECTOR_COMPONENT", &settings.component)
            .env("AGENT_CORE_BOOTSTRAP_HOSTNAME", post.bootstrap.ip().to_string())
            .env("AGENT_API_ADDRESS", post.api.ip().to_string())
            .env("AGENT_API_PORT", post.api.port().to_string())
            .env("AGENT_SHUTDOWN_DRAINING_FILE", post.dir.join("draining").to_string_lossy())
            .env("AGENT_LOG_FORMAT", "json")
            .env("KUBECONFIG", post.kubeconfig.to_string_lossy())
            .env("POD_NAME", post.name);
        if let Some(path) = post.config_file.as_ref().filter(|_| post.role == Role::Core) {
            program = program.env("AGENT_CORE_CONFIG_FILE", path.to_string_lossy());
        }
        program.environment.extend(settings.environment.clone());
        Ok(Self { process: program.start()?, api: post.api })
    }

    /// Where its HTTP port is.
    pub fn api(&self) -> SocketAddr {
        self.api
    }

    /// Asks its HTTP port.
    pub async fn get(&self, path: &str) -> io::Result<Reply> {
        http::get(self.api, path, None).await
    }

    /// What it said from a mark of its log on.
    pub fn said_since(&self, mark: u64) -> Vec<Saying> {
        self.process.log().since(mark).iter().filter_map(Saying::read).collect()
    }
}

/// A line of an agent's log, taken apart: the flat object that Go's slog writes as well.
#[derive(Clone, Debug)]
pub struct Saying {
    /// When it was read.
    pub at: SystemTime,
    /// `INFO`, `WARN` and so on.
    pub level: String,
    /// What it says.
    pub message: String,
    /// The other fields that are not empty, by name.
    pub fields: BTreeMap<String, String>,
}

impl Saying {
    /// `None` for a line that is no such object.
    pub fn read(line: &LogLine) -> Option<Self> {
        let Value::Object(mut object) = line.json()? else { return None };
        object.remove("time");
        object.remove("source");
        let mut fields = object
            .into_iter()
            .map(|(key, value)| (key, value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)))
            .filter(|(_, value)| !value.is_empty())
            .collect::<BTreeMap<_, _>>();
        let (level, message) = (fields.remove("level")?, fields.remove("msg")?);
        Some(Self { at: line.at, level, message, fields })
    }

    /// Whether somebody who watches the fleet wants to know.
    pub fn is_notable(&self) -> bool {
        matches!(self.level.as_str(), "INFO" | "WARN" | "ERROR")
    }
}

impl fmt::Display for Saying {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        self.fields.iter().try_for_each(|(key, value)| write!(formatter, " {key}={value}"))
    }
}
