//! Cores that are known by address alone: what a list says, or what a name leads to. They have no pods, and so no generations.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::domain::cluster::member::{Member, Members};

/// The cores, as far as they are known, and which of them is this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Their admin ports; `None` until somebody named one.
    members: Option<BTreeSet<SocketAddr>>,
    /// This core's, if it is among them.
    own: Option<SocketAddr>,
}

impl Addresses {
    /// These are the cores now, and this one among them. Whether that changed anything. Nobody is no answer.
    pub fn found(&mut self, members: BTreeSet<SocketAddr>, own: Option<SocketAddr>) -> bool {
        if members.is_empty() {
            return false;
        }
        let changed = self.members.as_ref() != Some(&members) || self.own != own;
        (self.members, self.own) = (Some(members), own);
        changed
    }

    /// The rows that every core computes from the same addresses; `None` while nobody knows.
    ///
    /// The comment is the address once more: every core writes the same, whether a list or a name told it, and a row is known by
    /// its comment.
    pub fn rows(&self) -> Option<Members> {
        let members = self.members.as_ref()?;
        Some(members.iter().map(|at| Member::of_pod(at.ip().to_string(), at.port(), at.to_string())).collect())
    }

    /// The comment of this core's row, if it is known to be among the members.
    pub fn own(&self) -> Option<String> {
        self.own.map(|at| at.to_string())
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
    fn rows_are_the_same_whoever_told_and_nobody_is_no_answer() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.rows(), None);
        assert!(addresses.found(members(&["10.0.0.2:6032", "[fd00::1]:7032"]), None));
        assert!(!addresses.found(members(&["[fd00::1]:7032", "10.0.0.2:6032"]), None));
        assert!(!addresses.found(BTreeSet::new(), None));
        let rows: Members =
            [Member::of_pod("10.0.0.2", 6032, "10.0.0.2:6032"), Member::of_pod("fd00::1", 7032, "[fd00::1]:7032")]
                .into();
        assert_eq!(addresses.rows(), Some(rows));
        assert!(addresses.found(members(&["10.0.0.2:6032"]), Some("10.0.0.2:6032".parse().unwrap())));
        assert_eq!(addresses.own().as_deref(), Some("10.0.0.2:6032"));
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
