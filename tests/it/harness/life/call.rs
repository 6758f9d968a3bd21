//! HTTP by hand, so that a scenario can also do it wrong.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::PATIENCE;

/// An answer, and how long it took.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) text: String,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The words of the reasons.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let body = self.body();
        let reasons = body["reasons"].as_array().unwrap();
        reasons.iter().map(|reason| reason["reason"].as_str().unwrap().to_owned()).collect()
    }

    fn read(bytes: &[u8], took: Duration) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let code = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { code, head: head.to_ascii_lowercase(), text: body.to_owned(), took })
    }
}

/// Sends a request on a connection of its own and reads the whole answer.
pub(crate) async fn call(server: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    try_call(server, method, path, headers).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

pub(crate) async fn try_call(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> io::Result<Answer> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request += "\r\n";
    let began = Instant::now();
    let bytes = raw(server, request.as_bytes()).await?;
    Answer::read(&bytes, began.elapsed()).ok_or_else(|| io::Error::other("no answer"))
}

/// Sends bytes, and reads until the other side closes. Without bytes, it only connects.
pub(crate) async fn raw(server: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let mut answer = Vec::new();
        if !bytes.is_empty() {
            stream.write_all(bytes).await?;
            stream.read_to_end(&mut answer).await?;
        }
        Ok(answer)
    };
    timeout(PATIENCE * 2, exchange).await?
}
