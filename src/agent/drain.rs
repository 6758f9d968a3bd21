//! Runs the state machine of the drain, one effect at a time, while commands are still accepted.

mod perform;
mod recovery;
mod undo;
mod variables;

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

pub(super) use self::perform::Who;
use self::perform::{Performer, before};
pub(super) use self::recovery::{Found, Recovery, recover};
use super::{Agent, Proxysql};
use crate::domain::drain::{DrainState, DrainStats, Effect, Input, Phase, TICK};
use crate::state::{Command, StatusWriter};

/// How often nodes ask each other, where `ProxySQL` has not said so yet: its default.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl<P: Proxysql + Send + Sync> Agent<P> {
    /// Goes through the shutdown to its end, or back where it is cancelled; the stage that it ends in.
    pub(super) async fn go_down(&mut self) -> Phase {
        let clock = Instant::now();
        let (mut phase, effect) = DrainState::Running.step(self.begin(), Duration::ZERO, &self.settings.limits);
        let mut effect = effect.unwrap_or(Effect::End);
        let check_interval = self.writer.status().observed().map(|(seen, _)| seen.check_interval);
        let pulled_by = self.mode.pulled_by(check_interval.unwrap_or(CHECK_INTERVAL));
        let Self { line, settings, marker, mailbox, writer, health, .. } = self;
        let mut books = DrainReporter { writer, clock, step: None };
        books.publish(&phase);
        marker.set().await;
        let mut performer = Performer { line, health, writer, clock, pulled_by };
        loop {
            match effect {
                Effect::End => {
                    books.end(phase.stats(), Phase::Stopped);
                    return Phase::Stopped;
                }
                Effect::Back(stats, undone) => {
                    marker.clear().await;
                    // What was seen before is of no use any more: the next probe asks.
                    books.writer.look_outdated();
                    books.end(Some(&stats), Phase::Running);
                    self.recovery = if undone { Recovery::Done } else { Recovery::Pending };
                    if stats.has_set() {
                        self.mode.sync_again();
                    }
                    return Phase::Running;
                }
                _ => {}
            }
            let job = performer.perform(effect);
            let mut job = std::pin::pin!(job);
            effect = loop {
                let over_at = clock + phase.over_at().unwrap_or_default();
                let (input, is_done) = tokio::select! {
                    biased;
                    Some(command) = mailbox.next() => match command {
                        Command::Drain => (Input::Begin { reached: true, known: None }, false),
                        Command::ForceStop => (Input::ForceStop, false),
                        Command::Cancel => (Input::Cancel, false),
                        // Probes are answered from the stage, and leaving ProxySQL as it is comes too late.
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

    /// What the way down begins with.
    fn begin(&self) -> Input {
        let status = self.writer.status();
        let known = status.seen().map(|(snapshot, _)| before(snapshot));
        Input::Begin { reached: status.answered_at().is_some(), known }
    }
}

/// What outsiders see of the shutdown.
struct DrainReporter<'a> {
    writer: &'a StatusWriter,
    clock: Instant,
    /// The step that was logged last.
    step: Option<&'static str>,
}

impl DrainReporter<'_> {
    fn publish(&mut self, phase: &DrainState) {
        let Some(stats) = phase.stats() else { return };
        let progress = stats.progress(self.clock.elapsed());
        let step = progress.step.as_str();
        if self.step.replace(step) != Some(step) && phase.stage() != Phase::Stopped {
            info!(step, clients = progress.remaining + progress.cut, "draining");
        }
        // The end is told by `end`, with the count of drains, so that nobody sees the one without the other.
        if phase.stage() != Phase::Stopped {
            self.writer.drain_progressed(phase.stage(), progress);
        }
    }

    fn end(&self, stats: Option<&DrainStats>, stage: Phase) {
        let report = stats.map(|stats| stats.progress(self.clock.elapsed()));
        if let Some(report) = &report {
            let seconds = &report.seconds;
            info!(
                ended = report.ended.map_or("", |ending| ending.as_str()),
                clients = report.clients,
                evicted = report.evicted,
                finished = report.finished,
                terminated = report.cut,
                propagation = %ms(seconds.propagation),
                pause = %ms(seconds.pause),
                drain = %ms(seconds.drain),
                shutdown = %ms(seconds.shutdown),
                total = %ms(seconds.total),
                "drain finished"
            );
            for left in report.left.iter().filter(|_| report.cut > 0) {
                let idle = ms(left.idle_seconds);
                warn!(user = %left.user, client = %left.client, why = left.why.as_str(), %idle, "client terminated");
            }
            for note in &report.notes {
                warn!(%note, "drain anomaly");
            }
        }
        self.writer.drain_ended(stage, report);
    }
}

/// Seconds, to the millisecond.
fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}
