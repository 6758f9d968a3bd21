//! The pod API on a loopback socket.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::pod::{PodKey, PodSpec};
use super::routes;
use super::store::Store;
use super::trouble::{Fault, Scope, Trouble};
use crate::net::{Gate, GateKeeper};

/// What kubeconfigs of the stand-in present.
pub const TOKEN: &str = "fleet-token";
/// How many requests the log keeps.
const LOGGED: usize = 10_000;
/// Labels of the pods that belong to nobody.
const UNRELATED: &str = "unrelated";

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A list of pods.
    List,
    /// A watch of pods.
    Watch,
    /// One object.
    Get,
    /// Anything else.
    Other,
}

/// A request as the log has it.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it came.
    pub at: SystemTime,
    /// What it was for.
    pub verb: Verb,
    /// Path and query.
    pub uri: String,
    /// The status of the answer; `None` while there is none.
    pub status: Option<u16>,
}

impl fmt::Display for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(formatter, "{status} {:?} {}", self.verb, self.uri),
            None => write!(formatter, "... {:?} {}", self.verb, self.uri),
        }
    }
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Lists begun.
    pub lists: u64,
    /// Watches begun.
    pub watches: u64,
    /// Reads of one object.
    pub gets: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Bytes received on all connections.
    pub bytes_in: u64,
    /// Bytes sent on all connections.
    pub bytes_out: u64,
}

/// What the server's handlers and its owner share.
#[derive(Debug)]
pub(super) struct Shared {
    store: Mutex<Store>,
    pub(super) revisions: watch::Sender<u64>,
    pub(super) trouble: watch::Sender<Trouble>,
    pub(super) token: Mutex<Option<String>>,
    /// Of `ReplicaSet`s and `ControllerRevision`s, by namespace and name.
    pub(super) owner_revisions: Mutex<BTreeMap<PodKey, i64>>,
    /// Resources and verbs that are allowed; `None` allows everything.
    rights: Mutex<Option<BTreeSet<(String, String)>>>,
    streaming_lists: AtomicBool,
    bookmark_millis: AtomicU64,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    first: usize,
    requests: VecDeque<Request>,
    counts: [u64; 3],
}

/// A Kubernetes API server that knows pods and nothing else, in this process. It stops when it is dropped.
#[derive(Debug)]
pub struct PodApi {
    shared: Arc<Shared>,
    gate: GateKeeper,
    touched: AtomicU64,
    _server: AbortOnDropHandle<()>,
}

impl PodApi {
    /// Listens here; port 0 takes a free one.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let (listener, gate) = Gate::new(address).await?;
        let store = Store::new();
        let shared = Arc::new(Shared {
            revisions: watch::Sender::new(store.revision()),
            store: Mutex::new(store),
            trouble: watch::Sender::default(),
            token: Mutex::default(),
            owner_revisions: Mutex::default(),
            rights: Mutex::default(),
            streaming_lists: AtomicBool::new(true),
            bookmark_millis: AtomicU64::new(60_000),
            log: Mutex::default(),
        });
        let app = routes::router(shared.clone());
        let server = AbortOnDropHandle::new(tokio::spawn(async move {
            // It ends only when it is aborted.
            drop(axum::serve(listener, app).await);
        }));
        Ok(Self { shared, gate, touched: AtomicU64::new(0), _server: server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.gate.address()
    }

    /// Writes a kubeconfig for it.
    pub fn kubeconfig(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, kubeconfig(&format!("http://{}", self.address()), None, TOKEN))
    }

    // Pods.

    /// Puts a pod there, in the place of the one of its name if there is one; answers the revision.
    pub fn put(&self, pod: PodSpec) -> u64 {
        self.shared.change(|store| store.put(pod))
    }

    /// Changes a pod; `None` if there is none of this name.
    pub fn edit(&self, namespace: &str, name: &str, edit: impl FnOnce(&mut PodSpec)) -> Option<u64> {
        let key = (namespace.to_owned(), name.to_owned());
        self.shared.change(|store| {
            let mut pod = PodSpec::clone(&store.pods().get(&key)?.pod);
            edit(&mut pod);
            Some(store.put(pod))
        })
    }

    /// Marks a pod as terminating: it stays, Running, until it is deleted.
    pub fn terminate(&self, namespace: &str, name: &str) -> Option<u64> {
        self.edit(namespace, name, |pod| pod.deleted = Some(SystemTime::now()))
    }

    /// Takes a pod away.
    pub fn delete(&self, namespace: &str, name: &str) -> Option<u64> {
        self.shared.change(|store| store.remove(&(namespace.to_owned(), name.to_owned())))
    }

    /// A pod as it is stored.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<PodSpec> {
        let key: PodKey = (namespace.to_owned(), name.to_owned());
        self.shared.store().pods().get(&key).map(|stored| PodSpec::clone(&stored.pod))
    }

    /// Makes sure that this many pods of no interest to anybody are in the namespace.
    pub fn add_unrelated(&self, namespace: &str, count: u64) {
        for index in 0..count {
            let name = format!("{UNRELATED}-{index}");
            if self.pod(namespace, &name).is_none() {
                let [_, _, high, low] = u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes();
                let pod = PodSpec::new(namespace, &name).label("app", UNRELATED).ip([10, 1, high, low]);
                self.put(pod.of_deployment(UNRELATED, "5d4f8b7c9"));
            }
        }
    }

    /// Changes this many pods of no interest to anybody, one after the other, making a hundred if there are none.
    pub fn touch_unrelated(&self, namespace: &str, count: u64) {
        self.add_unrelated(namespace, 100);
        for _ in 0..count {
            let turn = self.touched.fetch_add(1, Ordering::Relaxed);
            self.edit(namespace, &format!("{UNRELATED}-{}", turn % 100), |pod| {
                pod.annotations.insert("touched".to_owned(), turn.to_string());
            });
        }
    }

    /// Forgets the history: watches and pages of older revisions get 410.
    pub fn compact(&self) {
        self.shared.change(Store::compact);
    }

    // What owns pods.

    /// Gives a `ReplicaSet` or `ControllerRevision` its revision. Before the first one is given, none may be read.
    pub fn set_revision(&self, namespace: &str, name: &str, revision: i64) {
        let key = (namespace.to_owned(), name.to_owned());
        self.shared.owner_revisions.lock().unwrap_or_else(PoisonError::into_inner).insert(key, revision);
    }

    // How it serves.

    /// Lets in only who presents this token; `None` lets everybody in, as at the start.
    pub fn require_token(&self, token: Option<&str>) {
        *self.shared.token.lock().unwrap_or_else(PoisonError::into_inner) = token.map(ToOwned::to_owned);
    }

    /// Allows nothing but these resources and verbs, as a Role does; everything else is forbidden.
    pub fn allow_only(&self, rights: BTreeSet<(String, String)>) {
        *self.shared.rights.lock().unwrap_or_else(PoisonError::into_inner) = Some(rights);
    }

    /// Serves lists as streams (`sendInitialEvents`), as at the start, or refuses as an older server does.
    pub fn stream_lists(&self, yes: bool) {
        self.shared.streaming_lists.store(yes, Ordering::Relaxed);
    }

    /// How often a new watch is sent a bookmark: 60 s at the start, as in reality.
    pub fn bookmark_every(&self, interval: Duration) {
        let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
        self.shared.bookmark_millis.store(millis, Ordering::Relaxed);
    }

    // Trouble.

    /// From now on requests of this scope fail so. Watches that are open go on, unless they are to hang.
    pub fn fail(&self, scope: Scope, fault: &Fault) {
        self.shared.trouble.send_modify(|trouble| trouble.set(scope, Some(fault)));
    }

    /// Every answer comes this much later.
    pub fn slow(&self, delay: Duration) {
        self.shared.trouble.send_modify(|trouble| trouble.delay = delay);
    }

    /// Breaks off every open watch.
    pub fn cut_watches(&self) {
        self.shared.trouble.send_modify(|trouble| trouble.cuts += 1);
    }

    /// Breaks off every watch when it is this old.
    pub fn cut_watches_every(&self, life: Duration) {
        self.shared.trouble.send_modify(|trouble| trouble.watch_life = Some(life));
    }

    /// Open watches stay open and say nothing any more, for ever, as when a network device forgot them; new ones work.
    pub fn strand_watches(&self) {
        self.shared.trouble.send_modify(|trouble| trouble.strandings += 1);
    }

    /// Closes the port and every connection; returns when a connection is refused.
    pub async fn refuse(&self) {
        self.gate.close().await;
    }

    /// Ends all trouble; returns when the port is open.
    pub async fn heal(&self) {
        self.shared.trouble.send_modify(Trouble::heal);
        self.gate.open().await;
    }

    // What it saw.

    /// The requests so far, the latest ten thousand.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log().requests.iter().cloned().collect()
    }

    /// The counters so far.
    pub fn traffic(&self) -> Traffic {
        let [lists, watches, gets] = self.shared.log().counts;
        let [connections, bytes_in, bytes_out] = self.gate.counts();
        Traffic { lists, watches, gets, connections, bytes_in, bytes_out }
    }
}

impl Shared {
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a Role allows this.
    pub(super) fn allows(&self, resource: &str, verb: &str) -> bool {
        let rights = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        rights.as_ref().is_none_or(|rights| rights.contains(&(resource.to_owned(), verb.to_owned())))
    }

    pub(super) fn streams_lists(&self) -> bool {
        self.streaming_lists.load(Ordering::Relaxed)
    }

    pub(super) fn bookmark_interval(&self) -> Duration {
        Duration::from_millis(self.bookmark_millis.load(Ordering::Relaxed))
    }

    /// Changes the store and tells the watches.
    fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store();
        let answer = change(&mut store);
        self.revisions.send_replace(store.revision());
        answer
    }

    /// Writes down a request; the answer's status is told by the number returned.
    pub(super) fn came(&self, verb: Verb, uri: &str) -> usize {
        let mut log = self.log();
        if let Some(count) = log.counts.get_mut(verb as usize) {
            *count += 1;
        }
        if log.requests.len() == LOGGED {
            log.requests.pop_front();
            log.first += 1;
        }
        log.requests.push_back(Request { at: SystemTime::now(), verb, uri: uri.to_owned(), status: None });
        log.first + log.requests.len() - 1
    }

    pub(super) fn answered(&self, number: usize, status: u16) {
        let mut log = self.log();
        if let Some(request) = number.checked_sub(log.first).and_then(|index| log.requests.get_mut(index)) {
            request.status = Some(status);
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A kubeconfig for this server, which presents this token.
pub(super) fn kubeconfig(server: &str, authority: Option<&Path>, token: &str) -> String {
    let authority =
        authority.map(|path| format!("    certificate-authority: {}\n", path.display())).unwrap_or_default();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: fleet\n\
         clusters:\n- name: fleet\n  cluster:\n    server: {server}\n{authority}\
         users:\n- name: fleet\n  user:\n    token: {token}\n\
         contexts:\n- name: fleet\n  context:\n    cluster: fleet\n    user: fleet\n    namespace: proxysql\n"
    )
}
