//! What the rounds of both modes share: observing, applying, and the spacing between loads.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Proxysql;
use super::drain::UndoError;
use crate::domain::observation::{Observation, Unreadable};
use crate::domain::statement::{Module, Plan, Statement};
use crate::domain::tally::Count;
use crate::edge::admin::{AdminError, Answer};

/// The least time between two loads of a module on a node. Epochs count whole seconds: two loads within one of them, with a
/// peer's pull between, leave the nodes apart for good, for neither content is the newer.
pub(super) const SPACING: Duration = Duration::from_millis(1100);

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
    Undo(#[from] UndoError),
}

/// When each module was loaded last, by this agent.
#[derive(Debug, Default)]
pub(super) struct Spacing {
    loaded: BTreeMap<Module, Instant>,
}

impl Spacing {
    /// When `plan` may be applied, if that is not now.
    pub(super) fn wait_for(&self, plan: &Plan) -> Option<Instant> {
        let free = plan.loads().filter_map(|module| self.loaded.get(&module)).max().map(|at| *at + SPACING)?;
        (free > Instant::now()).then_some(free)
    }

    /// Sends the statements of a plan, in order, and gives the rows that each says it changed.
    pub(super) async fn apply<P: Proxysql>(&mut self, plan: &Plan, admin: &mut P) -> Result<Vec<u64>, AdminError> {
        let mut affected = Vec::with_capacity(plan.statements().len());
        for statement in plan.statements() {
            if let Some(module) = statement.loads() {
                // Before it is sent: of a load without an answer nobody knows whether it happened.
                self.loaded.insert(module, Instant::now());
            }
            affected.push(admin.run(statement).await?.affected);
        }
        let module = plan.loads().next().unwrap_or(Module::ProxysqlServers);
        admin.count(Count::Plan(module));
        // A load that took long must not be followed too closely either.
        for module in plan.loads() {
            self.loaded.insert(module, Instant::now());
        }
        Ok(affected)
    }
}

/// Types the answer to an observation, and shows it.
pub(super) fn read<P: Proxysql>(answer: &Answer, admin: &P) -> Result<Observation, RoundError> {
    let seen = Observation::read(&answer.rows)?;
    admin.saw(&seen);
    Ok(seen)
}

/// Reads the admin tables.
pub(super) async fn observe<P: Proxysql>(admin: &mut P) -> Result<Observation, RoundError> {
    let answer = admin.run(&Statement::Observe).await?;
    read(&answer, admin)
}
