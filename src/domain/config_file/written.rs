//! The rows that `ProxySQL` makes of a section, for a file that it does not read itself.
//!
//! It fills a statement for each entry with what the entry names and with defaults of its own, and puts quotes around texts, which it does
//! not escape but in comments.

use std::collections::BTreeMap;

use super::entries::{Entry, entries};
use super::{Setting, Value};
use crate::domain::proxysql::module::Table;

/// What comes of a section.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Entries that `ProxySQL` counts.
    pub counted: u64,
    /// Rows: column and value, `None` for NULL.
    pub rows: Vec<Vec<(String, Option<String>)>>,
}

/// Where `ProxySQL`'s default for a column is not that of the table.
const DEFAULTS: [(&str, &str, &str); 6] = [
    ("mysql_users", "default_schema", ""),
    ("mysql_query_rules", "active", "1"),
    ("pgsql_query_rules", "active", "1"),
    ("scheduler", "interval_ms", "0"),
    ("mysql_replication_hostgroups", "check_type", "read_only"),
    ("mysql_servers_ssl_params", "comment", ""),
];

/// Rows of a section of variables.
pub fn written_variables(prefix: &str, settings: &[Setting]) -> Written {
    let row = |Setting { name, value }: &Setting| {
        let value = match value {
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Text(bytes) => unquoted(&String::from_utf8_lossy(bytes), '"')?,
            _ => String::new(),
        };
        let name = ("variable_name".to_owned(), Some(format!("{prefix}{name}")));
        Some(vec![name, ("variable_value".to_owned(), Some(value))])
    };
    Written { counted: settings.len() as u64, rows: settings.iter().filter_map(row).collect() }
}

/// Rows of a section of a table, of whose columns those that are `true` are numbers.
pub fn written(table: Table, section: &Value, columns: &BTreeMap<String, bool>) -> Written {
    let entries = entries(table.name, section);
    let counted: Vec<&Entry<'_>> = entries.iter().filter(|entry| entry.has_key()).collect();
    Written {
        counted: counted.len() as u64,
        rows: counted.into_iter().filter_map(|entry| row(table, entry, columns)).collect(),
    }
}

/// One row; `None` where a quote ends a text of the statement too early.
fn row(table: Table, entry: &Entry<'_>, columns: &BTreeMap<String, bool>) -> Option<Vec<(String, Option<String>)>> {
    let defaults = DEFAULTS.iter().filter(|(of, column, _)| *of == table.name && columns.contains_key(*column));
    let mut row: BTreeMap<String, Option<String>> =
        defaults.map(|(_, column, value)| ((*column).to_owned(), Some((*value).to_owned()))).collect();
    for (column, value) in &entry.named {
        // ProxySQL has names of its own for some columns.
        let known = columns.iter().find(|(known, _)| known.eq_ignore_ascii_case(column));
        let Some((column, is_number)) = known.filter(|_| !is_unread(table, column)) else { continue };
        let value = match (value, is_number) {
            (Value::Int(number), true) => number_of(table, column, *number),
            (Value::Text(bytes), false) => Some(text_of(table, column, &String::from_utf8_lossy(bytes))?),
            _ => continue,
        };
        row.insert(column.clone(), value);
    }
    Some(row.into_iter().collect())
}

/// `ProxySQL` has no word for whether a group of hostgroups is active.
fn is_unread(table: Table, column: &str) -> bool {
    column == "active" && table.name.ends_with("_hostgroups")
}

/// In rules a number below 0 is none, and a switch is on or off.
fn number_of(table: Table, column: &str, number: i32) -> Option<String> {
    let is_rule = table.name.ends_with("query_rules");
    match column {
        "negate_match_pattern" | "apply" if is_rule => Some(u8::from(number != 0).to_string()),
        "rule_id" | "active" => Some(number.to_string()),
        _ if is_rule && number < 0 => None,
        _ => Some(number.to_string()),
    }
}

fn text_of(table: Table, column: &str, text: &str) -> Option<String> {
    let is_rule = table.name.ends_with("query_rules");
    let known = ["ONLINE", "SHUNNED", "OFFLINE_SOFT", "OFFLINE_HARD"];
    let checks = ["read_only", "innodb_read_only", "super_read_only"];
    let is_one_of = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match (table.name, column) {
        ("mysql_servers" | "pgsql_servers", "status") if !is_one_of(&known) => Some("ONLINE".to_owned()),
        ("mysql_replication_hostgroups", "check_type") if !is_one_of(&checks) => Some("read_only".to_owned()),
        (_, "comment") if !is_rule => Some(text.to_owned()),
        (_, "comment" | "attributes") => unquoted(text, '\''),
        (_, "hostname" | "status") => unquoted(text, '"'),
        _ if is_rule => unquoted(text, '"'),
        _ => unquoted(text, '\''),
    }
}

/// What is left of a text between such quotes: two of them stand for one, and one alone ends it.
fn unquoted(text: &str, quote: char) -> Option<String> {
    let doubled = format!("{quote}{quote}");
    let rest = text.replace(&doubled, "");
    (!rest.contains(quote)).then(|| text.replace(&doubled, &quote.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::{Texts, parse};
    use super::*;
    use crate::domain::proxysql::module::Module;

    fn section(text: &str) -> Value {
        parse(text.as_bytes(), &Texts::new()).settings.unwrap().remove(0).value
    }

    fn columns(of: &[(&str, bool)]) -> BTreeMap<String, bool> {
        of.iter().map(|(name, is_number)| ((*name).to_owned(), *is_number)).collect()
    }

    #[test]
    fn an_entry_is_written_as_proxysql_would() {
        let users = section(
            r#"mysql_users = ( { username="a", password="p", active=0 }, { username="o'hare", password="p" },
            { username="b", password="two''quotes", active="0", comment="it's" }, { password="x" } )"#,
        );
        let kinds = columns(&[("username", false), ("password", false), ("active", true), ("comment", false)]);
        let found = written(Module::MysqlUsers.tables()[0], &users, &kinds);
        assert_eq!((found.counted, found.rows.len()), (3, 2), "one has no name, one ends its text too early");
        let value = |row: usize, column: &str| {
            found.rows[row].iter().find(|(name, _)| name == column).and_then(|(_, value)| value.clone())
        };
        assert_eq!((value(0, "active"), value(1, "active")), (Some("0".into()), None), "no number");
        assert_eq!(value(1, "password"), Some("two'quotes".into()));
        assert_eq!(value(1, "comment"), Some("it's".into()));
    }

    #[test]
    fn rules_are_active_and_have_no_numbers_below_zero() {
        let rules = section(
            r#"r = ( { rule_id=1, flagOUT=-1, apply=7, match_digest="a\"b" }, { rule_id=2, flagOUT=-1, apply=7 } )"#,
        );
        let kinds = columns(&[
            ("rule_id", true),
            ("active", true),
            ("flagOUT", true),
            ("apply", true),
            ("match_digest", false),
        ]);
        let found = written(Module::MysqlQueryRules.tables()[0], &rules, &kinds);
        let row: BTreeMap<_, _> = found.rows[0].iter().cloned().collect();
        assert_eq!((found.counted, found.rows.len()), (2, 1));
        assert_eq!((&row["active"], &row["flagOUT"], &row["apply"]), (&Some("1".into()), &None, &Some("1".into())));
    }

    #[test]
    fn variables_are_texts_and_a_quote_ends_one() {
        let admin = section(r#"v = { a=true, b=5, c="x", d="x\"y", e=1.5 }"#);
        let found = written_variables("mysql-", admin.settings());
        let rows: Vec<_> = found.rows.iter().map(|row| row[1].1.clone().unwrap()).collect();
        assert_eq!((found.counted, rows), (5, ["true", "5", "x", ""].map(ToOwned::to_owned).to_vec()));
    }
}
