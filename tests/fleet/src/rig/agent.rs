//! One agent beside its ProxySQL: the settings it is given, and what it says it does.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
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
        program.environment.extend(settings.environment.clone());
        Ok(Self { process: program.start()?, api: post.api })
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

/// A line of an agent's log, taken apart.
#[derive(Clone, Debug)]
pub struct Saying {
    /// When it was read.
    pub at: SystemTime,
    /// `INFO`, `WARN` and so on.
    pub level: String,
    /// The module that said it.
    pub target: String,
    /// The message.
    pub message: String,
    /// The other fields, in their order.
    pub fields: Vec<(String, String)>,
}

impl Saying {
    fn read(line: &LogLine) -> Option<Self> {
        let Value::Object(mut line_fields) = line.json()? else { return None };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let (level, target) = (text(line_fields.get("level")), text(line_fields.get("target")));
        // Fields stand in an object of their own, or beside the rest.
        let fields = match line_fields.remove("fields") {
            Some(Value::Object(fields)) => fields,
            _ => line_fields,
        };
        let message = text(fields.get("message"));
        let told = ["message", "level", "target", "timestamp", "span", "spans"];
        let fields = fields.into_iter().filter(|(key, _)| !told.contains(&key.as_str())).map(|(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            (key, value)
        });
        Some(Self { at: line.at, level, target, message, fields: fields.collect() })
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
