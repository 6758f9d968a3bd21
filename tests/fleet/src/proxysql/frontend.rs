//! The port for `MySQL` clients: it can be closed, and whoever logs in is a session like the scripted ones. Behind it is no
//! database: statements are answered with something plausible. `SELECT filler FROM kilobytes LIMIT n` has a result of `n`
//! kilobytes; a statement that mentions `no_such_table` fails.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::auth::{self, Login};
use super::clients::{Arrival, ClientEnd, ClientSpec, ClientState};
use super::command::fold;
use super::host::{Host, Life};
use super::wire::{ColumnType, Encoder, Wire};

/// Autocommit is on, and whether a transaction is open.
pub(crate) const AUTOCOMMIT: u16 = 2;
const IN_TRANSACTION: u16 = 1;
/// A larger answer is written piece by piece.
const PIECE: usize = 64 << 10;
const MISSING: &str = "NO_SUCH_TABLE";
const MOST_KILOBYTES: u32 = 100_000;
const KILOBYTES: &str = "SELECT filler FROM kilobytes LIMIT ";

/// Accepts while the port is wanted open.
pub(crate) async fn listen(host: Arc<Host>, life: Arc<Life>, address: SocketAddr, listener: TcpListener) {
    let mut wanted = life.mysql_wanted.subscribe();
    let mut listener = Some(listener);
    loop {
        let open = *wanted.borrow_and_update();
        if !open {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        if open == listener.is_some() {
            life.mysql_open.send_replace(open);
        }
        let Some(accepting) = &listener else {
            // Either the wish changes or the port is tried again.
            let _ = tokio::time::timeout(Duration::from_millis(50), wanted.changed()).await;
            continue;
        };
        tokio::select! {
            _ = wanted.changed() => {}
            accepted = accept(&host, accepting) => {
                if let Ok((stream, peer)) = accepted {
                    life.spawn(serve(Arc::clone(&host), Arc::clone(&life), stream, peer));
                }
            }
        }
    }
}

async fn accept(host: &Host, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    host.trouble.thaw().await;
    listener.accept().await
}

async fn serve(host: Arc<Host>, life: Arc<Life>, stream: TcpStream, peer: SocketAddr) {
    host.trouble.thaw().await;
    let id = life.next_thread();
    let deaf = host.behaviour().deaf_after_resume;
    if deaf > 0 && life.resumed.load(Ordering::Relaxed) && id.is_multiple_of(deaf) {
        return life.token.cancelled().await;
    }
    let token = CancellationToken::new();
    let spec = ClientSpec {
        host: peer.ip().to_string(),
        port: peer.port(),
        state: ClientState::Connecting,
        ..ClientSpec::default()
    };
    life.clients().add(id, spec, Some(token.clone()));
    tokio::select! {
        () = token.cancelled() => {}
        // A connection that breaks is not an error of the server.
        _ = talk(&host, &life, stream, peer, id) => {}
    }
    life.clients().end(id, ClientEnd::Left);
    life.turn.notify_one();
}

async fn talk(host: &Host, life: &Life, stream: TcpStream, peer: SocketAddr, id: u32) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(BufReader::new(stream));
    let version = life.store().runtime.variable("mysql-server_version").to_owned();
    let salt = auth::salt(u64::from(id) << 32);
    wire.write(&auth::greeting(&version, id, &salt, auth::MYSQL_CAPABILITIES)).await?;
    let Some(login) = wire.read().await?.and_then(|packet| Login::parse(&packet)) else { return Ok(()) };
    let mut proof = login.proof;
    if login.plugin != auth::NATIVE {
        wire.write(&auth::switch_to_native(&salt)).await?;
        let Some(packet) = wire.read().await? else { return Ok(()) };
        proof = packet;
    }
    let user = life.store().frontend_user(&login.user);
    let mut reply = Encoder::new(wire.sequence);
    reply.status = AUTOCOMMIT;
    let Some(user) = user.filter(|user| auth::proves(&proof, &salt, &user.password)) else {
        life.clients().denied += 1;
        let (user, from) = (&login.user, peer.ip());
        let using = if proof.is_empty() { "NO" } else { "YES" };
        let text = format!("ProxySQL Error: Access denied for user '{user}'@'{from}' (using password: {using})");
        reply.error(1045, "28000", &text);
        return wire.write_framed(&reply.bytes).await;
    };
    reply.ok(0, "");
    let backend = life.store().backend_of(user.hostgroup);
    life.clients().change(id, |spec| {
        spec.user.clone_from(&login.user);
        // Known from the first statement on.
        spec.hostgroup = -1;
        spec.state = ClientState::Idle;
        if let Some(backend) = backend {
            spec.backend = backend;
        }
    });
    wire.write_framed(&reply.bytes).await?;
    life.turn.notify_one();
    let mut held = Held { fast_forward: user.fast_forward, ..Held::default() };
    while let Some(packet) = wire.read().await? {
        host.trouble.thaw().await;
        let Some((code, body)) = packet.split_first() else { return Ok(()) };
        let sql = if *code == 0x03 { fold(&String::from_utf8_lossy(body)) } else { String::new() };
        if *code == 0x01 || life.clients().arrives(id, &sql) == Arrival::Gone {
            return Ok(());
        }
        let mut reply = Encoder::new(wire.sequence);
        match code {
            0x03 => {
                life.clients().change(id, |spec| spec.hostgroup = user.hostgroup);
                answer(&mut held, &sql, &mut reply).await;
            }
            0x02 | 0x0e => reply.ok(0, ""),
            _ => reply.error(1045, "28000", "Command not supported"),
        }
        host.trouble.thaw().await;
        send(life, id, &mut wire, &held, &reply.bytes).await?;
    }
    Ok(())
}

/// Writes an answer, a large one piece by piece: each that goes out is a sign of life, and a client that does not read is
/// taken for idle.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    life: &Life,
    id: u32,
    wire: &mut Wire<S>,
    held: &Held,
    bytes: &[u8],
) -> io::Result<()> {
    life.clients().answers(id, &held.state(), held.open, bytes.len() > PIECE);
    for piece in bytes.chunks(PIECE) {
        wire.write_framed(piece).await?;
        life.clients().sent(id);
    }
    life.clients().answered(id, held.state());
    life.turn.notify_one();
    Ok(())
}

/// What a session holds from one statement to the next.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each is a fact of its own
pub(crate) struct Held {
    /// A transaction is open.
    open: bool,
    /// Each statement opens one.
    autocommit_off: bool,
    /// The last statement failed.
    failed: bool,
    /// A user variable, a temporary table or a lock, until the session ends.
    state: bool,
    fast_forward: bool,
}

impl Held {
    fn state(self) -> ClientState {
        match self {
            Self { fast_forward: true, .. } => ClientState::FastForward,
            Self { failed: true, .. } => ClientState::Failed,
            Self { open: true, .. } => ClientState::InTransaction,
            Self { state: true, .. } => ClientState::Holding,
            _ => ClientState::Idle,
        }
    }
}

/// Answers one statement, and notes what of it stays.
pub(crate) async fn answer(held: &mut Held, sql: &str, reply: &mut Encoder) {
    let begins = |start: &str| sql.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    let upper = sql.to_ascii_uppercase();
    held.failed = upper.contains(MISSING);
    held.state |= begins("SET @") || begins("CREATE TEMPORARY") || upper.contains("GET_LOCK(");
    match upper.trim_end_matches(';') {
        "SET AUTOCOMMIT=0" => held.autocommit_off = true,
        "SET AUTOCOMMIT=1" => *held = Held { autocommit_off: false, open: false, ..*held },
        _ if held.failed => {}
        _ if begins("BEGIN") || begins("START TRANSACTION") => held.open = true,
        _ if begins("COMMIT") || begins("ROLLBACK") => held.open = false,
        _ => held.open |= held.autocommit_off,
    }
    reply.status = if held.autocommit_off { 0 } else { AUTOCOMMIT } | if held.open { IN_TRANSACTION } else { 0 };
    if held.failed {
        return reply.error(1146, "42S02", "Table 'app.no_such_table' doesn't exist");
    }
    let rest = |start: &str| begins(start).then(|| sql[start.len()..].trim_end_matches([')', ';']).trim());
    let seconds = rest("SELECT SLEEP(").and_then(|number| number.parse().ok());
    if let Some(seconds) = seconds {
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
    if let Some(rows) = rest(KILOBYTES).and_then(|number| number.parse::<u32>().ok()) {
        reply.columns(["filler"].into_iter(), ColumnType::Text);
        let filler = [b'x'; 1024];
        for _ in 0..rows.min(MOST_KILOBYTES) {
            reply.row([Some(filler[..].into())].into_iter());
        }
        reply.end();
    } else if begins("SELECT") {
        let column = sql["SELECT".len()..].trim();
        reply.columns([column].into_iter(), ColumnType::Text);
        let value: &[u8] = if seconds.is_some() { b"0" } else { b"1" };
        reply.row([Some(value.into())].into_iter());
        reply.end();
    } else {
        reply.ok(0, "");
    }
}
