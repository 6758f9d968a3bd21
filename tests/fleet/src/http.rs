//! A small HTTP client: one connection for each request, bodies whole or line by line.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// An answer whose body is still on the wire.
pub struct Reply {
    /// The status code.
    pub status: u16,
    headers: hyper::HeaderMap,
    body: Incoming,
    buffer: Vec<u8>,
    _connection: AbortOnDropHandle<()>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// `GET` of a path with its query, with a bearer token if there is one.
pub async fn get(server: SocketAddr, path: &str, token: Option<&str>) -> io::Result<Reply> {
    let stream = TcpStream::connect(server).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // How the connection ended is told by the body.
        drop(connection.await);
    }));
    let mut request = hyper::Request::get(path).header("host", server.to_string());
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;
    let reply = sender.send_request(request).await.map_err(io::Error::other)?;
    let (parts, body) = reply.into_parts();
    Ok(Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
        buffer: Vec::new(),
        _connection: connection,
    })
}

impl Reply {
    /// The value of a header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The whole body as text.
    pub async fn text(mut self) -> io::Result<String> {
        while self.fill().await? {}
        String::from_utf8(self.buffer).map_err(io::Error::other)
    }

    /// The whole body as JSON.
    pub async fn json(self) -> io::Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.text().await?)?)
    }

    /// The next line of the body; `None` at its regular end, an error where the connection broke off.
    pub async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.drain(..=end).collect::<Vec<_>>();
                return String::from_utf8(line).map(|line| Some(line.trim_end().to_owned())).map_err(io::Error::other);
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// As [`Self::line`], and an error of kind `TimedOut` if nothing came within `limit`.
    pub async fn line_within(&mut self, limit: Duration) -> io::Result<Option<String>> {
        tokio::time::timeout(limit, self.line()).await?
    }

    async fn fill(&mut self) -> io::Result<bool> {
        match self.body.frame().await {
            None => Ok(false),
            Some(Err(error)) => Err(io::Error::other(error)),
            Some(Ok(frame)) => {
                self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                Ok(true)
            }
        }
    }
}
