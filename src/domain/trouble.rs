//! Trouble that is said once and not at each try.

use std::time::Duration;

/// Trouble that lasts is worth saying again after this long.
const SAY_AGAIN: Duration = Duration::from_mins(5);
/// Trouble that comes back is worth saying again after this long: what comes and goes with every try is one trouble.
const COMES_BACK: Duration = Duration::from_secs(30);
/// More kinds of trouble at a time than this are not told apart.
const MOST: usize = 8;

/// What is wrong at the moment, as far as it was said.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// What was said lately, and when; the oldest first.
    said: Vec<(String, Duration)>,
    /// Something was said that is not over.
    lasts: bool,
}

impl Trouble {
    /// There is trouble, at `now` on a clock of the caller's that only moves forward. Whether to say it.
    pub fn is(&mut self, what: &str, now: Duration) -> bool {
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
    pub fn is_over(&mut self) -> bool {
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
        let mut trouble = Trouble::default();
        assert!(!trouble.is_over());
        assert!(trouble.is("refused", at(0)));
        assert!(!trouble.is("refused", at(298)));
        assert!(trouble.is("mute", at(299)));
        assert!(!trouble.is("refused", at(299)), "the one does not make the other new");
        assert!(!trouble.is("mute", at(300)));
        assert!(trouble.is("refused", at(300)));
        assert!(trouble.is("mute", at(599)));
        assert!(trouble.is_over());
        assert!(!trouble.is_over());
    }

    #[test]
    fn trouble_that_comes_and_goes_is_said_now_and_then() {
        let mut trouble = Trouble::default();
        let said = (0..60).filter(|second| trouble.is("cut", at(*second)) && trouble.is_over()).count();
        assert_eq!(said, 2);
        assert!(!trouble.is_over(), "nor is the end of what was not said");
        assert!(trouble.is("cut", at(60)), "and when it stays it is said in time");
    }

    #[test]
    fn a_trouble_that_never_says_the_same_twice_does_not_grow() {
        let mut trouble = Trouble::default();
        assert!((0..100).all(|second| trouble.is(&second.to_string(), at(second))));
        assert!(trouble.said.len() <= MOST);
    }
}
