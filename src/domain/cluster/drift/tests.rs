use std::collections::BTreeMap;

use super::*;

fn checksum(version: u64, epoch: i64, checksum: &str) -> Checksum {
    Checksum { version, epoch, checksum: checksum.into() }
}

fn peer(hostname: &str, users: Checksum) -> Peer {
    let modules = BTreeMap::from([("mysql_users".to_owned(), users)]);
    Peer { hostname: hostname.into(), port: 6032, modules, updated_at: Some(1), heard: true, ..Peer::default() }
}

fn seen(own: Checksum, peers: Vec<Peer>) -> Observation {
    Observation { own: BTreeMap::from([("mysql_users".to_owned(), own)]), peers, ..Observation::default() }
}

fn at(hostname: &str) -> Member {
    Member::of_pod(hostname, 6032, "core")
}

#[test]
fn only_equal_epochs_with_different_content_are_a_conflict() {
    let own = at("10.0.0.1");
    for theirs in [
        checksum(2, 100, "0xA"),
        checksum(2, 101, "0xB"),
        checksum(2, 99, "0xB"),
        checksum(1, 100, "0xB"),
        checksum(0, 0, ""),
    ] {
        let seen = seen(checksum(2, 100, "0xA"), vec![peer("10.0.0.2", theirs.clone())]);
        assert!(conflicts(&seen, &own).is_empty(), "{theirs:?}");
    }
    let seen = seen(checksum(2, 100, "0xA"), vec![peer("10.0.0.2", checksum(3, 100, "0xB"))]);
    assert_eq!(conflicts(&seen, &own)[&Module::MysqlUsers][0].hostname, "10.0.0.2");
}

#[test]
fn a_node_does_not_conflict_with_its_own_row() {
    let seen = seen(checksum(2, 100, "0xA"), vec![peer("10.0.0.1", checksum(2, 100, "0xOLD"))]);
    assert!(conflicts(&seen, &at("10.0.0.1")).is_empty());
}

fn with(own: Checksum, theirs: Checksum, clock: i64) -> Observation {
    let peer = Peer { updated_at: Some(clock), ..peer("10.0.0.2", theirs) };
    Observation { clock, check_interval: Duration::from_millis(200), ..seen(own, vec![peer]) }
}

fn class_of(seen: &Observation) -> Option<DriftClass> {
    let found = classify(seen, Some(&at("10.0.0.1")), &BTreeMap::new(), None);
    assert!(found.len() <= 1, "{found:?}");
    found.into_values().next()
}

#[test]
fn every_pair_has_its_class() {
    for (own, theirs, expected) in [
        (checksum(2, 100, "0xA"), checksum(7, 90, "0xA"), None),
        (checksum(1, 100, "0xA"), checksum(1, 90, "0xA"), None),
        (checksum(2, 100, "0xA"), checksum(0, 0, ""), None),
        (checksum(0, 0, ""), checksum(2, 100, "0xA"), None),
        (checksum(2, 100, "0xA"), checksum(2, 101, "0xB"), Some(DriftClass::Pending)),
        (checksum(1, 100, "0xA"), checksum(2, 50, "0xB"), Some(DriftClass::Pending)),
        (checksum(2, 100, "0xA"), checksum(1, 101, "0xB"), Some(DriftClass::BlockedAtVersion1)),
        (checksum(1, 100, "0xA"), checksum(1, 100, "0xB"), Some(DriftClass::BlockedAtVersion1)),
        (checksum(2, 100, "0xA"), checksum(2, 100, "0xB"), Some(DriftClass::EqualEpochs)),
        (checksum(2, 100, "0xA"), checksum(2, 99, "0xB"), Some(DriftClass::LocalNewer)),
        (checksum(2, 1100, "0xA"), checksum(2, 1100, "0xA"), Some(DriftClass::ClockAhead)),
        (checksum(2, 1004, "0xA"), checksum(2, 1004, "0xA"), None),
        (checksum(2, 100, "0xA"), checksum(2, 1100, "0xB"), Some(DriftClass::ClockAhead)),
    ] {
        assert_eq!(class_of(&with(own.clone(), theirs.clone(), 999)), expected, "{own:?} {theirs:?}");
    }
}

#[test]
fn a_silent_peer_is_unreachable_or_of_another_release() {
    let mut seen = with(checksum(2, 100, "0xA"), checksum(2, 100, "0xB"), 1000);
    seen.peers[0].heard = false;
    assert_eq!(class_of(&seen), Some(DriftClass::Unreachable));
    let found = |version: &str| {
        let versions = BTreeMap::from([(("10.0.0.2".to_owned(), 6032), version.to_owned())]);
        classify(&seen, Some(&at("10.0.0.1")), &versions, Some("2.7.1")).into_values().next().unwrap()
    };
    assert_eq!(found("2.7.9"), DriftClass::OtherVersion("2.7.9".into()));
    assert_eq!(found("2.7.1"), DriftClass::Unreachable);
}

#[test]
fn what_was_published_and_is_not_in_effect_any_more_is_named() {
    let mut seen = with(checksum(2, 100, "0xA"), checksum(2, 100, "0xA"), 1000);
    seen.published.insert(Module::MysqlUsers, None);
    assert_eq!(class_of(&seen), None);
    seen.published.insert(Module::MysqlUsers, Some("0xA".into()));
    assert_eq!(class_of(&seen), None);
    seen.published.insert(Module::MysqlUsers, Some("0xF".into()));
    assert_eq!(class_of(&seen), Some(DriftClass::NotAsPublished));
}

#[test]
fn what_lasts_is_said_once_and_its_end_too() {
    let subject = Subject { peer: Some(("10.0.0.2".into(), 6032)), module: Some(Module::MysqlUsers) };
    let found = |class: DriftClass| Divergences::from([(subject.clone(), class)]);
    let (check, at) = (Duration::from_millis(200), Duration::from_millis);
    let mut watch = Watch::default();
    assert_eq!(watch.look(&found(DriftClass::LocalNewer), check, at(0)), News { unsettled: true, ..News::default() });
    // Passed by itself: never said, so its end is not either.
    assert_eq!(watch.look(&Divergences::new(), check, at(500)), News::default());
    watch.look(&found(DriftClass::LocalNewer), check, at(1000));
    let news = watch.look(&found(DriftClass::LocalNewer), check, at(2000));
    assert_eq!(news.begun, [(subject.clone(), DriftClass::LocalNewer)]);
    assert_eq!(watch.look(&found(DriftClass::LocalNewer), check, at(9000)), News::default());
    // Another class is told by itself, without an end in between.
    assert_eq!(watch.look(&found(DriftClass::EqualEpochs), check, at(9500)).over, []);
    assert_eq!(watch.look(&found(DriftClass::EqualEpochs), check, at(10500)).begun.len(), 1);
    assert_eq!(watch.lasting().count(), 1);
    assert_eq!(watch.look(&Divergences::new(), check, at(11000)).over, [(subject.clone(), DriftClass::EqualEpochs)]);
    watch.look(&found(DriftClass::NotAsPublished), check, at(11000));
    assert_eq!(watch.look(&found(DriftClass::NotAsPublished), check, at(13000)).begun.len(), 1);
    // A satellite that has restored its list is given the time to follow again.
    let list = Subject { module: Some(Module::ProxysqlServers), ..subject };
    let found = Divergences::from([(list, DriftClass::LocalNewer)]);
    watch.look(&found, check, at(20_000));
    assert_eq!(watch.look(&found, check, at(79_000)), News::default());
    assert_eq!(watch.look(&found, check, at(80_000)).begun.len(), 1);
}
