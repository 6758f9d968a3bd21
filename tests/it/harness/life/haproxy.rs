//! A real `HAProxy` in front of the nodes, as people put one in front of pods.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use proxysql_fleet::net::Block;
use proxysql_fleet::process::{Process, Program};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::Client;
use crate::support::eventually;

/// Where a program of the system is.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// A node as `HAProxy` knows it: where clients go, and the port that is asked whether they may.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) mysql: SocketAddr,
    pub(crate) api: SocketAddr,
}

/// An `HAProxy` on loopback; it ends when this is dropped.
pub(crate) struct Haproxy {
    pub(crate) address: SocketAddr,
    socket: PathBuf,
    _process: Process,
    _dir: TempDir,
    _block: Block,
}

impl Haproxy {
    /// Starts one that asks each node's readiness; `None`, and a word about it, where there is none installed.
    pub(crate) async fn start(scenario: &str, servers: &[Server]) -> Option<Self> {
        let Some(binary) = program("haproxy") else {
            eprintln!("{scenario}: needs an installed HAProxy; not run");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("proxysql-haproxy-").tempdir().unwrap();
        let block = Block::take().unwrap();
        let address = SocketAddr::new(block.address().unwrap().into(), block.port(3306).unwrap());
        let (socket, file) = (dir.path().join("socket"), dir.path().join("haproxy.cfg"));
        std::fs::write(&file, configuration(address, &socket, servers)).unwrap();
        let program = Program::new(&binary, &dir.path().join("haproxy.log"));
        let process = program.arg("-db").arg("-f").arg(file.to_string_lossy()).start().unwrap();
        let haproxy = Self { address, socket, _process: process, _dir: dir, _block: block };
        eventually("HAProxy lets clients in", async || Client::connect(address).await.is_ok()).await;
        for server in servers {
            haproxy.sends_to(&server.name).await;
        }
        Some(haproxy)
    }

    /// Waits until a node gets clients.
    pub(crate) async fn sends_to(&self, name: &str) {
        eventually(&format!("HAProxy has {name} as UP"), async || self.is_up(name).await.unwrap_or(false)).await;
    }

    /// Another node is behind a server, as an ingress controller has it when pods are replaced.
    pub(crate) async fn moves(&self, Server { name, mysql, api }: &Server) {
        for command in [
            format!("set server mysql/{name} addr {} port {}", mysql.ip(), mysql.port()),
            format!("set server mysql/{name} check-addr {} port {}", api.ip(), api.port()),
        ] {
            let answer = self.ask(&command).await.unwrap();
            assert!(!answer.to_lowercase().contains("err") && !answer.contains("nvalid"), "{command}: {answer}");
        }
    }

    async fn ask(&self, command: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(format!("{command}\n").as_bytes()).await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    async fn is_up(&self, name: &str) -> io::Result<bool> {
        let text = self.ask("show stat").await?;
        // The 18th column is the status; "UP 1/2" is on its way.
        let row = text.lines().map(|line| line.split(',').collect::<Vec<_>>()).find(|row| row.get(1) == Some(&name));
        Ok(row.is_some_and(|row| row.get(17) == Some(&"UP")))
    }
}

fn configuration(address: SocketAddr, socket: &Path, servers: &[Server]) -> String {
    let mut text = format!(
        "global\n  maxconn 2000\n  stats socket {} level admin\n\
         defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 1h\n  timeout server 1h\n  timeout check 2s\n  \
         retries 3\n  option redispatch\n\
         listen mysql\n  bind {address}\n  balance leastconn\n  option httpchk GET /healthz/ready\n  \
         default-server inter 200ms fall 1 rise 1\n",
        socket.display()
    );
    for Server { name, mysql, api } in servers {
        writeln!(text, "  server {name} {mysql} check addr {} port {}", api.ip(), api.port()).unwrap();
    }
    text
}
