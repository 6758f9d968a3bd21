//! Another node's admin port. Addresses of pods are used again, so nobody knows who answers there.
//!
//! A peer is given what `ProxySQL` itself gives to it, and no more: the cluster's user, and the proof of `mysql_native_password`, over
//! TLS where the peer offers it. Its certificate is self-signed and not verified, by neither of the two: TLS hides this connection from
//! those who only listen. Whatever else the peer asks for is refused, for every other method hands out the password or something as
//! good. The driver of the other connection cannot be told to refuse, so this is a small client of its own: one login, text answers.

mod packet;
mod tls;

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::packet::{AuthReply, Greeting, Reply};
use super::{AdminError, Answer, MAX_ALLOWED_PACKET, MOST_ROWS};
use crate::domain::endpoint::Endpoint;
use crate::domain::proxysql::statement::Statement;

/// Bound of the connection with its login, and of each statement on it.
const DEADLINE: Duration = Duration::from_secs(1);
/// Bytes that a peer may send before it has let this node in.
const MOST_BEFORE_LOGIN: usize = 16 << 10;
/// Bytes that the answer to a question about the peer itself may have.
const MOST_ABOUT_ITSELF: usize = 16 << 10;

/// With which user, and by which password, the nodes of a cluster let each other in.
#[derive(Clone)]
pub struct Login {
    /// `admin-cluster_username`.
    pub username: String,
    /// `admin-cluster_password`.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A stream of bytes, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Asks each of the statements, over one connection that is gone afterwards.
pub(super) async fn ask(
    host: &str,
    port: u16,
    login: &Login,
    statements: &[Statement],
) -> Result<Vec<Answer>, AdminError> {
    let address = Endpoint::new(host, port).to_string();
    let connected = timeout(DEADLINE, connect(host, port, login)).await;
    let mut wire = match connected {
        Ok(Ok(wire)) => wire,
        Ok(Err(PeerRefusal::Login { code, text })) => return Err(AdminError::LoginRefused { address, code, text }),
        Ok(Err(PeerRefusal::Broken(error))) => {
            let refused = error.kind() == io::ErrorKind::ConnectionRefused;
            return Err(AdminError::Unreachable { address, reason: error.to_string(), refused });
        }
        Err(_) => return Err(AdminError::LoginTimeout { address, after: DEADLINE }),
    };
    let mut answers = Vec::with_capacity(statements.len());
    for statement in statements {
        let most = if *statement == Statement::Version { MOST_ABOUT_ITSELF } else { MAX_ALLOWED_PACKET };
        let name = statement.name();
        match timeout(DEADLINE, wire.query(&statement.to_string(), most)).await {
            Ok(Ok(answer)) => answers.push(answer),
            Ok(Err(PeerRefusal::Login { code, text })) => {
                return Err(AdminError::Refused { statement: name, code, text });
            }
            Ok(Err(PeerRefusal::Broken(error))) => {
                return Err(AdminError::Lost { statement: name, reason: error.to_string() });
            }
            Err(_) => return Err(AdminError::Deadline { statement: name, after: DEADLINE }),
        }
    }
    Ok(answers)
}

/// Why there is no answer.
#[derive(Debug)]
enum PeerRefusal {
    /// An `ERR`.
    Login { code: u16, text: String },
    /// Anything else that ends the connection.
    Broken(io::Error),
}

impl From<io::Error> for PeerRefusal {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

fn strange(what: impl Into<String>) -> PeerRefusal {
    PeerRefusal::Broken(io::Error::new(io::ErrorKind::InvalidData, what.into()))
}

async fn connect(host: &str, port: u16, login: &Login) -> Result<Wire<Box<dyn Stream>>, PeerRefusal> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    let mut wire = Wire { stream, sequence: 0, left: MOST_BEFORE_LOGIN };
    let greeting = match Greeting::read(&wire.read().await?).ok_or_else(|| strange("its greeting makes no sense"))? {
        Ok(greeting) => greeting,
        Err((code, text)) => return Err(PeerRefusal::Login { code, text }),
    };
    let (sequence, left) = if greeting.offers_tls {
        wire.write(&packet::request_for_tls()).await?;
        (wire.sequence, wire.left)
    } else {
        (wire.sequence, wire.left)
    };
    let stream: Box<dyn Stream> =
        if greeting.offers_tls { Box::new(tls::wrap(wire.stream).await?) } else { Box::new(wire.stream) };
    let mut wire = Wire { stream, sequence, left };
    log_in(&mut wire, &greeting, login).await?;
    Ok(wire)
}

async fn log_in<S: Stream>(wire: &mut Wire<S>, greeting: &Greeting, login: &Login) -> Result<(), PeerRefusal> {
    wire.write(&packet::login(login, &greeting.salt, greeting.offers_tls)).await?;
    for may_switch in [true, false] {
        let reply = wire.read().await?;
        match AuthReply::read(&reply).ok_or_else(|| strange("its answer to the login makes no sense"))? {
            AuthReply::Welcome => return Ok(()),
            AuthReply::Refused(code, text) => return Err(PeerRefusal::Login { code, text }),
            AuthReply::Native(salt) if may_switch => wire.write(&packet::proof(&login.password, &salt)).await?,
            AuthReply::Native(_) => break,
            AuthReply::Other(method) => {
                return Err(strange(format!("it asks for {method}, which may reveal the password")));
            }
        }
    }
    Err(strange("it asks for the proof again and again"))
}

/// A stream cut into packets, of which no more than so many bytes are read.
#[derive(Debug)]
struct Wire<S> {
    stream: S,
    sequence: u8,
    left: usize,
}

impl<S: Stream> Wire<S> {
    async fn read(&mut self) -> Result<Vec<u8>, PeerRefusal> {
        read(&mut self.stream, &mut self.sequence, &mut self.left).await
    }

    async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let bytes = packet::framed(payload, self.sequence)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "too long for one packet"))?;
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await
    }

    /// One statement, and its whole answer.
    async fn query(&mut self, sql: &str, most: usize) -> Result<Answer, PeerRefusal> {
        self.sequence = 0;
        self.write(&packet::query(sql)).await?;
        let (mut sequence, mut left) = (self.sequence, most);
        // Nothing is sent before the answer is whole, and so nothing is lost with the buffer.
        let mut stream = BufReader::new(&mut self.stream);
        let first = read(&mut stream, &mut sequence, &mut left).await?;
        let columns = match Reply::read(&first).ok_or_else(|| strange("its answer makes no sense"))? {
            Reply::Done(affected) => return Ok(Answer { rows: Vec::new(), affected }),
            Reply::Refused(code, text) => return Err(PeerRefusal::Login { code, text }),
            Reply::Columns(columns) => columns,
        };
        for _ in 0..columns {
            read(&mut stream, &mut sequence, &mut left).await?;
        }
        let end = read(&mut stream, &mut sequence, &mut left).await?;
        if !packet::is_end(&end) {
            return Err(strange("its answer has no end of columns"));
        }
        let mut rows = Vec::new();
        loop {
            let row = read(&mut stream, &mut sequence, &mut left).await?;
            if packet::is_end(&row) {
                return Ok(Answer { rows, affected: 0 });
            }
            if let Some((code, text)) = packet::refusal(&row) {
                return Err(PeerRefusal::Login { code, text });
            }
            if rows.len() == MOST_ROWS {
                return Err(strange("the answer has too many rows"));
            }
            rows.push(packet::row(&row, columns).ok_or_else(|| strange("a row makes no sense"))?);
        }
    }
}

async fn read<S>(stream: &mut S, sequence: &mut u8, left: &mut usize) -> Result<Vec<u8>, PeerRefusal>
where
    S: AsyncRead + Unpin,
{
    let mut packet = Vec::new();
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await?;
        let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
        *sequence = header[3].wrapping_add(1);
        *left = left.checked_sub(length + header.len()).ok_or_else(|| strange("it sends too much"))?;
        let start = packet.len();
        packet.resize(start + length, 0);
        stream.read_exact(&mut packet[start..]).await?;
        if length < packet::LONGEST {
            return Ok(packet);
        }
    }
}

#[cfg(test)]
mod tests;
