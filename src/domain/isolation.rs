//! When a satellite is cut off for good: no member of its list answers, so nothing that native sync does can help.

use std::collections::BTreeMap;
use std::time::Duration;

use super::member::Members;
use super::observation::{Observation, Peer};

/// A member that was not heard of for this many check intervals does not answer.
const MISSED_CHECKS: u32 = 10;

/// … and for at least this long: `PAUSE` alone holds a member's admin port for about a second per worker thread.
const LEAST_SILENCE: Duration = Duration::from_secs(10);

/// What a satellite's list of members can still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// At least one member answers: `ProxySQL` follows it by itself.
    Connected,
    /// Nobody answers, but not for long enough to act.
    Silent,
    /// Nobody answers, or nobody is listed: only another list can help.
    Isolated,
    /// Nobody answers, and the list is the one that was restored already: nothing more can be done here.
    Restored,
}

impl Standing {
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
    /// Members that never answered, and since when that is known. Their age is not in `ProxySQL`'s tables.
    unreached: BTreeMap<(String, u16), Duration>,
    /// The list as it was restored, until a member answers.
    restored: Option<Members>,
}

impl Isolation {
    /// Judges the list at `now`, a time on a clock of the caller's that only moves forward. `bootstrap` is the hostname of the
    /// row that restoring would bring: where it is listed already, restoring would change nothing.
    pub fn judge(&mut self, seen: &Observation, bootstrap: &str, now: Duration) -> Standing {
        let threshold = silence(seen.check_interval);
        let key = |peer: &Peer| (peer.hostname.clone(), peer.port);
        self.unreached.retain(|k, _| seen.peers.iter().any(|p| p.updated_at.is_none() && key(p) == *k));
        for peer in seen.peers.iter().filter(|p| p.updated_at.is_none()) {
            self.unreached.entry(key(peer)).or_insert(now);
        }
        let silent = |peer: &Peer| match peer.updated_at {
            Some(at) => Duration::from_secs(seen.clock.saturating_sub(at).max(0).unsigned_abs()) >= threshold,
            None => now.saturating_sub(self.unreached[&key(peer)]) >= threshold,
        };
        if seen.peers.iter().any(|p| p.updated_at.is_some() && !silent(p)) {
            self.restored = None;
            return Standing::Connected;
        }
        // The table of peers lags behind a fresh list by one check.
        if !seen.runtime.is_empty() && (seen.peers.is_empty() || !seen.peers.iter().all(silent)) {
            return Standing::Silent;
        }
        let is_restored = self.restored.as_ref() == Some(&seen.runtime);
        if is_restored || seen.runtime.iter().any(|m| m.hostname == bootstrap) {
            return Standing::Restored;
        }
        Standing::Isolated
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
    use super::super::member::Member;
    use super::*;

    const BOOTSTRAP: &str = "proxysql-core";

    /// An observation at second `clock` of members that were last heard of at the given seconds.
    fn seen(clock: i64, heard: &[(&str, Option<i64>)]) -> Observation {
        Observation {
            clock,
            runtime: heard.iter().map(|(h, _)| Member::of_pod(*h, 6032, "")).collect(),
            peers: heard
                .iter()
                .map(|&(h, updated_at)| Peer { hostname: h.into(), port: 6032, modules: BTreeMap::new(), updated_at })
                .collect(),
            check_interval: Duration::from_millis(200),
            ..Observation::default()
        }
    }

    fn at(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn one_living_member_of_three_is_enough() {
        let mut isolation = Isolation::default();
        let seen = seen(1000, &[("a", Some(100)), ("b", None), ("c", Some(999))]);
        assert_eq!(isolation.judge(&seen, BOOTSTRAP, at(0)), Standing::Connected);
        assert_eq!(isolation.judge(&seen, BOOTSTRAP, at(9999)), Standing::Connected);
    }

    #[test]
    fn members_that_fell_silent_count_by_proxysqls_own_clock() {
        let mut isolation = Isolation::default();
        let listed = |clock| seen(clock, &[("a", Some(1000)), ("b", Some(995))]);
        assert_eq!(isolation.judge(&listed(1009), BOOTSTRAP, at(0)), Standing::Connected);
        assert_eq!(isolation.judge(&listed(1010), BOOTSTRAP, at(0)), Standing::Isolated);
    }

    #[test]
    fn members_never_reached_count_from_when_they_were_first_seen_so() {
        let mut isolation = Isolation::default();
        let seen = seen(1000, &[("a", None), ("b", None)]);
        assert_eq!(isolation.judge(&seen, BOOTSTRAP, at(50)), Standing::Silent);
        assert_eq!(isolation.judge(&seen, BOOTSTRAP, at(59)), Standing::Silent);
        assert_eq!(isolation.judge(&seen, BOOTSTRAP, at(60)), Standing::Isolated);
    }

    #[test]
    fn a_member_that_was_listed_a_moment_ago_gets_its_time() {
        let mut isolation = Isolation::default();
        let mut list = seen(1000, &[("old", Some(900))]);
        assert_eq!(isolation.judge(&list, BOOTSTRAP, at(0)), Standing::Isolated);
        list = seen(1000, &[("old", Some(900)), ("new", None)]);
        assert_eq!(isolation.judge(&list, BOOTSTRAP, at(1)), Standing::Silent);
    }

    #[test]
    fn a_long_check_interval_makes_for_more_patience() {
        let mut isolation = Isolation::default();
        let mut list = seen(1000, &[("a", Some(971))]);
        list.check_interval = Duration::from_secs(3);
        assert_eq!(isolation.judge(&list, BOOTSTRAP, at(0)), Standing::Connected);
        list.clock = 1001;
        assert_eq!(isolation.judge(&list, BOOTSTRAP, at(0)), Standing::Isolated);
    }

    #[test]
    fn an_empty_list_is_isolation_at_once() {
        assert_eq!(Isolation::default().judge(&seen(1000, &[]), BOOTSTRAP, at(0)), Standing::Isolated);
    }

    #[test]
    fn a_list_is_restored_once_per_isolation() {
        let mut isolation = Isolation::default();
        let dead = seen(1000, &[("a", Some(900))]);
        assert_eq!(isolation.judge(&dead, BOOTSTRAP, at(0)), Standing::Isolated);
        isolation.restored(dead.runtime.clone());
        assert_eq!(isolation.judge(&dead, BOOTSTRAP, at(10)), Standing::Restored);
        // It was heard of again, and then no more: another isolation.
        assert_eq!(isolation.judge(&seen(1100, &[("a", Some(1100))]), BOOTSTRAP, at(20)), Standing::Connected);
        assert_eq!(isolation.judge(&seen(1200, &[("a", Some(1100))]), BOOTSTRAP, at(30)), Standing::Isolated);
    }

    #[test]
    fn another_list_than_the_restored_one_is_another_isolation() {
        let mut isolation = Isolation::default();
        isolation.restored([Member::of_pod("seed", 6032, "")].into());
        assert_eq!(isolation.judge(&seen(1000, &[("a", Some(900))]), BOOTSTRAP, at(0)), Standing::Isolated);
    }

    #[test]
    fn a_fresh_satellite_waits_for_its_cores_and_writes_nothing() {
        let mut isolation = Isolation::default();
        let fresh = seen(1000, &[(BOOTSTRAP, None)]);
        assert_eq!(isolation.judge(&fresh, BOOTSTRAP, at(0)), Standing::Silent);
        assert_eq!(isolation.judge(&fresh, BOOTSTRAP, at(3600)), Standing::Restored);
    }
}
