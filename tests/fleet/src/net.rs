//! Loopback addresses and ports that no other rig on the machine uses, and sockets that can be interfered with.
//!
//! Every rig takes a block `127.x.y.0/24` for itself. A listener on the block's first address, kept for as long as the block
//! lives, is the claim: test processes that run at the same time, and rigs within one process, never share an address.

mod forwarder;
mod gate;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

pub use forwarder::Forwarder;
pub(crate) use gate::{Gate, GateKeeper};

/// The port whose binding on a block's first address claims the block. The same in every process, outside the ephemeral range.
const CLAIM_PORT: u16 = 29_173;
/// Blocks `127.1.0.0/24` to `127.254.255.0/24`; `127.0.0.0/16` is left to everybody else.
const BLOCKS: u32 = 254 * 256;
/// The first address is the claim's; the others are handed out.
const FIRST_ADDRESS: u8 = 2;
const LAST_ADDRESS: u8 = 254;

/// A `127.x.y.0/24` of one's own.
#[derive(Debug)]
pub struct Block {
    prefix: [u8; 2],
    next: AtomicU8,
    ports: Mutex<BTreeSet<u16>>,
    _claim: TcpListener,
}

impl Block {
    /// Claims a block that nobody holds.
    pub fn take() -> io::Result<Self> {
        static TAKEN: AtomicU32 = AtomicU32::new(0);
        let start = std::process::id().wrapping_mul(7_919).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let mut last = None;
        for step in 0..BLOCKS {
            let index = start.wrapping_add(step) % BLOCKS;
            let [_, _, high, low] = (index + 256).to_be_bytes();
            match TcpListener::bind((Ipv4Addr::new(127, high, low, 1), CLAIM_PORT)) {
                Ok(claim) => {
                    return Ok(Self {
                        prefix: [high, low],
                        next: AtomicU8::new(FIRST_ADDRESS),
                        ports: Mutex::default(),
                        _claim: claim,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = Some(error),
                Err(error) => {
                    return Err(io::Error::new(
                        error.kind(),
                        format!("no loopback addresses besides 127.0.0.1: {error}"),
                    ));
                }
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }

    /// An address of the block that was not handed out before.
    pub fn address(&self) -> io::Result<Ipv4Addr> {
        let last = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| (next <= LAST_ADDRESS).then(|| next + 1))
            .map_err(|_| io::Error::other("the block has no address left"))?;
        Ok(self.at(last))
    }

    /// A port, `preferred` if possible, that is free on every address of the block and was not handed out before.
    pub fn port(&self, preferred: u16) -> io::Result<u16> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        // The block's addresses are nobody else's, so only a listener on all addresses can be in the way, and one bind tells.
        let free = |port: &u16| {
            *port != CLAIM_PORT
                && !ports.contains(port)
                && TcpListener::bind(SocketAddrV4::new(self.at(1), *port)).is_ok()
        };
        let port = (preferred..=u16::MAX).find(free).ok_or_else(|| io::Error::other("no free port on the block"))?;
        ports.insert(port);
        Ok(port)
    }

    fn at(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.prefix[0], self.prefix[1], last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_addresses_and_ports_are_distinct() {
        let (one, two) = (Block::take().unwrap(), Block::take().unwrap());
        let mut seen = BTreeSet::new();
        for _ in 0..100 {
            assert!(seen.insert(one.address().unwrap()));
            assert!(seen.insert(two.address().unwrap()));
        }
        assert_ne!(one.port(6032).unwrap(), one.port(6032).unwrap());
    }

    #[test]
    fn a_block_ends_with_an_error() {
        let block = Block::take().unwrap();
        assert_eq!(std::iter::from_fn(|| block.address().ok()).count(), 253);
        assert!(block.address().is_err());
    }

    #[test]
    fn a_dropped_block_can_be_taken_again() {
        let first = Block::take().unwrap();
        let address = SocketAddrV4::new(first.at(1), CLAIM_PORT);
        assert!(TcpListener::bind(address).is_err());
        drop(first);
        assert!(TcpListener::bind(address).is_ok());
    }
}
