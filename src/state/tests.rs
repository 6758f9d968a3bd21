use std::time::Duration;

use tokio::task::JoinSet;

use super::*;
use crate::domain::drain::Phase;
use crate::domain::health::{Contact, Obstacle};

const PROBES: usize = 10_000;
const SHUTDOWNS: usize = 100;

/// An agent that does nothing for a while, and then what it was asked for.
async fn stalled(mut mailbox: Mailbox, writer: StatusWriter, stall: Duration) -> Vec<Command> {
    tokio::time::sleep(stall).await;
    let mut taken = Vec::new();
    while let Some(command) = mailbox.next().await {
        taken.push(command);
        match command {
            Command::Refresh => writer.look_failed(String::new()),
            Command::Drain => writer.drain_began(),
            Command::ForceStop => {
                writer.drain_ended(Phase::Stopped, None);
                break;
            }
            _ => {}
        }
    }
    taken
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_probes_and_a_hundred_shutdowns_under_a_stalled_loop_lose_nothing() {
    let (state, mailbox, writer) = channel();
    let mut agent = JoinSet::new();
    agent.spawn(stalled(mailbox, writer, Duration::from_secs(30)));
    let (mut probes, mut shutdowns) = (JoinSet::new(), JoinSet::new());
    for number in 0..PROBES {
        let probe = state.clone();
        probes.spawn(async move {
            let asked = Instant::now();
            probe.refreshed(Duration::from_secs(1)).await;
            asked.elapsed()
        });
        if number % (PROBES / SHUTDOWNS) == 0 {
            let shutdown = state.clone();
            shutdowns.spawn(async move {
                assert!(shutdown.ask(Command::Drain));
                shutdown.drained(0).await;
                shutdown.status().drains_ended()
            });
        }
    }
    let waited = probes.join_all().await;
    assert!(waited.len() == PROBES && waited.iter().all(|waited| *waited <= PROBE_PATIENCE));
    state.ask(Command::ForceStop);
    assert_eq!(shutdowns.join_all().await, [1; SHUTDOWNS]);
    let taken = agent.join_next().await.unwrap().unwrap();
    assert_eq!(taken, [Command::Drain, Command::ForceStop]);
    assert!(!state.ask(Command::Drain), "nobody hears any more");
}

/// Threads that ask at the same time as the agent takes: what each of them asked for last is taken after that.
#[test]
fn whoever_asks_at_the_very_moment_is_heard() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for round in 0..200 {
        let (state, mut mailbox, _writer) = channel();
        let askers: Vec<_> = [Command::Refresh, Command::Drain, Command::Cancel, Command::Reload]
            .into_iter()
            .map(|command| {
                let state = state.clone();
                std::thread::spawn(move || {
                    for _ in 0..50 {
                        state.ask(command);
                    }
                })
            })
            .collect();
        drop(state);
        let taken = runtime.block_on(async {
            let mut taken = Vec::new();
            while let Some(command) = mailbox.next().await {
                taken.push(command);
            }
            taken
        });
        for asker in askers {
            asker.join().unwrap();
        }
        for command in [Command::Refresh, Command::Drain, Command::Cancel, Command::Reload] {
            assert!(taken.contains(&command), "round {round}: {command:?} is missing in {taken:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_counted_from_questions_that_met_silence() {
    let mut status = Status::default();
    let start = Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);
    status.answers.asks(at(0));
    status.answers.fails(Obstacle::Login);
    assert_eq!(status.contact(at(1)), Contact::Barred(Duration::from_secs(1)));
    status.answers.asks(at(2));
    status.answers.answers(at(2));
    status.answers.asks(at(3));
    status.answers.fails(Obstacle::Agent);
    let known = status.known(at(60));
    assert_eq!((known.contact, known.silence), (Contact::Unable(Duration::from_secs(57)), Duration::ZERO));
    // From now on it is ProxySQL that does not answer; readiness has known nothing for longer.
    status.answers.asks(at(60));
    status.answers.fails(Obstacle::Silent);
    let known = status.known(at(65));
    assert_eq!((known.contact, known.silence), (Contact::Answering(Duration::from_secs(62)), Duration::from_secs(5)));
    status.answers.fails(Obstacle::Broken);
    assert_eq!(status.known(at(65)).silence, Duration::ZERO);
}
