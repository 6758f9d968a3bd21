//! Trouble that is said once and not at each try.

use std::time::Duration;

/// The same trouble is worth saying again after this long.
const SAY_AGAIN: Duration = Duration::from_mins(5);

/// What is wrong at the moment, as far as it was said.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    said: Option<(String, Duration)>,
}

impl Trouble {
    /// There is trouble, at `now` on a clock of the caller's that only moves forward. Whether to say it.
    pub fn is(&mut self, what: &str, now: Duration) -> bool {
        if self.said.as_ref().is_some_and(|(said, at)| said == what && now.saturating_sub(*at) < SAY_AGAIN) {
            return false;
        }
        self.said = Some((what.to_owned(), now));
        true
    }

    /// There is none any more. Whether there was any.
    pub fn is_over(&mut self) -> bool {
        self.said.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_said_once_another_at_once_and_any_again_after_a_while() {
        let at = Duration::from_secs;
        let mut trouble = Trouble::default();
        assert!(!trouble.is_over());
        assert!(trouble.is("refused", at(0)));
        assert!(!trouble.is("refused", at(299)));
        assert!(trouble.is("mute", at(299)));
        assert!(!trouble.is("mute", at(300)));
        assert!(trouble.is("mute", at(599)));
        assert!(trouble.is_over());
        assert!(trouble.is("mute", at(600)));
    }
}
