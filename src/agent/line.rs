//! The line to `ProxySQL`, with a record of how it answers.

use tokio::time::Instant;

use super::Proxysql;
use crate::domain::statement::Statement;
use crate::edge::admin::{AdminError, Answer};
use crate::state::Publisher;

/// The admin port, whoever asks it: every statement tells the status whether `ProxySQL` is silent.
#[derive(Debug)]
pub(super) struct Line<P> {
    admin: P,
    publisher: Publisher,
}

impl<P> Line<P> {
    pub(super) fn new(admin: P, publisher: Publisher) -> Self {
        Self { admin, publisher }
    }
}

impl<P: Proxysql + Send> Proxysql for Line<P> {
    async fn run(&mut self, statement: &Statement) -> Result<Answer, AdminError> {
        self.publisher.note(|status| status.asks(Instant::now()));
        let outcome = self.admin.run(statement).await;
        self.publisher.note(|status| match &outcome {
            Ok(_) | Err(AdminError::Refused { .. }) => status.answers(Instant::now()),
            Err(error) => {
                status.gone = error.is_gone();
                status.trouble = Some(error.to_string());
            }
        });
        outcome
    }

    fn ask_peer(
        &self,
        host: &str,
        port: u16,
        statements: &[Statement],
    ) -> impl Future<Output = Result<Vec<Answer>, AdminError>> + Send {
        self.admin.ask_peer(host, port, statements)
    }

    fn login(&self) -> (String, Option<String>) {
        self.admin.login()
    }
}
