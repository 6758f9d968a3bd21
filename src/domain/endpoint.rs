//! Where something listens: a host and a port.

use std::fmt::{self, Display};

/// A host (a name or an address, IPv6 without brackets) and a port, written as one text: IPv6 in brackets, `[fd00::1]:6032`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint<'a, P = u16> {
    /// A name or an address, IPv6 without brackets.
    pub host: &'a str,
    /// The port, be it as `ProxySQL` or a document writes it.
    pub port: P,
}

impl<'a, P> Endpoint<'a, P> {
    /// The port of this host.
    pub const fn new(host: &'a str, port: P) -> Self {
        Self { host, port }
    }
}

impl<P: Display> Display for Endpoint<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_stands_in_brackets() {
        let texts = ["core-0.cores", "10.0.0.1", "fd00::1"].map(|host| Endpoint::new(host, 6032).to_string());
        assert_eq!(texts, ["core-0.cores:6032", "10.0.0.1:6032", "[fd00::1]:6032"]);
        assert_eq!(Endpoint::new("::1", "6033").to_string(), "[::1]:6033");
    }
}
