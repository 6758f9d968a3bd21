//! Every statement that reached a node, in order, with who sent it and what became of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::command::{Command, Move};
use super::schema::Module;

/// How many statements are kept; older ones fall off, the counters stay.
const KEPT: usize = 100_000;

/// What a statement may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads, or does nothing at all (`BEGIN`, `SET NAMES`).
    Read,
    /// `INSERT`, `UPDATE`, `DELETE`, `SET` of a variable and other SQL that is not a query.
    Write,
    /// `LOAD ... TO RUNTIME` under any of its names.
    Load(Module),
    /// The other `LOAD` and `SAVE` statements.
    Save(Module),
    /// `PROXYSQL ...` and `KILL CONNECTION`.
    Control,
}

impl Kind {
    pub(crate) fn of(command: &Command) -> Self {
        match command {
            Command::Move(module, Move::ToRuntime) => Self::Load(*module),
            Command::Move(module, _) => Self::Save(*module),
            Command::Set { .. } => Self::Write,
            Command::Sql(text) if !reads(text) => Self::Write,
            Command::Proxysql(_) | Command::Kill(_) => Self::Control,
            _ => Self::Read,
        }
    }
}

fn reads(sql: &str) -> bool {
    let word: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    ["INSERT", "REPLACE", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"]
        .iter()
        .all(|writing| !word.eq_ignore_ascii_case(writing))
}

/// What came of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not answered, or not yet.
    Open,
    /// `OK`.
    Ok {
        /// `affected_rows`.
        affected: u64,
    },
    /// A result set.
    Rows(u64),
    /// `ERR`.
    Error {
        /// The number in the packet.
        code: u16,
        /// The text in the packet.
        text: String,
    },
    /// The connection was cut by the script.
    Cut,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Counts all statements of a node from 0.
    pub number: u64,
    /// When it arrived.
    pub at: SystemTime,
    /// The login it arrived on.
    pub user: String,
    /// The number of the connection, never used twice on a node.
    pub connection: u64,
    /// Where it came from.
    pub peer: SocketAddr,
    /// The text as it arrived.
    pub sql: String,
    /// What it may do.
    pub kind: Kind,
    /// Size of the packet.
    pub bytes_in: u64,
    /// Size of the answer.
    pub bytes_out: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// Sums for one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Statements of any kind.
    pub statements: u64,
    /// Those that are [`Kind::Write`].
    pub writes: u64,
    /// Those that are [`Kind::Load`].
    pub loads: u64,
    /// Those that are [`Kind::Save`].
    pub saves: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Logins.
    pub logins: u64,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    entries: VecDeque<Entry>,
    counters: BTreeMap<String, Counters>,
}

/// The log of one node, over all its lives. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct StatementLog(Arc<Mutex<Inner>>);

impl StatementLog {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next statement; for [`since`](Self::since).
    pub fn mark(&self) -> u64 {
        self.lock().next
    }

    /// Statements from a mark on.
    pub fn since(&self, mark: u64) -> Vec<Entry> {
        self.lock().entries.iter().filter(|entry| entry.number >= mark).cloned().collect()
    }

    /// All statements kept.
    pub fn all(&self) -> Vec<Entry> {
        self.since(0)
    }

    /// Statements of one user from a mark on.
    pub fn of(&self, user: &str, mark: u64) -> Vec<Entry> {
        self.lock().entries.iter().filter(|entry| entry.number >= mark && entry.user == user).cloned().collect()
    }

    /// Statements of one user from a mark on that change anything: writes, loads, saves and controls.
    pub fn changes(&self, user: &str, mark: u64) -> Vec<Entry> {
        let mut entries = self.of(user, mark);
        entries.retain(|entry| entry.kind != Kind::Read);
        entries
    }

    /// When a module was loaded to runtime, by any user other than a pull.
    pub fn loads(&self, module: Module) -> Vec<SystemTime> {
        self.lock().entries.iter().filter(|entry| entry.kind == Kind::Load(module)).map(|entry| entry.at).collect()
    }

    /// The sums of one user.
    pub fn counters(&self, user: &str) -> Counters {
        self.lock().counters.get(user).copied().unwrap_or_default()
    }

    pub(crate) fn login(&self, user: &str) {
        self.lock().counters.entry(user.to_owned()).or_default().logins += 1;
    }

    pub(crate) fn begin(&self, mut entry: Entry) -> u64 {
        let mut inner = self.lock();
        entry.number = inner.next;
        inner.next += 1;
        let counters = inner.counters.entry(entry.user.clone()).or_default();
        counters.statements += 1;
        counters.bytes_in += entry.bytes_in;
        match entry.kind {
            Kind::Read | Kind::Control => {}
            Kind::Write => counters.writes += 1,
            Kind::Load(_) => counters.loads += 1,
            Kind::Save(_) => counters.saves += 1,
        }
        if inner.entries.len() == KEPT {
            inner.entries.pop_front();
        }
        let number = entry.number;
        inner.entries.push_back(entry);
        number
    }

    pub(crate) fn finish(&self, number: u64, bytes_out: u64, outcome: Outcome) {
        let mut inner = self.lock();
        let first = inner.entries.front().map_or(0, |entry| entry.number);
        let Some(index) = number.checked_sub(first).and_then(|index| usize::try_from(index).ok()) else { return };
        let Some(entry) = inner.entries.get_mut(index) else { return };
        entry.bytes_out = bytes_out;
        entry.outcome = outcome;
        let user = entry.user.clone();
        inner.counters.entry(user).or_default().bytes_out += bytes_out;
    }
}
