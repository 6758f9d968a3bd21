//! A module of the configuration file in `ProxySQL`'s memory, before it takes effect: read, counted, compared, and put back.

use std::collections::BTreeMap;

use super::{Proxysql, passed_over, placement};
use crate::domain::config_file::{PassedOver, Reading};
use crate::domain::observation::Checksum;
use crate::domain::publish::{self, Candidate, Change, Credentials, Difference, Judgement};
use crate::domain::statement::comparison::Column;
use crate::domain::statement::{Module, Shape, Statement, Table, Worker};
use crate::domain::tally::{Count, Guard};
use crate::edge::admin::{AdminError, Answer};

/// A module as the file has it, now in memory.
pub(super) struct Draft {
    pub(super) tables: BTreeMap<Table, Vec<Column>>,
    pub(super) candidate: Candidate,
    /// Entries that `ProxySQL` counted and did not take: invalid ones, and those that another one replaced.
    pub(super) lost: u64,
    /// What it did not take, counted or not, as far as the file is seen.
    pub(super) passed_over: Vec<PassedOver>,
    /// Sections of the file that this release does not read, though it has the tables.
    pub(super) unread: Vec<&'static str>,
    /// What it would change.
    pub(super) differences: Vec<Difference>,
    /// To be run before it is loaded.
    pub(super) before_load: placement::Remembering,
    /// No two looks agreed on that.
    pub(super) is_torn: bool,
}

/// Why the module must not take effect.
pub(super) async fn objection<P: Proxysql>(
    module: Module,
    draft: &Draft,
    reading: &Reading,
    allow_empty: bool,
    admin: &mut P,
) -> Result<Option<String>, AdminError> {
    let removes = draft.differences.iter().any(|difference| difference.change == Change::Removed);
    if let Some(reason) = passed_over::objection(&draft.passed_over, reading.is_blind(), draft.lost, removes) {
        admin.count(Count::Refusal(Guard::PassedOver));
        return Ok(Some(reason));
    }
    if let Judgement::Refuse(reason) = publish::judge(module, &draft.candidate, allow_empty) {
        admin.count(Count::Refusal(Guard::WouldEmpty));
        return Ok(Some(reason));
    }
    if module != Module::AdminVariables {
        return Ok(None);
    }
    let (username, password) = admin.login().await;
    let lockout = credentials(admin).await?.lockout(&username, password.as_deref());
    if lockout.is_some() {
        admin.count(Count::Refusal(Guard::Lockout));
    }
    Ok(lockout)
}

/// How often something is looked at again until it is the same twice.
const MOST_LOOKS: usize = 4;
/// For how long a claim of somebody else holds, in seconds: he may have ended without giving it back.
const STALE: i64 = 60;

/// Takes memory for this process alone, among those of the agent. Whether it is its own now. An agent takes over what an agent has
/// claimed: its predecessor, or itself before the connection broke.
pub(super) async fn claim<P: Proxysql>(worker: Worker, admin: &mut P) -> Result<bool, AdminError> {
    if is_claimed(admin.run(&Statement::Claim(worker)).await)? {
        return Ok(true);
    }
    let held = match admin.run(&Statement::ClaimAge).await {
        Ok(answer) => answer.rows.into_iter().next(),
        // Given back in this moment, or of an older agent, which did not say whose it was.
        Err(error) if error.is_refusal() => None,
        Err(error) => return Err(error),
    };
    let holds = held.is_some_and(|row| {
        let column = |i: usize| row.get(i).map(String::as_str).unwrap_or_default();
        let is_own = worker == Worker::Agent && column(1) == worker.as_str();
        !is_own && column(0).parse().is_ok_and(|age: i64| (0..STALE).contains(&age))
    });
    if holds {
        return Ok(false);
    }
    release(admin).await?;
    is_claimed(admin.run(&Statement::Claim(worker)).await)
}

fn is_claimed(answer: Result<Answer, AdminError>) -> Result<bool, AdminError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.says_it_exists() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Others may have it.
pub(super) async fn release<P: Proxysql>(admin: &mut P) -> Result<(), AdminError> {
    admin.run(&Statement::Release).await.map(drop)
}

/// Copies a table in memory aside. A copy that is there is of a process that did not come to its end: memory is not what it was.
pub(super) async fn keep<P: Proxysql>(table: Table, admin: &mut P) -> Result<(), AdminError> {
    match admin.run(&Statement::Keep(table)).await {
        Err(error) if error.says_it_exists() => {
            take_back(table, admin).await?;
            admin.run(&Statement::Keep(table)).await.map(drop)
        }
        outcome => outcome.map(drop),
    }
}

/// Makes a table in memory what it was when it was copied aside. Variables are not without a value in between, for their table is never
/// emptied: only names that were not there go.
pub(super) async fn take_back<P: Proxysql>(table: Table, admin: &mut P) -> Result<(), AdminError> {
    let statements = match table.shape {
        Shape::Variables(_) => [Statement::TakeBack(table), Statement::Trim(table), Statement::DropKept(table)],
        _ => [Statement::Empty(table), Statement::TakeBack(table), Statement::DropKept(table)],
    };
    for statement in statements {
        admin.run(&statement).await?;
    }
    Ok(())
}

/// Makes a module in memory what the file says, and holds it against what is in effect. On an error memory is to be put back.
pub(super) async fn draft<P: Proxysql>(module: Module, reading: &Reading, admin: &mut P) -> Result<Draft, AdminError> {
    let has_section = reading.has_section(module);
    let tables = columns(module, admin).await?;
    for table in tables.keys() {
        admin.run(&Statement::Empty(*table)).await?;
    }
    if module.is_variables() {
        admin.run(&Statement::SaveToMemory(module)).await?;
    }
    let entries = admin.run(&Statement::LoadFromConfig(module)).await?.affected;
    let mut draft = Draft {
        tables,
        candidate: Candidate::default(),
        lost: 0,
        passed_over: Vec::new(),
        unread: Vec::new(),
        differences: Vec::new(),
        before_load: Vec::new(),
        is_torn: false,
    };
    let (mut taken, mut first) = (0, (0, 0, 0));
    for table in draft.tables.keys().filter(|_| !module.is_variables()) {
        let counts = count(*table, admin).await?;
        taken += counts.0;
        if module.tables().first() == Some(table) {
            first = counts;
        }
        if table.shape == Shape::Wordless && counts.0 == 0 {
            take_from_runtime(*table, admin).await?;
            draft.unread.extend(reading.section(table.section()).map(|_| table.section()));
        }
    }
    if !module.is_variables() {
        draft.lost = entries.saturating_sub(taken);
    }
    let read: BTreeMap<Table, Vec<Column>> = draft
        .tables
        .iter()
        .filter(|(table, _)| !draft.unread.contains(&table.name))
        .map(|(t, c)| (*t, c.clone()))
        .collect();
    draft.passed_over = passed_over::find(module, reading, &read, admin).await?;
    draft.candidate = Candidate { entries, has_section, effective: first.1, in_effect: first.2 };
    draft.before_load = placement::settle(&draft.tables, admin).await?;
    let compared = compare(&draft.tables, admin).await?;
    draft.is_torn = compared.is_none();
    draft.differences = compared.unwrap_or_default();
    Ok(draft)
}

/// Makes a module in memory what is in effect.
pub(super) async fn put_back<P: Proxysql>(module: Module, admin: &mut P) -> Result<(), AdminError> {
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

pub(super) async fn mark<P: Proxysql>(
    module: Module,
    checksum: Option<String>,
    admin: &mut P,
) -> Result<(), AdminError> {
    admin.run(&Statement::MarkPublished(module, checksum.filter(|checksum| !checksum.is_empty()))).await?;
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
async fn take_from_runtime<P: Proxysql>(table: Table, admin: &mut P) -> Result<(), AdminError> {
    for _ in 0..MOST_LOOKS {
        admin.run(&Statement::TakeFromRuntime(table)).await?;
        let (taken, _, in_effect) = count(table, admin).await?;
        if taken >= in_effect {
            break;
        }
    }
    Ok(())
}

/// Compares until two looks in succession agree. `None` where none do: somebody keeps ProxySQL writing down what is in effect.
pub(super) async fn compare<P: Proxysql>(
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Option<Vec<Difference>>, AdminError> {
    let mut last = compare_once(tables, admin).await?;
    for _ in 0..MOST_LOOKS {
        let differences = compare_once(tables, admin).await?;
        if differences == last {
            return Ok(Some(differences));
        }
        last = differences;
    }
    Ok(None)
}

async fn compare_once<P: Proxysql>(
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Vec<Difference>, AdminError> {
    let mut differences = Vec::new();
    for (table, columns) in tables {
        let answer = admin.run(&Statement::Compare(*table, columns.clone())).await?;
        differences.extend(publish::differences(*table, columns, &answer.rows));
    }
    Ok(differences)
}

/// Where a module stands on this node.
pub(super) async fn standing<P: Proxysql>(module: Module, admin: &mut P) -> Result<Checksum, AdminError> {
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

pub(super) async fn credentials<P: Proxysql>(admin: &mut P) -> Result<Credentials, AdminError> {
    let mut credentials = Credentials::default();
    for row in admin.run(&Statement::Credentials).await?.rows {
        let Ok([name, value]) = <[String; 2]>::try_from(row) else { continue };
        match name.as_str() {
            "admin-admin_credentials" => credentials.admin = value,
            "admin-cluster_username" => credentials.cluster_username = value,
            "admin-cluster_password" => credentials.cluster_password = value,
            _ => credentials.clustered = !value.is_empty(),
        }
    }
    Ok(credentials)
}
