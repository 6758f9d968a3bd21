//! The SQL that holds a module in memory against the same module in effect.
//!
//! `ProxySQL` compares, not the agent: only rows that differ travel. Secrets in them are made fingerprints as they are read (see
//! [`crate::domain::config_file::publish::differences`]): that one differs is not enough to know whether it is the one that was loaded. What it shows of a module in effect is
//! not word for word what it was given (see [`Shape`]); both sides are brought to the form that is in effect before they are compared.

use std::fmt::{self, Formatter, Write as _};

use super::super::module::{Module, Shape, Table};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether it is part of what the table keeps unique.
    pub key: bool,
}

impl Column {
    /// Whether no output may show its values. Attributes can hold a second password.
    pub fn is_secret(&self) -> bool {
        matches!(self.name.as_str(), "password" | "attributes")
    }
}

/// Parts of the names of variables whose values no output may show.
const SECRET: [&str; 4] = ["password", "credentials", "secret", "token"];

/// Whether no output may show the variable's value.
pub fn is_secret_variable(name: &str) -> bool {
    SECRET.iter().any(|part| name.contains(part))
}

/// Rows that one comparison shows. That there is one is all that a decision needs.
const MOST_ROWS: usize = 10_000;

/// Where rows are read from.
#[derive(Clone, Copy)]
enum Layer {
    Memory,
    Runtime,
}

pub(super) fn empty(f: &mut Formatter<'_>, table: Table) -> fmt::Result {
    write!(f, "DELETE FROM {}", table.name)?;
    match table.shape {
        Shape::Variables(prefix) => write!(f, " WHERE variable_name LIKE '{prefix}%'"),
        _ => Ok(()),
    }
}

/// The copy of a table.
pub(super) fn kept(table: Table) -> String {
    format!("main.{}", kept_name(table))
}

/// The name of the copy of a table.
pub fn kept_name(table: Table) -> String {
    match table.shape {
        Shape::Variables(prefix) => format!("proxysql_agent_kept_{}_variables", prefix.trim_end_matches('-')),
        _ => format!("proxysql_agent_kept_{}", table.name),
    }
}

pub(super) fn keep(f: &mut Formatter<'_>, table: Table) -> fmt::Result {
    write!(f, "CREATE TABLE {} AS SELECT * FROM main.{}", kept(table), table.name)?;
    match table.shape {
        Shape::Variables(prefix) => write!(f, " WHERE variable_name LIKE '{prefix}%'"),
        _ => Ok(()),
    }
}

pub(super) fn trim(f: &mut Formatter<'_>, table: Table) -> fmt::Result {
    empty(f, table)?;
    write!(f, " AND variable_name NOT IN (SELECT variable_name FROM {})", kept(table))
}

pub(super) fn columns(f: &mut Formatter<'_>, module: Module, what: &str) -> fmt::Result {
    for (i, Table { name, .. }) in module.tables().iter().enumerate() {
        let and = if i > 0 { " UNION ALL " } else { "" };
        write!(f, "{and}SELECT '{name}', name, {what} FROM pragma_table_info('{name}')")?;
    }
    Ok(())
}

pub(super) fn count(f: &mut Formatter<'_>, Table { name, shape }: Table) -> fmt::Result {
    let (memory, runtime) = match shape {
        Shape::Users => {
            ("count(DISTINCT username) FROM main.{} WHERE active=1", "count(DISTINCT username) FROM runtime_{}")
        }
        Shape::Servers => (
            "count(*) FROM main.{} WHERE status<>'OFFLINE_HARD'",
            "count(*) FROM runtime_{} WHERE status<>'OFFLINE_HARD'",
        ),
        _ => ("count(*) FROM main.{}", "count(*) FROM runtime_{}"),
    };
    let (memory, runtime) = (memory.replace("{}", name), runtime.replace("{}", name));
    write!(f, "SELECT (SELECT count(*) FROM main.{name}), (SELECT {memory}), (SELECT {runtime})")
}

pub(super) fn compare(f: &mut Formatter<'_>, table: Table, columns: &[Column]) -> fmt::Result {
    let (memory, runtime) = (normal(table, columns, Layer::Memory), normal(table, columns, Layer::Runtime));
    let names = names(columns);
    write!(
        f,
        "SELECT 'file' AS side, {names} FROM (SELECT {names} FROM ({memory}) EXCEPT SELECT {names} FROM ({runtime})) \
         UNION ALL SELECT 'runtime', {names} FROM (SELECT {names} FROM ({runtime}) EXCEPT SELECT {names} FROM ({memory})) \
         LIMIT {MOST_ROWS}"
    )
}

pub(super) fn read_rows(
    f: &mut Formatter<'_>,
    layer: &str,
    table: Table,
    columns: &[String],
    (rows, after): (usize, usize),
) -> fmt::Result {
    let names: Vec<String> = columns.iter().map(|name| format!("\"{name}\"")).collect();
    write!(f, "SELECT {} FROM {layer}{}", names.join(", "), table.name)?;
    match table.shape {
        Shape::Variables(prefix) => write!(f, " WHERE variable_name LIKE '{prefix}%'")?,
        Shape::Servers if layer == "runtime_" => f.write_str(" WHERE status<>'OFFLINE_HARD'")?,
        _ => {}
    }
    write!(f, " LIMIT {rows} OFFSET {after}")
}

/// Variables that stay on their node.
const LOCAL: [&str; 8] = [
    "admin-mysql_ifaces",
    "admin-restapi_port",
    "admin-telnet_admin_ifaces",
    "admin-telnet_stats_ifaces",
    "admin-version",
    "admin-web_port",
    "mysql-interfaces",
    "mysql-threads",
];

pub(super) fn read_in_effect(f: &mut Formatter<'_>, table: Table, columns: &[Column]) -> fmt::Result {
    let literal = |Column { name, .. }: &Column| match (table.shape, name.as_str()) {
        (Shape::Servers, "status") => {
            "quote(CASE WHEN status LIKE 'SHUNNED%' THEN 'ONLINE' ELSE status END)".to_owned()
        }
        (_, name) => format!("quote(\"{name}\")"),
    };
    let literals: Vec<String> = columns.iter().map(literal).collect();
    write!(f, "SELECT {} FROM runtime_{}", literals.join(", "), table.name)?;
    match table.shape {
        Shape::Variables(prefix) => {
            let local: Vec<String> = LOCAL.iter().map(|name| format!("'{name}'")).collect();
            write!(f, " WHERE variable_name LIKE '{prefix}%' AND variable_name NOT IN ({})", local.join(", "))
        }
        Shape::Servers => f.write_str(" WHERE status<>'OFFLINE_HARD'"),
        _ => Ok(()),
    }
}

pub(super) fn write_rows(f: &mut Formatter<'_>, table: Table, columns: &[Column], rows: &[Vec<String>]) -> fmt::Result {
    let rows: Vec<String> = rows.iter().map(|row| format!("({})", row.join(", "))).collect();
    write!(f, "INSERT OR REPLACE INTO {} ({}) VALUES {}", table.name, names(columns), rows.join(", "))
}

pub(super) fn write_row(f: &mut Formatter<'_>, table: Table, row: &[(String, Option<String>)]) -> fmt::Result {
    let names: Vec<String> = row.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let literal = |(_, value): &(String, Option<String>)| match value {
        Some(value) => format!("'{}'", value.replace('\'', "''")),
        None => "NULL".to_owned(),
    };
    let literals: Vec<String> = row.iter().map(literal).collect();
    write!(f, "INSERT OR REPLACE INTO {} ({}) VALUES ({})", table.name, names.join(", "), literals.join(", "))
}

/// Whether a text is what SQL's `quote` makes of a value: what is read on another node becomes a part of a statement here.
pub fn is_literal(text: &str) -> bool {
    let inner = |text: &str| text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).map(ToOwned::to_owned);
    if let Some(inner) = inner(text) {
        return !inner.replace("''", "").contains('\'');
    }
    if let Some(hex) = text.strip_prefix('X').and_then(inner) {
        return hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    }
    let after = |i: usize, wanted: u8| i.checked_sub(1).is_some_and(|before| text.as_bytes()[before] == wanted);
    let is_number = text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().enumerate().all(|(i, byte)| match byte {
            b'0'..=b'9' | b'.' => true,
            b'e' => i > 0,
            b'-' => i == 0 || after(i, b'e'),
            b'+' => after(i, b'e'),
            _ => false,
        });
    text == "NULL" || is_number
}

fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
}

/// The rows of a table in the form in which they are in effect.
fn normal(table: Table, columns: &[Column], layer: Layer) -> String {
    let source = match layer {
        Layer::Memory => format!("main.{}", table.name),
        Layer::Runtime => format!("runtime_{}", table.name),
    };
    match (table.shape, layer) {
        (Shape::Plain | Shape::NotInConfigFile, _) | (Shape::Users, Layer::Runtime) => {
            format!("SELECT {} FROM {source}", names(columns))
        }
        (Shape::Variables(prefix), _) => {
            format!("SELECT {} FROM {source} WHERE variable_name LIKE '{prefix}%'", names(columns))
        }
        (Shape::Users, Layer::Memory) => {
            let side = |side: &str| {
                let values = |name: &str| match name {
                    "active" => Some("1".to_owned()),
                    "frontend" | "backend" => Some(u8::from(name == side).to_string()),
                    _ => None,
                };
                format!("SELECT {} FROM {source} WHERE active=1 AND {side}=1", selected(columns, values))
            };
            format!("{} UNION ALL {}", side("frontend"), side("backend"))
        }
        (Shape::Servers, _) => {
            let values = |name: &str| match name {
                "status" => Some("CASE WHEN status LIKE 'SHUNNED%' THEN 'ONLINE' ELSE status END".to_owned()),
                _ => None,
            };
            format!("SELECT {} FROM {source} WHERE status<>'OFFLINE_HARD'", selected(columns, values))
        }
        (Shape::Rules, _) => {
            let digest = |name: &str| {
                (name == "digest")
                    .then(|| "'0x' || upper(substr('0000000000000000' || substr(digest, 3), -16))".to_owned())
            };
            format!("SELECT {} FROM {source} WHERE active=1", selected(columns, digest))
        }
    }
}

fn selected(columns: &[Column], value: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    for (i, Column { name, .. }) in columns.iter().enumerate() {
        let and = if i > 0 { ", " } else { "" };
        // Writing to a string does not fail.
        let _ = match value(name) {
            Some(value) => write!(text, "{and}{value} AS \"{name}\""),
            None => write!(text, "{and}\"{name}\""),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::is_literal;

    #[test]
    fn only_a_value_is_a_literal() {
        for literal in ["NULL", "0", "-7", "1.5e+10", "''", "'a'", "'it''s'", "X'00FF'", "'; DROP TABLE x'"] {
            assert!(is_literal(literal), "{literal}");
        }
        let others =
            ["", "'", "'a", "'a'b'", "'a''", "1), (2", "X'zz'", "(SELECT 1)", "null", "-", "1--", "'a' || 'b'"];
        for other in others {
            assert!(!is_literal(other), "{other}");
        }
    }
}
