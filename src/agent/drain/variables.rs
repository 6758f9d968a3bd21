//! Variables at runtime, and nothing else: what is being edited in MEMORY is neither loaded along nor lost.

use std::collections::BTreeSet;

use super::super::Proxysql;
use super::super::memory::{back_up, columns, lock_memory, reset_memory, restore_backup, unlock_memory};
use crate::domain::drain::closing::{self, Variables};
use crate::domain::proxysql::statement::{Module, Statement, Worker};
use crate::edge::admin::AdminError;

/// Sets these; `false` where memory is being worked on by another process at the moment.
pub(super) async fn set<P: Proxysql>(variables: &Variables, line: &mut P) -> Result<bool, AdminError> {
    let modules: BTreeSet<Module> = variables.keys().filter_map(|name| closing::module(name)).collect();
    let change = |module| Statement::SetVariables(module, variables.clone());
    change_each(modules, change, line).await
}

/// Puts back what was there before the drain, in these modules; `false` as above.
pub(super) async fn restore<P: Proxysql>(modules: BTreeSet<Module>, line: &mut P) -> Result<bool, AdminError> {
    change_each(modules, Statement::RestoreVariables, line).await
}

async fn change_each<P: Proxysql>(
    modules: BTreeSet<Module>,
    change: impl Fn(Module) -> Statement,
    line: &mut P,
) -> Result<bool, AdminError> {
    if !lock_memory(Worker::Agent, line).await? {
        return Ok(false);
    }
    let mut changed = Ok(());
    for module in modules {
        changed = load(module, change(module), line).await;
        if changed.is_err() {
            break;
        }
    }
    let released = unlock_memory(line).await;
    changed?;
    released?;
    Ok(true)
}

/// Loads a module of variables as it is at runtime, but for one change.
async fn load<P: Proxysql>(module: Module, change: Statement, line: &mut P) -> Result<(), AdminError> {
    let Some(table) = columns(module, line).await?.into_keys().next() else { return Ok(()) };
    let is_own = matches!(change, Statement::RestoreVariables(_));
    let was_left = back_up(module, table, line).await?;
    let loaded = async {
        for statement in [Statement::SaveToMemory(module), change, Statement::LoadToRuntime(module)] {
            line.run(&statement).await?;
        }
        Ok(())
    }
    .await;
    if was_left && is_own {
        // What was kept aside was of the drain, not of anybody who was editing.
        reset_memory(module, line).await?;
        line.run(&Statement::DropBackup(table)).await?;
    } else {
        // As it was edited, whatever became of the load; a connection that broke is made again for it.
        restore_backup(table, line).await?;
    }
    loaded
}
