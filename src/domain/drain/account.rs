//! The books of one way down: who was there, how they went, and how long each step took.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::{BATCH, Before, Limits, Look};

/// The bound of everything once it was asked for twice.
pub(super) const HURRY: Duration = Duration::from_secs(1);

/// Where on the way down, for people and machines to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Finding out who is connected.
    Looking,
    /// Waiting for endpoints to stop routing here.
    Propagating,
    /// Closing the listener.
    Pausing,
    /// Waiting for clients to finish, evicting idle ones.
    Emptying,
    /// Opening the listener again.
    Resuming,
    /// Stopping `ProxySQL`.
    ShuttingDown,
    /// No more steps.
    Over,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Looking,
        Self::Propagating,
        Self::Pausing,
        Self::Emptying,
        Self::Resuming,
        Self::ShuttingDown,
        Self::Over,
    ];

    /// The word that answers and logs have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Looking => "looking",
            Self::Propagating => "propagating",
            Self::Pausing => "pausing",
            Self::Emptying => "emptying",
            Self::Resuming => "resuming",
            Self::ShuttingDown => "shutting_down",
            Self::Over => "over",
        }
    }
}

/// How a way down ended, or why `ProxySQL` is being stopped now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// No client was left.
    Empty,
    /// Clients were left at `drain_timeout`, and cut.
    DrainTimeout,
    /// Something hung until `shutdown_timeout`.
    ShutdownTimeout,
    /// It was asked for twice.
    Hurried,
    /// `ProxySQL` was not there any more.
    Gone,
    /// `ProxySQL` had never answered.
    NeverReached,
    /// It was undone.
    Cancelled,
}

impl Ending {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::DrainTimeout,
        Self::ShutdownTimeout,
        Self::Hurried,
        Self::Gone,
        Self::NeverReached,
        Self::Cancelled,
    ];

    /// The word that answers and logs have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::DrainTimeout => "drain_timeout",
            Self::ShutdownTimeout => "shutdown_timeout",
            Self::Hurried => "hurried",
            Self::Gone => "gone",
            Self::NeverReached => "never_reached",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What the way down remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Whether `ProxySQL` had answered before.
    pub(super) reached: bool,
    /// What was known of clients at the start. Their number is the most there were before the first eviction.
    pub(super) before: Before,
    /// Clients at the last look, but for those who were told to go.
    pub(super) remaining: u64,
    pub(super) evicted: u64,
    /// Sessions that were told to go. They can do nothing more, and are seen until `ProxySQL` has got round to them.
    told: BTreeSet<u64>,
    /// When all of it is over, whatever hangs.
    pub(super) over_at: Duration,
    pub(super) hurried: bool,
    pub(super) ending: Option<Ending>,
    notes: Vec<&'static str>,
    step: Step,
    since: Duration,
    spent: Seconds,
}

impl Account {
    pub(super) fn open(at: Duration, limits: &Limits, reached: bool, known: Option<Before>) -> Self {
        let mut account = Self {
            reached,
            before: Before { lists_idle: true, ..Before::default() },
            remaining: 0,
            evicted: 0,
            told: BTreeSet::new(),
            over_at: at + limits.shutdown_timeout,
            hurried: false,
            ending: None,
            notes: Vec::new(),
            step: Step::Looking,
            since: at,
            spent: Seconds::default(),
        };
        if let Some(before) = known {
            account.learn(before);
        }
        account
    }

    pub(super) fn learn(&mut self, before: Before) {
        self.before = Before { served: self.before.served || before.served, ..before };
        self.remaining = before.clients;
    }

    pub(super) fn look(&mut self, look: &Look) {
        if self.evicted == 0 {
            self.before.clients = self.before.clients.max(look.clients);
        }
        let going = look.sessions.len() - self.untold(&look.sessions).count();
        self.remaining = look.clients.saturating_sub(going as u64);
        if look.paused == Some(false) {
            self.add_note("the listener was not seen to be paused");
        }
        if !self.before.lists_idle && look.clients > 0 {
            self.add_note(
                "idle sessions are not listed, so none is evicted: mysql-session_idle_show_processlist is off",
            );
        }
    }

    /// Up to `share` of these sessions, but for those that were told before.
    pub(super) fn batch(&mut self, sessions: &[u64], share: u64) -> Vec<u64> {
        let most = usize::try_from(share).unwrap_or(BATCH).min(BATCH);
        let batch: Vec<u64> = self.untold(sessions).take(most).collect();
        self.told.extend(&batch);
        batch
    }

    /// Those of these sessions that were not told to go.
    pub(super) fn untold<'a>(&'a self, sessions: &'a [u64]) -> impl Iterator<Item = u64> + 'a {
        sessions.iter().copied().filter(|id| !self.told.contains(id))
    }

    /// Whether the last batch was told is not known: all may be told again.
    pub(super) fn forget_batches(&mut self) {
        self.told.clear();
    }

    pub(super) fn hurry(mut self, at: Duration) -> Self {
        self.hurried = true;
        self.over_at = self.over_at.min(at + HURRY);
        self
    }

    pub(super) fn close(&mut self, ending: Ending) {
        self.ending = Some(ending);
    }

    pub(super) fn note(mut self, note: &'static str) -> Self {
        self.add_note(note);
        self
    }

    fn add_note(&mut self, note: &'static str) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn enter(mut self, step: Step, at: Duration) -> Self {
        self.spent.add(self.step, at.saturating_sub(self.since));
        self.step = step;
        self.since = at;
        self
    }

    /// The books as of `at`, for the log and for answers.
    pub fn progress(&self, at: Duration) -> Progress {
        let mut seconds = self.spent;
        seconds.add(self.step, at.saturating_sub(self.since));
        let not_evicted = self.before.clients.saturating_sub(self.evicted);
        // A session that was told to go may have been counted once more.
        let still_here = self.remaining.min(not_evicted);
        Progress {
            step: self.step,
            ended: (self.step == Step::Over).then_some(self.ending).flatten(),
            clients: self.before.clients,
            remaining: if self.cuts() { 0 } else { still_here },
            evicted: self.evicted,
            finished: not_evicted - still_here,
            cut: if self.cuts() { still_here } else { 0 },
            seconds,
            notes: self.notes.clone(),
        }
    }

    /// Whether those who remain are not waited for any more.
    fn cuts(&self) -> bool {
        matches!(self.step, Step::ShuttingDown | Step::Over) && self.ending != Some(Ending::Cancelled)
    }
}

/// A drain as the answers show it: under way, or its report. `clients` is always the sum of `remaining`, `evicted`, `finished` and
/// `cut`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The step that is under way.
    pub step: Step,
    /// How it ended; null while it is under way.
    pub ended: Option<Ending>,
    /// Logged-in clients at the start.
    pub clients: u64,
    /// Those who are still connected and waited for.
    pub remaining: u64,
    /// Those whose idle session was ended.
    pub evicted: u64,
    /// Those who went by themselves.
    pub finished: u64,
    /// Those who were still connected when `ProxySQL` was stopped.
    pub cut: u64,
    /// What the steps have taken so far.
    pub seconds: Seconds,
    /// What did not go as it should.
    pub notes: Vec<&'static str>,
}

/// Time by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Seconds {
    /// Looking who is there, and waiting for endpoints to stop routing here.
    #[serde(serialize_with = "in_seconds")]
    pub propagation: Duration,
    /// `PROXYSQL PAUSE`, or RESUME.
    #[serde(serialize_with = "in_seconds")]
    pub pause: Duration,
    /// Clients finishing.
    #[serde(serialize_with = "in_seconds")]
    pub drain: Duration,
    /// `PROXYSQL SHUTDOWN`.
    #[serde(serialize_with = "in_seconds")]
    pub shutdown: Duration,
    /// All of it.
    #[serde(serialize_with = "in_seconds")]
    pub total: Duration,
}

impl Seconds {
    fn add(&mut self, step: Step, time: Duration) {
        match step {
            Step::Looking | Step::Propagating => self.propagation += time,
            Step::Pausing | Step::Resuming => self.pause += time,
            Step::Emptying => self.drain += time,
            Step::ShuttingDown => self.shutdown += time,
            Step::Over => return,
        }
        self.total += time;
    }
}

/// To the millisecond.
fn in_seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let rounded = Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    serializer.serialize_f64(rounded.as_secs_f64())
}
