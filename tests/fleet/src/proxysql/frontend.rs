//! The port for `MySQL` clients: it greets, counts, and can be closed.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::auth;
use super::clients::{ClientEnd, ClientSpec, ClientState};
use super::host::{Host, Life};
use super::wire::Wire;

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
            let _ = tokio::time::timeout(std::time::Duration::from_millis(50), wanted.changed()).await;
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

async fn accept(host: &Host, listener: &TcpListener) -> std::io::Result<(TcpStream, SocketAddr)> {
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
    let version = life.store().runtime.variable("mysql-server_version").to_owned();
    let mut wire = Wire::new(stream);
    let salt = auth::salt(u64::from(id) << 32);
    let greeted = wire.write(&auth::greeting(&version, id, &salt, auth::MYSQL_CAPABILITIES)).await;
    if greeted.is_ok() {
        let mut rest = [0; 512];
        loop {
            tokio::select! {
                () = token.cancelled() => break,
                read = wire.stream().read(&mut rest) => {
                    if !matches!(read, Ok(1..)) {
                        break;
                    }
                }
            }
        }
    }
    life.clients().end(id, ClientEnd::Left);
}
