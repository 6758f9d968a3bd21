//! Questions read and answers written, byte by byte (RFC 1035, section 4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

impl Kind {
    pub(super) fn is_of(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::A)
    }

    pub(super) fn nowhere(self) -> IpAddr {
        match self {
            Self::A => Ipv4Addr::UNSPECIFIED.into(),
            Self::Aaaa => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    fn code(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
        }
    }
}

const HEADER: usize = 12;
const CNAME: u16 = 5;
const IN: u16 = 1;
const SECONDS: u32 = 0;

/// A question.
#[derive(Debug)]
pub(super) struct Query {
    id: u16,
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Query {
    /// `None` for what is no question for addresses.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let id = u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
        let (mut at, mut labels) = (HEADER, Vec::new());
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8(bytes.get(at..at + length)?.to_vec()).ok()?);
            at += length;
        }
        let kind = match u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?) {
            1 => Kind::A,
            28 => Kind::Aaaa,
            _ => return None,
        };
        Some(Self { id, name: labels.join("."), kind })
    }
}

/// What is wrong with the bytes of an answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flaw {
    Broken,
    WrongId,
    WrongName,
}

/// An answer.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) code: u8,
    pub(super) cut_short: bool,
    pub(super) alias: Option<String>,
    pub(super) addresses: Vec<IpAddr>,
}

impl Reply {
    pub(super) fn write(&self, query: &Query, flaw: Option<Flaw>) -> Vec<u8> {
        let records = if self.cut_short { &[][..] } else { &self.addresses[..] };
        let owner = self.alias.as_deref().unwrap_or(&query.name);
        let id = if matches!(flaw, Some(Flaw::WrongId)) { query.id.wrapping_add(1) } else { query.id };
        let asked = if matches!(flaw, Some(Flaw::WrongName)) { "another.name" } else { &query.name };
        let count = records.len() + usize::from(self.alias.is_some());
        let mut bytes = id.to_be_bytes().to_vec();
        // An answer; recursion was desired and is available.
        bytes.extend([0x81 | if self.cut_short { 2 } else { 0 }, 0x80 | self.code]);
        bytes.extend([0, 1]);
        bytes.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(name(asked));
        bytes.extend(query.kind.code().to_be_bytes());
        bytes.extend(IN.to_be_bytes());
        if let Some(target) = &self.alias {
            bytes.extend(record(&[0xC0, 0x0C], CNAME, &name(target)));
        }
        for address in records {
            let data = match address {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            let owner = if self.alias.is_some() { name(owner) } else { vec![0xC0, 0x0C] };
            bytes.extend(record(&owner, query.kind.code(), &data));
        }
        if matches!(flaw, Some(Flaw::Broken)) {
            bytes.truncate(bytes.len() - 3);
        }
        bytes
    }
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend(IN.to_be_bytes());
    bytes.extend(SECONDS.to_be_bytes());
    bytes.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
