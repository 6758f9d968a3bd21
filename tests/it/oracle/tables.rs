//! What a ProxySQL has in effect and in memory, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};

use proxysql_fleet::node::Node;

use super::site::{ask, login};

/// A row, by the names of its columns.
pub(super) type Row = BTreeMap<String, String>;

/// Tables by name; those in effect begin with `runtime_`. The node's own address is `@IP@` in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look(pub(super) BTreeMap<String, Vec<Row>>);

/// Not what a file says: the list of members is the agent's, versions count loads, and the rest is built in.
const LEFT_OUT: [&str; 5] = [
    "runtime_checksums_values",
    "runtime_proxysql_servers",
    "proxysql_servers",
    "runtime_coredump_filters",
    "mysql_collations",
];

pub(super) async fn look(node: &Node) -> Look {
    let mut client = login(node).await;
    let names = "SELECT name FROM main.sqlite_master WHERE type='table' ORDER BY name";
    let (_, rows) = ask(&mut client, names).await;
    let mut tables = BTreeMap::new();
    for name in rows.into_iter().filter_map(|row| row.into_iter().next()?) {
        let known = name.starts_with("runtime_") || name.starts_with("mysql_") || name.starts_with("pgsql_");
        let beside = ["global_variables", "scheduler", "restapi_routes"].contains(&name.as_str());
        if !(known || beside) || LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let (columns, rows) = ask(&mut client, &format!("SELECT * FROM main.{name}")).await;
        let spec = node.spec();
        let own = [
            (spec.dir.to_string_lossy().into_owned(), "@DIR@"),
            (spec.admin().to_string(), "@ADMIN@"),
            (spec.mysql().to_string(), "@MYSQL@"),
            (spec.ip.to_string(), "@IP@"),
        ];
        let shown = |value: Option<String>| {
            let value = value.map(|value| own.iter().fold(value, |value, (is, name)| value.replace(is, name)));
            value.map_or("NULL".to_owned(), |value| format!("{value:?}"))
        };
        let row = |row: Vec<Option<String>>| columns.iter().cloned().zip(row.into_iter().map(shown)).collect();
        let mut rows: Vec<Row> = rows.into_iter().map(row).collect();
        rows.sort();
        tables.insert(name, rows);
    }
    Look(tables)
}

impl Look {
    pub(super) fn rows(&self, table: &str) -> &[Row] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    /// Takes over a table of another one.
    pub(super) fn take_over(&mut self, other: &Self, table: &str) {
        self.0.insert(table.to_owned(), other.rows(table).to_vec());
    }

    /// What is in effect of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let quoted = format!("{name:?}");
        let rows = self.rows("runtime_global_variables");
        let row = rows.iter().find(|row| row.get("variable_name") == Some(&quoted))?;
        row.get("variable_value").map(String::as_str)
    }

    /// The names of all variables in effect.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> {
        let rows = self.rows("runtime_global_variables").iter();
        rows.filter_map(|row| Some(row.get("variable_name")?.trim_matches('"').to_owned()))
    }
}

/// How rows of one table differ, in words; a server that is shunned is one that is online.
pub(super) fn differ(table: &str, wanted: &[Row], found: &[Row]) -> Vec<String> {
    let comparable = |rows: &[Row]| {
        let mut counted: BTreeMap<Row, i32> = BTreeMap::new();
        for row in rows {
            let mut row = row.clone();
            if let Some(status) = row.get_mut("status")
                && status.starts_with("\"SHUNNED")
            {
                "\"ONLINE\"".clone_into(status);
            }
            *counted.entry(row).or_default() += 1;
        }
        counted
    };
    let (wanted, found) = (comparable(wanted), comparable(found));
    let rows: BTreeSet<&Row> = wanted.keys().chain(found.keys()).collect();
    let mut words = Vec::new();
    for row in rows {
        let (of, is) = (wanted.get(row).copied().unwrap_or_default(), found.get(row).copied().unwrap_or_default());
        if of != is {
            let sign = if of > is { "missing" } else { "extra" };
            words.push(format!("{table}: {sign} {}", short(row)));
        }
    }
    words
}

/// Without what is as a table has it by itself.
pub(super) fn short(row: &Row) -> String {
    let told = row.iter().filter(|(_, value)| !["NULL", "\"\""].contains(&value.as_str()));
    told.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
