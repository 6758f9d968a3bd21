//! One question to one server: over UDP, and over TCP where the answer is cut short.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dns_wire::base::iana::{Opcode, Rcode};
use dns_wire::base::message::ShortMessage;
use dns_wire::base::{Message, MessageBuilder, Name, Rtype};
use dns_wire::rdata::{A, Aaaa};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::domain::discovery::resolution::{DnsAnswer, Family, is_usable};

/// Without EDNS no answer is longer than 512 bytes; some servers send more all the same.
const DATAGRAM: usize = 4096;

/// Asks, and answers what is to be believed; else, in words, what became of it.
pub(super) async fn ask(server: SocketAddr, name: &str, family: Family, within: Duration) -> Result<DnsAnswer, String> {
    let question = question(name, family).ok_or("the name cannot be queried")?;
    let mut strange = false;
    let asked = async {
        let answer = over_udp(server, &question, &mut strange).await.map_err(|error| said(&error))?;
        if !answer.header().tc() {
            return read(&answer, family);
        }
        let answer = over_tcp(server, &question).await.map_err(|error| format!("over TCP {}", said(&error)))?;
        if answer.header().tc() {
            return Err("truncates its answer even over TCP".to_owned());
        }
        read(&answer, family)
    };
    match timeout(within, asked).await {
        Ok(outcome) => outcome,
        Err(_) if strange => Err(format!("sent a mismatched response, for {} s", within.as_secs())),
        Err(_) => Err(format!("does not answer within {} s", within.as_secs())),
    }
}

/// A question under a number of its own, so that the answer to another one is not taken for its.
fn question(name: &str, family: Family) -> Option<Message<Vec<u8>>> {
    let name: Name<Vec<u8>> = name.parse().ok()?;
    let mut message = MessageBuilder::new_vec();
    message.header_mut().set_random_id();
    message.header_mut().set_rd(true);
    let mut message = message.question();
    message.push((name, record(family))).ok()?;
    Some(message.into_message())
}

fn record(family: Family) -> Rtype {
    match family {
        Family::V4 => Rtype::A,
        Family::V6 => Rtype::AAAA,
    }
}

/// Whoever does not know number and question is not the server, or answers something else.
fn fits(answer: &Message<Vec<u8>>, question: &Message<Vec<u8>>) -> bool {
    answer.header().opcode() == Opcode::QUERY && answer.is_answer(question)
}

async fn over_udp(server: SocketAddr, question: &Message<Vec<u8>>, strange: &mut bool) -> io::Result<Message<Vec<u8>>> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A port of its own for each question, chosen by the kernel.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question.as_slice()).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match Message::from_octets(buffer[..length].to_vec()) {
            Ok(answer) if fits(&answer, question) => return Ok(answer),
            Ok(_) | Err(ShortMessage { .. }) => *strange = true,
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message<Vec<u8>>) -> io::Result<Message<Vec<u8>>> {
    let mut stream = TcpStream::connect(server).await?;
    let mut request = u16::try_from(question.as_slice().len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    request.extend_from_slice(question.as_slice());
    stream.write_all(&request).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    let answer = Message::from_octets(answer).ok().filter(|answer| fits(answer, question));
    answer.ok_or_else(|| io::Error::other("sent a mismatched response"))
}

fn read(message: &Message<Vec<u8>>, family: Family) -> Result<DnsAnswer, String> {
    match message.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => return Ok(DnsAnswer::NoName),
        rcode => return Err(format!("answers {rcode}")),
    }
    match family {
        Family::V4 => records::<A>(message, |record| record.addr().into()),
        Family::V6 => records::<Aaaa>(message, |record| record.addr().into()),
    }
    .ok_or_else(|| "sent an answer that cannot be parsed".to_owned())?
}

/// The addresses of the name that was asked for, or of the one that it is an alias of.
fn records<'a, D>(message: &'a Message<Vec<u8>>, address: impl Fn(&D) -> IpAddr) -> Option<Result<DnsAnswer, String>>
where
    D: dns_wire::base::rdata::ParseRecordData<'a, Vec<u8>>,
{
    let owner = message.canonical_name()?;
    let (mut addresses, mut keep, mut useless) = (BTreeSet::new(), u32::MAX, None);
    for record in message.answer().ok()?.limit_to_in::<D>() {
        let record = record.ok()?;
        if *record.owner() != owner {
            continue;
        }
        let found = address(record.data());
        keep = keep.min(record.ttl().as_secs());
        if is_usable(found) {
            addresses.insert(found);
        } else {
            useless = Some(found);
        }
    }
    Some(match (addresses.is_empty(), useless) {
        (true, None) => Ok(DnsAnswer::NoRecord),
        (true, Some(useless)) => Err(format!("returned the unusable address {useless}")),
        (false, _) => Ok(DnsAnswer::Records { addresses, keep: Duration::from_secs(keep.into()) }),
    })
}

/// Of the errors of a socket, those that servers cause, in the same words on every system.
fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refuses connections".to_owned(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "closed the connection in the middle of its answer".to_owned()
        }
        _ => error.to_string(),
    }
}
