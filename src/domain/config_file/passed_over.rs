//! What the file names and `ProxySQL` did not take from it.
//!
//! `ProxySQL` makes SQL of the file. What is no number where it wants one, a quote that ends a string of SQL, a value that a constraint
//! forbids: it passes the entry over, or a value in it, says so in its own log at most, and answers OK. So what it has in memory afterwards
//! is held against what the file names.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::entries::{Entry, as_text, entries, keys};
use super::{Setting, Value};
use crate::domain::proxysql::module::{Shape, Table};

/// A row: its values by column.
pub type NamedRow = BTreeMap<String, String>;

/// The rows of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// In memory, into which nothing but the file was read.
    pub memory: Vec<NamedRow>,
    /// In effect.
    pub runtime: Vec<NamedRow>,
}

/// Something that the file names and that is not in memory as it names it. Without values: one may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The table.
    pub table: &'static str,
    /// What makes the entry unique, as far as the file says; a variable's name.
    pub key: String,
    /// How much of it.
    pub what: What,
    /// By it something in effect would go, change, or stay as it is although the file names another value for it.
    pub costs: bool,
}

/// How much of an entry was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// All of it; its place in the section.
    Entry(usize),
    /// The values for these columns.
    Columns(Vec<String>),
    /// It is there again further down, and the last one counts.
    Again(usize),
    /// A variable.
    Variable,
}

impl PassedOver {
    /// Whether nothing is lost by it: the same stands further down.
    pub fn is_harmless(&self) -> bool {
        matches!(self.what, What::Again(_))
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, what, .. } = self;
        match what {
            What::Entry(number) => write!(f, "{table} {key} (entry {number})"),
            What::Columns(columns) => write!(f, "{table} {key} ({})", columns.join(", ")),
            What::Again(number) => write!(f, "{table} {key} (entry {number}, which is there again)"),
            What::Variable => f.write_str(key),
        }
    }
}

/// What of a section of a table `ProxySQL` passed over. Without `runtime` rows nothing costs anything.
pub fn passed_over(table: Table, section: &Value, seen: &Seen) -> Vec<PassedOver> {
    let entries = entries(table.name, section);
    let names: Vec<&str> = keys(table.name).iter().map(|key| key.column).collect();
    let key_of = |row: &NamedRow| -> Vec<String> {
        names.iter().map(|name| row.get(*name).cloned().unwrap_or_default()).collect()
    };
    let memory: BTreeMap<Vec<String>, &NamedRow> = seen.memory.iter().map(|row| (key_of(row), row)).collect();
    let runtime: Vec<(Vec<String>, &NamedRow)> = seen.runtime.iter().map(|row| (key_of(row), row)).collect();
    let key_of_entry = |entry: &Entry<'_>| -> Option<Vec<String>> {
        entry.has_key().then(|| entry.key.iter().map(|part| part.value.clone().unwrap_or_default()).collect())
    };
    let last: BTreeMap<Vec<String>, usize> =
        entries.iter().filter_map(|entry| Some((key_of_entry(entry)?, entry.number))).collect();
    let found = entries.iter().filter_map(|entry| {
        let key = key_of_entry(entry);
        let is_last = key.as_ref().is_none_or(|key| last.get(key) == Some(&entry.number));
        let row = key.as_ref().and_then(|key| memory.get(key)).filter(|row| takes_effect(table, row));
        let (what, costs) = match (row, key) {
            (Some(_), _) if !is_last => (What::Again(entry.number), false),
            (Some(row), Some(key)) => {
                let columns = differing(entry, row);
                if columns.is_empty() {
                    return None;
                }
                let in_effect = runtime.iter().filter(|(of, _)| *of == key).map(|(_, row)| row);
                let costs = in_effect.into_iter().any(|theirs| changes(&columns, row, theirs));
                (What::Columns(columns), costs)
            }
            _ => {
                let goes = |(key, _): &(Vec<String>, &NamedRow)| {
                    is_meant(table, entry, key) && memory.get(key).is_none_or(|row| !takes_effect(table, row))
                };
                (What::Entry(entry.number), runtime.iter().any(goes))
            }
        };
        Some(PassedOver { table: table.name, key: shown(entry), what, costs })
    });
    found.collect()
}

/// What of a section of variables was passed over; `memory` and `runtime` are names with values. Each of them stays as it is, which costs
/// nothing where that is what the file names.
pub fn passed_over_variables(
    prefix: &str,
    settings: &[Setting],
    memory: &BTreeMap<String, String>,
    runtime: &BTreeMap<String, String>,
) -> Vec<PassedOver> {
    let found = settings.iter().filter_map(|Setting { name, value }| {
        let name = format!("{prefix}{name}");
        let named = as_text(value);
        let is_taken = match (value, memory.get(&name)) {
            (Value::Bool(value), Some(there)) => *there == value.to_string(),
            (Value::Int(_) | Value::Text(_), Some(there)) => named.as_ref() == Some(there),
            _ => false,
        };
        let costs = named.is_none() || runtime.get(&name) != named.as_ref();
        (!is_taken).then_some(PassedOver { table: "global_variables", key: name, what: What::Variable, costs })
    });
    found.collect()
}

/// Rows in memory, by their keys, that no entry of the section can mean: `ProxySQL` has them from another file.
pub fn unnamed(table: Table, section: &Value, memory: &[NamedRow]) -> Vec<String> {
    let entries = entries(table.name, section);
    let keys = keys(table.name);
    let key_of = |row: &NamedRow| -> Vec<String> {
        keys.iter().map(|key| row.get(key.column).cloned().unwrap_or_default()).collect()
    };
    // A quote in a text is one of two where ProxySQL has made SQL of it.
    let plain = |text: &str| text.trim().replace(['\'', '"'], "");
    let names = |entry: &Entry<'_>, key: &[String]| {
        let mut parts = entry.key.iter().zip(key);
        // Where ProxySQL does not read a part of the key, it takes its own default.
        parts
            .all(|(part, there)| !part.is_taken || part.value.as_ref().is_none_or(|value| plain(value) == plain(there)))
    };
    let keys = memory.iter().map(key_of);
    let unnamed = keys.filter(|key| !entries.iter().any(|entry| names(entry, key)));
    unnamed.map(|key| format!("{} {}", table.name, key.join("/")).chars().take(MOST_OF_A_KEY).collect()).collect()
}

/// Whether the section names the variable; `ProxySQL` takes names in any case.
pub fn names_variable(prefix: &str, settings: &[Setting], variable: &str) -> bool {
    settings.iter().any(|setting| format!("{prefix}{}", setting.name).eq_ignore_ascii_case(variable))
}

/// Columns that the entry names and the table has with another value.
fn differing(entry: &Entry<'_>, row: &NamedRow) -> Vec<String> {
    let differs = |column: &str, value: &Value| {
        let Some(there) = row.get(column) else { return false };
        let named = as_text(value);
        let is_same = match value {
            // NULL, where a column may be.
            Value::Int(number) if *number < 0 && there.is_empty() => true,
            Value::Float(number) => there.parse() == Ok(*number),
            _ => named.as_ref() == Some(there),
        };
        !is_same
    };
    entry
        .named
        .iter()
        .filter(|(column, value)| differs(column, value))
        .map(|(column, _)| (*column).to_owned())
        .collect()
}

/// Whether one of these columns is in effect with another value than would be. The side of a user is not: in effect each has a row.
fn changes(columns: &[String], memory: &NamedRow, runtime: &NamedRow) -> bool {
    let is_of_a_side = |column: &str| matches!(column, "active" | "backend" | "frontend");
    columns.iter().filter(|column| !is_of_a_side(column)).any(|column| memory.get(column) != runtime.get(column))
}

/// Whether the row in effect may be the one that the entry names. What it does not say, or not so that it can be read, may be anything;
/// and the monitor moves servers between hostgroups.
fn is_meant(table: Table, entry: &Entry<'_>, key: &[String]) -> bool {
    let parts = entry.key.iter().zip(key).enumerate();
    let moves = |i: usize| table.shape == Shape::Servers && i == 0;
    let fits = |(i, (part, there)): (usize, (&super::entries::Part, &String))| {
        moves(i) || part.value.as_ref().is_none_or(|value| value.trim() == there)
    };
    parts.into_iter().all(fits)
}

/// As long an address of a client is none.
const LONG_ADDRESS: usize = 46;

/// Whether a row in memory takes effect when it is loaded: a rule does not with a client's address that is too long, or has a wildcard
/// that is not the last of it, a user not in a hostgroup below 0.
fn takes_effect(table: Table, row: &NamedRow) -> bool {
    let value = |column: &str| row.get(column).map_or("", String::as_str);
    match table.shape {
        Shape::Rules => {
            let address = value("client_addr");
            address.len() < LONG_ADDRESS && address.find('%').is_none_or(|at| at + 1 == address.len())
        }
        Shape::Users => !value("default_hostgroup").starts_with('-'),
        _ => true,
    }
}

fn shown(entry: &Entry<'_>) -> String {
    let parts = entry.key.iter().map(|part| part.value.as_deref().unwrap_or("?"));
    let text = parts.collect::<Vec<_>>().join("/");
    text.chars().take(MOST_OF_A_KEY).collect()
}

/// As much of a key as a line of a log bears.
const MOST_OF_A_KEY: usize = 120;

/// The columns that are to be read to hold a section against: its keys, what its entries name, and what decides whether a row takes
/// effect; those of `there` that are among them.
pub fn wanted<'a>(table: Table, section: &Value, there: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let entries = entries(table.name, section);
    let named: BTreeSet<&str> =
        entries.iter().flat_map(|entry| entry.named.iter().map(|(column, _)| *column)).collect();
    let keys = keys(table.name);
    let is_wanted = |column: &&str| {
        named.contains(column)
            || keys.iter().any(|key| key.column == *column)
            || matches!(*column, "client_addr" | "default_hostgroup")
    };
    there.filter(is_wanted).collect()
}
