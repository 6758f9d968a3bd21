//! When the next round is due: each interval, and after a failure in a growing pause.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::round::{Next, RoundError};
use crate::domain::trouble::Trouble;

/// Pause after the first failed round; doubled, with jitter, up to the next.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const LAST_RETRY: Duration = Duration::from_secs(2);

/// When the next round is due.
pub(super) struct Pace {
    pub(super) interval: Duration,
    pub(super) due: Instant,
    awake_at: Instant,
    began: Instant,
    pauses: ExponentialBackoff,
    trouble: Trouble,
    failing: bool,
    contacted: bool,
}

impl Pace {
    pub(super) fn new(interval: Duration, start_delay: Duration) -> Self {
        let now = Instant::now();
        Self {
            interval,
            due: now + start_delay,
            awake_at: now + start_delay,
            began: now,
            pauses: pauses(),
            trouble: Trouble::default(),
            failing: false,
            contacted: false,
        }
    }

    /// Whether `ProxySQL` may be asked yet.
    pub(super) fn is_awake(&self) -> bool {
        self.awake_at <= Instant::now()
    }

    /// News wait for the pause after a failure: a flood of them would otherwise be a flood of connections.
    pub(super) fn in_trouble(&self) -> bool {
        self.failing
    }

    pub(super) fn ended(&mut self, outcome: Result<Next, RoundError>) {
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
