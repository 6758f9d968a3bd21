//! What the file names and `ProxySQL` did not take, and what of the file is not published at all: found out, and said.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{error, info, warn};

use super::Proxysql;
use crate::domain::config_file::publish::Difference;
use crate::domain::config_file::{
    Blind, NamedRow, PassedOver, Reading, Seen, Setting, Value, What, names_variable, passed_over,
    passed_over_variables, unnamed, wanted,
};
use crate::domain::proxysql::statement::table_sql::Column;
use crate::domain::proxysql::statement::{Module, Shape, Statement, Table};
use crate::edge::admin::AdminError;

/// Rows that one answer has.
const PAGE: usize = 20_000;
/// Pages that are read of one table. What is beyond them is not held against the file.
const MOST_PAGES: usize = 50;
/// As many names as a line of a log bears.
const MOST_NAMES: usize = 20;

/// What came of holding a module against the file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What the file names and `ProxySQL` did not take.
    pub(super) passed_over: Vec<PassedOver>,
    /// What `ProxySQL` took and the file does not name.
    pub(super) unnamed: Vec<String>,
}

/// Holds a module that was read from the file into memory, and nothing else, against the file.
pub(super) async fn find<P: Proxysql>(
    module: Module,
    reading: &Reading,
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Found, AdminError> {
    let mut found = Found::default();
    for (table, columns) in tables {
        let name = module.section_of(*table);
        let Some(section) = reading.section(name) else { continue };
        if let Shape::Variables(prefix) = table.shape {
            found.passed_over.extend(variables(*table, prefix, section.settings(), admin).await?);
            continue;
        }
        if section.parts().is_empty() {
            continue;
        }
        let names: Vec<String> = wanted(*table, section, columns.iter().map(|column| column.name.as_str()))
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
        let rows = |rows: Vec<Vec<String>>| -> Vec<NamedRow> {
            rows.into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect()
        };
        let memory = rows(all(|page| Statement::ReadMemory(*table, names.clone(), page), admin).await?);
        let mut seen = Seen { memory, runtime: Vec::new() };
        found.unnamed.extend(unnamed(*table, section, &seen.memory));
        if passed_over(*table, section, &seen).is_empty() {
            continue;
        }
        seen.runtime = rows(all(|page| Statement::ReadRuntime(*table, names.clone(), page), admin).await?);
        found.passed_over.extend(passed_over(*table, section, &seen));
    }
    Ok(found)
}

async fn variables<P: Proxysql>(
    table: Table,
    prefix: &str,
    settings: &[Setting],
    admin: &mut P,
) -> Result<Vec<PassedOver>, AdminError> {
    let names = ["variable_name", "variable_value"].map(ToOwned::to_owned).to_vec();
    let values = |rows: Vec<Vec<String>>| -> BTreeMap<String, String> {
        rows.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok()).map(Into::into).collect()
    };
    let memory = values(all(|page| Statement::ReadMemory(table, names.clone(), page), admin).await?);
    let found = passed_over_variables(prefix, settings, &memory, &BTreeMap::new());
    if found.is_empty() {
        return Ok(found);
    }
    let runtime = values(all(|page| Statement::ReadRuntime(table, names.clone(), page), admin).await?);
    Ok(passed_over_variables(prefix, settings, &memory, &runtime))
}

/// Differences of variables that the file does not name: `ProxySQL` has them from another file.
pub(super) fn unnamed_variables(
    module: Module,
    reading: &Reading,
    tables: &BTreeMap<Table, Vec<Column>>,
    differences: &[Difference],
) -> Vec<String> {
    let is_named = |name: &&String| {
        tables.keys().any(|table| match table.shape {
            Shape::Variables(prefix) => {
                let settings = reading.section(module.section_of(*table)).map_or(&[][..], Value::settings);
                names_variable(prefix, settings, name)
            }
            _ => true,
        })
    };
    differences.iter().flat_map(|difference| &difference.key).filter(|name| !is_named(name)).cloned().collect()
}

/// Without the variables that `ProxySQL` does not take from the file, and that are what the file names nevertheless: a number with an `L`.
pub(super) fn without_right_ones(mut differences: Vec<Difference>, found: &[PassedOver]) -> Vec<Difference> {
    let is_right = |name: &String| {
        found.iter().any(|passed| passed.what == What::Variable && !passed.costs && passed.key == *name)
    };
    differences.retain(|difference| !difference.key.iter().any(is_right));
    differences
}

/// Variables whose values `ProxySQL` did not take when they were loaded.
pub(super) fn of_loads(differences: &[Difference]) -> impl Iterator<Item = PassedOver> {
    differences.iter().map(|difference| PassedOver {
        table: difference.table,
        key: difference.key.join("/"),
        what: What::Variable,
        costs: false,
    })
}

/// Why a file is not published that is not the one that `ProxySQL` reads.
pub(super) fn is_another_file(unnamed: &[String]) -> Option<String> {
    (!unnamed.is_empty()).then(|| {
        format!(
            "ProxySQL reads another file than core.config_file names: its own has these, and that one does not: {}",
            names(unnamed)
        )
    })
}

async fn all<P: Proxysql>(
    read: impl Fn((usize, usize)) -> Statement,
    admin: &mut P,
) -> Result<Vec<Vec<String>>, AdminError> {
    let mut rows = Vec::new();
    for page in 0..MOST_PAGES {
        let answer = admin.run(&read((PAGE, page * PAGE))).await?;
        let is_last = answer.rows.len() < PAGE;
        rows.extend(answer.rows);
        if is_last {
            break;
        }
    }
    Ok(rows)
}

/// Why a module must not take effect that `ProxySQL` did not take whole: something in effect would go or stay by what is missing. `lost`
/// entries are missing by `ProxySQL`'s own count, and rows would go if `removes`.
pub(super) fn rejection(found: &[PassedOver], blind: Option<&Blind>, lost: u64, removes: bool) -> Option<String> {
    let costly: Vec<String> = found.iter().filter(|passed| passed.costs).map(ToString::to_string).collect();
    if !costly.is_empty() {
        return Some(format!(
            "ProxySQL ignores these entries of the file, and what is in effect would go, change or stay for that alone \
             (a quote in a text, a number in quotes, a value out of range?): {}",
            names(&costly)
        ));
    }
    let blind = blind.filter(|_| lost > 0 && removes)?;
    Some(format!(
        "ProxySQL does not take {lost} entries of the file, and rows that are in effect would go; whether the file names these cannot be \
         known: {blind}"
    ))
}

/// Texts in one line.
fn names(texts: &[String]) -> String {
    let mut line = texts.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if let Some(more) = texts.len().checked_sub(MOST_NAMES).filter(|more| *more > 0) {
        line = format!("{line} and {more} more");
    }
    line
}

/// What of the file is not in effect though it was published: said when it is another, and shown.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    passed_over: BTreeMap<Module, Vec<PassedOver>>,
    not_published: Vec<String>,
    /// Sections that this release does not read.
    unread: BTreeSet<&'static str>,
    /// What was said of sections, and of what cannot be seen.
    said: BTreeSet<String>,
}

impl Remarks {
    /// Sections of the file that are not published, and what of it cannot be seen. `modules` are those that this release has.
    pub(super) fn of_file(&mut self, file: &str, reading: &Reading, modules: &[Module]) {
        self.not_published = reading.others(modules).into_iter().map(ToOwned::to_owned).collect();
        if !self.not_published.is_empty() {
            let sections = names(&self.not_published);
            if self.said.insert(sections.clone()) {
                warn!(%file, %sections, "these sections of the file are not published; ProxySQL may read them at startup");
            }
        }
        let Some(blind) = reading.is_blind() else { return };
        if self.said.insert(blind.to_string()) {
            let reason =
                "entries that ProxySQL silently ignores and sections that are not published cannot be detected";
            if *blind == Blind::Untold {
                info!(%blind, "{reason}");
            } else {
                warn!(%file, %blind, "{reason}");
            }
        }
    }

    /// What `ProxySQL` passed over of a module that may take effect.
    pub(super) fn of_module(&mut self, module: Module, file: &str, found: &[PassedOver]) {
        if self.passed_over.get(&module).map_or(&[][..], Vec::as_slice) == found {
            return;
        }
        let listed = |harmless: bool| -> Vec<String> {
            found.iter().filter(|passed| passed.is_harmless() == harmless).map(ToString::to_string).collect()
        };
        let (lost, again) = (listed(false), listed(true));
        if !lost.is_empty() {
            error!(%module, %file, entries = %names(&lost), "ProxySQL ignores these entries of the file");
        }
        if !again.is_empty() {
            warn!(%module, %file, entries = %names(&again), "duplicate entries in the file; the last one applies");
        }
        self.passed_over.insert(module, found.to_vec());
    }

    /// A section that this release of `ProxySQL` does not read, though it has the table.
    pub(super) fn unread(&mut self, file: &str, sections: &[&'static str]) {
        self.unread.extend(sections);
        for section in sections {
            if self.said.insert((*section).to_owned()) {
                warn!(%file, %section, "this ProxySQL version does not read the section; not published");
            }
        }
    }

    /// It is said again, even if it was said before.
    pub(super) fn say_anew(&mut self) {
        *self = Self::default();
    }

    /// Sections that are not published.
    pub(super) fn not_published(&self) -> Vec<String> {
        let unread = self.unread.iter().map(|section| (*section).to_owned());
        self.not_published.iter().cloned().chain(unread).collect()
    }

    /// What is not in effect, or not as the file names it.
    pub(super) fn passed_over(&self) -> Vec<String> {
        let found = self.passed_over.values().flatten().filter(|passed| !passed.is_harmless());
        found.map(ToString::to_string).collect()
    }
}
