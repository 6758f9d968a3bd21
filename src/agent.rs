//! The one task that owns `ProxySQL`: ticks, commands and news of pods in; statements out.

mod core;
mod peers;
mod publish;
mod round;
mod satellite;

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

pub use self::core::Core;
pub use self::publish::Publishing;
pub use self::round::{Next, RoundError};
pub use self::satellite::Satellite;
use crate::domain::statement::Statement;
use crate::domain::trouble::Trouble;
use crate::edge::admin::{Admin, AdminError, Answer};
use crate::state::{Command, Mailbox};

/// Pause after the first failed round; doubled, with jitter, up to the next.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const LAST_RETRY: Duration = Duration::from_secs(2);
/// How long a round that is under way may go on once the agent was told to end, so that nothing stays half applied.
const LAST_ROUND: Duration = Duration::from_secs(1);

/// The admin port as the agent needs it: [`Admin`], or a fake under a paused clock.
pub trait Proxysql {
    /// Sends a statement and reads the whole answer, within a bound. A call that is dropped half-way must not leave anything
    /// behind that a later call could take for its own answer.
    fn run(&mut self, statement: &Statement) -> impl Future<Output = Result<Answer, AdminError>> + Send;

    /// The release of another node, over a connection of its own that is gone afterwards.
    fn version_of(&self, host: &str, port: u16) -> impl Future<Output = Result<String, AdminError>> + Send;

    /// Who it logs in as, and with which password, if that can be read at the moment: to see what would lock it out.
    fn login(&self) -> (String, Option<String>);
}

impl Proxysql for Admin {
    fn run(&mut self, statement: &Statement) -> impl Future<Output = Result<Answer, AdminError>> + Send {
        Self::run(self, statement)
    }

    fn version_of(&self, host: &str, port: u16) -> impl Future<Output = Result<String, AdminError>> + Send {
        Self::version_of(self, host, port)
    }

    fn login(&self) -> (String, Option<String>) {
        Self::login(self)
    }
}

/// What a round does.
#[derive(Debug)]
pub enum Mode {
    /// Owns configuration.
    Core(Core),
    /// Follows cores.
    Satellite(Satellite),
}

impl Mode {
    async fn round<P: Proxysql>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        match self {
            Self::Core(core) => core.round(admin).await,
            Self::Satellite(satellite) => satellite.round(admin).await,
        }
    }

    /// Ends when there is news that a round should act on.
    async fn news(&mut self) {
        match self {
            Self::Core(core) => core.news().await,
            Self::Satellite(_) => std::future::pending().await,
        }
    }
}

/// Owns everything mutable.
#[derive(Debug)]
pub struct Agent<P> {
    admin: P,
    mode: Mode,
    interval: Duration,
    mailbox: Mailbox,
}

impl<P: Proxysql> Agent<P> {
    /// An agent that does a round of `mode` every `interval`, and earlier when there is news.
    pub fn new(admin: P, mode: Mode, interval: Duration, mailbox: Mailbox) -> Self {
        Self { admin, mode, interval, mailbox }
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self) {
        let mut pace = Pace::new(self.interval);
        loop {
            tokio::select! {
                biased;
                command = self.mailbox.next() => match command {
                    Command::Stop => return,
                },
                () = sleep_until(pace.due) => {
                    let mut round = std::pin::pin!(self.mode.round(&mut self.admin));
                    tokio::select! {
                        biased;
                        outcome = &mut round => pace.ended(outcome),
                        command = self.mailbox.next() => match command {
                            Command::Stop => {
                                if timeout(LAST_ROUND, round).await.is_err() {
                                    debug!("abandoned a round");
                                }
                                return;
                            }
                        },
                    }
                },
                () = self.mode.news(), if !pace.in_trouble() => pace.due = pace.due.min(Instant::now()),
            }
        }
    }
}

/// When the next round is due.
struct Pace {
    interval: Duration,
    due: Instant,
    began: Instant,
    pauses: ExponentialBackoff,
    trouble: Trouble,
    failing: bool,
    contacted: bool,
}

impl Pace {
    fn new(interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            interval,
            due: now,
            began: now,
            pauses: pauses(),
            trouble: Trouble::default(),
            failing: false,
            contacted: false,
        }
    }

    /// News wait for the pause after a failure: a flood of them would otherwise be a flood of connections.
    fn in_trouble(&self) -> bool {
        self.failing
    }

    fn ended(&mut self, outcome: Result<Next, RoundError>) {
        let now = Instant::now();
        match outcome {
            Ok(next) => {
                if self.trouble.is_over() || !self.contacted {
                    info!("ProxySQL answers");
                }
                self.contacted = true;
                self.failing = false;
                self.pauses = pauses();
                self.due = match next {
                    Next::Interval => now + self.interval,
                    Next::At(at) => at.min(now + self.interval),
                };
            }
            Err(error) => {
                let reason = error.to_string();
                if self.trouble.is(&reason, now - self.began) {
                    warn!(%reason, "round failed; trying again");
                } else {
                    debug!(%reason, "round failed again");
                }
                self.failing = true;
                self.due = now + self.pauses.next().unwrap_or(LAST_RETRY);
            }
        }
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY)
        .with_max_delay(LAST_RETRY)
        .with_jitter()
        .without_max_times()
        .build()
}
