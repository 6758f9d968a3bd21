//! The sessions on the port for `MySQL` clients, scripted and real: what they do, and how they end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::host::lock;
use super::record::{Ending, Record, Unanswered, keep};

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
    /// Its last statement failed: it counts as in a transaction until one succeeds.
    Failed,
    /// Between two statements, with a user variable, a temporary table or a lock: its backend stays attached.
    Holding,
    /// Its statement is done, the rest of the result waits until the client reads it.
    Reading,
    /// Running a statement on a backend.
    Running(String),
    /// Passed through to its backend, as a user with `fast_forward` is from the first statement on.
    FastForward,
}

impl ClientState {
    /// Whether it waits for its client, so that time without a sign of life counts.
    pub(crate) fn waits(&self) -> bool {
        !matches!(self, Self::Running(_) | Self::FastForward)
    }

    /// Whether a pass takes it for one in a transaction.
    pub(crate) fn counts_as_transaction(&self) -> bool {
        matches!(self, Self::InTransaction | Self::Failed)
    }

    /// Whether a backend is attached.
    pub(crate) fn holds_backend(&self) -> bool {
        matches!(self, Self::InTransaction | Self::Failed | Self::Holding | Self::Running(_) | Self::FastForward)
    }
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
    /// By the thread that owns it: idle for longer than `mysql-wait_timeout`, or in a transaction and idle for longer than
    /// `mysql-max_transaction_idle_time`.
    TimedOut,
    /// With the process, or by `PROXYSQL STOP`.
    Cut,
}

/// The thread that owns a session. There are as many of each kind as `mysql-threads` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Worker,
    /// With `--idle-threads`: in the idle thread of this number.
    Idle(usize),
    /// Given back by its idle thread to be ended by a worker.
    HandedOver,
}

/// Whether a statement that has arrived may be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Run,
    /// The session is gone, and perhaps it went just now, with the statement carried out and nobody to answer.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) spec: ClientSpec,
    /// Whether a transaction is open.
    pub(crate) open: bool,
    /// The last sign of life, as its thread sees it: it begins anew when the session moves.
    pub(crate) active: Instant,
    /// The last sign of life before it moved to an idle thread.
    pub(crate) idle_since: Instant,
    pub(crate) place: Place,
    /// Its answer is being written: nothing comes in between.
    pub(crate) answering: bool,
    /// Decided, and not carried out yet.
    pub(crate) doomed: Option<ClientEnd>,
    /// The statement whose result is being read.
    last: String,
    token: Option<CancellationToken>,
}

/// All sessions of one life of a node.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    pub(crate) live: BTreeMap<u32, Client>,
    /// The sessions in idle threads, each in the order in which it goes through them.
    pub(crate) idle: Vec<super::passes::IdleThread>,
    /// Sessions on their way from an idle thread to the worker that will end them.
    pub(crate) handed_over: Vec<(u32, Instant)>,
    ended: Vec<(u32, ClientEnd)>,
    record: Arc<Mutex<Record>>,
    pub(crate) created: u64,
    pub(crate) denied: u64,
    /// Statements run. A scripted client runs one each time that it is logged in and does something else.
    pub(crate) questions: u64,
    transactions: Option<(Instant, usize)>,
}

impl Clients {
    pub(crate) fn new(record: Arc<Mutex<Record>>) -> Self {
        Self { record, ..Self::default() }
    }

    /// A session with this id; `token` ends the task behind it.
    pub(crate) fn add(&mut self, id: u32, spec: ClientSpec, token: Option<CancellationToken>) {
        let now = Instant::now();
        let active = now.checked_sub(spec.since).unwrap_or(now);
        self.created += 1;
        self.questions += u64::from(spec.state != ClientState::Connecting);
        let client = Client {
            open: spec.state == ClientState::InTransaction,
            spec,
            active,
            idle_since: active,
            place: Place::Worker,
            answering: false,
            doomed: None,
            last: String::new(),
            token,
        };
        self.live.insert(id, client);
    }

    /// What a session is from now on, without any statement.
    pub(crate) fn change(&mut self, id: u32, change: impl FnOnce(&mut ClientSpec)) {
        if let Some(client) = self.live.get_mut(&id) {
            change(&mut client.spec);
            client.active = Instant::now();
        }
    }

    /// A scripted client does something else; `false` if it is not there any more.
    pub(crate) fn script(&mut self, id: u32, state: ClientState) -> bool {
        let sql = match &state {
            ClientState::Running(sql) => sql.clone(),
            _ => String::new(),
        };
        let asked = state != ClientState::Connecting;
        let Some(client) = self.live.get(&id) else { return false };
        if client.doomed.is_some() || !sql.is_empty() {
            if self.arrives(id, &sql) == Arrival::Gone {
                return false;
            }
        } else {
            self.questions += u64::from(asked);
            self.come_back(id);
        }
        let Some(client) = self.live.get_mut(&id) else { return false };
        client.open = state == ClientState::InTransaction;
        client.spec.state = state;
        client.active = Instant::now();
        true
    }

    /// A statement has arrived, and is run. What is doomed when it arrives is ended all the same, after it was run: that is
    /// what makes KILL CONNECTION dangerous with `--idle-threads`.
    pub(crate) fn arrives(&mut self, id: u32, sql: &str) -> Arrival {
        self.come_back(id);
        let Some(client) = self.live.get_mut(&id) else { return Arrival::Gone };
        self.questions += 1;
        if !sql.is_empty() {
            keep(&mut lock(&self.record).executed, (id, sql.to_owned()));
        }
        if client.spec.state != ClientState::FastForward {
            client.spec.state = ClientState::Running(sql.to_owned());
        }
        client.active = Instant::now();
        match client.doomed {
            Some(end) => {
                self.end(id, end);
                Arrival::Gone
            }
            None => Arrival::Run,
        }
    }

    /// A session that speaks belongs to a worker.
    fn come_back(&mut self, id: u32) {
        let Some(client) = self.live.get_mut(&id) else { return };
        if let Place::Idle(thread) = std::mem::replace(&mut client.place, Place::Worker) {
            self.leave_idle_thread(thread, id);
        }
    }

    /// A statement is done, its answer about to be written. `large` results are read at the client's pace, and a session
    /// whose client does not read looks idle; nothing comes between a statement and a small answer.
    pub(crate) fn answers(&mut self, id: u32, state: &ClientState, open: bool, large: bool) {
        if let Some(client) = self.live.get_mut(&id) {
            client.open = open;
            client.answering = !large;
            client.active = Instant::now();
            if let (true, ClientState::Running(sql)) = (large, &client.spec.state) {
                client.last.clone_from(sql);
                client.spec.state = ClientState::Reading;
            } else {
                client.spec.state = state.clone();
            }
        }
    }

    /// A piece of an answer went out.
    pub(crate) fn sent(&mut self, id: u32) {
        if let Some(client) = self.live.get_mut(&id) {
            client.active = Instant::now();
        }
    }

    /// The whole answer went out.
    pub(crate) fn answered(&mut self, id: u32, state: ClientState) {
        let Some(client) = self.live.get_mut(&id) else { return };
        client.spec.state = state;
        client.answering = false;
        client.active = Instant::now();
        if let Some(end) = client.doomed {
            self.end(id, end);
        }
    }

    pub(crate) fn end(&mut self, id: u32, end: ClientEnd) -> bool {
        let Some(client) = self.live.remove(&id) else { return false };
        if let Place::Idle(thread) = client.place {
            self.leave_idle_thread(thread, id);
        }
        if let Some(token) = &client.token {
            token.cancel();
        }
        self.ended.push((id, end));
        let mut record = lock(&self.record);
        if end != ClientEnd::Left {
            let unanswered = |sql: &str| Unanswered { id, sql: sql.to_owned(), end };
            match &client.spec.state {
                ClientState::Running(sql) => keep(&mut record.without_answer, unanswered(sql)),
                ClientState::Reading => keep(&mut record.cut_short, unanswered(&client.last)),
                _ => {}
            }
        }
        let (state, in_transaction) = (client.spec.state, client.open);
        keep(
            &mut record.endings,
            Ending { id, user: client.spec.user, end, state, in_transaction, at: Instant::now() },
        );
        true
    }

    /// `KILL CONNECTION`. A worker ends its session at once, an idle thread at its next pass.
    pub(crate) fn kill(&mut self, id: u32) -> bool {
        let Some(client) = self.live.get_mut(&id) else { return false };
        if client.spec.protocol != Protocol::Mysql {
            return false;
        }
        match client.place {
            Place::Worker if !client.answering => {
                self.end(id, ClientEnd::Killed);
            }
            Place::Worker | Place::Idle(_) => client.doomed = Some(ClientEnd::Killed),
            Place::HandedOver => {}
        }
        true
    }

    /// `PROXYSQL STOP`.
    pub(crate) fn stop(&mut self) {
        let mysql = |client: &Client| client.spec.protocol == Protocol::Mysql;
        let ids: Vec<u32> = self.live.iter().filter(|(_, client)| mysql(client)).map(|(id, _)| *id).collect();
        for id in ids {
            self.end(id, ClientEnd::Cut);
        }
    }

    /// The end of the process.
    pub(crate) fn cut_all(&mut self) {
        let ids: Vec<u32> = self.live.keys().copied().collect();
        for id in ids {
            self.end(id, ClientEnd::Cut);
        }
    }

    pub(crate) fn ended(&self) -> Vec<(u32, ClientEnd)> {
        self.ended.clone()
    }

    /// Those of one protocol.
    pub(crate) fn speaking(&self, protocol: Protocol) -> impl Iterator<Item = (u32, &Client)> {
        self.live.iter().map(|(id, client)| (*id, client)).filter(move |(_, client)| client.spec.protocol == protocol)
    }

    pub(crate) fn connected(&self, protocol: Protocol) -> usize {
        self.speaking(protocol).count()
    }

    /// Sessions in the threads that serve busy ones.
    pub(crate) fn not_idle(&self) -> usize {
        self.speaking(Protocol::Mysql).filter(|(_, client)| client.place == Place::Worker).count()
    }

    /// Transactions and running statements, as they were up to two seconds ago.
    pub(crate) fn active_transactions(&mut self) -> usize {
        let fresh = |at: &Instant| at.elapsed() < Duration::from_secs(2);
        match self.transactions {
            Some((at, count)) if fresh(&at) => count,
            _ => {
                let busy =
                    |state: &ClientState| state.counts_as_transaction() || matches!(state, ClientState::Running(_));
                let count = self.speaking(Protocol::Mysql).filter(|(_, client)| busy(&client.spec.state)).count();
                self.transactions = Some((Instant::now(), count));
                count
            }
        }
    }
}
