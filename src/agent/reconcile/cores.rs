//! The cores as discovery tells of them, and this one among them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::domain::cluster::election::Election;
use crate::domain::cluster::generation::Standing;
use crate::domain::cluster::member::Members;
use crate::domain::discovery::roster::{Discovery, Freshness, Roster};

/// How long a core waits for its first list of pods before it publishes without knowing who else there is.
const FIRST_LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// What this core knows of the cores.
#[derive(Debug)]
pub(super) struct Cores {
    port: u16,
    own_pod: Option<String>,
    roster: watch::Receiver<Roster>,
    /// Has the pods looked for anew, where another list than theirs is in effect.
    recheck: Arc<Notify>,
    /// The pods as this pass sees them.
    found: Roster,
    began: Instant,
    /// The place of this core in the rollout as it was last decided: an empty answer changes nothing about it.
    decided: Option<Standing>,
}

impl Cores {
    /// Cores whose members listen on `port`, and among which this one has the name `own_pod`.
    pub(super) fn new(
        port: u16,
        own_pod: Option<String>,
        (roster, recheck): (watch::Receiver<Roster>, Arc<Notify>),
    ) -> Self {
        Self { port, own_pod, roster, recheck, found: Roster::default(), began: Instant::now(), decided: None }
    }

    /// A pass begins: it goes by what is known now.
    pub(super) fn update(&mut self) {
        self.found = self.roster.borrow_and_update().clone();
        if let Some(addresses) = self.found.addresses() {
            self.own_pod = addresses.own();
        }
    }

    /// Who acts in this pass.
    pub(super) fn elect(&mut self, now: Instant) -> Election {
        let standing = self.standing(now);
        if matches!(standing, Standing::Newest { .. } | Standing::Older { .. }) {
            self.decided = Some(standing.clone());
        }
        Election::new(self.members().unwrap_or_default(), self.own_pod.as_deref(), standing)
    }

    /// Where this core stands among the generations of pods. Ignorance lasts only so long: without the API server there is no
    /// rollout to be wrong about.
    ///
    /// An empty answer is ignorance, too: what was known before it holds.
    pub(super) fn standing(&self, now: Instant) -> Standing {
        if self.found.is_empty()
            && let Some(last) = &self.decided
        {
            return last.clone();
        }
        let is_early = now.saturating_duration_since(self.began) < FIRST_LIST_TIMEOUT;
        let known = self.found.standing(self.own_pod.as_deref());
        known.unwrap_or(if is_early { Standing::Undecided } else { Standing::Unknown })
    }

    /// The pods as this pass sees them.
    pub(super) fn found(&self) -> &Roster {
        &self.found
    }

    /// This core's pod; `None` where it does not know.
    pub(super) fn own_pod(&self) -> Option<&str> {
        self.own_pod.as_deref()
    }

    /// The rows that these cores make; `None` while they are not known.
    pub(super) fn members(&self) -> Option<Members> {
        self.found.members(self.port)
    }

    /// The same, unless there are none or others may know better.
    pub(super) fn desired(&self) -> Option<Members> {
        let is_known = self.found.freshness() != Freshness::Stale;
        self.members().filter(|members| is_known && !members.is_empty())
    }

    /// What this core's row in the list of members has for a comment; `None` where cores are known by address alone.
    pub(super) fn listed_as(&self) -> Option<String> {
        self.own_pod.clone().filter(|_| self.roster.borrow().addresses().is_none())
    }

    /// How the search for them goes.
    pub(super) fn discovery(&self) -> Discovery {
        self.roster.borrow().discovery()
    }

    /// Has them looked for anew.
    pub(super) fn look_anew(&self) {
        self.recheck.notify_one();
    }

    /// Whether they are the same as when this pass began.
    pub(super) fn are_unchanged(&self) -> bool {
        !self.roster.has_changed().unwrap_or(false)
    }

    /// Ends when they have changed.
    pub(super) async fn changed(&mut self) {
        if self.roster.changed().await.is_err() {
            // The watch has ended; so will the process.
            std::future::pending::<()>().await;
        }
    }
}
