//! Connections to the admin port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};

use super::Cause;
use super::auth::{self, Login, Role};
use super::command::{self, Command, Facts};
use super::digest;
use super::execute::{self, Effect};
use super::host::{Host, Life, lock};
use super::log::{Entry, Kind, Outcome};
use super::logins::{Account, Side};
use super::trouble::Action;
use super::wire::{Encoder, Wire};

/// How long a listener stays at most once it is to be somewhere else; the next connection ends it, too.
const MOVES_IN: std::time::Duration = std::time::Duration::from_millis(500);

/// Accepts until the life ends; the listener goes while the node refuses.
pub(crate) async fn listen(host: Arc<Host>, life: Arc<Life>, listener: TcpListener) {
    let mut wanted = life.admin_at.subscribe();
    let mut address = *wanted.borrow_and_update();
    let mut moves_at = None;
    let mut refusing = host.trouble.refusing();
    let mut listener = Some(listener);
    loop {
        let refused = *refusing.borrow_and_update();
        if refused {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        let Some(open) = &listener else {
            let again = tokio::time::timeout(std::time::Duration::from_millis(50), refusing.changed());
            // Either the script changed its mind or the port is tried again.
            let _ = again.await;
            address = *wanted.borrow_and_update();
            continue;
        };
        let moves = async {
            match moves_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let mut is_over = false;
        tokio::select! {
            _ = refusing.changed() => {}
            _ = wanted.changed() => moves_at = Some(tokio::time::Instant::now() + MOVES_IN),
            () = moves => is_over = true,
            accepted = accept(&host, open) => {
                if let Ok((stream, peer)) = accepted {
                    life.spawn(serve(Arc::clone(&host), Arc::clone(&life), stream, peer));
                }
                is_over = moves_at.is_some();
            }
        }
        if is_over {
            (moves_at, listener, address) = (None, None, *wanted.borrow_and_update());
        }
    }
}

async fn accept(host: &Host, listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    host.trouble.thaw().await;
    listener.accept().await
}

async fn serve(host: Arc<Host>, life: Arc<Life>, stream: TcpStream, peer: SocketAddr) {
    let connection = host.connections.fetch_add(1, Ordering::Relaxed);
    let _thread = Thread::begin(&life);
    // A connection that breaks is not an error of the server.
    let _ = talk(&host, &life, stream, peer, connection).await;
}

/// The thread of a connection, as the statistics count it.
struct Thread(Arc<Life>);

impl Thread {
    fn begin(life: &Arc<Life>) -> Self {
        life.admin_threads.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(life))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.admin_threads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A logged-in connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) role: Role,
    pub(crate) user: String,
    pub(crate) peer: SocketAddr,
    pub(crate) connection: u64,
    /// Set by a peer that introduced itself.
    pub(crate) node: Option<(String, String)>,
    /// Tables that the next statement sees only so many rows of.
    pub(crate) torn: Vec<(&'static str, usize)>,
}

async fn talk(
    host: &Arc<Host>,
    life: &Arc<Life>,
    stream: TcpStream,
    peer: SocketAddr,
    connection: u64,
) -> io::Result<()> {
    host.trouble.thaw().await;
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(BufReader::new(stream));
    let Some((user, role)) = login(host, life, &mut wire, peer, connection).await? else { return Ok(()) };
    host.log.login(&user);
    let mut session = Session { role, user, peer, connection, node: None, torn: Vec::new() };
    while let Some(packet) = wire.read().await? {
        host.trouble.thaw().await;
        let Some((code, body)) = packet.split_first() else { return Ok(()) };
        let mut reply = Encoder::new(wire.sequence);
        match code {
            0x03 => {
                if !statement(host, life, &mut session, &mut wire, body).await? {
                    return Ok(());
                }
                continue;
            }
            // COM_INIT_DB, COM_PING
            0x02 | 0x0e => reply.ok(0, ""),
            // COM_FIELD_LIST, COM_STMT_PREPARE, COM_STMT_EXECUTE, and what else has to do with prepared statements
            0x04 | 0x16..=0x18 | 0x1a | 0x1c => reply.error(1045, "28000", "Command not supported"),
            0x0c => reply.error(9003, "28000", "Command not supported"),
            0x09 => reply.packet(|out| {
                out.extend_from_slice(
                    format!("Uptime: {} Threads: 0  Questions: 0  Slow queries: 0", life.started.elapsed().as_secs())
                        .as_bytes(),
                );
            }),
            0x1b => reply.end(),
            0x1f => reply.error(
                1047,
                "28000",
                &format!(
                    "Received unsupported 'COM_RESET_CONNECTION' for session type '{}'",
                    if role == Role::Admin { "PROXYSQL_SESSION_ADMIN" } else { "PROXYSQL_SESSION_STATS" }
                ),
            ),
            // COM_CHANGE_USER is never answered, COM_STMT_CLOSE needs no answer.
            0x11 | 0x19 => continue,
            // COM_QUIT, and all that the real one hangs up on
            _ => return Ok(()),
        }
        host.trouble.thaw().await;
        wire.write_framed(&reply.bytes).await?;
    }
    Ok(())
}

async fn login(
    host: &Host,
    life: &Life,
    wire: &mut Wire<BufReader<TcpStream>>,
    peer: SocketAddr,
    connection: u64,
) -> io::Result<Option<(String, Role)>> {
    let version = life.store().runtime.variable("mysql-server_version").to_owned();
    let salt = auth::salt(connection);
    wire.write(&auth::greeting(&version, life.next_thread(), &salt, auth::ADMIN_CAPABILITIES)).await?;
    let Some(login) = wire.read().await?.and_then(|packet| Login::parse(&packet)) else { return Ok(None) };
    let mut proof = login.proof;
    if login.plugin != auth::NATIVE && login.plugin != auth::CLEAR {
        wire.write(&auth::switch_to_native(&salt)).await?;
        let Some(packet) = wire.read().await? else { return Ok(None) };
        proof = packet;
    }
    let user = login.user;
    let known = life.store().runtime.logins.get(&user).cloned();
    let role = known.and_then(|Account { password: stored, side }| {
        let proven = match login.plugin.as_str() {
            auth::CLEAR => proof.strip_suffix(b"\0").unwrap_or(&proof) == stored.as_bytes(),
            _ => auth::proves(&proof, &salt, &stored),
        };
        let role = match side {
            Side::Admin => Role::Admin,
            Side::Stats => Role::Stats,
            Side::Clients => return None,
        };
        proven.then_some(role)
    });
    host.trouble.thaw().await;
    let mut reply = Encoder::new(wire.sequence);
    let Some(role) = role else {
        life.clients().denied += 1;
        let using = if proof.iter().all(|byte| *byte == 0) { "NO" } else { "YES" };
        let text = format!("ProxySQL Error: Access denied for user '{user}'@'{}' (using password: {using})", peer.ip());
        reply.error(1045, "28000", &text);
        wire.write_framed(&reply.bytes).await?;
        return Ok(None);
    };
    if auth::local_only(&user, peer.ip()) {
        reply.error(1040, "42000", &format!("User '{user}' can only connect locally"));
    } else {
        reply.ok(0, "");
        wire.write_framed(&reply.bytes).await?;
        return Ok(Some((user, role)));
    }
    wire.write_framed(&reply.bytes).await?;
    Ok(None)
}

/// One statement from its packet to its answer; `false` ends the connection.
#[expect(clippy::too_many_lines, reason = "what befalls a statement, in the order in which it does")]
async fn statement(
    host: &Arc<Host>,
    life: &Arc<Life>,
    session: &mut Session,
    wire: &mut Wire<BufReader<TcpStream>>,
    body: &[u8],
) -> io::Result<bool> {
    let sql = String::from_utf8_lossy(body).into_owned();
    let behaviour = host.behaviour();
    let from = session.peer.ip().to_string();
    let postgres = life.store().postgres;
    let facts = Facts { role: session.role, version: &behaviour.version, user: &session.user, from: &from, postgres };
    let command = command::parse(&sql, facts);
    let number = host.log.begin(Entry {
        number: 0,
        at: SystemTime::now(),
        user: session.user.clone(),
        connection: session.connection,
        peer: session.peer,
        sql: sql.clone(),
        kind: Kind::of(&command),
        bytes_in: body.len() as u64 + 5,
        bytes_out: 0,
        outcome: Outcome::Open,
    });
    let mut reply = Encoder::new(wire.sequence);
    let mut failed = None;
    let mut cut_after = false;
    let mut hooks = Vec::new();
    for action in host.trouble.actions(&session.user, &sql) {
        match action {
            Action::Delay(time) => tokio::time::sleep(time).await,
            Action::Fail { code, text } => failed = Some((code, text)),
            Action::CutBefore => {
                host.log.finish(number, 0, Outcome::Cut);
                return Ok(false);
            }
            Action::CutAfter => cut_after = true,
            Action::CutWithin(bytes) => wire.cut_after = Some(bytes),
            Action::PauseWithin(bytes, time) => wire.pause_after = Some((bytes, time)),
            Action::Torn(table, rows) => session.torn.push((table, rows)),
            Action::Hang => std::future::pending().await,
            Action::Before(hook) => hook.run().await,
            Action::After(hook) => hooks.push(hook),
        }
    }
    let digests = match &command {
        Command::Sql(sql) if failed.is_none() => {
            let mut digests = lock(&life.digests);
            digests.concern(sql).then(|| digests.take(sql))
        }
        _ => None,
    };
    let outcome = match failed {
        Some((code, text)) => {
            reply.error(code, "28000", &text);
            Outcome::Error { code, text }
        }
        None if let Some(digests) = digests => {
            let (sent, outcome) = digest::stream(digests, sql, wire).await?;
            host.log.finish(number, sent, outcome);
            return Ok(true);
        }
        None => match execute::run(host, life, session, command, &mut reply).await {
            Effect::Answer(outcome) => outcome,
            Effect::Die(cause) => {
                host.log.finish(number, 0, Outcome::Open);
                if cause == Cause::Restart {
                    host.restart_later(life);
                } else {
                    host.stop(life, cause);
                }
                return Ok(false);
            }
            Effect::Close => {
                host.log.finish(number, 0, Outcome::Cut);
                return Ok(false);
            }
        },
    };
    session.torn.clear();
    for hook in hooks {
        hook.run().await;
    }
    host.trouble.thaw().await;
    if cut_after {
        host.log.finish(number, 0, Outcome::Cut);
        return Ok(false);
    }
    let before = wire.bytes_out;
    let written = wire.write_framed(&reply.bytes).await;
    host.log.finish(number, wire.bytes_out - before, if written.is_ok() { outcome } else { Outcome::Cut });
    written?;
    Ok(true)
}
