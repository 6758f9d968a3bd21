//! What the rounds of both modes share: observing, applying, and the spacing between loads.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

use super::proxysql::Tracked;
use crate::domain::counters::Count;
use crate::domain::proxysql::observation::{Observation, Unreadable};
use crate::domain::proxysql::spacing::Clock;
use crate::domain::proxysql::statement::{Module, Plan, Statement};
use crate::edge::admin::{AdminError, Answer};

/// After a load, what it came to is looked at no sooner than this: a peer's pull may have come between.
pub(super) const SPACING: Duration = Duration::from_millis(1100);
/// A wait that is longer than the end of a second is worth a word.
const WORTH_A_WORD: Duration = Duration::from_millis(2500);

/// When the next round is due, apart from news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An interval from now.
    Interval,
    /// Then, or an interval from now, whichever is first.
    At(Instant),
}

impl Next {
    /// The earlier of both.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one), Self::At(other)) => Self::At(one.min(other)),
            (Self::Interval, at) | (at, Self::Interval) => at,
        }
    }
}

/// Why a round did not end well.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// No answer, or a refusal.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// An answer that makes no sense.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// A drain that an earlier life of this agent had begun is not undone yet.
    #[error("cannot undo a drain that did not end: {0}")]
    Undo(String),
}

/// When each module was loaded last, and what waits to be.
///
/// Epochs count whole seconds: two loads of a module within one of them, with a peer's pull between, leave the nodes apart for good, for
/// neither content is the newer. So a load waits for the next second of `ProxySQL`'s clock, and no longer.
#[derive(Debug)]
pub(super) struct Spacing {
    began: Instant,
    clock: Clock,
    waiting: BTreeMap<Module, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    reason: &'static str,
    since: Instant,
    said: bool,
}

impl Default for Spacing {
    fn default() -> Self {
        Self { began: Instant::now(), clock: Clock::default(), waiting: BTreeMap::new() }
    }
}

impl Spacing {
    /// Takes note of `ProxySQL`'s clock, and of when each module was loaded by it.
    pub(super) fn note(&mut self, seen: &Observation) {
        self.clock.note(seen, self.began.elapsed());
    }

    /// When `plan` may be applied, if that is not now.
    pub(super) fn wait_for(&self, plan: &Plan) -> Option<Instant> {
        let now = self.began.elapsed();
        let free = plan.loads().filter_map(|module| self.clock.free(module, now)).max()?;
        Some(self.began + free)
    }

    /// Sends the statements of a plan, in order, and gives the rows that each says it changed.
    pub(super) async fn apply<P: Tracked>(&mut self, plan: &Plan, admin: &mut P) -> Result<Vec<u64>, AdminError> {
        let mut affected = Vec::with_capacity(plan.statements().len());
        for statement in plan.statements() {
            let outcome = admin.run(statement).await;
            if let Some(module) = statement.loads() {
                // Of a load without an answer nobody knows whether it happened, nor when.
                self.clock.loaded(module, self.began.elapsed());
            }
            affected.push(outcome?.affected);
        }
        admin.count(Count::Plan(plan.loads().next().unwrap_or(Module::ProxysqlServers)));
        Ok(affected)
    }

    /// A load has to wait. Said once, if it is not over with this second.
    pub(super) fn waits(&mut self, module: Module, reason: &'static str) {
        let now = Instant::now();
        let waiting = self.waiting.entry(module).or_insert(Waiting { reason, since: now, said: false });
        if waiting.reason != reason {
            (waiting.reason, waiting.said) = (reason, false);
        }
        if !waiting.said && now - waiting.since >= WORTH_A_WORD {
            waiting.said = true;
            info!(%module, reason, "waiting to load");
        } else {
            debug!(%module, reason, "waiting to load");
        }
    }

    /// It waits no more.
    pub(super) fn waits_no_more(&mut self, module: Module) {
        let Some(Waiting { since, said, reason }) = self.waiting.remove(&module) else { return };
        let waited = format!("{:.1} s", since.elapsed().as_secs_f32());
        if said {
            info!(%module, reason, %waited, "wait ended");
        } else {
            debug!(%module, reason, %waited, "wait ended");
        }
    }
}

/// Types the answer to an observation, and shows it.
pub(super) fn read<P: Tracked>(answer: &Answer, admin: &mut P) -> Result<Observation, RoundError> {
    let mut seen = Observation::read(&answer.rows)?;
    admin.observed(&mut seen);
    Ok(seen)
}

/// Reads the admin tables.
pub(super) async fn observe<P: Tracked>(admin: &mut P) -> Result<Observation, RoundError> {
    let answer = admin.run(&Statement::Observe).await?;
    read(&answer, admin)
}
