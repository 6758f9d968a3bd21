//! Publishing: the configuration file becomes what is in effect, module by module, exactly, and only where it differs.

mod learned;
mod module;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info};

use super::candidate::Publishing;
use super::memory::{lock_memory, reset_memory, sweep, unlock_memory};
use super::passed_over::Remarks;
use super::proxysql::Tracked;
use super::round::{Next, RoundError, SPACING, Spacing};
use super::{candidate, record};
use crate::domain::cluster::election::Election;
use crate::domain::counters::{Count, Guard};
use crate::domain::log_throttle::LogThrottle;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::{Module, Statement, Worker};

/// What publishing remembers between rounds.
#[derive(Debug)]
pub(super) struct Publisher {
    publishing: Publishing,
    began: Instant,
    trouble: LogThrottle,
    /// Why the file is not published at the moment.
    refused: Option<String>,
    /// What was loaded and not looked at since. A pull that had begun before the load ends after it, and what it brings is older: only
    /// a later look tells that the file is in effect.
    awaited: BTreeMap<Module, Awaited>,
    /// What was put back and is to be loaded once more in a later second: a peer may have pulled what was there for a moment, and then
    /// both have the same epoch.
    again: BTreeSet<Module>,
    remarks: Remarks,
    /// Whether this agent has compared the file with the one that was published before its time.
    has_looked: bool,
    /// What locked somebody out is to be tried again: somebody asked.
    retries: bool,
}

/// A load that is to be looked at.
#[derive(Debug)]
struct Awaited {
    checksum: String,
    /// A hash of the file that was loaded.
    file: Option<String>,
    at: Instant,
}

/// Which core does the initial load of a module, and for how long each has been at version 1.
pub(super) type Unlocks<'a> = (&'a Election, BTreeMap<Module, Duration>);

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
            trouble: LogThrottle::default(),
            refused: None,
            awaited: BTreeMap::new(),
            again: BTreeSet::new(),
            remarks: Remarks::default(),
            has_looked: false,
            retries: false,
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
    pub(super) fn republish(&mut self) {
        self.awaited.clear();
        self.retries = true;
    }

    /// The modules that are to be published: those that were not published to this process, and at the first look of this agent those that
    /// were published from another file than there is now. It was changed while no agent was there to see it.
    pub(super) async fn due<P: Tracked>(
        &mut self,
        seen: &mut Observation,
        admin: &mut P,
    ) -> Result<Vec<Module>, RoundError> {
        if !std::mem::replace(&mut self.has_looked, true)
            && let Some(file) = candidate::hash(&self.publishing.reading().await)
        {
            let published = std::mem::take(&mut seen.published_from);
            let changed: Vec<Module> =
                published.into_iter().filter(|(_, from)| *from != file).map(|(module, _)| module).collect();
            for module in &changed {
                // Kept in ProxySQL, so that it is not lost with this agent.
                admin.run(&Statement::ForgetPublished(*module)).await?;
                seen.published.remove(module);
            }
            if !changed.is_empty() {
                info!(file = %self.publishing.name(), "configuration file changed since it was published");
            }
        }
        Ok(seen.unpublished())
    }

    pub(super) fn reconfigure(&mut self, publishing: Publishing) {
        self.publishing = publishing;
    }

    /// What is wrong with the file is said again, even if it was said before: somebody asked, or the file is another one.
    pub(super) fn say_anew(&mut self) {
        self.trouble = LogThrottle::default();
        self.remarks.say_anew();
    }

    /// Brings modules of the file into effect, so that a fresh core's configuration wins over what it pulled from older peers while
    /// it booted.
    ///
    /// It ends early when `may` says that this core may not publish any more, or that this is to be thought over.
    /// A module that fails is put back and tried again in the next round; the others are not loaded again for its sake.
    pub(super) async fn publish<P: Tracked>(
        &mut self,
        modules: &[Module],
        seen: &Observation,
        spacing: &mut Spacing,
        may: impl Fn() -> bool,
        unlocks: Unlocks<'_>,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        if !lock_memory(Worker::Agent, admin).await? {
            for module in modules {
                spacing.waits(*module, "something else works on memory");
            }
            return Ok(Next::At(Instant::now() + SPACING));
        }
        let published = match sweep(admin).await {
            Ok(()) => self.each(modules, seen, spacing, may, unlocks, admin).await,
            Err(error) => Err(error.into()),
        };
        // If the connection is lost the lock cannot be released; it expires after a minute.
        let released = unlock_memory(admin).await;
        let next = published?;
        released?;
        Ok(next)
    }

    async fn each<P: Tracked>(
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
        if std::mem::take(&mut self.retries) {
            record::forget_lockouts(admin).await?;
        }
        let (mut next, mut refusals) = (Next::Interval, Vec::new());
        for module in modules {
            if !may() {
                return Ok(Next::At(Instant::now()));
            }
            let outcome = match self.one(*module, seen, &unlocks, spacing, admin).await {
                Ok(outcome) => outcome,
                Err(RoundError::Admin(error)) if error.is_refusal() => {
                    admin.count(Count::Refusal(Guard::Rejected));
                    reset_memory(*module, admin).await?;
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
        self.sums_up(&refusals);
        Ok(next)
    }

    /// Says how it went, where that is news.
    fn sums_up(&mut self, refusals: &[String]) {
        let was_refused = self.refused.take().is_some();
        self.refused = (!refusals.is_empty()).then(|| refusals.join("; "));
        if refusals.is_empty() {
            if self.trouble.clear() || was_refused {
                info!(file = %self.publishing.name(), "configuration file accepted again");
            }
        } else {
            let reason = refusals.join("; ");
            if self.trouble.should_log(&reason, self.began.elapsed()) {
                error!(file = %self.publishing.name(), %reason, "configuration file rejected; runtime unchanged");
            }
        }
    }
}
