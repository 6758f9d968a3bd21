//! The one task that owns `ProxySQL`: timer ticks, commands and changes of the cores in; SQL statements out.

mod assess;
mod candidate;
mod drain;
mod health;
mod load_again;
mod logins;
mod memory;
mod passed_over;
mod peers;
mod placement;
mod plan;
mod proxysql;
mod publish;
mod reconcile;
mod record;
mod resync;
mod round;
mod satellite;
mod schedule;
#[cfg(test)]
mod tests;
mod tracked_admin;
mod write;

use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info};

pub use self::candidate::Publishing;
use self::drain::{Found, Recovery, Who, recover};
use self::health::HealthLooks;
pub use self::plan::{Forecast, ModuleReport, PlanError, Report, plan};
pub use self::proxysql::Proxysql;
use self::proxysql::Tracked;
pub use self::reconcile::{Core, Discovery};
pub use self::round::{Next, RoundError};
pub use self::satellite::Satellite;
use self::schedule::Schedule;
use self::tracked_admin::TrackedAdmin;
use crate::domain::counters::Count;
use crate::domain::drain::{Limits, Phase};
use crate::domain::reconcile_report::ReconcileReport;
use crate::edge::draining_file::Marker;
use crate::state::{Command, Mailbox, StatusWriter};

/// How long a round that is under way may go on once the agent was told to end, so that nothing stays half applied.
const LAST_ROUND: Duration = Duration::from_secs(1);

/// What a round does.
#[derive(Debug)]
pub enum Mode {
    /// Owns configuration.
    Core(Box<Core>),
    /// Follows cores.
    Satellite(Box<Satellite>),
}

impl Mode {
    async fn round<P: Tracked>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        match self {
            Self::Core(core) => core.round(admin).await,
            Self::Satellite(satellite) => satellite.round(admin).await,
        }
    }

    /// What publishing goes by from now on.
    fn reconfigure(&mut self, publishing: Publishing) {
        if let Self::Core(core) = self {
            core.reconfigure(publishing);
        }
    }

    /// The next round does anew what is done once: a core publishes, a satellite follows in everything.
    fn force(&mut self) {
        match self {
            Self::Core(core) => core.republish(),
            Self::Satellite(satellite) => satellite.restore_again(),
        }
    }

    /// The variables of this node are those of the cores again: a drain had set some of them, which made them newer than the cores'.
    fn sync_again(&mut self) {
        if let Self::Satellite(satellite) = self {
            satellite.follow_variables_again();
        }
    }

    /// Who might take over variables that are set on this node, where nodes ask each other so often.
    fn pulled_by(&self, check_interval: Duration) -> Who {
        match self {
            Self::Satellite(_) => Who::Nobody(check_interval),
            Self::Core(core) => core.listed_as().map_or(Who::Unknown, |comment| Who::Members(check_interval, comment)),
        }
    }

    fn report(&self) -> ReconcileReport {
        match self {
            Self::Core(core) => core.report(),
            Self::Satellite(satellite) => satellite.report(),
        }
    }

    /// Ends when there is news that a round should act on.
    async fn changed(&mut self) {
        match self {
            Self::Core(core) => core.changed().await,
            Self::Satellite(_) => std::future::pending().await,
        }
    }
}

/// What a reload brings.
#[derive(Debug, Clone)]
pub struct Live {
    /// What the agent goes by from now on; the start is over.
    pub settings: AgentSettings,
    /// What publishing goes by from now on.
    pub publishing: Publishing,
}

/// Reads the configuration again; `None` where it stays as it is.
pub type Reload = Box<dyn FnMut() -> BoxFuture<'static, Option<Live>> + Send>;

/// Asks whether this process's pod is being deleted; `false` where that cannot be told.
pub type IsLeaving = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// What the agent goes by, beside its mode.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Between two rounds.
    pub interval: Duration,
    /// Until the first of them; nothing is asked of `ProxySQL` before.
    pub start_delay: Duration,
    /// The bounds of the shutdown.
    pub limits: Limits,
}

/// What the agent asks of the process that it is in.
pub struct Surroundings {
    /// The draining file.
    pub marker: Marker,
    /// How to read the configuration again.
    pub reload: Reload,
    /// Whether the pod is on its way out.
    pub is_leaving: IsLeaving,
}

/// Owns everything mutable.
pub struct Agent<P> {
    line: TrackedAdmin<P>,
    mode: Mode,
    settings: AgentSettings,
    marker: Marker,
    mailbox: Mailbox,
    writer: StatusWriter,
    health: HealthLooks,
    reload: Reload,
    is_leaving: IsLeaving,
    /// Whether a drain of an earlier life of this agent has to be undone.
    recovery: Recovery,
}

/// What ends the work of rounds and looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// The way down was asked for.
    Drain,
    /// The process is to end and leave `ProxySQL` as it is.
    Detach,
}

impl<P: Proxysql + Send + Sync> Agent<P> {
    /// An agent that does a round of `mode` every interval, and earlier when there is news.
    pub fn new(
        admin: P,
        mode: Mode,
        settings: AgentSettings,
        surroundings: Surroundings,
        mailbox: Mailbox,
        writer: StatusWriter,
    ) -> Self {
        let line = TrackedAdmin::new(admin, writer.clone());
        let Surroundings { marker, reload, is_leaving } = surroundings;
        let (health, recovery) = (HealthLooks::default(), Recovery::Pending);
        Self { line, mode, settings, marker, mailbox, writer, health, reload, is_leaving, recovery }
    }

    /// Runs until the way down is at its end, or it is told to end without.
    pub async fn run(mut self) {
        if self.marker.clear().await {
            info!("removed a draining file left by an earlier run");
        }
        let asleep = !self.settings.start_delay.is_zero();
        self.writer.started(asleep);
        let mut pace = Schedule::new(self.settings.interval, self.settings.start_delay);
        while self.work(&mut pace).await == Exit::Drain {
            if self.go_down().await == Phase::Stopped {
                break;
            }
        }
    }

    /// Rounds and looks at health, until something else is asked for.
    async fn work(&mut self, pace: &mut Schedule) -> Exit {
        let mut wishes = Wishes::default();
        loop {
            if let Some(command) = wishes.again.take() {
                self.begin_anew(command, pace).await;
            }
            let turn = match self.wait(&mut wishes, pace).await {
                ControlFlow::Continue(None) => continue,
                ControlFlow::Continue(Some(job)) => self.perform(job, &mut wishes, pace).await,
                ControlFlow::Break(turn) => return turn,
            };
            if let ControlFlow::Break(turn) = turn {
                return turn;
            }
        }
    }

    /// What a reload or a resync asks for: the next round begins from what there is, at once.
    async fn begin_anew(&mut self, command: Command, pace: &mut Schedule) {
        self.writer.counted(if command == Command::Reload { Count::Reload } else { Count::Resync });
        if command == Command::Reload
            && let Some(live) = (self.reload)().await
        {
            pace.interval = live.settings.interval;
            self.settings = live.settings;
            self.mode.reconfigure(live.publishing);
        }
        self.mode.force();
        if awake_and_well(pace) {
            pace.due = Instant::now();
        }
    }

    /// Waits for what is to be done next; nothing, where something was asked for that comes before it.
    async fn wait(&mut self, wishes: &mut Wishes, pace: &mut Schedule) -> ControlFlow<Exit, Option<Job>> {
        let awake = pace.is_awake();
        tokio::select! {
            biased;
            command = self.mailbox.next() => match command {
                Some(Command::Drain | Command::ForceStop) => return ControlFlow::Break(Exit::Drain),
                Some(Command::Detach) | None => return ControlFlow::Break(Exit::Detach),
                Some(Command::Refresh) => wishes.look = awake,
                Some(command @ (Command::Reload | Command::Resync)) => wishes.add(command),
                Some(Command::Cancel) => {}
            },
            () = sleep_until(pace.due) => return ControlFlow::Continue(Some(Job::Round)),
            () = std::future::ready(()), if wishes.look => return ControlFlow::Continue(Some(Job::CheckHealth)),
            () = self.mode.changed(), if awake && !pace.in_trouble() => pace.due = pace.due.min(Instant::now()),
        }
        ControlFlow::Continue(None)
    }

    /// Does a job, and listens meanwhile.
    async fn perform(&mut self, job: Job, wishes: &mut Wishes, pace: &mut Schedule) -> ControlFlow<Exit> {
        let Self { line, mode, mailbox, writer, health, is_leaving, recovery, .. } = self;
        let began = Instant::now();
        let work = async {
            if job == Job::CheckHealth {
                drop(health.look(line, writer).await);
                return ControlFlow::Continue(());
            }
            writer.round_began();
            let outcome = match recover(recovery, line, is_leaving).await {
                Ok(Found::Nothing) => mode.round(line).await,
                Ok(Found::Undone) => {
                    mode.sync_again();
                    mode.round(line).await
                }
                Ok(Found::GoesOn) => return ControlFlow::Break(Exit::Drain),
                Err(error) => Err(error),
            };
            writer.round_ended(outcome.is_ok(), mode.report());
            pace.ended(outcome);
            ControlFlow::Continue(())
        };
        let mut work = std::pin::pin!(work);
        if job == Job::CheckHealth {
            wishes.look = false;
        }
        let told = loop {
            tokio::select! {
                biased;
                ended = &mut work => {
                    // The first contact: what is there to be known, the size of the grace period for one.
                    wishes.look |= job == Job::Round && is_unknown(writer);
                    return ended;
                }
                command = mailbox.next() => match command {
                    Some(Command::Drain | Command::ForceStop) => break Exit::Drain,
                    Some(Command::Detach) | None => break Exit::Detach,
                    // A look that is under way is one for those who ask now, too.
                    Some(Command::Refresh) => wishes.look |= job == Job::Round,
                    Some(command @ (Command::Reload | Command::Resync)) => wishes.add(command),
                    Some(Command::Cancel) => {}
                },
            }
        };
        if told == Exit::Drain {
            writer.drain_began();
        }
        // Only what has begun to have an effect is brought to an end.
        let has_begun = writer.status().answered_at().is_some_and(|at| at >= began);
        if job == Job::Round && has_begun && timeout(LAST_ROUND, work).await.is_err() {
            debug!("reconcile abandoned");
        }
        ControlFlow::Break(told)
    }
}

/// What the agent does of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    Round,
    CheckHealth,
}

/// What was asked for and is not done yet.
#[derive(Debug, Default)]
struct Wishes {
    /// A look at how `ProxySQL` is.
    look: bool,
    /// A reload or a resync.
    again: Option<Command>,
}

impl Wishes {
    /// A reload is also what a resync is.
    fn add(&mut self, command: Command) {
        self.again = self.again.filter(|before| *before == Command::Reload).or(Some(command));
    }
}

/// Whether a round may be due at once.
fn awake_and_well(pace: &Schedule) -> bool {
    pace.is_awake() && !pace.in_trouble()
}

/// Whether `ProxySQL` has answered, but not yet said how it is.
fn is_unknown(writer: &StatusWriter) -> bool {
    let status = writer.status();
    status.answered_at().is_some() && !status.has_looked()
}
