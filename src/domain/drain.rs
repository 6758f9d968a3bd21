//! The shutdown, as a transition function: what happened and when, in; what to do next, out.
//!
//! ```text
//!             Begin                       no client left, or drain_timeout            gone
//!   Running ─────────►  Draining  ─────────────────────────────────────►  Stopping ─────────►  Stopped
//!      ▲       looking, marking, preparing,                               shutting down
//!      │       propagating, pausing, emptying
//!      └──────── undoing ◄── Cancel
//! ```
//!
//! Time is what the caller says it is: each step is told how long its clock has run. There is one effect under way at a time;
//! where a step returns none, the one that is under way goes on.

pub mod budget;
mod clients;
pub mod closing;
mod emptying;
mod listener;
mod report;
pub mod session;
mod state;
mod stats;
#[cfg(test)]
mod tests;
mod transitions;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use self::closing::Variables;
use self::session::{Protocol, Session};
use crate::domain::proxysql::observation::{Unreadable, number};

pub use self::emptying::TICK;
pub use self::listener::Listener;
pub use self::report::{Ending, Progress, Remaining, Seconds, Step};
pub use self::state::{DrainState, pause_expected};
pub use self::stats::DrainStats;

/// Sessions that one look names, at most, of each protocol.
pub const LISTED: usize = 20_000;
/// Sessions that are killed after one look, at most: each within milliseconds of having been seen idle.
pub const BATCH: usize = 100;

/// How far down the way this process is, as outsiders see it. It never goes back, but for a drain that is cancelled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
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

impl Phase {
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
    /// The bound of the whole shutdown, from its beginning.
    pub shutdown_timeout: Duration,
    /// How long a session must have been idle to be killed, where `ProxySQL` cannot be made to end it itself.
    pub evict_idle_after: Duration,
}

/// What is known of clients before the listener closes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// Logged-in clients.
    pub clients: u64,
    /// Whether there has ever been one.
    pub served: bool,
    /// Worker threads, `MySQL`'s and `PostgreSQL`'s: what PAUSE waits for.
    pub threads: u32,
    /// Worker threads of `MySQL`. Those with higher numbers are idle threads.
    pub workers: u32,
    /// Whether idle sessions are listed.
    pub lists_idle: bool,
}

/// How much a look at sessions takes in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The tables of `PostgreSQL` are there to be read.
    pub pgsql: bool,
    /// Sessions are looked into, which takes `mysql-show_processlist_extended`.
    pub detailed: bool,
    /// Who syncs from this node is looked for, too, where a table tells it (since 2.4).
    pub pulls: Option<Pulls>,
}

/// What a look needs to tell whether another node would take over variables that are set here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulls {
    /// How often nodes ask each other.
    pub check_interval: Duration,
    /// The comment of this node's row of `proxysql_servers`; `None` for a node that is not to be listed.
    pub listed_as: Option<String>,
}

/// One look at sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Logged-in sessions, the longest idle first, [`LISTED`] of each protocol at most.
    pub sessions: Vec<Session>,
    /// Logged-in clients by `ProxySQL`'s count. Sessions of users that were removed are not in it; one that just moves between threads
    /// is in no list.
    pub counted: u64,
    /// Whether every listener is paused; `None` where `ProxySQL` does not say, before 2.6.1.
    pub paused: Option<bool>,
    /// The variables that a drain may change, as they are at runtime.
    pub variables: Variables,
    /// Nodes that have synced from this one lately; `None` where that was not asked, or cannot be.
    pub syncs: Option<u64>,
    /// Rows of `proxysql_servers` that are this node's; `None` where that was not asked.
    pub listed: Option<u64>,
}

impl Sessions {
    /// Reads the rows of an answer to [`crate::domain::proxysql::statement::Statement::Sessions`].
    ///
    /// # Errors
    /// A value that is not of the type that its column has.
    pub fn read(rows: &[Vec<String>]) -> Result<Self, Unreadable> {
        let mut look = Self::default();
        for row in rows {
            let value = row.get(1).map_or("", String::as_str);
            let columns = row.get(1..).unwrap_or_default();
            match row.first().map_or("", String::as_str) {
                "clients" => look.counted += number::<u64>("a number of clients", value)?,
                "paused" => look.paused = Some(look.paused.unwrap_or(true) && value == "true"),
                "mysql" => look.sessions.extend(Session::read(Protocol::Mysql, columns)?),
                "pgsql" => look.sessions.extend(Session::read(Protocol::Pgsql, columns)?),
                "variable" => {
                    look.variables
                        .extend(closing::known(value).map(|name| (name, row.get(2).cloned().unwrap_or_default())));
                }
                "syncs" => look.syncs = Some(number("a number of nodes", value)?),
                "listed" => look.listed = Some(number("a number of rows", value)?),
                other => return Err(Unreadable::new("a row's kind", other)),
            }
        }
        Ok(look)
    }

    /// How many clients there are.
    pub fn clients(&self) -> u64 {
        self.counted.max(self.sessions.len() as u64)
    }

    /// Whether nobody would take over what is set here. What cannot be told counts as no.
    pub fn is_private(&self) -> bool {
        self.syncs == Some(0) && self.listed.unwrap_or_default() == 0
    }
}

/// What was there before the drain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// The variables that it may change.
    pub own: BTreeMap<&'static str, String>,
    /// The listener was paused already.
    pub paused: bool,
}

impl Marked {
    /// Reads the rows of an answer to [`crate::domain::proxysql::statement::Statement::OwnValues`].
    pub fn read(rows: &[Vec<String>]) -> Self {
        let mut marked = Self::default();
        for row in rows {
            let [name, value] = row.as_slice() else { continue };
            if name == closing::WAS_PAUSED {
                marked.paused = value == "true";
            } else {
                marked.own.extend(closing::known(name).map(|name| (name, value.clone())));
            }
        }
        marked
    }
}

/// Why an effect had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing listens at the admin port any more.
    Gone,
    /// It was never sent: no connection, no login.
    Unsent,
    /// It may have been carried out.
    Unanswered,
    /// `ProxySQL` answered with `ERR`.
    Refused,
    /// `ProxySQL` took RESUME, and does not let in all clients that come. Only a new process does.
    Deaf,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A shutdown is asked for.
    Begin {
        /// Whether `ProxySQL` has ever answered.
        reached: bool,
        /// What the last snapshot said, if there is one.
        known: Option<Before>,
    },
    /// Its end is asked for, now.
    ForceStop,
    /// It is to be undone.
    Cancel,
    /// What [`Effect::Wait`] waited for has come.
    Due,
    /// [`DrainState::over_at`] has come.
    Over,
    /// The answer to [`Effect::LookBefore`].
    Before(Before),
    /// The answer to [`Effect::Mark`].
    Marked(Marked),
    /// The answer to [`Effect::Sessions`].
    Looked(Sessions),
    /// PAUSE, SHUTDOWN, the setting of variables or a tick was answered.
    Answered,
    /// [`Effect::Kill`] was carried out on these, up to a failure if there was one.
    Killed(Vec<u64>, Option<Failure>),
    /// All is as before the drain, and was seen to be.
    Undone,
    /// The effect had no answer, or not the one that it was meant to have.
    Failed(Failure),
}

/// What to do next. What was under way before is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, until the caller's clock has run so long.
    Wait(Duration),
    /// Find out [`Before`], within this bound if there is one of its own.
    LookBefore(Option<Duration>),
    /// Remember in `ProxySQL` that a drain has begun, and what was there before.
    Mark,
    /// Set variables at runtime, and nothing else along with them.
    Set(Variables),
    /// `PROXYSQL PAUSE`, within this bound.
    Pause(Duration),
    /// Find out [`Sessions`], into sessions or not.
    Sessions {
        /// Into them.
        detailed: bool,
    },
    /// Have every worker thread do so many maintenance passes, one right after the other.
    Tick(u32),
    /// `KILL CONNECTION` for each.
    Kill(Vec<u64>),
    /// Put variables back, open the listener, and see that it is so. PAUSE may still be under way, so within this bound.
    Undo(Duration),
    /// `PROXYSQL SHUTDOWN`.
    Shutdown,
    /// Back to work: it was cancelled. The report of the drain that was, and whether all of it was undone.
    Back(Box<DrainStats>, bool),
    /// Nothing more: the end.
    End,
}
