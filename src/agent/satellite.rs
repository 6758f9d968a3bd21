//! One round of a satellite: `ProxySQL` follows the cores by itself; the agent acts only when no core of its list answers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::peers::Peers;
use super::proxysql::Tracked;
use super::resync::{is_unsyncable, out_of_sync, resync};
use super::round::{Next, RoundError, SPACING, Spacing, observe};
use crate::domain::cluster::drift::DriftClass;
use crate::domain::cluster::hearing;
use crate::domain::cluster::sync_state::{Isolation, SyncState};
use crate::domain::proxysql::observation::{Observation, Peer};
use crate::domain::proxysql::statement::{Module, Plan, Statement};
use crate::domain::reconcile_report::ReconcileReport;

/// A satellite that nobody answers looks again after this long, if its interval is longer. Longer waits would not count as silence.
const SILENT_RETRY: Duration = hearing::MOST_GAP;

/// What the cores get to end a tie among themselves, which ends it here, too.
const LASTING_TIE: Duration = Duration::from_secs(5);

/// What a satellite's agent remembers between rounds; `ProxySQL` holds the rest.
#[derive(Debug)]
pub struct Satellite {
    bootstrap: String,
    spacing: Spacing,
    isolation: Isolation,
    /// How the list stood in the last round that said so.
    said: Option<SyncState>,
    peers: Peers,
    /// Modules that are to be taken over from the cores again where they do not sync by themselves.
    again: BTreeSet<Module>,
    /// What is tied with a core's, and since when.
    tied: BTreeMap<Module, Instant>,
}

impl Satellite {
    /// A satellite that boots with a row of the hostname `bootstrap`.
    pub fn new(bootstrap: String) -> Self {
        Self {
            bootstrap,
            spacing: Spacing::default(),
            isolation: Isolation::default(),
            said: None,
            peers: Peers::new(),
            again: BTreeSet::new(),
            tied: BTreeMap::new(),
        }
    }

    /// The next round follows the cores in everything.
    pub(super) fn restore_again(&mut self) {
        self.again.extend(Module::all());
    }

    /// The next round follows the cores in their variables. A drain that was undone has loaded those of this node, which made them newer
    /// than what a core may have loaded meanwhile.
    pub(super) fn follow_variables_again(&mut self) {
        self.again.extend(Module::all().filter(|module| module.is_variables()));
    }

    /// What the status shows: how the last round left things.
    pub(super) fn report(&self) -> ReconcileReport {
        ReconcileReport { drift: self.peers.drift(), following: self.said, ..ReconcileReport::default() }
    }

    pub(super) async fn round<P: Tracked>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        let mut seen = self.observe(admin).await?;
        let mut sync_state = self.isolation.judge(&seen, &self.bootstrap);
        if sync_state != SyncState::Connected && self.said != Some(sync_state) {
            // One look may come from a moment in which ProxySQL fills its tables: rows are missing then, if not all of them.
            seen = self.observe(admin).await?;
            sync_state = self.isolation.judge(&seen, &self.bootstrap);
        }
        if self.said.replace(sync_state) != Some(sync_state) {
            say(sync_state, seen.runtime.len());
        }
        match sync_state {
            SyncState::Connected => {
                let looked = self.peers.look(&seen, None);
                let next = if self.again.is_empty() {
                    self.resolve_epoch_conflicts(&seen, admin).await?
                } else {
                    let wanted = self.again.clone();
                    let is_wanted = |module, class: &DriftClass| is_unsyncable(class) && wanted.contains(&module);
                    let next = self.follow(&seen, is_wanted, admin).await?;
                    // What could not be loaded yet is tried again.
                    if next == Next::Interval {
                        self.again.clear();
                    }
                    next
                };
                self.peers.ask_for_version(admin).await?;
                Ok(next.min(looked))
            }
            SyncState::Silent => Ok(Next::At(Instant::now() + SILENT_RETRY)),
            SyncState::Restored => Ok(Next::Interval),
            SyncState::Isolated => self.restore(&seen, admin).await,
        }
    }

    async fn observe<P: Tracked>(&mut self, admin: &mut P) -> Result<Observation, RoundError> {
        let seen = observe(admin).await?;
        self.spacing.note(&seen);
        Ok(seen)
    }

    /// Copies from the cores what is out of sync, if two looks in succession agree on that.
    async fn follow<P: Tracked>(
        &mut self,
        seen: &Observation,
        stray: impl Fn(Module, &DriftClass) -> bool,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let again = self.observe(admin).await?;
        let (first, second) = (out_of_sync(seen, &stray), out_of_sync(&again, &stray));
        let keys = |found: &[(Module, &Peer)]| -> Vec<(Module, String, u16)> {
            found.iter().map(|(module, peer)| (*module, peer.hostname.clone(), peer.port)).collect()
        };
        if keys(&first) != keys(&second) {
            return Ok(Next::At(Instant::now() + SPACING));
        }
        resync(second, &again, &mut self.spacing, admin).await
    }

    /// Takes over from the cores what this node has of the same second with other content. It followed a core that lost against the
    /// others, and went before they agreed: no core sees that, and `ProxySQL` pulls neither.
    async fn resolve_epoch_conflicts<P: Tracked>(
        &mut self,
        seen: &Observation,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let tied = out_of_sync(seen, |_, class| *class == DriftClass::EqualEpochs);
        self.tied.retain(|module, _| tied.iter().any(|(tied, _)| tied == module));
        for (module, _) in &tied {
            self.tied.entry(*module).or_insert_with(Instant::now);
        }
        let lasting = |module: &Module| self.tied.get(module).is_some_and(|since| since.elapsed() >= LASTING_TIE);
        if !tied.iter().any(|(module, _)| lasting(module)) {
            return Ok(if self.tied.is_empty() { Next::Interval } else { Next::At(Instant::now() + SPACING) });
        }
        self.follow(seen, |_, class| *class == DriftClass::EqualEpochs, admin).await
    }

    /// Replaces the list by what the configuration file has: addresses that nobody answers at may be somebody else's by now.
    async fn restore<P: Tracked>(&mut self, was: &Observation, admin: &mut P) -> Result<Next, RoundError> {
        let load = Plan::default().then(Statement::LoadToRuntime(Module::ProxysqlServers));
        if let Some(at) = self.spacing.wait_for(&load) {
            return Ok(Next::At(at));
        }
        // Nobody has pulled another list meanwhile, and the rows that judged this are not a part of those that there are.
        let seen = self.observe(admin).await?;
        if seen.runtime != was.runtime || seen.own(Module::ProxysqlServers) != was.own(Module::ProxysqlServers) {
            return Ok(Next::At(Instant::now()));
        }
        let reset_memory = Statement::SaveToMemory(Module::ProxysqlServers);
        for statement in [Statement::DeleteAllMembers, Statement::LoadFromConfig(Module::ProxysqlServers)] {
            if let Err(error) = admin.run(&statement).await {
                if error.is_refusal() {
                    admin.run(&reset_memory).await?;
                }
                return Err(error.into());
            }
        }
        let seen = self.observe(admin).await?;
        if seen.memory.is_empty() {
            admin.run(&reset_memory).await?;
            self.isolation.restored(seen.runtime);
            warn!("ProxySQL's configuration file has no proxysql_servers; member list left unchanged");
            return Ok(Next::Interval);
        }
        self.spacing.apply(&load, admin).await?;
        let rows = seen.memory.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        info!(members = %rows, "restored the member list from ProxySQL's configuration file");
        self.isolation.restored(seen.memory);
        Ok(Next::At(Instant::now() + SPACING))
    }
}

fn say(sync_state: SyncState, listed: usize) {
    match sync_state {
        SyncState::Connected => info!(listed, "syncing from the cores"),
        SyncState::Silent => warn!(listed, "no core answers"),
        SyncState::Isolated if listed == 0 => info!("the member list is empty; restoring the bootstrap row"),
        SyncState::Isolated => warn!(listed, "no core reachable; restoring the bootstrap row"),
        SyncState::Restored => warn!(listed, "bootstrap row also unreachable; waiting"),
    }
}
