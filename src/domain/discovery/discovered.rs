//! What every source of cores says, in one form: Kubernetes, DNS and a list alike.

use crate::domain::cluster::member::Members;
use crate::domain::cluster::rollout::RolloutState;

/// How discovery goes. Nothing is decided by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiscoveryHealth {
    /// Complete answers: lists of pods, lookups of a name, looks at a list.
    pub answers: u64,
    /// How often discovery failed and was begun again.
    pub restarts: u64,
    /// It has failed and not worked since.
    pub failing: bool,
}

impl DiscoveryHealth {
    /// Whether it has worked, and does.
    pub fn is_up(&self) -> bool {
        self.answers > 0 && !self.failing
    }
}

/// How far what is known of the cores can be relied on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// The last answer was complete, and nothing says that there is none now.
    #[default]
    Fresh,
    /// A part of the last answer was missing: one kind of record, say.
    Half,
    /// Discovery fails: others may know better.
    Stale,
}

/// Which cores run, as far as their source knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The rows that every core computes from the same cores; `None` until the first complete answer: ignorance is no empty cluster.
    pub members: Option<Members>,
    /// The comment of this core's row; `None` where it is not known which one that is.
    pub own: Option<String>,
    /// Where this core stands in the rollout; `None` while that cannot be said.
    pub rollout: Option<RolloutState>,
    /// Whether rows are known by their comments, as those of pods are. Rows of addresses are known by the address.
    pub has_names: bool,
    /// How far this can be relied on.
    pub freshness: Freshness,
    /// Signs of life of the source: what is known is not older than the last of them. It only grows.
    pub heard: u64,
    /// How many signs of life it takes until nothing is missing: some resolvers give a part of the records, or an older answer.
    pub signs_needed: u64,
    /// How discovery goes.
    pub health: DiscoveryHealth,
}

impl Discovered {
    /// Nothing is known yet of cores that have names.
    pub fn nothing() -> Self {
        Self {
            members: None,
            own: None,
            rollout: None,
            has_names: true,
            freshness: Freshness::Fresh,
            heard: 0,
            signs_needed: 1,
            health: DiscoveryHealth::default(),
        }
    }

    /// Takes the place of `self`. Whether a decision could depend on what is different: labels, annotations and the state of containers
    /// change all the time, and so does what only counts.
    pub fn replace(&mut self, next: Self) -> bool {
        let decides = |this: &Self| (this.members.clone(), this.own.clone(), this.rollout.clone(), this.freshness);
        let changed = decides(self) != decides(&next);
        *self = next;
        changed
    }
}

/// How far what a source has told can be relied on, and how it fared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// How discovery goes.
    pub health: DiscoveryHealth,
    /// How far what is known can be relied on.
    pub freshness: Freshness,
    /// Signs of life.
    pub heard: u64,
}

impl SourceHealth {
    /// There was an answer, of which `freshness` says how much.
    pub fn answered(&mut self, freshness: Freshness) {
        if freshness == Freshness::Fresh {
            self.health.answers += 1;
            self.health.failing = false;
        } else {
            self.failed();
        }
        self.freshness = freshness;
        self.heard += u64::from(freshness != Freshness::Stale);
    }

    /// There was none: what is known stays, is not news, and may be outdated from now on, until there is a complete answer again.
    pub fn failed(&mut self) {
        self.health.restarts += 1;
        self.health.failing = true;
        self.freshness = Freshness::Stale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_counts_is_no_news() {
        let mut discovered = Discovered::nothing();
        assert!(!discovered.replace(Discovered { heard: 7, ..Discovered::nothing() }));
        assert_eq!(discovered.heard, 7);
        let health = DiscoveryHealth { restarts: 1, failing: true, ..DiscoveryHealth::default() };
        assert!(!discovered.replace(Discovered { health, ..Discovered::nothing() }));
        for news in [
            Discovered { members: Some(Members::new()), ..Discovered::nothing() },
            Discovered { own: Some("core-0".into()), ..Discovered::nothing() },
            Discovered { rollout: Some(RolloutState::Unknown), ..Discovered::nothing() },
            Discovered { freshness: Freshness::Stale, ..Discovered::nothing() },
        ] {
            assert!(Discovered::nothing().replace(news.clone()), "{news:?}");
        }
    }

    #[test]
    fn discovery_is_up_once_it_has_answered_and_while_it_does() {
        let mut source = SourceHealth::default();
        assert!(!source.health.is_up());
        source.answered(Freshness::Fresh);
        assert!(source.health.is_up());
        source.answered(Freshness::Half);
        assert_eq!((source.health.is_up(), source.freshness, source.heard), (false, Freshness::Half, 2));
        source.answered(Freshness::Stale);
        assert_eq!((source.freshness, source.heard), (Freshness::Stale, 2), "no answer is no sign of life");
        assert_eq!(source.health, DiscoveryHealth { answers: 1, restarts: 2, failing: true });
    }
}
