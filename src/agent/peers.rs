//! What both modes do about divergence: look at every module of every peer, and say once what lasts.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Proxysql;
use super::round::{Next, RoundError};
use crate::domain::drift::{self, Class, Divergences, Subject, Watch};
use crate::domain::member::Member;
use crate::domain::observation::Observation;
use crate::domain::statement::Statement;

/// How often a peer that does not answer the checks is asked for its release.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// The least time between two looks while something may pass by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What is remembered of the peers between rounds.
#[derive(Debug)]
pub(super) struct Peers {
    began: Instant,
    watch: Watch,
    /// Releases of peers that do not answer the checks, and when they were asked for.
    versions: BTreeMap<(String, u16), (Option<String>, Instant)>,
    own_version: Option<String>,
}

impl Peers {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), watch: Watch::default(), versions: BTreeMap::new(), own_version: None }
    }

    /// Looks at every module of every peer. `own` is this node's own row, if it is listed.
    pub(super) async fn look<P: Proxysql>(
        &mut self,
        seen: &Observation,
        own: Option<&Member>,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let mut found = self.classify(seen, own);
        if self.ask_for_versions(&found, admin).await? {
            found = self.classify(seen, own);
        }
        let news = self.watch.look(&found, seen.check_interval, self.began.elapsed());
        for (subject, class) in &news.begun {
            say(subject, class);
        }
        for (Subject { peer, module }, class) in &news.over {
            let (peer, module) = (peer.as_ref().map(address), module.map(|module| module.to_string()));
            info!(peer, module, was = class.name(), "no longer diverging");
        }
        let soon = Instant::now() + seen.check_interval.max(LOOK_AGAIN);
        Ok(if news.unsettled { Next::At(soon) } else { Next::Interval })
    }

    /// Where this node and its peers differ for longer than a pull takes.
    pub(super) fn diverging(&self) -> Vec<(Subject, Class)> {
        self.watch.lasting().map(|(subject, class)| (subject.clone(), class.clone())).collect()
    }

    fn classify(&self, seen: &Observation, own: Option<&Member>) -> Divergences {
        let known = self.versions.iter().filter_map(|(peer, (version, _))| Some((peer.clone(), version.clone()?)));
        drift::classify(seen, own, &known.collect(), self.own_version.as_deref())
    }

    /// Asks peers that do not answer the checks for their release: `ProxySQL` refuses to compare itself with another one, and shows
    /// that peer like one that is not there. Whether anybody was asked.
    async fn ask_for_versions<P: Proxysql>(&mut self, found: &Divergences, admin: &mut P) -> Result<bool, RoundError> {
        let silent: Vec<&(String, u16)> = found
            .iter()
            .filter(|(_, class)| matches!(class, Class::Unreachable | Class::OtherVersion(_)))
            .filter_map(|(subject, _)| subject.peer.as_ref())
            .collect();
        self.versions.retain(|peer, _| silent.contains(&peer));
        let mut asked = false;
        for peer in silent {
            if self.versions.get(peer).is_some_and(|(_, at)| at.elapsed() < ASK_AGAIN) {
                continue;
            }
            if self.own_version.is_none() {
                let answer = admin.run(&Statement::Version).await?;
                self.own_version = answer.rows.into_iter().flatten().next();
            }
            let version = match admin.ask_peer(&peer.0, peer.1, &[Statement::Version]).await {
                Ok(answers) => answers.into_iter().flat_map(|answer| answer.rows).flatten().next(),
                Err(error) => {
                    debug!(peer = %address(peer), %error, "the peer does not tell its version");
                    None
                }
            };
            self.versions.insert(peer.clone(), (version, Instant::now()));
            asked = true;
        }
        Ok(asked)
    }
}

fn address((hostname, port): &(String, u16)) -> String {
    Member::of_pod(hostname, *port, "").to_string()
}

fn say(Subject { peer, module }: &Subject, class: &Class) {
    let (peer, module) = (peer.as_ref().map(address), module.map(|module| module.to_string()));
    // Each pod that goes is unreachable for a moment, and each change pending.
    if matches!(class, Class::Pending | Class::Unreachable) {
        info!(peer, module, class = class.name(), "diverging; {class}");
    } else {
        warn!(peer, module, class = class.name(), "diverging; {class}");
    }
}
