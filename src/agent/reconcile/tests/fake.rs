//! A `ProxySQL` of a core and its peers, as far as a core's decisions need it, on the test's clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::agent::proxysql::{Proxysql, Tracked};
use crate::domain::cluster::member::{Member, Members};
use crate::domain::counters::Count;
use crate::domain::proxysql::observation::{Checksum, Observation};
use crate::domain::proxysql::statement::{Module, Record, RecordKind, Statement};
use crate::edge::admin::{AdminError, Answer, Login};

/// `ProxySQL`'s clock when a test begins.
pub(super) const START: i64 = 1000;

/// What is there, and what was asked of it.
#[derive(Debug)]
pub(super) struct World {
    began: Instant,
    pub(super) memory: Members,
    pub(super) runtime: Members,
    pub(super) own: BTreeMap<Module, Checksum>,
    /// Modules of peers at this address; those that do not answer have none.
    pub(super) peers: BTreeMap<String, BTreeMap<Module, Checksum>>,
    pub(super) published: BTreeSet<Module>,
    /// Ports that a satellite has connected from.
    pub(super) followers: Vec<u16>,
    /// What the agent remembers of followers in `ProxySQL`.
    pub(super) served: Vec<String>,
    /// The next so many looks lack the rows at runtime.
    pub(super) torn: u8,
    /// Every load, and the second it was in.
    pub(super) loads: Vec<(Module, i64)>,
    pub(super) heard: Vec<String>,
    pub(super) counts: Vec<Count>,
}

impl World {
    pub(super) fn clock(&self) -> i64 {
        START + i64::try_from(self.began.elapsed().as_secs()).unwrap()
    }

    /// Puts a list at runtime, as a load in this second or the sync of one.
    pub(super) fn has_list(&mut self, rows: &Members, version: u64, epoch: i64) {
        (self.memory, self.runtime) = (rows.clone(), rows.clone());
        self.own.insert(Module::ProxysqlServers, Checksum { version, epoch, checksum: checksum_of(rows) });
    }

    fn load(&mut self, module: Module) {
        let epoch = self.clock();
        self.loads.push((module, epoch));
        if module == Module::ProxysqlServers {
            self.runtime.clone_from(&self.memory);
        }
        let checksum = checksum_of(&self.runtime);
        let own = self.own.entry(module).or_default();
        (own.version, own.epoch) = (own.version + 1, epoch);
        if module == Module::ProxysqlServers {
            own.checksum = checksum;
        }
    }

    fn observation(&mut self) -> Vec<Vec<String>> {
        let clock = self.clock().to_string();
        let into = self.began.elapsed().subsec_millis().to_string();
        let row = |columns: &[&str]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
        let sums = |sum: &Checksum| [sum.version.to_string(), sum.epoch.to_string(), sum.checksum.clone()];
        let mut rows =
            vec![row(&["clock", &clock, &into]), row(&["variable", "admin-cluster_check_interval_ms", "200"])];
        let member = |kind: &str, m: &Member| row(&[kind, &m.hostname, &m.port.to_string(), "0", &m.comment]);
        rows.extend(self.memory.iter().map(|m| member("memory", m)));
        if self.torn > 0 {
            self.torn -= 1;
        } else {
            rows.extend(self.runtime.iter().map(|m| member("runtime", m)));
        }
        for (module, sum) in &self.own {
            rows.push([&[String::from("own"), module.checksum_name().into()], &sums(sum)[..]].concat());
        }
        for (host, modules) in &self.peers {
            let at = if modules.is_empty() { "0" } else { clock.as_str() };
            let none = BTreeMap::from([(Module::MysqlUsers, Checksum::default())]);
            for (module, sum) in if modules.is_empty() { &none } else { modules } {
                let head = row(&["peer", host, "6032", module.checksum_name()]);
                rows.push([head.as_slice(), &sums(sum), &row(&[at])].concat());
            }
        }
        let mark = r#"CREATE TABLE p ("unknown" INT)"#;
        rows.extend(self.published.iter().map(|module| row(&["published", module.checksum_name(), mark])));
        let follower = |port: &u16| row(&["follower", "satellite", "10.1.0.1", &port.to_string(), "0.0.0.0:6032"]);
        rows.extend(self.followers.iter().map(follower));
        rows
    }
}

fn checksum_of(rows: &Members) -> String {
    format!("0x{}", rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

#[derive(Debug, Clone)]
pub(super) struct Fake(Arc<Mutex<World>>);

impl Fake {
    /// One that has just started with this list, and everything else loaded and published long ago.
    pub(super) fn new(rows: &Members) -> Self {
        let old = |module| (module, Checksum { version: 2, epoch: START - 500, checksum: "0xRULES".into() });
        let mut world = World {
            began: Instant::now(),
            memory: Members::new(),
            runtime: Members::new(),
            own: [old(Module::MysqlQueryRules)].into(),
            peers: BTreeMap::new(),
            published: [Module::MysqlQueryRules, Module::Scheduler, Module::Restapi].into(),
            followers: Vec::new(),
            served: Vec::new(),
            torn: 0,
            loads: Vec::new(),
            heard: Vec::new(),
            counts: Vec::new(),
        };
        world.has_list(rows, 1, START - 1);
        Self(Arc::new(Mutex::new(world)))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl Proxysql for Fake {
    async fn run(&mut self, statement: &Statement) -> Result<Answer, AdminError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut world = self.world();
        world.heard.push(statement.to_string());
        let mut rows = Vec::new();
        match statement {
            Statement::Observe | Statement::ObserveWithFollowers => rows = world.observation(),
            Statement::Checksums => {
                let sums = |(module, sum): (&Module, &Checksum)| {
                    vec![
                        module.checksum_name().to_owned(),
                        sum.version.to_string(),
                        sum.epoch.to_string(),
                        sum.checksum.clone(),
                    ]
                };
                rows = world.own.iter().map(sums).collect();
            }
            Statement::InsertMembers(members) => world.memory.extend(members.iter().cloned()),
            Statement::DeleteMembers(members) => world.memory.retain(|m| !members.contains(m)),
            Statement::LoadToRuntime(module) => world.load(*module),
            Statement::MarkPublished(module, ..) => drop(world.published.insert(*module)),
            Statement::ForgetPublished(module) => drop(world.published.remove(module)),
            Statement::Record(Record::Read(Module::ProxysqlServers)) => {
                let row =
                    |served: &String| vec![RecordKind::Follower.as_str().to_owned(), served.clone(), String::new()];
                rows = world.served.iter().map(row).collect();
            }
            Statement::Record(Record::Add(_, RecordKind::Follower, added)) => {
                world.served.extend(added.iter().map(|(follower, _)| follower.clone()));
            }
            _ => {}
        }
        Ok(Answer { rows, affected: 0 })
    }

    async fn ask_peer(&self, _: &str, _: u16, _: &Login, _: &[Statement]) -> Result<Vec<Answer>, AdminError> {
        Ok(Vec::new())
    }

    async fn unanswered_clients(&self, _: &[Vec<String>], _: Duration) -> Option<(usize, usize)> {
        None
    }

    async fn log_in_afresh(&self, _: Option<&Login>) -> Result<(), AdminError> {
        Ok(())
    }

    async fn login(&self) -> (String, Option<String>) {
        ("radmin".into(), None)
    }

    fn logins(&self) -> u64 {
        1
    }
}

impl Tracked for Fake {
    fn count(&self, what: Count) {
        self.world().counts.push(what);
    }

    fn observed(&mut self, seen: &mut Observation) {
        for peer in &mut seen.peers {
            peer.heard = peer.updated_at.is_some();
        }
    }
}
