//! The pauses between tries of whatever fails: one way to grow them for every neighbour.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Pauses that double from the first to the last, with jitter, so that agents that lost the same neighbour do not all come back at once;
/// begun again after a success.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    last: Duration,
    pauses: ExponentialBackoff,
}

impl Backoff {
    /// From `first` up to `last`, before jitter, which may double each.
    pub fn new(first: Duration, last: Duration) -> Self {
        Self { first, last, pauses: pauses(first, last) }
    }

    /// The pause before the next try.
    pub fn pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.last)
    }

    /// It worked: the next failure is a first one.
    pub fn reset(&mut self) {
        self.pauses = pauses(self.first, self.last);
    }
}

fn pauses(first: Duration, last: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default().with_min_delay(first).with_max_delay(last).with_jitter().without_max_times().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_last_for_ever_and_begin_again_after_a_success() {
        let (first, last) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut backoff = Backoff::new(first, last);
        let pauses: Vec<Duration> = (0..200).map(|_| backoff.pause()).collect();
        assert!((first..=first * 2).contains(&pauses[0]), "{:?}", pauses[0]);
        assert!(pauses[10..].iter().all(|pause| (last..=last * 2).contains(pause)), "{pauses:?}");
        backoff.reset();
        assert!(backoff.pause() <= first * 2);
    }
}
