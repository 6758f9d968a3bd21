//! The cores as discovery tells of them, and this one among them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::domain::cluster::election::Election;
use crate::domain::cluster::member::Members;
use crate::domain::cluster::rollout::RolloutState;
use crate::domain::discovery::discovered::{Discovered, DiscoveryHealth, Freshness};

/// How long a core waits for the first complete answer of discovery before it publishes without knowing which other cores there are.
const FIRST_LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// What discovery has told, and how to have it look again at once.
#[derive(Debug)]
pub struct Discovery {
    /// What it has told last.
    pub told: watch::Receiver<Discovered>,
    /// Has it look again.
    pub recheck: Arc<Notify>,
}

/// What this core knows of the cores.
#[derive(Debug)]
pub(super) struct Cores {
    discovery: Discovery,
    /// The cores as this pass sees them.
    found: Discovered,
    began: Instant,
}

impl Cores {
    /// Cores that `discovery` tells of.
    pub(super) fn new(discovery: Discovery) -> Self {
        let found = discovery.told.borrow().clone();
        Self { discovery, found, began: Instant::now() }
    }

    /// A pass begins: it goes by what is known now.
    pub(super) fn update(&mut self) {
        self.found.clone_from(&self.discovery.told.borrow_and_update());
    }

    /// Who acts in this pass.
    pub(super) fn elect(&self, now: Instant) -> Election {
        let members = self.found.members.clone().unwrap_or_default();
        Election::new(members, self.own(), self.rollout_state(now))
    }

    /// Where this core stands in the rollout. Ignorance lasts only so long: without the API server there is no rollout to be wrong
    /// about.
    pub(super) fn rollout_state(&self, now: Instant) -> RolloutState {
        let is_early = now.saturating_duration_since(self.began) < FIRST_LIST_TIMEOUT;
        let unknown = if is_early { RolloutState::Undecided } else { RolloutState::Unknown };
        self.found.rollout.clone().unwrap_or(unknown)
    }

    /// The cores as this pass sees them.
    pub(super) fn found(&self) -> &Discovered {
        &self.found
    }

    /// The comment of this core's row; `None` where it does not know.
    pub(super) fn own(&self) -> Option<&str> {
        self.found.own.as_deref()
    }

    /// The rows that these cores make; `None` while they are not known.
    pub(super) fn members(&self) -> Option<Members> {
        self.found.members.clone()
    }

    /// The same, unless there are none or others may know better.
    pub(super) fn desired(&self) -> Option<Members> {
        let is_known = self.found.freshness != Freshness::Stale;
        self.members().filter(|members| is_known && !members.is_empty())
    }

    /// What this core's row in the member list has for a comment; `None` where cores are known by address alone.
    pub(super) fn listed_as(&self) -> Option<String> {
        self.found.own.clone().filter(|_| self.found.has_names)
    }

    /// How discovery goes.
    pub(super) fn health(&self) -> DiscoveryHealth {
        self.discovery.told.borrow().health
    }

    /// Has discovery look again.
    pub(super) fn look_again(&self) {
        self.discovery.recheck.notify_one();
    }

    /// Whether they are the same as when this pass began.
    pub(super) fn are_unchanged(&self) -> bool {
        !self.discovery.told.has_changed().unwrap_or(false)
    }

    /// Ends when they have changed.
    pub(super) async fn changed(&mut self) {
        if self.discovery.told.changed().await.is_err() {
            // Discovery has ended; so will the process.
            std::future::pending::<()>().await;
        }
    }
}
