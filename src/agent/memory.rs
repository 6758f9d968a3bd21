//! A module in `ProxySQL`'s memory: locked, backed up, edited, and restored.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;

use super::Proxysql;
use crate::domain::proxysql::observation::Checksum;
use crate::domain::proxysql::statement::table_sql::{self, Column};
use crate::domain::proxysql::statement::{Module, Shape, Statement, Table, Worker};
use crate::edge::admin::{AdminError, Answer};

/// How often something is looked at again until it is the same twice.
pub(super) const MOST_LOOKS: usize = 4;
/// When the lock of another process expires, in seconds: that process may have died without releasing it.
const STALE: i64 = 60;

/// Takes memory for this process alone, among those of the agent. Whether it is its own now. An agent takes over what an agent has
/// claimed: its predecessor, or itself before the connection broke.
pub(super) async fn lock_memory<P: Proxysql>(worker: Worker, admin: &mut P) -> Result<bool, AdminError> {
    if is_claimed(admin.run(&Statement::LockMemory(worker)).await)? {
        return Ok(true);
    }
    let held = held(admin).await?;
    let holds = held.is_some_and(|(age, holder)| {
        let is_own = worker == Worker::Agent && holder == worker.as_str();
        !is_own && age.is_some_and(is_recent)
    });
    if holds {
        return Ok(false);
    }
    unlock_memory(admin).await?;
    is_claimed(admin.run(&Statement::LockMemory(worker)).await)
}

/// Whether somebody claimed memory a moment ago and has not given it back.
pub(super) async fn is_at_work<P: Proxysql>(admin: &mut P) -> Result<bool, AdminError> {
    Ok(held(admin).await?.is_some_and(|(age, _)| age.is_some_and(is_recent)))
}

fn is_recent(age: i64) -> bool {
    (0..STALE).contains(&age)
}

/// For how many seconds memory has been claimed, and by whom; `None` where it is not.
async fn held<P: Proxysql>(admin: &mut P) -> Result<Option<(Option<i64>, String)>, AdminError> {
    let row = match admin.run(&Statement::LockAge).await {
        Ok(answer) => answer.rows.into_iter().next(),
        // Given back in this moment, or of an older agent, which did not say whose it was.
        Err(error) if error.is_refusal() => None,
        Err(error) => return Err(error),
    };
    Ok(row.map(|row| {
        let column = |i: usize| row.get(i).cloned().unwrap_or_default();
        (column(0).parse().ok(), column(1))
    }))
}

fn is_claimed(answer: Result<Answer, AdminError>) -> Result<bool, AdminError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.says_it_exists() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Others may have it.
pub(super) async fn unlock_memory<P: Proxysql>(admin: &mut P) -> Result<(), AdminError> {
    admin.run(&Statement::UnlockMemory).await.map(drop)
}

/// Copies a table of a module in memory aside. A copy that is there is of a process that did not come to its end: memory is not what
/// anybody left it as, and the copy may be of any age. Answers whether there was one: memory was made what is in effect then.
pub(super) async fn back_up<P: Proxysql>(module: Module, table: Table, admin: &mut P) -> Result<bool, AdminError> {
    match admin.run(&Statement::Backup(table)).await {
        Err(error) if error.says_it_exists() => {
            admin.run(&Statement::DropBackup(table)).await?;
            reset_memory(module, admin).await?;
            admin.run(&Statement::Backup(table)).await?;
            Ok(true)
        }
        outcome => outcome.map(|_| false),
    }
}

/// Drops the copies of memory that a process has left which was killed, and restores those modules in memory from runtime: memory may hold a
/// candidate, which the next LOAD by hand would put into runtime. Memory must be claimed.
pub(super) async fn sweep<P: Proxysql>(admin: &mut P) -> Result<(), AdminError> {
    let left: BTreeSet<String> = admin.run(&Statement::Copies).await?.rows.into_iter().flatten().collect();
    if left.is_empty() {
        return Ok(());
    }
    for module in Module::in_file() {
        let tables: Vec<&Table> =
            module.tables().iter().filter(|table| left.contains(&table_sql::kept_name(**table))).collect();
        for table in &tables {
            admin.run(&Statement::DropBackup(**table)).await?;
        }
        if !tables.is_empty() {
            warn!(%module, "an interrupted edit was left in MEMORY; reset it from RUNTIME");
            reset_memory(module, admin).await?;
        }
    }
    Ok(())
}

/// Makes a table in memory what it was when it was copied aside. Variables are not without a value in between, for their table is never
/// emptied: only names that were not there go.
pub(super) async fn restore_backup<P: Proxysql>(table: Table, admin: &mut P) -> Result<(), AdminError> {
    let statements = match table.shape {
        Shape::Variables(_) => [Statement::Restore(table), Statement::Trim(table), Statement::DropBackup(table)],
        _ => [Statement::Empty(table), Statement::Restore(table), Statement::DropBackup(table)],
    };
    for statement in statements {
        admin.run(&statement).await?;
    }
    Ok(())
}

/// Makes a module in memory what is in effect.
pub(super) async fn reset_memory<P: Proxysql>(module: Module, admin: &mut P) -> Result<(), AdminError> {
    for table in columns(module, admin).await?.into_keys() {
        admin.run(&Statement::Empty(table)).await?;
        if module.is_local() {
            take_from_runtime(table, admin).await?;
        }
    }
    // SAVE RESTAPI TO MEMORY saves the scheduler (2.7.1).
    if module.is_local() {
        return Ok(());
    }
    admin.run(&Statement::SaveToMemory(module)).await?;
    Ok(())
}

/// Remembers that the module was published from this file.
pub(super) async fn set_marker<P: Proxysql>(
    module: Module,
    checksum: Option<String>,
    file: Option<String>,
    admin: &mut P,
) -> Result<(), AdminError> {
    let checksum = checksum.filter(|checksum| !checksum.is_empty());
    // An older mark may be there: of another file, or by an agent that did not say of which.
    admin.run(&Statement::ForgetPublished(module)).await?;
    admin.run(&Statement::MarkPublished(module, checksum, file)).await?;
    Ok(())
}

/// The tables of a module that this release has.
pub(super) async fn columns<P: Proxysql>(
    module: Module,
    admin: &mut P,
) -> Result<BTreeMap<Table, Vec<Column>>, AdminError> {
    let answer = admin.run(&Statement::Columns(module)).await?;
    let mut tables: BTreeMap<Table, Vec<Column>> = BTreeMap::new();
    for row in &answer.rows {
        let [name, column, key] = row.as_slice() else { continue };
        if let Some(table) = module.tables().iter().find(|table| table.name == name) {
            tables.entry(*table).or_default().push(Column { name: column.clone(), key: key != "0" });
        }
    }
    Ok(tables)
}

/// All rows of a table in memory, those that count, and those in effect: the most of two looks, for one may come from a moment in which
/// what is in effect is being written down.
pub(super) async fn count<P: Proxysql>(table: Table, admin: &mut P) -> Result<(u64, u64, u64), AdminError> {
    let mut most = (0, 0, 0);
    for _ in 0..2 {
        let answer = admin.run(&Statement::Count(table)).await?;
        let row = answer.rows.first();
        let number = |i: usize| row.and_then(|row| row.get(i)?.parse::<u64>().ok()).unwrap_or_default();
        most = (number(0).max(most.0), number(1).max(most.1), number(2).max(most.2));
    }
    Ok(most)
}

/// Takes what is in effect into an empty table in memory, all of it.
pub(super) async fn take_from_runtime<P: Proxysql>(table: Table, admin: &mut P) -> Result<(), AdminError> {
    for _ in 0..MOST_LOOKS {
        admin.run(&Statement::CopyFromRuntime(table)).await?;
        let (taken, _, in_effect) = count(table, admin).await?;
        if taken >= in_effect {
            break;
        }
    }
    Ok(())
}

/// Where a module stands on this node.
pub(super) async fn module_checksum<P: Proxysql>(module: Module, admin: &mut P) -> Result<Checksum, AdminError> {
    let mut row = None;
    // A look may come from a moment in which the table is being filled.
    for _ in 0..2 {
        let answer = admin.run(&Statement::Checksums).await?;
        row = answer.rows.into_iter().find(|row| row.first().is_some_and(|name| name == module.checksum_name()));
        if row.is_some() {
            break;
        }
    }
    let column = |i: usize| row.as_ref().and_then(|row| row.get(i)).map_or("", String::as_str);
    Ok(Checksum {
        version: column(1).parse().unwrap_or_default(),
        epoch: column(2).parse().unwrap_or_default(),
        checksum: column(3).to_owned(),
    })
}
