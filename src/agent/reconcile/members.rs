//! The list of members: what this core makes of it, and when it leaves it to others.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::super::round::SPACING;
use super::Context;
use super::note::{Left, ListDifference, Note};
use crate::domain::cluster::member::Members;
use crate::domain::cluster::membership::{self, Knowledge, Listed, Origin};
use crate::domain::cluster::satellite_connections::{MemberReload, SatelliteConnections};
use crate::domain::discovery::discovered::Freshness;
use crate::domain::proxysql::observation::{Checksum, Observation};
use crate::domain::proxysql::statement::{Module, Plan, Statement};

/// Whether the pods were looked for anew is looked at this much later, if they do not tell by themselves.
const ANSWER_AGAIN: Duration = Duration::from_secs(1);
/// How long a list that no node has loaded since `ProxySQL` started waits to be replaced by a sync, where this core does not hear of pods.
const START: Duration = Duration::from_secs(10);

/// A list that another member has loaded, and that is not what this core knows: one of both knows better.
#[derive(Debug)]
struct Contradiction {
    checksum: String,
    /// How often who tells about pods had been heard of when it was first seen.
    heard: u64,
    /// The same when that was last asked for anew.
    asked: u64,
}

/// The list as it was last found right, and what was in effect then.
#[derive(Debug, Default)]
struct Confirmed {
    members: Members,
    by: Option<Checksum>,
    /// The same, by one look.
    almost_by: Option<Checksum>,
}

/// What is remembered of the list between passes.
#[derive(Debug, Default)]
pub(super) struct MemberList {
    confirmed: Confirmed,
    /// The list that this agent loaded last.
    made: Members,
    /// The version that the load has given it, unless another load came between.
    made_as: Option<u64>,
    /// A list that another member has loaded, and that is not what this core knows.
    contradiction: Option<Contradiction>,
    /// There is no core, says discovery: the list stays as it is.
    frozen: bool,
    /// Nodes that follow this one; `None` until it is known whom an earlier agent of this process has served.
    followers: Option<SatelliteConnections>,
}

/// What is to be done about the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) plan: Plan,
    /// What becomes of the list by it.
    pub(super) target: Members,
    wanted: MemberReload,
    /// The plan changes nothing but the epoch, for a follower.
    pub(super) is_for_follower: bool,
    /// The list is left to others for now, its initial load too.
    pub(super) is_left: bool,
    /// Said if it is another one than the last.
    pub(super) left: Option<Left>,
    /// When to look again.
    pub(super) next: Option<Instant>,
    /// The cores are to be looked for anew.
    pub(super) recheck: bool,
    pub(super) notes: Vec<Note>,
}

/// What the list should be, by what is known.
#[derive(Debug, Default)]
struct ListTarget {
    /// `None` where it is left as it is.
    members: Option<Members>,
    left: Option<Left>,
    /// When to look again, where it is left.
    next: Option<Instant>,
    recheck: bool,
    notes: Vec<Note>,
}

impl Intent {
    /// A load for a follower has to wait; nothing else is done before.
    pub(super) fn waits_for_follower(&self) -> bool {
        self.plan.is_empty() && self.wanted == MemberReload::LoadLater
    }
}

impl MemberList {
    /// The list that was last found right.
    pub(super) fn listed(&self) -> &Members {
        &self.confirmed.members
    }

    /// There is no core, says discovery: the list stays as it is.
    pub(super) fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Whether it is not known yet whom an earlier agent of this process has served.
    pub(super) fn lacks_followers(&self) -> bool {
        self.followers.is_none()
    }

    /// The followers that an earlier agent of this process has served.
    pub(super) fn has_served(&mut self, followers: BTreeSet<String>) {
        self.followers = Some(SatelliteConnections::new(followers));
    }

    /// The members that the cores make; `None` while they are not known or there are none, and what to say of that.
    pub(super) fn desired(&mut self, found: Option<Members>) -> (Option<Members>, Option<Note>) {
        let Some(members) = found else { return (None, None) };
        let was_frozen = std::mem::replace(&mut self.frozen, members.is_empty());
        let note = (self.frozen && !was_frozen).then_some(Note::NoCore);
        (Some(members).filter(|members| !members.is_empty()), note)
    }

    /// Whether what was in effect when the list was last right still is: then no row can be missing but in the look.
    pub(super) fn is_confirmed(&self, seen: &Observation) -> bool {
        seen.own(Module::ProxysqlServers) == self.confirmed.by.as_ref()
    }

    /// Puts rows into a look that lacks them while nothing was loaded.
    pub(super) fn complete(&mut self, seen: &mut Observation) {
        self.note_own_load(seen);
        if self.confirmed.by.is_some() && self.is_confirmed(seen) {
            seen.runtime.clone_from(&self.confirmed.members);
        }
    }

    /// A list that this agent has loaded, and no other load has followed, needs no second look.
    fn note_own_load(&mut self, seen: &Observation) {
        let Some((version, own)) = self.made_as.zip(seen.own(Module::ProxysqlServers)) else { return };
        if own.version != version {
            self.made_as = None;
        } else if seen.runtime == self.made {
            self.made_as = None;
            let by = Some(own.clone());
            self.confirmed = Confirmed { members: self.made.clone(), almost_by: by.clone(), by };
        }
    }

    /// What to do about the list, by this look, which was completed. `known` are the members that there should be; `loads` says that the
    /// list is at version 1, and that it is this core's to load once.
    pub(super) fn decide(&mut self, context: &Context<'_>, known: &Members, loads: bool) -> Intent {
        let Context { seen, cores, election, .. } = *context;
        let ListTarget { members, left, next, mut recheck, notes } = self.target(context, known);
        let is_left = members.is_none();
        let target = members.unwrap_or_else(|| seen.runtime.clone());
        let mut plan = Plan::default();
        if !is_left {
            let listed = Listed { memory: seen.memory.clone(), runtime: seen.runtime.clone(), is_blocked: loads };
            plan = membership::plan(&listed, &target);
            if plan.is_empty() && target == *known {
                self.confirmed.note(seen, known);
            }
        }
        // One more load would put this list above another one that was loaded elsewhere a moment ago.
        let is_blind = cores.freshness == Freshness::Stale;
        let is_others = is_blind || is_left || membership::is_contested(seen, election.own());
        let mut wanted = match &mut self.followers {
            Some(followers) if !is_others => followers.want(seen, known, cores.heard),
            _ => MemberReload::Nothing,
        };
        if wanted == MemberReload::Ask {
            recheck = true;
            wanted = MemberReload::LoadLater;
        }
        let is_for_follower = plan.is_empty() && wanted == MemberReload::Load;
        if is_for_follower {
            plan = plan.then(Statement::LoadToRuntime(Module::ProxysqlServers));
        }
        Intent { plan, target, wanted, is_for_follower, is_left, left, next, recheck, notes }
    }

    /// This list is about to be loaded, where this was seen before.
    pub(super) fn makes(&mut self, intent: &Intent, before: &Observation) {
        self.made.clone_from(&intent.target);
        if intent.plan.loads().next().is_some() {
            self.made_as = before.own(Module::ProxysqlServers).map(|own| own.version + 1);
        }
    }

    /// It was. Gives the followers to remember in `ProxySQL`: those that this load has served.
    pub(super) fn has_made(&mut self, intent: &Intent) -> BTreeSet<String> {
        let is_loaded = intent.plan.loads().next().is_some();
        match &mut self.followers {
            Some(followers) if intent.wanted == MemberReload::Load && is_loaded => {
                followers.loaded();
                followers.to_record()
            }
            _ => BTreeSet::new(),
        }
    }

    /// What the list should be; `None` where it is left as it is, and for how long at most.
    fn target(&mut self, context: &Context<'_>, known: &Members) -> ListTarget {
        let Context { seen, election, now, .. } = *context;
        let own = election.own();
        let checksum = seen.own(Module::ProxysqlServers).map(|own| own.checksum.clone());
        let was_right = self.confirmed.almost_by.as_ref().map(|right| right.checksum.clone());
        let is_own = seen.runtime == self.made || (was_right.is_some() && checksum == was_right);
        let origin = membership::origin(seen, own, is_own);
        let mut target = ListTarget::default();
        let knowledge = self.knowledge(context, known, origin, &mut target);
        if knowledge == Knowledge::Stale && origin == Origin::Start && context.waited_for_list < START {
            target.next = Some(now + SPACING);
            return target;
        }
        target.members = membership::target(known, own, &seen.runtime, origin, knowledge);
        if target.members.is_none() && knowledge == Knowledge::Stale && seen.runtime != *known {
            target.left = Some(Left { checksum, difference: ListDifference::of(known, &seen.runtime) });
        }
        target.next = (knowledge == Knowledge::Doubtful).then(|| now + ANSWER_AGAIN);
        target
    }

    /// How far what this core knows can be relied on, against the list in effect. Where that was loaded by another member and is another
    /// one, the pods are looked for anew before anything is undone: a watch that is mute looks like one on a quiet day.
    fn knowledge(
        &mut self,
        context: &Context<'_>,
        known: &Members,
        origin: Origin,
        target: &mut ListTarget,
    ) -> Knowledge {
        let Context { seen, cores, .. } = *context;
        let freshness = cores.freshness;
        if freshness == Freshness::Stale {
            self.contradiction = None;
            return Knowledge::Stale;
        }
        // At its start ProxySQL has a list that no node loaded. Where half of the answers never come, that is better than none.
        let is_unloaded = origin == Origin::Start && freshness == Freshness::Half;
        if origin == Origin::Here || is_unloaded || seen.runtime == *known {
            self.contradiction = None;
            return Knowledge::Fresh;
        }
        let checksum = seen.own(Module::ProxysqlServers).map(|own| own.checksum.as_str()).unwrap_or_default();
        let heard = cores.heard;
        let Some(contradiction) = self.contradiction.as_mut().filter(|known| known.checksum == checksum) else {
            target.notes.push(Note::Contradicted);
            target.recheck = true;
            self.contradiction = Some(Contradiction { checksum: checksum.to_owned(), heard, asked: heard });
            return Knowledge::Doubtful;
        };
        if freshness == Freshness::Fresh && heard.saturating_sub(contradiction.heard) >= cores.signs_needed {
            return Knowledge::Fresh;
        }
        if heard > contradiction.asked && freshness == Freshness::Fresh {
            contradiction.asked = heard;
            target.recheck = true;
        }
        Knowledge::Doubtful
    }
}

impl Confirmed {
    /// The list is right by this look. It is by what is in effect when two looks in succession say so.
    fn note(&mut self, seen: &Observation, known: &Members) {
        let now = seen.own(Module::ProxysqlServers).cloned();
        if self.members == *known && self.almost_by == now {
            self.by.clone_from(&now);
        } else if self.by != now || self.members != *known {
            self.by = None;
        }
        self.members.clone_from(known);
        self.almost_by = now;
    }
}
