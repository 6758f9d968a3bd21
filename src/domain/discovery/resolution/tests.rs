use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn records(texts: &[&str]) -> DnsAnswer {
    DnsAnswer::Records { addresses: texts.iter().map(|text| ip(text)).collect(), keep: Duration::from_secs(30) }
}

fn failure() -> DnsAnswer {
    DnsAnswer::Failure("SERVFAIL".into())
}

fn look(v4: DnsAnswer, v6: DnsAnswer) -> LookOutcome {
    [(Family::V4, v4), (Family::V6, v6)].into()
}

fn v4(texts: &[&str]) -> LookOutcome {
    look(records(texts), DnsAnswer::NoRecord)
}

fn here(followed: &Followed) -> Vec<String> {
    followed.addresses().map(|address| address.to_string()).collect()
}

fn followed(looks: impl IntoIterator<Item = LookOutcome>) -> Followed {
    let mut followed = Followed::default();
    for look in looks {
        followed.fold(&look).unwrap();
    }
    followed
}

#[test]
fn who_is_named_is_here_at_once_and_who_is_not_goes_after_three_answers() {
    let mut followed = followed([v4(&["10.0.0.1", "10.0.0.2"])]);
    assert_eq!(followed.fold(&v4(&["10.0.0.2", "10.0.0.3"])), Ok(true));
    assert_eq!(here(&followed), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!(followed.fold(&v4(&["10.0.0.2", "10.0.0.3"])), Ok(false));
    assert_eq!(followed.fold(&v4(&["10.0.0.2", "10.0.0.3"])), Ok(true));
    assert_eq!(here(&followed), ["10.0.0.2", "10.0.0.3"]);
}

#[test]
fn one_kind_of_record_that_fails_keeps_its_members_and_the_other_is_followed() {
    let mut followed = followed([look(records(&["10.0.0.1"]), records(&["fd00::1"]))]);
    for broken in [failure(), DnsAnswer::NoName] {
        for _ in 0..9 {
            followed.fold(&look(records(&["10.0.0.2"]), broken.clone())).unwrap();
        }
        assert_eq!(here(&followed), ["10.0.0.2", "fd00::1"], "{broken:?}");
    }
}

#[test]
fn nobody_is_known_before_one_look_went_well_in_everything() {
    let half = look(records(&["10.0.0.1"]), failure());
    let mut so_far = followed([half.clone(), look(records(&["10.0.0.1"]), DnsAnswer::NoName)]);
    assert!(!so_far.is_known() && here(&so_far).is_empty());
    so_far.fold(&v4(&["10.0.0.1"])).unwrap();
    so_far.fold(&half).unwrap();
    assert!(so_far.is_known());
    assert_eq!(here(&so_far), ["10.0.0.1"]);
    let only = [(Family::V4, records(&["10.0.0.1"]))].into();
    assert!(followed([only]).is_known(), "what was not asked for cannot fail");
}

#[test]
fn a_name_that_moves_from_one_kind_to_the_other_is_followed() {
    let mut followed = followed([v4(&["10.0.0.1"])]);
    for _ in 0..3 {
        followed.fold(&look(DnsAnswer::NoRecord, records(&["fd00::1"]))).unwrap();
    }
    assert_eq!(here(&followed), ["fd00::1"]);
}

/// A resolver that gives three of ten records, the next three each time.
#[test]
fn answers_in_parts_add_up_to_the_whole() {
    let all: Vec<String> = (0..10).map(|n| format!("10.0.0.{n}")).collect();
    let part = |turn: usize| {
        let names: Vec<&str> = (0..3).map(|n| all[(turn * 3 + n) % 10].as_str()).collect();
        v4(&names)
    };
    let mut followed = Followed::default();
    let changes = (0..400).filter(|turn| followed.fold(&part(*turn)).unwrap()).collect::<Vec<_>>();
    assert_eq!(here(&followed).len(), 10);
    assert!(changes.last().is_some_and(|last| *last < 40), "{changes:?}");
}

#[test]
fn what_came_back_once_and_stayed_is_like_any_other() {
    let (with, without) = (v4(&["10.0.0.1", "10.0.0.2"]), v4(&["10.0.0.1"]));
    let times = |look: &LookOutcome, count: usize| std::iter::repeat_n(look.clone(), count);
    let once = || times(&with, 1).chain(times(&without, 3)).chain(times(&with, 1));
    assert_eq!(here(&followed(once().chain(times(&without, 3)))), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(here(&followed(once().chain(times(&without, 6)))), ["10.0.0.1"]);
    assert_eq!(here(&followed(once().chain(times(&with, 60)).chain(times(&without, 3)))), ["10.0.0.1"]);
}

#[test]
fn too_many_addresses_are_not_believed() {
    let many: Vec<String> = (0..257).map(|n| format!("10.0.{}.{}", n / 256, n % 256)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut followed = followed([v4(&["10.9.9.9"])]);
    assert_eq!(followed.fold(&v4(&many)), Err(TooMany));
    assert_eq!(here(&followed), ["10.9.9.9"]);
    assert_eq!(followed.fold(&v4(&many[..255])), Ok(true));
}

#[test]
fn the_trouble_of_a_look_names_the_record() {
    for (look, expected) in [
        (v4(&["10.0.0.1"]), None),
        (look(records(&["10.0.0.1"]), failure()), Some("AAAA: SERVFAIL")),
        (look(DnsAnswer::NoRecord, DnsAnswer::NoRecord), Some("A: no record; AAAA: no record")),
        (look(DnsAnswer::NoName, failure()), Some("A: no such name (NXDOMAIN); AAAA: SERVFAIL")),
    ] {
        assert_eq!(trouble(&look).as_deref(), expected);
    }
}

#[test]
fn answers_are_kept_as_their_records_say_within_bounds() {
    let kept = |seconds: u64| {
        let answer = DnsAnswer::Records { addresses: [ip("10.0.0.1")].into(), keep: Duration::from_secs(seconds) };
        keep(&look(answer, records(&["fd00::1"])), Duration::from_secs(5)).as_secs()
    };
    assert_eq!([kept(0), kept(3), kept(600)], [1, 3, 5]);
    assert_eq!(keep(&look(failure(), failure()), Duration::from_millis(200)), Duration::from_millis(200));
}

#[test]
fn names_are_searched_for_as_the_c_library_does() {
    let search = ["a.example".to_owned(), "b.example.".to_owned()];
    for (name, ndots, expected) in [
        ("cores", 1, vec!["cores.a.example", "cores.b.example", "cores"]),
        ("Cores.db", 1, vec!["cores.db", "cores.db.a.example", "cores.db.b.example"]),
        ("cores.db", 5, vec!["cores.db.a.example", "cores.db.b.example", "cores.db"]),
        ("cores.db.", 5, vec!["cores.db"]),
    ] {
        assert_eq!(candidates(name, &search, ndots), expected, "{name}");
    }
    assert_eq!(candidates("cores", &[".".to_owned()], 1), ["cores"]);
    let long = "x.".repeat(125);
    assert_eq!(candidates(long.trim_end_matches('.'), &search, 1).len(), 1);
}

#[test]
fn an_address_that_leads_nowhere_is_no_core() {
    for (address, usable) in [
        ("10.0.0.1", true),
        ("127.0.0.1", true),
        ("fd00::1", true),
        ("0.0.0.0", false),
        ("::", false),
        ("224.0.0.1", false),
        ("255.255.255.255", false),
        ("fe80::1", false),
        ("::ffff:10.0.0.1", false),
    ] {
        assert_eq!(is_usable(ip(address)), usable, "{address}");
    }
}

fn any_address(family: Family) -> impl Strategy<Value = IpAddr> {
    (0..12u8).prop_map(move |n| match family {
        Family::V4 => IpAddr::from([10, 0, 0, n]),
        Family::V6 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(n)]),
    })
}

fn any_answer(family: Family) -> impl Strategy<Value = DnsAnswer> {
    let records = proptest::collection::btree_set(any_address(family), 1..8)
        .prop_map(|addresses| DnsAnswer::Records { addresses, keep: Duration::from_secs(5) });
    prop_oneof![4 => records, 1 => Just(DnsAnswer::NoRecord), 1 => Just(DnsAnswer::NoName), 1 => Just(failure())]
}

fn any_look() -> impl Strategy<Value = LookOutcome> {
    (any_answer(Family::V4), any_answer(Family::V6)).prop_map(|(v4, v6)| look(v4, v6))
}

fn named(look: &LookOutcome) -> BTreeSet<IpAddr> {
    look.values().flat_map(addresses).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn only_answers_that_leave_it_out_remove_anybody(looks in proptest::collection::vec(any_look(), 0..60)) {
        let mut followed = Followed::default();
        // Answers in a row that spoke for its kind of record and left it out.
        let mut missed: BTreeMap<IpAddr, u8> = BTreeMap::new();
        for look in looks {
            let before: BTreeSet<IpAddr> = followed.addresses().collect();
            let changed = followed.fold(&look).unwrap();
            let after: BTreeSet<IpAddr> = followed.addresses().collect();
            prop_assert_eq!(changed, before != after);
            prop_assert!(!followed.is_known() || classify_lookup(&look) != DnsVerdict::Found || named(&look).is_subset(&after));
            prop_assert!(before.is_empty() || !after.is_empty());
            prop_assert!(after.difference(&before).all(|address| named(&look).contains(address)));
            let spoke = |address: &IpAddr| {
                classify_lookup(&look) == DnsVerdict::Found
                    && matches!(look[&Family::of(*address)], DnsAnswer::Records { .. } | DnsAnswer::NoRecord)
            };
            for address in &before {
                let count = missed.entry(*address).or_default();
                match (named(&look).contains(address), spoke(address)) {
                    (true, _) => *count = 0,
                    (false, true) => *count += 1,
                    (false, false) => {}
                }
                prop_assert!(after.contains(address) || *count >= MISSES_BEFORE_REMOVAL, "{address} went after {count}");
            }
            missed.retain(|address, _| after.contains(address));
        }
    }

    #[test]
    fn whatever_they_knew_cores_that_are_told_the_same_know_the_same(
        one in proptest::collection::vec(any_look(), 0..40),
        other in proptest::collection::vec(any_look(), 0..40),
        last in any_look().prop_filter("whole", |look| {
            classify_lookup(look) == DnsVerdict::Found && trouble(look).is_none()
        }),
    ) {
        let after = |before: Vec<LookOutcome>| {
            let mut followed = followed(before);
            for _ in 0..MOST_MISSES_BEFORE_REMOVAL {
                followed.fold(&last).unwrap();
            }
            followed.addresses().collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(after(one), named(&last));
        prop_assert_eq!(after(other), named(&last));
    }
}
