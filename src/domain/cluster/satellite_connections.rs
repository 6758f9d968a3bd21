//! Nodes that follow this core without being members: satellites.
//!
//! A satellite that nobody answered restores its bootstrap row, and that load gives its list a newer epoch than the cores' has. From
//! then on it follows in everything but the list of members, silently and for good, until some core loads the list again. Only a
//! core can do that, and the only thing that a core sees of it is a new connection.

use std::collections::{BTreeMap, BTreeSet};

use super::member::Members;
use crate::domain::proxysql::observation::{Follower, Observation};

/// A load follows a connection by at least so many seconds: in the second of the satellite's own load, or earlier by a clock that is
/// behind, it would not be the newer one.
const LATER: i64 = 2;

/// A connection is forgotten when so many looks in a row were without it: one may be missing for a moment, and for longer where the clock
/// was set, for its row has the time of its last statement. One that comes anew has another port.
const FORGOTTEN: u8 = 100;

/// What has to be done for a follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberReload {
    /// Nothing.
    Nothing,
    /// A node has just connected: what is known of the members is to be learnt anew, for the list is loaded for it soon.
    Ask,
    /// A load, but not in this second, or not before the members were heard of anew.
    LoadLater,
    /// A load.
    Load,
}

/// The connections that were there at the last look, and when one came that no load has followed yet.
#[derive(Debug, Clone)]
pub struct SatelliteConnections {
    known: BTreeMap<Follower, u8>,
    /// Those that a load has followed, as an earlier agent of this `ProxySQL` process left it.
    served: BTreeSet<String>,
    /// Those that are not remembered in `ProxySQL` yet.
    unrecorded: BTreeSet<String>,
    came: Option<Came>,
}

/// When a node connected.
#[derive(Debug, Clone, Copy)]
struct Came {
    /// `ProxySQL`'s clock when it was first seen.
    clock: i64,
    /// How often who tells about the members had been heard of then.
    heard: u64,
}

impl SatelliteConnections {
    /// `served` are the connections that an earlier agent of this `ProxySQL` process has loaded the list for, as
    /// [`SatelliteConnections::to_record`] named them: an agent that restarts loads nothing for them. One that came while no agent was here is new.
    pub fn new(served: BTreeSet<String>) -> Self {
        Self { known: BTreeMap::new(), served, unrecorded: BTreeSet::new(), came: None }
    }

    /// Whether a node connected that may hold a list of members newer than this core's, and the list was not loaded here since.
    ///
    /// Another core's load does not help: equal content is not pulled, so this core keeps its older epoch, and a node that
    /// follows only this one sees no other.
    ///
    /// `heard` is how often who tells about the members was heard of. What is loaded here replaces what any other member has loaded
    /// before, so it has to be true at that time: a watch that is mute looks like one on a quiet day.
    pub fn want(&mut self, seen: &Observation, members: &Members, heard: u64) -> MemberReload {
        let present = seen.followers.iter().filter(|f| !is_member(f, members));
        for missed in self.known.values_mut() {
            *missed += 1;
        }
        let mut is_new = false;
        for follower in present {
            if self.known.insert(follower.clone(), 0).is_none() && !self.served.contains(&follower.to_string()) {
                self.unrecorded.insert(follower.to_string());
                is_new = true;
            }
        }
        let served = &mut self.served;
        self.known.retain(|follower, missed| {
            let stays = *missed < FORGOTTEN;
            if !stays {
                served.remove(&follower.to_string());
            }
            stays
        });
        if is_new {
            self.came = Some(Came { clock: seen.clock, heard });
            return MemberReload::Ask;
        }
        let Some(came) = self.came else { return MemberReload::Nothing };
        match seen.clock.saturating_sub(came.clock) {
            0..LATER => MemberReload::LoadLater,
            _ if heard <= came.heard => MemberReload::LoadLater,
            // The clock may have been set back, too.
            _ => MemberReload::Load,
        }
    }

    /// The list was loaded after the last look, which wanted it.
    pub fn loaded(&mut self) {
        self.came = None;
    }

    /// Those that the list was loaded for, and that are to be remembered in `ProxySQL`. Asked for once.
    pub fn to_record(&mut self) -> BTreeSet<String> {
        if self.came.is_some() {
            return BTreeSet::new();
        }
        let unrecorded = std::mem::take(&mut self.unrecorded);
        self.served.extend(unrecorded.iter().cloned());
        unrecorded
    }
}

/// Members connect to each other all the time; they load the list themselves.
fn is_member(follower: &Follower, members: &Members) -> bool {
    let listens_at = |m: &str, port: u16| {
        follower
            .interfaces
            .split([';', ','])
            .any(|i| i.trim() == format!("{m}:{port}") || i.trim() == format!("[{m}]:{port}"))
    };
    members.iter().any(|m| m.hostname == follower.hostname || listens_at(&m.hostname, m.port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::member::Member;

    fn connection(uuid: &str, port: u16) -> Follower {
        Follower { uuid: uuid.into(), hostname: "10.1.0.1".into(), port, interfaces: "0.0.0.0:6032".into() }
    }

    fn seen(clock: i64, followers: &[Follower]) -> Observation {
        Observation { clock, followers: followers.to_vec(), ..Observation::default() }
    }

    fn served(followers: &[Follower]) -> SatelliteConnections {
        SatelliteConnections::new(followers.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn who_an_earlier_agent_has_served_is_no_news() {
        let there = [connection("a", 1), connection("b", 2)];
        let mut followers = served(&there);
        assert_eq!(followers.want(&seen(100, &there), &Members::new(), 1), MemberReload::Nothing);
        assert_eq!(followers.want(&seen(110, &there), &Members::new(), 1), MemberReload::Nothing);
        assert_eq!(
            followers.want(&seen(120, &there[..1]), &Members::new(), 2),
            MemberReload::Nothing,
            "nor is who left"
        );
        assert_eq!(
            followers.want(&seen(121, &there), &Members::new(), 3),
            MemberReload::Nothing,
            "nor who was missing for a moment"
        );
        assert!(followers.to_record().is_empty(), "nor is it recorded once more");
    }

    #[test]
    fn who_came_while_no_agent_was_here_gets_a_load_and_is_recorded_after_it() {
        let mut followers = served(&[connection("a", 1)]);
        let there = [connection("a", 1), connection("b", 2)];
        assert_eq!(followers.want(&seen(100, &there), &Members::new(), 1), MemberReload::Ask);
        assert!(followers.to_record().is_empty(), "not before the load");
        assert_eq!(followers.want(&seen(102, &there), &Members::new(), 2), MemberReload::Load);
        followers.loaded();
        assert_eq!(followers.to_record(), [connection("b", 2).to_string()].into());
        assert!(followers.to_record().is_empty());
        assert_eq!(followers.want(&seen(103, &there), &Members::new(), 2), MemberReload::Nothing);
    }

    #[test]
    fn a_port_that_is_used_again_after_long_is_another_connection() {
        let mut followers = served(&[connection("a", 1)]);
        followers.want(&seen(100, &[connection("a", 1)]), &Members::new(), 1);
        for clock in 0..i64::from(FORGOTTEN) {
            assert_eq!(followers.want(&seen(101 + clock, &[]), &Members::new(), 1), MemberReload::Nothing);
        }
        assert_eq!(followers.want(&seen(300, &[connection("a", 1)]), &Members::new(), 1), MemberReload::Ask);
    }

    #[test]
    fn a_node_that_connects_or_comes_back_gets_a_load_in_a_later_second() {
        let mut followers = served(&[connection("a", 1)]);
        followers.want(&seen(100, &[connection("a", 1)]), &Members::new(), 4);
        let back = [connection("a", 1), connection("a", 7)];
        assert_eq!(followers.want(&seen(110, &back), &Members::new(), 4), MemberReload::Ask);
        assert_eq!(followers.want(&seen(111, &back), &Members::new(), 5), MemberReload::LoadLater);
        assert_eq!(
            followers.clone().want(&seen(50, &back), &Members::new(), 5),
            MemberReload::Load,
            "the clock was set back"
        );
        assert_eq!(followers.want(&seen(112, &back), &Members::new(), 5), MemberReload::Load);
        assert_eq!(followers.want(&seen(113, &back), &Members::new(), 5), MemberReload::Load, "not loaded yet");
        followers.loaded();
        assert_eq!(followers.want(&seen(114, &back), &Members::new(), 5), MemberReload::Nothing);
    }

    #[test]
    fn nothing_is_loaded_for_a_node_before_the_members_were_heard_of_anew() {
        let mut followers = served(&[]);
        let there = [connection("a", 1)];
        assert_eq!(followers.want(&seen(110, &there), &Members::new(), 4), MemberReload::Ask);
        for clock in [112, 120, 1000] {
            assert_eq!(followers.want(&seen(clock, &there), &Members::new(), 4), MemberReload::LoadLater);
        }
        assert_eq!(followers.want(&seen(1001, &there), &Members::new(), 5), MemberReload::Load);
    }

    #[test]
    fn members_are_no_followers() {
        let mut followers = served(&[]);
        let members: Members =
            [Member::of_pod("10.1.0.1", 6032, "core-0"), Member::of_pod("10.1.0.9", 6032, "core-1")].into();
        let by_interface = Follower {
            hostname: "127.0.0.1".into(),
            interfaces: "10.1.0.9:6032;/tmp/admin.sock".into(),
            ..connection("c", 3)
        };
        let wanted = followers.want(&seen(110, &[connection("a", 1), by_interface]), &members, 1);
        assert_eq!(wanted, MemberReload::Nothing);
    }
}
