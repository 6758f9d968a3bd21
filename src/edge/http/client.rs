//! The client side: queries an agent, for subcommands.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::token;

/// The agent is beside the caller: a connection is made at once or not at all.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// The most of an answer that is read: the status of a fleet of hundreds.
const LARGEST_ANSWER: usize = 4 << 20;

/// What an agent answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP code.
    pub code: u16,
    /// The body, JSON in one line.
    pub body: String,
}

/// Asks the agent that listens on `address` to drain, and waits for the end for `patience` at most.
///
/// # Errors
/// The token cannot be read, nobody listens, or there is no answer in time.
pub async fn ask_shutdown(address: SocketAddr, token_file: Option<&Path>, patience: Duration) -> io::Result<Answered> {
    let token = match token_file {
        Some(file) => Some(token::read(file).await.map_err(|refusal| io::Error::other(refusal.to_string()))?),
        None => None,
    };
    ask(address, Method::POST, "/shutdown", token, patience).await
}

/// Asks the agent that listens on `address` how it is, and waits for that for `patience` at most.
///
/// # Errors
/// Nobody listens, or there is no answer in time.
pub async fn ask_status(address: SocketAddr, patience: Duration) -> io::Result<Answered> {
    ask(address, Method::GET, "/status", None, patience).await
}

async fn ask(
    address: SocketAddr,
    method: Method,
    path: &str,
    token: Option<Vec<u8>>,
    patience: Duration,
) -> io::Result<Answered> {
    let address = reachable(address);
    let stream = timeout(CONNECT_DEADLINE.min(patience), TcpStream::connect(address)).await??;
    timeout(patience, exchange(stream, address, method, path, token)).await?
}

async fn exchange(
    stream: TcpStream,
    address: SocketAddr,
    method: Method,
    path: &str,
    token: Option<Vec<u8>>,
) -> io::Result<Answered> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONNECTION, "close");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, [b"Bearer ", token.as_slice()].concat());
    }
    let request = request.body(Body::empty()).map_err(io::Error::other)?;
    let answered = async {
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        let code = answer.status().as_u16();
        let body = to_bytes(Body::new(answer.into_body()), LARGEST_ANSWER).await.map_err(io::Error::other)?;
        Ok(Answered { code, body: String::from_utf8_lossy(&body).into_owned() })
    };
    let mut answered = std::pin::pin!(answered);
    tokio::select! {
        biased;
        ended = &mut answered => ended,
        // The connection is driven until it ends; what it has brought by then is an answer all the same.
        _ = connection => answered.await,
    }
}

/// An agent that listens on every address is asked on the loopback one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
