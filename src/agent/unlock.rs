//! Modules at version 1: for how long they have been so, and the one load that lets others pull them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::Proxysql;
use super::draft::{claim, release};
use super::round::{Next, RoundError, SPACING, Spacing, observe};
use crate::domain::cluster::election::{Content, Election};
use crate::domain::cluster::member::Member;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::{Module, Plan, Statement, Worker};

/// How long a `ProxySQL` that does not even reach itself is given to begin to ask its peers.
const FIRST_CHECK: Duration = Duration::from_secs(10);

/// What is remembered of modules at version 1 between rounds.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    since: BTreeMap<Module, Instant>,
    /// Since when `ProxySQL` asks the members of its list, this node among them, how they are.
    checking: Option<Instant>,
}

impl Blocked {
    /// Takes note of what is at version 1. `own` is this node's row.
    pub(super) fn note(&mut self, seen: &Observation, own: Option<&Member>) {
        let is_blocked = |module: &Module| seen.own(*module).is_some_and(|own| own.version == 1);
        self.since.retain(|module, _| is_blocked(module));
        for module in Module::all().filter(is_blocked) {
            self.since.entry(module).or_insert_with(Instant::now);
        }
        // On a machine that is slow, the others are reached as late as this node itself.
        let reaches_itself = own.is_none_or(|own| {
            let itself = seen.peers.iter().find(|peer| own.key() == (peer.hostname.as_str(), peer.port));
            itself.is_some_and(|peer| peer.updated_at.is_some())
        });
        self.checking = reaches_itself.then(|| self.checking.unwrap_or_else(Instant::now));
    }

    /// Those at version 1.
    pub(super) fn modules(&self) -> impl Iterator<Item = Module> + '_ {
        self.since.keys().copied()
    }

    /// For how long the module has been at version 1 while peers were asked how they are.
    pub(super) fn waited(&self, module: Module) -> Duration {
        let Some(since) = self.since.get(&module).map(Instant::elapsed) else { return Duration::ZERO };
        self.checking.map_or_else(|| since.saturating_sub(FIRST_CHECK), |checking| since.min(checking.elapsed()))
    }

    /// The waits as they are now, for decisions while modules are worked on.
    pub(super) fn waits(&self) -> BTreeMap<Module, Duration> {
        self.modules().map(|module| (module, self.waited(module))).collect()
    }
}

/// Loads what is in effect, not what somebody is editing. The list of members is right in memory.
pub(super) fn in_effect_again(module: Module) -> Plan {
    let plan = Plan::default();
    let plan = if module == Module::ProxysqlServers { plan } else { plan.then(Statement::SaveToMemory(module)) };
    plan.then(Statement::LoadToRuntime(module))
}

/// Loads a module once more, as it is in effect, unless memory is being worked on or it was loaded a moment ago; `None` if it was.
pub(super) async fn load_again<P: Proxysql>(
    module: Module,
    spacing: &mut Spacing,
    admin: &mut P,
) -> Result<Option<Next>, RoundError> {
    let plan = in_effect_again(module);
    if let Some(at) = spacing.wait_for(&plan) {
        spacing.waits(module, "it was loaded in this second");
        return Ok(Some(Next::At(at)));
    }
    if !claim(Worker::Agent, admin).await? {
        spacing.waits(module, "something else works on memory");
        return Ok(Some(Next::At(Instant::now() + SPACING)));
    }
    spacing.waits_no_more(module);
    let loaded = spacing.apply(&plan, admin).await;
    let released = release(admin).await;
    loaded?;
    released?;
    Ok(None)
}

/// Loads those of the modules whose turn it is by what is the case now: others may have been quicker since this round began.
pub(super) async fn unlock<P: Proxysql>(
    modules: impl IntoIterator<Item = Module>,
    election: &Election,
    blocked: &Blocked,
    spacing: &mut Spacing,
    admin: &mut P,
) -> Result<Next, RoundError> {
    let mut next = Next::Interval;
    for module in modules {
        let now = observe(admin).await?;
        spacing.note(&now);
        let is_blocked = now.own(module).is_some_and(|own| own.version == 1);
        if !is_blocked || !election.initial_load(&now, module, blocked.waited(module), Content::AtRuntime).acts() {
            continue;
        }
        if let Some(later) = load_again(module, spacing, admin).await? {
            next = next.min(later);
        } else {
            info!(%module, "loaded once, unchanged: at version 1 no node would pull it");
        }
    }
    Ok(next)
}
