//! The few packets of `MySQL`'s protocol that a question to a peer takes, written and read without I/O.

use sha1::{Digest as _, Sha1};

use super::Login;

/// A packet of this length has a continuation.
pub(super) const LONGEST: usize = 0x00ff_ffff;

/// `LONG_PASSWORD`, `PROTOCOL_41`, `TRANSACTIONS`, `SECURE_CONNECTION`, `PLUGIN_AUTH`: nothing that lets a server ask for more.
const CAPABILITIES: u32 = 0x0008_a201;
const TLS: u32 = 0x0800;
/// Longest packet that this side takes.
const MAX_PACKET: u32 = 0x0100_0000;
/// `utf8`.
const CHARSET: u8 = 33;
/// The only method that is answered.
const NATIVE: &str = "mysql_native_password";
/// Bytes of a challenge.
const SALT: usize = 20;
/// Columns that no table of `ProxySQL`'s has more of.
const MOST_COLUMNS: u64 = 256;

/// What a server says first.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) salt: [u8; SALT],
    pub(super) offers_tls: bool,
}

impl Greeting {
    /// `None` for what is no greeting, `Err` for a refusal in its place.
    pub(super) fn read(packet: &[u8]) -> Option<Result<Self, (u16, String)>> {
        if let Some(refusal) = refusal(packet) {
            return Some(Err(refusal));
        }
        let mut cursor = Cursor(packet);
        if cursor.number(1)? != 10 {
            return None;
        }
        cursor.until_zero()?;
        cursor.take(4)?;
        let mut salt = cursor.take(8)?.to_vec();
        cursor.take(1)?;
        let capabilities = cursor.number(2)?;
        cursor.take(1 + 2 + 2 + 1 + 10)?;
        salt.extend_from_slice(cursor.take(SALT - 8)?);
        // Which method it would like is of no interest.
        Some(Ok(Self { salt: salt.try_into().ok()?, offers_tls: capabilities & u64::from(TLS) != 0 }))
    }
}

/// What a server says to a login.
#[derive(Debug)]
pub(super) enum AuthReply {
    Welcome,
    Refused(u16, String),
    /// The same method, by this challenge.
    Native([u8; SALT]),
    /// Anything else, in words.
    Other(String),
}

impl AuthReply {
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        if let Some((code, text)) = refusal(packet) {
            return Some(Self::Refused(code, text));
        }
        match packet.split_first()? {
            (0x00, _) => Some(Self::Welcome),
            (0xfe, []) => Some(Self::Other("mysql_old_password".to_owned())),
            (0xfe, rest) => {
                let mut cursor = Cursor(rest);
                let method = cursor.until_zero()?;
                if method != NATIVE.as_bytes() {
                    return Some(Self::Other(shown(method)));
                }
                let salt = cursor.0.strip_suffix(&[0]).filter(|salt| salt.len() == SALT).unwrap_or(cursor.0);
                Some(Self::Native(salt.try_into().ok()?))
            }
            (0x01, _) => Some(Self::Other("more than the proof".to_owned())),
            _ => None,
        }
    }
}

/// What a server says to a statement.
#[derive(Debug)]
pub(super) enum Reply {
    Done(u64),
    Refused(u16, String),
    /// So many columns; their definitions follow, and the rows.
    Columns(u64),
}

impl Reply {
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        if let Some((code, text)) = refusal(packet) {
            return Some(Self::Refused(code, text));
        }
        match packet.split_first()? {
            (0x00, rest) => Some(Self::Done(Cursor(rest).length()?)),
            // A request for a file of this machine, above all.
            (0xfb.., _) => None,
            _ => Cursor(packet).length().filter(|columns| (1..=MOST_COLUMNS).contains(columns)).map(Self::Columns),
        }
    }
}

/// An `ERR`: its code and text.
pub(super) fn refusal(packet: &[u8]) -> Option<(u16, String)> {
    let (0xff, rest) = packet.split_first()? else { return None };
    let mut cursor = Cursor(rest);
    let code = u16::try_from(cursor.number(2)?).ok()?;
    if cursor.0.first() == Some(&b'#') {
        cursor.take(6)?;
    }
    Some((code, shown(cursor.0)))
}

/// The end of the columns, or of the rows.
pub(super) fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

/// The values of a row, NULL as the empty text.
pub(super) fn row(packet: &[u8], columns: u64) -> Option<Vec<String>> {
    let mut cursor = Cursor(packet);
    let value = |_| {
        if cursor.0.first() == Some(&0xfb) {
            cursor.take(1)?;
            return Some(String::new());
        }
        let length = usize::try_from(cursor.length()?).ok()?;
        Some(String::from_utf8_lossy(cursor.take(length)?).into_owned())
    };
    (0..columns).map(value).collect()
}

/// Frames a payload.
pub(super) fn framed(payload: &[u8], sequence: u8) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() < LONGEST)?.to_le_bytes();
    Some([&length[..3], &[sequence], payload].concat())
}

/// What goes before a login over TLS.
pub(super) fn request_for_tls() -> Vec<u8> {
    preamble(true)
}

/// The login, with the proof by the challenge of the greeting.
pub(super) fn login(login: &Login, salt: &[u8; SALT], over_tls: bool) -> Vec<u8> {
    let proof = proof(&login.password, salt);
    let mut packet = preamble(over_tls);
    packet.extend_from_slice(login.username.as_bytes());
    packet.push(0);
    // Twenty bytes or none.
    packet.push(u8::try_from(proof.len()).unwrap_or_default());
    packet.extend_from_slice(&proof);
    packet.extend_from_slice(NATIVE.as_bytes());
    packet.push(0);
    packet
}

fn preamble(over_tls: bool) -> Vec<u8> {
    let capabilities = if over_tls { CAPABILITIES | TLS } else { CAPABILITIES };
    let mut packet = capabilities.to_le_bytes().to_vec();
    packet.extend_from_slice(&MAX_PACKET.to_le_bytes());
    packet.push(CHARSET);
    packet.extend_from_slice(&[0; 23]);
    packet
}

/// Shows that this side knows the password, without telling it.
pub(super) fn proof(password: &str, salt: &[u8; SALT]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let first = Sha1::digest(password.as_bytes());
    let second = Sha1::digest(first);
    let mask = Sha1::new().chain_update(salt).chain_update(second).finalize();
    first.iter().zip(mask).map(|(left, right)| left ^ right).collect()
}

/// A statement.
pub(super) fn query(sql: &str) -> Vec<u8> {
    [&[0x03], sql.as_bytes()].concat()
}

/// A stranger's words, fit for a log.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 200;
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|letter| !letter.is_control()).take(MOST).collect()
}

/// Takes a packet apart from its front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        let bytes = self.take(bytes)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn until_zero(&mut self) -> Option<&'a [u8]> {
        let text = self.take(self.0.iter().position(|byte| *byte == 0)?)?;
        self.take(1)?;
        Some(text)
    }

    /// A number whose length is told by its first byte.
    fn length(&mut self) -> Option<u64> {
        match self.number(1)? {
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            small @ ..=0xfa => Some(small),
            _ => None,
        }
    }
}
