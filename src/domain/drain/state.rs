//! Where in a drain this process is, and the steps that more than one transition takes.

use std::time::Duration;

use super::closing::{Closing, Span};
use super::report::{Ending, Step};
use super::stats::DrainStats;
use super::{Effect, Phase};

/// Until what could not be asked is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// What `PROXYSQL PAUSE` takes for each worker thread, at most, and what waits for a PAUSE.
const PER_THREAD: Duration = Duration::from_secs(1);
/// What the deadline of PAUSE has beyond that: on 3.x, six threads were seen to take six seconds.
pub(super) const PAUSE_SLACK: Duration = Duration::from_secs(5);

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

/// The time that clients get, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub(super) span: Span,
    /// Since when sessions are closed that rest.
    pub(super) closing_since: Duration,
    /// When the next look is due.
    pub(super) next_look: Duration,
    /// The last look found no client.
    pub(super) empty: bool,
    /// When the next share of kills is due.
    pub(super) next_share: Duration,
    /// What is left of this share.
    pub(super) share: u64,
    /// What is done about those who rest.
    pub(super) means: Means,
}

/// What is done about sessions that rest between two statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// `ProxySQL` ends them, by its variables.
    Close(Closing),
    /// They are killed once they are plainly idle. Not with idle threads, which execute what comes in the meantime.
    Kill,
}

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

    /// The stats of the shutdown.
    pub fn stats(&self) -> Option<&DrainStats> {
        match self {
            Self::Running => None,
            Self::Draining(_, stats) | Self::Stopping(_, stats) | Self::Stopped(stats) => Some(stats),
        }
    }

    /// When the caller is to say [`Input::Over`](super::Input::Over).
    pub fn over_at(&self) -> Option<Duration> {
        match self {
            Self::Running | Self::Stopped(_) => None,
            Self::Draining(_, stats) | Self::Stopping(_, stats) => Some(stats.over_at),
        }
    }
}

pub(super) fn wait(step: Draining, stats: DrainStats, until: Duration) -> NextStep {
    (DrainState::Draining(step, stats), Some(Effect::Wait(until)))
}

pub(super) fn pause(stats: DrainStats, at: Duration) -> NextStep {
    let within = pause_expected(stats.before.threads) + PAUSE_SLACK;
    let step = Draining::Pausing(AfterPause::Empty, at + within);
    (DrainState::Draining(step, stats.enter(Step::Pausing, at)), Some(Effect::Pause(within)))
}

/// What PAUSE takes with so many worker threads, at most.
pub fn pause_expected(threads: u32) -> Duration {
    PER_THREAD * threads
}

pub(super) fn shut_down(mut stats: DrainStats, ending: Ending, at: Duration) -> NextStep {
    stats.close(ending);
    (DrainState::Stopping(false, stats.enter(Step::ShuttingDown, at)), Some(Effect::Shutdown))
}

pub(super) fn stopped(mut stats: DrainStats, ending: Ending, at: Duration) -> NextStep {
    stats.close(ending);
    (DrainState::Stopped(stats.enter(Step::Over, at)), Some(Effect::End))
}
