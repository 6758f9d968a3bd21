//! One node of the fleet: a ProxySQL, the agent beside it, and their pod.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use super::agent::{AgentProcess, Post};
use super::service::{Joining, join_when_ready};
use super::settings::{Order, Role, Settings};
use crate::kubernetes::{KubeApi, PodSpec};
use crate::net::Forwarder;
use crate::node::{AdminError, Cnf, Node, NodeSpec};
use crate::proxysql::Module;

/// Where the parts of a new member go, and what it shares with the others.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) ip: IpAddr,
    pub(super) admin_port: u16,
    pub(super) mysql_port: u16,
    pub(super) api_port: u16,
    pub(super) bootstrap: SocketAddr,
    pub(super) dir: PathBuf,
    pub(super) kubeconfig: PathBuf,
}

/// A node of the fleet.
#[derive(Debug)]
pub struct Member {
    /// The name of its pod.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// The agent, while it runs.
    pub agent: Option<AgentProcess>,
    /// Its ProxySQL, dead or alive.
    pub node: Node,
    /// Whether its ProxySQL is meant to run.
    pub alive: bool,
    /// Whether its pod is one that is to be listed: Running, and not terminating.
    pub listed: bool,
    service: Arc<Forwarder>,
    /// On its way into the Service, or there, if it is a core.
    joining: Option<Joining>,
    plan: Plan,
}

impl Member {
    /// Starts all parts, and returns when all of them have been started.
    pub(super) async fn start(
        plan: Plan,
        settings: &Settings,
        kubernetes: &KubeApi,
        service: Arc<Forwarder>,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(&plan.dir)?;
        let pod = plan.pod(settings);
        kubernetes.put(PodSpec { ips: Vec::new(), ..pod.clone().phase("Pending") }).await?;
        let node = async {
            let (spec, cnf) = (plan.node_spec(), plan.cnf(settings));
            if settings.scripted_proxysql {
                Node::start_embedded(spec, &cnf).await
            } else {
                Node::start(spec, &cnf).await
            }
        };
        let agent = async { plan.start_agent(settings) };
        let (node, agent) = match settings.order {
            Order::Together => {
                let (agent, node, put) = tokio::join!(agent, node, kubernetes.put(pod));
                put?;
                (node?, agent?)
            }
            Order::AgentFirst => {
                let agent = agent.await?;
                kubernetes.put(pod).await?;
                (node.await?, agent)
            }
            Order::ProxysqlFirst => {
                let node = node.await?;
                let agent = agent.await?;
                kubernetes.put(pod).await?;
                (node, agent)
            }
        };
        let (name, role) = (plan.name.clone(), plan.role);
        let (agent, listed) = (Some(agent), role == Role::Core);
        let mut member = Self { name, role, agent, node, alive: true, listed, service, joining: None, plan };
        member.join();
        Ok(member)
    }

    /// Its address.
    pub fn ip(&self) -> IpAddr {
        self.plan.ip
    }

    /// Where its ProxySQL's admin port is.
    pub fn admin(&self) -> SocketAddr {
        self.plan.admin()
    }

    /// The file of its ProxySQL.
    pub fn config_file(&self) -> PathBuf {
        self.plan.node_spec().dir.join("proxysql.cnf")
    }

    /// The text of that file, with these settings.
    pub fn configuration(&self, settings: &Settings) -> String {
        self.plan.cnf(settings).render(&self.plan.node_spec())
    }

    /// Ends the agent at once.
    pub async fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.process.kill().await;
        }
    }

    /// Starts the agent again, after ending the one that may be there.
    pub(super) async fn restart_agent(&mut self, settings: &Settings) -> io::Result<()> {
        self.kill_agent().await;
        self.agent = Some(self.plan.start_agent(settings)?);
        Ok(())
    }

    /// Ends ProxySQL at once.
    pub async fn kill_node(&mut self) {
        self.leave();
        self.alive = false;
        self.node.kill().await;
    }

    /// Ends ProxySQL if it runs and starts it again, with its old data directory or a new one.
    pub async fn restart_node(&mut self, fresh: bool) -> io::Result<()> {
        self.leave();
        self.node.restart(fresh).await?;
        self.alive = true;
        self.join();
        Ok(())
    }

    /// How often each module that peers follow was loaded to runtime: exactly on an embedded node, over all its lives; on a
    /// real one by the versions of its present life, which pulls from peers move as well.
    pub async fn loads(&self) -> Result<BTreeMap<Module, u64>, AdminError> {
        let followed = Module::ALL.into_iter().filter_map(|module| Some((module, module.synced_as()?)));
        if let Some(node) = self.node.embedded() {
            return Ok(followed.map(|(module, _)| (module, node.log().loads(module).len() as u64)).collect());
        }
        let sums = self.node.checksums().await?;
        let version = |name| sums.get(name).map_or(0, |sum| sum.version.saturating_sub(1));
        Ok(followed.map(|(module, name)| (module, version(name))).collect())
    }

    /// A core gets into the Service when it is ready.
    fn join(&mut self) {
        if self.role == Role::Core {
            self.joining = Some(join_when_ready(self.service.clone(), self.plan.admin()));
        }
    }

    fn leave(&mut self) {
        self.joining = None;
        self.service.remove(self.plan.admin());
    }
}

impl Plan {
    pub(super) fn admin(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.admin_port)
    }

    fn node_spec(&self) -> NodeSpec {
        NodeSpec {
            name: self.name.clone(),
            ip: self.ip,
            admin_port: self.admin_port,
            mysql_port: self.mysql_port,
            dir: self.dir.join("proxysql"),
        }
    }

    /// Only cores own a configuration; everybody is given the bootstrap row.
    fn cnf(&self, settings: &Settings) -> Cnf {
        let extra = if self.role == Role::Core { settings.configuration.clone() } else { String::new() };
        Cnf {
            check_interval_ms: settings.check_interval_ms,
            seeds: vec![(self.bootstrap.ip().to_string(), self.bootstrap.port())],
            extra,
            idle_threads: settings.idle_threads,
            ..Cnf::default()
        }
    }

    fn pod(&self, settings: &Settings) -> PodSpec {
        let component = if self.role == Role::Core { &settings.component } else { self.role.as_str() };
        PodSpec::new(&settings.namespace, &self.name)
            .label("app", &settings.app)
            .label("component", component)
            .of_deployment(&format!("{}-{}", settings.app, self.role), &settings.template)
            .ip(self.ip)
    }

    fn start_agent(&self, settings: &Settings) -> io::Result<AgentProcess> {
        let post = Post {
            name: &self.name,
            role: self.role,
            admin: self.admin(),
            api: SocketAddr::new(self.ip, self.api_port),
            bootstrap: self.bootstrap,
            kubeconfig: &self.kubeconfig,
            dir: &self.dir,
            config_file: settings.config_file.then(|| self.node_spec().dir.join("proxysql.cnf")),
        };
        AgentProcess::start(settings, &post)
    }
}
