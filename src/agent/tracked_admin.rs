//! The line to `ProxySQL`, with a record of how it answers.

use std::time::Duration;

use tokio::time::Instant;

use super::proxysql::{Proxysql, Tracked};
use crate::domain::cluster::hearing::Hearing;
use crate::domain::counters::Count;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::Statement;
use crate::edge::admin::{AdminError, Answer, Login};
use crate::state::{StatementEnd, StatusWriter};

/// The admin port, whoever asks it: every statement tells the status whether `ProxySQL` is silent, and is counted.
#[derive(Debug)]
pub(super) struct TrackedAdmin<P> {
    admin: P,
    writer: StatusWriter,
    began: Instant,
    /// Who of the peers was heard of, by all observations.
    hearing: Hearing,
}

impl<P> TrackedAdmin<P> {
    pub(super) fn new(admin: P, writer: StatusWriter) -> Self {
        Self { admin, writer, began: Instant::now(), hearing: Hearing::default() }
    }
}

impl<P: Proxysql + Send + Sync> Proxysql for TrackedAdmin<P> {
    async fn run(&mut self, statement: &Statement) -> Result<Answer, AdminError> {
        let began = Instant::now();
        self.writer.statement_began(began);
        let outcome = self.admin.run(statement).await;
        let error = outcome.as_ref().err();
        self.writer.statement_ended(StatementEnd {
            class: statement.class(),
            loads: statement.loads(),
            began,
            failure: error.map(AdminError::failure),
            obstacle: error.and_then(|error| Some((error.obstacle()?, error.to_string()))),
            connections: self.admin.logins(),
        });
        outcome
    }

    async fn ask_peer(
        &self,
        host: &str,
        port: u16,
        login: &Login,
        statements: &[Statement],
    ) -> Result<Vec<Answer>, AdminError> {
        let began = Instant::now();
        let outcome = self.admin.ask_peer(host, port, login, statements).await;
        let took: Duration = began.elapsed();
        let failure = outcome.as_ref().err().map(AdminError::failure);
        self.writer.peer_asked(took, failure);
        outcome
    }

    async fn unanswered_clients(&self, rows: &[Vec<String>], within: Duration) -> Option<(usize, usize)> {
        self.admin.unanswered_clients(rows, within).await
    }

    async fn log_in_afresh(&self, other: Option<&Login>) -> Result<(), AdminError> {
        self.admin.log_in_afresh(other).await
    }

    async fn login(&self) -> (String, Option<String>) {
        self.admin.login().await
    }

    fn logins(&self) -> u64 {
        self.admin.logins()
    }
}

impl<P: Proxysql + Send + Sync> Tracked for TrackedAdmin<P> {
    fn count(&self, what: Count) {
        self.writer.counted(what);
    }

    fn observed(&mut self, seen: &mut Observation) {
        self.hearing.complete(seen, self.began.elapsed());
        self.writer.observed(seen.clone());
    }
}
