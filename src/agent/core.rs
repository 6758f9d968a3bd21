//! One round of a core: publish the file once per `ProxySQL` process, keep the list of members, end ties between epochs.

mod members;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Proxysql;
use super::candidate::Publishing;
use super::peers::Peers;
use super::publish::Publisher;
use super::round::{Next, RoundError, Spacing, observe, read};
use super::unlock::Blocked;
use crate::domain::cluster::election::Election;
use crate::domain::cluster::followers::Followers;
use crate::domain::cluster::generation::{self, Standing};
use crate::domain::cluster::member::{Member, Members};
use crate::domain::discovery::roster::{Freshness, Roster};
use crate::domain::proxysql::observation::{Checksum, Observation};
use crate::domain::proxysql::statement::{Module, Statement};
use crate::domain::situation::Situation;
use crate::domain::tally::{Count, Guard};

/// How long a core waits for its first list of pods before it publishes without knowing who else there is.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a core that is to publish waits for those of older generations to know of it, and remembers a member that somebody else
/// has listed.
const HEARING: Duration = Duration::from_secs(10);
/// How long it waits where others list other members. A watch that has fallen silent without a word is begun anew within this time.
const DEAF: Duration = Duration::from_mins(5);
/// Between two looks at whether they do.
const LISTEN_AGAIN: Duration = Duration::from_millis(500);

/// What a core's agent remembers between rounds; `ProxySQL` holds the rest.
#[derive(Debug)]
pub struct Core {
    port: u16,
    own_pod: Option<String>,
    roster: watch::Receiver<Roster>,
    /// Has the pods looked for anew, where another list than theirs is in effect.
    recheck: Arc<Notify>,
    /// The pods as this round sees them.
    pods: Roster,
    spacing: Spacing,
    publisher: Publisher,
    began: Instant,
    /// What was published is to be published again.
    anew: bool,
    /// The place in the rollout as it was last known: an empty answer changes nothing about it.
    decided: Option<Standing>,
    /// The same, as far as it was said. Nothing is decided by it.
    said: Option<Standing>,
    peers: Peers,
    /// Modules at version 1.
    blocked: Blocked,
    /// Since when it waits for others to know of it, or to know itself what others know.
    unheard: Option<Instant>,
    /// Members that somebody else has listed and this core does not know, and when they were last seen.
    strangers: BTreeMap<Member, Instant>,
    /// The list of members as it was last found right, and what was in effect then.
    listed: Members,
    right: Option<Checksum>,
    /// The same, by one look.
    almost_right: Option<Checksum>,
    /// The list that this agent loaded last.
    made: Members,
    /// A list that another member has loaded, and that is not what this core knows.
    contradiction: Option<members::Contradiction>,
    /// That list was left to the others.
    left: Option<String>,
    /// Why this core does not publish though somebody asked it to.
    unwilling: Option<String>,
    /// Ties that the last round saw. One that is seen twice is no peer's news on their way.
    tied: BTreeSet<Module>,
    /// Since when another member has another list of the same second, and how often the members had been heard of then.
    list_tied: Option<(Instant, u64)>,
    holding: bool,
    /// Nodes that follow this one; `None` until it is known whom an earlier agent of this process has served.
    followers: Option<Followers>,
    /// `ProxySQL` keeps a table of who follows it.
    sees_followers: bool,
}

impl Core {
    /// A core whose members listen on `port`, and which finds itself among the pods by the name `own_pod`.
    ///
    /// `found` is what is known of the cores, and how to have them looked for anew.
    pub fn new(
        port: u16,
        own_pod: Option<String>,
        (roster, recheck): (watch::Receiver<Roster>, Arc<Notify>),
        publishing: Publishing,
    ) -> Self {
        Self {
            port,
            own_pod,
            roster,
            recheck,
            pods: Roster::default(),
            spacing: Spacing::default(),
            publisher: Publisher::new(publishing),
            began: Instant::now(),
            anew: false,
            decided: None,
            said: None,
            peers: Peers::new(),
            blocked: Blocked::default(),
            unheard: None,
            strangers: BTreeMap::new(),
            listed: Members::new(),
            right: None,
            almost_right: None,
            made: Members::new(),
            contradiction: None,
            left: None,
            unwilling: None,
            tied: BTreeSet::new(),
            list_tied: None,
            holding: false,
            followers: None,
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

    /// What the status shows: how the last round left things.
    pub(super) fn shows(&self) -> Situation {
        let is_known = self.pods.freshness() != Freshness::Stale;
        Situation {
            diverging: self.peers.diverging(),
            refused: self.publisher.refused(),
            passed_over: self.publisher.remarks().passed_over(),
            not_published: self.publisher.remarks().not_published(),
            unwilling: self.unwilling.clone(),
            desired: self.pods.members(self.port).filter(|members| is_known && !members.is_empty()),
            held: self.holding,
            generation: Some(self.standing()),
            following: None,
            discovery: Some(self.roster.borrow().discovery()),
        }
    }

    /// What this core's row in the list of members has for a comment; `None` where cores are known by address alone.
    pub(super) fn listed_as(&self) -> Option<String> {
        self.own_pod.clone().filter(|_| self.roster.borrow().addresses().is_none())
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
        }
        let election = self.elect();
        self.answer_for(election.standing());
        self.blocked.note(&seen, election.own());
        self.note_strangers(&seen, &election);
        let due = self.publisher.due(&mut seen, admin).await?;
        let mut again = Next::Interval;
        let standing = election.standing();
        if matches!(standing, Standing::Older { .. }) && !due.is_empty() && self.said.as_ref() != Some(standing) {
            admin.count(Count::Refusal(Guard::OlderGeneration));
        }
        if !due.is_empty() {
            self.say_publishing(standing);
        }
        if !due.is_empty() && election.publishing().acts() {
            if self.is_heard(&seen, &election) {
                let unchanged = || !self.roster.has_changed().unwrap_or(false);
                let unlocks = (&election, self.blocked.waits());
                again = self.publisher.publish(&due, &seen, &mut self.spacing, unchanged, unlocks, admin).await?;
                seen = self.observe(admin).await?;
            } else {
                again = Next::At(Instant::now() + LISTEN_AGAIN);
            }
        }
        let looked = self.peers.look(&seen, Some(&election));
        let kept = self.keep_members(seen, &election, admin).await?;
        self.peers.ask_for_version(admin).await?;
        Ok(again.min(looked).min(kept))
    }

    /// Who acts in this round.
    fn elect(&mut self) -> Election {
        let standing = self.standing();
        if matches!(standing, Standing::Newest { .. } | Standing::Older { .. }) {
            self.decided = Some(standing.clone());
        }
        let members = self.pods.members(self.port).unwrap_or_default();
        Election::new(members, self.own_pod.as_deref(), standing)
    }

    /// Whether everybody knows who is here. A core of an older generation that does not know of this one yet may publish its file
    /// after this one did. Not for long: who does not answer does not publish either.
    ///
    /// Nor does one publish that may be behind itself: others list a core that this one does not know.
    fn is_heard(&mut self, seen: &Observation, election: &Election) -> bool {
        let (members, older) = (election.members(), election.older());
        let is_known = generation::is_known_to(seen, election.own(), members, older);
        let is_contradicted = !self.strangers.is_empty() || generation::is_contradicted(seen, members, older);
        if is_known && !is_contradicted {
            self.unheard = None;
            return true;
        }
        if self.unheard.is_none() {
            let strangers = members::names(self.strangers.keys());
            info!(strangers, "not publishing the file yet: other cores do not list the same members");
        }
        let waited = self.unheard.get_or_insert_with(Instant::now).elapsed();
        waited >= if is_contradicted { DEAF } else { HEARING }
    }

    /// Takes note of members that somebody else has listed. While others list them, they are not forgotten.
    fn note_strangers(&mut self, seen: &Observation, election: &Election) {
        let now = Instant::now();
        // At version 1 the list is that of the file or the disk: nobody has listed that.
        let is_loaded = seen.own(Module::ProxysqlServers).is_some_and(|own| own.version > 1);
        if is_loaded && !self.listed.is_empty() {
            let is_known = |member: &Member| election.members().contains(member) || self.listed.contains(member);
            let strangers = seen.runtime.iter().filter(|member| !is_known(member)).cloned();
            self.strangers.extend(strangers.map(|member| (member, now)));
        }
        if generation::is_contradicted(seen, election.members(), election.older()) {
            self.strangers.values_mut().for_each(|at| *at = now);
        }
        self.strangers.retain(|member, at| !election.members().contains(member) && at.elapsed() < HEARING);
    }

    /// Where this core stands among the generations of pods. Ignorance lasts only so long: without the API server there is no
    /// rollout to be wrong about.
    ///
    /// An empty answer is ignorance, too: what was known before it holds.
    fn standing(&self) -> Standing {
        if self.pods.is_empty()
            && let Some(last) = &self.decided
        {
            return last.clone();
        }
        let known = self.pods.standing(self.own_pod.as_deref());
        known.unwrap_or_else(|| if self.began.elapsed() < PATIENCE { Standing::Undecided } else { Standing::Unknown })
    }

    /// Whoever asked for the file to be published is told if it is not.
    fn answer_for(&mut self, standing: &Standing) {
        let reason = match standing {
            Standing::Older { newer, .. } => {
                format!("the pod {newer} is of a newer generation, and publishes its own file")
            }
            Standing::Newest { .. } | Standing::Unknown | Standing::Undecided => {
                self.unwilling = None;
                self.anew = false;
                return;
            }
        };
        if std::mem::take(&mut self.anew) {
            warn!(%reason, "asked to publish the file, and not doing so");
            self.unwilling = Some(reason);
        }
    }

    /// Says whether this core publishes, when it changes.
    fn say_publishing(&mut self, standing: &Standing) {
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
    }

    async fn observe<P: Proxysql>(&mut self, admin: &mut P) -> Result<Observation, RoundError> {
        let mut seen = None;
        if self.sees_followers {
            match admin.run(&Statement::ObserveWithFollowers).await {
                Ok(answer) => seen = Some(read(&answer, admin)?),
                Err(error) if error.names_no_such_table() => self.sees_followers = false,
                Err(error) => return Err(error.into()),
            }
        }
        let seen = match seen {
            Some(seen) => seen,
            None => observe(admin).await?,
        };
        self.spacing.note(&seen);
        Ok(seen)
    }
}
