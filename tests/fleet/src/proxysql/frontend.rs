//! The port for `MySQL` clients: it can be closed, and whoever logs in is a session like the scripted ones. Behind it is no
//! database: statements are answered with something plausible.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::auth::{self, Login};
use super::clients::{ClientEnd, ClientSpec, ClientState};
use super::command::fold;
use super::host::{Host, Life};
use super::wire::{ColumnType, Encoder, Wire};

/// Autocommit is on, and whether a transaction is open.
const AUTOCOMMIT: u16 = 2;
const IN_TRANSACTION: u16 = 1;

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
    let Some((_, hostgroup)) = user.filter(|(password, _)| auth::proves(&proof, &salt, password)) else {
        life.clients().denied += 1;
        let (user, from) = (&login.user, peer.ip());
        let using = if proof.is_empty() { "NO" } else { "YES" };
        let text = format!("ProxySQL Error: Access denied for user '{user}'@'{from}' (using password: {using})");
        reply.error(1045, "28000", &text);
        return wire.write_framed(&reply.bytes).await;
    };
    reply.ok(0, "");
    let backend = life.store().backend_of(hostgroup);
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
    let mut open = false;
    while let Some(packet) = wire.read().await? {
        host.trouble.thaw().await;
        let mut reply = Encoder::new(wire.sequence);
        match packet.split_first() {
            Some((0x03, sql)) => {
                let sql = fold(&String::from_utf8_lossy(sql));
                life.clients().change(id, |spec| spec.hostgroup = hostgroup);
                open = answer(life, id, &sql, open, &mut reply).await;
            }
            Some((0x02 | 0x0e, _)) => reply.ok(0, ""),
            Some((0x01, _)) | None => return Ok(()),
            Some(_) => reply.error(1045, "28000", "Command not supported"),
        }
        host.trouble.thaw().await;
        wire.write_framed(&reply.bytes).await?;
    }
    Ok(())
}

/// Answers one statement; whether a transaction is open afterwards.
async fn answer(life: &Life, id: u32, sql: &str, open: bool, reply: &mut Encoder) -> bool {
    let begins = |start: &str| sql.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    let open = match () {
        () if begins("BEGIN") || begins("START TRANSACTION") => true,
        () if begins("COMMIT") || begins("ROLLBACK") => false,
        () => open,
    };
    reply.status = AUTOCOMMIT | if open { IN_TRANSACTION } else { 0 };
    let seconds =
        begins("SELECT SLEEP(").then(|| sql["SELECT SLEEP(".len()..].trim_end_matches([')', ';']).parse().ok());
    if let Some(seconds) = seconds.flatten() {
        life.clients().change(id, |spec| spec.state = ClientState::Running(sql.to_owned()));
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
    }
    if begins("SELECT") {
        let column = sql["SELECT".len()..].trim();
        reply.columns([column].into_iter(), ColumnType::Text);
        let value: &[u8] = if seconds.is_some() { b"0" } else { b"1" };
        reply.row([Some(value.into())].into_iter());
        reply.end();
    } else {
        reply.ok(0, "");
    }
    let state = if open { ClientState::InTransaction } else { ClientState::Idle };
    life.clients().change(id, |spec| spec.state = state);
    open
}
