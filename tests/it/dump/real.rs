//! A real `ProxySQL` with real traffic to a real `MariaDB`, where both are installed: `PROXYSQL_BIN` names the first.

use std::io::Seek as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proxysql_fleet::node::BINARY as VARIABLE;
use tokio::process::Child;
use tokio::task::JoinSet;

use super::*;

/// `MariaDB` and the `ProxySQL` in front of it.
struct Backend {
    stage: Stage,
    _server: Child,
    _dir: TempDir,
    _block: Block,
}

fn skipped(why: &str) -> Option<Backend> {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
    None
}

async fn backend() -> Option<Backend> {
    let Some(binary) = std::env::var_os(VARIABLE).filter(|binary| !binary.is_empty()) else {
        return skipped("PROXYSQL_BIN names no ProxySQL");
    };
    let (block, dir) = (Block::take().unwrap(), tempfile::tempdir().unwrap());
    let (ip, port) = (block.address().unwrap(), block.port(3306).unwrap());
    let data = format!("--datadir={}", dir.path().join("data").display());
    // Not the system's: at its start a server removes what it takes for left-overs there, another one's files among them.
    let scratch = dir.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let made = Command::new("mariadb-install-db")
        .env("TMPDIR", &scratch)
        .args(["--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--skip-test-db", &data])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !made.await.is_ok_and(|status| status.success()) {
        return skipped("no MariaDB here");
    }
    let server = Command::new("mariadbd")
        .env("TMPDIR", &scratch)
        .args(["--no-defaults", "--user=root", "--skip-grant-tables", "--innodb-buffer-pool-size=16M", &data])
        .args([format!("--bind-address={ip}"), format!("--port={port}")])
        .arg(format!("--socket={}", dir.path().join("s").display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ready = async {
        while tokio::net::TcpStream::connect((ip, port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, ready).await.expect("MariaDB starts");
    let extra = format!(
        "mysql_servers=({{address=\"{ip}\", port={port}, hostgroup=0}})\n\
         mysql_users=({{username=\"app\", password=\"app\", default_hostgroup=0}})"
    );
    let stage = Stage::new(Some(binary.into()), &extra).await;
    Some(Backend { stage, _server: server, _dir: dir, _block: block })
}

impl Backend {
    /// Sends statements as a client does; whether all were answered.
    async fn send(&self, sql: &[u8]) -> bool {
        let address = self.stage.node.spec().mysql();
        let mut script = tempfile::tempfile().unwrap();
        script.write_all(sql).unwrap();
        script.rewind().unwrap();
        let client = Command::new("mariadb")
            .args(["--no-defaults", "--skip-ssl", "--binary-mode", "--default-character-set=latin1", "--batch"])
            .args(["-uapp", "-papp", "-h", &address.ip().to_string(), "-P", &address.port().to_string()])
            .stdin(script)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output();
        let output = client.await.unwrap();
        if !output.status.success() {
            let _ = writeln!(std::io::stderr(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        output.status.success()
    }
}

/// Statements whose digests are hard on writers and readers.
fn odd_statements() -> Vec<u8> {
    let mut sql = Vec::new();
    for name in [
        &b"a,b"[..],
        b"\"quoted\"",
        b"two\nlines",
        b"cr\rlf\r\nend",
        b"\xff\xfe\x80 no UTF-8",
        b" blank",
        b"\xc3\xa4",
        b"'x'",
    ] {
        sql.extend_from_slice(b"SELECT 1 AS `");
        sql.extend_from_slice(name);
        sql.extend_from_slice(b"`;\n");
    }
    // Far longer than what a query of people is.
    sql.extend_from_slice(b"SELECT 1");
    for i in 0..6_000 {
        sql.extend_from_slice(format!(" AS `c{i}`, 1").as_bytes());
    }
    // ProxySQL takes quoted text out of a digest, not out of the name of a schema.
    sql.extend_from_slice(b";\nCREATE DATABASE `q\"u,o`;\nUSE `q\"u,o`;\nSELECT 1 AS inside");
    sql.extend_from_slice(b";\nSELECT 7 /* , \"comment\" */ AS `last`;\n");
    sql
}

#[tokio::test]
async fn real_digests_of_real_traffic_come_back_byte_for_byte() {
    let Some(backend) = backend().await else { return };
    let stage = &backend.stage;
    // Without this, what is longer than two thousand bytes is cut.
    for sql in [
        "SET mysql-query_digests_max_digest_length=65000",
        "SET mysql-query_digests_max_query_length=65000",
        "LOAD MYSQL VARIABLES TO RUNTIME",
    ] {
        stage.node.query(sql).await.unwrap();
    }
    assert!(backend.send(&odd_statements()).await);
    let path = stage.file("d.csv", &[]).await;
    let records = read(&path);

    // The same from `ProxySQL` itself, in letters that no protocol and no reader can misunderstand.
    let columns = [
        "hostgroup",
        "schemaname",
        "username",
        "digest",
        "digest_text",
        "count_star",
        "strftime('%Y-%m-%dT%H:%M:%SZ', first_seen, 'unixepoch')",
        "strftime('%Y-%m-%dT%H:%M:%SZ', last_seen, 'unixepoch')",
        "sum_time",
        "min_time",
        "max_time",
        "sum_rows_affected",
        "sum_rows_sent",
        "client_address",
    ];
    let hex: Vec<_> = columns.iter().map(|column| format!("hex(CAST({column} AS BLOB))")).collect();
    let rows = stage.node.query(&format!("SELECT {} FROM stats_mysql_query_digest", hex.join(","))).await.unwrap();
    let mut expected: Vec<Record> = rows
        .into_iter()
        .map(|row| {
            let values = row.into_iter().map(|value| unhex(&value.unwrap_or_default()));
            std::iter::once(b"pod-0".to_vec()).chain(values).collect()
        })
        .collect();
    let sorted = |mut records: Vec<Record>| {
        records.sort();
        records
    };
    expected.sort();
    assert!(expected.len() >= 10, "{}", expected.len());
    let texts: Vec<&[u8]> = expected.iter().map(|record| record[5].as_slice()).collect();
    assert!(texts.iter().any(|text| text.len() > 32_768), "a long one");
    assert!(expected.iter().any(|record| record[2] == b"q\"u,o"), "one of a schema with a quote and a comma");
    assert!(texts.iter().any(|text| std::str::from_utf8(text).is_err()), "one that is not UTF-8");
    assert_eq!(sorted(records), expected);
    if let Some(read) = read_with_python(&path).await {
        assert_eq!(sorted(read), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_resets_under_traffic_add_up() {
    let Some(backend) = backend().await else { return };
    let backend = Arc::new(backend);
    let answered = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..3 {
        let (backend, answered) = (Arc::clone(&backend), Arc::clone(&answered));
        clients.spawn(async move {
            for batch in 0..8 {
                let queries = (0..500).map(|i| format!("SELECT {i} AS traffic_{client}_{batch}_{};", i % 20));
                assert!(backend.send(queries.collect::<Vec<_>>().join("\n").as_bytes()).await);
                answered.fetch_add(500, Ordering::Relaxed);
            }
        });
    }
    let stage = &backend.stage;
    let (mut dumped, mut dumps, mut failed) = (0, 0, 0);
    let mut last = false;
    while !last {
        while let Some(client) = clients.try_join_next() {
            client.unwrap();
        }
        last = clients.is_empty();
        if dumps % 2 == 1 && !last {
            let ended = stage.dump(&["--dump.reset=true", "--dump.output=/dev/full"]).await;
            failed += u32::from(ended.failed());
        }
        let path = stage.file("d.csv", &["--dump.reset=true"]).await;
        dumps += 1;
        if path.exists() {
            let mut records = read(&path);
            records.retain(|record| record[5].windows(8).any(|text| text == b"traffic_"));
            dumped += sum(&records, "count_star");
            std::fs::remove_file(path).unwrap();
        }
    }
    let _ = writeln!(std::io::stderr(), "{dumps} dumps and {failed} failed ones of {dumped} queries");
    assert_eq!(dumped, answered.load(Ordering::Relaxed));
    assert!(dumps > 3, "{dumps} dumps, which prove little");
    let left =
        stage.node.query("SELECT name FROM sqlite_master WHERE name LIKE 'proxysql_agent_dump_%'").await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_real_proxysql_that_dies_in_the_middle() {
    let Some(binary) = std::env::var_os(VARIABLE).filter(|binary| !binary.is_empty()) else {
        skipped("PROXYSQL_BIN names no ProxySQL");
        return;
    };
    let mut stage = Stage::new(Some(binary.into()), "").await;
    stage.node.query("PROXYSQLTEST 1 100").await.unwrap();
    let path = stage.out().join("d.csv");
    // A pipe that is read slowly holds the dump in its middle.
    let mut child = stage.agent(&["--dump.output=-"]).spawn().unwrap();
    let to_file = stage.agent(&[&format!("--dump.output={}", path.display())]).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    stage.node.kill().await;
    let ended = Ended::from(timeout(PATIENCE, to_file.wait_with_output()).await.unwrap().unwrap());
    if ended.code == Some(0) {
        assert!(read(&path).len() > 90_000);
    } else {
        assert!(stage.files().is_empty(), "{ended:?}");
    }
    drop(child.stdout.take());
    assert_eq!(timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code(), Some(1));
}
