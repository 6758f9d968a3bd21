//! Pods as a watch tells of them, folded into who is here now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::discovered::{Discovered, Freshness, SourceHealth};
use crate::domain::cluster::core_pod::{CorePod, RevisionSource};
use crate::domain::cluster::member::{Member, Members};
use crate::domain::cluster::rollout::{self, Revisions, RolloutState};

/// The cores' pods, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pods {
    /// `None` until the first list has ended.
    known: Option<BTreeMap<String, CorePod>>,
    /// A list that is still being read. It replaces `known` when it is complete, so that an interrupted list removes no pod.
    listing: Option<BTreeMap<String, CorePod>>,
    /// Of the owners of pods, where there are several.
    revisions: Revisions,
    source: SourceHealth,
    /// What was decided last about the pod of this core. An empty list is ignorance, too: what was known before it holds.
    decided: Option<RolloutState>,
}

impl Pods {
    /// A list begins.
    pub fn begin_list(&mut self) {
        self.listing = Some(BTreeMap::new());
    }

    /// A pod of the list that is being read.
    pub fn listed(&mut self, pod: CorePod) {
        self.listing.get_or_insert_default().insert(pod.name.clone(), pod);
    }

    /// The list is complete: a pod that is not on it is gone.
    pub fn end_list(&mut self) {
        self.known = Some(self.listing.take().unwrap_or_default());
        self.source.answered(Freshness::Fresh);
    }

    /// The watch failed.
    pub fn failed(&mut self) {
        self.source.failed();
    }

    /// A pod came or changed.
    pub fn applied(&mut self, pod: CorePod) {
        self.source.heard += 1;
        if let Some(pods) = &mut self.known {
            pods.insert(pod.name.clone(), pod);
        }
    }

    /// A pod is gone.
    pub fn deleted(&mut self, name: &str) {
        self.source.heard += 1;
        if let Some(pods) = &mut self.known {
            pods.remove(name);
        }
    }

    /// The pods; none while they are not known.
    pub fn known(&self) -> impl Iterator<Item = &CorePod> {
        self.known.iter().flat_map(BTreeMap::values)
    }

    /// The owners of pods were asked for their revisions.
    pub fn set_revisions(&mut self, revisions: Revisions) {
        self.revisions = revisions;
    }

    /// Which revisions decide, and which of the pods are made from something that has one: a roll back raises the revision of an older
    /// template before it makes pods of it.
    pub fn revisions_to_ask(&self) -> RevisionsToAsk {
        let sources = rollout::to_ask(self.known());
        RevisionsToAsk {
            pods: self.known().filter_map(|pod| Some((pod.name.clone(), pod.origin.source.clone()?))).collect(),
            known: sources.iter().all(|source| self.revisions.contains_key(source)),
            sources,
        }
    }

    /// What this source says to the core that runs in the pod `own`, where every core's admin port is `port`.
    ///
    /// Two pods at one address (a reused address before the older pod's end was seen) are one row, the one of the pod whose
    /// name comes last, on every core.
    pub fn discovered(&mut self, own: Option<&str>, port: u16) -> Discovered {
        let rollout = match (&self.known, &self.decided) {
            (None, _) => None,
            (Some(pods), Some(last)) if pods.is_empty() => Some(last.clone()),
            (Some(pods), _) => Some(rollout::rollout_state(pods.values(), own, &self.revisions)),
        };
        if matches!(rollout, Some(RolloutState::Newest { .. } | RolloutState::Older { .. })) {
            self.decided.clone_from(&rollout);
        }
        Discovered {
            members: self.members(port),
            own: own.map(ToOwned::to_owned),
            rollout,
            has_names: true,
            freshness: self.source.freshness,
            heard: self.source.heard,
            signs_needed: 1,
            health: self.source.health,
        }
    }

    fn members(&self, port: u16) -> Option<Members> {
        let running = self.known.as_ref()?.values().filter(|pod| pod.is_member());
        let by_address: BTreeMap<IpAddr, &str> =
            running.filter_map(|pod| Some((pod.address?, pod.name.as_str()))).collect();
        Some(by_address.into_iter().map(|(ip, name)| Member::of_pod(ip.to_string(), port, name)).collect())
    }
}

/// What there is to ask about revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionsToAsk {
    /// The pods that have an owner with a revision.
    pub pods: BTreeSet<(String, RevisionSource)>,
    /// Those that decide: none where all pods are of the same.
    pub sources: BTreeSet<RevisionSource>,
    /// All of them were asked for.
    pub known: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::core_pod::PodOrigin;

    fn pod(name: &str, address: &str) -> CorePod {
        CorePod {
            name: name.into(),
            address: address.parse().ok(),
            running: true,
            terminating: false,
            origin: PodOrigin::default(),
        }
    }

    fn listed(pods: impl IntoIterator<Item = CorePod>) -> Pods {
        let mut listed = Pods::default();
        list(&mut listed, pods);
        listed
    }

    fn list(pods: &mut Pods, listed: impl IntoIterator<Item = CorePod>) {
        pods.begin_list();
        listed.into_iter().for_each(|pod| pods.listed(pod));
        pods.end_list();
    }

    fn names(pods: &Pods) -> Vec<String> {
        pods.members(6032).unwrap().into_iter().map(|m| m.comment).collect()
    }

    #[test]
    fn nothing_is_known_before_the_first_list_has_ended() {
        let mut pods = Pods::default();
        assert_eq!(pods.discovered(Some("core-0"), 6032).members, None);
        pods.begin_list();
        pods.listed(pod("core-0", "10.0.0.1"));
        pods.applied(pod("core-1", "10.0.0.2"));
        let early = pods.discovered(Some("core-0"), 6032);
        assert_eq!((early.members, early.rollout), (None, None));
        pods.end_list();
        assert_eq!(names(&pods), ["core-0"]);
    }

    #[test]
    fn a_list_that_is_cut_removes_no_pod() {
        let mut pods = listed([pod("core-0", "10.0.0.1"), pod("core-1", "10.0.0.2")]);
        pods.begin_list();
        pods.listed(pod("core-0", "10.0.0.1"));
        assert_eq!(names(&pods), ["core-0", "core-1"]);
        list(&mut pods, [pod("core-1", "10.0.0.2")]);
        assert_eq!(names(&pods), ["core-1"]);
    }

    #[test]
    fn only_running_pods_with_an_address_that_stay_are_members() {
        let pending = CorePod { running: false, ..pod("pending", "10.0.0.1") };
        let terminating = CorePod { terminating: true, ..pod("terminating", "10.0.0.2") };
        let without = pod("without", "no address");
        let pods = listed([pending, terminating, without, pod("core", "fd00::1")]);
        let members = pods.members(7032).unwrap();
        assert_eq!(members.into_iter().collect::<Vec<_>>(), [Member::of_pod("fd00::1", 7032, "core")]);
    }

    #[test]
    fn an_address_is_one_row_whichever_pods_had_it() {
        let mut both = listed([pod("core-a", "10.0.0.1"), pod("core-b", "10.0.0.1")]);
        assert_eq!(names(&both), ["core-b"]);
        both.deleted("core-b");
        assert_eq!(names(&both), ["core-a"]);
    }

    #[test]
    fn a_pod_that_moves_is_one_row() {
        let mut pods = listed([pod("core-0", "10.0.0.1")]);
        pods.applied(pod("core-0", "10.0.0.9"));
        assert_eq!(pods.members(6032).unwrap().first().unwrap().hostname, "10.0.0.9");
        pods.deleted("core-0");
        assert!(pods.members(6032).unwrap().is_empty());
    }

    #[test]
    fn a_failed_watch_is_outdated_until_a_complete_list_is_there() {
        let mut pods = listed([pod("core-0", "10.0.0.1")]);
        let heard = pods.source.heard;
        pods.failed();
        pods.begin_list();
        pods.listed(pod("core-0", "10.0.0.1"));
        assert_eq!((pods.source.freshness, pods.source.heard), (Freshness::Stale, heard));
        pods.end_list();
        assert_eq!((pods.source.freshness, pods.source.heard), (Freshness::Fresh, heard + 1));
        pods.applied(pod("core-0", "10.0.0.1"));
        assert_eq!(pods.source.heard, heard + 2, "what changes nothing is a sign of life");
    }

    #[test]
    fn an_empty_list_leaves_the_place_in_the_rollout_as_it_was() {
        let mut pods = listed([pod("core-0", "10.0.0.1")]);
        let before = pods.discovered(Some("core-0"), 6032).rollout;
        assert!(matches!(before, Some(RolloutState::Newest { .. })));
        list(&mut pods, []);
        let after = pods.discovered(Some("core-0"), 6032);
        assert_eq!((after.members, after.rollout), (Some(Members::new()), before));
        list(&mut pods, [pod("core-9", "10.0.0.9")]);
        assert_eq!(pods.discovered(Some("core-0"), 6032).rollout, Some(RolloutState::Unknown));
    }
}
