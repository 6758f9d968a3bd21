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

fn ask(snapshot: Option<&Snapshot>, contact: Contact, stage: Stage, probe: Probe) -> Verdict {
    let age = snapshot.map(|_| Duration::from_millis(250));
    judge(&known(snapshot, age, contact, stage), &POLICY, probe)
}

fn known(snapshot: Option<&Snapshot>, age: Option<Duration>, contact: Contact, stage: Stage) -> Known<'_> {
    let silence = match contact {
        Contact::Answering(silence) | Contact::Gone(silence) => silence,
        _ => Duration::ZERO,
    };
    Known { snapshot, age, contact, silence, trouble: None, stage, drain: None }
}

fn words(verdict: &Verdict) -> Vec<&str> {
    verdict.body.reasons.iter().map(|reason| reason.reason).collect()
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
    assert_eq!(seen.counts(), Backends { total: 5, online: 3, shunned: 1 });
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
    let verdict = ask(Some(&snapshot), QUIET, Stage::Running, Probe::Ready);
    assert_eq!((verdict.code, verdict.body.message.as_str()), (200, "some backends offline"));
    assert_eq!((verdict.body.clients, verdict.body.age_ms), (3, Some(250)));
    snapshot.backends = [(("0".to_owned(), "OFFLINE_HARD".to_owned()), 3)].into();
    let verdict = ask(Some(&snapshot), QUIET, Stage::Running, Probe::Ready);
    assert_eq!((verdict.code, verdict.body.message.as_str()), (200, "all backends offline"));
}

#[test]
fn readiness_says_everything_that_is_missing() {
    let empty = Snapshot { paused: true, ..Snapshot::default() };
    let known = known(Some(&empty), None, QUIET, Stage::Running);
    let verdict = judge(&known, &Policy { min_online: 1, ..POLICY }, Probe::Ready);
    assert_eq!(verdict.code, 503);
    assert_eq!(words(&verdict), ["paused", "unconfigured", "too_few_online"]);
    let lenient = Policy { require_config: false, ..POLICY };
    let known = Known { snapshot: Some(&Snapshot::default()), ..known };
    assert_eq!(judge(&known, &lenient, Probe::Ready).code, 200);
    for (users, sentence) in [(0, "no user and no server"), (1, "no server")] {
        let snapshot = Snapshot { users, ..Snapshot::default() };
        let verdict = ask(Some(&snapshot), QUIET, Stage::Running, Probe::Ready);
        assert!(verdict.body.message.contains(sentence), "{}", verdict.body.message);
    }
}

#[test]
fn silence_counts_past_the_bound_and_no_sooner() {
    let snapshot = configured();
    for (silence, code) in [(0, 200), (10_000, 200), (10_001, 503)] {
        let contact = Contact::Answering(Duration::from_millis(silence));
        for probe in [Probe::Started, Probe::Ready, Probe::Live] {
            let verdict = ask(Some(&snapshot), contact, Stage::Running, probe);
            assert_eq!(verdict.code, code, "{silence} {probe:?}");
        }
    }
}

#[test]
fn a_process_that_is_gone_is_unready_at_once_and_dead_after_the_bound() {
    let snapshot = configured();
    let gone = |ms| Contact::Gone(Duration::from_millis(ms));
    assert_eq!(ask(Some(&snapshot), gone(1), Stage::Running, Probe::Ready).code, 503);
    assert_eq!(ask(Some(&snapshot), gone(1), Stage::Running, Probe::Live).code, 200);
    assert_eq!(ask(Some(&snapshot), gone(10_001), Stage::Running, Probe::Live).code, 503);
}

#[test]
fn what_is_not_silence_is_never_held_against_proxysql() {
    let snapshot = configured();
    let long = Duration::from_secs(99);
    for (contact, word) in [(Contact::Barred(long), "login_refused"), (Contact::Unable(long), "agent_error")] {
        for snapshot in [None, Some(&snapshot)] {
            for probe in [Probe::Started, Probe::Live] {
                assert_eq!(ask(snapshot, contact, Stage::Running, probe).code, 200, "{contact:?} {probe:?}");
            }
            let verdict = ask(snapshot, contact, Stage::Running, Probe::Ready);
            assert_eq!((verdict.code, words(&verdict)), (503, vec![word]));
        }
    }
    // What was seen a moment ago still holds.
    for contact in [Contact::Barred(Duration::from_secs(1)), Contact::Unable(Duration::from_secs(1))] {
        assert_eq!(ask(Some(&snapshot), contact, Stage::Running, Probe::Ready).code, 200);
        assert_eq!(ask(None, contact, Stage::Running, Probe::Ready).code, 503);
    }
    // Connections that break are no silence, but nobody can be sent here by them.
    let broken =
        Known { silence: Duration::ZERO, ..known(Some(&snapshot), None, Contact::Answering(long), Stage::Running) };
    assert_eq!(judge(&broken, &POLICY, Probe::Live).code, 200);
    assert_eq!(words(&judge(&broken, &POLICY, Probe::Ready)), ["unreachable"]);
    // The reason is the failure itself.
    let known = known(None, None, Contact::Unable(long), Stage::Running);
    let verdict = judge(&Known { trouble: Some("cannot read the password"), ..known }, &POLICY, Probe::Ready);
    assert_eq!(verdict.body.reasons[0].message, "cannot read the password");
}

#[test]
fn before_the_first_contact_only_liveness_is_content() {
    for (probe, code) in [(Probe::Started, 503), (Probe::Ready, 503), (Probe::Live, 200)] {
        assert_eq!(ask(None, Contact::Never, Stage::Running, probe).code, code, "{probe:?}");
    }
    // It answered something else, a look at health is still to come.
    assert_eq!(ask(None, QUIET, Stage::Running, Probe::Ready).code, 503);
    assert_eq!(ask(None, QUIET, Stage::Running, Probe::Started).code, 200);
}

#[test]
fn on_the_way_down_the_stage_alone_decides() {
    let snapshot = configured();
    let silent = Contact::Answering(Duration::from_secs(99));
    for stage in [Stage::Draining, Stage::Stopping, Stage::Stopped] {
        let ready = ask(Some(&snapshot), QUIET, stage, Probe::Ready);
        assert_eq!((ready.code, words(&ready)), (503, vec!["draining"]));
        for probe in [Probe::Live, Probe::Started] {
            let verdict = ask(Some(&snapshot), silent, stage, probe);
            assert_eq!((verdict.code, verdict.body.status, verdict.body.draining), (200, "draining", true));
        }
    }
}

#[test]
fn every_body_has_the_same_fields() {
    let fields = |verdict: &Verdict| {
        let json = serde_json::to_value(&verdict.body).unwrap();
        json.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let wanted =
        ["age_ms", "backends", "clients", "drain", "draining", "message", "phase", "probe", "reasons", "status"];
    for stage in [Stage::Running, Stage::Stopped] {
        for probe in [Probe::Started, Probe::Ready, Probe::Live] {
            for snapshot in [None, Some(&configured())] {
                let mut got = fields(&ask(snapshot, Contact::Never, stage, probe));
                got.sort();
                assert_eq!(got, wanted);
            }
        }
    }
}
