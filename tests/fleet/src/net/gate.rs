//! A socket that can be closed and opened again, whose connections can be cut, and whose bytes are counted.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What is known of all connections, and the way to end them.
#[derive(Debug, Default)]
struct Wires {
    /// Cancelled to cut what is connected now, then replaced.
    cut: Mutex<CancellationToken>,
    connections: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// The owner's side of a gate. Connections are cut when it is dropped.
#[derive(Debug)]
pub(crate) struct GateKeeper {
    address: SocketAddr,
    wanted: watch::Sender<bool>,
    listening: watch::Receiver<bool>,
    wires: Arc<Wires>,
}

impl GateKeeper {
    /// Where the gate is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and every connection; returns when a connection is refused.
    pub(crate) async fn close(&self) {
        self.wanted.send_replace(false);
        self.cut();
        // An error means that the gate is gone, and that is closed as well.
        drop(self.listening.clone().wait_for(|listening| !listening).await);
        // Connections that slipped in meanwhile.
        self.cut();
    }

    /// Returns when the port is open.
    pub(crate) async fn open(&self) {
        self.wanted.send_replace(true);
        drop(self.listening.clone().wait_for(|listening| *listening).await);
    }

    /// Breaks off every connection.
    pub(crate) fn cut(&self) {
        let mut cut = self.wires.cut.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *cut).cancel();
    }

    /// Connections accepted, bytes received, bytes sent.
    pub(crate) fn counts(&self) -> [u64; 3] {
        [&self.wires.connections, &self.wires.bytes_in, &self.wires.bytes_out]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

impl Drop for GateKeeper {
    fn drop(&mut self) {
        self.cut();
    }
}

/// The listening side, for `axum::serve` or a loop of one's own.
#[derive(Debug)]
pub(crate) struct Gate {
    address: SocketAddr,
    listener: Option<TcpListener>,
    /// Whether the port is meant to be open.
    wanted: watch::Receiver<bool>,
    /// Whether it is.
    listening: watch::Sender<bool>,
    wires: Arc<Wires>,
}

impl Gate {
    /// Listens here; port 0 takes a free one.
    pub(crate) async fn new(address: SocketAddr) -> io::Result<(Self, GateKeeper)> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let ((wanted, wanted_told), (listening, listening_told)) = (watch::channel(true), watch::channel(true));
        let wires = Arc::new(Wires::default());
        let gate = Self { address, listener: Some(listener), wanted: wanted_told, listening, wires: wires.clone() };
        Ok((gate, GateKeeper { address, wanted, listening: listening_told, wires }))
    }

    /// One turn: follows what is wanted, or waits for a connection or a change of mind.
    async fn turn(&mut self) -> Option<(TcpStream, SocketAddr)> {
        let wanted = *self.wanted.borrow_and_update();
        match &self.listener {
            Some(_) if !wanted => {
                self.listener = None;
                self.listening.send_replace(false);
                None
            }
            Some(listener) => tokio::select! {
                accepted = listener.accept() => accepted.ok(),
                changed = self.wanted.changed() => if changed.is_ok() { None } else { std::future::pending().await },
            },
            None if wanted => {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => {
                        self.listener = Some(listener);
                        self.listening.send_replace(true);
                    }
                    // Somebody's outgoing connection may hold the port for a moment.
                    Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
                }
                None
            }
            None => {
                if self.wanted.changed().await.is_ok() {
                    None
                } else {
                    std::future::pending().await
                }
            }
        }
    }
}

impl axum::serve::Listener for Gate {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Some((stream, peer)) = self.turn().await {
                // Small events are to be seen at once.
                drop(stream.set_nodelay(true));
                self.wires.connections.fetch_add(1, Ordering::Relaxed);
                let cut =
                    Box::pin(self.wires.cut.lock().unwrap_or_else(PoisonError::into_inner).clone().cancelled_owned());
                return (Wire { stream, cut, wires: self.wires.clone() }, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that counts, and that can be cut from afar.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    wires: Arc<Wires>,
}

impl Wire {
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionReset.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.wires.bytes_in.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.wires.bytes_out.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
