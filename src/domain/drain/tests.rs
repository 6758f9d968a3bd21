use proptest::prelude::*;

use super::closing::{Closing, Span};
use super::session::{Activity, Client};
use super::state::{Draining, RETRY};
use super::stats::HURRY;
use super::transitions::FIRST_CONTACT;
use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const LIMITS: Limits =
    Limits { propagation_delay: s(5), drain_timeout: s(30), shutdown_timeout: s(60), evict_idle_after: ms(200) };
const BUSY: Before = Before { clients: 25, served: true, threads: 2, workers: 2, lists_idle: true };
const NEW: Before = Before { clients: 0, served: false, threads: 2, workers: 2, lists_idle: true };
const WAIT: &str = "mysql-wait_timeout";

fn begun() -> Input {
    Input::Begin { reached: true, known: None }
}

fn own() -> Variables {
    let own = [
        (WAIT, "28800000"),
        ("mysql-session_idle_ms", "1"),
        ("mysql-poll_timeout", "2000"),
        ("mysql-default_query_delay", "0"),
        ("mysql-show_processlist_extended", "0"),
        ("admin-cluster_mysql_variables_diffs_before_sync", "3"),
    ];
    own.map(|(name, value)| (name, value.to_owned())).into()
}

fn marked() -> Input {
    Input::Marked(Marked { own: own(), paused: false })
}

fn session(id: u64, activity: Activity, idle: Duration) -> Session {
    Session { protocol: Protocol::Mysql, id, activity, idle, thread: 0, client: Client::default(), traffic: None }
}

/// Sessions that have been idle for long, with these numbers.
fn idle(ids: impl IntoIterator<Item = u64>) -> Vec<Session> {
    ids.into_iter().map(|id| session(id, Activity::Idle, s(60))).collect()
}

/// A look at a node whose variables other nodes might take over.
fn look(sessions: Vec<Session>) -> Sessions {
    Sessions { sessions, paused: Some(true), ..Sessions::default() }
}

/// A way down, driven by hand.
struct Way {
    phase: DrainState,
    effect: Option<Effect>,
    /// The variables, as `ProxySQL` has them.
    variables: Variables,
}

impl Way {
    fn new() -> Self {
        Self { phase: DrainState::Running, effect: None, variables: own() }
    }

    /// With the listener paused at `at`, after `before`.
    fn paused(before: Before, at: Duration) -> Self {
        let mut way = Self::new();
        way.hear(s(0), begun());
        way.hear(s(0), Input::Before(before));
        if before.served {
            way.hear(s(0), Input::Failed(Failure::Refused));
            way.hear(s(0), Input::Looked(look(Vec::new())));
            assert!(matches!(way.hear(s(5), Input::Due), Some(Effect::Pause(_))));
        } else {
            way.hear(s(0), marked());
        }
        assert_eq!(way.hear(at, Input::Answered), Some(Effect::Sessions { detailed: false }));
        way
    }

    fn hear(&mut self, at: Duration, input: Input) -> Option<Effect> {
        let (phase, effect) = std::mem::take(&mut self.phase).step(input, at, &LIMITS);
        self.phase = phase;
        if effect.is_some() {
            self.effect.clone_from(&effect);
        }
        effect
    }

    /// Looks at a node from which no other syncs, and has what it sets.
    fn sees(&mut self, at: Duration, sessions: Vec<Session>) -> Option<Effect> {
        let look = Sessions { variables: self.variables.clone(), syncs: Some(0), ..look(sessions) };
        let next = self.hear(at, Input::Looked(look));
        if let Some(Effect::Set(variables)) = &next {
            self.variables.extend(variables.clone());
            return self.hear(at, Input::Answered).and(next);
        }
        next
    }

    fn wait_timeout(&self) -> u64 {
        self.variables[WAIT].parse().unwrap()
    }

    fn report(&self, at: Duration) -> Progress {
        self.phase.stats().unwrap().progress(at)
    }
}

#[test]
fn without_any_client_nothing_is_waited_for() {
    let mut way = Way::new();
    assert_eq!(way.hear(s(0), begun()), Some(Effect::LookBefore(None)));
    assert_eq!(way.phase.stage(), Phase::Draining);
    assert_eq!(way.hear(s(0), Input::Before(NEW)), Some(Effect::Mark));
    assert_eq!(way.hear(s(0), marked()), Some(Effect::Pause(s(7))));
    assert_eq!(way.hear(s(1), Input::Answered), Some(Effect::Sessions { detailed: false }));
    assert_eq!(way.hear(s(1), Input::Looked(look(Vec::new()))), Some(Effect::Shutdown));
    assert_eq!(way.phase.stage(), Phase::Stopping);
    assert_eq!(way.hear(s(1), Input::Answered), Some(Effect::End));
    let report = way.report(s(9));
    assert_eq!((report.ended, report.clients, report.cut), (Some(Ending::Empty), 0, 0));
    assert_eq!((report.seconds.propagation, report.seconds.pause, report.seconds.total), (s(0), s(1), s(1)));
}

/// What a satellite's clients see of it: who rests for long goes first, a pool that never rests in the end, and within seconds.
#[test]
fn proxysql_closes_sessions_that_rest_for_shorter_and_shorter() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(BUSY));
    assert_eq!(way.hear(s(0), marked()), Some(Effect::Sessions { detailed: false }));
    // While endpoints stop routing here, sessions come back from idle threads, and none is closed.
    let busy = || (1..=25).map(|id| session(id, Activity::Idle, ms(5))).collect::<Vec<_>>();
    let Some(Effect::Set(prepared)) = way.sees(s(0), busy()) else { panic!("{:?}", way.effect) };
    assert_eq!((prepared[WAIT].as_str(), prepared["mysql-session_idle_ms"].as_str()), ("28800000", "3600000"));
    assert_eq!(prepared["admin-cluster_mysql_variables_diffs_before_sync"], "0", "a sync would undo it");
    assert_eq!(way.effect, Some(Effect::Wait(s(1))));
    // Into sessions it can look once the variable for that is seen to be set.
    assert_eq!(way.hear(s(1), Input::Due), Some(Effect::Sessions { detailed: false }));
    way.sees(s(1), busy());
    assert_eq!(way.hear(s(2), Input::Due), Some(Effect::Sessions { detailed: true }));
    way.sees(s(2), busy());
    assert!(matches!(way.hear(s(5), Input::Due), Some(Effect::Pause(_))));
    way.hear(s(5), Input::Answered);
    let mut seen = Vec::new();
    let mut at = s(5);
    while at < s(8) {
        way.sees(at, busy());
        seen.push(way.wait_timeout());
        at += ms(200);
    }
    assert!(seen.is_sorted_by(|one, next| one >= next), "{seen:?}");
    assert_eq!((seen.first(), seen.last()), (Some(&1_000), Some(&0)));
    // In between, workers are made to look again and again, in the end nearly without a break.
    let last = at.saturating_sub(ms(200));
    assert!(
        matches!(way.effect, Some(Effect::Wait(until)) if until > last && until <= last + ms(5)),
        "{:?}",
        way.effect
    );
    assert_eq!(way.hear(at, Input::Due), Some(Effect::Sessions { detailed: true }));
    way.sees(at, busy());
    assert!(matches!(way.hear(at + ms(20), Input::Due), Some(Effect::Tick(2..))));
    way.sees(at + ms(200), Vec::new());
    // Nobody is believed to be left before a second look.
    way.hear(at + ms(300), Input::Due);
    assert_eq!(way.sees(at + ms(300), Vec::new()), Some(Effect::Shutdown));
    way.hear(at + ms(300), Input::Answered);
    let report = way.report(at + ms(300));
    assert_eq!((report.clients, report.evicted, report.cut), (25, 25, 0));
}

#[test]
fn who_reads_slowly_gets_nearly_all_of_the_window_and_session_state_half_of_it() {
    let span = Span { from: s(100), until: s(130) };
    let wait = |at, activity| {
        Closing::at(at, s(100), &span, &[session(1, activity, s(1)), session(2, Activity::Idle, ms(1))], 4).wait_timeout
    };
    for (at, activity, expected) in [
        (s(100), Activity::SlowReader, Some(10_000)),
        (s(125), Activity::SlowReader, Some(10_000)),
        (s(127), Activity::SlowReader, Some(0)),
        (s(100), Activity::SessionState, None),
        (s(114), Activity::SessionState, None),
        (s(115), Activity::SessionState, Some(0)),
        // Whoever is in a transaction or has a statement running is not closed by it anyway.
        (s(100), Activity::InTransaction, Some(1_000)),
        (s(103), Activity::Running, Some(0)),
        (s(103), Activity::FastForward, Some(0)),
        (s(103), Activity::FailedStatement, Some(0)),
    ] {
        assert_eq!(wait(at, activity), expected, "{activity:?} at {at:?}");
    }
}

#[test]
fn a_session_that_is_still_sent_a_result_is_known_by_what_it_is_sent() {
    let mut way = Way::paused(NEW, s(1));
    let reading = |sent, received| {
        let traffic = Some((sent, received));
        vec![Session { traffic, ..session(1, Activity::Idle, s(1)) }]
    };
    let why = |way: &Way| way.report(s(9)).left[0].why;
    way.sees(s(1), reading(1_000, 3));
    assert_eq!(why(&way), Activity::Idle);
    way.sees(s(2), reading(2_000, 3));
    assert_eq!(why(&way), Activity::SlowReader);
    way.sees(s(5), reading(2_000, 3));
    assert_eq!(why(&way), Activity::SlowReader, "its socket may stand still for a while");
    assert!(way.wait_timeout() >= 10_000);
    way.sees(s(6), reading(2_100, 4));
    assert_eq!(why(&way), Activity::Idle, "it has asked for something else");
}

#[test]
fn what_a_session_on_an_idle_thread_sends_while_it_is_ended_is_not_executed() {
    let span = Span { from: s(0), until: s(30) };
    let on = |thread| vec![Session { thread, ..session(1, Activity::Idle, s(60)) }];
    let set = |sessions: &[Session]| Closing::at(s(1), s(0), &span, sessions, 4).variables(&own());
    assert_eq!(set(&on(4))["mysql-default_query_delay"], "1");
    assert_eq!(set(&on(3))["mysql-default_query_delay"], "0", "nobody is delayed for nothing");
    let slow = Variables::from([("mysql-default_query_delay", "50".to_owned()), (WAIT, "500".to_owned())]);
    let closing = Closing::at(s(1), s(0), &span, &on(4), 4);
    assert_eq!(
        closing.variables(&slow),
        Variables::from([
            ("mysql-default_query_delay", "50".to_owned()),
            (WAIT, closing.wait_timeout.unwrap().to_string()),
        ]),
        "nothing is raised, shortened against what is configured, or set that this version lacks"
    );
}

#[test]
fn what_another_node_would_take_over_is_never_set() {
    for (syncs, listed) in [(None, None), (Some(1), Some(0)), (Some(0), Some(1))] {
        let mut way = Way::paused(NEW, s(1));
        for at in 1..20 {
            let seen = Sessions { syncs, listed, variables: own(), ..look(vec![session(1, Activity::Running, s(0))]) };
            let next = way.hear(s(at), Input::Looked(seen));
            assert!(matches!(next, Some(Effect::Wait(_))), "{syncs:?} {listed:?} {next:?}");
            way.hear(s(at), Input::Due);
        }
    }
    // A core that is on no list any more, in two looks: the first may have been torn.
    let mut way = Way::paused(NEW, s(1));
    let seen = || {
        let sessions = vec![session(1, Activity::Running, s(0))];
        Input::Looked(Sessions { syncs: Some(0), listed: Some(0), variables: own(), ..look(sessions) })
    };
    assert!(matches!(way.hear(s(1), seen()), Some(Effect::Wait(_))));
    assert!(matches!(way.hear(s(2), seen()), Some(Effect::Set(_))));
}

#[test]
fn idle_sessions_are_killed_where_variables_would_spread_and_count_once_they_are_gone() {
    let mut way = Way::paused(BUSY, s(7));
    let rest = |many: u64| (100..100 + many).map(|id| session(id, Activity::InTransaction, s(0))).collect::<Vec<_>>();
    let with = |ids: std::ops::RangeInclusive<u64>, many| look([idle(ids), rest(many)].concat());
    assert_eq!(way.hear(s(7), Input::Looked(with(1..=15, 10))), Some(Effect::Kill((1..=10).collect())));
    let next = way.hear(s(7), Input::Killed((1..=9).collect(), None));
    assert_eq!(next, Some(Effect::Sessions { detailed: false }));
    // The share of this tick is used up; whoever was told is waited for until it is gone.
    assert_eq!(way.hear(s(7), Input::Looked(with(1..=15, 10))), Some(Effect::Wait(s(7) + TICK)));
    assert_eq!((way.report(s(7)).remaining, way.report(s(7)).evicted), (25, 0));
    way.hear(s(8), Input::Due);
    assert_eq!(way.hear(s(8), Input::Looked(with(10..=15, 8))), Some(Effect::Kill((10..=15).collect())));
    way.hear(s(8), Input::Killed((10..=15).collect(), None));
    way.hear(s(9), Input::Looked(look(rest(2))));
    assert_eq!(way.hear(s(37), Input::Looked(look(rest(2)))), Some(Effect::Shutdown));
    way.hear(s(37), Input::Answered);
    let report = way.report(s(40));
    assert_eq!((report.clients, report.evicted, report.finished, report.cut), (25, 15, 8, 2));
    assert_eq!((report.ended, report.left[0].why), (Some(Ending::DrainTimeout), Activity::InTransaction));
    assert_eq!((report.seconds.propagation, report.seconds.pause, report.seconds.drain), (s(5), s(2), s(30)));
}

#[test]
fn who_moves_between_threads_is_in_no_list_and_is_counted_once() {
    let mut way = Way::paused(Before { clients: 3, ..BUSY }, s(6));
    let mut seen = |at, ids: &[u64], counted| {
        let look = Sessions { counted, ..look(idle(ids.iter().copied())) };
        way.hear(at, Input::Looked(look));
        let report = way.report(at);
        (report.clients, report.remaining, report.evicted + report.finished)
    };
    for (at, ids) in [(6, &[1, 2, 3][..]), (7, &[1, 2]), (8, &[1]), (9, &[3]), (10, &[]), (11, &[2])] {
        assert_eq!(seen(s(at), ids, 3), (3, 3, 0), "at {at}");
    }
    // One has gone, and one is back at once.
    assert_eq!(seen(s(12), &[2], 2), (3, 2, 1));
    assert_eq!(seen(s(13), &[2, 3], 2), (3, 2, 1));
}

#[test]
fn no_session_is_killed_that_may_be_on_an_idle_thread() {
    for (thread, idle_for, kept) in [(0, s(1), false), (2, s(1), true), (0, ms(150), true)] {
        let mut way = Way::paused(BUSY, s(7));
        let sessions = vec![Session { thread, ..session(1, Activity::Idle, idle_for) }];
        let next = way.hear(s(7), Input::Looked(look(sessions)));
        assert_eq!(matches!(next, Some(Effect::Wait(_))), kept, "thread {thread}, idle for {idle_for:?}: {next:?}");
    }
}

#[test]
fn many_idle_sessions_are_spread_over_half_of_the_window() {
    let mut way = Way::paused(BUSY, s(6));
    // 15 s of 30 are 75 ticks: 200 in each, in batches.
    let next = way.hear(s(6), Input::Looked(look(idle(0..15_000))));
    let Some(Effect::Kill(batch)) = next else { panic!("{:?}", way.effect) };
    assert_eq!(batch.len(), BATCH);
    let DrainState::Draining(Draining::Emptying(window), _) = way.phase else { panic!() };
    assert_eq!(window.share, 100);
}

#[test]
fn time_for_shutdown_is_kept_when_a_pause_takes_nearly_all() {
    let mut way = Way::paused(NEW, s(50));
    let busy = || Input::Looked(look(vec![session(1, Activity::Running, s(0))]));
    assert_eq!(way.hear(s(58), busy()), Some(Effect::Wait(s(58) + TICK)));
    assert_eq!(way.hear(s(59), busy()), Some(Effect::Shutdown));
}

#[test]
fn proxysql_gone_ends_it_at_once_and_one_never_reached_too() {
    let steps = [Input::Before(NEW), marked(), Input::Answered];
    for many in 0..=steps.len() {
        let mut way = Way::new();
        way.hear(s(0), begun());
        for input in &steps[..many] {
            way.hear(s(1), input.clone());
        }
        assert_eq!(way.hear(s(2), Input::Failed(Failure::Gone)), Some(Effect::End));
        assert_eq!(way.report(s(2)).ended, Some(Ending::Gone));
    }
    let mut way = Way::new();
    let begin = Input::Begin { reached: false, known: None };
    assert_eq!(way.hear(s(0), begin), Some(Effect::LookBefore(Some(FIRST_CONTACT))));
    assert_eq!(way.hear(s(1), Input::Failed(Failure::Unsent)), Some(Effect::End));
    assert_eq!(way.report(s(1)).ended, Some(Ending::NeverReached));
}

#[test]
fn a_wedged_proxysql_is_tried_until_the_bound() {
    let mut way = Way::new();
    way.hear(s(0), Input::Begin { reached: true, known: Some(NEW) });
    way.hear(s(5), Input::Failed(Failure::Unanswered));
    assert!(matches!(way.hear(s(10), Input::Failed(Failure::Unanswered)), Some(Effect::Pause(_))));
    assert_eq!(way.hear(s(15), Input::Failed(Failure::Unsent)), Some(Effect::Wait(s(15) + RETRY)));
    assert!(matches!(way.hear(s(16), Input::Due), Some(Effect::Pause(_))));
    assert_eq!(way.phase.over_at(), Some(s(60)));
    assert_eq!(way.hear(s(60), Input::Over), Some(Effect::End));
    assert_eq!(way.report(s(60)).ended, Some(Ending::ShutdownTimeout));
}

#[test]
fn a_shutdown_without_an_answer_is_not_sent_again_but_looked_after() {
    let mut way = Way::paused(NEW, s(1));
    way.hear(s(1), Input::Looked(look(Vec::new())));
    assert!(matches!(way.hear(s(2), Input::Failed(Failure::Unsent)), Some(Effect::Wait(_))));
    assert_eq!(way.hear(s(3), Input::Due), Some(Effect::Shutdown));
    assert!(matches!(way.hear(s(13), Input::Failed(Failure::Unanswered)), Some(Effect::Wait(_))));
    assert_eq!(way.hear(s(14), Input::Due), Some(Effect::Sessions { detailed: false }));
    assert_eq!(way.hear(s(14), Input::Failed(Failure::Gone)), Some(Effect::End));
    assert_eq!(way.report(s(14)).ended, Some(Ending::Empty));
}

#[test]
fn a_cancel_undoes_what_was_done_until_that_is_seen() {
    // Nothing was done yet.
    let mut way = Way::new();
    way.hear(s(0), begun());
    assert!(matches!(way.hear(s(0), Input::Cancel), Some(Effect::Back(_, true))));
    // Something was remembered, and may have been set.
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(BUSY));
    assert_eq!(way.hear(s(0), Input::Cancel), Some(Effect::Undo(s(7))));
    assert!(matches!(way.hear(s(1), Input::Undone), Some(Effect::Back(_, true))));
    assert_eq!(way.phase, DrainState::Running);
    // PAUSE is under way: it is waited for.
    way.hear(s(2), begun());
    way.hear(s(2), Input::Before(NEW));
    way.hear(s(2), marked());
    assert_eq!(way.hear(s(2), Input::Cancel), None);
    assert_eq!(way.hear(s(4), Input::Answered), Some(Effect::Undo(s(7))));
    assert!(matches!(way.hear(s(5), Input::Failed(Failure::Unanswered)), Some(Effect::Wait(_))));
    assert_eq!(way.hear(s(6), Input::Due), Some(Effect::Undo(s(7))));
    let Some(Effect::Back(stats, true)) = way.hear(s(6), Input::Undone) else { panic!("{:?}", way.effect) };
    assert_eq!(stats.progress(s(9)).ended, Some(Ending::Cancelled));
    assert_eq!(way.phase, DrainState::Running);
    // Too late.
    let mut way = Way::paused(NEW, s(10));
    way.hear(s(10), Input::Looked(look(Vec::new())));
    assert_eq!(way.hear(s(10), Input::Cancel), None);
    assert_eq!(way.phase.stage(), Phase::Stopping);
}

/// RESUME was taken, and not by all threads: only a new process serves all clients again.
#[test]
fn who_cannot_serve_again_is_drained_to_the_end_whoever_cancels() {
    let mut way = Way::paused(BUSY, s(6));
    way.hear(s(6), Input::Cancel);
    assert_eq!(way.hear(s(7), Input::Failed(Failure::Deaf)), Some(Effect::LookBefore(None)));
    assert_eq!(way.hear(s(7), Input::Cancel), None);
    way.hear(s(7), Input::Before(BUSY));
    assert_eq!(way.hear(s(7), Input::Cancel), None);
    let notes = way.phase.stats().unwrap().progress(s(8)).notes;
    assert!(notes.iter().any(|note| note.contains("only a new process")), "{notes:?}");
}

/// Cancelled, the bound of the shutdown is none any more: the node serves again, or that is tried for as long as it takes.
#[test]
fn a_cancelled_drain_never_ends_with_the_listener_paused() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(NEW));
    way.hear(s(0), marked());
    way.hear(s(1), Input::Cancel);
    assert!(matches!(way.hear(s(60), Input::Over), Some(Effect::Back(_, false))));
    assert_eq!(way.phase, DrainState::Running);
    let mut way = Way::paused(NEW, s(50));
    way.hear(s(51), Input::Cancel);
    assert!(matches!(way.hear(s(60), Input::Over), Some(Effect::Back(_, false))));
}

#[test]
fn who_asks_while_a_cancelled_drain_is_undone_gets_a_new_one() {
    let mut way = Way::paused(BUSY, s(6));
    assert_eq!(way.hear(s(6), Input::Cancel), Some(Effect::Undo(s(7))));
    assert_eq!(way.hear(s(6), begun()), None);
    assert_eq!(way.hear(s(7), Input::Undone), Some(Effect::LookBefore(None)));
    assert_eq!((way.phase.stage(), way.phase.over_at()), (Phase::Draining, Some(s(67))));
    // While the PAUSE is still under way, it simply goes on.
    let mut way = Way::new();
    way.hear(s(7), begun());
    way.hear(s(7), Input::Before(NEW));
    way.hear(s(7), marked());
    way.hear(s(7), Input::Cancel);
    way.hear(s(7), begun());
    assert_eq!(way.hear(s(13), Input::Answered), Some(Effect::Sessions { detailed: false }));
}

#[test]
fn hurry_ends_the_waiting_and_sends_shutdown_once_pause_has_its_answer() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(BUSY));
    assert_eq!(way.hear(s(1), Input::ForceStop), Some(Effect::Shutdown));
    assert_eq!(way.phase.over_at(), Some(s(1) + HURRY));
    way.hear(s(1), Input::Answered);
    let report = way.report(s(1));
    assert_eq!((report.ended, report.cut), (Some(Ending::Hurried), 25));
    // PAUSE holds the port for as long as it takes; the process waits for that, and then stops ProxySQL.
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(NEW));
    way.hear(s(0), marked());
    assert_eq!(way.hear(s(0), Input::ForceStop), None);
    assert_eq!(way.phase.over_at(), Some(s(7) + HURRY));
    assert_eq!(way.hear(s(4), Input::Answered), Some(Effect::Shutdown));
    // Who is still there is counted first.
    let mut way = Way::paused(BUSY, s(6));
    way.hear(s(6), Input::Looked(look(vec![session(1, Activity::Running, s(0)); 1])));
    assert_eq!(way.hear(s(7), Input::ForceStop), Some(Effect::Sessions { detailed: false }));
    assert_eq!(way.hear(s(7), Input::Looked(look(idle(1..=3)))), Some(Effect::Shutdown));
    way.hear(s(7), Input::Answered);
    assert_eq!(way.report(s(7)).cut, 3);
}

#[test]
fn a_listener_that_is_open_again_is_paused_again_but_not_for_ever() {
    let mut way = Way::paused(NEW, s(1));
    let open = || Input::Looked(Sessions { paused: Some(false), ..look(vec![session(1, Activity::Running, s(0))]) });
    for at in [1, 2] {
        assert!(matches!(way.hear(s(at), open()), Some(Effect::Pause(_))));
        way.hear(s(at), Input::Answered);
    }
    assert!(matches!(way.hear(s(3), open()), Some(Effect::Wait(_))));
    assert_eq!(way.report(s(4)).notes, ["could not confirm that the listener is paused"]);
}

#[test]
fn what_proxysql_refuses_or_shows_otherwise_is_noted_and_not_tried_for_ever() {
    let mut way = Way::paused(NEW, s(1));
    let busy = || vec![session(1, Activity::Running, s(0))];
    let seen = || Input::Looked(Sessions { variables: own(), syncs: Some(0), ..look(busy()) });
    assert!(matches!(way.hear(s(1), seen()), Some(Effect::Set(_))));
    way.hear(s(1), Input::Failed(Failure::Refused));
    way.hear(s(2), Input::Due);
    assert!(matches!(way.hear(s(2), seen()), Some(Effect::Wait(_))));
    assert_eq!(way.report(s(2)).notes.len(), 1);
    let mut way = Way::paused(NEW, s(1));
    let mut sets = 0;
    for at in 10..20 {
        sets += u32::from(matches!(way.hear(s(at), seen()), Some(Effect::Set(_))));
        way.hear(s(at), Input::Answered);
    }
    assert_eq!((sets, way.report(s(20)).notes.len()), (3, 1));
}

#[test]
fn a_look_is_read() {
    let row = |columns: &str| columns.split(',').map(str::to_owned).collect::<Vec<_>>();
    let look = Sessions::read(&[
        row("clients,5"),
        row("clients,2"),
        row("paused,true"),
        row("paused,false"),
        row("mysql,17,0,Sleep,0,9,,,,,,,,"),
        row("mysql,18,0,Connecting client,0,9,,,,,,,,"),
        row("pgsql,17,1,Query,1,0,,,,,,,,"),
        row("variable,mysql-wait_timeout,28800000"),
        row("variable,mysql-threads,4"),
        row("syncs,2"),
        row("listed,1"),
    ])
    .unwrap();
    assert_eq!((look.clients(), look.sessions.len(), look.paused), (7, 2, Some(false)));
    assert_eq!(look.variables, Variables::from([(WAIT, "28800000".to_owned())]));
    assert_eq!((look.syncs, look.listed, look.is_private()), (Some(2), Some(1), false));
    assert_eq!(Sessions::read(&[row("clients,0")]).unwrap().paused, None);
    assert!(Sessions::read(&[row("clients,many")]).is_err());
    assert!(Sessions::read(&[vec![]]).is_err());
    // Users that were removed are counted by nobody; their sessions are there.
    let removed = Sessions::read(&[row("clients,0"), row("mysql,1,0,Sleep,0,9,,,,,,,,")]).unwrap();
    assert_eq!(removed.clients(), 1);
}

/// What may happen next in a run: somebody asks for something, or what is under way ends.
#[derive(Debug, Clone)]
enum Event {
    Begin,
    ForceStop,
    Cancel,
    Ends { answer: u8, clients: u64, idle: u64, after: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Begin),
        1 => Just(Event::ForceStop),
        1 => Just(Event::Cancel),
        8 => (0..10u8, 0..30u64, 0..20u64, 0..5_000u64)
            .prop_map(|(answer, clients, idle, after)| Event::Ends { answer, clients, idle, after }),
    ]
}

fn answer(effect: &Effect, answer: u8, clients: u64, idle: u64) -> Input {
    match (effect, answer) {
        (Effect::Wait(_), _) => Input::Due,
        (Effect::Kill(ids), 8..) => Input::Killed(ids[..ids.len() / 2].to_vec(), Some(Failure::Unanswered)),
        (Effect::Kill(ids), _) => Input::Killed(ids.clone(), None),
        (_, 9) => Input::Failed(Failure::Gone),
        (_, 8) => Input::Failed(Failure::Unanswered),
        (_, 7) => Input::Failed(Failure::Unsent),
        (_, 6) if matches!(effect, Effect::Set(_) | Effect::Mark) => Input::Failed(Failure::Refused),
        (Effect::LookBefore(_), _) => Input::Before(Before { clients, served: idle > 5, ..BUSY }),
        (Effect::Mark, _) => marked(),
        (Effect::Undo(_), _) => Input::Undone,
        (Effect::Sessions { .. }, _) => {
            let syncs = (answer > 2).then_some(0);
            let busy = (100..100 + clients).map(|id| session(id, Activity::Running, s(0)));
            Input::Looked(Sessions {
                syncs,
                variables: own(),
                ..look(self::idle(0..idle).into_iter().chain(busy).collect())
            })
        }
        _ => Input::Answered,
    }
}

proptest! {
    /// In whatever order calls, signals, cancels, answers and failures come: one PAUSE and one SHUTDOWN at most for each drain, in
    /// this order, no way back but by a cancel, always something under way, an end within the bound, and books that add up.
    #[test]
    fn the_way_down_keeps_its_laws(events in prop::collection::vec(event(), 0..60)) {
        let mut way = Way::new();
        let mut at = s(0);
        let (mut pauses, mut shutdowns, mut hurried, mut cancelled) = (0, 0, false, false);
        let mut bound = s(0);
        way.hear(at, begun());
        // What is not decided by then ends by itself, with ProxySQL silent.
        let silent = std::iter::repeat_n(Event::Ends { answer: 7, clients: 1, idle: 0, after: 1_000 }, 500);
        for event in events.into_iter().chain(silent) {
            if way.phase.stage() == Phase::Running {
                prop_assert!(cancelled);
                (pauses, shutdowns, hurried, cancelled) = (0, 0, false, false);
                way.hear(at, begun());
            }
            let before = way.phase.stage();
            if before == Phase::Stopped {
                break;
            }
            bound = way.phase.over_at().unwrap();
            let under_way = way.effect.clone().unwrap();
            let input = match event {
                Event::Begin => begun(),
                Event::ForceStop => {
                    hurried = true;
                    Input::ForceStop
                }
                Event::Cancel => {
                    cancelled = true;
                    Input::Cancel
                }
                Event::Ends { answer: kind, clients, idle, after } => {
                    let ends = match under_way {
                        Effect::Wait(until) => until.max(at),
                        _ => at + ms(after),
                    };
                    if ends >= bound {
                        at = bound;
                        Input::Over
                    } else {
                        at = ends;
                        let input = answer(&under_way, kind, clients, idle);
                        let sent = matches!(input, Input::Answered | Input::Failed(Failure::Unanswered));
                        pauses += u32::from(sent && matches!(under_way, Effect::Pause(_)));
                        shutdowns += u32::from(sent && under_way == Effect::Shutdown);
                        if sent && under_way == Effect::Shutdown {
                            prop_assert!(pauses == 1 || hurried, "SHUTDOWN without PAUSE");
                        }
                        input
                    }
                }
            };
            let undoing = matches!(way.phase, DrainState::Draining(Draining::Undoing(_), _));
            let ended = !matches!(input, Input::Begin { .. } | Input::ForceStop | Input::Cancel);
            let next = way.hear(at, input);
            prop_assert!(next.is_some() || !ended, "nothing follows {under_way:?}");
            if undoing && matches!(way.effect, Some(Effect::LookBefore(_))) {
                (pauses, shutdowns, hurried, cancelled) = (0, 0, false, false);
            }
            prop_assert!(pauses <= 1 && shutdowns <= 1);
            let after = way.phase.stage();
            prop_assert!(after >= before || (before == Phase::Draining && after == Phase::Running && cancelled));
            if let Some(stats) = way.phase.stats() {
                let books = stats.progress(at);
                let sum = books.remaining + books.evicted + books.finished + books.cut;
                prop_assert!(sum == books.clients || books.evicted > books.clients, "{books:?}");
            }
        }
        prop_assert_eq!(way.phase.stage(), Phase::Stopped);
        prop_assert!(at <= bound);
        prop_assert!(matches!(way.effect, Some(Effect::End)));
    }
}
