//! The transitions of a drain.

use std::time::Duration;

use super::closing::Closing;
use super::emptying;
use super::report::{Ending, Step};
use super::state::{
    AfterPause, DrainState, Draining, NextStep, PAUSE_SLACK, RETRY, pause, pause_expected, shut_down, stopped, wait,
};
use super::stats::DrainStats;
use super::{Effect, Failure, Input, Limits};

/// What a `ProxySQL` gets for one answer that has never given any.
pub(super) const FIRST_CONTACT: Duration = Duration::from_secs(1);
/// Between two looks while endpoints stop routing here: who reads slowly shows only over time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl DrainState {
    /// A drain that nobody can cancel, and why.
    fn cannot_go_back(self, why: &'static str) -> Self {
        match self {
            Self::Draining(step, stats) => {
                let mut stats = stats.note(why);
                stats.urgency.goes_on = true;
                Self::Draining(step, stats)
            }
            other => other,
        }
    }

    /// The next phase, and what to do: at `at`, on a clock of the caller's that only moves forward.
    #[must_use]
    pub fn step(self, input: Input, at: Duration, limits: &Limits) -> NextStep {
        match (self, input) {
            (Self::Running, Input::Begin { reached, known }) => begin(reached, known, at, limits),
            (phase @ (Self::Running | Self::Stopped(_)), _) => (phase, None),
            (Self::Draining(Draining::Undoing(_) | Draining::Pausing(AfterPause::Cancel, _), stats), Input::Over) => {
                back(stats.note("the drain could not be undone in time; it is tried again"), false, at)
            }
            (Self::Draining(_, stats) | Self::Stopping(_, stats), Input::Over) => {
                let ending = if stats.urgency.forced { Ending::Hurried } else { Ending::ShutdownTimeout };
                stopped(stats, ending, at)
            }
            (Self::Draining(step, stats), input @ (Input::Begin { .. } | Input::Cancel | Input::ForceStop)) => {
                asked(step, stats, &input, at)
            }
            (Self::Draining(step, stats), input) => match step {
                Draining::Looking => looking(stats, &input, at),
                Draining::Marking => marking(stats, input, at, limits),
                Draining::Propagating(until) => propagating(until, stats, input, at),
                Draining::Pausing(after, by) => pausing((after, by), stats, &input, at, limits),
                Draining::Emptying(window) => emptying::step(window, stats, input, at, limits),
                Draining::Undoing(again) => undoing(again, stats, &input, at, limits),
            },
            (Self::Stopping(sent, stats), input) => stopping(sent, stats, input, at),
        }
    }
}

fn begin(reached: bool, known: Option<super::Before>, at: Duration, limits: &Limits) -> NextStep {
    let stats = DrainStats::open(at, limits, reached, known);
    let within = (!reached).then_some(FIRST_CONTACT);
    (DrainState::Draining(Draining::Looking, stats), Some(Effect::LookBefore(within)))
}

/// Something is asked for while clients are going.
fn asked(step: Draining, stats: DrainStats, input: &Input, at: Duration) -> NextStep {
    use Draining::{Emptying, Looking, Marking, Pausing, Propagating, Undoing};
    let stay = |step, stats| (DrainState::Draining(step, stats), None);
    match (step, input) {
        (step, Input::Cancel) if stats.urgency.goes_on => stay(step, stats),
        (Looking, Input::Cancel) => back(stats, true, at),
        (Marking | Propagating(_) | Emptying(_), Input::Cancel) => undo(false, stats.enter(Step::Resuming, at)),
        (Looking | Marking | Propagating(_), Input::ForceStop) => shut_down(stats.hurry(at), Ending::Hurried, at),
        // Who is there then is counted.
        (Emptying(_), Input::ForceStop) => {
            let stats = stats.hurry(at).enter(Step::ShuttingDown, at);
            (DrainState::Stopping(false, stats), Some(Effect::Sessions { detailed: false }))
        }
        // Nothing can be sent before PAUSE has its answer.
        (Pausing(_, by), Input::ForceStop) => stay(Pausing(AfterPause::ForceStop, by), stats.hurry_after(by, at)),
        (Pausing(AfterPause::Empty, by), Input::Cancel) => stay(Pausing(AfterPause::Cancel, by), stats),
        // Who cancelled it is overruled, or comes too late.
        (Pausing(AfterPause::Cancel, by), Input::Begin { .. }) => stay(Pausing(AfterPause::Empty, by), stats),
        (Undoing(_), input) => stay(Undoing(*input != Input::Cancel), stats),
        (step, _) => stay(step, stats),
    }
}

fn looking(mut stats: DrainStats, input: &Input, at: Duration) -> NextStep {
    match input {
        Input::Before(before) => stats.learn(*before),
        Input::Failed(Failure::Gone) => return stopped(stats, Ending::Gone, at),
        // It has never answered, and does not now: there is nothing that this agent could drain.
        Input::Failed(_) if !stats.reached => return stopped(stats, Ending::NeverReached, at),
        Input::Failed(_) => {}
        _ => return (DrainState::Draining(Draining::Looking, stats), None),
    }
    (DrainState::Draining(Draining::Marking, stats), Some(Effect::Mark))
}

fn marking(mut stats: DrainStats, input: Input, at: Duration, limits: &Limits) -> NextStep {
    match input {
        Input::Marked(marked) => stats.marked = Some(marked),
        Input::Failed(Failure::Gone) => return stopped(stats, Ending::Gone, at),
        Input::Failed(_) => stats.add_note("what was there before the drain could not be remembered in ProxySQL"),
        _ => return (DrainState::Draining(Draining::Marking, stats), None),
    }
    if !stats.before.served || limits.propagation_delay.is_zero() {
        return pause(stats, at);
    }
    let step = Draining::Propagating(at + limits.propagation_delay);
    (DrainState::Draining(step, stats.enter(Step::Propagating, at)), Some(Effect::Sessions { detailed: false }))
}

/// Sessions are watched while endpoints stop routing here, and what it takes to close them is prepared: a session on an idle thread comes
/// back to a worker when it speaks.
fn propagating(until: Duration, mut stats: DrainStats, input: Input, at: Duration) -> NextStep {
    let step = Draining::Propagating(until);
    match input {
        Input::Due if at >= until => return pause(stats, at),
        Input::Failed(Failure::Gone) => return stopped(stats, Ending::Gone, at),
        Input::Due => {
            let detailed = stats.clients.are_looked_into();
            return (DrainState::Draining(step, stats), Some(Effect::Sessions { detailed }));
        }
        Input::Looked(look) => {
            stats.look(look, at);
            if let Some(variables) = prepared(&mut stats) {
                return (DrainState::Draining(step, stats), Some(Effect::Set(variables)));
            }
        }
        Input::Failed(Failure::Refused) => stats.refused(),
        Input::Answered | Input::Failed(_) => {}
        _ => return (DrainState::Draining(step, stats), None),
    }
    wait(step, stats, (at + LOOK_AGAIN).min(until))
}

fn prepared(stats: &mut DrainStats) -> Option<super::closing::Variables> {
    let detailed = stats.clients.sessions().len() as u64 <= super::session::DETAILED;
    stats.wants_set(&Closing { detailed, ..Closing::PREPARED })
}

fn pausing(
    (after, by): (AfterPause, Duration),
    stats: DrainStats,
    input: &Input,
    at: Duration,
    limits: &Limits,
) -> NextStep {
    let stats = match input {
        Input::Failed(Failure::Gone) => return stopped(stats, Ending::Gone, at),
        // Not sent, so it can be sent still.
        Input::Failed(Failure::Unsent) | Input::Due => {
            return match (after, input) {
                (AfterPause::Cancel, _) => undo(false, stats.enter(Step::Resuming, at)),
                (AfterPause::ForceStop, _) => shut_down(stats, Ending::Hurried, at),
                (AfterPause::Empty, Input::Due) => pause(stats, at),
                (AfterPause::Empty, _) => wait(Draining::Pausing(after, by), stats, at + RETRY),
            };
        }
        Input::Failed(Failure::Unanswered) => stats.note("PAUSE was not answered"),
        // "Already paused" is as good as paused; what is so is looked at next.
        Input::Answered | Input::Failed(Failure::Refused) => stats,
        _ => return (DrainState::Draining(Draining::Pausing(after, by), stats), None),
    };
    match after {
        AfterPause::Cancel => undo(false, stats.enter(Step::Resuming, at)),
        AfterPause::ForceStop => shut_down(stats, Ending::Hurried, at),
        AfterPause::Empty => emptying::begin(stats, at, limits),
    }
}

fn undo(again: bool, stats: DrainStats) -> NextStep {
    let within = pause_expected(stats.before.threads) + PAUSE_SLACK;
    (DrainState::Draining(Draining::Undoing(again), stats), Some(Effect::Undo(within)))
}

fn undoing(again: bool, stats: DrainStats, input: &Input, at: Duration, limits: &Limits) -> NextStep {
    match input {
        Input::Undone | Input::Failed(Failure::Gone) if again => begin(true, Some(stats.before), at, limits),
        Input::Undone | Input::Failed(Failure::Gone) => back(stats, true, at),
        Input::Failed(Failure::Deaf) => {
            let (phase, effect) = begin(true, Some(stats.before), at, limits);
            (phase.cannot_go_back("ProxySQL does not let in all clients after RESUME; only a new process does"), effect)
        }
        Input::Failed(_) => wait(Draining::Undoing(again), stats, at + RETRY),
        Input::Due => undo(again, stats),
        _ => (DrainState::Draining(Draining::Undoing(again), stats), None),
    }
}

/// Back to work.
fn back(mut stats: DrainStats, undone: bool, at: Duration) -> NextStep {
    stats.close(Ending::Cancelled);
    (DrainState::Running, Some(Effect::Back(Box::new(stats.enter(Step::Over, at)), undone)))
}

fn stopping(sent: bool, mut stats: DrainStats, input: Input, at: Duration) -> NextStep {
    let is_first_look = stats.ending.is_none();
    match input {
        // The look before SHUTDOWN, whatever came of it.
        Input::Looked(_) | Input::Failed(_) if is_first_look => {
            match input {
                Input::Looked(look) => stats.look(look, at),
                Input::Failed(Failure::Gone) => return stopped(stats, Ending::Gone, at),
                _ => {}
            }
            shut_down(stats, Ending::Hurried, at)
        }
        Input::Answered | Input::Failed(Failure::Gone) => {
            let ending = stats.ending.unwrap_or(Ending::Gone);
            stopped(stats, ending, at)
        }
        Input::Failed(failure) => {
            // It may have been carried out: nothing is asked for twice, but whether it is gone.
            let sent = sent || failure == Failure::Unanswered;
            (DrainState::Stopping(sent, stats), Some(Effect::Wait(at + RETRY)))
        }
        Input::Looked(_) => (DrainState::Stopping(sent, stats), Some(Effect::Wait(at + RETRY))),
        Input::Due if sent => (DrainState::Stopping(sent, stats), Some(Effect::Sessions { detailed: false })),
        Input::Due => (DrainState::Stopping(sent, stats), Some(Effect::Shutdown)),
        Input::ForceStop => (DrainState::Stopping(sent, stats.hurry(at)), None),
        _ => (DrainState::Stopping(sent, stats), None),
    }
}
