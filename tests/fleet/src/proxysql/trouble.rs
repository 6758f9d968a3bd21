//! Scripted trouble: what goes wrong on a node, when, and how often.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// Something to run in the middle of a session.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>);

impl Hook {
    /// From a closure that returns a future; the session waits for it.
    pub fn new<F>(run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(run())))
    }

    pub(crate) async fn run(&self) {
        (self.0)().await;
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Hook")
    }
}

/// What happens to a statement that a [`Rule`] matches.
#[derive(Clone, Debug)]
pub enum Action {
    /// It waits before it is executed; others do not wait for it.
    Delay(Duration),
    /// It is not executed; the answer is this `ERR`.
    Fail {
        /// Usually 1045.
        code: u16,
        /// The whole text, `ProxySQL Admin Error: ` included.
        text: String,
    },
    /// The connection closes, the statement is not executed.
    CutBefore,
    /// The statement is executed, the connection closes without an answer.
    CutAfter,
    /// The connection closes after so many bytes of the answer.
    CutWithin(u64),
    /// The answer stops after so many bytes, and goes on after this long.
    PauseWithin(u64, Duration),
    /// It sees only so many rows of a table that is filled when it is mentioned, as if somebody had read it in between.
    Torn(&'static str, usize),
    /// It is never answered, and not executed.
    Hang,
    /// Runs before the statement does.
    Before(Hook),
    /// Runs after the statement and before its answer.
    After(Hook),
}

/// One piece of trouble. [`Rule::new`] matches every statement; the other methods narrow it.
#[derive(Clone, Debug)]
pub struct Rule {
    contains: Option<String>,
    user: Option<String>,
    skip: u32,
    times: u32,
    action: Action,
    id: u64,
    hits: u64,
}

impl Rule {
    /// Matches every statement, for ever.
    pub fn new(action: Action) -> Self {
        Self { contains: None, user: None, skip: 0, times: u32::MAX, action, id: 0, hits: 0 }
    }

    /// Only statements with this text in them, in any case.
    #[must_use]
    pub fn containing(mut self, text: &str) -> Self {
        self.contains = Some(text.to_ascii_lowercase());
        self
    }

    /// Only statements of this user.
    #[must_use]
    pub fn from_user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Only so many of the matching statements.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Only once.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Lets so many matching statements pass first.
    #[must_use]
    pub fn skip(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    fn takes(&mut self, user: &str, lower: &str) -> bool {
        let matches = self.user.as_deref().is_none_or(|wanted| wanted == user)
            && self.contains.as_deref().is_none_or(|wanted| lower.contains(wanted));
        if !matches || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.times != u32::MAX {
            self.times -= 1;
        }
        self.hits += 1;
        true
    }
}

/// Names a rule that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u64);

#[derive(Debug)]
struct Inner {
    rules: Mutex<Vec<Rule>>,
    next: AtomicU64,
    hung: watch::Sender<bool>,
    refusing: watch::Sender<bool>,
}

/// The trouble of one node, over all its lives. Clones share it.
#[derive(Clone, Debug)]
pub struct Trouble(Arc<Inner>);

impl Default for Trouble {
    fn default() -> Self {
        Self(Arc::new(Inner {
            rules: Mutex::default(),
            next: AtomicU64::new(1),
            hung: watch::Sender::new(false),
            refusing: watch::Sender::new(false),
        }))
    }
}

impl Trouble {
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a rule after those there are. All that match a statement apply, in order.
    pub fn add(&self, mut rule: Rule) -> RuleId {
        rule.id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let id = RuleId(rule.id);
        self.rules().push(rule);
        id
    }

    /// Takes a rule away.
    pub fn remove(&self, id: RuleId) {
        self.rules().retain(|rule| rule.id != id.0);
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        self.rules().clear();
    }

    /// How often a rule applied.
    pub fn hits(&self, id: RuleId) -> u64 {
        self.rules().iter().find(|rule| rule.id == id.0).map_or(0, |rule| rule.hits)
    }

    /// As SIGSTOP does: connections are accepted by the kernel, nothing is answered, nothing is pulled. `false` is SIGCONT.
    pub fn hang(&self, hung: bool) {
        self.0.hung.send_replace(hung);
    }

    /// Closes the admin listener for new connections; those there are stay. `false` opens it again.
    pub fn refuse(&self, refusing: bool) {
        self.0.refusing.send_replace(refusing);
    }

    pub(crate) fn refusing(&self) -> watch::Receiver<bool> {
        self.0.refusing.subscribe()
    }

    /// Returns as soon as the node is not hung.
    pub(crate) async fn thaw(&self) {
        if *self.0.hung.borrow() {
            // The sender lives in self: it cannot be gone.
            let _ = self.0.hung.subscribe().wait_for(|hung| !hung).await;
        }
    }

    pub(crate) fn actions(&self, user: &str, sql: &str) -> Vec<Action> {
        let mut rules = self.rules();
        if rules.is_empty() {
            return Vec::new();
        }
        let lower = sql.to_ascii_lowercase();
        rules.iter_mut().filter_map(|rule| rule.takes(user, &lower).then(|| rule.action.clone())).collect()
    }
}
