//! The transitions.

use std::time::Duration;

use super::closing::Closing;
use super::emptying::{self, Window};
use super::report::{Ending, Step};
use super::stats::DrainStats;
use super::{Effect, Failure, Input, Limits, Phase};

/// Until what could not be asked is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// What `PROXYSQL PAUSE` takes for each worker thread, at most, and what waits for a PAUSE.
const PER_THREAD: Duration = Duration::from_secs(1);
/// What the deadline of PAUSE has beyond that: on 3.x, six threads were seen to take six seconds.
const PAUSE_SLACK: Duration = Duration::from_secs(5);
/// What a `ProxySQL` gets for one answer that has never given any.
pub(super) const FIRST_CONTACT: Duration = Duration::from_secs(1);
/// Between two looks while endpoints stop routing here: who reads slowly shows only over time.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Where in the shutdown this process is, with everything it has to remember there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DrainState {
    /// Serving.
    #[default]
    Running,
    /// Clients are going.
    Draining(Draining, DrainStats),
    /// `ProxySQL` is being stopped. Whether it may have been told already.
    Stopping(bool, DrainStats),
    /// Over.
    Stopped(DrainStats),
}

/// The steps within [`DrainState::Draining`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draining {
    /// Who is connected?
    Looking,
    /// What is there before the drain is being remembered.
    Marking,
    /// Endpoints stop routing here, until then.
    Propagating(Duration),
    /// The listener closes. What to do once it has, and by when that is to have an answer.
    Pausing(AfterPause, Duration),
    /// Clients finish, or are told to go.
    Emptying(Window),
    /// It was cancelled. Whether a shutdown is to begin again after that.
    Undoing(bool),
}

/// What follows a PAUSE, which nothing can take back while it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterPause {
    /// The window for clients.
    Empty,
    /// All of it is undone.
    Cancel,
    /// SHUTDOWN.
    ForceStop,
}

pub(super) type NextStep = (DrainState, Option<Effect>);

impl DrainState {
    /// The phase without what it remembers.
    pub fn stage(&self) -> Phase {
        match self {
            Self::Running => Phase::Running,
            Self::Draining(..) => Phase::Draining,
            Self::Stopping(..) => Phase::Stopping,
            Self::Stopped(_) => Phase::Stopped,
        }
    }

    /// The account of the shutdown.
    pub fn account(&self) -> Option<&DrainStats> {
        match self {
            Self::Running => None,
            Self::Draining(_, account) | Self::Stopping(_, account) | Self::Stopped(account) => Some(account),
        }
    }

    /// A drain that nobody can cancel, and why.
    fn cannot_go_back(self, why: &'static str) -> Self {
        match self {
            Self::Draining(step, account) => {
                let mut account = account.note(why);
                account.goes_on = true;
                Self::Draining(step, account)
            }
            other => other,
        }
    }

    /// When the caller is to say [`Input::Over`].
    pub fn over_at(&self) -> Option<Duration> {
        match self {
            Self::Running | Self::Stopped(_) => None,
            Self::Draining(_, account) | Self::Stopping(_, account) => Some(account.over_at),
        }
    }

    /// The next phase, and what to do: at `at`, on a clock of the caller's that only moves forward.
    #[must_use]
    pub fn step(self, input: Input, at: Duration, limits: &Limits) -> NextStep {
        match (self, input) {
            (Self::Running, Input::Begin { reached, known }) => begin(reached, known, at, limits),
            (phase @ (Self::Running | Self::Stopped(_)), _) => (phase, None),
            (Self::Draining(Draining::Undoing(_) | Draining::Pausing(AfterPause::Cancel, _), account), Input::Over) => {
                back(account.note("the drain could not be undone in time; it is tried again"), false, at)
            }
            (Self::Draining(_, account) | Self::Stopping(_, account), Input::Over) => {
                let ending = if account.hurried { Ending::Hurried } else { Ending::ShutdownTimeout };
                stopped(account, ending, at)
            }
            (Self::Draining(step, account), input @ (Input::Begin { .. } | Input::Cancel | Input::ForceStop)) => {
                asked(step, account, &input, at)
            }
            (Self::Draining(step, account), input) => match step {
                Draining::Looking => looking(account, &input, at),
                Draining::Marking => marking(account, input, at, limits),
                Draining::Propagating(until) => propagating(until, account, input, at),
                Draining::Pausing(after, by) => pausing((after, by), account, &input, at, limits),
                Draining::Emptying(window) => emptying::step(window, account, input, at, limits),
                Draining::Undoing(again) => undoing(again, account, &input, at, limits),
            },
            (Self::Stopping(sent, account), input) => stopping(sent, account, input, at),
        }
    }
}

fn begin(reached: bool, known: Option<super::Before>, at: Duration, limits: &Limits) -> NextStep {
    let account = DrainStats::open(at, limits, reached, known);
    let within = (!reached).then_some(FIRST_CONTACT);
    (DrainState::Draining(Draining::Looking, account), Some(Effect::LookBefore(within)))
}

/// Something is asked for while clients are going.
fn asked(step: Draining, account: DrainStats, input: &Input, at: Duration) -> NextStep {
    use Draining::{Emptying, Looking, Marking, Pausing, Propagating, Undoing};
    let stay = |step, account| (DrainState::Draining(step, account), None);
    match (step, input) {
        (step, Input::Cancel) if account.goes_on => stay(step, account),
        (Looking, Input::Cancel) => back(account, true, at),
        (Marking | Propagating(_) | Emptying(_), Input::Cancel) => undo(false, account.enter(Step::Resuming, at)),
        (Looking | Marking | Propagating(_), Input::ForceStop) => shut_down(account.hurry(at), Ending::Hurried, at),
        // Who is there then is counted.
        (Emptying(_), Input::ForceStop) => {
            let account = account.hurry(at).enter(Step::ShuttingDown, at);
            (DrainState::Stopping(false, account), Some(Effect::Sessions { detailed: false }))
        }
        // Nothing can be sent before PAUSE has its answer.
        (Pausing(_, by), Input::ForceStop) => stay(Pausing(AfterPause::ForceStop, by), account.hurry_after(by, at)),
        (Pausing(AfterPause::Empty, by), Input::Cancel) => stay(Pausing(AfterPause::Cancel, by), account),
        // Who cancelled it is overruled, or comes too late.
        (Pausing(AfterPause::Cancel, by), Input::Begin { .. }) => stay(Pausing(AfterPause::Empty, by), account),
        (Undoing(_), input) => stay(Undoing(*input != Input::Cancel), account),
        (step, _) => stay(step, account),
    }
}

fn looking(mut account: DrainStats, input: &Input, at: Duration) -> NextStep {
    match input {
        Input::Before(before) => account.learn(*before),
        Input::Failed(Failure::Gone) => return stopped(account, Ending::Gone, at),
        // It has never answered, and does not now: there is nothing that this agent could drain.
        Input::Failed(_) if !account.reached => return stopped(account, Ending::NeverReached, at),
        Input::Failed(_) => {}
        _ => return (DrainState::Draining(Draining::Looking, account), None),
    }
    (DrainState::Draining(Draining::Marking, account), Some(Effect::Mark))
}

fn marking(mut account: DrainStats, input: Input, at: Duration, limits: &Limits) -> NextStep {
    match input {
        Input::Marked(marked) => account.marked = Some(marked),
        Input::Failed(Failure::Gone) => return stopped(account, Ending::Gone, at),
        Input::Failed(_) => account.add_note("what was there before the drain could not be remembered in ProxySQL"),
        _ => return (DrainState::Draining(Draining::Marking, account), None),
    }
    if !account.before.served || limits.propagation_delay.is_zero() {
        return pause(account, at);
    }
    let step = Draining::Propagating(at + limits.propagation_delay);
    (DrainState::Draining(step, account.enter(Step::Propagating, at)), Some(Effect::Sessions { detailed: false }))
}

/// Sessions are watched while endpoints stop routing here, and what it takes to close them is prepared: a session on an idle thread comes
/// back to a worker when it speaks.
fn propagating(until: Duration, mut account: DrainStats, input: Input, at: Duration) -> NextStep {
    let step = Draining::Propagating(until);
    match input {
        Input::Due if at >= until => return pause(account, at),
        Input::Failed(Failure::Gone) => return stopped(account, Ending::Gone, at),
        Input::Due => {
            let detailed = account.looks_into;
            return (DrainState::Draining(step, account), Some(Effect::Sessions { detailed }));
        }
        Input::Looked(look) => {
            account.look(look, at);
            if let Some(variables) = prepared(&mut account) {
                return (DrainState::Draining(step, account), Some(Effect::Set(variables)));
            }
        }
        Input::Failed(Failure::Refused) => account.refused(),
        Input::Answered | Input::Failed(_) => {}
        _ => return (DrainState::Draining(step, account), None),
    }
    wait(step, account, (at + LOOK_AGAIN).min(until))
}

fn prepared(account: &mut DrainStats) -> Option<super::closing::Variables> {
    let detailed = account.sessions().len() as u64 <= super::session::DETAILED;
    account.wants_set(&Closing { detailed, ..Closing::PREPARED })
}

pub(super) fn wait(step: Draining, account: DrainStats, until: Duration) -> NextStep {
    (DrainState::Draining(step, account), Some(Effect::Wait(until)))
}

pub(super) fn pause(account: DrainStats, at: Duration) -> NextStep {
    let within = pause_expected(account.before.threads) + PAUSE_SLACK;
    let step = Draining::Pausing(AfterPause::Empty, at + within);
    (DrainState::Draining(step, account.enter(Step::Pausing, at)), Some(Effect::Pause(within)))
}

/// What PAUSE takes with so many worker threads, at most.
pub fn pause_expected(threads: u32) -> Duration {
    PER_THREAD * threads
}

fn pausing(
    (after, by): (AfterPause, Duration),
    account: DrainStats,
    input: &Input,
    at: Duration,
    limits: &Limits,
) -> NextStep {
    let account = match input {
        Input::Failed(Failure::Gone) => return stopped(account, Ending::Gone, at),
        // Not sent, so it can be sent still.
        Input::Failed(Failure::Unsent) | Input::Due => {
            return match (after, input) {
                (AfterPause::Cancel, _) => undo(false, account.enter(Step::Resuming, at)),
                (AfterPause::ForceStop, _) => shut_down(account, Ending::Hurried, at),
                (AfterPause::Empty, Input::Due) => pause(account, at),
                (AfterPause::Empty, _) => wait(Draining::Pausing(after, by), account, at + RETRY),
            };
        }
        Input::Failed(Failure::Unanswered) => account.note("PAUSE was not answered"),
        // "Already paused" is as good as paused; what is so is looked at next.
        Input::Answered | Input::Failed(Failure::Refused) => account,
        _ => return (DrainState::Draining(Draining::Pausing(after, by), account), None),
    };
    match after {
        AfterPause::Cancel => undo(false, account.enter(Step::Resuming, at)),
        AfterPause::ForceStop => shut_down(account, Ending::Hurried, at),
        AfterPause::Empty => emptying::begin(account, at, limits),
    }
}

fn undo(again: bool, account: DrainStats) -> NextStep {
    let within = pause_expected(account.before.threads) + PAUSE_SLACK;
    (DrainState::Draining(Draining::Undoing(again), account), Some(Effect::Undo(within)))
}

fn undoing(again: bool, account: DrainStats, input: &Input, at: Duration, limits: &Limits) -> NextStep {
    match input {
        Input::Undone | Input::Failed(Failure::Gone) if again => begin(true, Some(account.before), at, limits),
        Input::Undone | Input::Failed(Failure::Gone) => back(account, true, at),
        Input::Failed(Failure::Deaf) => {
            let (phase, effect) = begin(true, Some(account.before), at, limits);
            (phase.cannot_go_back("ProxySQL does not let in all clients after RESUME; only a new process does"), effect)
        }
        Input::Failed(_) => wait(Draining::Undoing(again), account, at + RETRY),
        Input::Due => undo(again, account),
        _ => (DrainState::Draining(Draining::Undoing(again), account), None),
    }
}

/// Back to work.
fn back(mut account: DrainStats, undone: bool, at: Duration) -> NextStep {
    account.close(Ending::Cancelled);
    (DrainState::Running, Some(Effect::Back(Box::new(account.enter(Step::Over, at)), undone)))
}

pub(super) fn shut_down(mut account: DrainStats, ending: Ending, at: Duration) -> NextStep {
    account.close(ending);
    (DrainState::Stopping(false, account.enter(Step::ShuttingDown, at)), Some(Effect::Shutdown))
}

fn stopping(sent: bool, mut account: DrainStats, input: Input, at: Duration) -> NextStep {
    let is_first_look = account.ending.is_none();
    match input {
        // The look before SHUTDOWN, whatever came of it.
        Input::Looked(_) | Input::Failed(_) if is_first_look => {
            match input {
                Input::Looked(look) => account.look(look, at),
                Input::Failed(Failure::Gone) => return stopped(account, Ending::Gone, at),
                _ => {}
            }
            shut_down(account, Ending::Hurried, at)
        }
        Input::Answered | Input::Failed(Failure::Gone) => {
            let ending = account.ending.unwrap_or(Ending::Gone);
            stopped(account, ending, at)
        }
        Input::Failed(failure) => {
            // It may have been carried out: nothing is asked for twice, but whether it is gone.
            let sent = sent || failure == Failure::Unanswered;
            (DrainState::Stopping(sent, account), Some(Effect::Wait(at + RETRY)))
        }
        Input::Looked(_) => (DrainState::Stopping(sent, account), Some(Effect::Wait(at + RETRY))),
        Input::Due if sent => (DrainState::Stopping(sent, account), Some(Effect::Sessions { detailed: false })),
        Input::Due => (DrainState::Stopping(sent, account), Some(Effect::Shutdown)),
        Input::ForceStop => (DrainState::Stopping(sent, account.hurry(at)), None),
        _ => (DrainState::Stopping(sent, account), None),
    }
}

pub(super) fn stopped(mut account: DrainStats, ending: Ending, at: Duration) -> NextStep {
    account.close(ending);
    (DrainState::Stopped(account.enter(Step::Over, at)), Some(Effect::End))
}
