//! The port to listen on.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Nothing can be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else does already.
    #[error("the port for HTTP is taken: {0}; api.port is another")]
    Taken(SocketAddr),
    /// The system refuses.
    #[error("cannot listen for HTTP on {address}: {source}")]
    Refused {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// There was nothing to try.
    #[error("no address to listen for HTTP on")]
    Nothing,
}

/// Listens on the first of these addresses that the system has.
///
/// # Errors
/// See [`BindError`]. An address that is taken ends the search: another one would hide the mistake.
pub async fn bind(addresses: &[SocketAddr]) -> Result<TcpListener, BindError> {
    let mut last = BindError::Nothing;
    for &address in addresses {
        last = match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(BindError::Taken(address)),
            Err(source) => BindError::Refused { address, source },
        };
    }
    Err(last)
}
