//! What signals and HTTP share: a sender of commands, and a view of what the agent publishes.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::domain::drain::{Progress, Stage};
use crate::domain::health::{Contact, Known, Snapshot};
use crate::domain::observation::Observation;
use crate::domain::situation::Situation;
use crate::domain::tally::Tally;

/// Commands on their way. A full box means that the same is under way already.
const MAILBOX: usize = 16;
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
    /// The first question since then that has no answer.
    pub unanswered_since: Option<Instant>,
    /// Nobody listened at the admin port when it was last tried.
    pub gone: bool,
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
        match self.answered_at {
            None => Contact::Never,
            Some(_) if self.gone => Contact::Gone(silence),
            Some(_) => Contact::Answering(silence),
        }
    }

    /// What a verdict needs, as of `now`.
    pub fn known(&self, now: Instant) -> Known<'_> {
        Known {
            snapshot: self.seen.as_ref().map(|(snapshot, _)| snapshot),
            age: self.seen.as_ref().map(|(_, at)| now - *at),
            contact: self.contact(now),
            stage: self.stage,
            drain: self.drain.as_ref(),
        }
    }

    /// A question was sent, or is about to be.
    pub fn asks(&mut self, now: Instant) {
        self.unanswered_since.get_or_insert(now);
    }

    /// It was answered, be it with an `ERR`.
    pub fn answers(&mut self, now: Instant) {
        self.answered_at = Some(now);
        self.unanswered_since = None;
        self.gone = false;
        self.trouble = None;
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
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
}

/// What the agent holds; there is one.
#[derive(Debug)]
pub struct Mailbox {
    commands: mpsc::Receiver<Command>,
}

/// The agent's side of the status. Its clones are the agent's, too.
#[derive(Debug, Clone)]
pub struct Publisher(watch::Sender<Status>);

/// All ends.
pub fn channel() -> (State, Mailbox, Publisher) {
    let (sender, commands) = mpsc::channel(MAILBOX);
    let (publisher, status) = watch::channel(Status::default());
    (State { commands: sender, status }, Mailbox { commands }, Publisher(publisher))
}

impl State {
    /// Asks the agent for something. Whether it can still hear.
    pub fn ask(&self, command: Command) -> bool {
        // Full: the same is under way already, or will be as soon as the box is read.
        !matches!(self.commands.try_send(command), Err(mpsc::error::TrySendError::Closed(_)))
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
    /// The next command; `None` when nobody is left who could ask.
    pub async fn next(&mut self) -> Option<Command> {
        self.commands.recv().await
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
