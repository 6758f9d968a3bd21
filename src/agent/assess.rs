//! What publishing would do with a module: the one place where that is decided, for a publication and for a plan.

use std::collections::BTreeMap;

use super::candidate::Candidate;
use super::memory::{self, MOST_LOOKS, count, reset_memory, take_from_runtime};
use super::record::Recorded;
use super::{Proxysql, passed_over, placement};
use crate::domain::config_file::PassedOver;
use crate::domain::config_file::credentials::Credentials;
use crate::domain::config_file::ownership::{Owner, owners};
use crate::domain::config_file::publish::{self, Change, Difference, Mention, Spoken};
use crate::domain::counters::Guard;
use crate::domain::proxysql::statement::table_sql::Column;
use crate::domain::proxysql::statement::{Module, RecordKind, Statement, Table};
use crate::edge::admin::AdminError;

/// What would happen with a module.
pub(super) enum Assessment {
    /// The file does not speak of it, as far as can be seen: so many rows in effect that it may have meant to remove.
    LeftAlone(u64),
    /// The file cannot be read at all, and why.
    Broken(String),
    /// It would not be put into effect, by which guard, and why.
    Refused(Guard, String),
    /// Not known yet: no two reads of runtime agreed, or the file is being written. A later attempt may succeed.
    Torn(&'static str),
    /// It may take effect; it is in memory.
    Draft(Draft),
}

/// A module as the file has it, now in memory, that may take effect.
pub(super) struct Draft {
    pub(super) tables: BTreeMap<Table, Vec<Column>>,
    /// Entries that `ProxySQL` counted and did not take: invalid ones, and those that another one replaced.
    pub(super) lost: u64,
    /// What it did not take, counted or not, as far as the file is seen.
    pub(super) passed_over: Vec<PassedOver>,
    /// Sections of the file that this release does not read, though it has the tables.
    pub(super) unread: Vec<&'static str>,
    /// What it would change.
    pub(super) sorted: Sorted,
    /// To be run before it is loaded.
    pub(super) before_load: placement::Remembering,
    /// A hash of the file.
    pub(super) file: Option<String>,
}

impl Draft {
    /// What `ProxySQL` does not take of the file, as far as it is known now.
    pub(super) fn not_taken(&self) -> Vec<PassedOver> {
        self.passed_over.iter().cloned().chain(passed_over::of_loads(&self.sorted.not_taken)).collect()
    }
}

/// What a module in memory and in effect differ in.
#[derive(Default)]
pub(super) struct Sorted {
    /// A load would change it.
    pub(super) to_load: Vec<Difference>,
    /// `ProxySQL` takes it only when it starts.
    pub(super) at_restart: Vec<Difference>,
    /// `ProxySQL` shows it otherwise than it was told, and would after any number of loads.
    pub(super) shown_otherwise: Vec<Difference>,
    /// `ProxySQL` does not take it, and keeps what it has.
    pub(super) not_taken: Vec<Difference>,
}

impl Sorted {
    /// By what is known of earlier loads.
    pub(super) fn new(differences: Vec<Difference>, recorded: &Recorded) -> Self {
        let mut sorted = Self::default();
        for difference in differences {
            let group = match () {
                () if publish::waits_for_restart(&difference) => &mut sorted.at_restart,
                () if recorded.has(RecordKind::ShownOtherwise, &difference.fingerprint()) => {
                    &mut sorted.shown_otherwise
                }
                () if recorded.has(RecordKind::NotTaken, &difference.fingerprint()) => &mut sorted.not_taken,
                () => &mut sorted.to_load,
            };
            group.push(difference);
        }
        sorted
    }
}

impl Sorted {
    /// By what is known of more loads: answers what of it no load changes, shown otherwise and not taken.
    pub(super) fn learn(&mut self, recorded: &Recorded) -> (Vec<Difference>, Vec<Difference>) {
        let again = Self::new(std::mem::take(&mut self.to_load), recorded);
        self.to_load = again.to_load;
        self.shown_otherwise.extend(again.shown_otherwise.iter().cloned());
        self.not_taken.extend(again.not_taken.iter().cloned());
        (again.shown_otherwise, again.not_taken)
    }

    /// By what a load has left. `sprung` is what was different of variables before the file was read again: a value that ProxySQL did
    /// not take was not.
    pub(super) fn after_load(module: Module, rest: Vec<Difference>, sprung: &[Difference]) -> Self {
        let mut sorted = Self::new(rest, &Recorded::default());
        let is_not_taken = |difference: &Difference| {
            let was_different = || sprung.iter().any(|other| other.key == difference.key);
            module.is_variables() && matches!(difference.change, Change::Changed(_)) && !was_different()
        };
        (sorted.not_taken, sorted.shown_otherwise) =
            std::mem::take(&mut sorted.to_load).into_iter().partition(is_not_taken);
        sorted
    }
}

/// Reads a module of the file into memory, and says what would happen with it. Whatever it is, memory is to be put back.
pub(super) async fn assess<P: Proxysql>(
    module: Module,
    candidate: &Candidate,
    recorded: &Recorded,
    admin: &mut P,
) -> Result<Assessment, AdminError> {
    if let Some(reason) = candidate.reading.deadly(module) {
        return Ok(Assessment::Broken(reason));
    }
    // Only adds: where the file says nothing, or cannot be read, memory stays as it is.
    let entries = match candidate.fill(module, admin).await {
        Ok(entries) => entries,
        Err(error) if error.is_refusal() => return Ok(Assessment::Broken(error.to_string())),
        Err(error) => return Err(error),
    };
    let staged = match Mention::of(entries, candidate.reading.has_section(module)) {
        Mention::Spoken(spoken) => stage(module, spoken, candidate, admin).await?,
        Mention::Absent => return Ok(Assessment::LeftAlone(0)),
        Mention::Unknown => {
            let in_effect = match module.tables().first() {
                Some(table) if module.is_vital() => count(*table, admin).await?.2,
                _ => 0,
            };
            return Ok(Assessment::LeftAlone(in_effect));
        }
    };
    if candidate.has_changed().await {
        return Ok(Assessment::Torn("the file is being written"));
    }
    let removes = staged.differences.iter().flatten().any(|difference| difference.change == Change::Removed);
    let blind = candidate.reading.is_blind();
    if let Some(reason) = passed_over::rejection(&staged.passed_over, blind, staged.lost, removes) {
        return Ok(Assessment::Refused(Guard::PassedOver, reason));
    }
    if let Some(reason) = passed_over::is_another_file(&staged.unnamed) {
        return Ok(Assessment::Refused(Guard::BrokenFile, reason));
    }
    if let Some(reason) = publish::empties(module, staged.effective, staged.in_effect, candidate.allow_empty) {
        return Ok(Assessment::Refused(Guard::WouldEmpty, reason));
    }
    let Some(differences) = staged.differences else {
        return Ok(Assessment::Torn("others read ProxySQL so often that no two looks agree"));
    };
    let sorted = Sorted::new(differences, recorded);
    if let Some(reason) = locks_out(module, &sorted, recorded, admin).await? {
        return Ok(Assessment::Refused(Guard::Lockout, reason));
    }
    let Staged { tables, lost, passed_over, unread, before_load, .. } = staged;
    let file = candidate.hash();
    Ok(Assessment::Draft(Draft { tables, lost, passed_over, unread, sorted, before_load, file }))
}

/// Why the agent or the cluster user could not log in after a load: by what the file says, or because an earlier load showed it.
async fn locks_out<P: Proxysql>(
    module: Module,
    sorted: &Sorted,
    recorded: &Recorded,
    admin: &mut P,
) -> Result<Option<String>, AdminError> {
    if !module.decides_who_logs_in() || sorted.to_load.is_empty() {
        return Ok(None);
    }
    let (username, password) = admin.login().await;
    let attempt = attempt(sorted, &username, password.as_deref());
    if let Some(reason) = recorded.reason(RecordKind::LocksOut, &attempt) {
        return Ok(Some(reason.to_owned()));
    }
    if module == Module::MysqlVariables {
        return Ok(None);
    }
    let answer = admin.run(&Statement::Credentials(module, username.clone())).await?;
    Ok(Credentials::read(&answer.rows).lockout(&username, password.as_deref()))
}

/// What tells one try to load something from every other: what it changes, and who has to get in afterwards.
pub(super) fn attempt(sorted: &Sorted, username: &str, password: Option<&str>) -> String {
    let mut parts = vec![username.to_owned(), password.unwrap_or_default().to_owned()];
    parts.extend(sorted.to_load.iter().map(Difference::fingerprint));
    publish::digest(parts.iter().map(String::as_bytes))
}

/// A module in memory as the file has it, and what is known of it.
struct Staged {
    tables: BTreeMap<Table, Vec<Column>>,
    lost: u64,
    passed_over: Vec<PassedOver>,
    unread: Vec<&'static str>,
    /// What is not in the file that the agent sees.
    unnamed: Vec<String>,
    /// Of the first table, rows that would count, and those that do.
    effective: u64,
    in_effect: u64,
    before_load: placement::Remembering,
    /// `None` where no two looks agreed.
    differences: Option<Vec<Difference>>,
}

/// Makes a module in memory what its owners want, and holds it against what is in effect.
async fn stage<P: Proxysql>(
    module: Module,
    _: Spoken,
    candidate: &Candidate,
    admin: &mut P,
) -> Result<Staged, AdminError> {
    let tables = memory::columns(module, admin).await?;
    if module.is_variables() {
        reset_memory(module, admin).await?;
    } else {
        for table in tables.keys() {
            admin.run(&Statement::Empty(*table)).await?;
        }
    }
    let entries = candidate.fill(module, admin).await?;
    let (mut taken, mut first, mut unread, mut unnamed) = (0, (0, 0, 0), Vec::new(), Vec::new());
    let is_seen = candidate.reading.is_blind().is_none();
    for table in tables.keys().filter(|_| !module.is_variables()) {
        let counts = count(*table, admin).await?;
        taken += counts.0;
        if module.tables().first() == Some(table) {
            first = counts;
        }
        let section = candidate.reading.section(module.section_of(*table));
        if is_seen && counts.0 > 0 && section.is_none() {
            unnamed.push(table.name.to_owned());
        }
        if owners(*table, counts.0).contains(&Owner::Runtime) {
            take_from_runtime(*table, admin).await?;
            unread.extend(candidate.reading.section(table.section()).map(|_| table.section()));
        }
    }
    let lost = if module.is_variables() { 0 } else { entries.saturating_sub(taken) };
    let read = |table: &Table| !unread.contains(&table.section());
    let read =
        tables.iter().filter(|(table, _)| read(table)).map(|(table, columns)| (*table, columns.clone())).collect();
    let found = passed_over::find(module, &candidate.reading, &read, admin).await?;
    let before_load = placement::settle(&tables, admin).await?;
    let passed_over = found.passed_over;
    let differences = compare(&tables, admin).await?.map(|all| passed_over::without_right_ones(all, &passed_over));
    if is_seen {
        unnamed.extend(found.unnamed);
        if module.is_variables() {
            let differences = differences.as_deref().unwrap_or_default();
            unnamed.extend(passed_over::unnamed_variables(module, &candidate.reading, &tables, differences));
        }
    }
    let (effective, in_effect) = (first.1, first.2);
    Ok(Staged { tables, lost, passed_over, unread, unnamed, effective, in_effect, before_load, differences })
}

/// Compares MEMORY and RUNTIME until two comparisons in succession agree. `None` if none do: other clients make `ProxySQL` rebuild its
/// `runtime_` tables all the time.
pub(super) async fn compare<P: Proxysql>(
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Option<Vec<Difference>>, AdminError> {
    let mut last = compare_once(tables, admin).await?;
    for _ in 0..MOST_LOOKS {
        let differences = compare_once(tables, admin).await?;
        if differences == last {
            return Ok(Some(differences));
        }
        last = differences;
    }
    Ok(None)
}

async fn compare_once<P: Proxysql>(
    tables: &BTreeMap<Table, Vec<Column>>,
    admin: &mut P,
) -> Result<Vec<Difference>, AdminError> {
    let mut differences = Vec::new();
    for (table, columns) in tables {
        let answer = admin.run(&Statement::Compare(*table, columns.clone())).await?;
        differences.extend(publish::differences(*table, columns, &answer.rows));
    }
    Ok(differences)
}
