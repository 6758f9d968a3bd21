//! A database for a real `ProxySQL` to have behind it: it takes any login, answers as the embedded one does, and remembers
//! what it was asked to carry out.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::proxysql::auth;
use crate::proxysql::command::fold;
use crate::proxysql::frontend::{AUTOCOMMIT, Held, answer};
use crate::proxysql::wire::{Encoder, Wire};

/// A database that listens on loopback until it is dropped.
#[derive(Debug)]
pub struct Database {
    address: SocketAddr,
    executed: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Database {
    /// Listens on a free port of loopback.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let executed = Arc::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, Arc::clone(&executed)));
        Ok(Self { address, executed, _tasks: tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The statements it carried out, in order.
    pub fn executed(&self) -> Vec<String> {
        self.executed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn listen(listener: TcpListener, executed: Arc<Mutex<Vec<String>>>) {
    let mut connections = JoinSet::new();
    let mut thread = 1;
    while let Ok((stream, _)) = listener.accept().await {
        thread += 1;
        let executed = Arc::clone(&executed);
        connections.spawn(async move {
            // A connection that breaks is not an error of the server.
            let _ = serve(stream, thread, &executed).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, thread: u32, executed: &Mutex<Vec<String>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(BufReader::new(stream));
    let salt = auth::salt(u64::from(thread));
    wire.write(&auth::greeting("8.0.27", thread, &salt, auth::MYSQL_CAPABILITIES)).await?;
    if wire.read().await?.is_none() {
        return Ok(());
    }
    let mut reply = Encoder::new(wire.sequence);
    reply.status = AUTOCOMMIT;
    reply.ok(0, "");
    wire.write_framed(&reply.bytes).await?;
    let mut held = Held::default();
    while let Some(packet) = wire.read().await? {
        let mut reply = Encoder::new(wire.sequence);
        reply.status = AUTOCOMMIT;
        match packet.split_first() {
            Some((0x03, sql)) => {
                let sql = fold(&String::from_utf8_lossy(sql));
                executed.lock().unwrap_or_else(PoisonError::into_inner).push(sql.clone());
                answer(&mut held, &sql, &mut reply).await;
            }
            Some((0x01, _)) | None => return Ok(()),
            // COM_SET_OPTION
            Some((0x1b, _)) => reply.end(),
            // COM_CHANGE_USER, COM_RESET_CONNECTION: all is forgotten.
            Some((0x11 | 0x1f, _)) => {
                held = Held::default();
                reply.ok(0, "");
            }
            Some(_) => reply.ok(0, ""),
        }
        wire.write_framed(&reply.bytes).await?;
    }
    Ok(())
}
