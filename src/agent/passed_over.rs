//! What the file names and `ProxySQL` did not take, and what of the file is not published at all: found out, and said.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{error, info, warn};

use super::Proxysql;
use crate::domain::config_file::{Blind, PassedOver, Reading, Row, Seen, passed_over, passed_over_variables, wanted};
use crate::domain::proxysql::statement::comparison::Column;
use crate::domain::proxysql::statement::{Module, Shape, Statement, Table};
use crate::edge::admin::AdminError;

/// Rows that one answer has.
const PAGE: usize = 20_000;
/// Pages that are read of one table. What is beyond them is not held against the file.
const MOST_PAGES: usize = 50;
/// As many names as a line of a log bears.
const MOST_NAMES: usize = 20;

/// Holds a module that was read from the file into memory, and nothing else, against the file.
pub(super) async fn find<P: Proxysql>(
    module: Module,
    reading: &Reading,
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Vec<PassedOver>, AdminError> {
    let mut found = Vec::new();
    for (table, columns) in tables {
        let name = module.section_of(*table);
        let Some(section) = reading.section(name) else { continue };
        if let Shape::Variables(prefix) = table.shape {
            let names = ["variable_name", "variable_value"].map(ToOwned::to_owned).to_vec();
            let rows = all(|page| Statement::ReadMemory(*table, names.clone(), page), admin).await?;
            let memory = rows.into_iter().filter_map(|row| <[String; 2]>::try_from(row).ok()).map(Into::into).collect();
            found.extend(passed_over_variables(prefix, section.settings(), &memory));
            continue;
        }
        if section.parts().is_empty() {
            continue;
        }
        let names: Vec<String> = wanted(*table, section, columns.iter().map(|column| column.name.as_str()))
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
        let rows = |rows: Vec<Vec<String>>| -> Vec<Row> {
            rows.into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect()
        };
        let memory = rows(all(|page| Statement::ReadMemory(*table, names.clone(), page), admin).await?);
        let mut seen = Seen { memory, runtime: Vec::new() };
        if passed_over(*table, section, &seen).is_empty() {
            continue;
        }
        seen.runtime = rows(all(|page| Statement::ReadRuntime(*table, names.clone(), page), admin).await?);
        found.extend(passed_over(*table, section, &seen));
    }
    Ok(found)
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
pub(super) fn objection(found: &[PassedOver], blind: Option<&Blind>, lost: u64, removes: bool) -> Option<String> {
    let costly: Vec<String> = found.iter().filter(|passed| passed.costs).map(ToString::to_string).collect();
    if !costly.is_empty() {
        return Some(format!(
            "ProxySQL does not take these from the file, and what is in effect would go, change or stay for that alone \
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
                warn!(%file, %sections, "these sections of the file are not published; ProxySQL may read them when it starts");
            }
        }
        let Some(blind) = reading.is_blind() else { return };
        if self.said.insert(blind.to_string()) {
            let reason = "what ProxySQL passes over in the file without counting it, and sections that are not published, are not seen";
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
            error!(%module, %file, entries = %names(&lost), "ProxySQL does not take these from the file");
        }
        if !again.is_empty() {
            warn!(%module, %file, entries = %names(&again), "these are in the file more than once; the last one counts");
        }
        self.passed_over.insert(module, found.to_vec());
    }

    /// A section that this release of `ProxySQL` does not read, though it has the table.
    pub(super) fn unread(&mut self, file: &str, sections: &[&'static str]) {
        self.unread.extend(sections);
        for section in sections {
            if self.said.insert((*section).to_owned()) {
                warn!(%file, %section, "this release of ProxySQL does not read the section; it is not published");
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
