//! Which core acts, where one acts for all: publishing the configuration file, the initial load of a module, an epoch conflict.
//!
//! It goes by the newest rollout revision, then by address, among the members that answer. Every core comes to the same answer from the
//! same facts, so none of them asks another one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::drift;
use super::member::{Member, Members};
use super::rollout::RolloutState;
use crate::domain::proxysql::observation::{Observation, Peer};
use crate::domain::proxysql::statement::Module;

/// How long a core waits for one before it that answers and does not load: its agent may be about to.
const TURN: Duration = Duration::from_secs(20);
/// How long a core that does not find itself among the members waits for another one to load.
const UNLISTED_WAIT: Duration = Duration::from_secs(10);
/// What a member that does not answer gets to be reached, besides three checks.
const FIRST_CONTACT: Duration = Duration::from_secs(2);
/// What each such member before this one gets besides, with two checks: who is not reached may just not reach anybody either.
const STAGGER: Duration = Duration::from_secs(1);

static NO_PODS: BTreeSet<String> = BTreeSet::new();

/// Whether this core acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It does.
    Acts(Why),
    /// Not now: it may be its turn later, by the same rule.
    Waits(Why),
    /// Another one does, or it needs nobody.
    Leaves(Why),
}

impl Ruling {
    /// Whether it acts now.
    pub fn acts(&self) -> bool {
        matches!(self, Self::Acts(_))
    }

    /// Why it does, or does not.
    pub fn why(&self) -> &Why {
        let (Self::Acts(why) | Self::Waits(why) | Self::Leaves(why)) = self;
        why
    }
}

/// Why a core acts, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Its pod has the newest rollout revision.
    NewestRevision,
    /// Its pod is not among the core pods: there is no rollout to be wrong about.
    NoRollout,
    /// Another pod has a newer rollout revision, and its configuration is the one that is to spread.
    OlderRevision {
        /// The other pod.
        newer: String,
        /// How this was determined.
        by: &'static str,
    },
    /// Which rollout revision is the newest is not known yet.
    UnknownRevision,
    /// No member that answers, and that may act, comes before it by address.
    First,
    /// A member that comes before it by address is to act.
    TurnOf(Member),
    /// Members that are there may not have been reached yet.
    Unreached,
    /// It does not find itself among the members.
    Unlisted,
    /// A member has the same content at a higher version: it is synced from there.
    SyncedFromPeer,
    /// A member has other content at a higher version, which would replace what this core publishes.
    Overrules,
    /// A member has other content at a higher version, which replaces this one.
    Overruled,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NewestRevision => "this pod has the newest rollout revision",
            Self::NoRollout => "this pod is not among the core pods, so there is no rollout to compare with",
            Self::OlderRevision { newer, by } => {
                return write!(f, "the pod {newer} has a newer rollout revision (by {by})");
            }
            Self::UnknownRevision => "the newest rollout revision is not known yet",
            Self::First => "this core is the first by address of those that answer",
            Self::TurnOf(member) => return write!(f, "{member} comes first by address"),
            Self::Unreached => "not all members were reached yet",
            Self::Unlisted => "this core does not find itself among the members",
            Self::SyncedFromPeer => "a member has the same content at a higher version",
            Self::Overrules => {
                "a member has other content at a higher version, which would replace what is published here"
            }
            Self::Overruled => "a member has other content at a higher version, which replaces this one",
        })
    }
}

/// Where the content of a module at version 1 comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The file that this core publishes: no other content replaces it.
    Published,
    /// Whatever `ProxySQL` has at runtime.
    AtRuntime,
}

/// Who may act, as one core knows it: made anew for each pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    members: Members,
    own: Option<Member>,
    rollout: RolloutState,
}

impl Election {
    /// Among `members`, as the core of the pod `own`, with this place in the rollout.
    pub fn new(members: Members, own: Option<&str>, rollout: RolloutState) -> Self {
        let own = members.iter().find(|member| Some(member.comment.as_str()) == own).cloned();
        Self { members, own, rollout }
    }

    /// All that should be listed, this core among them.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// This core's row; `None` where it does not find itself among them.
    pub fn own(&self) -> Option<&Member> {
        self.own.as_ref()
    }

    /// The place of this core in the rollout.
    pub fn rollout_state(&self) -> &RolloutState {
        &self.rollout
    }

    /// Names of the pods of older revisions: they do not act, so nobody waits for them.
    pub fn older(&self) -> &BTreeSet<String> {
        if let RolloutState::Newest { older } = &self.rollout { older } else { &NO_PODS }
    }

    /// Whether this core publishes its configuration file.
    pub fn publishing(&self) -> Ruling {
        match &self.rollout {
            RolloutState::Newest { .. } => Ruling::Acts(Why::NewestRevision),
            RolloutState::Unknown => Ruling::Acts(Why::NoRollout),
            RolloutState::Older { newer, by } => Ruling::Leaves(Why::OlderRevision { newer: newer.clone(), by }),
            RolloutState::Undecided => Ruling::Waits(Why::UnknownRevision),
        }
    }

    /// Whether this core does the initial load of a module that is at version 1 here, which no node syncs, and which any content at a
    /// higher version replaces, however old. After all cores restarted from disk each of them is there with the same content, and exactly
    /// one has to load it, once.
    ///
    /// `waited` is for how long it has been at version 1 while this node asks its peers how they are. The first by address of the
    /// members that answer loads; the next takes its turn if that one does not. Silent members are waited for only as long as it takes to
    /// reach one that is there.
    ///
    /// The list of members may be loaded by any core, everything else only by one that publishes.
    pub fn initial_load(&self, seen: &Observation, module: Module, waited: Duration, content: Content) -> Ruling {
        let publishing = self.publishing();
        if module != Module::ProxysqlServers && !publishing.acts() {
            return Ruling::Leaves(publishing.why().clone());
        }
        let Some(own) = &self.own else {
            return match content {
                // It does not know the others; they may know it.
                Content::Published if waited < UNLISTED_WAIT => Ruling::Waits(Why::Unlisted),
                Content::Published => Ruling::Acts(Why::Unlisted),
                Content::AtRuntime => Ruling::Leaves(Why::Unlisted),
            };
        };
        match self.others(own, seen, module) {
            Others::Differ if content == Content::Published => Ruling::Acts(Why::Overrules),
            Others::Differ => Ruling::Leaves(Why::Overruled),
            Others::HaveIt => Ruling::Leaves(Why::SyncedFromPeer),
            Others::AtVersion1 { before, silent, silent_before } => {
                let contact = seen.check_interval * 3 + FIRST_CONTACT;
                let contact = contact + (seen.check_interval * 2 + STAGGER) * silent_before;
                let turns = u32::try_from(before.len()).unwrap_or(u32::MAX);
                match before.first() {
                    _ if silent && waited < contact => Ruling::Waits(Why::Unreached),
                    Some(first) if waited < TURN.saturating_mul(turns) => Ruling::Waits(Why::TurnOf((*first).clone())),
                    _ => Ruling::Acts(Why::First),
                }
            }
        }
    }

    /// How the other members have a module that is at version 1 here.
    fn others(&self, own: &Member, seen: &Observation, module: Module) -> Others<'_> {
        let mine = seen.own(module).map_or("", |own| own.checksum.as_str());
        let (mut before, mut silent, mut silent_before, mut is_there) = (Vec::new(), false, 0, false);
        for other in self.members.iter().filter(|member| member.key() != own.key()) {
            let is_before = rank(other.key()) < rank(own.key());
            let peer = seen.peers.iter().find(|peer| other.key() == peer.key());
            let theirs = peer.filter(|peer| peer.heard).and_then(|peer| peer.modules.get(module.checksum_name()));
            match theirs.map_or((0, ""), |theirs| (theirs.version, theirs.checksum.as_str())) {
                (0, _) => (silent, silent_before) = (true, silent_before + u32::from(is_before)),
                (1, _) if self.older().contains(&other.comment) => {}
                (1, _) => before.extend(is_before.then_some(other)),
                (_, checksum) if checksum != mine => return Others::Differ,
                _ => is_there = true,
            }
        }
        if is_there {
            return Others::HaveIt;
        }
        before.sort_by_key(|member| rank(member.key()));
        Others::AtVersion1 { before, silent, silent_before }
    }

    /// The modules that this node and a peer loaded with different content in the same second, and whether this core loads them again.
    /// Epochs count whole seconds and only a newer one is synced, so without one more load in a later second they stay apart for good.
    ///
    /// Exactly one has to: the first by address among those that share the epoch. A peer of an older revision is passed over, be it the
    /// first or not: it would bring the older content back.
    pub fn epoch_conflicts(&self, seen: &Observation) -> BTreeMap<Module, Ruling> {
        let Some(own) = &self.own else { return BTreeMap::new() };
        let publishing = self.publishing();
        let ruling = |rivals: Vec<&Peer>| {
            if !publishing.acts() {
                return publishing.clone();
            }
            let before = rivals.into_iter().filter(|peer| !self.is_older(peer) && rank(peer.key()) < rank(own.key()));
            match before.min_by_key(|peer| rank(peer.key())) {
                Some(first) => Ruling::Leaves(Why::TurnOf(Member::of_pod(first.hostname.clone(), first.port, ""))),
                None => Ruling::Acts(Why::First),
            }
        };
        drift::conflicts(seen, own).into_iter().map(|(module, rivals)| (module, ruling(rivals))).collect()
    }

    /// Whether a peer is a pod of an older revision.
    fn is_older(&self, peer: &Peer) -> bool {
        let row = self.members.iter().find(|member| member.key() == peer.key());
        row.is_some_and(|member| self.older().contains(&member.comment))
    }
}

/// How the other members have a module.
enum Others<'a> {
    /// One has other content at a higher version.
    Differ,
    /// One has the same at a higher version.
    HaveIt,
    /// All that answer are at version 1.
    AtVersion1 {
        /// Those that may load and come before this one, by rank.
        before: Vec<&'a Member>,
        /// Some do not answer.
        silent: bool,
        /// So many of them come before this one.
        silent_before: u32,
    },
}

/// Addresses in their own order (10.0.0.9 before 10.0.0.10), names after them in the alphabet's.
fn rank((hostname, port): (&str, u16)) -> (bool, Option<IpAddr>, &str, u16) {
    let address = hostname.parse().ok();
    (address.is_none(), address, hostname, port)
}

#[cfg(test)]
mod tests;
