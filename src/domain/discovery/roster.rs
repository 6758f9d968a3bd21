//! Sightings of pods folded into who is here now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::addresses::Addresses;
use crate::domain::cluster::core_pod::{CorePod, RevisionSource};
use crate::domain::cluster::generation::{self, Revisions, Standing};
use crate::domain::cluster::member::{Member, Members};

/// How the search for cores goes, be it by pods, a name or a list. Nothing is decided by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Answers that were whole: lists of pods, looks at a name or a list.
    pub answers: u64,
    /// How often the search failed and was begun again.
    pub restarts: u64,
    /// It has failed and not worked since.
    pub failing: bool,
}

impl Discovery {
    /// Whether it has worked, and does.
    pub fn is_up(&self) -> bool {
        self.answers > 0 && !self.failing
    }
}

/// How far what is known of the cores can be relied on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// The last answer was whole, and nothing says that there is none now.
    #[default]
    Fresh,
    /// A part of the last answer was missing: one kind of record, say.
    Half,
    /// The search fails: others may know better.
    Stale,
}

/// Who is here now, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// `None` until the first list has ended: ignorance is not an empty cluster.
    pods: Option<BTreeMap<String, CorePod>>,
    /// A list that is still being read; it replaces `pods` when it ends, so that a list cut half-way removes nobody.
    listing: Option<BTreeMap<String, CorePod>>,
    /// Of the owners of pods, where there are several.
    revisions: Revisions,
    discovery: Discovery,
    freshness: Freshness,
    /// Signs of life of who tells about cores: what is known is not older than the last of them.
    heard: u64,
    /// In the place of pods, where there are none.
    addresses: Option<Addresses>,
}

impl Roster {
    /// Of cores that are known by address alone.
    pub fn of_addresses() -> Self {
        Self { addresses: Some(Addresses::default()), ..Self::default() }
    }

    /// The cores, where they are known by address alone.
    pub fn addresses(&self) -> Option<&Addresses> {
        self.addresses.as_ref()
    }

    /// The cores were looked for by address: `members` are known now, `own` is this core's, and how far the look can be relied on.
    /// Whether that changed anything.
    pub fn looked(&mut self, members: BTreeSet<SocketAddr>, own: Option<SocketAddr>, freshness: Freshness) -> bool {
        let before = self.freshness;
        if freshness == Freshness::Fresh {
            self.discovery.answers += 1;
            self.discovery.failing = false;
        } else {
            self.failed();
        }
        self.freshness = freshness;
        self.heard += u64::from(freshness != Freshness::Stale);
        self.addresses.get_or_insert_default().found(members, own) || before != freshness
    }

    /// How far what is known can be relied on.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// How often who tells about cores was heard of. It only grows.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// How many signs of life it takes until nothing is missing: some resolvers give a part of the records, or an older answer.
    pub fn signs_needed(&self) -> u64 {
        if self.addresses.is_some() { 3 } else { 1 }
    }

    /// A list begins.
    pub fn begin_list(&mut self) {
        self.listing = Some(BTreeMap::new());
    }

    /// A pod of the list that is being read.
    pub fn listed(&mut self, pod: CorePod) {
        self.listing.get_or_insert_default().insert(pod.name.clone(), pod);
    }

    /// The list is complete: who is not on it is gone. Whether that changed anything.
    pub fn end_list(&mut self) -> bool {
        let listed = Some(self.listing.take().unwrap_or_default());
        let changed = self.pods != listed || self.freshness != Freshness::Fresh;
        self.pods = listed;
        self.discovery.answers += 1;
        self.discovery.failing = false;
        self.freshness = Freshness::Fresh;
        self.heard += 1;
        changed
    }

    /// The search failed: what is known stays, is not news, and may be outdated from now on, until there is a whole answer again.
    pub fn failed(&mut self) {
        self.discovery.restarts += 1;
        self.discovery.failing = true;
        self.freshness = Freshness::Stale;
    }

    /// How the search goes.
    pub fn discovery(&self) -> Discovery {
        self.discovery
    }

    /// A pod came or changed. Whether it changed in what is kept of it.
    pub fn seen(&mut self, pod: CorePod) -> bool {
        self.heard += 1;
        let Some(pods) = &mut self.pods else { return false };
        if pods.get(&pod.name) == Some(&pod) {
            return false;
        }
        pods.insert(pod.name.clone(), pod);
        true
    }

    /// A pod is gone. Whether it was here.
    pub fn gone(&mut self, name: &str) -> bool {
        self.heard += 1;
        self.pods.as_mut().is_some_and(|pods| pods.remove(name).is_some())
    }

    /// The pods; `None` while nobody knows.
    pub fn pods(&self) -> Option<impl Iterator<Item = &CorePod>> {
        self.pods.as_ref().map(BTreeMap::values)
    }

    /// The owners of pods were asked for their revisions. Whether that changed anything.
    pub fn set_revisions(&mut self, revisions: Revisions) -> bool {
        let changed = self.revisions != revisions;
        self.revisions = revisions;
        changed
    }

    /// Whether all these were asked for.
    pub fn knows_revisions(&self, sources: &BTreeSet<RevisionSource>) -> bool {
        sources.iter().all(|source| self.revisions.contains_key(source))
    }

    /// Where the pod `own` stands among all; `None` while nobody knows. Without pods there are no generations, and every core
    /// publishes its file.
    pub fn standing(&self, own: Option<&str>) -> Option<Standing> {
        if self.addresses.is_some() {
            return Some(Standing::Newest { older: BTreeSet::new() });
        }
        Some(generation::judge(self.pods()?, own, &self.revisions))
    }

    /// The last list had nobody on it. `false` while nothing is known.
    pub fn is_empty(&self) -> bool {
        self.pods.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// The rows that every core computes from the same pods, with `port` as everybody's admin port; `None` while nobody knows.
    /// Addresses have ports of their own.
    ///
    /// Two pods at one address (a reused address before the older pod's end was seen) are one row, the one of the pod whose
    /// name comes last, on every core.
    pub fn members(&self, port: u16) -> Option<Members> {
        if let Some(addresses) = &self.addresses {
            return addresses.rows();
        }
        let by_address: BTreeMap<IpAddr, &str> = self
            .pods
            .as_ref()?
            .values()
            .filter(|pod| pod.is_member())
            .filter_map(|pod| Some((pod.address?, pod.name.as_str())))
            .collect();
        Some(by_address.into_iter().map(|(ip, name)| Member::of_pod(ip.to_string(), port, name)).collect())
    }
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

    fn roster(pods: impl IntoIterator<Item = CorePod>) -> Roster {
        let mut roster = Roster::default();
        roster.begin_list();
        pods.into_iter().for_each(|pod| roster.listed(pod));
        roster.end_list();
        roster
    }

    fn names(roster: &Roster) -> Vec<String> {
        roster.members(6032).unwrap().into_iter().map(|m| m.comment).collect()
    }

    #[test]
    fn nobody_is_known_before_the_first_list_has_ended() {
        let mut roster = Roster::default();
        assert_eq!(roster.members(6032), None);
        roster.begin_list();
        roster.listed(pod("core-0", "10.0.0.1"));
        roster.seen(pod("core-1", "10.0.0.2"));
        assert_eq!(roster.members(6032), None);
        roster.end_list();
        assert_eq!(names(&roster), ["core-0"]);
    }

    #[test]
    fn a_list_that_is_cut_removes_nobody() {
        let mut roster = roster([pod("core-0", "10.0.0.1"), pod("core-1", "10.0.0.2")]);
        roster.begin_list();
        roster.listed(pod("core-0", "10.0.0.1"));
        assert_eq!(names(&roster), ["core-0", "core-1"]);
        roster.begin_list();
        roster.listed(pod("core-1", "10.0.0.2"));
        roster.end_list();
        assert_eq!(names(&roster), ["core-1"]);
    }

    #[test]
    fn only_running_pods_with_an_address_that_stay_are_members() {
        let pending = CorePod { running: false, ..pod("pending", "10.0.0.1") };
        let terminating = CorePod { terminating: true, ..pod("terminating", "10.0.0.2") };
        let without = pod("without", "no address");
        let roster = roster([pending, terminating, without, pod("core", "fd00::1")]);
        let members = roster.members(7032).unwrap();
        assert_eq!(members.into_iter().collect::<Vec<_>>(), [Member::of_pod("fd00::1", 7032, "core")]);
    }

    #[test]
    fn an_address_is_one_row_whoever_had_it() {
        let mut both = roster([pod("core-a", "10.0.0.1"), pod("core-b", "10.0.0.1")]);
        assert_eq!(names(&both), ["core-b"]);
        both.gone("core-b");
        assert_eq!(names(&both), ["core-a"]);
    }

    #[test]
    fn news_that_change_nothing_are_none() {
        let mut roster = roster([pod("core-0", "10.0.0.1")]);
        assert!(!roster.seen(pod("core-0", "10.0.0.1")));
        assert!(!roster.gone("core-1"));
        roster.begin_list();
        roster.listed(pod("core-0", "10.0.0.1"));
        assert!(!roster.end_list());
        assert!(roster.seen(pod("core-0", "10.0.0.2")));
        assert!(roster.gone("core-0"));
    }

    #[test]
    fn cores_without_pods_publish_all_and_are_listed_by_address() {
        let mut roster = Roster::of_addresses();
        let newest = Some(Standing::Newest { older: BTreeSet::new() });
        assert_eq!((roster.members(6032), roster.standing(None)), (None, newest));
        assert!(!roster.is_empty());
        assert!(roster.looked(["10.0.0.1:7032".parse().unwrap()].into(), None, Freshness::Fresh));
        assert!(roster.looked(BTreeSet::new(), None, Freshness::Stale), "nobody goes, and nothing is certain");
        assert!(!roster.looked(BTreeSet::new(), None, Freshness::Stale));
        assert_eq!(names(&roster), ["10.0.0.1:7032"]);
        assert_eq!(roster.discovery(), Discovery { answers: 1, restarts: 2, failing: true });
    }

    #[test]
    fn what_failed_is_outdated_until_a_whole_list_is_there() {
        let mut roster = roster([pod("core-0", "10.0.0.1")]);
        let heard = roster.heard();
        roster.failed();
        roster.begin_list();
        roster.listed(pod("core-0", "10.0.0.1"));
        assert_eq!((roster.freshness(), roster.heard()), (Freshness::Stale, heard));
        assert!(roster.end_list(), "that it is known again is news");
        assert_eq!((roster.freshness(), roster.heard()), (Freshness::Fresh, heard + 1));
        assert!(!roster.seen(pod("core-0", "10.0.0.1")));
        assert_eq!(roster.heard(), heard + 2, "what changes nothing is a sign of life");
    }

    #[test]
    fn a_pod_that_moves_is_one_row() {
        let mut roster = roster([pod("core-0", "10.0.0.1")]);
        roster.seen(pod("core-0", "10.0.0.9"));
        assert_eq!(roster.members(6032).unwrap().first().unwrap().hostname, "10.0.0.9");
        roster.gone("core-0");
        assert!(roster.members(6032).unwrap().is_empty());
    }
}
