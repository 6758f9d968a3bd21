//! Servers in memory as `ProxySQL` would have them by now, so that a load neither undoes a failover nor loses who was discovered.

use std::collections::BTreeMap;

use super::Proxysql;
use super::memory::MOST_LOOKS;
use crate::domain::config_file::placement::{HostgroupSet, Monitor, Placed, ServerRow, Sight, place};
use crate::domain::proxysql::statement::placing::{DiscoveredBy, INSTEAD, LOADED, Placing, SAID};
use crate::domain::proxysql::statement::table_sql::{Column, is_literal};
use crate::domain::proxysql::statement::{Shape, Statement, Table};
use crate::edge::admin::AdminError;

/// Rows in one statement.
const BATCH: usize = 100;

/// What is to be run before the load, so that it is known afterwards what the file said.
pub(super) type Remembering = Vec<Statement>;

/// Puts the servers of a draft in memory where they are to stand. Nothing else is done where a module has none.
pub(super) async fn settle<P: Proxysql>(
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Remembering, AdminError> {
    let Some((table, columns)) = tables.iter().find(|(table, _)| table.shape == Shape::Servers) else {
        return Ok(Vec::new());
    };
    let (table, names) = (*table, columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>());
    let groups = groups(tables, admin).await?;
    if groups.is_empty() {
        return Ok(vec![Statement::Placing(Placing::Forget(table))]);
    }
    let read = |rows: &[Vec<String>]| -> Vec<ServerRow> {
        rows.iter().filter_map(|row| ServerRow::read(&names, row)).collect()
    };
    let file = read(&admin.run(&Statement::Placing(Placing::Memory(table, columns.clone()))).await?.rows);
    let Some(runtime) = in_effect(table, columns, admin).await? else { return Ok(Vec::new()) };
    let recalled = optional(Placing::Recall(table, columns.clone()), admin).await?.unwrap_or_default();
    let side = |wanted: &str| -> Vec<ServerRow> {
        let rows = recalled.iter().filter_map(|row| row.split_first()).filter(|(side, _)| *side == wanted);
        rows.filter_map(|(_, row)| ServerRow::read(&names, row)).collect()
    };
    let sight = Sight {
        file,
        runtime: read(&runtime),
        loaded: loaded(table, &names, admin).await?,
        instead: (side(SAID), side(INSTEAD)),
        groups,
        monitor: monitor(table, tables, admin).await?,
    };
    let placed = place(&sight);
    write(table, columns, &names, &placed, admin).await?;
    Ok(remembering(table, columns, &names, &placed))
}

async fn write<P: Proxysql>(
    table: Table,
    columns: &[Column],
    names: &[&str],
    placed: &Placed,
    admin: &mut P,
) -> Result<(), AdminError> {
    for rows in placed.remove.chunks(BATCH) {
        let keys = rows.iter().map(|row| (row.hostgroup, row.server.0.clone(), row.server.1.clone())).collect();
        admin.run(&Statement::Placing(Placing::Remove(table, keys))).await?;
    }
    for rows in placed.write.chunks(BATCH) {
        let rows = rows.iter().map(|row| row.literals(names)).collect();
        admin.run(&Statement::Write(table, columns.to_vec(), rows)).await?;
    }
    Ok(())
}

fn remembering(table: Table, columns: &[Column], names: &[&str], placed: &Placed) -> Remembering {
    let mut statements = vec![Placing::Forget(table)];
    if placed.instead != (Vec::new(), Vec::new()) {
        statements.push(Placing::Prepare(table));
    }
    for (side, rows) in [(SAID, &placed.instead.0), (INSTEAD, &placed.instead.1)] {
        for rows in rows.chunks(BATCH) {
            let rows = rows.iter().map(|row| row.literals(names)).collect();
            statements.push(Placing::Remember(table, side, columns.to_vec(), rows));
        }
    }
    statements.into_iter().map(Statement::Placing).collect()
}

/// What is in effect, read until it is the same twice; `None` where it never is.
async fn in_effect<P: Proxysql>(
    table: Table,
    columns: &[Column],
    admin: &mut P,
) -> Result<Option<Vec<Vec<String>>>, AdminError> {
    let statement = Statement::ReadInEffect(table, columns.to_vec());
    let mut last = admin.run(&statement).await?.rows;
    for _ in 0..MOST_LOOKS {
        let rows = admin.run(&statement).await?.rows;
        if rows == last {
            return Ok(Some(rows));
        }
        last = rows;
    }
    Ok(None)
}

/// The rows as they were last loaded, in the order of this release's columns.
async fn loaded<P: Proxysql>(
    table: Table,
    names: &[&str],
    admin: &mut P,
) -> Result<Option<Vec<ServerRow>>, AdminError> {
    let Some(rows) = optional(Placing::Loaded(table), admin).await? else { return Ok(None) };
    let given: Vec<&str> = LOADED.into_iter().filter(|name| names.contains(name)).collect();
    if given.len() != names.len() {
        return Ok(None);
    }
    let literal = |name: &str, value: &str| match name {
        "hostname" | "status" | "comment" => format!("'{}'", value.replace('\'', "''")),
        _ => value.to_owned(),
    };
    let read = |row: &Vec<String>| {
        let values: BTreeMap<&str, String> =
            given.iter().zip(row).map(|(name, value)| (*name, literal(name, value))).collect();
        let literals: Vec<String> = names.iter().filter_map(|name| values.get(name).cloned()).collect();
        literals.iter().all(|value| is_literal(value)).then(|| ServerRow::read(names, &literals)).flatten()
    };
    Ok(Some(rows.iter().filter_map(read).collect()))
}

async fn groups<P: Proxysql>(
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Vec<HostgroupSet>, AdminError> {
    let has_pair = |columns: &[Column]| columns.iter().any(|column| column.name == "writer_hostgroup");
    let of: Vec<Table> = tables.iter().filter(|(_, columns)| has_pair(columns)).map(|(table, _)| *table).collect();
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let answer = admin.run(&Statement::Placing(Placing::Groups(of))).await?;
    let group = |row: &Vec<String>| {
        let numbers: Vec<i64> = row.iter().filter_map(|value| value.parse().ok()).collect();
        let [is_pair, is_known, writer, others @ ..] = &numbers[..] else { return None };
        let mut others = others.to_vec();
        others.dedup();
        Some(HostgroupSet { writer: *writer, others, is_pair: *is_pair == 1, is_known: *is_known == 1 })
    };
    Ok(answer.rows.iter().filter_map(group).collect())
}

async fn monitor<P: Proxysql>(
    table: Table,
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Monitor, AdminError> {
    let mut monitor = Monitor::default();
    for row in admin.run(&Statement::Placing(Placing::Monitor(table))).await?.rows {
        let Ok([name, value]) = <[String; 2]>::try_from(row) else { continue };
        let is_true = value == "true";
        if name.ends_with("monitor_enabled") {
            monitor.enabled = is_true;
        } else {
            monitor.writer_is_also_reader = is_true;
        }
    }
    for row in optional(Placing::Answered(table), admin).await?.unwrap_or_default() {
        let [hostname, port, read_only, ..] = row.as_slice() else { continue };
        monitor.answered.insert((hostname.clone(), port.clone()), read_only != "0");
    }
    let sources = [
        ("mysql_group_replication_hostgroups", DiscoveredBy::GroupReplication),
        ("mysql_galera_hostgroups", DiscoveredBy::Galera),
        ("mysql_aws_aurora_hostgroups", DiscoveredBy::Aurora),
    ];
    for (name, discovery) in sources {
        if !tables.keys().any(|table| table.name == name) {
            continue;
        }
        for row in optional(Placing::Members(discovery), admin).await?.unwrap_or_default() {
            let Ok([hostname, port]) = <[String; 2]>::try_from(row) else { continue };
            let server = (hostname, port);
            if discovery != DiscoveredBy::Galera {
                monitor.members.insert(server.clone());
            }
            monitor.answered.entry(server).or_insert(false);
        }
    }
    Ok(monitor)
}

/// The answer to what not every release knows.
async fn optional<P: Proxysql>(statement: Placing, admin: &mut P) -> Result<Option<Vec<Vec<String>>>, AdminError> {
    match admin.run(&Statement::Placing(statement)).await {
        Ok(answer) => Ok(Some(answer.rows)),
        Err(error) if error.is_refusal() => Ok(None),
        Err(error) => Err(error),
    }
}
