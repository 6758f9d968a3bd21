//! `MySQL` packets: framing on a stream, and the encoding of the answers that the admin port gives.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// `autocommit` and `no good index used`, as every answer of the admin port has it.
const STATUS: u16 = 0x0202;
const PACKET_LIMIT: usize = 0x00ff_ffff;

/// The type of a column, as far as the admin port knows types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Everything that comes out of `SQLite`.
    Text,
    /// `SELECT GLOBAL_CHECKSUM()` alone.
    Number,
}

impl ColumnType {
    /// The code on the wire.
    pub fn code(self) -> u8 {
        match self {
            Self::Text => 253,
            Self::Number => 8,
        }
    }
}

/// A stream cut into packets, with the number of bytes each way.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    /// Sequence number of the next packet to write.
    pub(crate) sequence: u8,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    /// After so many more written bytes the connection breaks.
    pub(crate) cut_after: Option<u64>,
    /// So many bytes into what is written next it pauses this long.
    pub(crate) pause_after: Option<(u64, Duration)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, sequence: 0, bytes_in: 0, bytes_out: 0, cut_after: None, pause_after: None }
    }

    /// The next packet; `None` at a clean end of the stream.
    pub(crate) async fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut packet = Vec::new();
        loop {
            let mut header = [0; 4];
            if self.stream.read(&mut header[..1]).await? == 0 {
                return Ok(None);
            }
            self.stream.read_exact(&mut header[1..]).await?;
            let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            self.sequence = header[3].wrapping_add(1);
            let start = packet.len();
            packet.resize(start + length, 0);
            self.stream.read_exact(&mut packet[start..]).await?;
            self.bytes_in += 4 + length as u64;
            if length < PACKET_LIMIT {
                return Ok(Some(packet));
            }
        }
    }

    /// Writes packets that an [`Encoder`] has framed already.
    pub(crate) async fn write_framed(&mut self, bytes: &[u8]) -> io::Result<()> {
        let bytes = match &mut self.cut_after {
            Some(left) if (bytes.len() as u64) >= *left => {
                let allowed = usize::try_from(*left).unwrap_or(usize::MAX);
                *left = 0;
                self.stream.write_all(&bytes[..allowed]).await?;
                self.stream.flush().await?;
                self.bytes_out += allowed as u64;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            Some(left) => {
                *left -= bytes.len() as u64;
                bytes
            }
            None => bytes,
        };
        let bytes_out = bytes.len() as u64;
        let bytes = match self.pause_after.take() {
            Some((before, time)) => {
                let (first, rest) = bytes.split_at(usize::try_from(before).unwrap_or(usize::MAX).min(bytes.len()));
                self.stream.write_all(first).await?;
                self.stream.flush().await?;
                tokio::time::sleep(time).await;
                rest
            }
            None => bytes,
        };
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        self.bytes_out += bytes_out;
        Ok(())
    }

    /// Writes one packet.
    pub(crate) async fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut encoder = Encoder::new(self.sequence);
        encoder.packet(|out| out.extend_from_slice(payload));
        self.sequence = encoder.sequence;
        self.write_framed(&encoder.bytes).await
    }
}

/// Builds framed packets in memory.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) sequence: u8,
    pub(crate) bytes: Vec<u8>,
    /// The status flags of `OK` and `EOF`.
    pub(crate) status: u16,
}

impl Encoder {
    pub(crate) fn new(sequence: u8) -> Self {
        Self { sequence, bytes: Vec::new(), status: STATUS }
    }

    /// Frames what `fill` appends.
    pub(crate) fn packet(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        fill(&mut self.bytes);
        let length = self.bytes.len() - start - 4;
        let size = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
        self.bytes[start..start + 3].copy_from_slice(&size[..3]);
        self.bytes[start + 3] = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
    }

    pub(crate) fn ok(&mut self, affected: u64, info: &str) {
        let status = self.status.to_le_bytes();
        self.packet(|out| {
            out.push(0);
            put_length(out, affected);
            put_length(out, 0);
            out.extend_from_slice(&status);
            out.extend_from_slice(&[0, 0]);
            if !info.is_empty() {
                put_bytes(out, info.as_bytes());
            }
        });
    }

    pub(crate) fn error(&mut self, code: u16, state: &str, text: &str) {
        self.packet(|out| {
            out.push(0xff);
            out.extend_from_slice(&code.to_le_bytes());
            out.push(b'#');
            out.extend_from_slice(state.as_bytes());
            out.extend_from_slice(text.as_bytes());
        });
    }

    pub(crate) fn end(&mut self) {
        let status = self.status.to_le_bytes();
        self.packet(|out| {
            out.extend_from_slice(&[0xfe, 0, 0]);
            out.extend_from_slice(&status);
        });
    }

    pub(crate) fn columns<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>, kind: ColumnType) {
        let (charset, length, flags, decimals): (u16, u32, u16, u8) = match kind {
            ColumnType::Text => (33, 15, 1, 31),
            ColumnType::Number => (63, 31, 161, 0),
        };
        self.packet(|out| put_length(out, names.len() as u64));
        for name in names {
            self.packet(|out| {
                put_bytes(out, b"def");
                for text in ["", "", "", name, ""] {
                    put_bytes(out, text.as_bytes());
                }
                out.push(0x0c);
                out.extend_from_slice(&charset.to_le_bytes());
                out.extend_from_slice(&length.to_le_bytes());
                out.push(kind.code());
                out.extend_from_slice(&flags.to_le_bytes());
                out.extend_from_slice(&[decimals, 0, 0]);
            });
        }
        self.end();
    }

    pub(crate) fn row<'a>(&mut self, values: impl Iterator<Item = Option<std::borrow::Cow<'a, [u8]>>>) {
        self.packet(|out| {
            for value in values {
                match value {
                    Some(bytes) => put_bytes(out, &bytes),
                    None => out.push(0xfb),
                }
            }
        });
    }
}

/// Appends a length-encoded number.
pub(crate) fn put_length(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_le_bytes();
    match number {
        0..=250 => out.push(bytes[0]),
        251..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends a length-encoded string.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_length(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads from the front of a packet; every reader answers `None` past its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(crate) fn length(&mut self) -> Option<u64> {
        match self.number(1)? {
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            small => Some(small),
        }
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// Up to a zero byte, or all that is left.
    pub(crate) fn until_zero(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let (head, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        head
    }
}
