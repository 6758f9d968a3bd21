//! The way down, carried out: one effect at a time, and an ear for whoever asks meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::health::Health;
use super::line::Line;
use super::round::RoundError;
use super::{Agent, Proxysql};
use crate::domain::drain::{Account, Before, Effect, Failure, Input, Look, Phase, Stage, TICK};
use crate::domain::health::Snapshot;
use crate::domain::statement::Statement;
use crate::edge::admin::AdminError;
use crate::state::{Command, Publisher};

impl<P: Proxysql + Send + Sync> Agent<P> {
    /// Goes the way down to its end, or back where it is cancelled; the stage that it ends in.
    pub(super) async fn go_down(&mut self) -> Stage {
        let Self { line, settings, marker, mailbox, publisher, health, .. } = self;
        let clock = Instant::now();
        let begin = {
            let status = publisher.status();
            let known = status.seen.as_ref().map(|(snapshot, _)| before(snapshot));
            Input::Begin { reached: status.answered_at.is_some(), known }
        };
        let (mut phase, effect) = Phase::Running.step(begin, Duration::ZERO, &settings.limits);
        let mut effect = effect.unwrap_or(Effect::End);
        let mut books = Books { publisher, clock, step: None };
        books.publish(&phase);
        marker.set().await;
        loop {
            match effect {
                Effect::End => {
                    books.end(phase.account(), Stage::Stopped);
                    return Stage::Stopped;
                }
                Effect::Back(account) => {
                    marker.clear().await;
                    // What was seen before is of no use any more: the next probe asks.
                    books.publisher.note(|status| status.seen = None);
                    books.end(Some(&account), Stage::Running);
                    return Stage::Running;
                }
                _ => {}
            }
            let job = perform(effect, line, health, publisher, clock, settings.evict_idle_after);
            let mut job = std::pin::pin!(job);
            effect = loop {
                let over_at = clock + phase.over_at().unwrap_or_default();
                let (input, is_done) = tokio::select! {
                    biased;
                    Some(command) = mailbox.next() => match command {
                        Command::Drain => (Input::Begin { reached: true, known: None }, false),
                        Command::Hurry => (Input::Hurry, false),
                        Command::Cancel => (Input::Cancel, false),
                        // Probes are answered from the stage, and whoever would leave ProxySQL alone comes too late.
                        Command::Refresh | Command::Reload | Command::Resync | Command::Detach => continue,
                    },
                    () = sleep_until(over_at) => (Input::Over, false),
                    input = &mut job => (input, true),
                };
                let at = clock.elapsed();
                let next;
                (phase, next) = phase.step(input, at, &settings.limits);
                books.publish(&phase);
                match next {
                    Some(next) => break next,
                    None if is_done => break Effect::Wait(at + TICK),
                    None => {}
                }
            };
        }
    }
}

/// What outsiders see of the way down.
struct Books<'a> {
    publisher: &'a Publisher,
    clock: Instant,
    /// The step that was said last.
    step: Option<&'static str>,
}

impl Books<'_> {
    fn publish(&mut self, phase: &Phase) {
        let Some(account) = phase.account() else { return };
        let progress = account.progress(self.clock.elapsed());
        let step = progress.step.as_str();
        if self.step.replace(step) != Some(step) && phase.stage() != Stage::Stopped {
            info!(step, clients = progress.remaining, "draining");
        }
        // The end is said by `end`, with the count of drains, so that nobody sees the one without the other.
        if phase.stage() != Stage::Stopped {
            self.publisher.publish(|status| {
                status.stage = phase.stage();
                status.drain = Some(progress);
            });
        }
    }

    fn end(&self, account: Option<&Account>, stage: Stage) {
        let report = account.map(|account| account.progress(self.clock.elapsed()));
        if let Some(report) = &report {
            let seconds = &report.seconds;
            info!(
                ended = report.ended.map_or("", |ending| ending.as_str()),
                clients = report.clients,
                evicted = report.evicted,
                finished = report.finished,
                cut = report.cut,
                propagation = %ms(seconds.propagation),
                pause = %ms(seconds.pause),
                drain = %ms(seconds.drain),
                shutdown = %ms(seconds.shutdown),
                total = %ms(seconds.total),
                "drained"
            );
            for note in &report.notes {
                warn!(%note, "the drain did not go as it should");
            }
        }
        self.publisher.publish(|status| {
            status.stage = stage;
            if let Some(report) = &report {
                status.tally.drained(report);
            }
            status.drain = report;
            status.drains_ended += 1;
        });
    }
}

/// Seconds, to the millisecond.
fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

fn before(snapshot: &Snapshot) -> Before {
    Before {
        clients: snapshot.clients,
        served: snapshot.served,
        threads: snapshot.threads,
        lists_idle: snapshot.lists_idle,
    }
}

async fn perform<P: Proxysql + Send + Sync>(
    effect: Effect,
    line: &mut Line<P>,
    health: &mut Health,
    publisher: &Publisher,
    clock: Instant,
    evict_idle_after: Duration,
) -> Input {
    match effect {
        Effect::Wait(until) => {
            sleep_until(clock + until).await;
            Input::Due
        }
        Effect::LookBefore(within) => {
            let look = health.look(line, publisher);
            let failed = match within {
                Some(within) => match timeout(within, look).await {
                    Ok(failed) => failed,
                    Err(_) => return Input::Failed(Failure::Unsent),
                },
                None => look.await,
            };
            match failed {
                Some(RoundError::Admin(error)) => Input::Failed(failure(&error)),
                Some(RoundError::Unreadable(_)) => Input::Failed(Failure::Unanswered),
                None => match &publisher.status().seen {
                    Some((snapshot, _)) => Input::Before(before(snapshot)),
                    None => Input::Failed(Failure::Unanswered),
                },
            }
        }
        Effect::Look => {
            let pgsql = publisher.status().seen.as_ref().is_some_and(|(snapshot, _)| snapshot.pgsql);
            match line.run(&Statement::Clients(evict_idle_after, pgsql)).await.map(|answer| Look::read(&answer.rows)) {
                Ok(Ok(look)) => {
                    publisher.note(|status| {
                        if let Some((snapshot, at)) = &mut status.seen {
                            (snapshot.clients, *at) = (look.clients, Instant::now());
                        }
                    });
                    Input::Looked(look)
                }
                Ok(Err(reason)) => {
                    warn!(%reason, "cannot see who is connected");
                    Input::Failed(Failure::Unanswered)
                }
                Err(error) => Input::Failed(failure(&error)),
            }
        }
        Effect::Evict(sessions) => {
            let mut evicted = 0;
            for session in sessions {
                match line.run(&Statement::KillConnection(session)).await {
                    Ok(_) => evicted += 1,
                    // It went by itself meanwhile.
                    Err(error) if error.is_refusal() => {}
                    Err(error) => return Input::Evicted(evicted, Some(failure(&error))),
                }
            }
            Input::Evicted(evicted, None)
        }
        Effect::Pause(within) => command(line, Statement::Pause(within)).await,
        Effect::Resume(within) => command(line, Statement::Resume(within)).await,
        Effect::Shutdown => command(line, Statement::Shutdown).await,
        Effect::Back(_) | Effect::End => std::future::pending().await,
    }
}

async fn command<P: Proxysql + Send + Sync>(line: &mut Line<P>, statement: Statement) -> Input {
    match line.run(&statement).await {
        Ok(_) => Input::Answered,
        Err(error) => {
            // "Already paused" is as good as paused; what is so is looked at next.
            info!(reason = %error, "no OK to {}", statement.name());
            if error.is_refusal() { Input::Answered } else { Input::Failed(failure(&error)) }
        }
    }
}

fn failure(error: &AdminError) -> Failure {
    if error.is_gone() {
        Failure::Gone
    } else if error.may_have_been_sent() {
        Failure::Unanswered
    } else {
        Failure::Unsent
    }
}
