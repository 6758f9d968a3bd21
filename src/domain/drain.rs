//! The way down, as a transition function: what happened and when, in; what to do next, out.
//!
//! ```text
//!             Begin                      no client left, or drain_timeout            gone
//!   Running ─────────►  Draining  ────────────────────────────────────►  Stopping ─────────►  Stopped
//!      ▲       looking, propagating,                                     shutting down
//!      │       pausing, emptying
//!      └──────── resuming ◄── Cancel
//! ```
//!
//! Time is what the caller says it is: each step is told how long its clock has run. There is one effect under way at a time;
//! where a step returns none, the one that is under way goes on.

mod account;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Serialize;

use super::observation::{Unreadable, number};

pub use self::account::{Account, Ending, Progress, Seconds, Step};

/// Between two looks at who is still connected.
pub const TICK: Duration = Duration::from_millis(200);
/// The least share of the evictions of one tick, where so many are idle.
const LEAST_SHARE: u64 = 10;
/// Sessions that one look names and one batch evicts, at most: a session is evicted within milliseconds of having been seen idle.
pub const BATCH: usize = 100;
/// Until what could not be asked is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// What `PROXYSQL PAUSE` takes for each worker thread, and RESUME where it waits for a PAUSE.
const PER_THREAD: Duration = Duration::from_secs(1);
/// What the deadline of PAUSE has beyond that: on 3.x, six threads were seen to take six seconds.
const PAUSE_SLACK: Duration = Duration::from_secs(5);
/// What is left of `shutdown_timeout` for `PROXYSQL SHUTDOWN` when clients get no more time.
const LAST: Duration = Duration::from_secs(1);
/// The bound of everything once it was asked for twice.
const HURRY: Duration = Duration::from_secs(1);
/// What a `ProxySQL` gets for one answer that has never given any.
const FIRST_CONTACT: Duration = Duration::from_secs(1);

/// How far down the way this process is, as outsiders see it. It never goes back, but for a drain that is cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Serving.
    #[default]
    Running,
    /// Clients are going.
    Draining,
    /// `ProxySQL` is being stopped.
    Stopping,
    /// Over.
    Stopped,
}

impl Stage {
    /// The word that answers and logs have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// The bounds, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long endpoints get to stop routing here.
    pub propagation_delay: Duration,
    /// How long clients get to finish, from when the listener is paused.
    pub drain_timeout: Duration,
    /// The bound of the whole way, from its beginning.
    pub shutdown_timeout: Duration,
}

/// What is known of clients before the listener closes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// Logged-in clients.
    pub clients: u64,
    /// Whether there has ever been one.
    pub served: bool,
    /// Worker threads.
    pub threads: u32,
    /// Whether idle sessions are listed.
    pub lists_idle: bool,
}

/// One look at clients after the listener was closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Logged-in clients.
    pub clients: u64,
    /// Whether every listener is paused; `None` where `ProxySQL` does not say, before 2.6.1.
    pub paused: Option<bool>,
    /// Sessions that may be evicted.
    pub idle: u64,
    /// Some of them, the longest idle first, [`BATCH`] at most.
    pub sessions: Vec<u64>,
}

impl Look {
    /// Reads the rows of an answer to [`super::statement::Statement::Clients`].
    ///
    /// # Errors
    /// A value that is not of the type that its column has.
    pub fn read(rows: &[Vec<String>]) -> Result<Self, Unreadable> {
        let mut look = Self::default();
        for row in rows {
            let value = row.get(1).map_or("", String::as_str);
            match row.first().map_or("", String::as_str) {
                "clients" => look.clients += number::<u64>("a number of clients", value)?,
                "paused" => look.paused = Some(look.paused.unwrap_or(true) && value == "true"),
                "idle" => look.idle = number("a number of idle sessions", value)?,
                "session" => look.sessions.push(number("a session", value)?),
                other => return Err(Unreadable::new("a row's kind", other)),
            }
        }
        Ok(look)
    }
}

/// Why an effect had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens at the admin port any more.
    Gone,
    /// It was never sent: no connection, no login.
    Unsent,
    /// It may have been carried out; nobody knows.
    Unanswered,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody asks for the way down.
    Begin {
        /// Whether `ProxySQL` has ever answered.
        reached: bool,
        /// What the last snapshot said, if there is one.
        known: Option<Before>,
    },
    /// Somebody asks for its end, now.
    Hurry,
    /// Somebody wants it undone.
    Cancel,
    /// What [`Effect::Wait`] waited for has come.
    Due,
    /// [`Phase::over_at`] has come.
    Over,
    /// The answer to [`Effect::LookBefore`].
    Before(Before),
    /// The answer to [`Effect::Look`].
    Looked(Look),
    /// PAUSE, RESUME or SHUTDOWN was answered, with `OK` or with `ERR`.
    Answered,
    /// [`Effect::Evict`] was carried out on so many sessions, up to a failure if there was one.
    Evicted(u64, Option<Failure>),
    /// The effect had no answer.
    Failed(Failure),
}

/// What to do next. What was under way before is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, until the caller's clock has run so long.
    Wait(Duration),
    /// Find out [`Before`], within this bound if there is one of its own.
    LookBefore(Option<Duration>),
    /// `PROXYSQL PAUSE`, within this bound.
    Pause(Duration),
    /// Find out [`Look`].
    Look,
    /// `KILL CONNECTION` for each.
    Evict(Vec<u64>),
    /// `PROXYSQL RESUME`, within this bound.
    Resume(Duration),
    /// `PROXYSQL SHUTDOWN`.
    Shutdown,
    /// Back to work: it was cancelled. The books of the drain that was.
    Back(Account),
    /// Nothing more: the end.
    End,
}

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
    Emptying {
        /// When they get no more time.
        until: Duration,
        /// By when the sessions that are idle now should be evicted.
        evicted_by: Duration,
        /// When the next share of evictions is due.
        next_share: Duration,
        /// What is left of this share.
        share: u64,
    },
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
    pub fn step(self, input: Input, at: Duration, limits: &Limits) -> (Self, Option<Effect>) {
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
            (Self::Draining(step, account), input) => draining(step, account, input, at, limits),
            (Self::Stopping(sent, account), input) => stopping(sent, account, input, at),
        }
    }
}

fn begin(reached: bool, known: Option<Before>, at: Duration, limits: &Limits) -> (Phase, Option<Effect>) {
    let account = Account::open(at, limits, reached, known);
    let within = (!reached).then_some(FIRST_CONTACT);
    (Phase::Draining(Draining::Looking, account), Some(Effect::LookBefore(within)))
}

fn draining(
    step: Draining,
    mut account: Account,
    input: Input,
    at: Duration,
    limits: &Limits,
) -> (Phase, Option<Effect>) {
    use Draining::{Emptying, Looking, Pausing, Propagating, Resuming};
    let stay = |step, account| (Phase::Draining(step, account), None);
    match (step, input) {
        // What ends it early.
        (Resuming(_), Input::Begin { .. } | Input::Hurry) => stay(Resuming(true), account),
        (Pausing(AfterPause::Cancel), Input::Begin { .. }) => stay(Pausing(AfterPause::Empty), account),
        (step, Input::Begin { .. }) => stay(step, account),
        (Resuming(_), Input::Cancel) => stay(Resuming(false), account),
        (Looking | Propagating, Input::Cancel) => back(account, at),
        (Pausing(after), Input::Cancel) => {
            stay(Pausing(if after == AfterPause::Hurry { after } else { AfterPause::Cancel }), account)
        }
        (Emptying { .. }, Input::Cancel) => resume(account, at),
        (Pausing(_), Input::Hurry) => stay(Pausing(AfterPause::Hurry), account.hurry(at)),
        (Looking | Propagating | Emptying { .. }, Input::Hurry) => shut_down(account.hurry(at), Ending::Hurried, at),
        (Resuming(again), Input::Failed(Failure::Gone)) => resumed(again, account, at, limits),
        (_, Input::Failed(Failure::Gone) | Input::Evicted(_, Some(Failure::Gone))) => {
            stopped(account, Ending::Gone, at)
        }

        (Looking, Input::Before(before)) => {
            account.learn(before);
            propagate(account, at, limits)
        }
        // It has never answered, and does not now: there is nothing that this agent could drain.
        (Looking, Input::Failed(_)) if !account.reached => stopped(account, Ending::NeverReached, at),
        (Looking, Input::Failed(_)) => propagate(account, at, limits),
        (Propagating, Input::Due) => pause(account, at),

        (Pausing(after), Input::Answered) => paused(after, account, at, limits),
        (Pausing(after), Input::Failed(Failure::Unanswered)) => {
            paused(after, account.note("PAUSE was not answered"), at, limits)
        }
        (Pausing(AfterPause::Cancel), Input::Failed(Failure::Unsent)) => back(account, at),
        (Pausing(AfterPause::Hurry), Input::Failed(Failure::Unsent)) => shut_down(account, Ending::Hurried, at),
        (Pausing(AfterPause::Empty), Input::Failed(Failure::Unsent)) => wait(step, account, at + RETRY),
        (Pausing(AfterPause::Cancel), Input::Due) => back(account, at),
        (Pausing(AfterPause::Hurry), Input::Due) => shut_down(account, Ending::Hurried, at),
        (Pausing(AfterPause::Empty), Input::Due) => pause(account, at),

        (Emptying { until, .. }, Input::Looked(look)) => {
            account.look(&look);
            if look.clients == 0 {
                shut_down(account, Ending::Empty, at)
            } else if at >= until {
                shut_down(account, Ending::DrainTimeout, at)
            } else {
                evict(step, account, &look, at)
            }
        }
        (Emptying { .. }, Input::Evicted(many, failure)) => {
            account.evicted += many;
            if failure.is_some() {
                account.forget_batches();
            }
            match failure {
                None => (Phase::Draining(step, account), Some(Effect::Look)),
                Some(_) => wait(step, account, at + RETRY),
            }
        }
        (Emptying { .. }, Input::Due) => (Phase::Draining(step, account), Some(Effect::Look)),
        (Emptying { until, .. }, Input::Failed(_)) if at >= until => shut_down(account, Ending::DrainTimeout, at),
        (Emptying { .. }, Input::Failed(_)) => wait(step, account, at + RETRY),

        (Resuming(again), Input::Answered) => resumed(again, account, at, limits),
        (Resuming(_), Input::Failed(_)) => wait(step, account, at + RETRY),
        (Resuming(_), Input::Due) => resume_again(step, account),
        (step, _) => stay(step, account),
    }
}

fn wait(step: Draining, account: Account, until: Duration) -> (Phase, Option<Effect>) {
    (Phase::Draining(step, account), Some(Effect::Wait(until)))
}

fn propagate(account: Account, at: Duration, limits: &Limits) -> (Phase, Option<Effect>) {
    if !account.served || limits.propagation_delay.is_zero() {
        return pause(account, at);
    }
    wait(Draining::Propagating, account.enter(Step::Propagating, at), at + limits.propagation_delay)
}

fn pause(account: Account, at: Duration) -> (Phase, Option<Effect>) {
    let within = pause_takes(account.threads);
    let step = Draining::Pausing(AfterPause::Empty);
    (Phase::Draining(step, account.enter(Step::Pausing, at)), Some(Effect::Pause(within)))
}

/// The deadline of PAUSE.
fn pause_takes(threads: u32) -> Duration {
    PER_THREAD * threads + PAUSE_SLACK
}

/// What PAUSE is expected to take, for the sum of a grace period.
pub fn pause_expected(threads: u32) -> Duration {
    PER_THREAD * threads
}

fn paused(after: AfterPause, account: Account, at: Duration, limits: &Limits) -> (Phase, Option<Effect>) {
    match after {
        AfterPause::Cancel => resume(account, at),
        AfterPause::Hurry => shut_down(account, Ending::Hurried, at),
        AfterPause::Empty => {
            let until = (at + limits.drain_timeout).min(account.over_at.saturating_sub(LAST)).max(at);
            let evicted_by = at + (until - at) / 2;
            let step = Draining::Emptying { until, evicted_by, next_share: at, share: 0 };
            (Phase::Draining(step, account.enter(Step::Emptying, at)), Some(Effect::Look))
        }
    }
}

/// Evicts in shares, one a tick: ten at least, and no more than it takes to be through by half of the window. Thousands of
/// clients that come back elsewhere do so one after the other.
fn evict(step: Draining, mut account: Account, look: &Look, at: Duration) -> (Phase, Option<Effect>) {
    let Draining::Emptying { until, evicted_by, mut next_share, mut share } = step else {
        return (Phase::Draining(step, account), None);
    };
    if at >= next_share {
        let ticks = evicted_by.saturating_sub(at).as_millis().div_ceil(TICK.as_millis()).max(1);
        let even = look.idle.div_ceil(u64::try_from(ticks).unwrap_or(u64::MAX));
        share = even.max(LEAST_SHARE);
        next_share = at + TICK;
    }
    let batch = account.batch(&look.sessions, share);
    share -= batch.len() as u64;
    let step = Draining::Emptying { until, evicted_by, next_share, share };
    if batch.is_empty() {
        return wait(step, account, next_share.min(until));
    }
    (Phase::Draining(step, account), Some(Effect::Evict(batch)))
}

fn resume(account: Account, at: Duration) -> (Phase, Option<Effect>) {
    let account = account.enter(Step::Resuming, at);
    resume_again(Draining::Resuming(false), account)
}

fn resume_again(step: Draining, account: Account) -> (Phase, Option<Effect>) {
    let within = pause_takes(account.threads);
    (Phase::Draining(step, account), Some(Effect::Resume(within)))
}

fn resumed(again: bool, account: Account, at: Duration, limits: &Limits) -> (Phase, Option<Effect>) {
    if !again {
        return back(account, at);
    }
    let known = Before {
        clients: account.clients,
        served: account.served,
        threads: account.threads,
        lists_idle: account.lists_idle,
    };
    begin(true, Some(known), at, limits)
}

/// Back to work.
fn back(mut account: Account, at: Duration) -> (Phase, Option<Effect>) {
    account.close(Ending::Cancelled);
    (Phase::Running, Some(Effect::Back(account.enter(Step::Over, at))))
}

fn shut_down(mut account: Account, ending: Ending, at: Duration) -> (Phase, Option<Effect>) {
    account.close(ending);
    (Phase::Stopping(false, account.enter(Step::ShuttingDown, at)), Some(Effect::Shutdown))
}

fn stopping(sent: bool, account: Account, input: Input, at: Duration) -> (Phase, Option<Effect>) {
    match input {
        Input::Answered | Input::Failed(Failure::Gone) => {
            let ending = account.ending.unwrap_or(Ending::Gone);
            stopped(account, ending, at)
        }
        Input::Failed(Failure::Unsent) => (Phase::Stopping(sent, account), Some(Effect::Wait(at + RETRY))),
        // It may have been carried out: nothing is asked for twice, but whether it is gone.
        Input::Failed(Failure::Unanswered) => (Phase::Stopping(true, account), Some(Effect::Wait(at + RETRY))),
        Input::Looked(_) => (Phase::Stopping(sent, account), Some(Effect::Wait(at + RETRY))),
        Input::Due => (Phase::Stopping(sent, account), Some(if sent { Effect::Look } else { Effect::Shutdown })),
        Input::Hurry => (Phase::Stopping(sent, account.hurry(at)), None),
        _ => (Phase::Stopping(sent, account), None),
    }
}

fn stopped(mut account: Account, ending: Ending, at: Duration) -> (Phase, Option<Effect>) {
    account.close(ending);
    (Phase::Stopped(account.enter(Step::Over, at)), Some(Effect::End))
}
