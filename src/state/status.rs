//! What is known of `ProxySQL` and of the agent's work, for who may read it. [`StatusWriter`](super::StatusWriter) changes it.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::counters::Counters;
use crate::domain::drain::{Phase, Progress};
use crate::domain::health::{Contact, HealthInput, Obstacle, Snapshot};
use crate::domain::proxysql::observation::Observation;
use crate::domain::reconcile_report::ReconcileReport;

/// A refresh that failed is not asked for again within this long.
const RETRY: Duration = Duration::from_millis(250);

/// The status as it is at one moment. To be read only.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub(super) looks: Looks,
    pub(super) answers: Answers,
    pub(super) lifecycle: Lifecycle,
    /// `start_delay` is not over: nothing is asked of `ProxySQL`.
    pub(super) asleep: bool,
    pub(super) observed: Option<(Observation, Instant)>,
    pub(super) report: ReconcileReport,
    pub(super) counters: Counters,
}

/// The looks at health.
#[derive(Debug, Clone, Default)]
pub(super) struct Looks {
    pub(super) seen: Option<(Snapshot, Instant)>,
    /// When a look last failed.
    pub(super) failed_at: Option<Instant>,
}

/// How statements are answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    last_at: Option<Instant>,
    /// Whether `ProxySQL` has ever answered anything, be it by refusing the login.
    heard: bool,
    /// The first question since the last answer that has none.
    unanswered_since: Option<Instant>,
    /// The first question that `ProxySQL` met with silence since it last gave any sign, and since the agent last failed to ask.
    silent_since: Option<Instant>,
    /// What was in the way of the last question; `None` once `ProxySQL` answers again.
    obstacle: Option<Obstacle>,
    /// What the last failure was, in words; `None` once `ProxySQL` answers again.
    pub(super) trouble: Option<String>,
}

/// How far down the way, and the drains.
#[derive(Debug, Clone, Default)]
pub(super) struct Lifecycle {
    pub(super) stage: Phase,
    /// When that began; `None` where it is the first.
    pub(super) stage_since: Option<Instant>,
    pub(super) drain: Option<Progress>,
    pub(super) drains_ended: u64,
}

impl Status {
    /// The last look at health, and when it was answered.
    pub fn seen(&self) -> Option<&(Snapshot, Instant)> {
        self.looks.seen.as_ref()
    }

    /// Whether a look at health was ever answered, or failed.
    pub fn has_looked(&self) -> bool {
        self.looks.seen.is_some() || self.looks.failed_at.is_some()
    }

    /// When `ProxySQL` last answered anything.
    pub fn answered_at(&self) -> Option<Instant> {
        self.answers.last_at
    }

    /// What the last failure was, in words; `None` once `ProxySQL` answers again.
    pub fn trouble(&self) -> Option<&str> {
        self.answers.trouble.as_deref()
    }

    /// How far down the way.
    pub fn stage(&self) -> Phase {
        self.lifecycle.stage
    }

    /// When that began; `None` where it is the first.
    pub fn stage_since(&self) -> Option<Instant> {
        self.lifecycle.stage_since
    }

    /// The drain that is under way, or the last one.
    pub fn drain(&self) -> Option<&Progress> {
        self.lifecycle.drain.as_ref()
    }

    /// How many drains have ended, in whatever way.
    pub fn drains_ended(&self) -> u64 {
        self.lifecycle.drains_ended
    }

    /// The last observation of a round, and when it was answered.
    pub fn observed(&self) -> Option<&(Observation, Instant)> {
        self.observed.as_ref()
    }

    /// How the last round left things.
    pub fn report(&self) -> &ReconcileReport {
        &self.report
    }

    /// What was counted since the agent started.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How `ProxySQL` answers, as of `now`.
    pub fn contact(&self, now: Instant) -> Contact {
        self.answers.contact(now)
    }

    /// What a verdict needs, as of `now`.
    pub fn known(&self, now: Instant) -> HealthInput<'_> {
        HealthInput {
            snapshot: self.seen().map(|(snapshot, _)| snapshot),
            age: self.seen().map(|(_, at)| now - *at),
            contact: self.contact(now),
            silence: self.answers.silent_since.map_or(Duration::ZERO, |since| now - since),
            trouble: self.trouble(),
            stage: self.stage(),
            drain: self.drain(),
        }
    }

    /// Whether the last look at health is younger than `refresh`, or asking for one is of no use.
    pub(super) fn is_fresh(&self, refresh: Duration, now: Instant) -> bool {
        let younger = |at: Instant, than: Duration| now - at < than;
        self.stage() != Phase::Running
            || self.asleep
            || self.seen().is_some_and(|(_, at)| younger(*at, refresh))
            || self.looks.failed_at.is_some_and(|at| younger(at, RETRY))
    }

    /// Whether a look at health was answered, or failed, since then.
    pub(super) fn looked_since(&self, then: Instant) -> bool {
        let since = |at: Instant| at >= then;
        self.stage() != Phase::Running
            || self.seen().is_some_and(|(_, at)| since(*at))
            || self.looks.failed_at.is_some_and(since)
    }
}

impl Answers {
    fn contact(&self, now: Instant) -> Contact {
        let silence = self.unanswered_since.map_or(Duration::ZERO, |since| now - since);
        match self.obstacle {
            Some(Obstacle::Agent) => Contact::Unable(silence),
            Some(Obstacle::Login) => Contact::Barred(silence),
            _ if !self.heard => Contact::Never,
            Some(Obstacle::Gone) => Contact::Gone(silence),
            _ => Contact::Answering(silence),
        }
    }

    /// A question was sent, or is about to be.
    pub(super) fn asks(&mut self, now: Instant) {
        self.unanswered_since.get_or_insert(now);
        self.silent_since.get_or_insert(now);
    }

    /// It was answered, be it with an `ERR`.
    pub(super) fn answers(&mut self, now: Instant) {
        *self = Self { last_at: Some(now), heard: true, ..Self::default() };
    }

    /// It was not: this was in the way.
    pub(super) fn fails(&mut self, obstacle: Obstacle) {
        self.obstacle = Some(obstacle);
        self.heard |= obstacle == Obstacle::Login;
        if !obstacle.is_silence() {
            self.silent_since = None;
        }
    }
}
