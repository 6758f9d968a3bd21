//! The connection to `ProxySQL`'s admin port, or its absence.
//!
//! There is one, it is strictly serial, and every call on it is bounded. A `mysql_async` query that is dropped half-way leaves its
//! answer in the pipe, and each later query would return the one before it, with `Ok`. So the connection is taken out of its
//! slot before a call waits and put back only after a complete answer or an `ERR`: whatever ends a call early, be it the
//! deadline or the caller, ends the connection with it.
//!
//! The one exception to there being one connection is [`Admin::ask_peer`], to the admin port of another node: a satellite that is to
//! follow again reads there what `ProxySQL` itself never pulls, for it is older, and only the peer itself tells that it is of another
//! release. It lasts for those questions, each of them bounded by a second, and never sees this agent's own login.

mod clients;
mod error;
mod peer;
mod reach;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, QueryResult, TextProtocol, Value};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

pub use self::error::AdminError;
pub use self::peer::Login;
use crate::apart;
use crate::domain::drain::Listener;
use crate::domain::endpoint::Endpoint;
use crate::domain::proxysql::statement::Statement;

/// What the driver would otherwise ask the server for, with a query that the admin port refuses.
const MAX_ALLOWED_PACKET: usize = 64 << 20;
/// As above; seconds. The admin port closes no idle session.
const WAIT_TIMEOUT: usize = 28_800;
/// A longer file is no password.
const LONGEST_PASSWORD: u64 = 64 << 10;
/// More rows than any admin table that a decision reads has; a bound against a server gone mad.
const MOST_ROWS: usize = 100_000;

/// Where the admin port is and how to log in.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// Admin port.
    pub port: u16,
    /// Admin user.
    pub username: String,
    /// Its password.
    pub password: Password,
    /// Bound of a connection attempt, greeting and login included.
    pub connect_timeout: Duration,
    /// Bound of a statement.
    pub statement_timeout: Duration,
}

/// Where the password comes from.
#[derive(Clone)]
pub enum Password {
    /// It is this one.
    Text(String),
    /// It is the content of this file, read anew at every login, without the line break at its end.
    File(PathBuf),
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("[redacted]"),
            Self::File(path) => path.fmt(f),
        }
    }
}

/// What a statement returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The rows of a result set, all columns as text, NULL as the empty text.
    pub rows: Vec<Vec<String>>,
    /// Rows that a command changed, by its own count: for `LOAD … FROM CONFIG` the rows in the file.
    pub affected: u64,
}

/// The connection, or its absence.
#[derive(Debug)]
pub struct Admin {
    target: Target,
    slot: Option<Conn>,
    connections: u64,
}

impl Admin {
    /// Connects to nothing yet: the first statement does.
    pub fn new(target: Target) -> Self {
        Self { target, slot: None, connections: 0 }
    }

    /// Whether the next statement finds a connection.
    pub fn is_connected(&self) -> bool {
        self.slot.is_some()
    }

    /// How often it has logged in.
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Who logs in, and with which password by now; `None` where its file cannot be read.
    pub async fn login(&self) -> (String, Option<String>) {
        (self.target.username.clone(), self.target.password.read().await.ok())
    }

    /// How many of the connections that a client could make now would have no word from `ProxySQL` within a bound, and of how many;
    /// `None` where that cannot be seen from here. `rows` answer [`Statement::Listener`].
    pub async fn unanswered_clients(&self, rows: &[Vec<String>], within: Duration) -> Option<(usize, usize)> {
        let listener = Listener::read(rows, &self.target.host)?;
        Some((clients::unanswered(&listener, within).await, listener.tries * listener.addresses.len()))
    }

    /// Sends a statement, over a new connection if there is none, and reads the whole answer.
    ///
    /// # Errors
    /// See [`AdminError`]. After any but [`AdminError::Refused`] there is no connection any more. That `ProxySQL` hangs up is no error
    /// where that is its answer.
    pub async fn run(&mut self, statement: &Statement) -> Result<Answer, AdminError> {
        self.run_within(statement, statement.bound().unwrap_or(self.target.statement_timeout)).await
    }

    /// As [`run`](Self::run), with a bound of the caller's.
    pub async fn run_within(&mut self, statement: &Statement, after: Duration) -> Result<Answer, AdminError> {
        if statement.ends_proxysql() {
            // That a connection ends is an answer only of one that was alive a moment ago.
            self.slot = None;
        }
        // Taken, not borrowed: a call that is abandoned at any await below drops the connection.
        let mut held = Held(self.slot.take());
        let conn = match &mut held.0 {
            Some(conn) => conn,
            none => {
                let conn = none.insert(self.connect().await?);
                self.connections += 1;
                conn
            }
        };
        match timeout(after, exchange(conn, statement.to_string())).await {
            Ok(Ok(answer)) => {
                self.slot = held.0.take().filter(|_| !statement.requires_reconnect());
                Ok(answer)
            }
            Ok(Err(mysql_async::Error::Server(error))) => {
                self.slot = held.0.take().filter(|_| !statement.requires_reconnect());
                Err(AdminError::Refused { statement: statement.name(), code: error.code, text: error.message })
            }
            Ok(Err(_)) if statement.ends_proxysql() => Ok(Answer::default()),
            Ok(Err(error)) => Err(AdminError::Lost { statement: statement.name(), reason: reason(&error) }),
            Err(_) => Err(AdminError::Deadline { statement: statement.name(), after }),
        }
    }

    /// Asks another node, with the login of the cluster, over a connection that is gone afterwards.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn ask_peer(
        &self,
        host: &str,
        port: u16,
        login: &Login,
        statements: &[Statement],
    ) -> Result<Vec<Answer>, AdminError> {
        peer::ask(host, port, login, statements).await
    }

    /// Logs in anew, beside the connection that there is, and sees whether that lets in who may administer: as this agent, or with another
    /// login at the same place. What comes of it is gone afterwards.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn log_in_afresh(&self, other: Option<&Login>) -> Result<(), AdminError> {
        let question = Statement::Checksums;
        let Some(login) = other else {
            let mut held = Held(Some(self.connect().await?));
            let Some(conn) = &mut held.0 else { return Ok(()) };
            let after = self.target.statement_timeout;
            return match timeout(after, exchange(conn, question.to_string())).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(broken(&question.name(), error)),
                Err(_) => Err(AdminError::Deadline { statement: question.name(), after }),
            };
        };
        peer::ask(&self.target.host, self.target.port, login, &[question]).await.map(drop)
    }

    /// Connects if there is no connection, and sends nothing.
    pub async fn ready(&mut self) -> Result<(), AdminError> {
        if self.slot.is_none() {
            self.slot = Some(self.connect().await?);
            self.connections += 1;
        }
        Ok(())
    }

    /// Sends a query, waits at most `after` for the answer to begin, and leaves its rows to be read one by one. The connection goes
    /// with them.
    pub async fn rows(&mut self, statement: &Statement, after: Duration) -> Result<Rows, AdminError> {
        let mut held = Held(self.slot.take());
        let conn = match &mut held.0 {
            Some(conn) => conn,
            none => none.insert(self.connect().await?),
        };
        let name = statement.name();
        let columns = match timeout(after, conn.query_iter(statement.to_string())).await {
            Ok(Ok(answer)) => answer.columns_ref().iter().map(|column| column.name_str().into_owned()).collect(),
            Ok(Err(error)) => return Err(broken(&name, error)),
            Err(_) => return Err(AdminError::Deadline { statement: name, after }),
        };
        Ok(Rows { held, columns, statement: name })
    }

    async fn connect(&self) -> Result<Conn, AdminError> {
        let Target { host, port, username, connect_timeout, .. } = &self.target;
        let address = Endpoint::new(host, *port).to_string();
        let password = self.target.password.read().await?;
        let ips = match reach::resolve(host, *port, *connect_timeout).await {
            Ok(ips) => ips,
            Err(error) => return Err(AdminError::Unresolved { address, reason: error.to_string() }),
        };
        let at: Vec<SocketAddr> = ips.iter().map(|ip| SocketAddr::new(*ip, *port)).collect();
        let opts: Opts = OptsBuilder::default()
            .ip_or_hostname(host.as_str())
            .resolved_ips(Some(ips))
            .tcp_port(*port)
            .user(Some(username.as_str()))
            .pass(Some(password))
            .prefer_socket(false)
            .max_allowed_packet(Some(MAX_ALLOWED_PACKET))
            .wait_timeout(Some(WAIT_TIMEOUT))
            .stmt_cache_size(0)
            .into();
        reach::log_in(opts, address, &at, *connect_timeout).await
    }
}

/// The rows of an answer of any size, of which no more than one is in memory.
#[derive(Debug)]
pub struct Rows {
    held: Held,
    columns: Vec<String>,
    statement: String,
}

impl Rows {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The next row, for which it waits at most `after`; `None` only once the answer is whole.
    ///
    /// # Errors
    /// See [`AdminError`]. There is no next row then.
    pub async fn next(&mut self, after: Duration) -> Result<Option<Row>, AdminError> {
        let gone = || AdminError::Lost { statement: self.statement.clone(), reason: "connection closed".to_owned() };
        // Taken, as above: a wait that is abandoned ends the connection.
        let mut held = Held(self.held.0.take());
        let conn = held.0.as_mut().ok_or_else(gone)?;
        match next_of(conn, after).await {
            Ok(Ok(row)) => {
                self.held.0 = held.0.take();
                Ok(row.map(Row))
            }
            Ok(Err(error)) => Err(broken(&self.statement, error)),
            Err(_) => Err(AdminError::Deadline { statement: self.statement.clone(), after }),
        }
    }
}

async fn next_of(conn: &mut Conn, after: Duration) -> Result<mysql_async::Result<Option<mysql_async::Row>>, Elapsed> {
    let mut answer = QueryResult::<TextProtocol>::new(conn);
    let mut next = pin!(answer.next());
    // Nearly every row is here already and needs no timer.
    match poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await {
        Poll::Ready(row) => Ok(row),
        Poll::Pending => timeout(after, next).await,
    }
}

/// One row, as bytes.
#[derive(Debug)]
pub struct Row(mysql_async::Row);

impl Row {
    /// The value in a column, counted from 0; `None` for NULL and beyond the last one.
    pub fn get(&self, column: usize) -> Option<&[u8]> {
        match self.0.as_ref(column) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

fn broken(statement: &str, error: mysql_async::Error) -> AdminError {
    let statement = statement.to_owned();
    match error {
        mysql_async::Error::Server(error) => AdminError::Refused { statement, code: error.code, text: error.message },
        error => AdminError::Lost { statement, reason: error.to_string() },
    }
}

/// The connection while a call has it. Dropped, it is closed at once, whatever would still come over it.
#[derive(Debug)]
struct Held(Option<Conn>);

impl Drop for Held {
    fn drop(&mut self) {
        let Some(conn) = self.0.take() else { return };
        // Where there is a runtime the driver spawns a task that first reads the rest of the answer, for as long as that takes:
        // nobody's task, and for ever if ProxySQL hangs. Without one it closes.
        let closing = std::thread::Builder::new().name("close".to_owned()).spawn(move || drop(conn));
        drop(closing);
    }
}

impl Password {
    async fn read(&self) -> Result<String, AdminError> {
        let path = match self {
            Self::Text(text) => return Ok(text.clone()),
            Self::File(path) => path,
        };
        let bytes = apart::read(path, LONGEST_PASSWORD, apart::SOON).await;
        bytes
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| std::io::ErrorKind::InvalidData.into()))
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|source| AdminError::Password { path: path.clone(), source })
    }
}

async fn exchange(conn: &mut Conn, sql: String) -> mysql_async::Result<Answer> {
    let mut result = conn.query_iter(sql).await?;
    let mut rows = Vec::new();
    while let Some(row) = result.next().await? {
        if rows.len() == MOST_ROWS {
            return Err(mysql_async::Error::Other("the answer has too many rows".into()));
        }
        rows.push(row.unwrap().into_iter().map(text).collect());
    }
    Ok(Answer { rows, affected: result.affected_rows() })
}

/// The driver's words, without the ones that it puts twice before an error of the system.
fn reason(error: &mysql_async::Error) -> String {
    match error {
        mysql_async::Error::Io(mysql_async::IoError::Io(error)) => error.to_string(),
        other => other.to_string(),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::NULL => String::new(),
        // The text protocol has no other kind but for what this driver may make of it later.
        other => other.as_sql(true),
    }
}
