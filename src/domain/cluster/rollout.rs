//! Whose configuration file is the newest, of all core pods that run.
//!
//! A rollout replaces pods one by one, and a pod of the older template may come back in the middle of it. If that one published, the
//! older configuration would have the newer epoch, and the fleet would go back to it.

use std::collections::{BTreeMap, BTreeSet};

use super::core_pod::{CorePod, RevisionSource};
use super::member::{Member, Members};
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::Module;

/// Revisions that were asked for: `None` where one may not be read or is not there.
pub type Revisions = BTreeMap<RevisionSource, Option<i64>>;

/// Whether this core publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutState {
    /// It is of the newest generation.
    Newest {
        /// Pods of older ones.
        older: BTreeSet<String>,
    },
    /// Another generation is newer.
    Older {
        /// A pod of that one.
        newer: String,
        /// How this was determined.
        by: &'static str,
    },
    /// Which one is newer is being asked.
    Undecided,
    /// This agent does not find its own pod.
    Unknown,
}

impl RolloutState {
    /// What [`RolloutState::as_str`] can be.
    pub const WORDS: [&str; 4] = ["newest", "older", "undecided", "unknown"];

    /// The word that metrics and the status have.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Newest { .. } => "newest",
            Self::Older { .. } => "older",
            Self::Undecided => "undecided",
            Self::Unknown => "unknown",
        }
    }
}

/// The sources whose revisions decide: none where all pods are of the same.
pub fn to_ask<'a>(pods: impl IntoIterator<Item = &'a CorePod>) -> BTreeSet<RevisionSource> {
    deciding(pods.into_iter().filter(|pod| lives(pod)))
}

fn deciding<'a>(living: impl Iterator<Item = &'a CorePod>) -> BTreeSet<RevisionSource> {
    let sources: Vec<Option<&RevisionSource>> = living.map(|pod| pod.origin.source.as_ref()).collect();
    let asked: BTreeSet<&RevisionSource> = sources.iter().flatten().copied().collect();
    let comparable = sources.iter().all(Option::is_some)
        && asked.iter().map(|s| (s.kind, &s.family)).collect::<BTreeSet<_>>().len() == 1;
    if asked.len() > 1 && comparable { asked.into_iter().cloned().collect() } else { BTreeSet::new() }
}

/// Where the pod `own` stands among `pods`: by the owner's revision where it may be read, else by the template hash of the youngest pod,
/// else by the youngest pod itself.
pub fn rollout_state<'a>(
    pods: impl IntoIterator<Item = &'a CorePod>,
    own: Option<&str>,
    revisions: &Revisions,
) -> RolloutState {
    let pods: Vec<&CorePod> = pods.into_iter().collect();
    let Some(me) = pods.iter().copied().find(|pod| Some(pod.name.as_str()) == own) else {
        return RolloutState::Unknown;
    };
    // A pod whose agent runs may not be said to run yet.
    let living: Vec<&CorePod> = pods.iter().copied().filter(|pod| lives(pod) || pod.name == me.name).collect();
    let asked = deciding(living.iter().copied());
    if asked.iter().any(|source| !revisions.contains_key(source)) {
        return RolloutState::Undecided;
    }
    let revision = |pod: &CorePod| *revisions.get(pod.origin.source.as_ref()?)?;
    if !asked.is_empty()
        && living.iter().all(|pod| revision(pod).is_some())
        && let Some(newest) = living.iter().copied().max_by_key(|pod| revision(pod))
    {
        return among(&living, me, newest, "owner_revision", |pod| revision(pod) == revision(newest));
    }
    let Some(youngest) = living.iter().copied().max_by_key(|pod| (pod.origin.created, &pod.name)) else {
        return RolloutState::Unknown;
    };
    match &youngest.origin.hash {
        Some(hash) => among(&living, me, youngest, "pod_template_hash", |pod| pod.origin.hash.as_ref() == Some(hash)),
        None => among(&living, me, youngest, "pod_age", |pod| pod.name == youngest.name),
    }
}

fn among(
    living: &[&CorePod],
    me: &CorePod,
    newest: &CorePod,
    by: &'static str,
    is_newest: impl Fn(&CorePod) -> bool,
) -> RolloutState {
    if !is_newest(me) {
        return RolloutState::Older { newer: newest.name.clone(), by };
    }
    RolloutState::Newest { older: living.iter().filter(|pod| !is_newest(pod)).map(|pod| pod.name.clone()).collect() }
}

/// Whether the nodes of the pods named in `older` list the same members as this one does, `own` among them: only then do their agents
/// know that there is a newer generation. A pod that does not run yet is listed by nobody.
pub fn is_known_to(seen: &Observation, own: Option<&Member>, members: &Members, older: &BTreeSet<String>) -> bool {
    let list = Module::ProxysqlServers.checksum_name();
    let lists_the_same = |member: &Member| {
        let peer = seen.peers.iter().find(|peer| member.key() == (peer.hostname.as_str(), peer.port));
        let theirs = peer.filter(|peer| peer.heard).and_then(|peer| peer.modules.get(list));
        theirs.zip(seen.own.get(list)).is_some_and(|(theirs, own)| theirs.checksum == own.checksum)
    };
    older.is_empty()
        || own.is_some_and(|own| seen.runtime.contains(own))
            && members.iter().filter(|member| older.contains(&member.comment)).all(lists_the_same)
}

/// Whether a member that answers, and is not known to be of an older generation, has loaded another list than this node has: one of both
/// does not know something.
pub fn is_contradicted(seen: &Observation, members: &Members, older: &BTreeSet<String>) -> bool {
    let list = Module::ProxysqlServers.checksum_name();
    let Some(own) = seen.own.get(list) else { return false };
    let peers = seen.peers.iter().filter(|peer| peer.heard);
    let members: Vec<_> = members.iter().filter(|m| !older.contains(&m.comment)).map(Member::key).collect();
    let known = peers.filter(|peer| members.contains(&(peer.hostname.as_str(), peer.port)));
    let mut lists = known.filter_map(|peer| peer.modules.get(list)).filter(|theirs| theirs.version > 1);
    lists.any(|theirs| theirs.checksum != own.checksum)
}

fn lives(pod: &CorePod) -> bool {
    pod.running && !pod.terminating
}

#[cfg(test)]
mod tests {
    use super::super::core_pod::{PodOrigin, SourceKind};
    use super::*;

    fn pod(name: &str, hash: &str, created: i64) -> CorePod {
        let label = |key: &str| (key == "pod-template-hash").then(|| hash.to_owned());
        let origin = PodOrigin::new(Some(("ReplicaSet", &format!("core-{hash}"))), label, created);
        CorePod { name: name.into(), address: None, running: true, terminating: false, origin }
    }

    fn revisions(of: &[(&str, Option<i64>)]) -> Revisions {
        of.iter().map(|(hash, revision)| (pod("", hash, 0).origin.source.unwrap(), *revision)).collect()
    }

    fn newest(older: &[&str]) -> RolloutState {
        RolloutState::Newest { older: older.iter().map(ToString::to_string).collect() }
    }

    fn is_older(rollout: &RolloutState) -> bool {
        matches!(rollout, RolloutState::Older { .. })
    }

    #[test]
    fn pods_of_one_template_are_all_the_newest_and_nothing_is_asked() {
        let pods = [pod("a", "old", 1), pod("b", "old", 9)];
        assert!(to_ask(&pods).is_empty());
        assert_eq!(rollout_state(&pods, Some("a"), &Revisions::new()), newest(&[]));
    }

    #[test]
    fn the_revision_decides_even_where_an_older_template_has_the_youngest_pod() {
        let pods = [pod("old", "o", 9), pod("new", "n", 5)];
        assert_eq!(to_ask(&pods).len(), 2);
        assert_eq!(rollout_state(&pods, Some("new"), &Revisions::new()), RolloutState::Undecided);
        let known = revisions(&[("o", Some(1)), ("n", Some(2))]);
        assert_eq!(rollout_state(&pods, Some("new"), &known), newest(&["old"]));
        let older = rollout_state(&pods, Some("old"), &known);
        assert_eq!(older, RolloutState::Older { newer: "new".into(), by: "owner_revision" });
        // A roll back gives the old template the highest revision.
        let back = revisions(&[("o", Some(3)), ("n", Some(2))]);
        assert_eq!(rollout_state(&pods, Some("old"), &back), newest(&["new"]));
        // Ten is more than nine.
        let ten = revisions(&[("o", Some(9)), ("n", Some(10))]);
        assert!(is_older(&rollout_state(&pods, Some("old"), &ten)));
    }

    #[test]
    fn without_revisions_the_youngest_pods_template_decides() {
        let pods = [pod("old", "o", 1), pod("new-1", "n", 5), pod("new-2", "n", 7)];
        let unreadable = revisions(&[("o", Some(9)), ("n", None)]);
        assert_eq!(rollout_state(&pods, Some("new-1"), &unreadable), newest(&["old"]));
        assert!(is_older(&rollout_state(&pods, Some("old"), &unreadable)));
    }

    #[test]
    fn without_templates_the_youngest_pod_decides() {
        let bare =
            |name: &str, created| CorePod { origin: PodOrigin { created, ..PodOrigin::default() }, ..pod(name, "", 0) };
        let pods = [bare("a", 1), bare("b", 5)];
        assert_eq!(rollout_state(&pods, Some("b"), &Revisions::new()), newest(&["a"]));
        assert!(is_older(&rollout_state(&pods, Some("a"), &Revisions::new())));
    }

    #[test]
    fn pods_that_end_or_do_not_run_decide_nothing_but_the_own_one_does() {
        let mut pods = [pod("old", "o", 1), pod("new", "n", 5)];
        pods[1].running = false;
        assert_eq!(rollout_state(&pods, Some("old"), &Revisions::new()), newest(&[]));
        assert_eq!(rollout_state(&pods, Some("new"), &Revisions::new()), RolloutState::Undecided);
        pods[1].running = true;
        pods[1].terminating = true;
        assert_eq!(rollout_state(&pods, Some("old"), &Revisions::new()), newest(&[]));
    }

    #[test]
    fn who_does_not_find_itself_is_unknown() {
        let pods = [pod("a", "o", 1)];
        assert_eq!(rollout_state(&pods, None, &Revisions::new()), RolloutState::Unknown);
        assert_eq!(rollout_state(&pods, Some("z"), &Revisions::new()), RolloutState::Unknown);
    }

    #[test]
    fn an_older_core_knows_of_a_newer_one_when_it_lists_it() {
        use crate::domain::proxysql::observation::{Checksum, Peer};

        let [old, new] = ["10.0.0.1", "10.0.0.2"].map(|host| Member::of_pod(host, 6032, host));
        let members: Members = [old.clone(), new.clone()].into();
        let sum = |checksum: &str| Checksum { version: 2, epoch: 1, checksum: checksum.into() };
        let list = |checksum: &str| BTreeMap::from([("proxysql_servers".to_owned(), sum(checksum))]);
        let seen = |runtime: &[&Member], theirs: &str, heard: bool| Observation {
            clock: 100,
            runtime: runtime.iter().map(|member| (*member).clone()).collect(),
            own: list("0xBOTH"),
            peers: vec![Peer {
                hostname: "10.0.0.1".into(),
                port: 6032,
                modules: list(theirs),
                heard,
                ..Peer::default()
            }],
            ..Observation::default()
        };
        let older = BTreeSet::from(["10.0.0.1".to_owned()]);
        let known = |seen: &Observation, own: Option<&Member>| is_known_to(seen, own, &members, &older);
        assert!(known(&seen(&[&old, &new], "0xBOTH", true), Some(&new)));
        assert!(!known(&seen(&[&old, &new], "0xOLD", true), Some(&new)), "it lists others");
        assert!(!known(&seen(&[&old, &new], "0xBOTH", false), Some(&new)), "that was long ago");
        assert!(!known(&seen(&[&old], "0xBOTH", true), Some(&new)), "this node does not list itself yet");
        assert!(!known(&seen(&[&old, &new], "0xBOTH", true), None), "its pod does not run yet");
        assert!(is_known_to(&seen(&[], "0xOLD", false), None, &members, &BTreeSet::new()), "there is no older one");
        let nobody = BTreeSet::new();
        assert!(is_contradicted(&seen(&[&old, &new], "0xOLD", true), &members, &nobody));
        assert!(!is_contradicted(&seen(&[&old, &new], "0xOLD", true), &members, &older), "it is the one behind");
        assert!(!is_contradicted(&seen(&[&old, &new], "0xOLD", false), &members, &nobody), "that was long ago");
        assert!(!is_contradicted(&seen(&[&old, &new], "0xBOTH", true), &members, &nobody));
    }

    #[test]
    fn each_kind_of_owner_has_its_source() {
        let label = |key: &str| (key == "controller-revision-hash").then(|| "core-7d".to_owned());
        let stateful = PodOrigin::new(Some(("StatefulSet", "core")), label, 0).source.unwrap();
        assert_eq!((stateful.kind, stateful.name.as_str()), (SourceKind::ControllerRevision, "core-7d"));
        let daemon = PodOrigin::new(Some(("DaemonSet", "core")), label, 0).source.unwrap();
        assert_eq!(daemon.name, "core-core-7d");
        assert_eq!(pod("", "7d", 0).origin.source.unwrap().family, "core");
        assert_eq!(PodOrigin::new(Some(("Job", "x")), label, 0).source, None);
        // Revisions of two deployments are not comparable.
        let other = PodOrigin::new(Some(("ReplicaSet", "other-x")), |_| Some("x".into()), 0);
        let pods = [pod("a", "o", 1), CorePod { origin: other, ..pod("b", "", 0) }];
        assert!(to_ask(&pods).is_empty());
    }
}
