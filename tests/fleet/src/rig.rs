//! The whole fleet on loopback: ProxySQL nodes, the real agent beside each, their pods in the API, and the Service in front.

mod agent;
mod convergence;
mod member;
mod service;
mod settings;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tempfile::TempDir;

pub use agent::{AgentProcess, Saying};
pub use convergence::{MODULES, Report, View, Views, differences};
pub use member::Member;
pub use settings::{Order, Role, Settings};

use crate::kubernetes::KubeApi;
use crate::net::{Block, Forwarder};
use member::Plan;

/// How long an agent that was asked to end may take before it is ended.
const GRACE: Duration = Duration::from_secs(10);

/// A fleet. Everything in it ends when it is dropped.
#[derive(Debug)]
pub struct Rig {
    settings: Settings,
    members: Vec<Member>,
    service: Arc<Forwarder>,
    kubernetes: KubeApi,
    admin_port: u16,
    mysql_port: u16,
    api_port: u16,
    /// How many members of each role there have been.
    made: BTreeMap<&'static str, u32>,
    block: Block,
    dir: TempDir,
}

impl Rig {
    /// A fleet without members: the API, and the Service with nobody behind it.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let (block, dir) = (Block::take()?, tempfile::Builder::new().prefix("proxysql-fleet-").tempdir()?);
        let (admin_port, mysql_port, api_port) = (block.port(6032)?, block.port(6033)?, block.port(8080)?);
        let service = Forwarder::start(SocketAddr::new(block.address()?.into(), admin_port)).await?;
        let service = Arc::new(service);
        let kubernetes = KubeApi::start(&block, dir.path(), settings.scripted_api).await?;
        kubernetes.kubeconfig(&dir.path().join("kubeconfig"))?;
        Ok(Self {
            settings,
            members: Vec::new(),
            service,
            kubernetes,
            admin_port,
            mysql_port,
            api_port,
            made: BTreeMap::new(),
            block,
            dir,
        })
    }

    /// The settings; what is changed here holds for members and agents started afterwards.
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The API.
    pub fn kubernetes(&self) -> &KubeApi {
        &self.kubernetes
    }

    /// The address of the bootstrap row.
    pub fn bootstrap(&self) -> SocketAddr {
        self.service.address()
    }

    /// The admin port of every node.
    pub fn admin_port(&self) -> u16 {
        self.admin_port
    }

    /// Where everything is written.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Leaves everything that was written in its place; answers where that is.
    pub fn keep(&mut self) -> &Path {
        self.dir.disable_cleanup(true);
        self.dir.path()
    }

    /// An address of the rig's own for something that is no member.
    pub fn address(&self) -> io::Result<IpAddr> {
        self.block.address().map(IpAddr::V4)
    }

    /// All members, in the order of their coming.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// A member by name.
    pub fn member(&self, name: &str) -> io::Result<&Member> {
        self.members.iter().find(|member| member.name == name).ok_or_else(|| unknown(name))
    }

    /// A member by name, to do something to it.
    pub fn member_mut(&mut self, name: &str) -> io::Result<&mut Member> {
        self.members.iter_mut().find(|member| member.name == name).ok_or_else(|| unknown(name))
    }

    /// Starts so many cores and satellites at once; answers their names.
    pub async fn add(&mut self, cores: usize, satellites: usize) -> io::Result<Vec<String>> {
        let roles = [(Role::Core, cores), (Role::Satellite, satellites)];
        let roles = roles.into_iter().flat_map(|(role, count)| std::iter::repeat_n(role, count));
        let plans = roles.map(|role| self.plan(role)).collect::<io::Result<Vec<_>>>()?;
        let names = plans.iter().map(|plan| plan.name.clone()).collect();
        let start =
            plans.into_iter().map(|plan| Member::start(plan, &self.settings, &self.kubernetes, self.service.clone()));
        self.members.extend(try_join_all(start).await?);
        Ok(names)
    }

    /// Starts a core; answers its name.
    pub async fn add_core(&mut self) -> io::Result<String> {
        self.add(1, 0).await.map(|mut names| names.remove(0))
    }

    /// Starts a satellite; answers its name.
    pub async fn add_satellite(&mut self) -> io::Result<String> {
        self.add(0, 1).await.map(|mut names| names.remove(0))
    }

    /// A pod is deleted as Kubernetes does it: terminating, its agent asked to end, and gone when that is done.
    pub async fn remove(&mut self, name: &str) -> io::Result<()> {
        let namespace = self.settings.namespace.clone();
        self.kubernetes.terminate(&namespace, name).await?;
        let member = self.member_mut(name)?;
        member.listed = false;
        if let Some(agent) = &mut member.agent {
            agent.process.terminate();
            // One that does not end in time is ended.
            drop(agent.process.wait(GRACE).await);
        }
        self.kill(name).await?;
        self.forget(name).await
    }

    /// A node dies: agent and ProxySQL are gone at once, and the pod is still there as if nothing had happened.
    pub async fn kill(&mut self, name: &str) -> io::Result<()> {
        let member = self.member_mut(name)?;
        member.kill_agent().await;
        member.kill_node().await;
        Ok(())
    }

    /// The pod of a node that is dead goes, and the member with it.
    pub async fn forget(&mut self, name: &str) -> io::Result<()> {
        self.kubernetes.delete(&self.settings.namespace, name).await?;
        self.members.retain(|member| member.name != name);
        Ok(())
    }

    /// All cores go at once, and as many others come at new addresses; answers the names of the new ones.
    pub async fn replace_all_cores(&mut self) -> io::Result<Vec<String>> {
        let old = self.names(Role::Core);
        for name in &old {
            self.kill(name).await?;
        }
        for name in &old {
            self.forget(name).await?;
        }
        self.add(old.len(), 0).await
    }

    /// Starts the agent of a member again, or for the first time after it was killed.
    pub async fn restart_agent(&mut self, name: &str) -> io::Result<()> {
        let settings = self.settings.clone();
        self.member_mut(name)?.restart_agent(&settings).await
    }

    /// The names of the members of a role.
    pub fn names(&self, role: Role) -> Vec<String> {
        self.members.iter().filter(|member| member.role == role).map(|member| member.name.clone()).collect()
    }

    fn plan(&mut self, role: Role) -> io::Result<Plan> {
        let number = self.made.entry(role.as_str()).or_default();
        *number += 1;
        let name = format!("{role}-{number}");
        let dir: PathBuf = self.dir.path().join(&name);
        Ok(Plan {
            role,
            ip: self.block.address()?.into(),
            admin_port: self.admin_port,
            mysql_port: self.mysql_port,
            api_port: self.block.port(self.api_port)?,
            bootstrap: self.service.address(),
            kubeconfig: self.dir.path().join("kubeconfig"),
            name,
            dir,
        })
    }
}

fn unknown(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no member {name}"))
}
