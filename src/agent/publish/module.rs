//! One module on its way from the file into effect.

use std::collections::BTreeSet;

use tokio::time::Instant;
use tracing::{error, info, warn};

use super::super::assess::{self, Assessment, Draft, Sorted, assess, compare};
use super::super::candidate::Candidate;
use super::super::load_again::in_effect_again;
use super::super::logins::{self, BeforeLoad, Closed, Doors};
use super::super::memory::{columns, module_checksum, reset_memory, set_marker};
use super::super::proxysql::Tracked;
use super::super::record::{self, Recorded};
use super::super::round::{RoundError, SPACING, Spacing, observe};
use super::super::{passed_over, placement};
use super::learned::learn;
use super::{Awaited, Outcome, Publisher, Unlocks};
use crate::domain::cluster::election::{Content, Ruling, Why};
use crate::domain::config_file::PassedOver;
use crate::domain::config_file::publish::{Change, Difference};
use crate::domain::counters::{Count, Guard};
use crate::domain::proxysql::observation::{Checksum, Observation};
use crate::domain::proxysql::statement::{Module, Plan, RecordKind, Statement};
use crate::edge::admin::AdminError;

/// A module that is worked on.
struct Work<'a> {
    module: Module,
    /// Where it stood when the work began.
    before: Checksum,
    seen: &'a Observation,
    unlocks: &'a Unlocks<'a>,
    spacing: &'a mut Spacing,
    /// What is known of earlier loads.
    recorded: Recorded,
}

impl Publisher {
    pub(super) async fn one<P: Tracked>(
        &mut self,
        module: Module,
        seen: &Observation,
        unlocks: &Unlocks<'_>,
        spacing: &mut Spacing,
        admin: &mut P,
    ) -> Result<Outcome, RoundError> {
        let before = module_checksum(module, admin).await?;
        let recorded = Recorded::read(module, admin).await?;
        let work = Work { module, before, seen, unlocks, spacing, recorded };
        if let Some(outcome) = self.looks_again(&work, admin).await? {
            return Ok(outcome);
        }
        if work.is_too_early() {
            work.spacing.waits(module, "it was loaded in this second, here or on a peer");
            return Ok(Outcome::Later);
        }
        work.spacing.waits_no_more(module);
        if self.again.remove(&module) {
            work.spacing.apply(&in_effect_again(module), admin).await?;
            return Ok(Outcome::Later);
        }
        if module.is_local() && columns(module, admin).await?.is_empty() {
            // Of a release that does not have it.
            set_marker(module, None, None, admin).await?;
            return Ok(Outcome::Done);
        }
        let kept = if module.decides_who_logs_in() { Some(BeforeLoad::back_up(module, admin).await?) } else { None };
        let outcome = self.assessed(work, kept, admin).await?;
        Ok(outcome)
    }

    /// Does what is to be done with a module. `kept` is what is in effect, copied aside where a load may have to be taken back.
    async fn assessed<P: Tracked>(
        &mut self,
        work: Work<'_>,
        kept: Option<BeforeLoad>,
        admin: &mut P,
    ) -> Result<Outcome, RoundError> {
        let module = work.module;
        let candidate = Candidate::of(&self.publishing).await;
        let outcome = match assess(module, &candidate, &work.recorded, admin).await? {
            Assessment::Draft(mut draft) => {
                learn((module, &work.before), work.unlocks.0, work.seen, &mut draft.sorted, admin).await?;
                self.remarks.of_module(module, &self.publishing.name(), &draft.not_taken());
                self.remarks.unread(&self.publishing.name(), &draft.unread);
                if draft.lost > 0 && candidate.reading.is_blind().is_some() {
                    let (lost, file) = (draft.lost, self.publishing.name());
                    error!(%module, lost, %file, "ProxySQL ignored invalid or duplicate entries in the file");
                }
                if draft.sorted.to_load.is_empty() {
                    self.unchanged(work, &draft, admin).await?
                } else {
                    return self.changed(work, &draft, kept, admin).await;
                }
            }
            Assessment::LeftAlone(in_effect) => {
                self.leave_alone(module, &candidate, in_effect, admin).await?;
                Outcome::Done
            }
            Assessment::Broken(reason) => Outcome::Broken(reason),
            Assessment::Refused(guard, reason) => {
                admin.count(Count::Refusal(guard));
                reset_memory(module, admin).await?;
                Outcome::Refused(reason)
            }
            Assessment::Torn(_) => {
                reset_memory(module, admin).await?;
                Outcome::Later
            }
        };
        if let Some(kept) = kept {
            kept.forget(admin).await?;
        }
        Ok(outcome)
    }

    /// A load that was done is looked at, once enough time has passed.
    async fn looks_again<P: Tracked>(&mut self, work: &Work<'_>, admin: &mut P) -> Result<Option<Outcome>, RoundError> {
        let (module, before) = (work.module, &work.before);
        if self.awaited.get(&module).is_some_and(|awaited| awaited.at.elapsed() < SPACING) {
            return Ok(Some(Outcome::Later));
        }
        let Some(Awaited { checksum, file, .. }) = self.awaited.remove(&module) else { return Ok(None) };
        if checksum == before.checksum {
            set_marker(module, Some(checksum), file, admin).await?;
            return Ok(Some(Outcome::Done));
        }
        warn!(%module, version = before.version, "module changed since publishing (sync or manual change); re-checking");
        Ok(None)
    }

    /// Everything in the file is in effect.
    async fn unchanged<P: Tracked>(
        &mut self,
        work: Work<'_>,
        draft: &Draft,
        admin: &mut P,
    ) -> Result<Outcome, RoundError> {
        let Work { module, before, unlocks: (election, waits), spacing, .. } = work;
        if module.is_variables() {
            reset_memory(module, admin).await?;
        }
        // By what is the case now: others may have been quicker since this round began.
        let wait = waits.get(&module).copied().unwrap_or_default();
        let ruling = match before.version {
            1 => election.initial_load(&observe(admin).await?, module, wait, Content::Published),
            _ => Ruling::Leaves(Why::SyncedFromPeer),
        };
        // A pull that has come in since the comparison replaced what was compared, and what `ruling` goes by.
        if has_changed(module, &before, admin).await? {
            return Ok(Outcome::Later);
        }
        match ruling {
            Ruling::Leaves(_) => {}
            Ruling::Waits(_) => return Ok(Outcome::Later),
            Ruling::Acts(_) => {
                for statement in &draft.before_load {
                    admin.run(statement).await?;
                }
                spacing.apply(&Plan::default().then(Statement::LoadToRuntime(module)), admin).await?;
                let after = module_checksum(module, admin).await?;
                if after.version > before.version + 1 {
                    warn!(%module, from = before.version, to = after.version, "module changed concurrently; re-checking");
                    return Ok(Outcome::Later);
                }
                let version = after.version;
                info!(%module, version, "initial load (unchanged content) so that other nodes can sync it");
                // The start and the load may have made another checksum each of the same content.
                let awaited = Awaited { checksum: after.checksum, file: draft.file.clone(), at: Instant::now() };
                self.awaited.insert(module, awaited);
                return Ok(Outcome::Later);
            }
        }
        say_shown_otherwise(module, &draft.sorted);
        info!(%module, "runtime matches the configuration file");
        set_marker(module, Some(before.checksum), draft.file.clone(), admin).await?;
        Ok(Outcome::Done)
    }

    /// Loads what differs, unless somebody else just did, and takes it back where it locks somebody out.
    async fn changed<P: Tracked>(
        &mut self,
        work: Work<'_>,
        draft: &Draft,
        kept: Option<BeforeLoad>,
        admin: &mut P,
    ) -> Result<Outcome, RoundError> {
        let Work { module, before, unlocks: (election, _), spacing, seen, .. } = work;
        let load = logins::load(module, &draft.sorted, admin).await?;
        let others = load.loads().filter(|other| *other != module);
        let just =
            others.filter_map(|other| seen.own(other)).any(|sum| sum.version > 1 && sum.is_just_loaded(seen.clock));
        if just || spacing.wait_for(&load).is_some() || has_changed(module, &before, admin).await? {
            reset_memory(module, admin).await?;
            if let Some(kept) = kept {
                kept.forget(admin).await?;
            }
            return Ok(Outcome::Later);
        }
        let Some(kept) = kept else {
            for statement in &draft.before_load {
                admin.run(statement).await?;
            }
            spacing.apply(&load, admin).await?;
            return Ok(self.verify(module, draft, &before, admin).await?);
        };
        let doors = Doors::find(election.own(), &draft.sorted, admin).await?;
        if let Some(reason) = logins::cannot_tell(admin).await {
            reset_memory(module, admin).await?;
            kept.forget(admin).await?;
            return Ok(Outcome::Refused(reason));
        }
        spacing.apply(&load, admin).await?;
        if let Some(closed) = doors.closed(admin).await? {
            admin.count(Count::Refusal(Guard::Lockout));
            kept.reset_memory(&load, &doors, spacing, admin).await?;
            self.again.extend(load.loads());
            if let Closed::Refused(reason) = &closed {
                let (username, password) = admin.login().await;
                let attempt = assess::attempt(&draft.sorted, &username, password.as_deref());
                record::locks_out(module, attempt, reason, admin).await?;
            }
            return Ok(Outcome::Refused(closed.reason().to_owned()));
        }
        kept.forget(admin).await?;
        // Who did not get in with what was in effect may now.
        record::forget_lockouts(admin).await?;
        Ok(self.verify(module, draft, &before, admin).await?)
    }

    /// The file has no entries of the module.
    async fn leave_alone<P: Tracked>(
        &self,
        module: Module,
        candidate: &Candidate,
        in_effect: u64,
        admin: &mut P,
    ) -> Result<(), AdminError> {
        let file = self.publishing.name();
        match candidate.reading.is_blind() {
            Some(reason) if in_effect > 0 => {
                warn!(%module, in_effect, %file, %reason, "no entries in the file; module left unchanged, because an empty section cannot be told from a missing one");
            }
            Some(reason) => info!(%module, %file, %reason, "no entries in the file; module left unchanged"),
            None => info!(%module, %file, "not in the file; module left unchanged"),
        }
        set_marker(module, None, candidate.hash(), admin).await
    }

    /// Reads back what is in effect after a load.
    async fn verify<P: Tracked>(
        &mut self,
        module: Module,
        draft: &Draft,
        before: &Checksum,
        admin: &mut P,
    ) -> Result<Outcome, AdminError> {
        let after = module_checksum(module, admin).await?;
        // PostgreSQL's variables have no version in some releases.
        if after.version > before.version + 1 {
            warn!(%module, from = before.version, to = after.version, "module changed concurrently; re-checking");
            return Ok(Outcome::Later);
        }
        let mut sprung = Vec::new();
        if module.is_variables() {
            // Values that were not taken have sprung back in memory: they make a difference only with the file.
            sprung = compare(&draft.tables, admin).await?.unwrap_or_default();
            admin.run(&Statement::LoadFromConfig(module)).await?;
        }
        // What the monitor has moved since is no difference.
        placement::settle(&draft.tables, admin).await?;
        let rest = compare(&draft.tables, admin).await?;
        if module.is_variables() {
            reset_memory(module, admin).await?;
        }
        let Some(rest) = rest else { return Ok(Outcome::Later) };
        let rest = passed_over::without_right_ones(rest, &draft.passed_over);
        // What a load has not brought about, no other one will.
        let sorted = Sorted::after_load(module, rest, &sprung);
        if !sorted.at_restart.is_empty() {
            warn!(%module, rows = %listed(&sorted.at_restart), "these variables need a ProxySQL restart");
        }
        say_shown_otherwise(module, &sorted);
        record::differs(module, RecordKind::ShownOtherwise, &sorted.shown_otherwise, admin).await?;
        record::differs(module, RecordKind::NotTaken, &sorted.not_taken, admin).await?;
        let not_taken: Vec<PassedOver> =
            draft.passed_over.iter().cloned().chain(passed_over::of_loads(&sorted.not_taken)).collect();
        self.remarks.of_module(module, &self.publishing.name(), &not_taken);
        let changes = &draft.sorted.to_load;
        let number = |wanted: fn(&Change) -> bool| changes.iter().filter(|d| wanted(&d.change)).count();
        info!(
            %module,
            added = number(|change| matches!(change, Change::Added)),
            removed = number(|change| matches!(change, Change::Removed)),
            changed = number(|change| matches!(change, Change::Changed(_))),
            rows = %listed(changes),
            version = after.version,
            "published from ProxySQL's configuration file"
        );
        let awaited = Awaited { checksum: after.checksum, file: draft.file.clone(), at: Instant::now() };
        self.awaited.insert(module, awaited);
        Ok(Outcome::Later)
    }
}

impl Work<'_> {
    /// Whether a load now might have the epoch of another one. At version 1 nobody pulls, and so no epoch can be tied.
    fn is_too_early(&self) -> bool {
        // Also what a peer's pull, a person or an earlier agent loaded.
        let just = |sum: &Checksum| sum.version > 1 && sum.is_just_loaded(self.seen.clock);
        let theirs = self.seen.peers.iter().filter_map(|peer| peer.modules.get(self.module.checksum_name()));
        let just_loaded =
            just(&self.before) || theirs.filter(|theirs| theirs.checksum != self.before.checksum).any(just);
        just_loaded || self.spacing.wait_for(&Plan::default().then(Statement::LoadToRuntime(self.module))).is_some()
    }
}

/// Whether the module is not in effect any more as it was when the look at it began; memory is then what is in effect.
async fn has_changed<P: Tracked>(module: Module, before: &Checksum, admin: &mut P) -> Result<bool, AdminError> {
    let now = module_checksum(module, admin).await?;
    if now == *before {
        return Ok(false);
    }
    warn!(%module, from = before.version, to = now.version, "module changed concurrently; re-checking");
    reset_memory(module, admin).await?;
    Ok(true)
}

fn say_shown_otherwise(module: Module, sorted: &Sorted) {
    let rows: BTreeSet<String> = sorted.shown_otherwise.iter().map(Difference::shown_as).collect();
    if !rows.is_empty() {
        let rows = rows.into_iter().take(MOST).collect::<Vec<_>>().join("; ");
        warn!(%module, %rows, "runtime shows these values differently than the file has them");
    }
}

/// As many rows as a line of a log bears.
const MOST: usize = 20;

/// Rows, without values.
fn listed(differences: &[Difference]) -> String {
    let mut text = differences.iter().take(MOST).map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if let Some(more) = differences.len().checked_sub(MOST).filter(|more| *more > 0) {
        text = format!("{text} and {more} more");
    }
    text
}
