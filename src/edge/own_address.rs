//! This machine's own addresses, as far as sockets tell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Addresses for documentation (RFC 5737, RFC 3849), which nobody has.
const NOBODY: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
/// Nothing is ever sent there.
const DISCARD: u16 = 9;

/// Whether an address is this machine's.
///
/// A socket can be bound to no other. Where `net.ipv4.ip_nonlocal_bind` lifts that, as it does on machines that share an address,
/// it counts which address the kernel would send from: to an own one it sends from itself.
pub fn is_local(address: IpAddr) -> bool {
    can_bind(address) && (!can_bind(NOBODY[usize::from(address.is_ipv6())]) || is_source_of_itself(address))
}

fn can_bind(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn is_source_of_itself(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, DISCARD))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_local_and_what_nobody_has_is_not() {
        assert!(is_local(Ipv4Addr::LOCALHOST.into()));
        assert!(is_source_of_itself(Ipv4Addr::LOCALHOST.into()));
        for nobody in NOBODY {
            assert!(!is_source_of_itself(nobody) && !is_local(nobody));
        }
    }
}
