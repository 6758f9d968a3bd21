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
mod phase;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Serialize;

use super::observation::{Unreadable, number};

pub use self::account::{Account, Ending, Progress, Seconds, Step};
pub use self::phase::{Phase, TICK, pause_expected};

/// Sessions that one look names, at most.
pub const LISTED: usize = 20_000;
/// Sessions that are evicted after one look, at most: each within milliseconds of having been seen idle.
pub const BATCH: usize = 100;

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
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Running, Self::Draining, Self::Stopping, Self::Stopped];

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
    /// Sessions that may be evicted, the longest idle first, [`LISTED`] at most. One that was told to go stays among them until
    /// `ProxySQL` gets round to it, which with idle threads takes seconds.
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
