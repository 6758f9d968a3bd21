//! One address behind which any of several servers answers: a Service, or a wire that can be cut.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::serve::Listener as _;
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::gate::{Gate, GateKeeper, Wire};

/// Forwards connections to one of its endpoints. It stops when it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    gate: GateKeeper,
    endpoints: Endpoints,
    _stop: DropGuard,
}

#[derive(Clone, Debug, Default)]
struct Endpoints {
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
    turn: Arc<AtomicUsize>,
}

impl Forwarder {
    /// Listens here, without endpoints.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let (listener, gate) = Gate::new(address).await?;
        let (endpoints, stop) = (Endpoints::default(), CancellationToken::new());
        tokio::spawn(serve(listener, endpoints.clone(), stop.clone()));
        Ok(Self { gate, endpoints, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.gate.address()
    }

    /// New connections may go there from now on.
    pub fn add(&self, endpoint: SocketAddr) {
        self.endpoints.lock().push(endpoint);
    }

    /// No new connection goes there any more.
    pub fn remove(&self, endpoint: SocketAddr) {
        self.endpoints.lock().retain(|other| *other != endpoint);
    }

    /// Closes the port and every connection; returns when a connection is refused.
    pub async fn close(&self) {
        self.gate.close().await;
    }

    /// Opens the port again; returns when it is open.
    pub async fn open(&self) {
        self.gate.open().await;
    }

    /// Breaks off every connection.
    pub fn cut(&self) {
        self.gate.cut();
    }
}

impl Endpoints {
    fn lock(&self) -> MutexGuard<'_, Vec<SocketAddr>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the endpoint whose turn it is, or to the next that answers.
    async fn connect(&self) -> Option<TcpStream> {
        let mut addresses = self.lock().clone();
        if !addresses.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len();
            addresses.rotate_left(turn);
        }
        for address in addresses {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Some(stream);
            }
        }
        None
    }
}

async fn serve(mut listener: Gate, endpoints: Endpoints, stop: CancellationToken) {
    let accept = async {
        loop {
            let (client, _) = listener.accept().await;
            let (endpoints, stop) = (endpoints.clone(), stop.clone());
            tokio::spawn(async move { stop.run_until_cancelled(forward(client, endpoints)).await });
        }
    };
    stop.run_until_cancelled(accept).await;
}

/// Both ways, until either side ends. A client for whom nobody is there is let go.
async fn forward(mut client: Wire, endpoints: Endpoints) {
    if let Some(mut server) = endpoints.connect().await {
        drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
    }
}
