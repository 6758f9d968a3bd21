//! What carries out what the reconcilers decide. It alone knows when a load may be sent, that others may work on memory, and what was said.

use tokio::time::Instant;

use super::super::load_again::load_again;
use super::super::proxysql::Tracked;
use super::super::round::{Next, RoundError, Spacing, observe, read};
use super::note::{Left, Note, NoteLog};
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::{Module, Plan, Statement};

/// What is remembered between passes of how `ProxySQL` was worked on.
#[derive(Debug)]
pub(super) struct Executor {
    spacing: Spacing,
    log: NoteLog,
    /// `ProxySQL` keeps a table of who follows it.
    sees_followers: bool,
}

impl Default for Executor {
    fn default() -> Self {
        Self { spacing: Spacing::default(), log: NoteLog::default(), sees_followers: true }
    }
}

impl Executor {
    /// Observes `ProxySQL`: every decision of a core goes by what this gave.
    pub(super) async fn observe<P: Tracked>(&mut self, admin: &mut P) -> Result<Observation, RoundError> {
        let mut seen = None;
        if self.sees_followers {
            match admin.run(&Statement::ObserveWithFollowers).await {
                Ok(answer) => seen = Some(read(&answer, admin)?),
                Err(error) if error.names_no_such_table() => self.sees_followers = false,
                Err(error) => return Err(error.into()),
            }
        }
        let seen = match seen {
            Some(seen) => seen,
            None => observe(admin).await?,
        };
        self.spacing.note(&seen);
        Ok(seen)
    }

    /// Whether `ProxySQL` says who follows it.
    pub(super) fn sees_followers(&self) -> bool {
        self.sees_followers
    }

    /// When loads of each module may be sent.
    pub(super) fn spacing(&mut self) -> &mut Spacing {
        &mut self.spacing
    }

    /// When a plan for the list of members may be applied, if that is not now.
    pub(super) fn wait_for(&mut self, plan: &Plan) -> Option<Instant> {
        let at = self.spacing.wait_for(plan);
        if at.is_some() {
            self.spacing.waits(Module::ProxysqlServers, "the list was loaded in this second");
        } else {
            self.spacing.waits_no_more(Module::ProxysqlServers);
        }
        at
    }

    /// Sends the statements of a plan.
    pub(super) async fn apply<P: Tracked>(&mut self, plan: &Plan, admin: &mut P) -> Result<(), RoundError> {
        self.spacing.apply(plan, admin).await?;
        Ok(())
    }

    /// Loads a module once more, as it is at runtime, and says `note`; when to try again if that cannot be done now.
    pub(super) async fn load_again<P: Tracked>(
        &mut self,
        module: Module,
        note: Note,
        admin: &mut P,
    ) -> Result<Option<Next>, RoundError> {
        let later = load_again(module, &mut self.spacing, admin).await?;
        if later.is_none() {
            self.say(note, admin);
        }
        Ok(later)
    }

    /// Says something, if it is news.
    pub(super) fn say<P: Tracked>(&mut self, note: Note, admin: &P) {
        self.log.say(note, admin);
    }

    /// Says which list is left to others; `None` where none is.
    pub(super) fn say_left(&mut self, left: Option<Left>) {
        self.log.left(left);
    }
}
