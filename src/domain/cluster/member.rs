//! A core as a row of `proxysql_servers`.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::domain::endpoint::Endpoint;

/// One core as a row of `proxysql_servers`. Its key there is (hostname, port).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Member {
    /// Address or name that the other nodes connect to; an IPv6 address stands without brackets.
    pub hostname: String,
    /// Admin port.
    pub port: u16,
    /// Unused by `ProxySQL`; always 0 in rows of ours.
    pub weight: i64,
    /// Name of the pod, in rows of ours.
    pub comment: String,
}

/// Rows of `proxysql_servers`, in the order of hostname and port.
pub type Members = BTreeSet<Member>;

impl Member {
    /// The row that every core computes for the pod `name` at `hostname`.
    pub fn of_pod(hostname: impl Into<String>, port: u16, name: impl Into<String>) -> Self {
        Self { hostname: hostname.into(), port, weight: 0, comment: name.into() }
    }

    /// The part that `ProxySQL` keeps unique.
    pub fn key(&self) -> (&str, u16) {
        (&self.hostname, self.port)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Endpoint::new(&self.hostname, self.port).fmt(f)
    }
}
