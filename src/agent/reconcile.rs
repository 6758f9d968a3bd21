//! One pass of a core: observe, let each reconciler decide, carry out.
//!
//! A reconciler keeps one thing in order. It remembers little, decides by a [`Context`] alone, and gives its decision as a value: what to
//! load, when to look again, what to say. The [`Executor`] carries that out.

mod config_file;
mod cores;
mod epoch_conflicts;
mod executor;
mod initial_load;
mod members;
mod note;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use self::config_file::ConfigFile;
use self::cores::Cores;
pub use self::cores::Discovery;
use self::epoch_conflicts::EpochConflicts;
use self::executor::Executor;
use self::initial_load::InitialLoads;
use self::members::{Intent, MemberList};
use self::note::{ListDifference, Note};
use super::candidate::Publishing;
use super::peers::Peers;
use super::proxysql::Tracked;
use super::record;
use super::round::{Next, RoundError, SPACING};
use crate::domain::cluster::election::{Election, Ruling};
use crate::domain::cluster::member::Members;
use crate::domain::discovery::discovered::Discovered;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::Module;
use crate::domain::reconcile_report::ReconcileReport;

/// Where two looks in succession do not agree, the next is this much later.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What a reconciler decides by.
#[derive(Debug, Clone, Copy)]
struct Context<'a> {
    /// What `ProxySQL` said.
    seen: &'a Observation,
    /// What discovery says.
    cores: &'a Discovered,
    /// Who acts.
    election: &'a Election,
    /// For how long the list of members has been at version 1 while peers were asked how they are.
    waited_for_list: Duration,
    now: Instant,
}

impl<'a> Context<'a> {
    fn new(cores: &'a Cores, loads: &InitialLoads, seen: &'a Observation, election: &'a Election) -> Self {
        let now = Instant::now();
        let waited_for_list = loads.waited(Module::ProxysqlServers, now);
        Self { seen, cores: cores.found(), election, waited_for_list, now }
    }
}

/// What a core's agent remembers between passes; `ProxySQL` holds the rest.
#[derive(Debug)]
pub struct Core {
    cores: Cores,
    executor: Executor,
    config_file: ConfigFile,
    members: MemberList,
    initial_loads: InitialLoads,
    epoch_conflicts: EpochConflicts,
    peers: Peers,
}

impl Core {
    /// A core that knows the others by `discovery`.
    pub fn new(discovery: Discovery, publishing: Publishing) -> Self {
        Self {
            cores: Cores::new(discovery),
            executor: Executor::default(),
            config_file: ConfigFile::new(publishing),
            members: MemberList::default(),
            initial_loads: InitialLoads::default(),
            epoch_conflicts: EpochConflicts::default(),
            peers: Peers::new(),
        }
    }

    /// What publishing goes by from now on.
    pub(super) fn reconfigure(&mut self, publishing: Publishing) {
        self.config_file.reconfigure(publishing);
    }

    /// The next pass publishes the file again.
    pub(super) fn republish(&mut self) {
        self.config_file.republish();
    }

    /// What the status shows: how the last pass left things.
    pub(super) fn report(&self) -> ReconcileReport {
        ReconcileReport {
            drift: self.peers.drift(),
            refused: self.config_file.refused(),
            passed_over: self.config_file.remarks().passed_over(),
            not_published: self.config_file.remarks().not_published(),
            unwilling: self.config_file.unwilling(),
            desired: self.cores.desired(),
            held: self.members.is_frozen(),
            rollout: Some(self.cores.rollout_state(Instant::now())),
            following: None,
            discovery: Some(self.cores.health()),
        }
    }

    /// What this core's row in the list of members has for a comment; `None` where cores are known by address alone.
    pub(super) fn listed_as(&self) -> Option<String> {
        self.cores.listed_as()
    }

    /// Ends when the pods have changed.
    pub(super) async fn changed(&mut self) {
        self.cores.changed().await;
    }

    pub(super) async fn round<P: Tracked>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        self.cores.update();
        let mut seen = self.executor.observe(admin).await?;
        self.config_file.forget_published(&mut seen, admin).await?;
        let election = self.cores.elect(Instant::now());
        if let Some(note) = self.config_file.answer_for(&election) {
            self.executor.say(note, admin);
        }
        self.initial_loads.note(&seen, election.own(), Instant::now());
        let (seen, published) = self.publish(seen, &election, admin).await?;
        let looked = self.peers.look(&seen, Some(&election));
        let kept = self.keep_members(seen, &election, admin).await?;
        self.peers.ask_for_version(admin).await?;
        Ok(published.min(looked).min(kept))
    }

    /// Publishes what is due of the file, if this core does; gives what is there afterwards.
    async fn publish<P: Tracked>(
        &mut self,
        mut seen: Observation,
        election: &Election,
        admin: &mut P,
    ) -> Result<(Observation, Next), RoundError> {
        let context = Context::new(&self.cores, &self.initial_loads, &seen, election);
        self.config_file.note_strangers(&context, self.members.listed());
        let due = self.config_file.due(&mut seen, admin).await?;
        let context = Context::new(&self.cores, &self.initial_loads, &seen, election);
        let decision = self.config_file.decide(&context, &due, self.cores.own());
        for note in decision.notes {
            self.executor.say(note, admin);
        }
        if !decision.publish {
            return Ok((seen, decision.next.map_or(Next::Interval, Next::At)));
        }
        let (waits, may) = (self.initial_loads.waits(context.now), || self.cores.are_unchanged());
        let next = self.config_file.publish(&due, &context, waits, may, &mut self.executor, admin).await?;
        Ok((self.executor.observe(admin).await?, next))
    }

    /// Makes the cores the list of members, and settles what the members disagree on.
    async fn keep_members<P: Tracked>(
        &mut self,
        mut seen: Observation,
        election: &Election,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        if self.members.lacks_followers() && self.executor.sees_followers() {
            self.members.has_served(record::followers(admin).await?);
        }
        let (known, note) = self.members.desired(self.cores.members());
        if let Some(note) = note {
            self.executor.say(note, admin);
        }
        let Some(known) = known else { return Ok(Next::Interval) };
        let (mut intent, mut rulings) = self.intend(&mut seen, &known, election, admin);
        // A look may lack rows, unless what was in effect when the list was last right still is. Then it is looked twice.
        if !intent.plan.is_empty() && !self.members.is_confirmed(&seen) {
            let mut again = self.executor.observe(admin).await?;
            let (second, second_rulings) = self.intend(&mut again, &known, election, admin);
            if second.plan != intent.plan {
                self.executor.say(Note::LooksDiffer, admin);
                return Ok(Next::At(Instant::now() + LOOK_AGAIN));
            }
            (seen, intent, rulings) = (again, second, second_rulings);
        }
        if !intent.plan.is_empty() {
            return self.load_list(&intent, &seen, admin).await;
        }
        if intent.waits_for_follower() {
            return Ok(Next::At(Instant::now() + SPACING));
        }
        let loaded = self.load_once(&rulings, election, admin).await?;
        let resolved = self.end_conflicts(&seen, &known, election, admin).await?;
        Ok(loaded.min(resolved).min(intent.next.map_or(Next::Interval, Next::At)))
    }

    /// What is to be done by this look about the list, and about what is at version 1. Rows that the look lacks are put into it.
    fn intend<P: Tracked>(
        &mut self,
        seen: &mut Observation,
        known: &Members,
        election: &Election,
        admin: &P,
    ) -> (Intent, BTreeMap<Module, Ruling>) {
        self.members.complete(seen);
        let context = Context::new(&self.cores, &self.initial_loads, seen, election);
        let mut rulings = self.initial_loads.decide(&context);
        let loads = rulings.get(&Module::ProxysqlServers).is_some_and(Ruling::acts);
        let mut intent = self.members.decide(&context, known, loads);
        if intent.is_left {
            rulings.remove(&Module::ProxysqlServers);
        }
        if intent.recheck {
            self.cores.look_again();
        }
        for note in std::mem::take(&mut intent.notes) {
            self.executor.say(note, admin);
        }
        self.executor.say_left(intent.left.take());
        (intent, rulings)
    }

    /// Carries out what is to be done about the list of members, by what was seen.
    async fn load_list<P: Tracked>(
        &mut self,
        intent: &Intent,
        seen: &Observation,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        if let Some(at) = self.executor.wait_for(&intent.plan) {
            return Ok(Next::At(at));
        }
        self.members.makes(intent, seen);
        self.executor.apply(&intent.plan, admin).await?;
        let note = if intent.is_for_follower {
            Note::LoadedForFollower
        } else {
            let difference = ListDifference::of(&seen.runtime, &intent.target);
            Note::Changed { members: intent.target.len(), difference, loaded: intent.plan.loads().next().is_some() }
        };
        self.executor.say(note, admin);
        record::add_followers(self.members.has_made(intent), admin).await?;
        // What a peer's pull put in between, and whether the peers agree, shows when the next load is allowed.
        Ok(Next::At(Instant::now() + SPACING))
    }

    /// Loads modules at version 1 whose initial load is this core's, by what is the case now: others may have been quicker since this pass
    /// began.
    async fn load_once<P: Tracked>(
        &mut self,
        rulings: &BTreeMap<Module, Ruling>,
        election: &Election,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let mut next = Next::Interval;
        for (module, _) in rulings.iter().filter(|(_, ruling)| ruling.acts()) {
            let seen = self.executor.observe(admin).await?;
            if self.initial_loads.is_due(*module, &Context::new(&self.cores, &self.initial_loads, &seen, election))
                && let Some(later) = self.executor.load_again(*module, Note::LoadedOnce(*module), admin).await?
            {
                next = next.min(later);
            }
        }
        if rulings.values().any(|ruling| matches!(ruling, Ruling::Waits(_))) {
            next = next.min(Next::At(Instant::now() + SPACING));
        }
        Ok(next)
    }

    /// Loads once more what this node and a peer loaded differently in the same second.
    async fn end_conflicts<P: Tracked>(
        &mut self,
        seen: &Observation,
        known: &Members,
        election: &Election,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let context = Context::new(&self.cores, &self.initial_loads, seen, election);
        let resolution = self.epoch_conflicts.decide(&context, known);
        if resolution.recheck {
            self.cores.look_again();
        }
        for module in &resolution.load {
            if let Some(later) = self.executor.load_again(*module, Note::ConflictResolved(*module), admin).await? {
                return Ok(later);
            }
        }
        self.epoch_conflicts.resolved(&resolution.load);
        Ok(resolution.next)
    }
}
