//! What a configuration file would change, and whether it may.
//!
//! A file is exact for what it speaks of. A module of tables becomes what the file says: rows absent from it go. Of a module of
//! variables only the values that the file names are set: for the others `ProxySQL` has no value to go back to but the running one,
//! until it starts anew. A module without a section in the file is left alone.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;
use sha1::{Digest as _, Sha1};

use crate::domain::proxysql::module::{Module, Shape, Table};
use crate::domain::proxysql::statement::table_sql::{Column, is_secret_variable};

/// One row that publishing would change. No value in it is a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The values of the columns that make the row unique; for a variable its name.
    pub key: Vec<String>,
    /// What would happen to it.
    #[serde(flatten)]
    pub change: Change,
    /// A digest of both rows, secrets included.
    #[serde(skip)]
    pub digest: String,
}

impl Difference {
    /// In words, where a load has not brought it about and no other one will.
    pub fn shown_as(&self) -> String {
        let name = self.key.join("/");
        let Change::Changed(cells) = &self.change else {
            let what = if self.change == Change::Added { "does not show" } else { "still shows" };
            return format!("{name}: ProxySQL {what} it");
        };
        let cells: Vec<String> = cells
            .iter()
            .map(|cell| {
                let column = if cell.column.is_empty() { String::new() } else { format!(" {}", cell.column) };
                match (&cell.from, &cell.to) {
                    (Some(from), Some(to)) => format!("{name}{column}={to:?}: ProxySQL shows this as {from:?}"),
                    _ => format!("{name}{column}: ProxySQL shows this as something else"),
                }
            })
            .collect();
        cells.join("; ")
    }

    /// What tells it from every other difference, the values on both sides and secrets included; tells nobody what they are.
    pub fn fingerprint(&self) -> String {
        // No value of these types fails to be written.
        let shown = serde_json::to_string(self).unwrap_or_default();
        digest([shown.as_bytes(), self.digest.as_bytes()])
    }
}

/// SHA-1 of parts, each with its length, in hexadecimal.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What happens to a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "change", content = "columns")]
pub enum Change {
    /// It comes.
    Added,
    /// It goes.
    Removed,
    /// These columns change.
    Changed(Vec<Cell>),
}

/// A value that changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cell {
    /// The column; of a variable none.
    pub column: String,
    /// The value in effect, `None` where no output may show it.
    pub from: Option<String>,
    /// The value in the file, `None` where no output may show it.
    pub to: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed(_) => '~',
        };
        write!(f, "{sign}{}", self.key.join("/"))
    }
}

/// Variables that a running `ProxySQL` does not change any more: it takes them from the file when it starts.
const FIXED: [&str; 7] = [
    "admin-version",
    "mysql-interfaces",
    "mysql-stacksize",
    "mysql-threads",
    "pgsql-interfaces",
    "pgsql-stacksize",
    "pgsql-threads",
];

/// Whether the difference waits for the next start of `ProxySQL`, whatever is loaded.
pub fn waits_for_restart(difference: &Difference) -> bool {
    difference.table == "global_variables" && difference.key.iter().any(|name| FIXED.contains(&name.as_str()))
}

/// Pairs the rows of a comparison: first column `file` or `runtime`, then `columns` in order.
pub fn differences(table: Table, columns: &[Column], rows: &[Vec<String>]) -> Vec<Difference> {
    let mut sides: BTreeMap<Vec<String>, [Option<&[String]>; 2]> = BTreeMap::new();
    for row in rows {
        let Some((side, values)) = row.split_first() else { continue };
        let key = columns.iter().zip(values).filter(|(column, _)| column.key).map(|(_, value)| value.clone()).collect();
        let pair: &mut [Option<&[String]>; 2] = sides.entry(key).or_default();
        pair[usize::from(side == "file")] = Some(values);
    }
    let differences = sides.into_iter().filter_map(|(key, pair)| {
        let change = match pair {
            [None, Some(_)] => Change::Added,
            [Some(_), None] => Change::Removed,
            [Some(from), Some(to)] => Change::Changed(cells(table, columns, from, to)?),
            [None, None] => return None,
        };
        Some(Difference { table: table.name, key, change, digest: digest_of(columns, pair) })
    });
    let mut differences: Vec<Difference> =
        differences.filter(|difference| means_something(table, difference)).collect();
    if table.shape == Shape::Users {
        // The same is said of frontend and backend.
        for difference in &mut differences {
            difference.key.truncate(1);
        }
        differences.dedup();
    }
    differences
}

/// A digest of both rows but for their key: a row in effect has a side, where the file has one row for both.
fn digest_of(columns: &[Column], pair: [Option<&[String]>; 2]) -> String {
    let counts = |column: &Column| !column.key && column.name != "frontend";
    let values = |row: &'_ [String]| -> String {
        let values = columns.iter().zip(row).filter(|(column, _)| counts(column));
        digest(values.map(|(_, value)| value.as_bytes()))
    };
    let [runtime, file] = pair.map(|row| row.map(values).unwrap_or_default());
    digest([runtime.as_bytes(), file.as_bytes()])
}

/// The values that differ; `None` where it turns out that none does.
fn cells(table: Table, columns: &[Column], from: &[String], to: &[String]) -> Option<Vec<Cell>> {
    if let (Shape::Variables(_), [name, from], [_, to]) = (table.shape, from, to) {
        let secret = is_secret_variable(name);
        let shown = |value: &String| (!secret).then(|| value.clone());
        let cell = Cell { column: String::new(), from: shown(from), to: shown(to) };
        return (secret || !same_truth(from, to)).then(|| vec![cell]);
    }
    let values = columns.iter().zip(from.iter().zip(to));
    let mut cells: Vec<Cell> = values
        .filter(|(_, (from, to))| from != to)
        .map(|(column, (from, to))| {
            let shown = |value: &String| (!column.is_secret()).then(|| value.clone());
            Cell { column: column.name.clone(), from: shown(from), to: shown(to) }
        })
        .collect();
    if cells.is_empty() {
        // The rows are not equal, so it is what was left out.
        let secrets = columns.iter().filter(|column| column.is_secret());
        cells.extend(secrets.map(|column| Cell { column: column.name.clone(), from: None, to: None }));
    }
    Some(cells)
}

/// A variable that is only in effect is one that the file does not name.
fn means_something(table: Table, difference: &Difference) -> bool {
    !(matches!(table.shape, Shape::Variables(_)) && difference.change == Change::Removed)
}

/// `ProxySQL` keeps `0` and `1` in memory where it says `false` and `true` in effect.
fn same_truth(one: &str, other: &str) -> bool {
    let truth = |text: &str| match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    one == other || (truth(one).is_some() && truth(one) == truth(other))
}

/// Whether the file speaks of a module. What follows from a file that does is asked of [`Spoken`], which nothing else makes: a module
/// that it does not speak of cannot be drafted, and so not be emptied.
#[derive(Debug, PartialEq, Eq)]
pub enum Mention {
    /// It does.
    Spoken(Spoken),
    /// It does not.
    Absent,
    /// It has no entries, and whether it has a section cannot be known. A guess: the mistake in the other direction would empty a fleet.
    Unknown,
}

/// The file speaks of the module.
#[derive(Debug, PartialEq, Eq)]
pub struct Spoken(());

impl Mention {
    /// By the entries that `ProxySQL` counted in the file, and by whether there is a section; `None` where that cannot be known.
    pub const fn of(entries: u64, has_section: Option<bool>) -> Self {
        match (entries, has_section) {
            (1.., _) | (0, Some(true)) => Self::Spoken(Spoken(())),
            (0, Some(false)) => Self::Absent,
            (0, None) => Self::Unknown,
        }
    }
}

/// Why a file may not empty a module without which no client gets through. Of its first table, `effective` rows would count (active users,
/// servers that are not `OFFLINE_HARD`), and `in_effect` rows do.
pub fn empties(module: Module, effective: u64, in_effect: u64, allow_empty: bool) -> Option<String> {
    (module.is_vital() && effective == 0 && in_effect > 0 && !allow_empty).then(|| {
        let what = if module.sections().any(|section| section.ends_with("users")) { "users" } else { "servers" };
        format!("it would remove all {in_effect} {what} (set core.allow_empty to allow this)")
    })
}

#[cfg(test)]
mod tests;
