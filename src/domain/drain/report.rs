//! What outsiders see of a shutdown: its steps, its end, and who went in which way.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::session::Activity;

/// Where in the shutdown, for people and machines to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Finding out who is connected.
    #[serde(rename = "checking_clients")]
    Looking,
    /// Waiting for endpoints to stop routing here.
    Propagating,
    /// Closing the listener.
    Pausing,
    /// Waiting for clients to finish, closing those that rest.
    #[serde(rename = "waiting_for_clients")]
    Emptying,
    /// Opening the listener again, with all that the drain has set put back.
    Resuming,
    /// Stopping `ProxySQL`.
    ShuttingDown,
    /// No more steps.
    #[serde(rename = "finished")]
    Over,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Looking,
        Self::Propagating,
        Self::Pausing,
        Self::Emptying,
        Self::Resuming,
        Self::ShuttingDown,
        Self::Over,
    ];

    /// The word that answers and logs have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Looking => "checking_clients",
            Self::Propagating => "propagating",
            Self::Pausing => "pausing",
            Self::Emptying => "waiting_for_clients",
            Self::Resuming => "resuming",
            Self::ShuttingDown => "shutting_down",
            Self::Over => "finished",
        }
    }
}

/// How a shutdown ended, or why `ProxySQL` is being stopped now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// No client was left.
    #[serde(rename = "completed")]
    Empty,
    /// Clients were left at `drain_timeout`, and terminated.
    DrainTimeout,
    /// Something hung until `shutdown_timeout`.
    ShutdownTimeout,
    /// It was asked for twice.
    #[serde(rename = "forced")]
    Hurried,
    /// `ProxySQL` was not there any more.
    #[serde(rename = "proxysql_exited")]
    Gone,
    /// `ProxySQL` had never answered.
    #[serde(rename = "never_connected")]
    NeverReached,
    /// It was undone.
    Cancelled,
}

impl Ending {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 7] = [
        Self::Empty,
        Self::DrainTimeout,
        Self::ShutdownTimeout,
        Self::Hurried,
        Self::Gone,
        Self::NeverReached,
        Self::Cancelled,
    ];

    /// The word that answers and logs have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "completed",
            Self::DrainTimeout => "drain_timeout",
            Self::ShutdownTimeout => "shutdown_timeout",
            Self::Hurried => "forced",
            Self::Gone => "proxysql_exited",
            Self::NeverReached => "never_connected",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A drain as the answers show it: under way, or its report. `clients` is always the sum of `remaining`, `evicted`, `finished` and
/// `terminated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The step that is under way.
    pub step: Step,
    /// How it ended; null while it is under way.
    pub ended: Option<Ending>,
    /// Logged-in clients at the start.
    pub clients: u64,
    /// Those who are still connected and waited for.
    pub remaining: u64,
    /// Those who rested between two statements, were told to go for that, and went.
    pub evicted: u64,
    /// Those who finished what they were doing, or went by themselves.
    pub finished: u64,
    /// Those who were still connected when `ProxySQL` was stopped.
    #[serde(rename = "terminated")]
    pub cut: u64,
    /// How many of those who are connected do what; the text of no statement.
    pub waiting_for: BTreeMap<&'static str, u64>,
    /// Some of those who are connected, those who have something to lose first.
    pub left: Vec<Remaining>,
    /// What the steps have taken so far.
    pub seconds: Seconds,
    /// What did not go as it should.
    pub notes: Vec<&'static str>,
}

/// A client that is still connected, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remaining {
    /// The user that it logged in as.
    pub user: String,
    /// Where it is connected from.
    pub client: String,
    /// What it is doing.
    pub why: Activity,
    /// For how long it has neither sent nor received anything.
    #[serde(serialize_with = "in_seconds")]
    pub idle_seconds: Duration,
}

/// Time by step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Seconds {
    /// Looking who is there, and waiting for endpoints to stop routing here.
    #[serde(serialize_with = "in_seconds")]
    pub propagation: Duration,
    /// `PROXYSQL PAUSE`, or RESUME.
    #[serde(serialize_with = "in_seconds")]
    pub pause: Duration,
    /// Clients finishing.
    #[serde(serialize_with = "in_seconds")]
    pub drain: Duration,
    /// `PROXYSQL SHUTDOWN`.
    #[serde(serialize_with = "in_seconds")]
    pub shutdown: Duration,
    /// All of it.
    #[serde(serialize_with = "in_seconds")]
    pub total: Duration,
}

impl Seconds {
    pub(super) fn add(&mut self, step: Step, time: Duration) {
        match step {
            Step::Looking | Step::Propagating => self.propagation += time,
            Step::Pausing | Step::Resuming => self.pause += time,
            Step::Emptying => self.drain += time,
            Step::ShuttingDown => self.shutdown += time,
            Step::Over => return,
        }
        self.total += time;
    }
}

/// To the millisecond.
fn in_seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let rounded = Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    serializer.serialize_f64(rounded.as_secs_f64())
}
