//! The transitions.

use std::time::Duration;

use super::account::{Account, Ending, Step};
use super::{Before, Effect, Failure, Input, Limits, Look, Stage};

/// Between two looks at who is still connected.
pub const TICK: Duration = Duration::from_millis(200);
/// The least share of the evictions of one tick, where so many are idle.
const LEAST_SHARE: u64 = 10;
/// Until what could not be asked is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// What `PROXYSQL PAUSE` takes for each worker thread, and RESUME where it waits for a PAUSE.
const PER_THREAD: Duration = Duration::from_secs(1);
/// What the deadline of PAUSE has beyond that: on 3.x, six threads were seen to take six seconds.
const PAUSE_SLACK: Duration = Duration::from_secs(5);
/// What is left of `shutdown_timeout` for `PROXYSQL SHUTDOWN` when clients get no more time.
const LAST: Duration = Duration::from_secs(1);
/// What a `ProxySQL` gets for one answer that has never given any.
pub(super) const FIRST_CONTACT: Duration = Duration::from_secs(1);

/// Where on the way down this process is, with everything it has to remember there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Phase {
    /// Serving.
    #[default]
    Running,
    /// Clients are going.
    Draining(Draining, Account),
    /// `ProxySQL` is being stopped. Whether it may have been told already.
    Stopping(bool, Account),
    /// Over.
    Stopped(Account),
}

/// The steps within [`Phase::Draining`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draining {
    /// Who is connected?
    Looking,
    /// Endpoints stop routing here.
    Propagating,
    /// The listener closes. What to do once it has.
    Pausing(AfterPause),
    /// Clients finish, or are evicted.
    Emptying(Window),
    /// It was cancelled. Whether the way down is to begin anew after that.
    Resuming(bool),
}

/// What follows a PAUSE, which nothing can take back while it is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterPause {
    /// The window for clients.
    Empty,
    /// RESUME.
    Cancel,
    /// SHUTDOWN.
    Hurry,
}

/// The time that clients get, and how evictions are spread over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When they get no more.
    until: Duration,
    /// By when the sessions that are idle now should be evicted.
    evicted_by: Duration,
    /// When the next share of evictions is due.
    next_share: Duration,
    /// What is left of this share.
    pub(super) share: u64,
}

type Next = (Phase, Option<Effect>);

impl Phase {
    /// The phase without what it remembers.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Running => Stage::Running,
            Self::Draining(..) => Stage::Draining,
            Self::Stopping(..) => Stage::Stopping,
            Self::Stopped(_) => Stage::Stopped,
        }
    }

    /// The books of the way down.
    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Running => None,
            Self::Draining(_, account) | Self::Stopping(_, account) | Self::Stopped(account) => Some(account),
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
    pub fn step(self, input: Input, at: Duration, limits: &Limits) -> Next {
        match (self, input) {
            (Self::Running, Input::Begin { reached, known }) => begin(reached, known, at, limits),
            (phase @ (Self::Running | Self::Stopped(_)), _) => (phase, None),
            (Self::Draining(Draining::Resuming(_), account), Input::Over) => {
                // Nothing more can be done: readiness says that the listener is paused.
                back(account.note("RESUME was not answered"), at)
            }
            (Self::Draining(_, account) | Self::Stopping(_, account), Input::Over) => {
                let ending = if account.hurried { Ending::Hurried } else { Ending::ShutdownTimeout };
                stopped(account, ending, at)
            }
            (Self::Draining(step, account), input @ (Input::Begin { .. } | Input::Cancel | Input::Hurry)) => {
                asked(step, account, &input, at)
            }
            (Self::Draining(step, account), input) => match step {
                Draining::Looking => looking(account, &input, at, limits),
                Draining::Propagating if input == Input::Due => pause(account, at),
                Draining::Propagating => (Self::Draining(step, account), None),
                Draining::Pausing(after) => pausing(after, account, &input, at, limits),
                Draining::Emptying(window) => emptying(window, account, input, at),
                Draining::Resuming(again) => resuming(again, account, &input, at, limits),
            },
            (Self::Stopping(sent, account), input) => stopping(sent, account, &input, at),
        }
    }
}

fn begin(reached: bool, known: Option<Before>, at: Duration, limits: &Limits) -> Next {
    let account = Account::open(at, limits, reached, known);
    let within = (!reached).then_some(FIRST_CONTACT);
    (Phase::Draining(Draining::Looking, account), Some(Effect::LookBefore(within)))
}

/// Somebody asks for something while clients are going.
fn asked(step: Draining, account: Account, input: &Input, at: Duration) -> Next {
    use Draining::{Emptying, Looking, Pausing, Propagating, Resuming};
    let stay = |step, account| (Phase::Draining(step, account), None);
    match (step, input) {
        (Looking | Propagating, Input::Cancel) => back(account, at),
        (Emptying(_), Input::Cancel) => resume(false, account.enter(Step::Resuming, at)),
        (Looking | Propagating | Emptying(_), Input::Hurry) => shut_down(account.hurry(at), Ending::Hurried, at),
        (Pausing(_), Input::Hurry) => stay(Pausing(AfterPause::Hurry), account.hurry(at)),
        (Pausing(AfterPause::Empty), Input::Cancel) => stay(Pausing(AfterPause::Cancel), account),
        // Who cancelled it is overruled, or comes too late.
        (Pausing(AfterPause::Cancel), Input::Begin { .. }) => stay(Pausing(AfterPause::Empty), account),
        (Resuming(_), input) => stay(Resuming(*input != Input::Cancel), account),
        (step, _) => stay(step, account),
    }
}

fn looking(mut account: Account, input: &Input, at: Duration, limits: &Limits) -> Next {
    match input {
        Input::Before(before) => account.learn(*before),
        Input::Failed(Failure::Gone) => return stopped(account, Ending::Gone, at),
        // It has never answered, and does not now: there is nothing that this agent could drain.
        Input::Failed(_) if !account.reached => return stopped(account, Ending::NeverReached, at),
        Input::Failed(_) => {}
        _ => return (Phase::Draining(Draining::Looking, account), None),
    }
    if !account.before.served || limits.propagation_delay.is_zero() {
        return pause(account, at);
    }
    wait(Draining::Propagating, account.enter(Step::Propagating, at), at + limits.propagation_delay)
}

fn wait(step: Draining, account: Account, until: Duration) -> Next {
    (Phase::Draining(step, account), Some(Effect::Wait(until)))
}

fn pause(account: Account, at: Duration) -> Next {
    let within = pause_expected(account.before.threads) + PAUSE_SLACK;
    let step = Draining::Pausing(AfterPause::Empty);
    (Phase::Draining(step, account.enter(Step::Pausing, at)), Some(Effect::Pause(within)))
}

/// What PAUSE takes with so many worker threads.
pub fn pause_expected(threads: u32) -> Duration {
    PER_THREAD * threads
}

fn pausing(after: AfterPause, account: Account, input: &Input, at: Duration, limits: &Limits) -> Next {
    let account = match input {
        Input::Failed(Failure::Gone) => return stopped(account, Ending::Gone, at),
        // Not sent, so it can be sent still; and nothing has to be undone.
        Input::Failed(Failure::Unsent) | Input::Due => {
            return match (after, input) {
                (AfterPause::Cancel, _) => back(account, at),
                (AfterPause::Hurry, _) => shut_down(account, Ending::Hurried, at),
                (AfterPause::Empty, Input::Due) => pause(account, at),
                (AfterPause::Empty, _) => wait(Draining::Pausing(after), account, at + RETRY),
            };
        }
        Input::Failed(Failure::Unanswered) => account.note("PAUSE was not answered"),
        Input::Answered => account,
        _ => return (Phase::Draining(Draining::Pausing(after), account), None),
    };
    match after {
        AfterPause::Cancel => resume(false, account.enter(Step::Resuming, at)),
        AfterPause::Hurry => shut_down(account, Ending::Hurried, at),
        AfterPause::Empty => {
            let until = (at + limits.drain_timeout).min(account.over_at.saturating_sub(LAST)).max(at);
            let evicted_by = at + until.saturating_sub(at) / 2;
            let window = Window { until, evicted_by, next_share: at, share: 0 };
            (Phase::Draining(Draining::Emptying(window), account.enter(Step::Emptying, at)), Some(Effect::Look))
        }
    }
}

fn emptying(window: Window, mut account: Account, input: Input, at: Duration) -> Next {
    let step = Draining::Emptying(window);
    match input {
        Input::Failed(Failure::Gone) => stopped(account, Ending::Gone, at),
        Input::Failed(_) if at >= window.until => shut_down(account, Ending::DrainTimeout, at),
        Input::Failed(_) => wait(step, account, at + RETRY),
        Input::Due => (Phase::Draining(step, account), Some(Effect::Look)),
        Input::Looked(look) => {
            account.look(&look);
            if account.remaining == 0 {
                shut_down(account, Ending::Empty, at)
            } else if at >= window.until {
                shut_down(account, Ending::DrainTimeout, at)
            } else {
                evict(window, account, &look, at)
            }
        }
        Input::Evicted(many, failure) => {
            account.evicted += many;
            match failure {
                None => (Phase::Draining(step, account), Some(Effect::Look)),
                Some(failure) => {
                    account.forget_batches();
                    emptying(window, account, Input::Failed(failure), at)
                }
            }
        }
        _ => (Phase::Draining(step, account), None),
    }
}

/// Evicts in shares, one a tick: ten at least, and no more than it takes to be through by half of the window. Thousands of
/// clients that come back elsewhere do so one after the other.
fn evict(mut window: Window, mut account: Account, look: &Look, at: Duration) -> Next {
    if at >= window.next_share {
        let ticks = window.evicted_by.saturating_sub(at).as_millis().div_ceil(TICK.as_millis()).max(1);
        let even = account.untold(&look.sessions).count().div_ceil(usize::try_from(ticks).unwrap_or(usize::MAX)) as u64;
        window.share = even.max(LEAST_SHARE);
        window.next_share = at + TICK;
    }
    let batch = account.batch(&look.sessions, window.share);
    window.share -= batch.len() as u64;
    let step = Draining::Emptying(window);
    if batch.is_empty() {
        return wait(step, account, window.next_share.min(window.until));
    }
    (Phase::Draining(step, account), Some(Effect::Evict(batch)))
}

fn resume(again: bool, account: Account) -> Next {
    let within = pause_expected(account.before.threads) + PAUSE_SLACK;
    (Phase::Draining(Draining::Resuming(again), account), Some(Effect::Resume(within)))
}

fn resuming(again: bool, account: Account, input: &Input, at: Duration, limits: &Limits) -> Next {
    match input {
        Input::Answered | Input::Failed(Failure::Gone) if again => begin(true, Some(account.before), at, limits),
        Input::Answered | Input::Failed(Failure::Gone) => back(account, at),
        Input::Failed(_) => wait(Draining::Resuming(again), account, at + RETRY),
        Input::Due => resume(again, account),
        _ => (Phase::Draining(Draining::Resuming(again), account), None),
    }
}

/// Back to work.
fn back(mut account: Account, at: Duration) -> Next {
    account.close(Ending::Cancelled);
    (Phase::Running, Some(Effect::Back(account.enter(Step::Over, at))))
}

fn shut_down(mut account: Account, ending: Ending, at: Duration) -> Next {
    account.close(ending);
    (Phase::Stopping(false, account.enter(Step::ShuttingDown, at)), Some(Effect::Shutdown))
}

fn stopping(sent: bool, account: Account, input: &Input, at: Duration) -> Next {
    match input {
        Input::Answered | Input::Failed(Failure::Gone) => {
            let ending = account.ending.unwrap_or(Ending::Gone);
            stopped(account, ending, at)
        }
        Input::Failed(failure) => {
            // It may have been carried out: nothing is asked for twice, but whether it is gone.
            let sent = sent || *failure == Failure::Unanswered;
            (Phase::Stopping(sent, account), Some(Effect::Wait(at + RETRY)))
        }
        Input::Looked(_) => (Phase::Stopping(sent, account), Some(Effect::Wait(at + RETRY))),
        Input::Due => (Phase::Stopping(sent, account), Some(if sent { Effect::Look } else { Effect::Shutdown })),
        Input::Hurry => (Phase::Stopping(sent, account.hurry(at)), None),
        _ => (Phase::Stopping(sent, account), None),
    }
}

fn stopped(mut account: Account, ending: Ending, at: Duration) -> Next {
    account.close(ending);
    (Phase::Stopped(account.enter(Step::Over, at)), Some(Effect::End))
}
