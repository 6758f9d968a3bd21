//! Modules at version 1, which no node syncs: for how long they have been so, and whether this core loads them once.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::Context;
use crate::domain::cluster::election::{Content, Ruling};
use crate::domain::cluster::member::Member;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::Module;

/// How long a `ProxySQL` that does not even reach itself is given to begin to ask its peers.
const FIRST_CHECK: Duration = Duration::from_secs(10);

/// What is remembered of modules at version 1 between passes.
#[derive(Debug, Default)]
pub(super) struct InitialLoads {
    since: BTreeMap<Module, Instant>,
    /// Since when `ProxySQL` asks the members of its list, this node among them, how they are.
    checking: Option<Instant>,
}

impl InitialLoads {
    /// Takes note of what is at version 1. `own` is this node's row.
    pub(super) fn note(&mut self, seen: &Observation, own: Option<&Member>, now: Instant) {
        let is_at_version_1 = |module: &Module| is_at_version_1(seen, *module);
        self.since.retain(|module, _| is_at_version_1(module));
        for module in Module::all().filter(is_at_version_1) {
            self.since.entry(module).or_insert(now);
        }
        // On a machine that is slow, the others are reached as late as this node itself.
        let reaches_itself = own.is_none_or(|own| {
            let itself = seen.peers.iter().find(|peer| own.key() == peer.key());
            itself.is_some_and(|peer| peer.updated_at.is_some())
        });
        self.checking = reaches_itself.then(|| self.checking.unwrap_or(now));
    }

    /// For how long the module has been at version 1 while peers were asked how they are.
    pub(super) fn waited(&self, module: Module, now: Instant) -> Duration {
        let elapsed = |since: Instant| now.saturating_duration_since(since);
        let Some(since) = self.since.get(&module).copied().map(elapsed) else { return Duration::ZERO };
        self.checking.map_or_else(|| since.saturating_sub(FIRST_CHECK), |checking| since.min(elapsed(checking)))
    }

    /// The waits as they are now, for decisions while modules are worked on.
    pub(super) fn waits(&self, now: Instant) -> BTreeMap<Module, Duration> {
        self.since.keys().map(|module| (*module, self.waited(*module, now))).collect()
    }

    /// What to do about each module that is at version 1 here and is meant to spread. The list of members may be loaded by any core; the
    /// others by none of an older revision, and not before the file was found in effect.
    pub(super) fn decide(&self, context: &Context<'_>) -> BTreeMap<Module, Ruling> {
        let is_meant =
            |module: &Module| *module == Module::ProxysqlServers || context.seen.published.contains_key(module);
        let modules = self.since.keys().copied().filter(is_meant);
        modules.map(|module| (module, self.ruling(module, context))).collect()
    }

    /// Whether a module that this core was to load still is by this observation: others may have been quicker.
    pub(super) fn is_due(&self, module: Module, context: &Context<'_>) -> bool {
        is_at_version_1(context.seen, module) && self.ruling(module, context).acts()
    }

    fn ruling(&self, module: Module, context: &Context<'_>) -> Ruling {
        let waited = self.waited(module, context.now);
        context.election.initial_load(context.seen, module, waited, Content::AtRuntime)
    }
}

fn is_at_version_1(seen: &Observation, module: Module) -> bool {
    seen.own(module).is_some_and(|own| own.version == 1)
}
