//! A real MariaDB behind the real ProxySQL, and real clients in front of it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder};
use proxysql_fleet::process::{Process, Program};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until};

use super::haproxy::program;
use crate::support::eventually;

const INSTALL: &str = "mariadb-install-db";

/// A MariaDB on loopback, as an ordinary user; it ends when this is dropped.
pub(crate) struct Backend {
    port: u16,
    _server: Process,
    _dir: TempDir,
}

impl Backend {
    /// Starts one; `None`, and a word about it, where there is no real ProxySQL to test or no MariaDB installed.
    pub(crate) async fn start(scenario: &str) -> Option<Self> {
        let (Some(server), Some(install), Some(_)) =
            (program("mariadbd"), program(INSTALL), std::env::var_os("PROXYSQL_BIN"))
        else {
            eprintln!("{scenario}: needs PROXYSQL_BIN and an installed MariaDB; not run");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("proxysql-backend-").tempdir().unwrap();
        let port = free_port();
        Some(Self { port, _server: run(&server, &install, &dir, port).await, _dir: dir })
    }

    /// What the file of a ProxySQL in front of it says, with the variables that a scenario wants.
    pub(crate) fn configuration(&self) -> String {
        format!(
            "mysql_servers = ( {{ address=\"127.0.0.1\", port={}, hostgroup=0, max_connections=500 }} )\n\
             mysql_users = ( {{ username=\"app\", password=\"app-secret\", default_hostgroup=0, active=1, \
             max_connections=1000 }} )\n",
            self.port
        )
    }

    /// The rows of `done`, asked of the database itself.
    pub(crate) async fn written(&self) -> BTreeSet<i64> {
        let mut client = Client::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).await.unwrap();
        client.0.query::<i64, _>("SELECT who FROM done").await.unwrap().into_iter().collect()
    }
}

async fn run(server: &Path, install: &Path, dir: &TempDir, port: u16) -> Process {
    let data = dir.path().join("data");
    // MariaDB refuses to run as root; whoever is not may not become somebody else.
    let own = std::fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta)).unwrap();
    let user = if own == 0 { vec!["--user=mysql".to_owned()] } else { Vec::new() };
    if own == 0 {
        let status = Command::new("chown").arg("mysql").arg(dir.path()).status().unwrap();
        assert!(status.success());
    }
    // Not the system's: at its start a server removes what it takes for left-overs there, another one's files among them.
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    std::fs::set_permissions(&scratch, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let installed = Command::new(install)
        .env("TMPDIR", &scratch)
        .arg("--no-defaults")
        .args(&user)
        .arg(format!("--datadir={}", data.display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .output()
        .unwrap();
    assert!(installed.status.success(), "{installed:?}");
    let mut program = Program::new(server, &dir.path().join("mariadbd.log"))
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", scratch.display()))
        .arg(format!("--socket={}", dir.path().join("socket").display()))
        .arg(format!("--pid-file={}", dir.path().join("pid").display()))
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--port={port}"))
        .arg("--max-connections=600")
        .arg("--skip-log-bin")
        .arg("--innodb-buffer-pool-size=32M")
        .arg("--innodb-flush-log-at-trx-commit=0");
    for argument in user {
        program = program.arg(argument);
    }
    let process = program.start().unwrap();
    let root = move || {
        let opts = options(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).user(Some("root")).pass(None::<String>);
        Conn::new(opts)
    };
    eventually("MariaDB answers", async || root().await.is_ok()).await;
    let mut conn = root().await.unwrap();
    for sql in [
        "CREATE DATABASE app",
        "CREATE TABLE app.done (id INT PRIMARY KEY AUTO_INCREMENT, who INT NOT NULL)",
        "CREATE USER app@'%' IDENTIFIED BY 'app-secret'",
        "CREATE USER app@localhost IDENTIFIED BY 'app-secret'",
        "GRANT ALL ON app.* TO app@'%'",
        "GRANT ALL ON app.* TO app@localhost",
    ] {
        conn.query_drop(sql).await.unwrap();
    }
    conn.disconnect().await.unwrap();
    process
}

fn free_port() -> u16 {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Without the questions that a driver asks at the start: some of them tie a session to its backend.
fn options(server: SocketAddr) -> OptsBuilder {
    OptsBuilder::default()
        .ip_or_hostname(server.ip().to_string())
        .tcp_port(server.port())
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 24))
        .wait_timeout(Some(28_800))
        .stmt_cache_size(0)
}

/// A client of an application, with a connection of its own.
pub(crate) struct Client(Conn);

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Result<Self, mysql_async::Error> {
        let opts = options(server).user(Some("app")).pass(Some("app-secret")).db_name(Some("app"));
        Conn::new(opts).await.map(Self)
    }

    pub(crate) async fn run(&mut self, sql: &str) -> Result<(), mysql_async::Error> {
        self.0.query_drop(sql).await
    }

    /// The first column of the first row.
    pub(crate) async fn number(&mut self, sql: &str) -> Result<i64, mysql_async::Error> {
        Ok(self.0.query_first::<i64, _>(sql).await?.unwrap_or(-1))
    }

    /// Takes one row after the other, each so long after the one before; how many there were.
    pub(crate) async fn read_slowly(&mut self, sql: &str, pace: Duration) -> Result<u32, mysql_async::Error> {
        let began = Instant::now();
        let mut result = self.0.query_iter(sql).await?;
        let mut rows = 0;
        while result.next().await?.is_some() {
            rows += 1;
            sleep_until(began + pace * rows).await;
        }
        Ok(rows)
    }

    /// Runs a short statement after each pause until `enough`, or until one fails; how many there were.
    pub(crate) async fn keep_running(
        &mut self,
        pause: Duration,
        enough: &AtomicBool,
    ) -> Result<u64, (u64, mysql_async::Error)> {
        let mut done = 0;
        while !enough.load(Ordering::Relaxed) {
            self.run("DO 1").await.map_err(|error| (done, error))?;
            done += 1;
            sleep(pause).await;
        }
        Ok(done)
    }
}
