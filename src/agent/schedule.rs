//! When the next round is due: each interval, and after a failure in a growing pause.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::round::{Next, RoundError};
use crate::backoff::Backoff;
use crate::domain::log_throttle::LogThrottle;

/// Pause after the first failed round; doubled, with jitter, up to the next.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const LAST_RETRY: Duration = Duration::from_secs(2);

/// When the next round is due.
pub(super) struct Schedule {
    pub(super) interval: Duration,
    pub(super) due: Instant,
    awake_at: Instant,
    began: Instant,
    backoff: Backoff,
    trouble: LogThrottle,
    failing: bool,
    contacted: bool,
}

impl Schedule {
    pub(super) fn new(interval: Duration, start_delay: Duration) -> Self {
        let now = Instant::now();
        Self {
            interval,
            due: now + start_delay,
            awake_at: now + start_delay,
            began: now,
            backoff: Backoff::new(FIRST_RETRY, LAST_RETRY),
            trouble: LogThrottle::default(),
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
                if self.trouble.clear() || !self.contacted {
                    info!("connected to ProxySQL");
                }
                self.contacted = true;
                self.failing = false;
                self.backoff.reset();
                self.due = match next {
                    Next::Interval => now + self.interval,
                    Next::At(at) => at.min(now + self.interval),
                };
            }
            Err(error) => {
                let reason = error.to_string();
                if self.trouble.should_log(&reason, now - self.began) {
                    warn!(%reason, "reconcile failed; retrying");
                } else {
                    debug!(%reason, "reconcile failed again");
                }
                self.failing = true;
                self.due = now + self.backoff.pause();
            }
        }
    }
}
