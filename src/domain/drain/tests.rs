use proptest::prelude::*;

use super::account::HURRY;
use super::phase::{Draining, FIRST_CONTACT, RETRY};
use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const LIMITS: Limits = Limits { propagation_delay: s(5), drain_timeout: s(30), shutdown_timeout: s(60) };
const BUSY: Before = Before { clients: 25, served: true, threads: 2, lists_idle: true };
const NEW: Before = Before { clients: 0, served: false, threads: 2, lists_idle: true };

fn begun() -> Input {
    Input::Begin { reached: true, known: None }
}

fn look(clients: u64, sessions: &[u64]) -> Input {
    Input::Looked(Look { clients, paused: Some(true), sessions: sessions.to_vec() })
}

/// A way down, driven by hand.
struct Way {
    phase: Phase,
    effect: Option<Effect>,
}

impl Way {
    fn new() -> Self {
        Self { phase: Phase::Running, effect: None }
    }

    fn hear(&mut self, at: Duration, input: Input) -> Option<Effect> {
        let (phase, effect) = std::mem::take(&mut self.phase).step(input, at, &LIMITS);
        self.phase = phase;
        if effect.is_some() {
            self.effect.clone_from(&effect);
        }
        effect
    }

    fn report(&self, at: Duration) -> Progress {
        self.phase.account().unwrap().progress(at)
    }
}

#[test]
fn without_any_client_nothing_is_waited_for() {
    let mut way = Way::new();
    assert_eq!(way.hear(s(0), begun()), Some(Effect::LookBefore(None)));
    assert_eq!(way.phase.stage(), Stage::Draining);
    assert_eq!(way.hear(s(0), Input::Before(NEW)), Some(Effect::Pause(s(7))));
    assert_eq!(way.hear(s(1), Input::Answered), Some(Effect::Look));
    assert_eq!(way.hear(s(1), look(0, &[])), Some(Effect::Shutdown));
    assert_eq!(way.phase.stage(), Stage::Stopping);
    assert_eq!(way.hear(s(1), Input::Answered), Some(Effect::End));
    let report = way.report(s(9));
    assert_eq!((report.ended, report.clients, report.cut), (Some(Ending::Empty), 0, 0));
    assert_eq!((report.seconds.propagation, report.seconds.pause, report.seconds.total), (s(0), s(1), s(1)));
}

#[test]
fn clients_are_waited_for_evicted_or_cut_and_the_books_add_up() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    assert_eq!(way.hear(s(0), Input::Before(BUSY)), Some(Effect::Wait(s(5))));
    assert!(matches!(way.hear(s(5), Input::Due), Some(Effect::Pause(_))));
    assert_eq!(way.hear(s(7), Input::Answered), Some(Effect::Look));
    let idle: Vec<u64> = (1..=15).collect();
    assert_eq!(way.hear(s(7), look(25, &idle)), Some(Effect::Evict((1..=10).collect())));
    assert_eq!(way.hear(s(7), Input::Evicted(9, None)), Some(Effect::Look));
    // The share of this tick is used up; who was told is not told again, and not waited for.
    assert_eq!(way.hear(s(7), look(25, &idle)), Some(Effect::Wait(s(7) + TICK)));
    assert_eq!(way.report(s(7)).remaining, 15);
    assert_eq!(way.hear(s(7) + TICK, Input::Due), Some(Effect::Look));
    assert_eq!(way.hear(s(7) + TICK, look(24, &idle)), Some(Effect::Evict((11..=15).collect())));
    way.hear(s(8), Input::Evicted(5, None));
    assert_eq!(way.hear(s(8), look(11, &[])), Some(Effect::Wait(s(8) + TICK)));
    assert_eq!(way.hear(s(36), Input::Due), Some(Effect::Look));
    assert_eq!(way.hear(s(36), look(2, &[])), Some(Effect::Wait(s(36) + TICK)));
    assert_eq!(way.hear(s(37), Input::Due), Some(Effect::Look));
    assert_eq!(way.hear(s(37), look(2, &[])), Some(Effect::Shutdown));
    way.hear(s(37), Input::Answered);
    let report = way.report(s(40));
    assert_eq!((report.clients, report.evicted, report.finished, report.cut), (25, 14, 9, 2));
    assert_eq!(report.ended, Some(Ending::DrainTimeout));
    assert_eq!((report.seconds.propagation, report.seconds.pause, report.seconds.drain), (s(5), s(2), s(30)));
}

#[test]
fn many_idle_sessions_are_spread_over_half_of_the_window() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(NEW));
    way.hear(s(0), Input::Answered);
    let sessions: Vec<u64> = (0..15_000).collect();
    let many = look(15_000, &sessions);
    // 15 s of 30 are 75 ticks: 200 in each, in batches.
    let Some(Effect::Evict(batch)) = way.hear(s(0), many) else { panic!("{:?}", way.effect) };
    assert_eq!(batch.len(), BATCH);
    let Phase::Draining(Draining::Emptying(window), _) = way.phase else { panic!() };
    assert_eq!(window.share, 100);
}

#[test]
fn those_who_were_told_to_go_are_not_waited_for() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(NEW));
    way.hear(s(1), Input::Answered);
    assert_eq!(way.hear(s(1), look(3, &[7, 8])), Some(Effect::Evict(vec![7, 8])));
    way.hear(s(1), Input::Evicted(2, None));
    // One of them was quicker with a query than ProxySQL with its end: it is somebody for as long as it is there.
    assert_eq!(way.hear(s(1), look(3, &[7])), Some(Effect::Wait(s(1) + TICK)));
    way.hear(s(2), Input::Due);
    assert_eq!(way.hear(s(2), look(2, &[7, 8])), Some(Effect::Shutdown));
    way.hear(s(2), Input::Answered);
    let report = way.report(s(2));
    assert_eq!((report.clients, report.evicted, report.finished, report.cut), (3, 2, 1, 0));
}

#[test]
fn time_for_shutdown_is_kept_when_a_pause_takes_nearly_all() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(NEW));
    way.hear(s(50), Input::Answered);
    assert_eq!(way.hear(s(58), look(3, &[])), Some(Effect::Wait(s(58) + TICK)));
    assert_eq!(way.hear(s(59), look(3, &[])), Some(Effect::Shutdown));
}

#[test]
fn proxysql_gone_ends_it_at_once_and_one_never_reached_too() {
    for steps in [vec![], vec![Input::Before(NEW)], vec![Input::Before(NEW), Input::Answered]] {
        let mut way = Way::new();
        way.hear(s(0), begun());
        for input in steps {
            way.hear(s(1), input);
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
    assert!(matches!(way.hear(s(10), Input::Failed(Failure::Unanswered)), Some(Effect::Pause(_))));
    assert_eq!(way.hear(s(15), Input::Failed(Failure::Unsent)), Some(Effect::Wait(s(15) + RETRY)));
    assert!(matches!(way.hear(s(16), Input::Due), Some(Effect::Pause(_))));
    assert_eq!(way.phase.over_at(), Some(s(60)));
    assert_eq!(way.hear(s(60), Input::Over), Some(Effect::End));
    assert_eq!(way.report(s(60)).ended, Some(Ending::ShutdownTimeout));
}

#[test]
fn a_shutdown_without_an_answer_is_not_sent_again_but_looked_after() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(NEW));
    way.hear(s(1), Input::Answered);
    way.hear(s(1), look(0, &[]));
    assert!(matches!(way.hear(s(2), Input::Failed(Failure::Unsent)), Some(Effect::Wait(_))));
    assert_eq!(way.hear(s(3), Input::Due), Some(Effect::Shutdown));
    assert!(matches!(way.hear(s(13), Input::Failed(Failure::Unanswered)), Some(Effect::Wait(_))));
    assert_eq!(way.hear(s(14), Input::Due), Some(Effect::Look));
    assert_eq!(way.hear(s(14), Input::Failed(Failure::Gone)), Some(Effect::End));
    assert_eq!(way.report(s(14)).ended, Some(Ending::Empty));
}

#[test]
fn a_cancel_undoes_what_was_done_and_no_more() {
    // Nothing was done yet.
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(BUSY));
    assert!(matches!(way.hear(s(1), Input::Cancel), Some(Effect::Back(_))));
    assert_eq!(way.phase, Phase::Running);
    // PAUSE is under way: it is waited for.
    way.hear(s(2), begun());
    way.hear(s(2), Input::Before(NEW));
    assert_eq!(way.hear(s(2), Input::Cancel), None);
    assert_eq!(way.hear(s(4), Input::Answered), Some(Effect::Resume(s(7))));
    // The listener is opened until it is.
    assert!(matches!(way.hear(s(5), Input::Failed(Failure::Unanswered)), Some(Effect::Wait(_))));
    assert_eq!(way.hear(s(6), Input::Due), Some(Effect::Resume(s(7))));
    let Some(Effect::Back(account)) = way.hear(s(6), Input::Answered) else { panic!("{:?}", way.effect) };
    assert_eq!(account.progress(s(9)).ended, Some(Ending::Cancelled));
    assert_eq!(way.phase, Phase::Running);
    // Too late.
    way.hear(s(10), begun());
    way.hear(s(10), Input::Before(NEW));
    way.hear(s(10), Input::Answered);
    way.hear(s(10), look(0, &[]));
    assert_eq!(way.hear(s(10), Input::Cancel), None);
    assert_eq!(way.phase.stage(), Stage::Stopping);
}

#[test]
fn who_asks_while_a_cancelled_drain_is_undone_gets_a_new_one() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(BUSY));
    way.hear(s(5), Input::Due);
    way.hear(s(6), Input::Answered);
    assert_eq!(way.hear(s(6), Input::Cancel), Some(Effect::Resume(s(7))));
    assert_eq!(way.hear(s(6), begun()), None);
    assert_eq!(way.hear(s(7), Input::Answered), Some(Effect::LookBefore(None)));
    assert_eq!((way.phase.stage(), way.phase.over_at()), (Stage::Draining, Some(s(67))));
    // While the PAUSE is still under way, it simply goes on.
    way.hear(s(7), Input::Before(BUSY));
    way.hear(s(12), Input::Due);
    way.hear(s(7), Input::Cancel);
    way.hear(s(7), begun());
    assert_eq!(way.hear(s(13), Input::Answered), Some(Effect::Look));
}

#[test]
fn hurry_ends_the_waiting_but_not_a_pause_under_way() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(BUSY));
    assert_eq!(way.hear(s(1), Input::Hurry), Some(Effect::Shutdown));
    assert_eq!(way.phase.over_at(), Some(s(1) + HURRY));
    way.hear(s(1), Input::Answered);
    let report = way.report(s(1));
    assert_eq!((report.ended, report.cut), (Some(Ending::Hurried), 25));

    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(NEW));
    assert_eq!(way.hear(s(0), Input::Hurry), None);
    assert_eq!(way.hear(ms(500), Input::Answered), Some(Effect::Shutdown));
}

#[test]
fn what_did_not_go_as_it_should_is_noted_once() {
    let mut way = Way::new();
    way.hear(s(0), begun());
    way.hear(s(0), Input::Before(Before { lists_idle: false, ..NEW }));
    way.hear(s(0), Input::Failed(Failure::Unanswered));
    for at in 1..4 {
        way.hear(s(at), Input::Looked(Look { clients: 1, paused: Some(false), ..Look::default() }));
        way.hear(s(at), Input::Due);
    }
    assert_eq!(way.report(s(4)).notes.len(), 3, "{:?}", way.report(s(4)).notes);
}

#[test]
fn a_look_is_read() {
    let row = |kind: &str, value: &str| vec![kind.to_owned(), value.to_owned()];
    let look = Look::read(&[
        row("clients", "5"),
        row("clients", "2"),
        row("paused", "true"),
        row("paused", "false"),
        row("session", "17"),
        row("session", "4"),
    ]);
    assert_eq!(look, Ok(Look { clients: 7, paused: Some(false), sessions: vec![17, 4] }));
    assert_eq!(Look::read(&[row("clients", "0")]).unwrap().paused, None);
    assert!(Look::read(&[row("clients", "many")]).is_err());
    assert!(Look::read(&[vec![]]).is_err());
}

/// What may happen next in a run: somebody asks for something, or what is under way ends.
#[derive(Debug, Clone)]
enum Event {
    Begin,
    Hurry,
    Cancel,
    Ends { answer: u8, clients: u64, idle: u64, after: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Begin),
        1 => Just(Event::Hurry),
        1 => Just(Event::Cancel),
        8 => (0..10u8, 0..30u64, 0..20u64, 0..5_000u64)
            .prop_map(|(answer, clients, idle, after)| Event::Ends { answer, clients, idle, after }),
    ]
}

fn answer(effect: &Effect, answer: u8, clients: u64, idle: u64) -> Input {
    match (effect, answer) {
        (Effect::Wait(_), _) => Input::Due,
        (Effect::Evict(ids), 8..) => Input::Evicted(ids.len() as u64 / 2, Some(Failure::Unanswered)),
        (Effect::Evict(ids), _) => Input::Evicted(ids.len() as u64, None),
        (_, 9) => Input::Failed(Failure::Gone),
        (_, 8) => Input::Failed(Failure::Unanswered),
        (_, 7) => Input::Failed(Failure::Unsent),
        (Effect::LookBefore(_), _) => Input::Before(Before { clients, served: idle > 5, threads: 4, lists_idle: true }),
        (Effect::Look, _) => look(clients, &(0..idle).collect::<Vec<_>>()),
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
            if way.phase.stage() == Stage::Running {
                prop_assert!(cancelled);
                (pauses, shutdowns, hurried, cancelled) = (0, 0, false, false);
                way.hear(at, begun());
            }
            let before = way.phase.stage();
            if before == Stage::Stopped {
                break;
            }
            bound = way.phase.over_at().unwrap();
            let under_way = way.effect.clone().unwrap();
            let input = match event {
                Event::Begin => begun(),
                Event::Hurry => {
                    hurried = true;
                    Input::Hurry
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
            let resuming = matches!(way.phase, Phase::Draining(Draining::Resuming(_), _));
            let ended = !matches!(input, Input::Begin { .. } | Input::Hurry | Input::Cancel);
            let next = way.hear(at, input);
            prop_assert!(next.is_some() || !ended, "nothing follows {under_way:?}");
            if resuming && matches!(way.effect, Some(Effect::LookBefore(_))) {
                (pauses, shutdowns, hurried, cancelled) = (0, 0, false, false);
            }
            prop_assert!(pauses <= 1 && shutdowns <= 1);
            let after = way.phase.stage();
            prop_assert!(after >= before || (before == Stage::Draining && after == Stage::Running && cancelled));
            if let Some(account) = way.phase.account() {
                let books = account.progress(at);
                let sum = books.remaining + books.evicted + books.finished + books.cut;
                prop_assert!(sum == books.clients || books.evicted > books.clients, "{books:?}");
            }
        }
        prop_assert_eq!(way.phase.stage(), Stage::Stopped);
        prop_assert!(at <= bound);
        prop_assert!(matches!(way.effect, Some(Effect::End)));
    }
}
