//! What a configuration file would change, and whether it may.
//!
//! A file is exact for what it speaks of. A module of tables becomes what the file says: rows absent from it go. Of a module of
//! variables only the values that the file names are set: for the others `ProxySQL` has no value to go back to but the running one,
//! until it starts anew. A module without a section in the file is left alone.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::module::{Module, Shape, Table};
use super::statement::comparison::{Column, is_secret_variable};

/// One row that publishing would change. No value in it is a secret: `ProxySQL` was not asked for those.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// The values of the columns that make the row unique; for a variable its name.
    pub key: Vec<String>,
    /// What would happen to it.
    #[serde(flatten)]
    pub change: Change,
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
        Some(Difference { table: table.name, key, change })
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
        .map(|(column, (from, to))| Cell {
            column: column.name.clone(),
            from: Some(from.clone()),
            to: Some(to.clone()),
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

/// What is known of a module before it may take effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// Entries of the module in the file, by `ProxySQL`'s count.
    pub entries: u64,
    /// Whether the file has a section for it; `None` where nobody can tell that from one without entries.
    pub has_section: Option<bool>,
    /// Rows of its first table that would count: active users, servers that are not `OFFLINE_HARD`.
    pub effective: u64,
    /// The same, as in effect.
    pub in_effect: u64,
}

/// What to do with a module that was read from the file into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// The file does not speak of it.
    LeaveAlone {
        /// The file has no entries of it, be it with or without a section, and there are some in effect.
        doubtful: bool,
    },
    /// It may take effect.
    Publish,
    /// It may not.
    Refuse(String),
}

/// Judges a module by what is in the file and what is in effect. Where only the file itself tells a section without entries from
/// none, and it cannot be read, it counts as none: the mistake in the other direction would empty a fleet.
pub fn judge(module: Module, candidate: &Candidate, allow_empty: bool) -> Judgement {
    let Candidate { entries, has_section, effective, in_effect } = *candidate;
    if entries == 0 && has_section != Some(true) {
        return Judgement::LeaveAlone { doubtful: has_section.is_none() && in_effect > 0 };
    }
    if module.is_vital() && effective == 0 && in_effect > 0 && !allow_empty {
        return Judgement::Refuse(format!(
            "it leaves none of the {in_effect} {} that are in effect (core.allow_empty would let it)",
            if module.sections().any(|section| section.ends_with("users")) { "users" } else { "servers" }
        ));
    }
    Judgement::Publish
}

/// Who may log in, by the file, and who has to.
#[derive(Clone, Default)]
pub struct Credentials {
    /// `admin-admin_credentials`: `user:password`, separated by `;`.
    pub admin: String,
    /// `admin-cluster_username`.
    pub cluster_username: String,
    /// `admin-cluster_password`.
    pub cluster_password: String,
    /// Whether this node follows others at present.
    pub clustered: bool,
}

impl Credentials {
    /// Why the file must not take effect: the agent itself or the other nodes could not log in any more. `password` is that of the
    /// agent, `None` where it cannot be read at the moment.
    pub fn lockout(&self, username: &str, password: Option<&str>) -> Option<String> {
        if !self.admits(username, password) {
            return Some(format!(
                "admin_credentials in it does not let the agent's own user {username} in with its password"
            ));
        }
        if self.cluster_username.is_empty() {
            return self.clustered.then(|| "cluster_username is empty in it, and this node follows others".to_owned());
        }
        (!self.admits(&self.cluster_username, Some(&self.cluster_password))).then(|| {
            let user = &self.cluster_username;
            format!("admin_credentials in it does not let the cluster's user {user} in with cluster_password")
        })
    }

    /// A password that stands there as a hash is taken for the right one.
    fn admits(&self, username: &str, password: Option<&str>) -> bool {
        let entries = self.admin.split(';').filter_map(|entry| entry.split_once(':'));
        entries.filter(|(user, _)| user.trim() == username).any(|(_, found)| {
            let is_hash = found.len() == 41 && found.starts_with('*') || found.starts_with("$A$");
            is_hash || password.is_none_or(|password| found == password)
        })
    }
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
