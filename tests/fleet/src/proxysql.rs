//! A `ProxySQL` node inside this process: the admin port of 2.7.1 in front, `SQLite` with its tables behind, the layers
//! between them, a watch over its peers as they have, and trouble on request.
//!
//! ```text
//!  session ── command ── execute ── store ── modules        frontend ── clients
//!     │                     │         │         │               │
//!   wire, auth            stats ──────┴─────────┘             passes, busy, record
//!                                     │                       trouble, log
//!                                     │
//!                        cluster ── peers   (over TCP, to other nodes)
//! ```
//!
//! It speaks no TLS and no compression; its checksums are its own. A cluster is therefore made of one kind: embedded nodes
//! or real ones.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) mod auth;
mod busy;
mod clients;
mod cluster;
pub(crate) mod command;
mod config_file;
mod digest;
mod entries;
mod execute;
pub(crate) mod frontend;
mod host;
mod log;
mod logins;
mod modules;
mod monitor;
mod passes;
mod peers;
mod record;
mod schema;
mod session;
mod stats;
mod store;
mod trouble;
mod variables;
pub(crate) mod wire;

pub use busy::Rhythm;
pub use clients::{ClientEnd, ClientSpec, ClientState, Protocol};
pub use digest::{DigestRow, DigestSchema};
pub use host::{Behaviour, Boot, Pulled};
pub use log::{Counters, Entry, Kind, Outcome, StatementLog};
pub use modules::Checksum;
pub use record::{Ending, Unanswered};
pub use schema::Module;
pub use trouble::{Action, Hook, Rule, RuleId, Trouble};
pub use wire::ColumnType;

use crate::node::NodeSpec;
use host::{Host, lock};

/// Why a node does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It never has.
    NotStarted,
    /// `PROXYSQL SHUTDOWN`, `SHUTDOWN SLOW` or `KILL`.
    Shutdown,
    /// `PROXYSQL RESTART`; it comes back.
    Restart,
    /// A statement of semicolons alone.
    Crash,
    /// [`Handle::kill`].
    Killed,
}

/// A node, owned: it ends when this is dropped. Everything to do with it is on [`Handle`].
#[derive(Debug)]
pub struct Embedded(Handle);

/// A node, not owned.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Host>);

impl Drop for Embedded {
    fn drop(&mut self) {
        self.0.0.owned.cancel();
        *lock(&self.0.0.life) = None;
    }
}

impl Deref for Embedded {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.0
    }
}

impl Embedded {
    /// Starts a node on `spec.dir`, where its `proxysql.cnf` is; both ports listen when this returns.
    pub async fn start(spec: NodeSpec, behaviour: Behaviour) -> io::Result<Self> {
        Self::start_with(spec, behaviour, Boot::Normal).await
    }

    /// [`start`](Self::start) with a flag of the command line.
    pub async fn start_with(spec: NodeSpec, behaviour: Behaviour, boot: Boot) -> io::Result<Self> {
        let node = Self(Handle(Host::new(spec, behaviour)));
        node.0.0.boot(boot, None).await?;
        Ok(node)
    }

    /// A handle that does not keep the node running.
    pub fn handle(&self) -> Handle {
        self.0.clone()
    }
}

impl Handle {
    /// What the node was made from.
    pub fn spec(&self) -> &NodeSpec {
        &self.0.spec
    }

    /// As SIGKILL: listeners and connections go at once, the datadir stays.
    pub async fn kill(&self) {
        self.0.kill(Cause::Killed).await;
    }

    /// A new process on the same datadir, or on a fresh one with the same configuration file.
    pub async fn restart(&self, boot: Boot) -> io::Result<()> {
        self.0.kill(Cause::Killed).await;
        self.0.boot(boot, None).await
    }

    /// Why the node does not run; `None` if it does.
    pub fn cause(&self) -> Option<Cause> {
        *self.0.cause.borrow()
    }

    /// Waits until the node has stopped, and says why.
    pub async fn stopped(&self) -> Cause {
        let mut cause = self.0.cause.subscribe();
        let stopped = cause.wait_for(Option::is_some).await.ok().and_then(|cause| *cause);
        stopped.unwrap_or(Cause::Killed)
    }

    /// Every statement received, over all lives of the node.
    pub fn log(&self) -> &StatementLog {
        &self.0.log
    }

    /// What goes wrong on this node.
    pub fn trouble(&self) -> &Trouble {
        &self.0.trouble
    }

    /// Changes how the node behaves.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.0.behaviour));
    }

    /// Shifts the node's clock, which epochs are taken from.
    pub fn set_clock_offset(&self, seconds: i64) {
        self.0.clock_offset.store(seconds, Ordering::Relaxed);
    }

    /// What a host name leads to for this node; `None` leaves it to the resolver of the machine.
    pub fn set_host(&self, name: &str, address: Option<IpAddr>) {
        let mut names = lock(&self.0.names);
        match address {
            Some(address) => names.insert(name.to_owned(), address),
            None => names.remove(name),
        };
    }

    /// What was pulled from peers, over all lives of the node.
    pub fn pulls(&self) -> Vec<Pulled> {
        lock(&self.0.pulls).clone()
    }

    /// Versions, epochs and checksums, without a connection and without a trace in the log.
    pub fn checksums(&self) -> BTreeMap<String, Checksum> {
        let sums = self.0.runtime(|runtime| runtime.sums.clone()).unwrap_or_default();
        sums.into_iter().map(|(name, sum)| (name.to_owned(), sum)).collect()
    }

    /// Rows of the runtime layer, without a connection and without a trace in the log.
    pub fn runtime_rows(&self, table: &str) -> Vec<Vec<Option<String>>> {
        self.0.runtime(|runtime| runtime.rows.get(table).cloned()).flatten().unwrap_or_default()
    }

    /// Runs SQL on the memory layer behind everybody's back: no session, no log, no lock. For hooks.
    pub fn sql(&self, sql: &str) -> Result<(), String> {
        let life = lock(&self.0.life).clone().ok_or("the node does not run")?;
        let store = life.store();
        store.script(sql)
    }

    /// `LOAD ... TO RUNTIME` behind everybody's back.
    pub fn load(&self, module: Module) -> Result<(), String> {
        let life = lock(&self.0.life).clone().ok_or("the node does not run")?;
        self.0.load(&life, module, None).map(|_| ())
    }

    /// A session on the port for `MySQL` clients, as the statistics show it; 0 if the node does not run.
    pub fn add_client(&self, spec: ClientSpec) -> u32 {
        let Some(life) = lock(&self.0.life).clone() else { return 0 };
        let id = life.next_thread();
        life.clients().add(id, spec, None);
        id
    }

    /// What a scripted client does from now on; `false` if it is not there any more.
    pub fn change_client(&self, id: u32, state: ClientState) -> bool {
        let life = lock(&self.0.life).clone();
        life.is_some_and(|life| {
            let there = life.clients().script(id, state);
            life.turn.notify_one();
            there
        })
    }

    /// A client in traffic: it goes on until its session ends. 0 if the node does not run.
    pub fn add_busy_client(&self, spec: ClientSpec, rhythm: Rhythm) -> u32 {
        let Some(life) = lock(&self.0.life).clone() else { return 0 };
        let id = life.next_thread();
        life.clients().add(id, spec, None);
        life.spawn(busy::run(Arc::clone(&life), id, rhythm));
        id
    }

    /// A scripted client goes by itself; `false` if it is not there any more.
    pub fn remove_client(&self, id: u32) -> bool {
        let life = lock(&self.0.life).clone();
        life.is_some_and(|life| life.clients().end(id, ClientEnd::Left))
    }

    /// The sessions there are, with what they do.
    pub fn clients(&self) -> Vec<(u32, ClientSpec)> {
        let Some(life) = lock(&self.0.life).clone() else { return Vec::new() };
        let clients = life.clients();
        clients.live.iter().map(|(id, client)| (*id, client.spec.clone())).collect()
    }

    /// How sessions of this life ended, in order.
    pub fn ended_clients(&self) -> Vec<(u32, ClientEnd)> {
        let life = lock(&self.0.life).clone();
        life.map(|life| life.clients().ended()).unwrap_or_default()
    }

    /// How sessions ended, over all lives of the node, in order.
    pub fn endings(&self) -> Vec<Ending> {
        lock(&self.0.record).endings.iter().cloned().collect()
    }

    /// The statements of clients that were carried out, with their sessions, over all lives of the node, in order.
    pub fn executed(&self) -> Vec<(u32, String)> {
        lock(&self.0.record).executed.iter().cloned().collect()
    }

    /// Statements that were carried out although their client got no answer: a client that tries again does them twice.
    pub fn executed_without_answer(&self) -> Vec<Unanswered> {
        lock(&self.0.record).without_answer.iter().cloned().collect()
    }

    /// Results that were cut while their client read them.
    pub fn answers_cut_short(&self) -> Vec<Unanswered> {
        lock(&self.0.record).cut_short.iter().cloned().collect()
    }

    /// Sessions that somebody ended in the middle of a transaction.
    pub fn cut_in_transaction(&self) -> Vec<Ending> {
        let mut endings = self.endings();
        endings.retain(|ending| ending.in_transaction && ending.end != ClientEnd::Left);
        endings
    }

    /// Fills `stats_mysql_query_digest` with rows that are made when they are read, in any number. A statement that names
    /// the table sees it alone: there is no joining it with others.
    pub fn seed_digests(
        &self,
        rows: u64,
        schema: DigestSchema,
        generator: impl Fn(u64) -> DigestRow + Send + Sync + 'static,
    ) {
        if let Some(life) = &*lock(&self.0.life) {
            *lock(&life.digests) = digest::Digests::new(rows, schema, generator);
            // The tables exist from the start.
            let _ = digest::make_tables(&life.store(), schema);
        }
    }

    /// Gives the digests the tables of a version, empty, to be filled by [`sql`](Self::sql): `stats.stats_mysql_query_digest`
    /// is what a query shows, its twin `_reset` what one that resets shows, and both are emptied by that. There are
    /// no generated rows any more.
    pub fn digest_tables(&self, schema: DigestSchema) -> Result<(), String> {
        let life = lock(&self.0.life).clone().ok_or("the node does not run")?;
        *lock(&life.digests) = digest::Digests::default();
        digest::make_tables(&life.store(), schema)
    }
}
