//! A client's session, as a look at the process list shows it, and why it is still there.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::domain::proxysql::observation::{Unreadable, number};

/// Sessions of one look of which user, address and inner state are asked for. The text that `ProxySQL` makes of each for that is
/// made under the lock of the thread that serves it.
pub const DETAILED: u64 = 1_000;

/// Marks of a backend connection that belong to its session: user variables, locked and temporary tables, `GET_LOCK`, multiplexing
/// switched off, `sql_log_bin`, savepoints. The bits of `status_flags` (`STATUS_MYSQL_CONNECTION_…` in `ProxySQL`'s sources).
const SESSION_STATE: u64 = 0x4 | 0x10 | 0x20 | 0x40 | 0x80 | 0x100 | 0x800;
/// `SERVER_STATUS_IN_TRANS` of the protocol.
const IN_TRANSACTION: u64 = 0x1;

/// Whose process list a session is on: the numbers of the two are not told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `stats_mysql_processlist`.
    Mysql,
    /// `stats_pgsql_processlist`, since 3.0.
    Pgsql,
}

/// What a session is doing, and so what it can lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Between two statements, and nothing depends on this connection.
    Idle,
    /// A statement runs.
    Running,
    /// Between two statements of a transaction.
    InTransaction,
    /// Between two statements, with something that ends with the connection: a user variable, a lock, a temporary table.
    SessionState,
    /// Its last statement failed. `ProxySQL` takes it for being in a transaction until one succeeds.
    FailedStatement,
    /// It is still being sent the result of its last statement.
    SlowReader,
    /// `ProxySQL` passes bytes through and does not know.
    FastForward,
}

impl Activity {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 7] = [
        Self::Idle,
        Self::Running,
        Self::InTransaction,
        Self::SessionState,
        Self::FailedStatement,
        Self::SlowReader,
        Self::FastForward,
    ];

    /// The word that answers, logs and metrics have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::InTransaction => "in_transaction",
            Self::SessionState => "session_state",
            Self::FailedStatement => "failed_statement",
            Self::SlowReader => "slow_reader",
            Self::FastForward => "fast_forward",
        }
    }
}

/// One logged-in session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Which process list it is on.
    pub protocol: Protocol,
    /// Its number there.
    pub id: u64,
    /// What it is doing.
    pub activity: Activity,
    /// How long it has neither sent nor received anything.
    pub idle: Duration,
    /// The number of the thread that has it. Those beyond the worker threads are idle threads.
    pub thread: u32,
    /// Who and from where; empty where it was not asked.
    pub client: Client,
    /// Bytes sent to the client, and packets received from it; `None` where that was not asked.
    pub traffic: Option<(u64, u64)>,
}

/// Who a session belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Client {
    /// The user that it logged in as.
    pub user: String,
    /// Address and port that it came from.
    pub address: String,
}

impl Session {
    /// Whether it may be killed: nothing depends on it, and it is on a worker thread, which ends it at once. With idle threads a session
    /// that rests for longer than `session_idle_ms` is on one of those.
    pub(super) fn is_killable(&self, idle_after: Duration, moves_after: Duration, workers: u32) -> bool {
        self.protocol == Protocol::Mysql
            && self.activity == Activity::Idle
            && self.thread < workers
            && self.idle >= idle_after.max(moves_after)
    }

    /// What tells it from every other.
    pub fn key(&self) -> (Protocol, u64) {
        (self.protocol, self.id)
    }

    /// Reads the columns of a row, without the one that tells its kind; `None` for a connection that has not logged in.
    ///
    /// # Errors
    /// A value that is not of the type that its column has.
    pub(super) fn read(protocol: Protocol, columns: &[String]) -> Result<Option<Self>, Unreadable> {
        let column = |i: usize| columns.get(i).map_or("", String::as_str);
        let optional = |i: usize| column(i).parse::<u64>().ok();
        let command = column(2);
        if command == "Connecting client" {
            return Ok(None);
        }
        let idle = number::<u64>("a session's time_ms", column(4))?;
        Ok(Some(Self {
            protocol,
            id: number("a session", column(0))?,
            activity: activity(command, column(3) != "0", optional(5), optional(9), optional(10)),
            idle: Duration::from_millis(idle),
            thread: number("a session's thread", column(1))?,
            client: Client { user: column(6).to_owned(), address: address(column(7), column(8)) },
            traffic: optional(11).zip(optional(12)),
        }))
    }
}

/// `has_backend` is whether a backend connection is held for the session, `flags` are its marks; what follows is known only of a session
/// that was looked into: how many of its backends `ProxySQL` believes to be in a transaction, and what the last of them says itself.
fn activity(
    command: &str,
    has_backend: bool,
    flags: Option<u64>,
    transactions: Option<u64>,
    server_status: Option<u64>,
) -> Activity {
    let in_transaction = server_status.map(|status| status & IN_TRANSACTION != 0);
    match command {
        "Fast forward" => Activity::FastForward,
        "Sleep" if !has_backend => Activity::Idle,
        "Sleep" if transactions.is_some_and(|many| many > 0) && in_transaction == Some(false) => {
            Activity::FailedStatement
        }
        "Sleep" if transactions.is_some_and(|many| many > 0) => Activity::InTransaction,
        "Sleep" if flags.is_some_and(|flags| flags & SESSION_STATE != 0) => Activity::SessionState,
        // A backend connection is also kept for a moment after an INSERT, which is nothing to be lost.
        "Sleep" if transactions == Some(0) => Activity::Idle,
        "Sleep" => Activity::InTransaction,
        _ => Activity::Running,
    }
}

fn address(host: &str, port: &str) -> String {
    match host.parse() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]:{port}"),
        _ if host.is_empty() => String::new(),
        _ => format!("{host}:{port}"),
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(columns: &str) -> Session {
        let columns: Vec<String> = columns.split(',').map(str::to_owned).collect();
        Session::read(Protocol::Mysql, &columns).unwrap().unwrap()
    }

    #[test]
    fn what_a_session_does_is_told_by_what_is_known_of_it() {
        for (columns, activity) in [
            ("1,0,Sleep,0,50,0,,,,,,,", Activity::Idle),
            ("1,0,Query,1,50,0,,,,,,,", Activity::Running),
            ("1,0,Execute,1,50,0,,,,,,,", Activity::Running),
            ("1,0,Connect,0,50,0,,,,,,,", Activity::Running),
            ("1,0,Sleep,1,50,0,,,,,,,", Activity::InTransaction),
            ("1,0,Sleep,1,50,64,,,,,,,", Activity::SessionState),
            ("1,0,Sleep,1,50,4,app,::1,7,1,1,9,9", Activity::InTransaction),
            ("1,0,Sleep,1,50,0,app,::1,7,1,2,9,9", Activity::FailedStatement),
            ("1,0,Sleep,1,50,4,app,::1,7,0,2,9,9", Activity::SessionState),
            ("1,0,Sleep,1,50,0,app,::1,7,0,2,9,9", Activity::Idle),
            ("1,0,Fast forward,1,50,0,,,,,,,", Activity::FastForward),
        ] {
            assert_eq!(read(columns).activity, activity, "{columns}");
        }
    }

    #[test]
    fn a_session_is_read_and_one_at_the_door_is_none() {
        let session = read("7,5,Sleep,0,1500,,app,fd00::1,4000,0,2,100,3");
        assert_eq!((session.id, session.thread, session.idle), (7, 5, Duration::from_millis(1_500)));
        assert_eq!(session.client.to_string(), "app@[fd00::1]:4000");
        assert_eq!(session.traffic, Some((100, 3)));
        let door: Vec<String> = "8,0,Connecting client,0,1,,,,,,,,".split(',').map(str::to_owned).collect();
        assert_eq!(Session::read(Protocol::Mysql, &door), Ok(None));
        assert!(Session::read(Protocol::Mysql, &door[..2]).is_err());
    }

    #[test]
    fn each_word_is_the_one_that_json_has() {
        for activity in Activity::ALL {
            assert_eq!(serde_json::to_value(activity).unwrap(), activity.as_str());
        }
    }
}
