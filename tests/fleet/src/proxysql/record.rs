//! What became of sessions and statements, over all lives of a node: for a scenario to assert what nobody may suffer.

use std::collections::VecDeque;
use std::time::Instant;

use super::clients::{ClientEnd, ClientState};

/// How many entries of each kind are kept; older ones fall off.
const KEPT: usize = 100_000;

/// A session that has ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The session.
    pub id: u32,
    /// Its login.
    pub user: String,
    /// How it ended.
    pub end: ClientEnd,
    /// What it was doing.
    pub state: ClientState,
    /// Whether a transaction was open, be it between two statements or during one.
    pub in_transaction: bool,
    /// When.
    pub at: Instant,
}

/// A statement that was carried out, and whose client got no answer, or not the whole of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// The session.
    pub id: u32,
    /// The statement; empty for the result that a scripted client was reading.
    pub sql: String,
    /// How the session ended.
    pub end: ClientEnd,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) endings: VecDeque<Ending>,
    pub(crate) executed: VecDeque<(u32, String)>,
    pub(crate) without_answer: VecDeque<Unanswered>,
    pub(crate) cut_short: VecDeque<Unanswered>,
}

/// Adds an entry, and drops the oldest where there are too many.
pub(crate) fn keep<T>(entries: &mut VecDeque<T>, entry: T) {
    if entries.len() == KEPT {
        entries.pop_front();
    }
    entries.push_back(entry);
}
