//! Cores that are known by address alone: what a list says, or what a name leads to. They have no pods, and so no generations.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::discovered::{Discovered, Freshness, SourceHealth};
use crate::domain::cluster::member::{Member, Members};
use crate::domain::cluster::rollout::RolloutState;

/// The cores, as far as they are known, and which of them is this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Their admin ports; `None` until a lookup or a list named one.
    members: Option<BTreeSet<SocketAddr>>,
    /// This core's, if it is among them.
    own: Option<SocketAddr>,
    source: SourceHealth,
}

impl Addresses {
    /// The cores were looked for: these are known now, `own` is this core's, and how far the look can be relied on. An empty answer
    /// changes nothing.
    pub fn looked(&mut self, members: BTreeSet<SocketAddr>, own: Option<SocketAddr>, freshness: Freshness) {
        self.source.answered(freshness);
        if !members.is_empty() {
            (self.members, self.own) = (Some(members), own);
        }
    }

    /// What this source says. Without pods there is no rollout, and every core publishes its file.
    ///
    /// The comment of a row repeats its address, so that every core writes the same row, be the source a list or a name: rows are matched by
    /// their comments.
    pub fn discovered(&self) -> Discovered {
        let row = |at: &SocketAddr| Member::of_pod(at.ip().to_string(), at.port(), at.to_string());
        let members = self.members.as_ref().map(|members| members.iter().map(row).collect::<Members>());
        Discovered {
            members,
            own: self.own.map(|at| at.to_string()),
            rollout: Some(RolloutState::Newest { older: BTreeSet::new() }),
            has_names: false,
            freshness: self.source.freshness,
            heard: self.source.heard,
            signs_needed: 3,
            health: self.source.health,
        }
    }
}

/// What an agent knows of its own address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnAddress {
    /// What it was told.
    pub told: Option<IpAddr>,
    /// Where it reaches its `ProxySQL`, if by an address and not by a name.
    pub admin: Option<IpAddr>,
    /// The admin port.
    pub port: u16,
}

impl OwnAddress {
    /// Which of the members this core is: the one it was told; else the one that its agent itself connects to; else the first whose
    /// address `is_local`. Of several on one address, the one on its port.
    pub fn among(&self, members: &BTreeSet<SocketAddr>, is_local: impl Fn(IpAddr) -> bool) -> Option<SocketAddr> {
        let at = |ip: IpAddr| members.iter().copied().find(|at| at.ip() == ip && at.port() == self.port);
        if let Some(told) = self.told {
            return at(told);
        }
        let local = || members.iter().copied().find(|at| at.port() == self.port && is_local(at.ip()));
        self.admin.and_then(at).or_else(local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(texts: &[&str]) -> BTreeSet<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn rows_are_the_same_whichever_source_told_and_an_empty_answer_changes_nothing() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.discovered().members, None);
        addresses.looked(members(&["10.0.0.2:6032", "[fd00::1]:7032"]), None, Freshness::Fresh);
        let rows: Members =
            [Member::of_pod("10.0.0.2", 6032, "10.0.0.2:6032"), Member::of_pod("fd00::1", 7032, "[fd00::1]:7032")]
                .into();
        assert_eq!(addresses.discovered().members, Some(rows.clone()));
        addresses.looked(BTreeSet::new(), None, Freshness::Stale);
        let stale = addresses.discovered();
        assert_eq!((stale.members, stale.freshness, stale.heard), (Some(rows), Freshness::Stale, 1));
        assert_eq!((stale.health.answers, stale.health.restarts, stale.health.failing), (1, 1, true));
        addresses.looked(members(&["10.0.0.2:6032"]), Some("10.0.0.2:6032".parse().unwrap()), Freshness::Half);
        let half = addresses.discovered();
        assert_eq!((half.own.as_deref(), half.freshness, half.heard), (Some("10.0.0.2:6032"), Freshness::Half, 2));
    }

    #[test]
    fn cores_without_pods_all_publish() {
        let newest = Some(RolloutState::Newest { older: BTreeSet::new() });
        assert_eq!(Addresses::default().discovered().rollout, newest);
    }

    #[test]
    fn a_core_finds_itself_by_what_it_was_told_then_by_its_proxysql_then_by_what_is_local() {
        let all = members(&["10.0.0.1:6032", "10.0.0.1:7032", "10.0.0.2:6032", "[fd00::1]:6032"]);
        let ip = |text: &str| text.parse::<IpAddr>().ok();
        let own = |told, admin, port, local: &str| {
            let own = OwnAddress { told: ip(told), admin: ip(admin), port };
            own.among(&all, |address| Some(address) == ip(local)).map(|at| at.to_string())
        };
        assert_eq!(own("", "127.0.0.1", 6032, "fd00::1").as_deref(), Some("[fd00::1]:6032"));
        assert_eq!(own("", "127.0.0.1", 7032, "10.0.0.1").as_deref(), Some("10.0.0.1:7032"));
        assert_eq!(own("", "10.0.0.2", 6032, "10.0.0.1").as_deref(), Some("10.0.0.2:6032"));
        assert_eq!(own("10.0.0.1", "10.0.0.2", 6032, "fd00::1").as_deref(), Some("10.0.0.1:6032"));
        assert_eq!(own("10.0.0.9", "10.0.0.2", 6032, "fd00::1"), None, "what it was told is not put in doubt");
        assert_eq!(own("", "", 6032, "10.9.9.9"), None);
    }
}
