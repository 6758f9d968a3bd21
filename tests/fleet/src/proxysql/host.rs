//! One node over all its lives, and one life of it: what the tasks of a node share.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sha1::{Digest, Sha1};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clients::Clients;
use super::digest::Digests;
use super::log::StatementLog;
use super::modules::{Adopted, Runtime};
use super::passes::{self, Tuning};
use super::peers::{PeerName, Peers};
use super::record::Record;
use super::schema::Module;
use super::store::Store;
use super::trouble::Trouble;
use super::{Cause, cluster, frontend, session};
use crate::node::NodeSpec;

/// What of the configuration a process reads when it starts with an existing database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boot {
    /// The database, if there is one; the file otherwise.
    #[default]
    Normal,
    /// `--initial`: the database is made anew from the file.
    Initial,
    /// `--reload`: the file is merged over the database.
    Reload,
}

/// How a node behaves, beside what its variables say. Changes take effect at once.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Behaviour {
    /// `SELECT @@version`; clusters only with the same.
    pub version: String,
    /// How long `PROXYSQL PAUSE` holds the admin lock.
    pub pause_takes: Duration,
    /// How long `PROXYSQL STOP` takes.
    pub stop_takes: Duration,
    /// How long `PROXYSQL SHUTDOWN SLOW` takes.
    pub slow_shutdown_takes: Duration,
    /// How long `PROXYSQL RESTART` takes.
    pub restart_takes: Duration,
    /// As 3.0 does: `PROXYSQL PAUSE` and `RESUME` are answered twice.
    pub double_reply: bool,
    /// As 3.0 has: the tables, variables and statements of `PostgreSQL`, of which no port of its own. Takes effect when a
    /// process starts.
    pub postgres: bool,
    /// As up to 2.5, where `admin-hash_passwords` is true by default: a load of users makes hashes of passwords in clear text; those in
    /// memory stay. Takes effect when a process starts.
    pub hash_passwords: bool,
    /// As 2.7.1 now and then: after RESUME a thread does not let in clients any more, one of so many of them. 0 is none.
    pub deaf_after_resume: u32,
    /// How long the link to a peer of another version rests.
    pub other_version_rest: Duration,
    /// Runs with `--idle-threads`.
    pub idle_threads: bool,
    /// How often a worker looks for sessions to end. The real one does so each second.
    pub worker_pass: Duration,
    /// How often an idle thread does. The real one each two seconds.
    pub idle_pass: Duration,
    /// How long a session that an idle thread has given up is on its way to the worker that ends it.
    pub hand_over: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            version: "2.7.1".to_owned(),
            pause_takes: Duration::from_millis(100),
            stop_takes: Duration::from_millis(200),
            slow_shutdown_takes: Duration::from_millis(200),
            restart_takes: Duration::from_millis(200),
            double_reply: false,
            deaf_after_resume: 0,
            postgres: false,
            hash_passwords: false,
            other_version_rest: Duration::from_secs(30),
            idle_threads: false,
            worker_pass: Duration::from_secs(1),
            idle_pass: Duration::from_secs(2),
            hand_over: Duration::from_millis(1),
        }
    }
}

impl Behaviour {
    /// What sets a 3.0 apart.
    pub fn v3() -> Self {
        Self { version: "3.0.0".to_owned(), double_reply: true, postgres: true, ..Self::default() }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) spec: NodeSpec,
    pub(crate) behaviour: Mutex<Behaviour>,
    pub(crate) log: StatementLog,
    pub(crate) trouble: Trouble,
    pub(crate) names: Mutex<HashMap<String, IpAddr>>,
    pub(crate) clock_offset: AtomicI64,
    pub(crate) life: Mutex<Option<Arc<Life>>>,
    /// `None` while a life runs.
    pub(crate) cause: watch::Sender<Option<Cause>>,
    pub(crate) connections: AtomicU64,
    pub(crate) pulls: Mutex<Vec<Pulled>>,
    pub(crate) record: Arc<Mutex<Record>>,
    /// Ends with the last handle that owns the node.
    pub(crate) owned: CancellationToken,
    restarts: TaskTracker,
}

/// A module taken over from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// What was pulled.
    pub module: Module,
    /// From whom.
    pub from: (String, u16),
    /// With which epoch.
    pub epoch: i64,
}

/// One process.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) token: CancellationToken,
    pub(crate) tracker: TaskTracker,
    /// The one lock that every statement takes, and that PAUSE holds.
    pub(crate) admin: tokio::sync::Mutex<()>,
    /// One pull at a time.
    pub(crate) pulling: tokio::sync::Mutex<()>,
    pub(crate) store: Mutex<Store>,
    clients: Mutex<Clients>,
    tuning: Mutex<Tuning>,
    /// Has the loops of the threads turn.
    pub(crate) turn: Notify,
    /// Connections to the admin port, each with a thread of its own.
    pub(crate) admin_threads: AtomicU64,
    peers: Mutex<Peers>,
    pub(crate) digests: Mutex<Digests>,
    pub(crate) started: Instant,
    pub(crate) uuid: String,
    pub(crate) mysql_wanted: watch::Sender<bool>,
    pub(crate) mysql_open: watch::Sender<bool>,
    /// Where the admin port is to be.
    pub(crate) admin_at: watch::Sender<SocketAddr>,
    paused: AtomicBool,
    pub(crate) stopped: AtomicBool,
    /// The listener was closed and opened again.
    pub(crate) resumed: AtomicBool,
    threads: AtomicU32,
}

impl Life {
    pub(crate) fn clients(&self) -> MutexGuard<'_, Clients> {
        lock(&self.clients)
    }

    /// What the threads go by.
    pub(crate) fn tuning(&self) -> Tuning {
        *lock(&self.tuning)
    }

    /// `KILL CONNECTION`: whether there is such a session. There or not, the workers are called into a pass.
    pub(crate) fn kill_session(&self, id: u32) -> bool {
        let tuning = self.tuning();
        let mut clients = self.clients();
        let known = clients.kill(id);
        clients.pass(Instant::now(), tuning);
        self.turn.notify_one();
        known
    }

    pub(crate) fn peers(&self) -> MutexGuard<'_, Peers> {
        lock(&self.peers)
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    pub(crate) fn paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    pub(crate) fn next_thread(&self) -> u32 {
        self.threads.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs a task that ends with this life.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let token = self.token.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = token.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Opens or closes the port for `MySQL` clients and waits until that is so.
    pub(crate) async fn open_mysql(&self, open: bool) {
        self.mysql_wanted.send_replace(open);
        let _ = self.mysql_open.subscribe().wait_for(|now| *now == open).await;
    }
}

impl Host {
    pub(crate) fn new(spec: NodeSpec, behaviour: Behaviour) -> Arc<Self> {
        Arc::new(Self {
            spec,
            behaviour: Mutex::new(behaviour),
            log: StatementLog::default(),
            trouble: Trouble::default(),
            names: Mutex::default(),
            clock_offset: AtomicI64::new(0),
            life: Mutex::new(None),
            cause: watch::Sender::new(Some(Cause::NotStarted)),
            connections: AtomicU64::new(1),
            pulls: Mutex::default(),
            record: Arc::default(),
            owned: CancellationToken::new(),
            restarts: TaskTracker::new(),
        })
    }

    pub(crate) fn behaviour(&self) -> Behaviour {
        lock(&self.behaviour).clone()
    }

    /// Seconds since 1970 on this node's clock.
    pub(crate) fn now(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
        now + self.clock_offset.load(Ordering::Relaxed)
    }

    /// Starts a life: database, layers, listeners, the watch over the peers.
    pub(crate) async fn boot(self: &Arc<Self>, boot: Boot, before: Option<&Life>) -> io::Result<()> {
        let life = Arc::new(self.open(boot, before).map_err(io::Error::other)?);
        let (admin, mysql) = {
            let store = life.store();
            (
                self.admin_at(&store.runtime),
                listen_address(store.runtime.variable("mysql-interfaces"), &self.spec, self.spec.mysql_port),
            )
        };
        let mysql_listener = tokio::net::TcpListener::bind(mysql).await?;
        let admin_listener = tokio::net::TcpListener::bind(admin).await?;
        life.mysql_open.send_replace(true);
        *lock(&self.life) = Some(Arc::clone(&life));
        self.cause.send_replace(None);
        cluster::follow(self, &life);
        life.spawn(passes::run(Arc::clone(self), Arc::clone(&life)));
        life.spawn(frontend::listen(Arc::clone(self), Arc::clone(&life), mysql, mysql_listener));
        life.spawn(session::listen(Arc::clone(self), Arc::clone(&life), admin_listener));
        Ok(())
    }

    /// `before` is the life that this one continues in the same process: uptime and versions go on.
    fn open(&self, boot: Boot, before: Option<&Life>) -> Result<Life, String> {
        let text_of = |error: rusqlite::Error| super::store::text_of(&error);
        std::fs::create_dir_all(&self.spec.dir).map_err(|error| error.to_string())?;
        if boot == Boot::Initial {
            // An absent database is what is wanted here.
            let _ = std::fs::remove_file(self.spec.dir.join("proxysql.db"));
        }
        let config = self.spec.dir.join("proxysql.cnf");
        let (mut store, existed) = Store::open(&self.spec.dir, config, self.behaviour().postgres).map_err(text_of)?;
        store.hash_passwords = self.behaviour().hash_passwords;
        let now = self.now();
        if let Some(before) = before {
            store.runtime.sums = before.store().runtime.sums.clone();
        }
        let modules = Module::known(store.postgres);
        for &module in modules {
            if existed {
                store.load_from_disk(module).map_err(text_of)?;
            }
        }
        store.set_defaults(&self.behaviour().version).map_err(text_of)?;
        for &module in modules {
            if !existed || boot == Boot::Reload {
                store.load_from_config(module)?;
                store.save_to_disk(module).map_err(text_of)?;
            }
            store.load_to_runtime(module, now, None).map_err(text_of)?;
            if module.prefix().is_some() {
                store.save_from_runtime(module).map_err(text_of)?;
            }
        }
        let uuid = self.uuid(&store).map_err(text_of)?;
        let tuning = Tuning::of(&store.runtime);
        let admin_at = self.admin_at(&store.runtime);
        Ok(Life {
            token: self.owned.child_token(),
            tracker: TaskTracker::new(),
            admin: tokio::sync::Mutex::new(()),
            pulling: tokio::sync::Mutex::new(()),
            store: Mutex::new(store),
            clients: Mutex::new(Clients::new(Arc::clone(&self.record))),
            tuning: Mutex::new(tuning),
            turn: Notify::new(),
            admin_threads: AtomicU64::new(0),
            peers: Mutex::default(),
            digests: Mutex::default(),
            started: before.map_or_else(Instant::now, |before| before.started),
            uuid,
            mysql_wanted: watch::Sender::new(true),
            mysql_open: watch::Sender::new(false),
            admin_at: watch::Sender::new(admin_at),
            paused: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            resumed: AtomicBool::new(false),
            threads: AtomicU32::new(2),
        })
    }

    fn admin_at(&self, runtime: &Runtime) -> SocketAddr {
        listen_address(runtime.variable("admin-mysql_ifaces"), &self.spec, self.spec.admin_port)
    }

    /// The name of this datadir among the others, kept in it.
    fn uuid(&self, store: &Store) -> rusqlite::Result<String> {
        let kept = store.read("SELECT variable_value FROM disk.global_settings WHERE variable_name='uuid'")?;
        if let Some(uuid) = kept.first().and_then(|row| row[0].clone()) {
            return Ok(uuid);
        }
        let unique = format!("{} {:?} {}", self.spec.dir.display(), SystemTime::now(), std::process::id());
        let hash = Sha1::digest(unique.as_bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let uuid = format!("{}-{}-4{}-8{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32]);
        store.insert("disk.global_settings", &[vec![Some("uuid".to_owned()), Some(uuid.clone())]])?;
        Ok(uuid)
    }

    /// Ends the life there is, if it is `life`, as a crash would.
    pub(crate) fn stop(&self, life: &Arc<Life>, cause: Cause) {
        let mut current = lock(&self.life);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, life)) {
            *current = None;
            self.cause.send_replace(Some(cause));
        }
        drop(current);
        life.clients().cut_all();
        life.token.cancel();
    }

    /// Ends the life there is and waits until nothing of it is left.
    pub(crate) async fn kill(&self, cause: Cause) {
        let life = lock(&self.life).clone();
        if let Some(life) = life {
            self.stop(&life, cause);
            end(&life).await;
        }
    }

    /// `PROXYSQL RESTART`: a new life after a while, without anybody waiting for it.
    pub(crate) fn restart_later(self: &Arc<Self>, life: &Arc<Life>) {
        self.stop(life, Cause::Restart);
        let after = self.behaviour().restart_takes;
        let (host, life) = (Arc::downgrade(self), Arc::clone(life));
        let owned = self.owned.clone();
        self.restarts.spawn(async move {
            tokio::select! {
                () = owned.cancelled() => {}
                () = reboot(host, life, after) => {}
            }
        });
    }

    /// Where a name leads, as this node sees it.
    pub(crate) fn address_of(&self, (name, port): &PeerName) -> (String, u16) {
        let known = lock(&self.names).get(name).map(ToString::to_string);
        (known.unwrap_or_else(|| name.clone()), *port)
    }

    /// `LOAD ... TO RUNTIME` and what hangs on it.
    pub(crate) fn load(
        self: &Arc<Self>,
        life: &Arc<Life>,
        module: Module,
        adopted: Option<&Adopted>,
    ) -> Result<u64, String> {
        let loaded = life.store().load_to_runtime(module, self.now(), adopted);
        if module == Module::ProxysqlServers {
            cluster::follow(self, life);
        }
        if module.prefix().is_some() {
            let tuning = Tuning::of(&life.store().runtime);
            *lock(&life.tuning) = tuning;
            let admin_at = self.admin_at(&life.store().runtime);
            life.admin_at.send_if_modified(|known| std::mem::replace(known, admin_at) != admin_at);
        }
        loaded.map_err(|error| super::store::text_of(&error))
    }

    /// Reads something of the runtime layer of the life there is.
    pub(crate) fn runtime<T>(&self, read: impl FnOnce(&Runtime) -> T) -> Option<T> {
        let life = lock(&self.life).clone()?;
        let store = life.store();
        Some(read(&store.runtime))
    }
}

async fn reboot(host: Weak<Host>, life: Arc<Life>, after: Duration) {
    tokio::time::sleep(after).await;
    end(&life).await;
    if let Some(host) = host.upgrade() {
        // A port that is taken by now leaves the node stopped, which `cause` shows already.
        let _ = host.boot(Boot::Normal, Some(&life)).await;
    }
}

async fn end(life: &Life) {
    life.token.cancel();
    life.tracker.close();
    life.tracker.wait().await;
}

/// The first address in a list of interfaces; every address of the machine means the node's own.
fn listen_address(interfaces: &str, spec: &NodeSpec, port: u16) -> SocketAddr {
    let first = interfaces.split([';', ',']).find_map(|interface| interface.trim().parse::<SocketAddr>().ok());
    match first {
        Some(address) if address.ip().is_unspecified() => SocketAddr::new(spec.ip, address.port()),
        Some(address) => address,
        None => SocketAddr::new(spec.ip, port),
    }
}
