//! Modules that this node and a peer loaded differently in the same second: whether this core loads them again.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::super::round::{Next, SPACING};
use super::Context;
use crate::domain::cluster::member::Members;
use crate::domain::discovery::discovered::Freshness;
use crate::domain::proxysql::statement::Module;

/// What the first of those that have a conflict in the list gets to load it once more.
const LASTING_CONFLICT: Duration = Duration::from_secs(5);

/// What is remembered of conflicts between passes.
#[derive(Debug, Default)]
pub(super) struct EpochConflicts {
    /// Those that the last pass saw and that are this core's to end. One that is seen twice is no peer's news on their way.
    seen: BTreeSet<Module>,
    /// Since when another member has another list of the same second, and how often the members had been heard of then.
    list: Option<(Instant, u64)>,
}

/// What to do about them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    /// What to load once more, as it is at runtime.
    pub(super) load: Vec<Module>,
    /// The cores are to be looked for anew.
    pub(super) recheck: bool,
    /// When to look again, if all these could be loaded.
    pub(super) next: Next,
}

impl EpochConflicts {
    /// What to do about the conflicts of this pass. `known` are the members that there should be.
    pub(super) fn decide(&mut self, context: &Context<'_>, known: &Members) -> Resolution {
        let Context { seen, cores, election, now, .. } = *context;
        if !election.publishing().acts() {
            // Its content is not the one that is to spread.
            return Resolution { load: Vec::new(), recheck: false, next: Next::Interval };
        }
        let conflicts = election.epoch_conflicts(seen);
        let mut mine: BTreeSet<Module> =
            conflicts.iter().filter(|(_, ruling)| ruling.acts()).map(|(module, _)| *module).collect();
        // Of two lists, the one that is right wins, and not the one of the first: that one's agent may not hear of pods.
        let in_list = conflicts.contains_key(&Module::ProxysqlServers);
        let heard = cores.heard;
        let recheck = in_list && self.list.is_none();
        self.list = self.list.filter(|_| in_list).or_else(|| in_list.then_some((now, heard)));
        let is_known_anew = self.list.is_some_and(|(_, before)| heard > before);
        let is_right = cores.freshness == Freshness::Fresh && is_known_anew && seen.runtime == *known;
        if !is_right {
            mine.remove(&Module::ProxysqlServers);
        } else if self.list.is_some_and(|(since, _)| now.saturating_duration_since(since) >= LASTING_CONFLICT) {
            mine.insert(Module::ProxysqlServers);
        }
        // A load in the very second of the conflict would be in conflict, too. One in the future is in no second that comes soon.
        let is_over = |module: &Module| seen.own(*module).is_some_and(|own| seen.clock != own.epoch);
        let load: Vec<Module> = mine.intersection(&self.seen).copied().filter(is_over).collect();
        self.seen = mine;
        let is_open = in_list || !self.seen.is_empty();
        let next = if is_open { Next::At(now + seen.check_interval.max(SPACING) * 2) } else { Next::Interval };
        Resolution { load, recheck, next }
    }

    /// All of these were loaded once more.
    pub(super) fn resolved(&mut self, modules: &[Module]) {
        self.seen.retain(|module| !modules.contains(module));
    }
}
