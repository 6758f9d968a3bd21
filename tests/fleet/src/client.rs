//! A small `MySQL` client for admin ports, real and embedded: text protocol, native passwords, answers kept as they came.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, ToSocketAddrs};

use crate::proxysql::auth::native_proof;
use crate::proxysql::wire::{Cursor, Wire};

/// `PROTOCOL_41`, `SECURE_CONNECTION`, `PLUGIN_AUTH`, `LONG_PASSWORD`, `TRANSACTIONS`.
const CAPABILITIES: u32 = 0x0008_a201;

/// An `ERR` of the server, or the end of the connection (code 0).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct AdminError {
    /// The number in the packet; 0 if there was no answer at all.
    pub code: u16,
    /// `SQLSTATE`.
    pub state: String,
    /// The text in the packet.
    pub text: String,
}

impl AdminError {
    /// Whether the connection ended instead of an answer.
    pub fn is_silence(&self) -> bool {
        self.code == 0
    }
}

impl From<io::Error> for AdminError {
    fn from(error: io::Error) -> Self {
        Self { code: 0, state: String::new(), text: error.to_string() }
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `OK` with the number of rows and the info string.
    Ok {
        /// `affected_rows`.
        affected: u64,
        /// The info string, usually empty.
        info: String,
    },
    /// A result set.
    Rows {
        /// Name and type code of each column.
        columns: Vec<(String, u8)>,
        /// The rows as text.
        rows: Vec<Vec<Option<String>>>,
    },
    /// An `EOF` packet alone.
    End,
    /// Anything else, as bytes.
    Other(Vec<u8>),
}

/// A logged-in connection.
#[derive(Debug)]
pub struct Client {
    wire: Wire<TcpStream>,
    /// The version in the greeting.
    pub server_version: String,
}

impl Client {
    /// Connects and logs in with `mysql_native_password`.
    pub async fn connect(address: impl ToSocketAddrs, user: &str, password: &str) -> Result<Self, AdminError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::login(stream, user, password, "mysql_native_password").await
    }

    /// Logs in over an open connection; `plugin` is the method the client opens with.
    pub async fn login(stream: TcpStream, user: &str, password: &str, plugin: &str) -> Result<Self, AdminError> {
        let mut wire = Wire::new(stream);
        let greeting = answer(&mut wire).await?;
        let (server_version, salt) = parse_greeting(&greeting).ok_or_else(malformed)?;
        let proof = match plugin {
            "mysql_clear_password" => [password.as_bytes(), b"\0"].concat(),
            "mysql_native_password" => native_proof(password, &salt),
            _ => vec![1; 32],
        };
        let mut login = CAPABILITIES.to_le_bytes().to_vec();
        login.extend_from_slice(&0x0100_0000_u32.to_le_bytes());
        login.push(33);
        login.extend_from_slice(&[0; 23]);
        login.extend_from_slice(user.as_bytes());
        login.push(0);
        login.push(u8::try_from(proof.len()).map_err(|_| malformed())?);
        login.extend_from_slice(&proof);
        login.extend_from_slice(plugin.as_bytes());
        login.push(0);
        wire.write(&login).await?;
        let mut packet = answer(&mut wire).await?;
        if packet.first() == Some(&0xfe) {
            let mut cursor = Cursor(&packet[1..]);
            cursor.until_zero();
            let salt = cursor.until_zero().to_vec();
            wire.write(&native_proof(password, &salt)).await?;
            packet = answer(&mut wire).await?;
        }
        match packet.first() {
            Some(0) => Ok(Self { wire, server_version }),
            _ => Err(parse_error(&packet)),
        }
    }

    /// Sends one statement and reads its whole answer.
    pub async fn query(&mut self, sql: &str) -> Result<Reply, AdminError> {
        self.command(3, sql.as_bytes()).await
    }

    /// The rows of one statement; none for an `OK`.
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, AdminError> {
        Ok(match self.query(sql).await? {
            Reply::Rows { rows, .. } => rows,
            _ => Vec::new(),
        })
    }

    /// Sends any command and reads one answer.
    pub async fn command(&mut self, command: u8, body: &[u8]) -> Result<Reply, AdminError> {
        self.send(command, body).await?;
        self.receive().await
    }

    /// Sends a command and does not wait.
    pub async fn send(&mut self, command: u8, body: &[u8]) -> Result<(), AdminError> {
        self.wire.sequence = 0;
        let mut packet = vec![command];
        packet.extend_from_slice(body);
        Ok(self.wire.write(&packet).await?)
    }

    /// Reads one answer.
    pub async fn receive(&mut self) -> Result<Reply, AdminError> {
        let packet = answer(&mut self.wire).await?;
        match packet.first() {
            Some(0) => {
                let mut cursor = Cursor(&packet[1..]);
                let affected = cursor.length().ok_or_else(malformed)?;
                cursor.length();
                cursor.take(4);
                let info = String::from_utf8_lossy(cursor.bytes().unwrap_or_default()).into_owned();
                Ok(Reply::Ok { affected, info })
            }
            Some(0xff) => Err(parse_error(&packet)),
            Some(0xfe) if packet.len() < 9 => Ok(Reply::End),
            // A count of columns is a packet by itself; a text answer (statistics) is not.
            Some(_) if packet.len() <= 3 => self.result_set(&packet).await,
            _ => Ok(Reply::Other(packet)),
        }
    }

    async fn result_set(&mut self, count: &[u8]) -> Result<Reply, AdminError> {
        let count = Cursor(count).length().ok_or_else(malformed)?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let packet = answer(&mut self.wire).await?;
            columns.push(parse_column(&packet).ok_or_else(malformed)?);
        }
        answer(&mut self.wire).await?;
        let mut rows = Vec::new();
        loop {
            let packet = answer(&mut self.wire).await?;
            match packet.first() {
                Some(0xfe) if packet.len() < 9 => return Ok(Reply::Rows { columns, rows }),
                Some(0xff) => return Err(parse_error(&packet)),
                _ => rows.push(parse_row(&packet, columns.len()).ok_or_else(malformed)?),
            }
        }
    }

    /// Waits at most `limit` for the server to close; whether it did.
    pub async fn closed_within(&mut self, limit: Duration) -> bool {
        matches!(tokio::time::timeout(limit, self.wire.read()).await, Ok(Ok(None) | Err(_)))
    }
}

async fn answer(wire: &mut Wire<TcpStream>) -> Result<Vec<u8>, AdminError> {
    match wire.read().await? {
        Some(packet) => Ok(packet),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

fn malformed() -> AdminError {
    io::Error::from(io::ErrorKind::InvalidData).into()
}

fn parse_greeting(packet: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut cursor = Cursor(packet);
    match cursor.number(1)? {
        10 => {
            let version = String::from_utf8_lossy(cursor.until_zero()).into_owned();
            cursor.take(4)?;
            let mut salt = cursor.take(8)?.to_vec();
            cursor.take(1 + 2 + 1 + 2 + 2 + 1 + 10)?;
            salt.extend_from_slice(cursor.until_zero());
            Some((version, salt))
        }
        _ => None,
    }
}

fn parse_error(packet: &[u8]) -> AdminError {
    let mut cursor = Cursor(packet.get(1..).unwrap_or_default());
    let code = cursor.number(2).and_then(|code| u16::try_from(code).ok()).unwrap_or_default();
    let state = match cursor.0.first() {
        Some(b'#') => String::from_utf8_lossy(&cursor.take(6).unwrap_or(b"#")[1..]).into_owned(),
        _ => String::new(),
    };
    AdminError { code, state, text: String::from_utf8_lossy(cursor.0).into_owned() }
}

fn parse_column(packet: &[u8]) -> Option<(String, u8)> {
    let mut cursor = Cursor(packet);
    for _ in 0..4 {
        cursor.bytes()?;
    }
    let name = String::from_utf8_lossy(cursor.bytes()?).into_owned();
    cursor.bytes()?;
    cursor.take(1 + 2 + 4)?;
    Some((name, u8::try_from(cursor.number(1)?).ok()?))
}

fn parse_row(packet: &[u8], columns: usize) -> Option<Vec<Option<String>>> {
    let mut cursor = Cursor(packet);
    (0..columns)
        .map(|_| match cursor.0.first()? {
            0xfb => cursor.take(1).map(|_| None),
            _ => cursor.bytes().map(|bytes| Some(String::from_utf8_lossy(bytes).into_owned())),
        })
        .collect()
}
