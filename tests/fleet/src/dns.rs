//! A server of the DNS for a few names, over UDP and TCP, with trouble to order.
//!
//! Its messages are written by hand and not by the library that the agent reads them with.

mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use wire::Kind;
use wire::{Flaw, Query, Reply};

/// What fits into an answer over UDP.
const DATAGRAM: usize = 512;
/// How long a client over TCP may take for its question.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way in which the server can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `SERVFAIL`, 2; `NXDOMAIN`, 3; `REFUSED`, 5.
    Code(u8),
    /// The name is there, and has no record.
    Empty,
    /// No answer at all.
    Silent,
    /// The right answer, too late.
    Late(Duration),
    /// Bytes that are no message.
    Garbage,
    /// The right answer to the right question, but cut off within its records.
    Broken,
    /// An answer to a question with another number.
    WrongId,
    /// An answer about another name.
    WrongName,
    /// Cut short over UDP, and nothing over TCP.
    OnlyCutShort,
    /// Cut short over UDP, and over TCP as well.
    AlwaysCutShort,
    /// `0.0.0.0` or `::` in the place of each address.
    Nowhere,
    /// So many of the records, another part each time.
    Part(usize),
}

/// What was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Questions over UDP.
    pub udp: u64,
    /// Questions over TCP.
    pub tcp: u64,
}

#[derive(Debug, Default)]
struct Zone {
    names: BTreeMap<String, BTreeSet<IpAddr>>,
    aliases: BTreeMap<String, String>,
    faults: BTreeMap<Kind, Fault>,
    asked: Asked,
    turn: usize,
}

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _stop: DropGuard,
}

/// A port of `127.0.0.1` that is free for UDP and TCP.
pub async fn free_port() -> io::Result<SocketAddr> {
    Ok(bind((Ipv4Addr::LOCALHOST, 0).into()).await?.2)
}

async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    let mut tries = 0;
    loop {
        let listener = TcpListener::bind(address).await?;
        let at = listener.local_addr()?;
        match UdpSocket::bind(at).await {
            Ok(socket) => return Ok((socket, listener, at)),
            Err(_) if address.port() == 0 && tries < 20 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

impl DnsServer {
    /// Listens here; port 0 takes a free one. There are no names yet.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let (socket, listener, address) = bind(address).await?;
        let (zone, stop) = (Arc::new(Mutex::default()), CancellationToken::new());
        let server = serve(Arc::new(socket), listener, Arc::clone(&zone), TaskTracker::new());
        tokio::spawn(stop.clone().run_until_cancelled_owned(server));
        Ok(Self { address, zone, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The name leads to exactly these from now on; to nobody is a name that is not there.
    pub fn set(&self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) {
        self.lock().names.insert(name.to_owned(), addresses.into_iter().collect());
    }

    /// The name is another one's from now on.
    pub fn alias(&self, name: &str, target: &str) {
        self.lock().aliases.insert(name.to_owned(), target.to_owned());
    }

    /// Every question is answered wrongly from now on.
    pub fn fail(&self, fault: Fault) {
        self.fail_for(Kind::A, fault);
        self.fail_for(Kind::Aaaa, fault);
    }

    /// Every question for these records is.
    pub fn fail_for(&self, kind: Kind, fault: Fault) {
        self.lock().faults.insert(kind, fault);
    }

    /// Everything is right again.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// What was asked so far.
    pub fn asked(&self) -> Asked {
        self.lock().asked
    }

    fn lock(&self) -> MutexGuard<'_, Zone> {
        lock(&self.zone)
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers until it is dropped, and everything that it has begun with it.
async fn serve(socket: Arc<UdpSocket>, listener: TcpListener, zone: Arc<Mutex<Zone>>, tasks: TaskTracker) {
    let over_udp = async {
        let mut buffer = vec![0; 4096];
        loop {
            let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
            let Some(query) = Query::read(&buffer[..length]) else { continue };
            let (answer, delay) = answer(&query, &zone, false);
            let socket = Arc::clone(&socket);
            tasks.spawn(async move {
                sleep(delay).await;
                if let Some(answer) = answer {
                    drop(socket.send_to(&answer, client).await);
                }
            });
        }
    };
    let over_tcp = async {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            tasks.spawn(timeout(PATIENCE, converse(stream, Arc::clone(&zone))));
        }
    };
    tokio::join!(over_udp, over_tcp);
}

async fn converse(mut stream: TcpStream, zone: Arc<Mutex<Zone>>) -> io::Result<()> {
    let mut question = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut question).await?;
    let Some(query) = Query::read(&question) else { return Ok(()) };
    let (answer, delay) = answer(&query, &zone, true);
    sleep(delay).await;
    if let Some(answer) = answer {
        stream.write_u16(u16::try_from(answer.len()).unwrap_or(u16::MAX)).await?;
        stream.write_all(&answer).await?;
    }
    Ok(())
}

/// The bytes to send, and when.
fn answer(query: &Query, zone: &Mutex<Zone>, tcp: bool) -> (Option<Vec<u8>>, Duration) {
    let mut zone = lock(zone);
    if tcp {
        zone.asked.tcp += 1;
    } else {
        zone.asked.udp += 1;
    }
    zone.turn += 1;
    let turn = zone.turn;
    let alias = zone.aliases.get(&query.name).cloned();
    let name = alias.as_deref().unwrap_or(&query.name);
    let known = zone.names.get(name).filter(|addresses| !addresses.is_empty());
    let mut addresses: Vec<IpAddr> = known.into_iter().flatten().copied().filter(|ip| query.kind.is_of(*ip)).collect();
    let mut reply = Reply { code: if known.is_some() { 0 } else { 3 }, ..Reply::default() };
    let (mut delay, mut flaw) = (Duration::ZERO, None);
    match zone.faults.get(&query.kind) {
        Some(Fault::Code(code)) => {
            reply.code = *code;
            addresses.clear();
        }
        Some(Fault::Empty) => {
            reply.code = 0;
            addresses.clear();
        }
        Some(Fault::Silent) => return (None, delay),
        Some(Fault::Late(late)) => delay = *late,
        Some(Fault::Garbage) => return (Some(vec![0xFF; 7]), delay),
        Some(Fault::Broken) => flaw = Some(Flaw::Broken),
        Some(Fault::WrongId) => flaw = Some(Flaw::WrongId),
        Some(Fault::WrongName) => flaw = Some(Flaw::WrongName),
        Some(Fault::OnlyCutShort) if tcp => return (None, delay),
        Some(Fault::OnlyCutShort | Fault::AlwaysCutShort) => reply.cut_short = true,
        Some(Fault::Nowhere) => addresses = vec![query.kind.nowhere()],
        Some(Fault::Part(count)) if !addresses.is_empty() => {
            let at = turn * count % addresses.len();
            addresses.rotate_left(at);
            addresses.truncate(*count);
        }
        Some(Fault::Part(_)) | None => {}
    }
    (reply.alias, reply.addresses) = (alias, addresses);
    let bytes = reply.write(query, flaw);
    if bytes.len() > DATAGRAM && !tcp {
        reply.cut_short = true;
        return (Some(reply.write(query, flaw)), delay);
    }
    (Some(bytes), delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_is_cut_short_over_udp_and_whole_over_tcp() {
        let server = DnsServer::start((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        server.set("cores", (0..100).map(|n| IpAddr::from([10, 0, 0, n])));
        let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05cores\x00\x00\x01\x00\x01";
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.send_to(question, server.address()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
        assert!(length <= DATAGRAM && buffer[2] & 2 == 2, "{length}");

        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_u16(u16::try_from(question.len()).unwrap()).await.unwrap();
        stream.write_all(question).await.unwrap();
        assert_eq!(usize::from(stream.read_u16().await.unwrap()), question.len() + 100 * 16);
        assert_eq!(server.asked(), Asked { udp: 1, tcp: 1 });
    }
}
