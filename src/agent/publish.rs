//! Publishing: the configuration file becomes what is in effect, module by module, exactly, and only where it differs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::draft::{Draft, claim, columns, compare, count, draft, mark, objection, put_back, release, standing};
use super::passed_over::Remarks;
use super::round::{Next, RoundError, SPACING, Spacing, observe};
use super::{Proxysql, placement};
use crate::apart::config_file;
use crate::domain::config_file::{Blind, Reading};
use crate::domain::observation::{Checksum, Observation};
use crate::domain::publish::{self, Candidate, Change, Difference, Judgement};
use crate::domain::statement::{Module, Plan, Statement, Worker};
use crate::domain::tally::{Count, Guard};
use crate::domain::trouble::Trouble;
use crate::domain::unlock::{Turns, Unlock};
use crate::edge::admin::AdminError;

/// What publishing goes by.
#[derive(Debug, Clone, Default)]
pub struct Publishing {
    /// Whether a file may empty users or servers while there are some in effect.
    pub allow_empty: bool,
    /// `ProxySQL`'s configuration file, if the agent sees it too. `ProxySQL` does not tell a section without entries from none; the
    /// file does.
    pub file: Option<PathBuf>,
}

impl Publishing {
    /// What to call the file.
    pub fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "ProxySQL's configuration file".to_owned(), |path| path.display().to_string())
    }

    /// The file as the agent sees it now, with what it includes.
    pub async fn reading(&self) -> Reading {
        match &self.file {
            Some(file) => config_file::read(file).await,
            None => Reading::blind(Blind::Untold),
        }
    }
}

/// What publishing remembers between rounds.
#[derive(Debug)]
pub(super) struct Publisher {
    publishing: Publishing,
    began: Instant,
    trouble: Trouble,
    /// Why the file is not published at the moment.
    refused: Option<String>,
    /// What was loaded and not looked at since. A pull that had begun before the load ends after it, and what it brings is older: only
    /// a later look tells that the file is in effect.
    awaited: BTreeMap<Module, (String, Instant)>,
    /// What still differed after a load: `ProxySQL` shows it otherwise than it was told, and would after any number of loads.
    kept: BTreeMap<Module, BTreeSet<Difference>>,
    remarks: Remarks,
}

/// Who unlocks what nobody pulls, and for how long each module has been so.
pub(super) type Unlocks<'a> = (&'a Turns, BTreeMap<Module, Duration>);

/// How it went with one module.
#[derive(Debug)]
enum Outcome {
    /// In effect, or not spoken of.
    Done,
    /// Later: somebody has just loaded it.
    Later,
    /// Not put into effect, and why.
    Refused(String),
    /// The file cannot be read at all.
    Broken(String),
}

impl Publisher {
    pub(super) fn new(publishing: Publishing) -> Self {
        Self {
            publishing,
            began: Instant::now(),
            trouble: Trouble::default(),
            refused: None,
            awaited: BTreeMap::new(),
            kept: BTreeMap::new(),
            remarks: Remarks::default(),
        }
    }

    /// What of the file is not in effect though it was published.
    pub(super) fn remarks(&self) -> &Remarks {
        &self.remarks
    }

    /// Why the file is not published, if it is not.
    pub(super) fn refused(&self) -> Option<String> {
        self.refused.clone()
    }

    /// The file may be another one.
    pub(super) fn anew(&mut self) {
        self.awaited.clear();
    }

    pub(super) fn goes_by(&mut self, publishing: Publishing) {
        self.publishing = publishing;
    }

    /// What is wrong with the file is said again, even if it was said before: somebody asked, or the file is another one.
    pub(super) fn say_anew(&mut self) {
        self.trouble = Trouble::default();
        self.remarks.say_anew();
    }

    /// Brings modules of the file into effect, so that a fresh core's configuration wins over what it pulled from older peers while
    /// it booted.
    ///
    /// It ends early when `may` says that this core may not publish any more, or that this is to be thought over.
    /// A module that fails is put back and tried again in the next round; the others are not loaded again for its sake.
    pub(super) async fn publish<P: Proxysql>(
        &mut self,
        modules: &[Module],
        seen: &Observation,
        spacing: &mut Spacing,
        may: impl Fn() -> bool,
        unlocks: Unlocks<'_>,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        if !claim(Worker::Agent, admin).await? {
            for module in modules {
                spacing.waits(*module, "something else works on memory");
            }
            return Ok(Next::At(Instant::now() + SPACING));
        }
        let published = self.each(modules, seen, spacing, may, unlocks, admin).await;
        // Where the connection is gone, so is who could be kept waiting by it: for a minute.
        let released = release(admin).await;
        let next = published?;
        released?;
        Ok(next)
    }

    async fn each<P: Proxysql>(
        &mut self,
        modules: &[Module],
        seen: &Observation,
        spacing: &mut Spacing,
        may: impl Fn() -> bool,
        unlocks: Unlocks<'_>,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let known: Vec<Module> = seen.publishable().collect();
        self.remarks.of_file(&self.publishing.name(), &self.publishing.reading().await, &known);
        let (mut next, mut refusals) = (Next::Interval, Vec::new());
        for module in modules {
            if !may() {
                return Ok(Next::At(Instant::now()));
            }
            let outcome = match self.one(*module, seen, &unlocks, spacing, admin).await {
                Ok(outcome) => outcome,
                Err(RoundError::Admin(error)) if error.is_refusal() => {
                    admin.count(Count::Refusal(Guard::Rejected));
                    put_back(*module, admin).await?;
                    Outcome::Refused(error.to_string())
                }
                Err(error) => return Err(error),
            };
            match outcome {
                Outcome::Done => {}
                Outcome::Later => next = next.min(Next::At(Instant::now() + SPACING)),
                Outcome::Refused(reason) => refusals.push(format!("{module}: {reason}")),
                Outcome::Broken(reason) => {
                    admin.count(Count::Refusal(Guard::BrokenFile));
                    refusals.push(reason);
                    break;
                }
            }
        }
        let was_refused = self.refused.take().is_some();
        self.refused = (!refusals.is_empty()).then(|| refusals.join("; "));
        if refusals.is_empty() {
            if self.trouble.is_over() || was_refused {
                info!(file = %self.publishing.name(), "the configuration file can be published again");
            }
        } else {
            let reason = refusals.join("; ");
            if self.trouble.is(&reason, self.began.elapsed()) {
                error!(file = %self.publishing.name(), %reason, "refusing to publish; what is in effect stays as it is");
            }
        }
        Ok(next)
    }

    async fn one<P: Proxysql>(
        &mut self,
        module: Module,
        seen: &Observation,
        (turns, waits): &Unlocks<'_>,
        spacing: &mut Spacing,
        admin: &mut P,
    ) -> Result<Outcome, RoundError> {
        let load = Plan::default().then(Statement::LoadToRuntime(module));
        let before = standing(module, admin).await?;
        if self.awaited.get(&module).is_some_and(|(_, at)| at.elapsed() < SPACING) {
            return Ok(Outcome::Later);
        }
        if let Some((loaded, _)) = self.awaited.remove(&module) {
            if loaded == before.checksum {
                mark(module, Some(loaded), admin).await?;
                return Ok(Outcome::Done);
            }
            warn!(%module, version = before.version, "replaced since it was published, by a pull or by hand; looking again");
        }
        // Also what a peer's pull, a person or an earlier agent loaded. At version 1 nobody pulls, and so no epoch can be tied.
        let just = |sum: &Checksum| sum.version > 1 && sum.is_just_loaded(seen.clock);
        let theirs = seen.peers.iter().filter_map(|peer| peer.modules.get(module.checksum_name()));
        let just_loaded = just(&before) || theirs.filter(|theirs| theirs.checksum != before.checksum).any(just);
        if just_loaded || spacing.wait_for(&load).is_some() {
            spacing.waits(module, "it was loaded in this second, here or on a peer");
            return Ok(Outcome::Later);
        }
        spacing.waits_no_more(module);
        if module.is_local() && columns(module, admin).await?.is_empty() {
            // Of a release that does not have it.
            mark(module, None, admin).await?;
            return Ok(Outcome::Done);
        }
        let reading = self.publishing.reading().await;
        if let Some(reason) = reading.deadly(module) {
            return Ok(Outcome::Broken(reason));
        }
        // Only adds: where the file says nothing, or cannot be read, memory stays as it is.
        let entries = match admin.run(&Statement::LoadFromConfig(module)).await {
            Ok(answer) => answer.affected,
            Err(error) if error.is_refusal() => return Ok(Outcome::Broken(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let has_section = reading.has_section(module);
        let nothing = Candidate { entries, has_section, ..Candidate::default() };
        if publish::judge(module, &nothing, true) == (Judgement::LeaveAlone { doubtful: false }) {
            self.leave_alone(module, &reading, admin).await?;
            return Ok(Outcome::Done);
        }
        let draft = draft(module, &reading, admin).await?;
        if self.publishing.reading().await != reading {
            // Written in this moment: ProxySQL and the agent may have read different files.
            put_back(module, admin).await?;
            return Ok(Outcome::Later);
        }
        if let Some(reason) = objection(module, &draft, &reading, self.publishing.allow_empty, admin).await? {
            put_back(module, admin).await?;
            return Ok(Outcome::Refused(reason));
        }
        if draft.is_torn {
            put_back(module, admin).await?;
            return Ok(Outcome::Later);
        }
        self.remarks.of_module(module, &self.publishing.name(), &draft.passed_over);
        self.remarks.unread(&self.publishing.name(), &draft.unread);
        if draft.lost > 0 && reading.is_blind().is_some() {
            let (lost, file) = (draft.lost, self.publishing.name());
            error!(%module, lost, %file, "ProxySQL does not take all entries of the file: some are invalid or there twice");
        }
        let known = self.kept.get(&module);
        let fresh = |d: &&Difference| !publish::waits_for_restart(d) && known.is_none_or(|known| !known.contains(d));
        if !draft.differences.iter().any(|d| fresh(&d)) {
            if module.is_variables() {
                put_back(module, admin).await?;
            }
            // By what is the case now: others may have been quicker since this round began.
            let wait = waits.get(&module).copied().unwrap_or_default();
            let unlock = match before.version {
                1 => turns.of(&observe(admin).await?, module, wait),
                _ => Unlock::Leave,
            };
            // A pull that has come in since the comparison replaced what was compared, and what `unlock` goes by.
            if Self::has_changed(module, &before, admin).await? {
                return Ok(Outcome::Later);
            }
            match unlock {
                Unlock::Leave => {}
                Unlock::Wait => return Ok(Outcome::Later),
                Unlock::Load | Unlock::Overrule => {
                    for statement in &draft.before_load {
                        admin.run(statement).await?;
                    }
                    spacing.apply(&load, admin).await?;
                    let version = before.version + 1;
                    info!(%module, version, "loaded once, unchanged: at version 1 no node pulls it, and any other content replaces it");
                    self.awaited.insert(module, (before.checksum, Instant::now()));
                    return Ok(Outcome::Later);
                }
            }
            info!(%module, "in effect as in ProxySQL's configuration file");
            mark(module, Some(before.checksum), admin).await?;
            return Ok(Outcome::Done);
        }
        if Self::has_changed(module, &before, admin).await? {
            return Ok(Outcome::Later);
        }
        for statement in &draft.before_load {
            admin.run(statement).await?;
        }
        spacing.apply(&load, admin).await?;
        Ok(self.verify(module, &draft, &before, admin).await?)
    }

    /// Whether the module is not in effect any more as it was when the look at it began; memory is then what is in effect.
    async fn has_changed<P: Proxysql>(module: Module, before: &Checksum, admin: &mut P) -> Result<bool, AdminError> {
        let now = standing(module, admin).await?;
        if now == *before {
            return Ok(false);
        }
        warn!(%module, from = before.version, to = now.version, "somebody else loaded it meanwhile; looking again");
        put_back(module, admin).await?;
        Ok(true)
    }

    /// The file has no entries of the module.
    async fn leave_alone<P: Proxysql>(
        &self,
        module: Module,
        reading: &Reading,
        admin: &mut P,
    ) -> Result<(), AdminError> {
        let in_effect = match module.tables().first() {
            Some(table) if module.is_vital() => count(*table, admin).await?.2,
            _ => 0,
        };
        let file = self.publishing.name();
        match reading.is_blind() {
            Some(reason) if in_effect > 0 => {
                warn!(%module, in_effect, %file, %reason, "no entries in the file; left alone, for whether it has an empty section cannot be known");
            }
            Some(reason) => info!(%module, %file, %reason, "no entries in the file; left alone"),
            None => info!(%module, %file, "not in the file; left alone"),
        }
        mark(module, None, admin).await
    }

    /// Reads back what is in effect after a load.
    async fn verify<P: Proxysql>(
        &mut self,
        module: Module,
        draft: &Draft,
        before: &Checksum,
        admin: &mut P,
    ) -> Result<Outcome, AdminError> {
        let after = standing(module, admin).await?;
        // PostgreSQL's variables have no version in some releases.
        if after.version > before.version + 1 {
            warn!(%module, from = before.version, to = after.version, "somebody else loaded it in the same moment; looking again");
            return Ok(Outcome::Later);
        }
        if module.is_variables() {
            // Values that were not taken have sprung back in memory.
            admin.run(&Statement::LoadFromConfig(module)).await?;
        }
        // What the monitor has moved since is no difference.
        placement::settle(&draft.tables, admin).await?;
        let rest = compare(&draft.tables, admin).await?.unwrap_or_default();
        if module.is_variables() {
            put_back(module, admin).await?;
        }
        let (waiting, kept): (Vec<_>, Vec<_>) = rest.into_iter().partition(publish::waits_for_restart);
        if !waiting.is_empty() {
            warn!(%module, rows = %listed(&waiting), "ProxySQL takes these from the file only when it starts");
        }
        if !kept.is_empty() {
            warn!(%module, rows = %listed(&kept), "ProxySQL does not have these in effect as the file has them");
        }
        self.kept.insert(module, kept.into_iter().collect());
        let number = |wanted: fn(&Change) -> bool| draft.differences.iter().filter(|d| wanted(&d.change)).count();
        info!(
            %module,
            added = number(|change| matches!(change, Change::Added)),
            removed = number(|change| matches!(change, Change::Removed)),
            changed = number(|change| matches!(change, Change::Changed(_))),
            rows = %listed(&draft.differences),
            version = after.version,
            "published from ProxySQL's configuration file"
        );
        self.awaited.insert(module, (after.checksum, Instant::now()));
        Ok(Outcome::Later)
    }
}

/// Rows, without values, as many as a line of a log bears.
fn listed(differences: &[Difference]) -> String {
    const MOST: usize = 20;
    let mut text = differences.iter().take(MOST).map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if let Some(more) = differences.len().checked_sub(MOST).filter(|more| *more > 0) {
        text = format!("{text} and {more} more");
    }
    text
}
