//! Looks at health: one statement, whose answer all who asked share.

use tokio::time::Instant;
use tracing::{debug, warn};

use super::Proxysql;
use super::round::RoundError;
use crate::domain::health::Snapshot;
use crate::domain::log_throttle::LogThrottle;
use crate::domain::proxysql::statement::Statement;
use crate::edge::admin::AdminError;
use crate::state::StatusWriter;

/// What looks at health remember beside what they publish.
#[derive(Debug, Default)]
pub(super) struct HealthLooks {
    pgsql: bool,
    trouble: LogThrottle,
    began: Option<Instant>,
}

impl HealthLooks {
    /// Looks once, and publishes what is seen or that it failed.
    pub(super) async fn look<P: Proxysql>(&mut self, admin: &mut P, writer: &StatusWriter) -> Option<RoundError> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let last = writer.status().seen().map(|(snapshot, _)| snapshot.clone());
        match self.read(admin, last.as_ref()).await {
            Ok(snapshot) => {
                self.trouble.clear();
                writer.looked(snapshot);
                None
            }
            Err(error) => {
                let reason = error.to_string();
                if matches!(error, RoundError::Unreadable(_)) && self.trouble.should_log(&reason, began.elapsed()) {
                    warn!(%reason, "health check failed: unexpected response");
                } else {
                    debug!(%reason, "health check failed");
                }
                writer.look_failed(reason);
                Some(error)
            }
        }
    }

    /// A look that lacks what the last one had is had again: `ProxySQL` lets go of its lock while it fills a table, and a second reader sees
    /// that table without rows. A node that is configured would be unready for it.
    async fn read<P: Proxysql>(&mut self, admin: &mut P, last: Option<&Snapshot>) -> Result<Snapshot, RoundError> {
        let snapshot = self.read_once(admin).await?;
        let lacks =
            |last: &Snapshot| (last.users > 0 && snapshot.users == 0) || last.counts().total > snapshot.counts().total;
        if last.is_some_and(lacks) { self.read_once(admin).await } else { Ok(snapshot) }
    }

    /// Whether the tables of `PostgreSQL` are there shows in the answer: with them, the look is had again.
    async fn read_once<P: Proxysql>(&mut self, admin: &mut P) -> Result<Snapshot, RoundError> {
        let mut first = admin.run(&Statement::Health(self.pgsql)).await;
        if first.as_ref().is_err_and(AdminError::is_lost) {
            // ProxySQL was restarted since the last statement.
            first = admin.run(&Statement::Health(self.pgsql)).await;
        }
        let answer = match first {
            // Another release than before is behind the port.
            Err(error) if self.pgsql && error.names_no_such_table() => {
                self.pgsql = false;
                admin.run(&Statement::Health(false)).await?
            }
            answer => answer?,
        };
        let snapshot = Snapshot::read(&answer.rows)?;
        if snapshot.pgsql == self.pgsql {
            return Ok(snapshot);
        }
        self.pgsql = snapshot.pgsql;
        Ok(Snapshot::read(&admin.run(&Statement::Health(self.pgsql)).await?.rows)?)
    }
}
