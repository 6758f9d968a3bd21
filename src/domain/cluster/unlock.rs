//! Who loads what no node pulls.
//!
//! A module at version 1 is pulled by nobody, and takes any other content that is at a higher version, however old. After all cores
//! restarted from disk each of them is there with the same content, and exactly one has to load it, once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::drift::rank;
use super::member::{Member, Members};
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::Module;

/// How long a core waits for one before it that answers and does not load: its agent may be about to.
const TURN: Duration = Duration::from_secs(20);
/// How long a core that does not find itself among the members waits for another one to do it.
const STRANGER: Duration = Duration::from_secs(10);
/// What a member that does not answer gets to be reached, besides three checks.
const FIRST_CONTACT: Duration = Duration::from_secs(2);
/// What each such member before this one gets besides, with two checks: who is not reached may just not reach anybody either.
const STAGGER: Duration = Duration::from_secs(1);

/// What to do about a module that is at version 1 on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// A member has other content at a higher version, which would replace this one.
    Overrule,
    /// A member has the same at a higher version: it can be pulled there.
    Leave,
    /// All that have it are at version 1, as after a restart of all cores from disk, and it is this node's turn to load it.
    Load,
    /// It is another one's turn, or not all members were reached yet.
    Wait,
}

/// The members of whom one unlocks.
#[derive(Debug, Clone, Default)]
pub struct Turns {
    /// All that are listed, this node among them.
    pub members: Members,
    /// This node's row; `None` where it does not find itself among them.
    pub own: Option<Member>,
    /// Names of those that do not publish: their turn need not be waited for.
    pub older: BTreeSet<String>,
}

impl Turns {
    /// What to do about a module at version 1. `waited` is for how long it has been so while this node asks its peers how they are.
    ///
    /// The first by address of the members that answer loads; the next takes its turn if that one does not. Silent members are waited
    /// for only as long as it takes to reach one that is there.
    pub fn of(&self, seen: &Observation, module: Module, waited: Duration) -> Unlock {
        let Some(own) = &self.own else {
            // It does not know the others; they may know it.
            return if waited < STRANGER { Unlock::Wait } else { Unlock::Load };
        };
        let mine = seen.own(module).map_or("", |own| own.checksum.as_str());
        let (mut turn, mut silent, mut silent_before, mut same) = (0, 0, 0, false);
        for other in self.members.iter().filter(|member| member.key() != own.key()) {
            let is_before = u32::from(rank(other.key()) < rank(own.key()));
            let peer = seen.peers.iter().find(|peer| other.key() == (peer.hostname.as_str(), peer.port));
            let theirs = peer.filter(|peer| peer.heard).and_then(|peer| peer.modules.get(module.checksum_name()));
            match theirs.map_or((0, ""), |theirs| (theirs.version, theirs.checksum.as_str())) {
                (0, _) => (silent, silent_before) = (silent + 1, silent_before + is_before),
                (1, _) if self.older.contains(&other.comment) => {}
                (1, _) => turn += is_before,
                (_, checksum) if checksum != mine => return Unlock::Overrule,
                _ => same = true,
            }
        }
        let contact = seen.check_interval * 3 + FIRST_CONTACT + (seen.check_interval * 2 + STAGGER) * silent_before;
        match () {
            () if same => Unlock::Leave,
            () if (silent > 0 && waited < contact) || waited < TURN * turn => Unlock::Wait,
            () => Unlock::Load,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::proxysql::observation::{Checksum, Peer};

    const HOSTS: [&str; 3] = ["10.0.0.2", "10.0.0.9", "10.0.0.10"];

    fn at(hostname: &str) -> Member {
        Member::of_pod(hostname, 6032, hostname)
    }

    fn checksum(version: u64, checksum: &str) -> Checksum {
        Checksum { version, epoch: 100, checksum: checksum.into() }
    }

    /// A peer with this version and content; one at version 0 was never reached.
    fn peer(hostname: &str, users: Checksum) -> Peer {
        let heard = users.version > 0;
        let modules = BTreeMap::from([("mysql_users".to_owned(), users)]);
        Peer { hostname: hostname.into(), port: 6032, modules, heard, ..Peer::default() }
    }

    fn decided(own: &str, mine: Checksum, peers: Vec<Peer>, older: &[&str], after: u64) -> Unlock {
        let members: Members = HOSTS.map(at).into();
        let members = members.into_iter().filter(|m| peers.iter().any(|peer| peer.hostname == m.hostname)).collect();
        let seen = Observation {
            clock: 1000,
            check_interval: Duration::from_millis(200),
            own: BTreeMap::from([("mysql_users".to_owned(), mine)]),
            peers,
            ..Observation::default()
        };
        let older = older.iter().map(ToString::to_string).collect();
        let turns = Turns { members, own: Some(at(own)), older };
        turns.of(&seen, Module::MysqlUsers, Duration::from_millis(after))
    }

    /// Who loads, of those of three at version 1, which all see the same: the version of each, 0 for one that nobody reaches.
    fn loading(versions: [u64; 3], older: &[&str], after: u64) -> Vec<&'static str> {
        let peers: Vec<Peer> = HOSTS.iter().zip(versions).map(|(host, v)| peer(host, checksum(v, "0xA"))).collect();
        let is_blocked = |host: &&&str| versions[HOSTS.iter().position(|h| h == *host).unwrap()] == 1;
        let loads = |host: &&&str| decided(host, checksum(1, "0xA"), peers.clone(), older, after) == Unlock::Load;
        HOSTS.iter().filter(is_blocked).filter(loads).copied().collect()
    }

    #[test]
    fn exactly_one_of_the_members_that_answer_unlocks() {
        assert_eq!(loading([1, 1, 1], &[], 0), ["10.0.0.2"]);
        assert_eq!(loading([1, 2, 1], &[], 60_000), Vec::<&str>::new(), "somebody has");
        assert_eq!(loading([0, 1, 1], &[], 0), Vec::<&str>::new(), "the first may yet answer");
        assert_eq!(loading([0, 1, 1], &[], 4_000), ["10.0.0.9"], "in the order of addresses, not of texts");
        // The first answers and does not: the others take their turns.
        assert_eq!(loading([1, 1, 1], &[], 19_000), ["10.0.0.2"]);
        assert_eq!(loading([1, 1, 1], &[], 20_000), ["10.0.0.2", "10.0.0.9"]);
    }

    #[test]
    fn silent_members_hold_nobody_for_long_and_the_first_for_the_shortest_time() {
        for (own, least) in HOSTS.iter().zip([2_600, 4_000, 5_400]) {
            let alone = |after| {
                let peers = HOSTS.iter().map(|host| peer(host, checksum(u64::from(host == own), "0xA"))).collect();
                decided(own, checksum(1, "0xA"), peers, &[], after)
            };
            assert_eq!((alone(least - 1), alone(least)), (Unlock::Wait, Unlock::Load), "{own}");
        }
    }

    #[test]
    fn the_turn_of_one_that_does_not_publish_is_not_waited_for() {
        assert_eq!(loading([1, 1, 1], &["10.0.0.2"], 0), ["10.0.0.2", "10.0.0.9"], "the first itself is never asked");
    }

    #[test]
    fn content_at_version_1_yields_to_nothing_that_differs_and_to_all_that_is_equal() {
        let decided = |theirs: Checksum| {
            let peers = vec![peer("10.0.0.2", theirs), peer("10.0.0.9", checksum(1, "0xNEW"))];
            decided("10.0.0.9", checksum(1, "0xNEW"), peers, &[], 0)
        };
        assert_eq!(decided(checksum(2, "0xOLD")), Unlock::Overrule);
        assert_eq!(decided(checksum(2, "0xNEW")), Unlock::Leave);
        assert_eq!(decided(checksum(1, "0xOLD")), Unlock::Wait);
        assert_eq!(decided(checksum(0, "")), Unlock::Wait);
    }

    #[test]
    fn who_does_not_find_itself_waits_for_the_others_first() {
        let (turns, seen) = (Turns::default(), Observation::default());
        assert_eq!(turns.of(&seen, Module::MysqlUsers, Duration::from_secs(1)), Unlock::Wait);
        assert_eq!(turns.of(&seen, Module::MysqlUsers, STRANGER), Unlock::Load);
    }
}
