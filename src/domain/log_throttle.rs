//! Rate limit for repeated error logs.

use std::time::Duration;

/// An error that lasts is worth saying again after this long.
const SAY_AGAIN: Duration = Duration::from_mins(5);
/// An error that comes back is worth saying again after this long: what comes and goes with every try is one error.
const COMES_BACK: Duration = Duration::from_secs(30);
/// More kinds of trouble at a time than this are not told apart.
const MOST: usize = 8;

/// What is wrong at the moment, as far as it was said.
#[derive(Debug, Clone, Default)]
pub struct LogThrottle {
    /// What was said lately, and when; the oldest first.
    said: Vec<(String, Duration)>,
    /// Something was said that is not over.
    lasts: bool,
}

impl LogThrottle {
    /// There is trouble, at `now` on a clock of the caller's that only moves forward. Whether to say it.
    pub fn should_log(&mut self, what: &str, now: Duration) -> bool {
        let enough = if self.lasts { SAY_AGAIN } else { COMES_BACK };
        if self.said.iter().any(|(said, at)| said == what && now.saturating_sub(*at) < enough) {
            return false;
        }
        self.said.retain(|(said, _)| said != what);
        if self.said.len() == MOST {
            self.said.remove(0);
        }
        self.said.push((what.to_owned(), now));
        self.lasts = true;
        true
    }

    /// There is none any more. Whether there was any that was said.
    pub fn clear(&mut self) -> bool {
        std::mem::take(&mut self.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_same_trouble_is_said_once_another_at_once_and_any_again_after_a_while() {
        let mut trouble = LogThrottle::default();
        assert!(!trouble.clear());
        assert!(trouble.should_log("refused", at(0)));
        assert!(!trouble.should_log("refused", at(298)));
        assert!(trouble.should_log("mute", at(299)));
        assert!(!trouble.should_log("refused", at(299)), "the one does not make the other new");
        assert!(!trouble.should_log("mute", at(300)));
        assert!(trouble.should_log("refused", at(300)));
        assert!(trouble.should_log("mute", at(599)));
        assert!(trouble.clear());
        assert!(!trouble.clear());
    }

    #[test]
    fn trouble_that_comes_and_goes_is_said_now_and_then() {
        let mut trouble = LogThrottle::default();
        let said = (0..60).filter(|second| trouble.should_log("cut", at(*second)) && trouble.clear()).count();
        assert_eq!(said, 2);
        assert!(!trouble.clear(), "nor is the end of what was not said");
        assert!(trouble.should_log("cut", at(60)), "and when it stays it is said in time");
    }

    #[test]
    fn a_trouble_that_never_says_the_same_twice_does_not_grow() {
        let mut trouble = LogThrottle::default();
        assert!((0..100).all(|second| trouble.should_log(&second.to_string(), at(second))));
        assert!(trouble.said.len() <= MOST);
    }
}
