//! How long the way down can take, against how long it may.

use std::fmt;
use std::time::Duration;

use crate::domain::drain::pause_expected;

/// Beyond the steps themselves: an answer that is waited for, `PROXYSQL SHUTDOWN`, the end of the process.
const MARGIN: Duration = Duration::from_secs(3);

/// The sum of the steps of the way down, each at its longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    propagation: Duration,
    pause: Duration,
    drain: Duration,
}

impl Budget {
    /// With so many worker threads, `MySQL`'s and `PostgreSQL`'s.
    pub fn new(propagation: Duration, threads: u32, drain: Duration) -> Self {
        Self { propagation, pause: pause_expected(threads), drain }
    }

    /// All of it.
    pub fn total(&self) -> Duration {
        self.propagation + self.pause + self.drain + MARGIN
    }

    /// What `given` lacks.
    pub fn falls_short_of(&self, given: Duration) -> Option<Duration> {
        self.total().checked_sub(given).filter(|short| !short.is_zero())
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { propagation, pause, drain } = self;
        let [propagation, pause, drain, margin] = [*propagation, *pause, *drain, MARGIN].map(|time| time.as_secs_f32());
        write!(f, "{propagation} s propagation, {pause} s PAUSE, {drain} s drain, {margin} s margin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_the_difference() {
        let s = Duration::from_secs;
        let budget = Budget::new(s(5), 4, s(30));
        assert_eq!(budget.total(), s(42));
        assert_eq!(budget.falls_short_of(s(60)), None);
        assert_eq!(budget.falls_short_of(s(42)), None);
        assert_eq!(budget.falls_short_of(s(30)), Some(s(12)));
        assert_eq!(budget.to_string(), "5 s propagation, 4 s PAUSE, 30 s drain, 3 s margin");
    }
}
