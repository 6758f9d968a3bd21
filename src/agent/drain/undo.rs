//! The end of a drain that does not end in SHUTDOWN: it was cancelled, or its agent ended before it did.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::{info, warn};

use super::super::Proxysql;
use super::super::memory::{columns, is_at_work, lock_memory, restore_backup, sweep, unlock_memory};
use super::variables;
use crate::domain::drain::closing::{self, WAS_PAUSED};
use crate::domain::drain::{Failure, Marked};
use crate::domain::proxysql::module::Module;
use crate::domain::proxysql::statement::{Statement, Worker};
use crate::edge::admin::AdminError;

/// What a client that connects gets to be answered. A thread that lets clients in does so within milliseconds.
const GREETING: Duration = Duration::from_secs(10);

/// Why a drain is not undone.
#[derive(Debug, thiserror::Error)]
pub(super) enum UndoError {
    /// No answer, or a refusal.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Memory is being worked on by another process.
    #[error("another process works on ProxySQL's memory")]
    Busy,
    /// Only a new process lets in all clients again.
    #[error("ProxySQL took RESUME, but {unanswered} of {of} connections to its port for clients had no answer for {} s", GREETING.as_secs())]
    Deaf {
        /// Connections without a word from it.
        unanswered: usize,
        /// Of so many.
        of: usize,
    },
    /// It was told to be as before, and is not.
    #[error("{0} is not as it was before the drain")]
    Differs(String),
}

impl UndoError {
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Admin(error) => failure(error),
            Self::Busy | Self::Differs(_) => Failure::Unsent,
            Self::Deaf { .. } => Failure::Deaf,
        }
    }
}

/// Whether a drain has begun in this `ProxySQL` that has not ended.
pub(super) async fn is_unfinished<P: Proxysql>(line: &mut P) -> Result<bool, AdminError> {
    Ok(!line.run(&Statement::IsDrainMarked).await?.rows.is_empty())
}

/// Puts variables back, opens the listener unless it was closed before the drain, and forgets the drain once it is seen that nothing is
/// left of it and clients are let in.
pub(super) async fn undo<P: Proxysql>(within: Duration, line: &mut P) -> Result<(), UndoError> {
    if !is_unfinished(line).await? {
        // ProxySQL was started again since, or nothing was changed: but PAUSE may have been, before there was a mark.
        resume(within, line).await?;
        return lets_in(line).await;
    }
    if is_at_work(line).await? {
        // An agent that was killed a moment ago has left what somebody was editing. Later that may be of any age.
        take_back_memory(line).await?;
    }
    let before = Marked::read(&line.run(&Statement::OwnValues).await?.rows);
    let changed = changed(line).await?;
    if !changed.variables.is_empty() {
        let modules: BTreeSet<Module> = changed.variables.iter().filter_map(|name| closing::module(name)).collect();
        if !variables::restore(modules, line).await? {
            return Err(UndoError::Busy);
        }
        info!(variables = changed.variables.join(" "), "restored the variables that the drain had set");
    }
    if !lock_memory(Worker::Agent, line).await? {
        return Err(UndoError::Busy);
    }
    let swept = sweep(line).await;
    unlock_memory(line).await?;
    swept?;
    if changed.paused != Some(false) && !before.paused {
        resume(within, line).await?;
    }
    let after = self::changed(line).await?;
    if let Some(name) = after.variables.into_iter().next() {
        return Err(UndoError::Differs(name));
    }
    if after.paused == Some(true) && !before.paused {
        return Err(UndoError::Differs("the listener".to_owned()));
    }
    if !before.paused {
        lets_in(line).await?;
    }
    line.run(&Statement::UnmarkDrain).await?;
    Ok(())
}

/// Whether clients that come are let in, whichever thread they meet.
async fn lets_in<P: Proxysql>(line: &mut P) -> Result<(), UndoError> {
    let rows = line.run(&Statement::Listener).await?.rows;
    match line.unanswered_clients(&rows, GREETING).await {
        Some((unanswered, of)) if unanswered > 0 => Err(UndoError::Deaf { unanswered, of }),
        _ => Ok(()),
    }
}

/// "Not paused" is as good as resumed.
async fn resume<P: Proxysql>(within: Duration, line: &mut P) -> Result<(), UndoError> {
    match line.run(&Statement::Resume(within)).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_refusal() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What an agent that ended in the middle of a change has left of memory.
async fn take_back_memory<P: Proxysql>(line: &mut P) -> Result<(), UndoError> {
    if !lock_memory(Worker::Agent, line).await? {
        return Err(UndoError::Busy);
    }
    let mut memory = Ok(());
    for module in [Module::AdminVariables, Module::MysqlVariables, Module::PgsqlVariables] {
        memory = memory.and(take_back_module(module, line).await);
    }
    unlock_memory(line).await?;
    Ok(memory?)
}

async fn take_back_module<P: Proxysql>(module: Module, line: &mut P) -> Result<(), AdminError> {
    let Some(table) = columns(module, line).await?.into_keys().next() else { return Ok(()) };
    match restore_backup(table, line).await {
        Err(error) if error.is_refusal() && !error.names_no_such_table() => {
            warn!(%module, reason = %error, "cannot restore the module that was being edited in MEMORY");
            Ok(())
        }
        Err(error) if error.is_refusal() => Ok(()),
        outcome => outcome,
    }
}

/// What is not as it was.
struct Changed {
    variables: Vec<String>,
    paused: Option<bool>,
}

async fn changed<P: Proxysql>(line: &mut P) -> Result<Changed, AdminError> {
    let mut found = Changed { variables: Vec::new(), paused: None };
    for row in line.run(&Statement::Changed).await?.rows {
        let Ok([name, value]) = <[String; 2]>::try_from(row) else { continue };
        if name == WAS_PAUSED {
            found.paused = Some(found.paused.unwrap_or_default() || value == "true");
        } else {
            found.variables.push(name);
        }
    }
    Ok(found)
}

pub(super) fn failure(error: &AdminError) -> Failure {
    if error.is_gone() {
        Failure::Gone
    } else if error.is_refusal() {
        Failure::Refused
    } else if error.may_have_been_sent() {
        Failure::Unanswered
    } else {
        Failure::Unsent
    }
}
