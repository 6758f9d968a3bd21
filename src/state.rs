//! What signals and HTTP share: a sender of commands, and a view of what the agent publishes.

mod commands;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use self::commands::Pending;
use crate::domain::drain::{Progress, Stage};
use crate::domain::health::{Contact, Known, Obstacle, Snapshot};
use crate::domain::proxysql::observation::Observation;
use crate::domain::situation::Situation;
use crate::domain::tally::Tally;

/// How long a probe waits for a refresh: the kubelet gives up after a second.
pub const PROBE_PATIENCE: Duration = Duration::from_millis(800);
/// A refresh that failed is not asked for again within this long.
const RETRY: Duration = Duration::from_millis(250);

/// All that an outsider may ask of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Go the way down, or join in if that has begun.
    Drain,
    /// End it now.
    Hurry,
    /// Undo a drain, if there is still time.
    Cancel,
    /// Look at health once.
    Refresh,
    /// Read the configuration again, apply what can change, and do anew what is done once: publish, or follow.
    Reload,
    /// Follow the cores again in whatever this node does not.
    Resync,
    /// End, leaving `ProxySQL` as it is; on the way down, go on.
    Detach,
}

/// What the agent publishes.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The last look at health, and when it was answered.
    pub seen: Option<(Snapshot, Instant)>,
    /// When a look at health last failed.
    pub failed_at: Option<Instant>,
    /// When `ProxySQL` last answered anything.
    pub answered_at: Option<Instant>,
    /// Whether `ProxySQL` has ever answered anything, be it by refusing the login.
    pub heard: bool,
    /// The first question since the last answer that has none.
    pub unanswered_since: Option<Instant>,
    /// The first question that `ProxySQL` met with silence since it last gave any sign, and since the agent last failed to ask.
    pub silent_since: Option<Instant>,
    /// What was in the way of the last question; `None` once `ProxySQL` answers again.
    pub obstacle: Option<Obstacle>,
    /// What the last failure was, in words; `None` once `ProxySQL` answers again.
    pub trouble: Option<String>,
    /// `start_delay` is not over: nothing is asked of `ProxySQL`.
    pub asleep: bool,
    /// How far down the way.
    pub stage: Stage,
    /// When that began; `None` where it is the first. [`Publisher::publish`] keeps it.
    pub stage_since: Option<Instant>,
    /// The drain that is under way, or the last one.
    pub drain: Option<Progress>,
    /// How many drains have ended, in whatever way.
    pub drains_ended: u64,
    /// The last observation of a round, and when it was answered.
    pub observed: Option<(Observation, Instant)>,
    /// How the last round left things.
    pub situation: Situation,
    /// What was counted since the agent started.
    pub tally: Tally,
}

impl Status {
    /// How `ProxySQL` answers, as of `now`.
    pub fn contact(&self, now: Instant) -> Contact {
        let silence = self.unanswered_since.map_or(Duration::ZERO, |since| now - since);
        match self.obstacle {
            Some(Obstacle::Agent) => Contact::Unable(silence),
            Some(Obstacle::Login) => Contact::Barred(silence),
            _ if !self.heard => Contact::Never,
            Some(Obstacle::Gone) => Contact::Gone(silence),
            _ => Contact::Answering(silence),
        }
    }

    /// What a verdict needs, as of `now`.
    pub fn known(&self, now: Instant) -> Known<'_> {
        Known {
            snapshot: self.seen.as_ref().map(|(snapshot, _)| snapshot),
            age: self.seen.as_ref().map(|(_, at)| now - *at),
            contact: self.contact(now),
            silence: self.silent_since.map_or(Duration::ZERO, |since| now - since),
            trouble: self.trouble.as_deref(),
            stage: self.stage,
            drain: self.drain.as_ref(),
        }
    }

    /// A question was sent, or is about to be.
    pub fn asks(&mut self, now: Instant) {
        self.unanswered_since.get_or_insert(now);
        self.silent_since.get_or_insert(now);
    }

    /// It was answered, be it with an `ERR`.
    pub fn answers(&mut self, now: Instant) {
        self.answered_at = Some(now);
        self.heard = true;
        self.unanswered_since = None;
        self.silent_since = None;
        self.obstacle = None;
        self.trouble = None;
    }

    /// It was not: this was in the way.
    pub fn fails(&mut self, obstacle: Obstacle) {
        self.obstacle = Some(obstacle);
        self.heard |= obstacle == Obstacle::Login;
        if !obstacle.is_silence() {
            self.silent_since = None;
        }
    }

    /// Whether the last look at health is younger than `refresh`, or asking for one is of no use.
    fn is_fresh(&self, refresh: Duration, now: Instant) -> bool {
        let younger = |at: Instant, than: Duration| now - at < than;
        self.stage != Stage::Running
            || self.asleep
            || self.seen.as_ref().is_some_and(|(_, at)| younger(*at, refresh))
            || self.failed_at.is_some_and(|at| younger(at, RETRY))
    }

    /// Whether a look at health was answered, or failed, since then.
    fn looked_since(&self, then: Instant) -> bool {
        let since = |at: Instant| at >= then;
        self.stage != Stage::Running
            || self.seen.as_ref().is_some_and(|(_, at)| since(*at))
            || self.failed_at.is_some_and(since)
    }
}

/// What outsiders hold.
#[derive(Debug, Clone)]
pub struct State {
    pending: Arc<Mutex<Pending>>,
    /// Wakes the agent; closed once it has ended.
    bell: mpsc::Sender<()>,
    status: watch::Receiver<Status>,
}

/// What the agent holds; there is one.
#[derive(Debug)]
pub struct Mailbox {
    pending: Arc<Mutex<Pending>>,
    bell: mpsc::Receiver<()>,
}

/// The agent's side of the status. Its clones are the agent's, too.
#[derive(Debug, Clone)]
pub struct Publisher(watch::Sender<Status>);

/// All ends.
pub fn channel() -> (State, Mailbox, Publisher) {
    let pending = Arc::new(Mutex::new(Pending::default()));
    let (ring, bell) = mpsc::channel(1);
    let (publisher, status) = watch::channel(Status::default());
    (State { pending: Arc::clone(&pending), bell: ring, status }, Mailbox { pending, bell }, Publisher(publisher))
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    // Nothing in it can be half done.
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Asks the agent for something, at once and for certain: see [`Mailbox::next`]. Whether it can still hear.
    pub fn ask(&self, command: Command) -> bool {
        lock(&self.pending).add(command);
        // Full: it rings already.
        !matches!(self.bell.try_send(()), Err(mpsc::error::TrySendError::Closed(())))
    }

    /// The status as it is.
    pub fn status(&self) -> watch::Ref<'_, Status> {
        self.status.borrow()
    }

    /// Sees to it that the last look at health is younger than `refresh`, as far as that can be had within [`PROBE_PATIENCE`]. All
    /// who ask share one look.
    pub async fn refreshed(&self, refresh: Duration) {
        let asked = Instant::now();
        if self.status().is_fresh(refresh, asked) || !self.ask(Command::Refresh) {
            return;
        }
        // Late or never: the answer then is what is there.
        let _ = timeout(PROBE_PATIENCE, self.until(|status| status.looked_since(asked))).await;
    }

    /// Returns once more than `before` drains have ended, or the agent has.
    pub async fn drained(&self, before: u64) {
        self.until(|status| status.drains_ended > before).await;
    }

    /// Returns once a status is as wanted, or the agent has ended.
    pub async fn until(&self, wanted: impl FnMut(&Status) -> bool) {
        let _ = self.status.clone().wait_for(wanted).await;
    }
}

impl Mailbox {
    /// The next command; `None` when nobody is left who could ask. May be dropped while it waits.
    ///
    /// Requests that end the process, hurry or cancel a drain come first, in their order. However long nobody looks here, none is
    /// lost: what is asked for again before it was taken is taken once.
    pub async fn next(&mut self) -> Option<Command> {
        loop {
            if let Some(command) = lock(&self.pending).take() {
                return Some(command);
            }
            if self.bell.recv().await.is_none() {
                return lock(&self.pending).take();
            }
        }
    }
}

impl Publisher {
    /// Changes the status and wakes whoever waits for that.
    pub fn publish(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(|status| {
            let before = status.stage;
            change(status);
            if status.stage != before {
                status.stage_since = Some(Instant::now());
            }
        });
    }

    /// Changes what nobody waits for.
    pub fn note(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_if_modified(|status| {
            change(status);
            false
        });
    }

    /// The status as it is.
    pub fn status(&self) -> watch::Ref<'_, Status> {
        self.0.borrow()
    }
}
