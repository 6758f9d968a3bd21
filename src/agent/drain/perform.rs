//! One effect of the shutdown after the other, as statements.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tracing::{error, info, warn};

use super::super::Proxysql;
use super::super::health::HealthLooks;
use super::super::round::RoundError;
use super::super::tracked_admin::TrackedAdmin;
use super::undo::{UndoError, failure, undo};
use super::variables;
use crate::domain::drain::{Before, Effect, Failure, Input, Marked, Pulls, Scope, Sessions};
use crate::domain::health::Snapshot;
use crate::domain::proxysql::statement::Statement;
use crate::edge::admin::AdminError;
use crate::state::StatusWriter;

/// Maintenance passes that worker threads have before them when PAUSE comes. Each of them closes its listener only in one, and the next
/// would come within a second; until then PAUSE holds the lock that every statement and every peer's check needs. On a 2.7.1 of four
/// threads PAUSE takes 3.6 s without and 6 ms with them.
const PASSES: u32 = 40;

/// What the effects need.
pub(super) struct Performer<'a, P> {
    pub(super) line: &'a mut TrackedAdmin<P>,
    pub(super) health: &'a mut HealthLooks,
    pub(super) writer: &'a StatusWriter,
    pub(super) clock: Instant,
    /// How to tell whether another node would take over what is set here.
    pub(super) pulled_by: Who,
}

/// Who might take over variables that are set on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::agent) enum Who {
    /// No node, unless one is seen to sync from here: a satellite.
    ///
    /// With how often nodes ask each other, here and below.
    Nobody(Duration),
    /// The other nodes, while they list this one, with this comment.
    Members(Duration, String),
    /// It cannot be told.
    Unknown,
}

pub(super) fn before(snapshot: &Snapshot) -> Before {
    Before {
        clients: snapshot.clients,
        served: snapshot.served,
        threads: snapshot.threads,
        workers: snapshot.workers,
        lists_idle: snapshot.lists_idle,
    }
}

impl<P: Proxysql + Send + Sync> Performer<'_, P> {
    pub(super) async fn perform(&mut self, effect: Effect) -> Input {
        match effect {
            Effect::Wait(until) => {
                sleep_until(self.clock + until).await;
                Input::Due
            }
            Effect::LookBefore(within) => self.look_before(within).await,
            Effect::Mark => match mark(self.line).await {
                Ok(marked) => Input::Marked(marked),
                Err(error) => {
                    info!(reason = %error, "cannot record in ProxySQL its state before the drain");
                    Input::Failed(failure(&error))
                }
            },
            Effect::Set(wanted) => match variables::set(&wanted, self.line).await {
                Ok(true) => Input::Answered,
                // Another process works on memory: a moment later it does not.
                Ok(false) => Input::Failed(Failure::Unsent),
                Err(error) => {
                    warn!(reason = %error, "cannot set the variables that close sessions");
                    Input::Failed(failure(&error))
                }
            },
            Effect::Sessions { detailed } => self.look(detailed).await,
            Effect::Tick(many) => match tick(many, self.line).await {
                Ok(()) => Input::Answered,
                Err(error) => Input::Failed(failure(&error)),
            },
            Effect::Kill(sessions) => self.kill(sessions).await,
            Effect::Pause(within) => {
                // Without them it takes longer, which its bound allows for.
                if let Err(error) = tick(PASSES, self.line).await {
                    info!(reason = %error, "cannot shorten PROXYSQL PAUSE");
                }
                self.command(Statement::Pause(within)).await
            }
            Effect::Undo(within) => match undo(within, self.line).await {
                Ok(()) => Input::Undone,
                Err(deaf @ UndoError::Deaf { .. }) => {
                    error!(
                        reason = %deaf,
                        "this node can no longer serve all clients; draining it so that ProxySQL is restarted"
                    );
                    Input::Failed(deaf.failure())
                }
                Err(error) => {
                    info!(reason = %error, "drain not undone yet");
                    Input::Failed(error.failure())
                }
            },
            Effect::Shutdown => self.command(Statement::Shutdown).await,
            Effect::Back(..) | Effect::End => std::future::pending().await,
        }
    }

    async fn look_before(&mut self, within: Option<Duration>) -> Input {
        let look = self.health.look(self.line, self.writer);
        let failed = match within {
            Some(within) => match timeout(within, look).await {
                Ok(failed) => failed,
                Err(_) => return Input::Failed(Failure::Unsent),
            },
            None => look.await,
        };
        match failed {
            Some(RoundError::Admin(error)) => Input::Failed(failure(&error)),
            Some(RoundError::Unreadable(_) | RoundError::Undo(_)) => Input::Failed(Failure::Unanswered),
            None => match self.writer.status().seen() {
                Some((snapshot, _)) => Input::Before(before(snapshot)),
                None => Input::Failed(Failure::Unanswered),
            },
        }
    }

    async fn look(&mut self, detailed: bool) -> Input {
        let pgsql = self.writer.status().seen().is_some_and(|(snapshot, _)| snapshot.pgsql);
        let pulls = match &self.pulled_by {
            Who::Nobody(check_interval) => Some(Pulls { check_interval: *check_interval, listed_as: None }),
            Who::Members(check_interval, comment) => {
                Some(Pulls { check_interval: *check_interval, listed_as: Some(comment.clone()) })
            }
            Who::Unknown => None,
        };
        let scope = Scope { pgsql, detailed, pulls };
        let mut answer = self.line.run(&Statement::Sessions(scope.clone())).await;
        let lacks_table = answer.as_ref().is_err_and(AdminError::names_no_such_table);
        if lacks_table {
            answer = self.line.run(&Statement::Sessions(Scope { pulls: None, ..scope })).await;
        }
        match answer.map(|answer| Sessions::read(&answer.rows)) {
            Ok(Ok(mut look)) => {
                // Before 2.4 no table tells who syncs from here; from a satellite no node does.
                if lacks_table && matches!(self.pulled_by, Who::Nobody(_)) {
                    look.syncs = Some(0);
                }
                self.writer.clients_counted(look.clients());
                Input::Looked(look)
            }
            Ok(Err(reason)) => {
                warn!(%reason, "cannot read client sessions");
                Input::Failed(Failure::Unanswered)
            }
            // Not the answer to a statement that changes anything.
            Err(error) if error.is_refusal() => {
                warn!(reason = %error, "cannot read client sessions");
                Input::Failed(Failure::Unanswered)
            }
            Err(error) => Input::Failed(failure(&error)),
        }
    }

    async fn kill(&mut self, sessions: Vec<u64>) -> Input {
        let mut told = Vec::with_capacity(sessions.len());
        for session in sessions {
            match self.line.run(&Statement::KillConnection(session)).await {
                Ok(_) => told.push(session),
                // It went by itself meanwhile.
                Err(error) if error.is_refusal() => {}
                Err(error) => return Input::Killed(told, Some(failure(&error))),
            }
        }
        Input::Killed(told, None)
    }

    async fn command(&mut self, statement: Statement) -> Input {
        match self.line.run(&statement).await {
            Ok(_) => Input::Answered,
            Err(error) => {
                info!(reason = %error, "{} did not return OK", statement.name());
                // "Already paused" is as good as paused; what is so is looked at next.
                if error.is_refusal() { Input::Answered } else { Input::Failed(failure(&error)) }
            }
        }
    }
}

async fn mark<P: Proxysql>(line: &mut P) -> Result<Marked, AdminError> {
    line.run(&Statement::MarkDrain).await?;
    Ok(Marked::read(&line.run(&Statement::OwnValues).await?.rows))
}

/// Each is answered with `ERR`: there is no such session.
async fn tick<P: Proxysql>(many: u32, line: &mut P) -> Result<(), AdminError> {
    for _ in 0..many {
        match line.run(&Statement::Tick).await {
            Ok(_) => {}
            Err(error) if error.is_refusal() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
