//! What publishing would change now, found out without changing anything for good: `ProxySQL` reads its file into memory, compares,
//! and has its memory back as it was, what somebody was editing in it included.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::Proxysql;
use super::draft::{claim, columns, draft, keep, objection, release, take_back};
use super::publish::Publishing;
use crate::domain::publish::{self, Candidate, Difference, Judgement};
use crate::domain::statement::{Module, Statement, Table, Worker};
use crate::edge::admin::AdminError;

/// How long a plan waits for others to be through with memory.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No answer, or a refusal.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The agent publishes at this moment, or another plan is made.
    #[error("something else has been published or planned for {} s; try again", PATIENCE.as_secs())]
    Busy,
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

/// Plans every module, once nobody else works on memory: an agent that publishes is through with that in a moment.
///
/// # Errors
/// See [`PlanError`].
pub async fn plan<P: Proxysql>(publishing: &Publishing, admin: &mut P) -> Result<Report, PlanError> {
    let began = Instant::now();
    while !claim(Worker::Plan, admin).await? {
        if began.elapsed() >= PATIENCE {
            return Err(PlanError::Busy);
        }
        sleep(TRY_AGAIN).await;
    }
    let planned = all(publishing, admin).await;
    release(admin).await?;
    Ok(planned?)
}

async fn all<P: Proxysql>(publishing: &Publishing, admin: &mut P) -> Result<Report, AdminError> {
    let names = admin.run(&Statement::Checksums).await?.rows;
    let here = |module: &Module| names.iter().any(|row| row.first().is_some_and(|name| name == module.checksum_name()));
    let mut modules = Vec::new();
    let known: Vec<Module> = Module::in_file().filter(|module| module.is_local() || here(module)).collect();
    let reading = publishing.reading().await;
    let mut not_published: Vec<String> = reading.others(&known).into_iter().map(ToOwned::to_owned).collect();
    for module in known {
        let tables: Vec<Table> = columns(module, admin).await?.into_keys().collect();
        if tables.is_empty() {
            continue;
        }
        for table in &tables {
            keep(*table, admin).await?;
        }
        let report = one(module, publishing, &mut not_published, admin).await;
        for table in &tables {
            take_back(*table, admin).await?;
        }
        modules.push(match report {
            Ok(report) => report,
            Err(error) if error.is_refusal() => refused(module, error.to_string()),
            Err(error) => return Err(error),
        });
    }
    Ok(Report { modules, not_published, blind: reading.is_blind().map(ToString::to_string) })
}

async fn one<P: Proxysql>(
    module: Module,
    publishing: &Publishing,
    not_published: &mut Vec<String>,
    admin: &mut P,
) -> Result<ModuleReport, AdminError> {
    let reading = publishing.reading().await;
    if let Some(reason) = reading.deadly(module) {
        return Ok(refused(module, reason));
    }
    let has_section = reading.has_section(module);
    let entries = admin.run(&Statement::LoadFromConfig(module)).await?.affected;
    let nothing = Candidate { entries, has_section, ..Candidate::default() };
    if matches!(publish::judge(module, &nothing, true), Judgement::LeaveAlone { .. }) {
        return Ok(ModuleReport { outcome: Forecast::LeftAlone, ..refused(module, String::new()) }.without_reason());
    }
    let draft = draft(module, &reading, admin).await?;
    not_published.extend(draft.unread.iter().map(|section| (*section).to_owned()));
    let passed_over = draft.passed_over.iter().map(ToString::to_string).collect();
    if let Some(reason) = objection(module, &draft, &reading, publishing.allow_empty, admin).await? {
        return Ok(refused(module, reason));
    }
    if draft.is_torn {
        return Ok(refused(module, "others read ProxySQL so often that no two looks agree; try again".to_owned()));
    }
    let outcome = if draft.differences.is_empty() { Forecast::Unchanged } else { Forecast::Changes };
    Ok(ModuleReport { module, outcome, reason: None, differences: draft.differences, passed_over })
}

fn refused(module: Module, reason: String) -> ModuleReport {
    ModuleReport {
        module,
        outcome: Forecast::Refused,
        reason: Some(reason),
        differences: Vec::new(),
        passed_over: Vec::new(),
    }
}

impl ModuleReport {
    fn without_reason(self) -> Self {
        Self { reason: None, ..self }
    }
}
