use super::*;

const POLICY: Policy = Policy { max_age: Duration::from_secs(10), require_config: true, min_online: 0 };
const QUIET: Contact = Contact::Answering(Duration::ZERO);

fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

fn configured() -> Snapshot {
    let backends = [(("0", "ONLINE"), 2), (("1", "SHUNNED"), 1)];
    let backends = backends.map(|((group, status), many)| ((group.to_owned(), status.to_owned()), many));
    Snapshot { users: 1, clients: 3, backends: backends.into(), ..Snapshot::default() }
}

fn ask(snapshot: Option<&Snapshot>, contact: Contact, stage: Phase, probe: Probe) -> Verdict {
    let age = snapshot.map(|_| Duration::from_millis(250));
    probe_verdict(&known(snapshot, age, contact, stage), &POLICY, probe)
}

fn known(snapshot: Option<&Snapshot>, age: Option<Duration>, contact: Contact, stage: Phase) -> HealthInput<'_> {
    let silence = match contact {
        Contact::Answering(silence) | Contact::Gone(silence) => silence,
        _ => Duration::ZERO,
    };
    HealthInput { snapshot, age, contact, silence, trouble: None, stage, drain: None }
}

fn words(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.reason).collect()
}

#[test]
fn an_answer_is_read_by_kind_and_both_protocols_add_up() {
    let seen = Snapshot::read(&rows(&[
        &["users", "2", "5", ""],
        &["users", "1", "2", ""],
        &["backends", "0", "ONLINE", "2"],
        &["backends", "0", "OFFLINE_SOFT", "1"],
        &["backends", "0", "ONLINE", "1"],
        &["backends", "1", "SHUNNED_REPLICATION_LAG", "1"],
        &["global", "mysql_listener_paused", "false", ""],
        &["global", "pgsql_listener_paused", "true", ""],
        &["global", "Questions", "0", ""],
        &["variable", "mysql-threads", "2", ""],
        &["variable", "pgsql-threads", "4", ""],
        &["variable", "mysql-session_idle_show_processlist", "false", ""],
        &["member", "10.0.0.1", "6032", "core-0"],
        &["member", "fd00::1", "6032", "core-1"],
        &["pgsql", "1", "", ""],
    ]))
    .unwrap();
    assert_eq!((seen.users, seen.clients, seen.threads), (3, 7, 6));
    assert_eq!(seen.counts(), BackendCounts { total: 5, online: 3, shunned: 1 });
    assert!(seen.paused && seen.pgsql && seen.served && !seen.lists_idle);
    let member = |address: &str, comment: &str| (address.to_owned(), comment.to_owned());
    assert_eq!(seen.members, [member("10.0.0.1:6032", "core-0"), member("[fd00::1]:6032", "core-1")]);
}

#[test]
fn an_answer_that_does_not_read_is_an_error() {
    for bad in [&["users", "x", "0"][..], &["backends", "0", "ONLINE"], &["what"], &[]] {
        assert!(Snapshot::read(&rows(&[bad])).is_err(), "{bad:?}");
    }
}

#[test]
fn a_configured_node_is_ready_whatever_its_backends_do() {
    let mut snapshot = configured();
    assert!(ask(Some(&snapshot), QUIET, Phase::Running, Probe::Ready).ok);
    snapshot.backends = [(("0".to_owned(), "OFFLINE_HARD".to_owned()), 3)].into();
    assert!(ask(Some(&snapshot), QUIET, Phase::Running, Probe::Ready).ok);
}

#[test]
fn readiness_says_everything_that_is_missing() {
    let empty = Snapshot { paused: true, ..Snapshot::default() };
    let known = known(Some(&empty), None, QUIET, Phase::Running);
    let verdict = probe_verdict(&known, &Policy { min_online: 1, ..POLICY }, Probe::Ready);
    assert!(!verdict.ok);
    assert_eq!(words(&verdict), ["paused", "unconfigured", "too_few_online"]);
    let lenient = Policy { require_config: false, ..POLICY };
    let known = HealthInput { snapshot: Some(&Snapshot::default()), ..known };
    assert!(probe_verdict(&known, &lenient, Probe::Ready).ok);
    for (users, sentence) in [(0, "no user and no server"), (1, "no server")] {
        let snapshot = Snapshot { users, ..Snapshot::default() };
        let verdict = ask(Some(&snapshot), QUIET, Phase::Running, Probe::Ready);
        assert!(verdict.reasons[0].message.contains(sentence), "{}", verdict.reasons[0].message);
    }
}

#[test]
fn silence_counts_past_the_bound_and_no_sooner() {
    let snapshot = configured();
    for (silence, ok) in [(0, true), (10_000, true), (10_001, false)] {
        let contact = Contact::Answering(Duration::from_millis(silence));
        for probe in [Probe::Started, Probe::Ready, Probe::Live] {
            let verdict = ask(Some(&snapshot), contact, Phase::Running, probe);
            assert_eq!(verdict.ok, ok, "{silence} {probe:?}");
        }
    }
}

#[test]
fn a_process_that_is_gone_is_unready_at_once_and_dead_after_the_bound() {
    let snapshot = configured();
    let gone = |ms| Contact::Gone(Duration::from_millis(ms));
    assert!(!ask(Some(&snapshot), gone(1), Phase::Running, Probe::Ready).ok);
    assert!(ask(Some(&snapshot), gone(1), Phase::Running, Probe::Live).ok);
    assert!(!ask(Some(&snapshot), gone(10_001), Phase::Running, Probe::Live).ok);
}

#[test]
fn what_is_not_silence_is_never_held_against_proxysql() {
    let snapshot = configured();
    let long = Duration::from_secs(99);
    for (contact, word) in [(Contact::Barred(long), "login_refused"), (Contact::Unable(long), "agent_error")] {
        for snapshot in [None, Some(&snapshot)] {
            for probe in [Probe::Started, Probe::Live] {
                assert!(ask(snapshot, contact, Phase::Running, probe).ok, "{contact:?} {probe:?}");
            }
            let verdict = ask(snapshot, contact, Phase::Running, Probe::Ready);
            assert_eq!((verdict.ok, words(&verdict)), (false, vec![word]));
        }
    }
    // What was seen a moment ago still holds.
    for contact in [Contact::Barred(Duration::from_secs(1)), Contact::Unable(Duration::from_secs(1))] {
        assert!(ask(Some(&snapshot), contact, Phase::Running, Probe::Ready).ok);
        assert!(!ask(None, contact, Phase::Running, Probe::Ready).ok);
    }
    // Connections that break are no silence, but nobody can be sent here by them.
    let broken = HealthInput {
        silence: Duration::ZERO,
        ..known(Some(&snapshot), None, Contact::Answering(long), Phase::Running)
    };
    assert!(probe_verdict(&broken, &POLICY, Probe::Live).ok);
    assert_eq!(words(&probe_verdict(&broken, &POLICY, Probe::Ready)), ["unreachable"]);
    // The reason is the failure itself.
    let known = known(None, None, Contact::Unable(long), Phase::Running);
    let verdict =
        probe_verdict(&HealthInput { trouble: Some("cannot read the password"), ..known }, &POLICY, Probe::Ready);
    assert_eq!(verdict.reasons[0].message, "cannot read the password");
}

#[test]
fn before_the_first_contact_only_liveness_is_content() {
    for (probe, ok) in [(Probe::Started, false), (Probe::Ready, false), (Probe::Live, true)] {
        assert_eq!(ask(None, Contact::Never, Phase::Running, probe).ok, ok, "{probe:?}");
    }
    // It answered something else, a look at health is still to come.
    assert!(!ask(None, QUIET, Phase::Running, Probe::Ready).ok);
    assert!(ask(None, QUIET, Phase::Running, Probe::Started).ok);
}

#[test]
fn on_the_way_down_the_stage_alone_decides() {
    let snapshot = configured();
    let silent = Contact::Answering(Duration::from_secs(99));
    for stage in [Phase::Draining, Phase::Stopping, Phase::Stopped] {
        let ready = ask(Some(&snapshot), QUIET, stage, Probe::Ready);
        assert_eq!((ready.ok, words(&ready)), (false, vec!["draining"]));
        for probe in [Probe::Live, Probe::Started] {
            let verdict = ask(Some(&snapshot), silent, stage, probe);
            assert!(verdict.ok, "{stage:?} {probe:?}");
        }
    }
}
