//! The list of members: what this core makes of it, and when it leaves it to others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::super::Proxysql;
use super::super::record;
use super::super::round::{Next, RoundError, SPACING};
use super::super::unlock::{load_again, unlock};
use super::Core;
use crate::domain::cluster::election::{Content, Election, Ruling};
use crate::domain::cluster::followers::{Followers, Wanted};
use crate::domain::cluster::member::{Member, Members};
use crate::domain::cluster::membership::{self, Knowledge, Listed, Origin};
use crate::domain::discovery::roster::Freshness;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::{Module, Plan, Statement};
use crate::domain::tally::{Count, Guard};

/// Where two looks in succession do not agree, the next is this much later.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Whether the pods were looked for anew is looked at this much later, if they do not tell by themselves.
const ANSWER_AGAIN: Duration = Duration::from_secs(1);
/// What the first of those that are tied in the list gets to load it once more.
const LASTING_TIE: Duration = Duration::from_secs(5);
/// How long a list that nobody has loaded since `ProxySQL` started waits to be replaced by a pull, where this core does not hear of pods.
const START: Duration = Duration::from_secs(10);

/// A list that another member has loaded, and that is not what this core knows: one of both knows better.
#[derive(Debug)]
pub(super) struct Contradiction {
    checksum: String,
    /// How often who tells about pods had been heard of when it was first seen.
    heard: u64,
    /// The same when that was last asked for anew.
    asked: u64,
}

/// What is to be done about the list.
#[derive(Debug)]
struct Intent {
    plan: Plan,
    /// What becomes of the list by it.
    target: Members,
    wanted: Wanted,
    for_followers: bool,
    decisions: BTreeMap<Module, Ruling>,
    /// The list is left as it is for now.
    next: Option<Next>,
}

impl Core {
    /// Makes the pods the list of members, and settles what the members disagree on.
    pub(super) async fn keep_members<P: Proxysql>(
        &mut self,
        mut seen: Observation,
        election: &Election,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        if self.followers.is_none() && self.sees_followers {
            self.followers = Some(Followers::new(record::followers(admin).await?));
        }
        let was_holding = self.holding;
        let Some(known) = self.desired() else {
            if self.holding && !was_holding {
                admin.count(Count::Refusal(Guard::EmptyList));
            }
            return Ok(Next::Interval);
        };
        let mut intent = self.intent(&mut seen, &known, election);
        // What was in effect when the list was last right still is: then no row can be missing but in the look. Else it is looked twice.
        if !intent.plan.is_empty() && seen.own(Module::ProxysqlServers) != self.right.as_ref() {
            let mut again = self.observe(admin).await?;
            let second = self.intent(&mut again, &known, election);
            if second.plan != intent.plan {
                debug!("two looks at the list of members do not agree; looking again");
                return Ok(Next::At(Instant::now() + LOOK_AGAIN));
            }
            (seen, intent) = (again, second);
        }
        let Intent { plan, target, wanted, for_followers, decisions, next } = intent;
        if !plan.is_empty() {
            if let Some(at) = self.spacing.wait_for(&plan) {
                self.spacing.waits(Module::ProxysqlServers, "the list was loaded in this second");
                return Ok(Next::At(at));
            }
            self.spacing.waits_no_more(Module::ProxysqlServers);
            self.made.clone_from(&target);
            self.spacing.apply(&plan, admin).await?;
            if for_followers {
                info!("a satellite connected; loaded the list of members once more, for its own may be newer");
            } else {
                say_change(&seen.runtime, &target, &plan);
            }
            if wanted == Wanted::Load
                && plan.loads().next().is_some()
                && let Some(followers) = &mut self.followers
            {
                followers.loaded();
                record::add_followers(followers.to_record(), admin).await?;
            }
            // What a peer's pull put in between, and whether the peers agree, shows when the next load is allowed.
            return Ok(Next::At(Instant::now() + SPACING));
        }
        if wanted == Wanted::LoadLater {
            return Ok(Next::At(Instant::now() + SPACING));
        }
        let to_load: Vec<Module> =
            decisions.iter().filter(|(_, decision)| decision.acts()).map(|(module, _)| *module).collect();
        let mut unlocked = unlock(to_load, election, &self.blocked, &mut self.spacing, admin).await?;
        if decisions.values().any(|decision| matches!(decision, Ruling::Waits(_))) {
            unlocked = unlocked.min(Next::At(Instant::now() + SPACING));
        }
        let ended = self.end_ties(&seen, &known, election, admin).await?;
        Ok(unlocked.min(ended).min(next.unwrap_or(Next::Interval)))
    }

    /// What to do about the list, by this look. Rows that a look lacks while nothing was loaded are put into it.
    fn intent(&mut self, seen: &mut Observation, known: &Members, election: &Election) -> Intent {
        if self.right.is_some() && seen.own(Module::ProxysqlServers) == self.right.as_ref() {
            seen.runtime.clone_from(&self.listed);
        }
        let (target, next) = self.target(seen, known, election.own());
        let is_left = target.is_none();
        let mut decisions = self.decisions(seen, election);
        if is_left {
            decisions.remove(&Module::ProxysqlServers);
        }
        let is_blocked = decisions.get(&Module::ProxysqlServers).is_some_and(Ruling::acts);
        let target = target.unwrap_or_else(|| seen.runtime.clone());
        let mut plan = Plan::default();
        if !is_left {
            let listed = Listed { memory: seen.memory.clone(), runtime: seen.runtime.clone(), is_blocked };
            plan = membership::plan(&listed, &target);
            if plan.is_empty() && target == *known {
                self.is_right(seen, known);
            }
        }
        // One more load would put this list above another one that somebody has made a moment ago.
        let is_blind = self.pods.freshness() == Freshness::Stale;
        let is_others = is_blind || is_left || membership::is_contested(seen, election.own());
        let mut wanted = match &mut self.followers {
            Some(followers) if !is_others => followers.want(seen, known, self.pods.heard()),
            _ => Wanted::Nothing,
        };
        if wanted == Wanted::Ask {
            self.recheck.notify_one();
            wanted = Wanted::LoadLater;
        }
        let for_followers = plan.is_empty() && wanted == Wanted::Load;
        if for_followers {
            plan = plan.then(Statement::LoadToRuntime(Module::ProxysqlServers));
        }
        Intent { plan, target, wanted, for_followers, decisions, next }
    }

    /// The list is right by this look. It is by what is in effect when two looks in succession say so.
    fn is_right(&mut self, seen: &Observation, known: &Members) {
        let now = seen.own(Module::ProxysqlServers).cloned();
        if self.listed == *known && self.almost_right == now {
            self.right.clone_from(&now);
        } else if self.right != now || self.listed != *known {
            self.right = None;
        }
        self.listed.clone_from(known);
        self.almost_right = now;
    }

    /// What the list should be; `None` where it is left as it is, and for how long at most.
    fn target(&mut self, seen: &Observation, known: &Members, own: Option<&Member>) -> (Option<Members>, Option<Next>) {
        let checksum = seen.own(Module::ProxysqlServers).map(|own| own.checksum.clone());
        let was_right = self.almost_right.as_ref().map(|right| right.checksum.clone());
        let is_own = seen.runtime == self.made || (was_right.is_some() && checksum == was_right);
        let origin = membership::origin(seen, own, is_own);
        let knowledge = self.knowledge(seen, known, origin);
        if knowledge == Knowledge::Stale
            && origin == Origin::Start
            && self.blocked.waited(Module::ProxysqlServers) < START
        {
            return (None, Some(Next::At(Instant::now() + SPACING)));
        }
        let target = membership::target(known, own, &seen.runtime, origin, knowledge);
        if target.is_none() && knowledge == Knowledge::Stale && seen.runtime != *known {
            if self.left != checksum {
                let (added, removed) = difference(known, &seen.runtime);
                info!(
                    added,
                    removed,
                    "another core has changed the members while the search for cores fails; leaving that to it"
                );
                self.left = checksum;
            }
        } else {
            self.left = None;
        }
        let next = (knowledge == Knowledge::Doubtful).then(|| Next::At(Instant::now() + ANSWER_AGAIN));
        (target, next)
    }

    /// How far what this core knows can be relied on, against the list in effect. Where that was loaded by another member and is another
    /// one, the pods are looked for anew before anything is undone: a watch that is mute looks like one on a quiet day.
    fn knowledge(&mut self, seen: &Observation, known: &Members, origin: Origin) -> Knowledge {
        let freshness = self.pods.freshness();
        let checksum = seen.own(Module::ProxysqlServers).map(|own| own.checksum.as_str()).unwrap_or_default();
        if freshness == Freshness::Stale {
            self.contradiction = None;
            return Knowledge::Stale;
        }
        // At its start ProxySQL has a list that nobody loaded. Where half of the answers never come, that is better than none.
        let is_nobodys = origin == Origin::Start && freshness == Freshness::Half;
        if origin == Origin::Here || is_nobodys || seen.runtime == *known {
            self.contradiction = None;
            return Knowledge::Fresh;
        }
        let (heard, needed) = (self.pods.heard(), self.pods.signs_needed());
        let known_one = self.contradiction.as_ref().is_some_and(|contradiction| contradiction.checksum == checksum);
        if !known_one {
            debug!("another member has loaded another list of members; looking for cores anew before undoing that");
            self.recheck.notify_one();
            self.contradiction = Some(Contradiction { checksum: checksum.to_owned(), heard, asked: heard });
            return Knowledge::Doubtful;
        }
        let Some(contradiction) = &mut self.contradiction else { return Knowledge::Doubtful };
        if freshness == Freshness::Fresh && heard.saturating_sub(contradiction.heard) >= needed {
            return Knowledge::Fresh;
        }
        if heard > contradiction.asked && freshness == Freshness::Fresh {
            contradiction.asked = heard;
            self.recheck.notify_one();
        }
        Knowledge::Doubtful
    }

    /// The members that the pods make; `None` while they are not known or there are none.
    fn desired(&mut self) -> Option<Members> {
        let members = self.pods.members(self.port)?;
        if members.is_empty() {
            if !self.holding {
                warn!("no core pod is running, says the API server; the last members stay");
            }
            self.holding = true;
            return None;
        }
        self.holding = false;
        Some(members)
    }

    /// Loads once more what this node and a peer loaded differently in the same second.
    async fn end_ties<P: Proxysql>(
        &mut self,
        seen: &Observation,
        known: &Members,
        election: &Election,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        if !election.publishing().acts() {
            // Its content is not the one that is to spread.
            return Ok(Next::Interval);
        }
        let conflicts = election.epoch_conflicts(seen);
        let mut tied: BTreeSet<Module> =
            conflicts.iter().filter(|(_, ruling)| ruling.acts()).map(|(module, _)| *module).collect();
        // Of two lists, the one that is right wins, and not the one of the first: that one's agent may not hear of pods.
        let list = conflicts.contains_key(&Module::ProxysqlServers);
        let heard = self.pods.heard();
        if list && self.list_tied.is_none() {
            self.recheck.notify_one();
        }
        self.list_tied = self.list_tied.filter(|_| list).or_else(|| list.then(|| (Instant::now(), heard)));
        let is_known_anew = self.list_tied.is_some_and(|(_, before)| heard > before);
        let is_right = self.pods.freshness() == Freshness::Fresh && is_known_anew && seen.runtime == *known;
        if !is_right {
            tied.remove(&Module::ProxysqlServers);
        } else if self.list_tied.is_some_and(|(since, _)| since.elapsed() >= LASTING_TIE) {
            tied.insert(Module::ProxysqlServers);
        }
        // A load in the very second of the tie would be tied, too. One in the future is in no second that comes soon.
        let is_over = |module: &Module| seen.own(*module).is_some_and(|own| seen.clock != own.epoch);
        let lasting: Vec<Module> = tied.intersection(&self.tied).copied().filter(is_over).collect();
        self.tied = tied;
        for module in &lasting {
            if let Some(later) = load_again(*module, &mut self.spacing, admin).await? {
                return Ok(later);
            }
            warn!(%module, "a peer loaded other content in the same second; loaded once more");
        }
        self.tied.retain(|module| !lasting.contains(module));
        let look_again = list || !self.tied.is_empty() || !lasting.is_empty();
        Ok(if look_again { Next::At(Instant::now() + seen.check_interval.max(SPACING) * 2) } else { Next::Interval })
    }

    /// What to do about each module that is at version 1 here and is meant to spread. The list of members may be loaded by anybody; the
    /// others by none of an older generation, and not before the file was found in effect.
    fn decisions(&self, seen: &Observation, election: &Election) -> BTreeMap<Module, Ruling> {
        let is_meant = |module: &Module| *module == Module::ProxysqlServers || seen.published.contains_key(module);
        let ruling = |module| election.initial_load(seen, module, self.blocked.waited(module), Content::AtRuntime);
        self.blocked.modules().filter(is_meant).map(|module| (module, ruling(module))).collect()
    }
}

/// Members as a line of a log has them; `None` where there are none.
pub(super) fn names<'a>(members: impl IntoIterator<Item = &'a Member>) -> Option<String> {
    let names: Vec<String> = members.into_iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// Who comes and who goes.
fn difference(before: &Members, after: &Members) -> (Option<String>, Option<String>) {
    (names(after.difference(before)), names(before.difference(after)))
}

fn say_change(runtime: &Members, target: &Members, plan: &Plan) {
    let (added, removed) = difference(runtime, target);
    let loaded = plan.loads().next().is_some();
    info!(members = target.len(), added, removed, loaded, "members changed");
}
