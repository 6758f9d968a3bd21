//! What publishing would change now, found out without changing anything for good: `ProxySQL` reads its file into memory, compares,
//! and has its memory back as it was, what somebody was editing in it included.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::Proxysql;
use super::assess::{Assessment, assess};
use super::candidate::{Candidate, Publishing};
use super::memory::{back_up, columns, lock_memory, restore_backup, sweep, unlock_memory};
use super::record::Recorded;
use crate::domain::config_file::Reading;
use crate::domain::config_file::publish::Difference;
use crate::domain::proxysql::statement::{Module, Statement, Table, Worker};
use crate::edge::admin::AdminError;

/// How long a plan waits for others to be through with memory.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No answer, or a refusal.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The agent publishes at this moment, or another plan is made.
    #[error("another publish or plan has held the MEMORY lock for {} s; try again", LOCK_TIMEOUT.as_secs())]
    Busy,
    /// The file cannot be read whole.
    #[error("{0}")]
    Unreadable(String),
}

/// What publishing would do, by module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every module that this release has.
    pub modules: Vec<ModuleReport>,
    /// Sections of the file that are not published.
    pub not_published: Vec<String>,
    /// Why the agent does not see everything in the file, if it does not: what is left alone is a guess then.
    pub blind: Option<String>,
}

/// What publishing would do with one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleReport {
    /// Its name.
    pub module: Module,
    /// What would happen.
    pub outcome: Forecast,
    /// Why, where it is refused.
    pub reason: Option<String>,
    /// Rows that would change. No value in them is a secret.
    pub differences: Vec<Difference>,
    /// Rows that `ProxySQL` takes from the file only when it starts.
    pub at_restart: Vec<Difference>,
    /// Rows that `ProxySQL` shows otherwise than the file has them, as an earlier load has shown; no load changes that.
    pub shown_otherwise: Vec<Difference>,
    /// What the file names and `ProxySQL` does not take, without values.
    pub passed_over: Vec<String>,
}

/// What would happen with a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecast {
    /// It is in effect as in the file.
    Unchanged,
    /// It would be loaded.
    Changes,
    /// The file does not speak of it.
    LeftAlone,
    /// The file would not be published.
    Refused,
}

impl Report {
    /// Whether anything would be done.
    pub fn changes(&self) -> bool {
        self.modules.iter().any(|module| module.outcome == Forecast::Changes)
    }

    /// Whether a part of the file would be refused.
    pub fn refuses(&self) -> bool {
        self.modules.iter().any(|module| module.outcome == Forecast::Refused)
    }
}

/// Plans every module, once nobody else works on memory: an agent that publishes is through with that in a moment. Of `file`, or else of
/// `ProxySQL`'s own.
///
/// # Errors
/// See [`PlanError`].
pub async fn plan<P: Proxysql>(
    publishing: &Publishing,
    file: Option<Reading>,
    admin: &mut P,
) -> Result<Report, PlanError> {
    let candidate = match file {
        None => Candidate::of(publishing).await,
        Some(reading) => match reading.is_blind() {
            // ProxySQL does not see it: what cannot be read here cannot be planned.
            Some(blind) => return Err(PlanError::Unreadable(blind.to_string())),
            None => Candidate::elsewhere(reading, publishing.allow_empty),
        },
    };
    let began = Instant::now();
    while !lock_memory(Worker::Plan, admin).await? {
        if began.elapsed() >= LOCK_TIMEOUT {
            return Err(PlanError::Busy);
        }
        sleep(TRY_AGAIN).await;
    }
    let planned = match sweep(admin).await {
        Ok(()) => all(&candidate, admin).await,
        Err(error) => Err(error),
    };
    unlock_memory(admin).await?;
    Ok(planned?)
}

async fn all<P: Proxysql>(candidate: &Candidate, admin: &mut P) -> Result<Report, AdminError> {
    let names = admin.run(&Statement::Checksums).await?.rows;
    let here = |module: &Module| names.iter().any(|row| row.first().is_some_and(|name| name == module.checksum_name()));
    let known: Vec<Module> = Module::in_file().filter(|module| module.is_local() || here(module)).collect();
    let reading = &candidate.reading;
    let not_published = reading.others(&known).into_iter().map(ToOwned::to_owned).collect();
    let blind = reading.is_blind().map(ToString::to_string);
    let mut report = Report { modules: Vec::new(), not_published, blind };
    for module in known {
        let tables: Vec<Table> = columns(module, admin).await?.into_keys().collect();
        if tables.is_empty() {
            continue;
        }
        for table in &tables {
            back_up(module, *table, admin).await?;
        }
        let planned = one(module, candidate, &mut report.not_published, admin).await;
        for table in &tables {
            restore_backup(*table, admin).await?;
        }
        report.modules.push(match planned {
            Ok(planned) => planned,
            Err(error) if error.is_refusal() => ModuleReport::refused(module, error.to_string()),
            Err(error) => return Err(error),
        });
    }
    Ok(report)
}

async fn one<P: Proxysql>(
    module: Module,
    candidate: &Candidate,
    not_published: &mut Vec<String>,
    admin: &mut P,
) -> Result<ModuleReport, AdminError> {
    let recorded = Recorded::read(module, admin).await?;
    Ok(match assess(module, candidate, &recorded, admin).await? {
        Assessment::LeftAlone(_) => ModuleReport::new(module, Forecast::LeftAlone),
        Assessment::Broken(reason) | Assessment::Refused(_, reason) => ModuleReport::refused(module, reason),
        Assessment::Torn(reason) => ModuleReport::refused(module, format!("{reason}; try again")),
        Assessment::Draft(draft) => {
            not_published.extend(draft.unread.iter().map(|section| (*section).to_owned()));
            let passed_over = draft.not_taken().iter().map(ToString::to_string).collect();
            let outcome = if draft.sorted.to_load.is_empty() { Forecast::Unchanged } else { Forecast::Changes };
            ModuleReport {
                differences: draft.sorted.to_load,
                at_restart: draft.sorted.at_restart,
                shown_otherwise: draft.sorted.shown_otherwise,
                passed_over,
                ..ModuleReport::new(module, outcome)
            }
        }
    })
}

impl ModuleReport {
    fn new(module: Module, outcome: Forecast) -> Self {
        Self {
            module,
            outcome,
            reason: None,
            differences: Vec::new(),
            at_restart: Vec::new(),
            shown_otherwise: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    fn refused(module: Module, reason: String) -> Self {
        Self { reason: Some(reason), ..Self::new(module, Forecast::Refused) }
    }
}
