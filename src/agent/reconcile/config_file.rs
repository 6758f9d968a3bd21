//! The configuration file: what of it is to be published, whether this core does, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::candidate::Publishing;
use super::super::passed_over::Remarks;
use super::super::proxysql::Tracked;
use super::super::publish::Publisher;
use super::super::round::{Next, RoundError};
use super::Context;
use super::executor::Executor;
use super::note::{Note, names};
use crate::domain::cluster::election::{Election, Why};
use crate::domain::cluster::member::{Member, Members};
use crate::domain::cluster::rollout;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::{Module, Statement};

/// How long a core that is to publish waits for those of older revisions to know of it, and remembers a member that another core
/// has listed.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it waits where others list other members. A watch that has fallen silent without a word is begun anew within this time.
const CONFLICT_TIMEOUT: Duration = Duration::from_mins(5);
/// Between two looks at whether they do.
const RECHECK_INTERVAL: Duration = Duration::from_millis(500);

/// What is remembered of the file between passes; `ProxySQL` holds the rest.
#[derive(Debug)]
pub(super) struct ConfigFile {
    publisher: Publisher,
    /// What was published is to be published again.
    republish: bool,
    /// Why this core does not publish though it was asked to.
    unwilling: Option<String>,
    /// Since when it waits for others to know of it, or to know itself what others know.
    waiting_since: Option<Instant>,
    /// Members that another core has listed and this one does not know, and when they were last seen.
    strangers: BTreeMap<Member, Instant>,
}

/// What to do about the modules that are due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    /// They are published now.
    pub(super) publish: bool,
    /// When to look again, if they are not.
    pub(super) next: Option<Instant>,
    /// What to say.
    pub(super) notes: Vec<Note>,
}

impl ConfigFile {
    pub(super) fn new(publishing: Publishing) -> Self {
        Self {
            publisher: Publisher::new(publishing),
            republish: false,
            unwilling: None,
            waiting_since: None,
            strangers: BTreeMap::new(),
        }
    }

    /// What publishing goes by from now on.
    pub(super) fn reconfigure(&mut self, publishing: Publishing) {
        self.publisher.reconfigure(publishing);
    }

    /// The next pass publishes the file again.
    pub(super) fn republish(&mut self) {
        self.republish = true;
        self.publisher.say_anew();
    }

    /// Why it is not published, if it is not.
    pub(super) fn refused(&self) -> Option<String> {
        self.publisher.refused()
    }

    /// Why this core does not publish though it was asked to.
    pub(super) fn unwilling(&self) -> Option<String> {
        self.unwilling.clone()
    }

    /// What of the file is not at runtime though it was published.
    pub(super) fn remarks(&self) -> &Remarks {
        self.publisher.remarks()
    }

    /// Forgets what was published, where it is to be published again.
    pub(super) async fn forget_published<P: Tracked>(
        &mut self,
        seen: &mut Observation,
        admin: &mut P,
    ) -> Result<(), RoundError> {
        if self.republish {
            // Kept in ProxySQL, so that it is not lost with this agent.
            for module in seen.publishable() {
                admin.run(&Statement::ForgetPublished(module)).await?;
            }
            seen.published.clear();
            self.publisher.republish();
        }
        Ok(())
    }

    /// The modules that are to be published.
    pub(super) async fn due<P: Tracked>(
        &mut self,
        seen: &mut Observation,
        admin: &mut P,
    ) -> Result<Vec<Module>, RoundError> {
        self.publisher.due(seen, admin).await
    }

    /// Whoever asked for the file to be published is told if it is not.
    pub(super) fn answer_for(&mut self, election: &Election) -> Option<Note> {
        let is_asked = std::mem::take(&mut self.republish);
        let ruling = election.publishing();
        let Why::OlderRevision { newer, .. } = ruling.why() else {
            self.unwilling = None;
            return None;
        };
        is_asked.then(|| {
            let reason = format!("the pod {newer} has a newer rollout revision and publishes its own file");
            self.unwilling = Some(reason.clone());
            Note::NotPublishing(reason)
        })
    }

    /// Takes note of members that another core has listed. While others list them, they are not forgotten. `listed` is the list that was
    /// last found right.
    pub(super) fn note_strangers(&mut self, context: &Context<'_>, listed: &Members) {
        let Context { seen, election, now, .. } = *context;
        // At version 1 the list is that of the file or the disk: no node has listed that.
        let is_loaded = seen.own(Module::ProxysqlServers).is_some_and(|own| own.version > 1);
        if is_loaded && !listed.is_empty() {
            let is_known = |member: &Member| election.members().contains(member) || listed.contains(member);
            let strangers = seen.runtime.iter().filter(|member| !is_known(member)).cloned();
            self.strangers.extend(strangers.map(|member| (member, now)));
        }
        if rollout::is_contradicted(seen, election.members(), election.older()) {
            self.strangers.values_mut().for_each(|at| *at = now);
        }
        let is_recent = |at: Instant| now.saturating_duration_since(at) < ACK_TIMEOUT;
        self.strangers.retain(|member, at| !election.members().contains(member) && is_recent(*at));
    }

    /// Whether the modules that are due are published. `pod` is this core's.
    pub(super) fn decide(&mut self, context: &Context<'_>, due: &[Module], pod: Option<&str>) -> Decision {
        let mut decision = Decision::default();
        if due.is_empty() {
            return decision;
        }
        let rollout = context.election.rollout_state().clone();
        decision.notes.push(Note::Publishing(rollout, pod.map(ToOwned::to_owned)));
        if !context.election.publishing().acts() {
            return decision;
        }
        let was_waiting = self.waiting_since.is_some();
        decision.publish = self.is_heard(context);
        if !decision.publish {
            decision.next = Some(context.now + RECHECK_INTERVAL);
        }
        if !was_waiting && self.waiting_since.is_some() {
            decision.notes.push(Note::NotHeard(names(self.strangers.keys())));
        }
        decision
    }

    /// Whether every core knows which ones are here. A core of an older revision that does not know of this one yet may publish its file
    /// after this one did. Not for long: one that does not answer does not publish either.
    ///
    /// A core that may be outdated does not publish either: its peers list a core that it does not know.
    fn is_heard(&mut self, context: &Context<'_>) -> bool {
        let Context { seen, election, now, .. } = *context;
        let (members, older) = (election.members(), election.older());
        let is_known = rollout::is_known_to(seen, election.own(), members, older);
        let is_contradicted = !self.strangers.is_empty() || rollout::is_contradicted(seen, members, older);
        if is_known && !is_contradicted {
            self.waiting_since = None;
            return true;
        }
        let waited = now.saturating_duration_since(*self.waiting_since.get_or_insert(now));
        waited >= if is_contradicted { CONFLICT_TIMEOUT } else { ACK_TIMEOUT }
    }

    /// Publishes the modules, until `may` says that this is to be thought over. `waits` is for how long each has been at version 1.
    pub(super) async fn publish<P: Tracked>(
        &mut self,
        due: &[Module],
        context: &Context<'_>,
        waits: BTreeMap<Module, Duration>,
        may: impl Fn() -> bool,
        executor: &mut Executor,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let unlocks = (context.election, waits);
        self.publisher.publish(due, context.seen, executor.spacing(), may, unlocks, admin).await
    }
}
