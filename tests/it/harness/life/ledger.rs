//! Clients of an application, each with its habits, and the ledger of what they did and what they got.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mysql_async::Error;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::Client;

/// An answer that takes longer is none.
const ANSWER: Duration = Duration::from_secs(30);
/// Before somebody whose connect failed tries again.
const AGAIN: Duration = Duration::from_millis(50);

/// What a client does over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Reads on a connection that it keeps, and rests.
    Reads(Duration),
    /// Writes a row of its own on a connection that it keeps, each a transaction, and rests.
    Writes(Duration),
    /// BEGIN, two rows and COMMIT, resting after each of the first three and after the last.
    Transactions(Duration, Duration),
    /// Connects, reads, goes, and rests.
    Comes(Duration),
    /// Reads once, and writes one row so long after [`Ledger::begin`].
    WritesOnce(Duration),
    /// Runs a statement that takes so long, once.
    Sleeps(Duration),
}

/// Something that a client was not given.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// Which client.
    pub(crate) client: usize,
    pub(crate) at: Instant,
    /// After BEGIN was answered, and before COMMIT was.
    pub(crate) in_transaction: bool,
    /// Rows that must not be there: the client was told that they are not, or was told nothing.
    pub(crate) rows: Vec<i64>,
    what: &'static str,
    error: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = if self.in_transaction { " within a transaction" } else { "" };
        write!(formatter, "client {}, {}{within}: {}", self.client, self.what, self.error)
    }
}

/// What all clients did.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    rows: AtomicI64,
    over: AtomicBool,
    begun: watch::Sender<bool>,
    book: Mutex<Book>,
}

/// The pages of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// Statements that were answered.
    pub(crate) done: u64,
    /// Connections that were let in.
    pub(crate) connects: u64,
    /// What connects that failed were told.
    pub(crate) refused: Vec<String>,
    /// What went wrong on connections.
    pub(crate) troubles: Vec<Trouble>,
    /// The longest time in which nobody was answered.
    pub(crate) longest_gap: Duration,
    /// The longest time by which a task was late that waits for a moment: how much of that is the machine's.
    pub(crate) standstill: Duration,
    last: Option<Instant>,
}

impl Book {
    fn answered(&mut self) {
        let now = Instant::now();
        self.done += 1;
        let gap = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.longest_gap = self.longest_gap.max(gap);
        self.last = Some(now);
    }

    pub(crate) fn within_transactions(&self) -> Vec<String> {
        self.troubles.iter().filter(|trouble| trouble.in_transaction).map(ToString::to_string).collect()
    }

    /// Rows that are there, and should not be.
    pub(crate) fn executed_all_the_same(&self, written: &BTreeSet<i64>) -> Vec<String> {
        let there = |trouble: &&Trouble| trouble.rows.iter().any(|row| written.contains(row));
        self.troubles.iter().filter(there).map(ToString::to_string).collect()
    }

    /// How often each of these clients met trouble, at most.
    pub(crate) fn most_of_one(&self, clients: std::ops::Range<usize>) -> usize {
        clients.map(|client| self.troubles.iter().filter(|trouble| trouble.client == client).count()).max().unwrap_or(0)
    }
}

/// What went wrong with a statement: what it was, its rows, and the answer.
struct Failed {
    what: &'static str,
    in_transaction: bool,
    rows: Vec<i64>,
    error: String,
}

impl Ledger {
    /// One whose rows are numbered from there.
    pub(crate) fn starting_at(row: i64) -> Self {
        Self { rows: AtomicI64::new(row), ..Self::default() }
    }

    pub(crate) fn book(&self) -> Book {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Book)) {
        change(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on, as if nothing had been before.
    pub(crate) fn begin(&self) {
        self.note(|book| *book = Book { last: Some(Instant::now()), ..Book::default() });
        self.begun.send_replace(true);
    }

    /// Everybody goes home after what they are at.
    pub(crate) fn close(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Watches how late this process is, until [`Self::close`].
    pub(crate) async fn metronome(self: Arc<Self>) {
        const BEAT: Duration = Duration::from_millis(5);
        while !self.is_over() {
            let began = Instant::now();
            sleep(BEAT).await;
            let late = began.elapsed().saturating_sub(BEAT);
            self.note(|book| book.standstill = book.standstill.max(late));
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// A client with this habit, until [`Self::close`]; one that does not come back ends with its connection.
    pub(crate) async fn client(self: Arc<Self>, client: usize, habit: Habit, server: SocketAddr, comes_back: bool) {
        while !self.is_over() {
            let connected = timeout(ANSWER, Client::connect(server)).await;
            let mut connection = match connected {
                Ok(Ok(connection)) => connection,
                refused => {
                    let told = refused.map_or_else(|_| "no answer".to_owned(), |told| told.err().unwrap().to_string());
                    self.note(|book| book.refused.push(told));
                    sleep(AGAIN).await;
                    continue;
                }
            };
            self.note(|book| book.connects += 1);
            let outcome = self.keep(&mut connection, habit).await;
            if let Err(Failed { what, in_transaction, rows, error }) = outcome {
                let trouble = Trouble { client, at: Instant::now(), in_transaction, rows, what, error };
                self.note(|book| book.troubles.push(trouble));
            }
            if !comes_back {
                return;
            }
        }
    }

    async fn keep(&self, connection: &mut Client, habit: Habit) -> Result<(), Failed> {
        while !self.is_over() {
            match habit {
                Habit::Reads(rest) => {
                    self.run(connection, "SELECT 1", "reading").await?;
                    sleep(rest).await;
                }
                Habit::Writes(rest) => {
                    self.write(connection).await?;
                    sleep(rest).await;
                }
                Habit::Transactions(rest, between) => {
                    self.transaction(connection, rest).await?;
                    sleep(between).await;
                }
                Habit::Comes(rest) => {
                    self.run(connection, "SELECT 1", "reading on a new connection").await?;
                    sleep(rest).await;
                    return Ok(());
                }
                Habit::WritesOnce(after) => {
                    self.run(connection, "SELECT 1", "reading").await?;
                    // It is told as long as there is a ledger.
                    let _ = self.begun.subscribe().wait_for(|begun| *begun).await;
                    sleep(after).await;
                    self.write(connection).await?;
                    return Ok(());
                }
                Habit::Sleeps(long) => {
                    let sql = format!("SELECT SLEEP({})", long.as_secs_f64());
                    self.run(connection, &sql, "a long statement").await?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn write(&self, connection: &mut Client) -> Result<(), Failed> {
        let (row, sql) = self.row();
        self.run(connection, &sql, "writing").await.map_err(|failed| Failed { rows: vec![row], ..failed })
    }

    async fn transaction(&self, connection: &mut Client, rest: Duration) -> Result<(), Failed> {
        self.run(connection, "BEGIN", "BEGIN").await?;
        let mut rows = Vec::new();
        let statements = [("the first row", true), ("the second row", true), ("COMMIT", false)];
        for (what, is_row) in statements {
            sleep(rest).await;
            let sql = if is_row {
                let (row, sql) = self.row();
                rows.push(row);
                sql
            } else {
                "COMMIT".to_owned()
            };
            let ran = self.run(connection, &sql, what).await;
            ran.map_err(|failed| Failed { in_transaction: true, rows: rows.clone(), ..failed })?;
        }
        Ok(())
    }

    /// A row that nobody else writes, and the statement for it.
    fn row(&self) -> (i64, String) {
        let row = self.rows.fetch_add(1, Ordering::Relaxed) + 1_000;
        (row, format!("INSERT INTO done (who) VALUES ({row})"))
    }

    async fn run(&self, connection: &mut Client, sql: &str, what: &'static str) -> Result<(), Failed> {
        let failed = |error: String| Failed { what, in_transaction: false, rows: Vec::new(), error };
        match timeout(ANSWER, connection.run(sql)).await {
            Ok(Ok(())) => {
                self.note(Book::answered);
                Ok(())
            }
            Ok(Err(Error::Server(error))) => Err(failed(format!("the answer {error}"))),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("no answer".to_owned())),
        }
    }
}

/// Least, middle and most of some figures, in seconds.
pub(crate) fn spread(mut figures: Vec<Duration>) -> String {
    figures.sort();
    let seconds = |at: usize| figures.get(at).map_or(f64::NAN, Duration::as_secs_f64);
    format!("{:.3}/{:.3}/{:.3} s", seconds(0), seconds(figures.len() / 2), seconds(figures.len().saturating_sub(1)))
}
