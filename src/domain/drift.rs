//! Where this node and its peers disagree, and who has to do something about it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::member::Member;
use super::observation::{Checksum, Observation, Peer};
use super::statement::Module;

/// Modules that this node and a peer loaded with different content in the same second. Epochs count whole seconds and only a
/// newer one is pulled, so without one more load in a later second they stay apart for good.
///
/// `own` is this node's row, or `None` where it is not known. A module is named only on the node that comes first by address
/// among those that share its epoch: exactly one of them must load it again.
pub fn to_load_again(seen: &Observation, own: Option<&Member>) -> BTreeSet<Module> {
    let Some(own) = own else { return BTreeSet::new() };
    seen.own
        .iter()
        .filter(|(_, checksum)| checksum.version > 1)
        .filter_map(|(name, checksum)| {
            let module = Module::from_checksum_name(name)?;
            let rivals: Vec<&Peer> = seen
                .peers
                .iter()
                .filter(|peer| (peer.hostname.as_str(), peer.port) != own.key())
                .filter(|peer| peer.modules.get(name).is_some_and(|theirs| conflicts(checksum, theirs)))
                .collect();
            let first = rivals.iter().all(|peer| rank(own.key()) < rank((&peer.hostname, peer.port)));
            (!rivals.is_empty() && first).then_some(module)
        })
        .collect()
}

fn conflicts(own: &Checksum, theirs: &Checksum) -> bool {
    theirs.version > 1 && theirs.epoch == own.epoch && theirs.checksum != own.checksum
}

/// Addresses in their own order (10.0.0.9 before 10.0.0.10), names after them in the alphabet's.
fn rank((hostname, port): (&str, u16)) -> (bool, Option<IpAddr>, &str, u16) {
    let address = hostname.parse().ok();
    (address.is_none(), address, hostname, port)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn checksum(version: u64, epoch: i64, checksum: &str) -> Checksum {
        Checksum { version, epoch, checksum: checksum.into() }
    }

    fn peer(hostname: &str, users: Checksum) -> Peer {
        let modules = BTreeMap::from([("mysql_users".to_owned(), users)]);
        Peer { hostname: hostname.into(), port: 6032, modules, updated_at: Some(1) }
    }

    fn seen(own: Checksum, peers: Vec<Peer>) -> Observation {
        Observation { own: BTreeMap::from([("mysql_users".to_owned(), own)]), peers, ..Observation::default() }
    }

    fn at(hostname: &str) -> Member {
        Member::of_pod(hostname, 6032, "core")
    }

    #[test]
    fn the_first_by_address_loads_again_and_nobody_else() {
        let split = |own: &str, other: &str| {
            seen(
                checksum(2, 100, own),
                vec![peer("10.0.0.9", checksum(2, 100, "0xA")), peer("10.0.0.10", checksum(3, 100, other))],
            )
        };
        assert_eq!(to_load_again(&split("0xA", "0xB"), Some(&at("10.0.0.9"))), [Module::MysqlUsers].into());
        assert!(to_load_again(&split("0xB", "0xB"), Some(&at("10.0.0.10"))).is_empty());
    }

    #[test]
    fn only_equal_epochs_with_different_content_are_a_conflict() {
        let own = at("10.0.0.1");
        for theirs in [
            checksum(2, 100, "0xA"),
            checksum(2, 101, "0xB"),
            checksum(2, 99, "0xB"),
            checksum(1, 100, "0xB"),
            checksum(0, 0, ""),
        ] {
            let seen = seen(checksum(2, 100, "0xA"), vec![peer("10.0.0.2", theirs.clone())]);
            assert!(to_load_again(&seen, Some(&own)).is_empty(), "{theirs:?}");
        }
    }

    #[test]
    fn a_node_does_not_conflict_with_its_own_row_nor_act_without_knowing_it() {
        let seen = seen(checksum(2, 100, "0xA"), vec![peer("10.0.0.1", checksum(2, 100, "0xOLD"))]);
        assert!(to_load_again(&seen, Some(&at("10.0.0.1"))).is_empty());
        assert!(to_load_again(&seen, None).is_empty());
    }
}
