//! The port to listen on.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be accepted; what tokio has for a listener.
const BACKLOG: u32 = 1024;

/// Nothing can be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else does already.
    #[error("HTTP address {0} is already in use; set api.port to another port")]
    Taken(SocketAddr),
    /// The system refuses.
    #[error("cannot listen on HTTP address {address}: {source}")]
    Refused {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// There was nothing to try.
    #[error("no HTTP address to listen on")]
    Nothing,
}

/// Listens on the first of these addresses that the system has.
///
/// # Errors
/// See [`BindError`]. An address that is taken ends the search: another one would hide the mistake.
pub fn bind(addresses: &[SocketAddr]) -> Result<TcpListener, BindError> {
    let mut last = BindError::Nothing;
    for &address in addresses {
        last = match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(BindError::Taken(address)),
            Err(source) => BindError::Refused { address, source },
        };
    }
    Err(last)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() {
        // `::` is every address, whatever net.ipv6.bindv6only says.
        SockRef::from(&socket).set_only_v6(false)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn the_default_address_serves_both_families() {
        // A machine without IPv6 has nothing to show.
        let Ok(listener) = bind(&["[::]:0".parse().unwrap()]) else { return };
        assert!(!SockRef::from(&listener).only_v6().unwrap());
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "::1"] {
            TcpStream::connect((host, port)).await.unwrap();
        }
        let taken = bind(&[SocketAddr::new("::".parse().unwrap(), port), "0.0.0.0:0".parse().unwrap()]);
        assert!(matches!(taken, Err(BindError::Taken(_))), "{taken:?}");
    }
}
