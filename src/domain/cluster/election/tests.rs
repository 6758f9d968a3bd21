use std::collections::BTreeMap;

use super::*;
use crate::domain::proxysql::observation::{Checksum, Peer};

const HOSTS: [&str; 3] = ["10.0.0.2", "10.0.0.9", "10.0.0.10"];
const USERS: Module = Module::MysqlUsers;

fn at(hostname: &str) -> Member {
    Member::of_pod(hostname, 6032, hostname)
}

fn checksum(version: u64, checksum: &str) -> Checksum {
    Checksum { version, epoch: 100, checksum: checksum.into() }
}

/// A peer with this version and content; one at version 0 was never reached.
fn peer(hostname: &str, users: Checksum) -> Peer {
    let heard = users.version > 0;
    let modules = BTreeMap::from([("mysql_users".to_owned(), users)]);
    Peer { hostname: hostname.into(), port: 6032, modules, heard, ..Peer::default() }
}

fn seen(mine: Checksum, peers: Vec<Peer>) -> Observation {
    Observation {
        clock: 1000,
        check_interval: Duration::from_millis(200),
        own: BTreeMap::from([("mysql_users".to_owned(), mine)]),
        peers,
        ..Observation::default()
    }
}

fn newest(older: &[&str]) -> RolloutState {
    RolloutState::Newest { older: older.iter().map(ToString::to_string).collect() }
}

fn older() -> RolloutState {
    RolloutState::Older { newer: "core-new".into(), by: "owner_revision" }
}

fn of(own: &str, rollout: RolloutState) -> Election {
    Election::new(HOSTS.map(at).into(), Some(own), rollout)
}

fn decided(own: &str, mine: Checksum, peers: Vec<Peer>, older: &[&str], after: u64) -> Ruling {
    let members: Members = HOSTS.map(at).into();
    let members = members.into_iter().filter(|m| peers.iter().any(|peer| peer.hostname == m.hostname)).collect();
    let election = Election::new(members, Some(own), newest(older));
    election.initial_load(&seen(mine, peers), USERS, Duration::from_millis(after), Content::AtRuntime)
}

/// Who loads, of those of three at version 1, which all see the same: the version of each, 0 for one that nobody reaches.
fn loading(versions: [u64; 3], older: &[&str], after: u64) -> Vec<&'static str> {
    let peers: Vec<Peer> = HOSTS.iter().zip(versions).map(|(host, v)| peer(host, checksum(v, "0xA"))).collect();
    let is_at_version_1 = |host: &&&str| versions[HOSTS.iter().position(|h| h == *host).unwrap()] == 1;
    let loads = |host: &&&str| decided(host, checksum(1, "0xA"), peers.clone(), older, after).acts();
    HOSTS.iter().filter(is_at_version_1).filter(loads).copied().collect()
}

#[test]
fn a_core_publishes_unless_it_knows_or_is_about_to_know_of_a_newer_revision() {
    let publishing = |rollout| of("10.0.0.2", rollout).publishing();
    assert_eq!(publishing(newest(&["10.0.0.9"])), Ruling::Acts(Why::NewestRevision));
    assert_eq!(publishing(RolloutState::Unknown), Ruling::Acts(Why::NoRollout));
    let why = Why::OlderRevision { newer: "core-new".into(), by: "owner_revision" };
    assert_eq!(publishing(older()), Ruling::Leaves(why));
    assert_eq!(publishing(RolloutState::Undecided), Ruling::Waits(Why::UnknownRevision));
}

#[test]
fn exactly_one_of_the_members_that_answer_does_the_initial_load() {
    assert_eq!(loading([1, 1, 1], &[], 0), ["10.0.0.2"]);
    assert_eq!(loading([1, 2, 1], &[], 60_000), Vec::<&str>::new(), "one has");
    assert_eq!(loading([0, 1, 1], &[], 0), Vec::<&str>::new(), "the first may yet answer");
    assert_eq!(loading([0, 1, 1], &[], 4_000), ["10.0.0.9"], "in the order of addresses, not of texts");
    // The first answers and does not: the others take their turns.
    assert_eq!(loading([1, 1, 1], &[], 19_000), ["10.0.0.2"]);
    assert_eq!(loading([1, 1, 1], &[], 20_000), ["10.0.0.2", "10.0.0.9"]);
}

#[test]
fn silent_members_hold_nobody_for_long_and_the_first_for_the_shortest_time() {
    for (own, least) in HOSTS.iter().zip([2_600, 4_000, 5_400]) {
        let alone = |after| {
            let peers = HOSTS.iter().map(|host| peer(host, checksum(u64::from(host == own), "0xA"))).collect();
            decided(own, checksum(1, "0xA"), peers, &[], after)
        };
        let expected = (Ruling::Waits(Why::Unreached), Ruling::Acts(Why::First));
        assert_eq!((alone(least - 1), alone(least)), expected, "{own}");
    }
}

#[test]
fn the_turn_of_one_that_does_not_publish_is_not_waited_for() {
    assert_eq!(loading([1, 1, 1], &["10.0.0.2"], 0), ["10.0.0.2", "10.0.0.9"], "the first itself is never asked");
}

#[test]
fn content_at_version_1_yields_to_nothing_that_differs_and_to_all_that_is_equal() {
    let decided = |theirs: Checksum, content| {
        let peers = vec![peer("10.0.0.2", theirs), peer("10.0.0.9", checksum(1, "0xNEW"))];
        let election = Election::new(HOSTS[..2].iter().map(|host| at(host)).collect(), Some("10.0.0.9"), newest(&[]));
        election.initial_load(&seen(checksum(1, "0xNEW"), peers), USERS, Duration::ZERO, content)
    };
    for content in [Content::Published, Content::AtRuntime] {
        assert_eq!(decided(checksum(2, "0xNEW"), content), Ruling::Leaves(Why::SyncedFromPeer));
        assert_eq!(decided(checksum(1, "0xOLD"), content), Ruling::Waits(Why::TurnOf(at("10.0.0.2"))));
        assert_eq!(decided(checksum(0, ""), content), Ruling::Waits(Why::Unreached));
    }
    assert_eq!(decided(checksum(2, "0xOLD"), Content::Published), Ruling::Acts(Why::Overrules));
    assert_eq!(decided(checksum(2, "0xOLD"), Content::AtRuntime), Ruling::Leaves(Why::Overruled));
}

#[test]
fn a_core_that_does_not_find_itself_loads_only_what_it_publishes_and_waits_for_the_others_first() {
    let (election, seen) = (Election::new(Members::new(), None, RolloutState::Unknown), Observation::default());
    let load = |waited, content| election.initial_load(&seen, USERS, waited, content);
    assert_eq!(load(Duration::from_secs(1), Content::Published), Ruling::Waits(Why::Unlisted));
    assert_eq!(load(UNLISTED_WAIT, Content::Published), Ruling::Acts(Why::Unlisted));
    assert_eq!(load(UNLISTED_WAIT, Content::AtRuntime), Ruling::Leaves(Why::Unlisted));
}

#[test]
fn an_older_revision_loads_the_list_of_members_and_nothing_else() {
    let at_version_1 = checksum(1, "0xA");
    let list = Module::ProxysqlServers;
    let modules = |sum: &Checksum| [USERS, list].map(|module| (module.checksum_name().to_owned(), sum.clone())).into();
    let peers = HOSTS[1..].iter().map(|host| Peer { modules: modules(&at_version_1), ..peer(host, checksum(1, "")) });
    let seen = Observation { own: modules(&at_version_1), peers: peers.collect(), ..Observation::default() };
    for rollout in [older(), RolloutState::Undecided] {
        let election = of("10.0.0.2", rollout);
        let load = |module| election.initial_load(&seen, module, TURN, Content::AtRuntime);
        assert_eq!(load(USERS), Ruling::Leaves(election.publishing().why().clone()));
        assert_eq!(load(list), Ruling::Acts(Why::First));
    }
}

fn conflict(own: &str, rollout: RolloutState, mine: &str, theirs: [(&str, &str); 2]) -> Option<Ruling> {
    let peers = theirs.map(|(host, sum)| peer(host, checksum(3, sum)));
    of(own, rollout).epoch_conflicts(&seen(checksum(2, mine), peers.into())).remove(&USERS)
}

#[test]
fn the_first_by_address_resolves_an_epoch_conflict_and_no_other_core() {
    let (a, b) = (("10.0.0.9", "0xA"), ("10.0.0.10", "0xB"));
    assert_eq!(conflict("10.0.0.9", newest(&[]), "0xA", [a, b]), Some(Ruling::Acts(Why::First)));
    let first = Why::TurnOf(Member::of_pod("10.0.0.9", 6032, ""));
    assert_eq!(conflict("10.0.0.10", newest(&[]), "0xB", [a, b]), Some(Ruling::Leaves(first)));
    assert_eq!(conflict("10.0.0.10", newest(&[]), "0xA", [a, b]), None, "it has what the other has");
    assert_eq!(conflict("core-unlisted", newest(&[]), "0xC", [a, b]), None, "it does not know which row is its own");
}

#[test]
fn a_peer_of_an_older_revision_resolves_no_epoch_conflict_even_if_it_is_the_first() {
    let theirs = [("10.0.0.9", "0xA"), ("10.0.0.10", "0xB")];
    let newer = conflict("10.0.0.10", newest(&["10.0.0.9"]), "0xB", theirs);
    assert_eq!(newer, Some(Ruling::Acts(Why::First)));
    let ruling = conflict("10.0.0.9", older(), "0xA", theirs).unwrap();
    assert!(matches!(ruling, Ruling::Leaves(Why::OlderRevision { .. })), "{ruling:?}");
}

#[test]
fn each_reason_is_a_sentence_that_names_who_acts() {
    let why = Why::OlderRevision { newer: "core-new".into(), by: "owner_revision" };
    assert_eq!(why.to_string(), "the pod core-new has a newer rollout revision (by owner_revision)");
    assert_eq!(Why::TurnOf(at("10.0.0.2")).to_string(), "10.0.0.2:6032 comes first by address");
}

/// Whatever the versions and whatever the order of addresses: of cores that see the same, never two resolve one conflict, and where they are
/// all of one revision exactly one does.
#[test]
fn of_cores_that_see_the_same_exactly_one_resolves_a_conflict() {
    for sums in [["0xA", "0xB", "0xC"], ["0xA", "0xA", "0xB"], ["0xA", "0xB", "0xA"], ["0xB", "0xA", "0xA"]] {
        let peers: Vec<Peer> = HOSTS.iter().zip(sums).map(|(host, sum)| peer(host, checksum(2, sum))).collect();
        let acts = |(host, sum): &(&&str, &str)| {
            let conflicts = of(host, newest(&[])).epoch_conflicts(&seen(checksum(2, sum), peers.clone()));
            conflicts.values().any(Ruling::acts)
        };
        let acting: Vec<_> = HOSTS.iter().zip(sums).filter(acts).collect();
        assert!(!acting.is_empty(), "{sums:?}");
        // Those that have the same content as the first may load it as well: they have no conflict with each other.
        assert!(acting.iter().all(|(_, sum)| *sum == acting[0].1), "{sums:?}: {acting:?}");
    }
}
