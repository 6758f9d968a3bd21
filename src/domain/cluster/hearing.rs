//! Who of the peers answers `ProxySQL`'s checks, by a clock that only moves forward.
//!
//! `ProxySQL` notes the time of each peer's last answer, by the wall clock. How long ago that was says little: the clock may have been
//! set, and a `ProxySQL` that stood still has asked nobody meanwhile. So silence is what passes between looks at which that time has not
//! moved, and between two looks never more than [`MOST_GAP`]: whoever did not look for longer stood still, or waited for one who did.
//!
//! Nor does one look say who is listed: `ProxySQL` lets others read while it fills a table with what is in effect, and then rows are
//! missing. What was listed and has not been loaded since is listed still.

use std::collections::BTreeMap;
use std::time::Duration;

use super::member::Members;
use crate::domain::proxysql::module::Module;
use crate::domain::proxysql::observation::{Checksum, Observation, Peer};

/// What the time between two looks counts for at most.
pub const MOST_GAP: Duration = Duration::from_secs(1);
/// A peer that was silent for as long as this, and for three checks, is worth a word, if not yet an act (see
/// [`super::sync_state::silence`]).
const UNHEARD: Duration = Duration::from_secs(2);
/// A peer is forgotten when so many looks in a row were without it: one may have come in a moment in which the table was being filled.
const FORGOTTEN: u8 = 3;

/// What has to be remembered between two looks.
#[derive(Debug, Clone, Default)]
pub struct Hearing {
    last: Option<Duration>,
    /// All rows that were seen of the list in effect since it was loaded.
    list: Option<(Checksum, Members)>,
    peers: BTreeMap<(String, u16), LastHeard>,
}

#[derive(Debug, Clone)]
struct LastHeard {
    updated_at: Option<i64>,
    silence: Duration,
    /// Its time was seen to move.
    moved: bool,
    missed: u8,
}

impl Hearing {
    /// Completes a look that was taken at `now`, a time on a clock of the caller's that only moves forward.
    pub fn complete(&mut self, seen: &mut Observation, now: Duration) {
        let gap = self.last.replace(now).map_or(Duration::ZERO, |last| now.saturating_sub(last).min(MOST_GAP));
        for known in self.peers.values_mut() {
            known.missed += 1;
        }
        let (clock, enough) = (seen.clock, unheard(seen.check_interval));
        for peer in &mut seen.peers {
            let fresh = LastHeard { updated_at: peer.updated_at, silence: Duration::ZERO, moved: false, missed: 0 };
            let known = self.peers.entry((peer.hostname.clone(), peer.port)).or_insert_with(|| fresh.clone());
            if known.updated_at == peer.updated_at {
                known.silence += if known.missed == 0 { Duration::ZERO } else { gap };
                known.missed = 0;
            } else {
                *known = LastHeard { moved: peer.updated_at.is_some(), ..fresh };
            }
            peer.silence = known.silence;
            // Of one that was not seen to answer yet, the wall clock may say that it does, but not that it does not.
            let is_recent = known.moved || age(peer, clock).is_some_and(|age| age < enough);
            peer.heard = peer.updated_at.is_some() && peer.silence < enough && is_recent;
        }
        self.peers.retain(|_, known| known.missed < FORGOTTEN);
        self.complete_list(seen);
    }

    fn complete_list(&mut self, seen: &mut Observation) {
        // Where the module itself is missing, nothing is known of the list.
        let Some(now) = seen.own(Module::ProxysqlServers).cloned() else { return };
        if let Some((loaded, rows)) = &self.list
            && *loaded == now
        {
            seen.runtime.extend(rows.iter().cloned());
        }
        self.list = Some((now, seen.runtime.clone()));
    }
}

/// Whether the wall clock says that a peer has not answered for long, which is not known yet: another look soon tells.
pub fn is_in_doubt(seen: &Observation) -> bool {
    let enough = unheard(seen.check_interval);
    seen.peers.iter().any(|peer| {
        let is_old = peer.updated_at.is_some() && age(peer, seen.clock).is_none_or(|age| age >= enough);
        is_old && peer.silence < enough
    })
}

/// By the wall clock; `None` where that makes no sense.
fn age(peer: &Peer, clock: i64) -> Option<Duration> {
    u64::try_from(clock.checked_sub(peer.updated_at?)?).ok().map(Duration::from_secs)
}

fn unheard(check_interval: Duration) -> Duration {
    (check_interval * 3).max(UNHEARD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(hearing: &mut Hearing, now: u64, clock: i64, heard: &[Option<i64>]) -> Vec<(bool, u64)> {
        let peer = |(i, at): (usize, &Option<i64>)| Peer {
            hostname: format!("10.0.0.{i}"),
            port: 6032,
            updated_at: *at,
            ..Peer::default()
        };
        let peers = heard.iter().enumerate().map(peer).collect();
        let check_interval = Duration::from_millis(200);
        let mut seen = Observation { clock, peers, check_interval, ..Observation::default() };
        hearing.complete(&mut seen, Duration::from_secs(now));
        seen.peers.iter().map(|peer| (peer.heard, peer.silence.as_secs())).collect()
    }

    #[test]
    fn silence_is_the_time_between_looks_in_which_nothing_moved() {
        let mut hearing = Hearing::default();
        assert_eq!(look(&mut hearing, 0, 100, &[Some(100), Some(50), None]), [(true, 0), (false, 0), (false, 0)]);
        assert_eq!(look(&mut hearing, 1, 101, &[Some(101), Some(50), None]), [(true, 0), (false, 1), (false, 1)]);
        assert_eq!(look(&mut hearing, 2, 102, &[Some(101), Some(50), None]), [(true, 1), (false, 2), (false, 2)]);
        assert_eq!(look(&mut hearing, 3, 103, &[Some(101), Some(103), None]), [(false, 2), (true, 0), (false, 3)]);
    }

    #[test]
    fn who_stood_still_has_not_heard_silence() {
        let mut hearing = Hearing::default();
        look(&mut hearing, 0, 100, &[Some(100)]);
        assert_eq!(look(&mut hearing, 3600, 3700, &[Some(100)]), [(false, 1)], "the gap is nobody's silence");
        assert_eq!(look(&mut hearing, 3601, 3701, &[Some(3701)]), [(true, 0)]);
    }

    #[test]
    fn a_step_of_the_wall_clock_either_way_is_not_silence() {
        let mut hearing = Hearing::default();
        look(&mut hearing, 0, 100, &[Some(100)]);
        look(&mut hearing, 1, 101, &[Some(101)]);
        for (now, clock, at) in [(2, 3702, 101), (3, 3703, 3703), (4, 10, 3703), (5, 11, 11)] {
            let [(heard, silence)] = look(&mut hearing, now, clock, &[Some(at)])[..] else { panic!() };
            assert!(heard && silence <= 1, "{now}");
        }
    }

    #[test]
    fn a_look_that_lacks_a_peer_forgets_nothing() {
        let mut hearing = Hearing::default();
        for now in 0..6 {
            look(&mut hearing, now, 100, &[Some(7)]);
        }
        assert_eq!(look(&mut hearing, 6, 100, &[]), []);
        assert_eq!(look(&mut hearing, 7, 100, &[Some(7)]), [(false, 6)]);
        for now in 8..11 {
            look(&mut hearing, now, 100, &[]);
        }
        assert_eq!(look(&mut hearing, 11, 100, &[Some(7)]), [(false, 0)]);
    }

    #[test]
    fn rows_that_a_look_lacks_are_there_while_nothing_was_loaded() {
        use crate::domain::cluster::member::Member;

        let mut hearing = Hearing::default();
        let mut look = |version: u64, hosts: &[&str]| {
            let own = Checksum { version, epoch: 9, checksum: "0xA".into() };
            let mut seen = Observation {
                runtime: hosts.iter().map(|host| Member::of_pod(*host, 6032, "")).collect(),
                own: BTreeMap::from([("proxysql_servers".to_owned(), own)]),
                ..Observation::default()
            };
            hearing.complete(&mut seen, Duration::ZERO);
            seen.runtime.len()
        };
        assert_eq!((look(2, &["a"]), look(2, &["a", "b"]), look(2, &[]), look(2, &["b"])), (1, 2, 2, 2));
        assert_eq!((look(3, &[]), look(3, &["a"])), (0, 1), "it was loaded");
    }

    #[test]
    fn what_only_the_wall_clock_says_is_looked_at_again() {
        let seen = |clock, at, silence| {
            let peer = Peer { updated_at: Some(at), silence: Duration::from_secs(silence), ..Peer::default() };
            is_in_doubt(&Observation { clock, peers: vec![peer], ..Observation::default() })
        };
        assert!(!seen(100, 100, 0) && !seen(200, 100, 9));
        assert!(seen(200, 100, 0) && seen(100, 200, 0));
    }
}
