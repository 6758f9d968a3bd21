//! One round of a core: publish the file once per `ProxySQL` process, keep the list of members, end ties between epochs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Proxysql;
use super::Shown;
use super::peers::Peers;
use super::publish::{Publisher, Publishing};
use super::round::{Next, RoundError, SPACING, Spacing, read};
use crate::domain::drift::{self, Unlock};
use crate::domain::followers::{Followers, Wanted};
use crate::domain::generation::Standing;
use crate::domain::member::{Member, Members};
use crate::domain::membership::{self, Listed};
use crate::domain::observation::{Observation, Peer};
use crate::domain::roster::Roster;
use crate::domain::statement::{Module, Plan, Statement};

/// How long a core waits for its first list of pods before it publishes without knowing who else there is.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a core's agent remembers between rounds; `ProxySQL` holds the rest.
#[derive(Debug)]
pub struct Core {
    port: u16,
    own_pod: Option<String>,
    roster: watch::Receiver<Roster>,
    /// The pods as this round sees them.
    pods: Roster,
    spacing: Spacing,
    publisher: Publisher,
    began: Instant,
    /// What was published is to be published again.
    anew: bool,
    /// Whether this core publishes, as far as it was said.
    said: Option<Standing>,
    peers: Peers,
    /// Modules at version 1, and since when this was seen.
    blocked: BTreeMap<Module, Instant>,
    /// Ties that the last round saw. One that is seen twice is no peer's news on their way.
    tied: BTreeSet<Module>,
    holding: bool,
    followers: Followers,
    /// `ProxySQL` keeps a table of who follows it.
    sees_followers: bool,
}

impl Core {
    /// A core whose members listen on `port`, and which finds itself among the pods by the name `own_pod`.
    pub fn new(port: u16, own_pod: Option<String>, roster: watch::Receiver<Roster>, publishing: Publishing) -> Self {
        Self {
            port,
            own_pod,
            roster,
            pods: Roster::default(),
            spacing: Spacing::default(),
            publisher: Publisher::new(publishing),
            began: Instant::now(),
            anew: false,
            said: None,
            peers: Peers::new(),
            blocked: BTreeMap::new(),
            tied: BTreeSet::new(),
            holding: false,
            followers: Followers::default(),
            sees_followers: true,
        }
    }

    /// What publishing goes by from now on.
    pub(super) fn goes_by(&mut self, publishing: Publishing) {
        self.publisher.goes_by(publishing);
    }

    /// The next round publishes the file again.
    pub(super) fn publish_anew(&mut self) {
        self.anew = true;
        self.publisher.say_anew();
    }

    /// What the status shows: where the members differ, and why the file is not published.
    pub(super) fn shows(&self) -> Shown {
        (self.peers.diverging(), self.publisher.refused())
    }

    /// Ends when the pods have changed.
    pub(super) async fn news(&mut self) {
        if self.roster.changed().await.is_err() {
            // The watch has ended; so will the process.
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn round<P: Proxysql>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        self.pods = self.roster.borrow_and_update().clone();
        if let Some(addresses) = self.pods.addresses() {
            self.own_pod = addresses.own();
        }
        let mut seen = self.observe(admin).await?;
        if self.anew {
            // Kept in ProxySQL, so that it is not lost with this agent.
            for module in seen.publishable() {
                admin.run(&Statement::ForgetPublished(module)).await?;
            }
            seen.published.clear();
            self.publisher.anew();
            self.anew = false;
        }
        self.note_blocked(&seen);
        let due = seen.unpublished();
        let mut again = Next::Interval;
        let standing = self.standing();
        if !due.is_empty() && self.publishes(&standing) {
            again = {
                let unchanged = || !self.roster.has_changed().unwrap_or(false);
                let own = self.own_row();
                let unlock = |module| self.unlock_of(module, &seen, own.as_ref());
                let decided: BTreeMap<Module, Unlock> = due.iter().map(|module| (*module, unlock(*module))).collect();
                let unlock = |module| decided.get(&module).copied().unwrap_or(Unlock::Wait);
                self.publisher.publish(&due, &seen, &mut self.spacing, unchanged, unlock, admin).await?
            };
            seen = self.observe(admin).await?;
        }
        let own = self.own_row();
        let looked = self.peers.look(&seen, own.as_ref(), admin).await?;
        Ok(again.min(looked).min(self.keep_members(&seen, &standing, admin).await?))
    }

    /// Makes the pods the list of members, and settles what the members disagree on.
    async fn keep_members<P: Proxysql>(
        &mut self,
        seen: &Observation,
        standing: &Standing,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let Some(desired) = self.desired() else { return Ok(Next::Interval) };

        let unlock = self.locked(seen, &desired);
        let mut plan = membership::plan(&listed(seen, unlock.contains(&Module::ProxysqlServers)), &desired);
        let wanted = self.followers.want(seen, &desired);
        let for_followers = plan.is_empty() && wanted == Wanted::Load;
        if for_followers {
            plan = plan.then(Statement::LoadToRuntime(Module::ProxysqlServers));
        }
        if !plan.is_empty() {
            if let Some(at) = self.spacing.wait_for(&plan) {
                return Ok(Next::At(at));
            }
            self.spacing.apply(&plan, admin).await?;
            if for_followers {
                info!("a satellite connected; loaded the list of members once more, for its own may be newer");
            } else {
                say_change(&seen.runtime, &desired, &plan);
            }
            if wanted == Wanted::Load && plan.loads().next().is_some() {
                self.followers.loaded();
            }
            // What a peer's pull put in between, and whether the peers agree, shows when the next load is allowed.
            return Ok(Next::At(Instant::now() + SPACING));
        }
        if wanted == Wanted::LoadLater {
            return Ok(Next::At(Instant::now() + SPACING));
        }
        let mut unlocked = self.unlock(&unlock, admin).await?;
        if self.awaits_its_turn(seen, &desired) {
            unlocked = unlocked.min(Next::At(Instant::now() + SPACING));
        }
        Ok(unlocked.min(self.end_ties(seen, &desired, standing, admin).await?))
    }

    /// Where this core stands among the generations of pods. Ignorance lasts only so long: without the API server there is no
    /// rollout to be wrong about.
    ///
    /// An empty answer is ignorance, too: what was known before it holds.
    fn standing(&self) -> Standing {
        if self.pods.is_empty()
            && let Some(last @ (Standing::Newest { .. } | Standing::Older { .. })) = &self.said
        {
            return last.clone();
        }
        let known = self.pods.standing(self.own_pod.as_deref());
        known.unwrap_or_else(|| if self.began.elapsed() < PATIENCE { Standing::Undecided } else { Standing::Unknown })
    }

    /// Whether this core publishes, said when it changes.
    fn publishes(&mut self, standing: &Standing) -> bool {
        let is_new = self.said.as_ref() != Some(standing);
        match standing {
            Standing::Unknown if is_new => warn!(
                pod = self.own_pod.as_deref().unwrap_or("unknown"),
                "publishing, without knowing whether another pod has a newer configuration: this one is not among the core pods"
            ),
            Standing::Older { newer, by } if is_new => {
                info!(%newer, %by, "not publishing the file: a newer generation does; waiting for its configuration");
            }
            Standing::Undecided if is_new => {
                debug!("not publishing the file yet: which generation is the newest is being asked");
            }
            _ => {}
        }
        if is_new {
            self.said = Some(standing.clone());
        }
        matches!(standing, Standing::Newest { .. } | Standing::Unknown)
    }

    async fn observe<P: Proxysql>(&mut self, admin: &mut P) -> Result<Observation, RoundError> {
        if self.sees_followers {
            match admin.run(&Statement::ObserveWithFollowers).await {
                Ok(answer) => return read(&answer),
                Err(error) if error.names_no_such_table() => self.sees_followers = false,
                Err(error) => return Err(error.into()),
            }
        }
        read(&admin.run(&Statement::Observe).await?)
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
        desired: &Members,
        standing: &Standing,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let older = match standing {
            Standing::Newest { older } => older.clone(),
            Standing::Unknown => BTreeSet::new(),
            // Its content is not the one that is to spread.
            Standing::Older { .. } | Standing::Undecided => return Ok(Next::Interval),
        };
        let yields = |peer: &Peer| {
            let row = desired.iter().find(|member| member.key() == (peer.hostname.as_str(), peer.port));
            row.is_some_and(|member| older.contains(&member.comment))
        };
        let tied = drift::to_load_again(seen, self.own(desired), yields);
        // A load in the very second of the tie would be tied, too.
        let is_over = |module: &Module| seen.own(*module).is_some_and(|own| seen.clock > own.epoch);
        let lasting: Vec<Module> = tied.intersection(&self.tied).copied().filter(is_over).collect();
        self.tied = tied;
        for module in &lasting {
            let plan = in_effect_again(*module);
            if let Some(at) = self.spacing.wait_for(&plan) {
                return Ok(Next::At(at));
            }
            warn!(%module, "a peer loaded other content in the same second; loading once more");
            self.spacing.apply(&plan, admin).await?;
        }
        self.tied.retain(|module| !lasting.contains(module));
        let look_again = !self.tied.is_empty() || !lasting.is_empty();
        Ok(if look_again { Next::At(Instant::now() + seen.check_interval.max(SPACING) * 2) } else { Next::Interval })
    }

    /// What to do about a module that is at version 1 here.
    fn unlock_of(&self, module: Module, seen: &Observation, own: Option<&Member>) -> Unlock {
        let blocked_for = self.blocked.get(&module).map_or(Duration::ZERO, Instant::elapsed);
        match (own, self.pods.members(self.port)) {
            (Some(own), Some(members)) => drift::unlock(seen, own, &members, module, blocked_for),
            // It does not know the others; they may know it.
            _ if blocked_for < PATIENCE => Unlock::Wait,
            _ => Unlock::Load,
        }
    }

    /// Takes note of what is at version 1, and since when.
    fn note_blocked(&mut self, seen: &Observation) {
        let is_blocked = |module: &Module| seen.own(*module).is_some_and(|own| own.version == 1);
        self.blocked.retain(|module, _| is_blocked(module));
        for module in Module::all().filter(is_blocked) {
            self.blocked.entry(module).or_insert_with(Instant::now);
        }
    }

    /// The modules that this core has to load once, unchanged, because nobody pulls them from any core.
    fn locked(&self, seen: &Observation, desired: &Members) -> BTreeSet<Module> {
        let decisions = self.decisions(seen, desired);
        decisions.filter(|(_, decision)| *decision == Unlock::Load).map(|(module, _)| module).collect()
    }

    /// Whether a member that was not reached yet, or was before this one, may yet leave something to it.
    fn awaits_its_turn(&self, seen: &Observation, desired: &Members) -> bool {
        self.decisions(seen, desired).any(|(_, decision)| decision == Unlock::Wait)
    }

    fn decisions(&self, seen: &Observation, desired: &Members) -> impl Iterator<Item = (Module, Unlock)> {
        let own = self.own(desired);
        // What the file was not yet found to say is not meant to spread.
        let settled = |module: &Module| *module == Module::ProxysqlServers || seen.published.contains_key(module);
        let blocked: Vec<Module> = self.blocked.keys().copied().filter(settled).filter(|_| own.is_some()).collect();
        blocked.into_iter().map(move |module| (module, self.unlock_of(module, seen, own)))
    }

    async fn unlock<P: Proxysql>(&mut self, modules: &BTreeSet<Module>, admin: &mut P) -> Result<Next, RoundError> {
        let mut next = Next::Interval;
        for module in modules.iter().filter(|module| **module != Module::ProxysqlServers) {
            let plan = in_effect_again(*module);
            if let Some(at) = self.spacing.wait_for(&plan) {
                next = next.min(Next::At(at));
                continue;
            }
            self.spacing.apply(&plan, admin).await?;
            info!(%module, "loaded once, unchanged: at version 1 no node would pull it");
        }
        Ok(next)
    }

    fn own<'a>(&self, desired: &'a Members) -> Option<&'a Member> {
        desired.iter().find(|member| Some(&member.comment) == self.own_pod.as_ref())
    }

    fn own_row(&self) -> Option<Member> {
        let members = self.pods.members(self.port)?;
        self.own(&members).cloned()
    }
}

/// Loads what is in effect, not what somebody is editing. The list of members is right in memory.
fn in_effect_again(module: Module) -> Plan {
    let plan = Plan::default();
    let plan = if module == Module::ProxysqlServers { plan } else { plan.then(Statement::SaveToMemory(module)) };
    plan.then(Statement::LoadToRuntime(module))
}

fn listed(seen: &Observation, unlock: bool) -> Listed {
    Listed { memory: seen.memory.clone(), runtime: seen.runtime.clone(), is_blocked: unlock }
}

fn say_change(runtime: &Members, desired: &Members, plan: &Plan) {
    let names = |members: Vec<&Member>| members.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    info!(
        members = desired.len(),
        added = %names(desired.difference(runtime).collect()),
        removed = %names(runtime.difference(desired).collect()),
        loaded = plan.loads().next().is_some(),
        "members changed"
    );
}
