//! What the entries of a section name, in the words of the tables that they are for.

use super::Value;

/// Settings that stand for a column of another name. Of two for one column the first wins.
const ALIASES: [(&str, &str, &str); 7] = [
    ("mysql_servers", "address", "hostname"),
    ("mysql_servers", "hostgroup", "hostgroup_id"),
    ("pgsql_servers", "address", "hostname"),
    ("pgsql_servers", "hostgroup", "hostgroup_id"),
    ("proxysql_servers", "address", "hostname"),
    ("restapi_routes", "interval_ms", "timeout_ms"),
    ("mysql_query_rules", "ok_msg", "OK_msg"),
];

/// A column that makes a row unique, and what `ProxySQL` takes where the file has no value for it; `None` where it passes the entry over.
pub(super) struct EntryKey {
    pub(super) column: &'static str,
    pub(super) default: Option<&'static str>,
    is_text: bool,
}

const fn number(column: &'static str) -> EntryKey {
    EntryKey { column, default: None, is_text: false }
}

const fn text(column: &'static str) -> EntryKey {
    EntryKey { column, default: None, is_text: true }
}

impl EntryKey {
    const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// The keys by which the file names the rows of a table. A user's is the name alone: the file does not tell frontend from backend.
pub(super) fn keys(table: &str) -> Vec<EntryKey> {
    match table {
        "mysql_servers" => vec![number("hostgroup_id"), text("hostname"), number("port").or("3306")],
        "pgsql_servers" => vec![number("hostgroup_id"), text("hostname"), number("port").or("5432")],
        "mysql_servers_ssl_params" => vec![text("hostname"), number("port").or("3306"), text("username").or("")],
        "mysql_users" | "pgsql_users" => vec![text("username")],
        "mysql_query_rules" | "pgsql_query_rules" => vec![number("rule_id")],
        "mysql_query_rules_fast_routing" => vec![text("username"), text("schemaname"), number("flagIN").or("0")],
        "pgsql_query_rules_fast_routing" => vec![text("username"), text("database"), number("flagIN").or("0")],
        "mysql_hostgroup_attributes" | "pgsql_hostgroup_attributes" => vec![number("hostgroup_id")],
        "scheduler" | "restapi_routes" => vec![number("id")],
        // The tables of hostgroups that belong together.
        _ => vec![number("writer_hostgroup")],
    }
}

/// A value that the file names for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The value as text, whatever it is; `None` where there is none.
    pub value: Option<String>,
    /// `ProxySQL` takes it as it stands.
    pub is_taken: bool,
}

/// One entry of a section.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<'a> {
    /// Its place in the section, from 1.
    pub number: usize,
    /// What it names for the key of its table, in order.
    pub key: Vec<Part>,
    /// Columns with the values that it names.
    pub named: Vec<(&'a str, &'a Value)>,
}

impl Entry<'_> {
    /// Whether `ProxySQL` reads each part of the key as it stands.
    pub fn has_key(&self) -> bool {
        self.key.iter().all(|part| part.is_taken)
    }
}

/// The entries of a section. What is not a group in it names nothing, and is an entry all the same.
pub fn entries<'a>(table: &str, section: &'a Value) -> Vec<Entry<'a>> {
    let keys = keys(table);
    let parts = section.parts().into_iter().enumerate();
    parts
        .map(|(i, part)| {
            let mut named: Vec<(&str, &Value)> = Vec::new();
            for setting in part.settings() {
                let alias = ALIASES.iter().find(|(of, alias, _)| *of == table && *alias == setting.name);
                let column = alias.map_or(setting.name.as_str(), |(_, _, column)| *column);
                match named.iter_mut().find(|(known, _)| *known == column) {
                    Some(there) if alias.is_some() => there.1 = &setting.value,
                    Some(_) => {}
                    None => named.push((column, &setting.value)),
                }
            }
            let part_of = |key: &EntryKey| {
                let value = named.iter().find(|(column, _)| *column == key.column).map(|(_, value)| *value);
                match value {
                    None => Part { value: key.default.map(ToOwned::to_owned), is_taken: key.default.is_some() },
                    Some(value) => {
                        let is_taken = matches!((value, key.is_text), (Value::Int(_), false) | (Value::Text(_), true));
                        Part { value: as_text(value), is_taken }
                    }
                }
            };
            Entry { number: i + 1, key: keys.iter().map(part_of).collect(), named }
        })
        .collect()
}

/// A value as a cell shows it; `None` for one that is made of others.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(u8::from(*value).to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Int64(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        // As an answer of ProxySQL is read.
        Value::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Array(_) | Value::List(_) | Value::Group(_) => None,
    }
}

/// Whether `ProxySQL` ends of reading this section of variables: it takes each part for one with a name.
pub(super) fn kills(variables: &Value) -> bool {
    !matches!(variables, Value::Group(_)) && !variables.parts().is_empty()
}
