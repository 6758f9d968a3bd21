//! What both modes do about divergence: look at every module of every peer, and say once what lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use super::Proxysql;
use super::round::{Next, RoundError};
use crate::domain::cluster::drift::{self, DriftClass, Subject, Watch};
use crate::domain::cluster::election::Election;
use crate::domain::cluster::hearing;
use crate::domain::endpoint::Endpoint;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::Statement;
use crate::edge::admin::{AdminError, Login};

/// How often, at most, a peer that does not answer the checks is asked for its release.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Bound of that question, connection and login included. The agent does nothing else meanwhile.
const ASK_FOR: Duration = Duration::from_secs(1);
/// The least time between two looks while something may pass by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The longest, where only the wall clock says that a peer is silent.
const IN_DOUBT: Duration = Duration::from_millis(900);
/// Longest name of a release that is believed.
const LONGEST_VERSION: usize = 64;

/// What is remembered of the peers between rounds.
#[derive(Debug)]
pub(super) struct Peers {
    began: Instant,
    watch: Watch,
    /// Releases of peers that do not answer the checks, and when they were asked for.
    versions: BTreeMap<(String, u16), (Option<String>, Instant)>,
    own_version: Option<String>,
    /// Peers that do not answer the checks, as of the last look.
    silent: BTreeSet<(String, u16)>,
}

impl Peers {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            watch: Watch::default(),
            versions: BTreeMap::new(),
            own_version: None,
            silent: BTreeSet::new(),
        }
    }

    /// Looks at every module of every peer. `election` is a core's; a satellite has none, for it never acts for others.
    pub(super) fn look(&mut self, seen: &Observation, election: Option<&Election>) -> Next {
        let known = self.versions.iter().filter_map(|(peer, (version, _))| Some((peer.clone(), version.clone()?)));
        let mut found =
            drift::classify(seen, election.and_then(Election::own), &known.collect(), self.own_version.as_deref());
        if election.is_some_and(|election| !election.publishing().acts()) {
            // In a rollout it takes over what a newer one publishes: so it is meant.
            found.retain(|_, class| *class != DriftClass::NotAsPublished);
        }
        let silent = |(subject, class): (&Subject, &DriftClass)| {
            let is_silent = matches!(class, DriftClass::Unreachable | DriftClass::OtherVersion(_));
            subject.peer.clone().filter(|_| is_silent)
        };
        self.silent = found.iter().filter_map(silent).collect();
        self.versions.retain(|peer, _| self.silent.contains(peer));
        let news = self.watch.look(&found, seen.check_interval, self.began.elapsed());
        for (subject, class) in &news.begun {
            say(subject, class);
        }
        for (Subject { peer, module }, class) in &news.over {
            let (peer, module) = (peer.as_ref().map(address), module.map(|module| module.to_string()));
            info!(peer, module, was = class.name(), "drift resolved");
        }
        let soon = seen.check_interval.max(LOOK_AGAIN);
        match (hearing::is_in_doubt(seen), news.unsettled) {
            (true, _) => Next::At(Instant::now() + soon.min(IN_DOUBT)),
            (false, true) => Next::At(Instant::now() + soon),
            (false, false) => Next::Interval,
        }
    }

    /// Where this node and its peers differ for longer than a pull takes.
    pub(super) fn drift(&self) -> Vec<(Subject, DriftClass)> {
        self.watch.lasting().map(|(subject, class)| (subject.clone(), class.clone())).collect()
    }

    /// Asks one of the peers that do not answer the checks for its release: `ProxySQL` refuses to compare itself with another one, and
    /// shows that peer like one that is not there.
    ///
    /// This is the last thing that a round does, for one peer in each, so that dead ones delay nothing by more than that. Whatever comes
    /// of it, the peer is left alone for [`ASK_AGAIN`].
    pub(super) async fn ask_for_version<P: Proxysql>(&mut self, admin: &mut P) -> Result<(), RoundError> {
        let is_due = |peer: &&(String, u16)| self.versions.get(*peer).is_none_or(|(_, at)| at.elapsed() >= ASK_AGAIN);
        let Some(peer) = self.silent.iter().find(is_due).cloned() else { return Ok(()) };
        if self.own_version.is_none() {
            let answer = admin.run(&Statement::Version).await?;
            self.own_version = answer.rows.into_iter().flatten().next();
        }
        let Some(login) = cluster_login(admin).await? else {
            debug!(peer = %address(&peer), "not reading the peer's version: admin-cluster_username is empty");
            self.versions.insert(peer, (None, Instant::now()));
            return Ok(());
        };
        let question = [Statement::Version];
        let version = match timeout(ASK_FOR, admin.ask_peer(&peer.0, peer.1, &login, &question)).await {
            Ok(Ok(answers)) => answers
                .into_iter()
                .flat_map(|answer| answer.rows)
                .flatten()
                .next()
                .filter(|version| is_version(version)),
            Ok(Err(error)) => {
                debug!(peer = %address(&peer), %error, "cannot get the peer's version");
                None
            }
            Err(_) => {
                debug!(peer = %address(&peer), "cannot get the peer's version in time");
                None
            }
        };
        self.versions.insert(peer, (version, Instant::now()));
        Ok(())
    }
}

/// With what the nodes of this cluster let each other in: all that a peer is ever given. `None` where they do not.
pub(super) async fn cluster_login<P: Proxysql>(admin: &mut P) -> Result<Option<Login>, AdminError> {
    let mut login = Login { username: String::new(), password: String::new() };
    for row in admin.run(&Statement::ClusterLogin).await?.rows {
        let Ok([name, value]) = <[String; 2]>::try_from(row) else { continue };
        if name == "admin-cluster_username" {
            login.username = value;
        } else {
            login.password = value;
        }
    }
    Ok((!login.username.is_empty()).then_some(login))
}

/// Whoever answers at a peer's address may say anything.
fn is_version(text: &str) -> bool {
    (1..=LONGEST_VERSION).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}

fn address((hostname, port): &(String, u16)) -> String {
    Endpoint::new(hostname, *port).to_string()
}

fn say(Subject { peer, module }: &Subject, class: &DriftClass) {
    let (peer, module) = (peer.as_ref().map(address), module.map(|module| module.to_string()));
    // Each pod that goes is unreachable for a moment, and each change pending.
    if matches!(class, DriftClass::Pending | DriftClass::Unreachable) {
        info!(peer, module, class = class.name(), "drift detected: {class}");
    } else {
        warn!(peer, module, class = class.name(), "drift detected: {class}");
    }
}
