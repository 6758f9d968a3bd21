//! What a client meets at `ProxySQL`'s port for `MySQL` clients.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::reach::resolve;
use crate::domain::drain::Listener;

/// How many of the connections that were made to a listener had no word from it within a bound. Its refusal is a word, too.
pub(super) async fn unanswered(listener: &Listener, within: Duration) -> usize {
    let mut missing = 0;
    for (host, port) in &listener.addresses {
        // What a name stands for says nothing about ProxySQL.
        let Ok(addresses) = resolve(host, *port, within).await else { continue };
        let Some(address) = addresses.first() else { continue };
        let greetings = (0..listener.tries).map(|_| timeout(within, greeting(*address, *port)));
        missing += join_all(greetings).await.into_iter().filter(|greeting| !matches!(greeting, Ok(Ok(_)))).count();
    }
    missing
}

async fn greeting(address: IpAddr, port: u16) -> io::Result<u8> {
    TcpStream::connect(SocketAddr::new(address, port)).await?.read_u8().await
}
