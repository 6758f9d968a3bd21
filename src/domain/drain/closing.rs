//! How `ProxySQL` itself is made to end the sessions of a node that drains: what its variables are to be at each moment.
//!
//! The thread that serves a session ends it in its maintenance pass where it has been idle for longer than `wait_timeout` and is not in
//! a transaction. Nothing is raced by that, other than by `KILL CONNECTION` from outside: what has not been read of the client is not
//! executed. The variables are those of this process alone, for the rest of its life, and nothing of them is saved.

use std::collections::BTreeMap;
use std::time::Duration;

use super::session::{Activity, DETAILED, Session};
use crate::domain::proxysql::module::Module;

/// Names and values of variables.
pub type Variables = BTreeMap<&'static str, String>;

/// What a session may have been idle for.
const WAIT_TIMEOUT: &str = "mysql-wait_timeout";
/// From when on an idle thread takes a session over, which this makes never.
const SESSION_IDLE: &str = "mysql-session_idle_ms";
/// How long a thread waits for something to happen.
const POLL_TIMEOUT: &str = "mysql-poll_timeout";
/// Whether sessions on idle threads are listed.
const LIST_IDLE: &str = "mysql-session_idle_show_processlist";
/// Whether the process list tells what is within each session.
const EXTENDED: &str = "mysql-show_processlist_extended";
/// What a statement waits for before it is sent to a backend.
const QUERY_DELAY: &str = "mysql-default_query_delay";
/// Whether this node takes over `mysql_variables` from others: meanwhile not.
const SYNC: &str = "admin-cluster_mysql_variables_diffs_before_sync";
/// What a session of `PostgreSQL` may have been idle for.
const PGSQL_WAIT_TIMEOUT: &str = "pgsql-wait_timeout";
/// As above, of its threads.
const PGSQL_POLL_TIMEOUT: &str = "pgsql-poll_timeout";

/// Beside the variables, in what a drain keeps of how it was before: whether the listener was paused.
pub const WAS_PAUSED: &str = "paused";

/// Every variable that a drain may change.
pub const NAMES: [&str; 9] = [
    WAIT_TIMEOUT,
    SESSION_IDLE,
    POLL_TIMEOUT,
    LIST_IDLE,
    EXTENDED,
    QUERY_DELAY,
    SYNC,
    PGSQL_WAIT_TIMEOUT,
    PGSQL_POLL_TIMEOUT,
];

/// The module that a variable is loaded with.
pub fn module(name: &str) -> Option<Module> {
    match name.split_once('-')?.0 {
        "admin" => Some(Module::AdminVariables),
        "mysql" => Some(Module::MysqlVariables),
        "pgsql" => Some(Module::PgsqlVariables),
        _ => None,
    }
}

/// The name as it is known here.
pub(super) fn known(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}

/// An hour, the most that it can be.
const NEVER: &str = "3600000";
/// The least that it can be, in ms.
const SHORT_POLL: &str = "10";
/// What `wait_timeout` is lowered to, one step after the other, in ms. First go those who are plainly idle, in the end whoever stands
/// between two statements.
const STEPS: [u64; 8] = [1_000, 300, 100, 30, 10, 3, 1, 0];
/// How long each step lasts: a maintenance pass of each worker is made to come every few milliseconds meanwhile.
const STEP: Duration = Duration::from_millis(250);
/// A window shorter than this many steps shortens them.
const SHARES: u32 = 32;
/// While a client is being sent a result that it reads slowly, its socket may stand still for this long.
const SLOW_READER: Duration = Duration::from_secs(10);
/// What is left of the window for those who never rest, at least, whoever else is there.
const TAIL: Duration = Duration::from_secs(4);

/// The time that clients get, from when the listener is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
}

impl Span {
    /// When something that ends with its session is not waited for any more, and half of the time is over.
    fn half(&self) -> Duration {
        self.from + self.until.saturating_sub(self.from) / 2
    }

    /// When nobody who is between two statements is waited for any more.
    fn tail(&self) -> Duration {
        self.until.saturating_sub(TAIL.min(self.until.saturating_sub(self.from) / 4)).max(self.from)
    }

    /// How long each step lasts.
    fn step(&self) -> Duration {
        STEP.min(self.until.saturating_sub(self.from) / SHARES)
    }
}

/// How far sessions are being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// What a session may have been idle for, in ms; `None` while that is what it was before the drain.
    pub wait_timeout: Option<u64>,
    /// Whether sessions are looked into.
    pub detailed: bool,
    /// Whether sessions are ended that are on idle threads.
    pub from_idle_threads: bool,
}

impl Closing {
    /// Nothing is closed yet, but what it takes is prepared: sessions do not go to idle threads any more, and those that are there come
    /// back as they speak. A session that ends on an idle thread is handed to a worker first, which may execute what has come meanwhile.
    pub const PREPARED: Self = Self { wait_timeout: None, detailed: false, from_idle_threads: false };

    /// What to do at `at` about these sessions; closing began, or would begin, at `since`.
    pub fn at(at: Duration, since: Duration, span: &Span, sessions: &[Session], workers: u32) -> Self {
        let any = |activity| sessions.iter().any(|session| session.activity == activity);
        let step = usize::try_from(at.saturating_sub(since).as_nanos() / span.step().as_nanos().max(1));
        let lowest = STEPS[step.unwrap_or(usize::MAX).min(STEPS.len() - 1)];
        let wait_timeout = match () {
            () if at >= span.tail() => Some(lowest),
            () if any(Activity::SessionState) && at < span.half() => None,
            () if any(Activity::SlowReader) => Some(lowest.max(ms(SLOW_READER))),
            () => Some(lowest),
        };
        let on_idle_threads = sessions.iter().any(|session| session.thread >= workers);
        Self {
            wait_timeout,
            detailed: sessions.len() as u64 <= DETAILED,
            from_idle_threads: on_idle_threads && wait_timeout.is_some(),
        }
    }

    /// Whether a session that rests is waited for, so that the steps begin anew when it is not any more.
    pub fn holds(&self) -> bool {
        self.wait_timeout.is_none_or(|wait| wait >= ms(SLOW_READER))
    }

    /// Whether sessions are to be caught that rest for less than a millisecond.
    pub fn is_last_step(&self) -> bool {
        self.wait_timeout == Some(0)
    }

    /// What the variables are to be, where `own` are those of before the drain. One that this release lacks is not among them.
    pub fn variables(&self, own: &BTreeMap<&'static str, String>) -> Variables {
        let number = |name: &str| own.get(name).and_then(|value| value.parse::<u64>().ok());
        let wait = |name: &'static str| {
            let least = self.wait_timeout.map(|wait| number(name).map_or(wait, |own| own.min(wait)));
            least.map(|wait| (name, wait.to_string()))
        };
        // What a worker reads of a session that it has to end, it does not send on before this time has passed: never.
        let delay = self.from_idle_threads && number(QUERY_DELAY) == Some(0);
        let set = [
            wait(WAIT_TIMEOUT),
            // Without a wait nothing is between two statements; and without a tick, nothing is gained by less than its second.
            wait(PGSQL_WAIT_TIMEOUT).map(|(name, _)| (name, self.wait_timeout.unwrap_or_default().max(1).to_string())),
            Some((SESSION_IDLE, NEVER.to_owned())),
            Some((POLL_TIMEOUT, SHORT_POLL.to_owned())),
            Some((PGSQL_POLL_TIMEOUT, "100".to_owned())),
            Some((LIST_IDLE, "true".to_owned())),
            Some((SYNC, "0".to_owned())),
            (self.detailed && number(EXTENDED) == Some(0)).then(|| (EXTENDED, "1".to_owned())),
            delay.then(|| (QUERY_DELAY, "1".to_owned())),
        ];
        let mut variables: Variables = own.clone();
        variables.extend(set.into_iter().flatten().filter(|(name, _)| own.contains_key(name)));
        variables
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
