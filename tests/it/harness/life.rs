//! One node and the agent beside it: what the scenarios of a pod's life share.

mod backend;
mod call;
mod haproxy;
mod ledger;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proxysql_fleet::net::Block;
use proxysql_fleet::node::{Cnf, Node, NodeSpec};
use proxysql_fleet::process::{Process, Program};
use proxysql_fleet::proxysql::{ClientSpec, ClientState, Embedded};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

pub(crate) use self::backend::{Backend, Client};
pub(crate) use self::call::{Answer, call, raw, try_call};
pub(crate) use self::haproxy::{Haproxy, Server};
pub(crate) use self::ledger::{Habit, Ledger, spread};
use crate::support::{PATIENCE, eventually};

/// One user and two servers that nobody is behind.
pub(crate) const CONFIGURED: &str = r#"
mysql_servers = ( { address="127.0.0.1", port=3, hostgroup=0 }, { address="127.0.0.1", port=4, hostgroup=1 } )
mysql_users = ( { username="app", password="app-secret", default_hostgroup=0, active=1 } )
"#;

/// A ProxySQL with an agent in satellite mode, which needs no other node.
pub(crate) struct Pod {
    pub(crate) node: Node,
    pub(crate) agent: Process,
    pub(crate) api: SocketAddr,
    pub(crate) dir: TempDir,
    program: Program,
    _block: Block,
}

/// How a pod is made.
pub(crate) struct Make {
    cnf: Cnf,
    environment: Vec<(String, String)>,
    starts_node: bool,
    threads: u32,
    /// Where the agent's standard output goes instead of the log.
    output: Option<PathBuf>,
    /// A `config.yaml` where the agent works.
    config: Option<String>,
}

impl Make {
    pub(crate) fn new() -> Self {
        let cnf = Cnf { extra: CONFIGURED.to_owned(), ..Cnf::default() };
        // Nothing to wait for, unless a scenario is about that.
        let environment = [("AGENT_SHUTDOWN_PROPAGATION_DELAY", "0"), ("AGENT_SATELLITE_INTERVAL", "0.5")];
        let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Self { cnf, environment, starts_node: true, threads: 2, output: None, config: None }
    }

    pub(crate) fn env(mut self, key: &str, value: &str) -> Self {
        self.environment.push((format!("AGENT_{key}"), value.to_owned()));
        self
    }

    /// A variable whose name is not made from a key.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What the agent says goes into this file, which may be a pipe.
    pub(crate) fn output(mut self, path: &Path) -> Self {
        self.output = Some(path.to_owned());
        self
    }

    /// With this text as `config.yaml` in the directory where the agent works, which is [`Pod::dir`].
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    pub(crate) fn extra(mut self, extra: &str) -> Self {
        extra.clone_into(&mut self.cnf.extra);
        self
    }

    /// With `--idle-threads` or without, whatever the environment says.
    pub(crate) fn idle_threads(mut self, on: bool) -> Self {
        self.cnf.idle_threads = Some(on);
        self
    }

    /// With a row of `proxysql_servers` in its file, of a core that is not there.
    pub(crate) fn seed(mut self) -> Self {
        self.cnf.seeds = vec![("127.0.0.1".to_owned(), 1)];
        self
    }

    /// With so many worker threads, which takes a restart of the real one.
    pub(crate) fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// The agent alone; its ProxySQL is killed before the agent starts.
    pub(crate) fn without_node(mut self) -> Self {
        self.starts_node = false;
        self
    }

    pub(crate) async fn start(self) -> Pod {
        let block = Block::take().unwrap();
        let dir = tempfile::Builder::new().prefix("proxysql-agent-").tempdir().unwrap();
        let (admin_port, mysql_port, api_port) =
            (block.port(6032).unwrap(), block.port(6033).unwrap(), block.port(8080).unwrap());
        let ip = block.address().unwrap().into();
        let spec = NodeSpec { name: "node".to_owned(), ip, admin_port, mysql_port, dir: dir.path().join("proxysql") };
        let admin = spec.admin();
        let mut node = Node::start(spec, &self.cnf).await.unwrap();
        if self.threads != 2 {
            let set = format!("SET mysql-threads={}", self.threads);
            for sql in [set.as_str(), "SAVE MYSQL VARIABLES TO DISK"] {
                node.query(sql).await.unwrap();
            }
            node.restart(false).await.unwrap();
        }
        if !self.starts_node {
            node.kill().await;
        }
        let api = SocketAddr::new(ip, api_port);
        let binary = Path::new(env!("CARGO_BIN_EXE_proxysql-agent"));
        let log = dir.path().join("agent.log");
        let program = match &self.output {
            None => Program::new(binary, &log),
            Some(path) => Program::new(Path::new("/bin/sh"), &log)
                .arg("-c")
                .arg("exec \"$0\" \"$@\" >\"$OUTPUT\"")
                .arg(binary.to_string_lossy())
                .env("OUTPUT", path.to_string_lossy()),
        };
        if let Some(text) = &self.config {
            std::fs::write(dir.path().join("config.yaml"), text).unwrap();
        }
        let mut program = program
            .env("AGENT_RUN_MODE", "satellite")
            .env("AGENT_PROXYSQL_ADDRESS", admin.to_string())
            .env("AGENT_PROXYSQL_PASSWORD", "radmin")
            .env("AGENT_API_ADDRESS", ip.to_string())
            .env("AGENT_API_PORT", api_port.to_string())
            .env("AGENT_SHUTDOWN_DRAINING_FILE", dir.path().join("draining").to_string_lossy());
        for (key, value) in self.environment {
            program = program.env(&key, value);
        }
        let agent = program.start().unwrap();
        let pod = Pod { node, agent, api, dir, program, _block: block };
        eventually("the agent listens", async || raw(pod.api, b"").await.is_ok()).await;
        pod
    }

    /// As [`Self::start`], and returns when the pod is ready.
    pub(crate) async fn ready(self) -> Pod {
        let pod = self.start().await;
        pod.is_ready().await;
        pod
    }
}

impl Pod {
    pub(crate) fn marker(&self) -> PathBuf {
        self.dir.path().join("draining")
    }

    pub(crate) async fn is_ready(&self) {
        eventually("it is ready", async || self.get("/healthz/ready").await.code == 200).await;
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        call(self.api, "GET", path, &[]).await
    }

    pub(crate) async fn code(&self, path: &str) -> u16 {
        self.get(path).await.code
    }

    pub(crate) async fn call(&self, method: &str, path: &str) -> Answer {
        call(self.api, method, path, &[]).await
    }

    /// Waits for the process to end by itself, and gives its exit code.
    pub(crate) async fn gone(&mut self) -> Option<i32> {
        self.agent.exit_code(PATIENCE).await.unwrap()
    }

    /// Waits until `ProxySQL` has ended, too.
    pub(crate) async fn proxysql_gone(&mut self) {
        let node = &mut self.node;
        eventually("ProxySQL has ended", async || match node.real_mut() {
            Some(real) => real.ended(),
            None => node.embedded().is_none_or(|node| node.cause().is_some()),
        })
        .await;
    }

    /// A container of each kind anew, as a kubelet does it: `ProxySQL` knows what its file says.
    pub(crate) async fn replace(&mut self) {
        self.agent.kill().await;
        self.agent = self.program.start().unwrap();
        self.node.restart(true).await.unwrap();
        self.is_ready_again().await;
    }

    /// As [`Self::is_ready`], of an agent that may not listen yet.
    async fn is_ready_again(&self) {
        let ready =
            async || try_call(self.api, "GET", "/healthz/ready", &[]).await.is_ok_and(|answer| answer.code == 200);
        eventually("it is ready again", ready).await;
    }

    /// The same process anew, in the same place.
    pub(crate) async fn restart_agent(&mut self) {
        self.agent.kill().await;
        self.agent = self.program.start().unwrap();
        eventually("the agent listens", async || raw(self.api, b"").await.is_ok()).await;
    }

    /// The binary with the agent's own configuration and one more word.
    pub(crate) fn sub_command(&self, word: &str) -> Process {
        let mut program = self.program.clone().arg(word);
        program.log_file = self.dir.path().join("command.log");
        program.start().unwrap()
    }

    /// The same process once more, beside the first.
    pub(crate) fn another_agent(&self) -> Process {
        let mut program = self.program.clone();
        program.log_file = self.dir.path().join("another.log");
        program.start().unwrap()
    }

    pub(crate) fn embedded(&self) -> &Embedded {
        self.node.embedded().expect("this scenario scripts the stand-in")
    }

    /// Scripted clients that do `what`, each already for a minute.
    pub(crate) fn clients(&self, many: usize, what: &ClientState) -> Vec<u32> {
        let spec = ClientSpec { state: what.clone(), since: Duration::from_mins(1), ..ClientSpec::default() };
        (0..many).map(|_| self.embedded().add_client(spec.clone())).collect()
    }

    /// How often the agent sent statements that begin so.
    pub(crate) fn sent(&self, what: &str) -> usize {
        self.embedded().log().of("radmin", 0).iter().filter(|entry| entry.sql.starts_with(what)).count()
    }

    pub(crate) fn log(&self) -> String {
        self.agent.log().lines().into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }
}

/// Begins something that goes on while the scenario does other things; it is waited for by its result.
pub(crate) fn in_background<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send {
    let mut tasks = JoinSet::new();
    tasks.spawn(task);
    async move { tasks.join_next().await.unwrap().unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) }
}

/// A number within a body.
pub(crate) fn number(body: &Value, path: &str) -> u64 {
    body.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no number at {path} in {body}"))
}

/// Seconds within a body.
pub(crate) fn seconds(body: &Value, step: &str) -> Duration {
    let path = format!("/drain/seconds/{step}");
    let seconds =
        body.pointer(&path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {path} in {body}"));
    Duration::from_secs_f64(seconds)
}
