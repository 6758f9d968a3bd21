//! Detects a satellite that is isolated: no member of its list answers, so that `ProxySQL`'s own sync cannot help it.

use std::time::Duration;

use super::member::Members;
use crate::domain::proxysql::observation::{Observation, Peer};

/// A member that was not heard of for this many check intervals does not answer.
const MISSED_CHECKS: u32 = 10;

/// … and for at least this long: `PAUSE` alone holds a member's admin port for about a second per worker thread.
const LEAST_SILENCE: Duration = Duration::from_secs(10);

/// What a satellite's list of members can still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncState {
    /// At least one member answers: `ProxySQL` follows it by itself.
    Connected,
    /// Nobody answers, but not for long enough to act.
    Silent,
    /// Nobody answers, or nobody is listed: only another list can help.
    Isolated,
    /// Nobody answers, and the list is the one that was restored already: nothing more can be done here.
    Restored,
}

impl SyncState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connected, Self::Silent, Self::Isolated, Self::Restored];

    /// The word that metrics and the status have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Silent => "silent",
            Self::Isolated => "isolated",
            Self::Restored => "restored",
        }
    }
}

/// What has to be remembered between two looks.
#[derive(Debug, Clone, Default)]
pub struct Isolation {
    /// The list as it was restored, until a member answers.
    restored: Option<Members>,
}

impl Isolation {
    /// Judges the list. `bootstrap` is the hostname of the row that restoring would bring: where it is listed already, restoring would
    /// change nothing.
    pub fn judge(&mut self, seen: &Observation, bootstrap: &str) -> SyncState {
        let threshold = silence(seen.check_interval);
        let silent = |peer: &Peer| peer.silence >= threshold;
        if seen.peers.iter().any(|p| p.updated_at.is_some() && !silent(p)) {
            self.restored = None;
            return SyncState::Connected;
        }
        // The table of peers lags behind a fresh list by one check.
        if !seen.runtime.is_empty() && (seen.peers.is_empty() || !seen.peers.iter().all(silent)) {
            return SyncState::Silent;
        }
        let is_restored = self.restored.as_ref() == Some(&seen.runtime);
        if is_restored || seen.runtime.iter().any(|m| m.hostname == bootstrap) {
            return SyncState::Restored;
        }
        SyncState::Isolated
    }

    /// The list was restored, and this is what it now is.
    pub fn restored(&mut self, list: Members) {
        self.restored = Some(list);
    }
}

/// How long a member must be silent before it counts as not answering.
pub fn silence(check_interval: Duration) -> Duration {
    (check_interval * MISSED_CHECKS).max(LEAST_SILENCE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::member::Member;

    const BOOTSTRAP: &str = "proxysql-core";

    /// An observation of members, each with whether it ever answered and for how many seconds it has been silent.
    fn seen(members: &[(&str, bool, u64)]) -> Observation {
        let peer = |&(hostname, answered, silence): &(&str, bool, u64)| Peer {
            hostname: hostname.into(),
            port: 6032,
            updated_at: answered.then_some(1),
            silence: Duration::from_secs(silence),
            ..Peer::default()
        };
        Observation {
            runtime: members.iter().map(|(h, ..)| Member::of_pod(*h, 6032, "")).collect(),
            peers: members.iter().map(peer).collect(),
            check_interval: Duration::from_millis(200),
            ..Observation::default()
        }
    }

    fn judged(members: &[(&str, bool, u64)]) -> SyncState {
        Isolation::default().judge(&seen(members), BOOTSTRAP)
    }

    #[test]
    fn one_living_member_of_three_is_enough() {
        assert_eq!(judged(&[("a", true, 900), ("b", false, 900), ("c", true, 1)]), SyncState::Connected);
    }

    #[test]
    fn members_must_all_be_silent_for_long() {
        assert_eq!(judged(&[("a", true, 9), ("b", true, 15)]), SyncState::Connected);
        assert_eq!(judged(&[("a", true, 10), ("b", true, 15)]), SyncState::Isolated);
    }

    #[test]
    fn members_never_reached_get_their_time() {
        assert_eq!(judged(&[("a", false, 0), ("b", false, 10)]), SyncState::Silent);
        assert_eq!(judged(&[("a", false, 9), ("b", false, 10)]), SyncState::Silent);
        assert_eq!(judged(&[("a", false, 10), ("b", false, 10)]), SyncState::Isolated);
        assert_eq!(judged(&[("old", true, 100), ("new", false, 0)]), SyncState::Silent);
    }

    #[test]
    fn a_long_check_interval_makes_for_more_patience() {
        let mut list = seen(&[("a", true, 29)]);
        list.check_interval = Duration::from_secs(3);
        assert_eq!(Isolation::default().judge(&list, BOOTSTRAP), SyncState::Connected);
        list.peers[0].silence = Duration::from_secs(30);
        assert_eq!(Isolation::default().judge(&list, BOOTSTRAP), SyncState::Isolated);
    }

    #[test]
    fn an_empty_list_is_isolation_at_once() {
        assert_eq!(judged(&[]), SyncState::Isolated);
    }

    #[test]
    fn a_list_is_restored_once_per_isolation() {
        let mut isolation = Isolation::default();
        let dead = seen(&[("a", true, 10)]);
        assert_eq!(isolation.judge(&dead, BOOTSTRAP), SyncState::Isolated);
        isolation.restored(dead.runtime.clone());
        assert_eq!(isolation.judge(&dead, BOOTSTRAP), SyncState::Restored);
        // It was heard of again, and then no more: another isolation.
        assert_eq!(isolation.judge(&seen(&[("a", true, 0)]), BOOTSTRAP), SyncState::Connected);
        assert_eq!(isolation.judge(&dead, BOOTSTRAP), SyncState::Isolated);
    }

    #[test]
    fn another_list_than_the_restored_one_is_another_isolation() {
        let mut isolation = Isolation::default();
        isolation.restored([Member::of_pod("seed", 6032, "")].into());
        assert_eq!(isolation.judge(&seen(&[("a", true, 10)]), BOOTSTRAP), SyncState::Isolated);
    }

    #[test]
    fn a_fresh_satellite_waits_for_its_cores_and_writes_nothing() {
        assert_eq!(judged(&[(BOOTSTRAP, false, 0)]), SyncState::Silent);
        assert_eq!(judged(&[(BOOTSTRAP, false, 3600)]), SyncState::Restored);
    }
}
