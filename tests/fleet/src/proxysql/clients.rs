//! The sessions on the port for `MySQL` clients, scripted and real.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// What a client is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientState {
    /// Connected, not logged in.
    Connecting,
    /// Logged in, no backend attached.
    #[default]
    Idle,
    /// In a transaction, between two statements.
    InTransaction,
    /// Running a statement on a backend.
    Running(String),
}

/// What a client speaks, and so which tables show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `stats_mysql_...`
    #[default]
    Mysql,
    /// `stats_pgsql_...`, which a node has from 3.0 on. `KILL CONNECTION` does not reach it.
    Postgres,
}

/// A client as the statistics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSpec {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its login.
    pub user: String,
    /// Where it came from.
    pub host: String,
    /// The port it came from.
    pub port: u16,
    /// Its schema.
    pub db: String,
    /// The hostgroup of its last statement.
    pub hostgroup: i64,
    /// The backend it holds while it is not idle.
    pub backend: (String, u16),
    /// What it is doing.
    pub state: ClientState,
    /// For how long already. What the statistics tell of it lags by up to twice `mysql-poll_timeout`, as on a quiet
    /// `ProxySQL`.
    pub since: Duration,
}

impl Default for ClientSpec {
    fn default() -> Self {
        Self {
            protocol: Protocol::Mysql,
            user: "app".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 40000,
            db: "information_schema".to_owned(),
            hostgroup: 0,
            backend: ("127.0.0.1".to_owned(), 3306),
            state: ClientState::Idle,
            since: Duration::ZERO,
        }
    }
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEnd {
    /// By itself.
    Left,
    /// By `KILL CONNECTION`.
    Killed,
    /// With the process, or by `PROXYSQL STOP`.
    Cut,
}

#[derive(Debug)]
struct Client {
    spec: ClientSpec,
    changed: Instant,
    token: Option<CancellationToken>,
}

/// All sessions of one life of a node.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    live: BTreeMap<u32, Client>,
    ended: Vec<(u32, ClientEnd)>,
    pub(crate) created: u64,
    pub(crate) denied: u64,
    /// Statements run, as far as scripted clients run any: one each time that a client that is logged in does something else.
    pub(crate) questions: u64,
    transactions: Option<(Instant, usize)>,
}

impl Clients {
    /// A session with this id; `token` ends the task behind it.
    pub(crate) fn add(&mut self, id: u32, spec: ClientSpec, token: Option<CancellationToken>) {
        let now = Instant::now();
        let changed = now.checked_sub(spec.since).unwrap_or(now);
        self.created += 1;
        self.questions += u64::from(spec.state != ClientState::Connecting);
        self.live.insert(id, Client { spec, changed, token });
    }

    pub(crate) fn change(&mut self, id: u32, change: impl FnOnce(&mut ClientSpec)) -> bool {
        let changed = self.live.get_mut(&id).map(|client| {
            change(&mut client.spec);
            client.changed = Instant::now();
            client.spec.state != ClientState::Connecting
        });
        self.questions += u64::from(changed == Some(true));
        changed.is_some()
    }

    pub(crate) fn end(&mut self, id: u32, end: ClientEnd) -> bool {
        self.live.remove(&id).is_some_and(|client| {
            if let Some(token) = client.token {
                token.cancel();
            }
            self.ended.push((id, end));
            true
        })
    }

    /// `KILL CONNECTION`.
    pub(crate) fn kill(&mut self, id: u32) -> bool {
        let reached = self.live.get(&id).is_some_and(|client| client.spec.protocol == Protocol::Mysql);
        reached && self.end(id, ClientEnd::Killed)
    }

    /// `PROXYSQL STOP`.
    pub(crate) fn end_all(&mut self) {
        let mysql = |client: &Client| client.spec.protocol == Protocol::Mysql;
        let ids: Vec<u32> = self.live.iter().filter(|(_, client)| mysql(client)).map(|(id, _)| *id).collect();
        for id in ids {
            self.end(id, ClientEnd::Cut);
        }
    }

    pub(crate) fn ended(&self) -> Vec<(u32, ClientEnd)> {
        self.ended.clone()
    }

    pub(crate) fn live(&self) -> impl Iterator<Item = (u32, &ClientSpec, Duration)> {
        self.live.iter().map(|(id, client)| (*id, &client.spec, client.changed.elapsed()))
    }

    /// Those of one protocol.
    pub(crate) fn speaking(&self, protocol: Protocol) -> impl Iterator<Item = (u32, &ClientSpec, Duration)> {
        self.live().filter(move |(_, spec, _)| spec.protocol == protocol)
    }

    pub(crate) fn connected(&self, protocol: Protocol) -> usize {
        self.speaking(protocol).count()
    }

    /// Sessions whose last move is young enough for the threads that serve busy ones.
    pub(crate) fn not_idle(&self) -> usize {
        self.speaking(Protocol::Mysql)
            .filter(|(_, spec, age)| spec.state != ClientState::Idle || age.as_secs() < 1)
            .count()
    }

    /// Transactions and running statements, as they were up to two seconds ago.
    pub(crate) fn active_transactions(&mut self) -> usize {
        let fresh = |at: &Instant| at.elapsed() < Duration::from_secs(2);
        match self.transactions {
            Some((at, count)) if fresh(&at) => count,
            _ => {
                let busy = |spec: &ClientSpec| !matches!(spec.state, ClientState::Idle | ClientState::Connecting);
                let count = self.speaking(Protocol::Mysql).filter(|(_, spec, _)| busy(spec)).count();
                self.transactions = Some((Instant::now(), count));
                count
            }
        }
    }
}
