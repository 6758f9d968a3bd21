//! Dump mode: right, complete or absent, and cheap at any size.

mod content;
mod real;
mod reset;
mod size;
mod trouble;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use proxysql_fleet::net::Block;
use proxysql_fleet::node::{Cnf, Node, NodeSpec};
use proxysql_fleet::proxysql::{DigestRow, DigestSchema, Embedded};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

const BINARY: &str = env!("CARGO_BIN_EXE_proxysql-agent");
/// What no scenario here takes.
const PATIENCE: Duration = Duration::from_mins(2);
const HEADER: [&str; 15] = [
    "pod_name",
    "hostgroup",
    "schemaname",
    "username",
    "digest",
    "digest_text",
    "count_star",
    "first_seen",
    "last_seen",
    "sum_time_us",
    "min_time_us",
    "max_time_us",
    "sum_rows_affected",
    "sum_rows_sent",
    "client_address",
];

/// A record as a reader gives it back.
type Record = Vec<Vec<u8>>;

/// A node, and a directory for dumps.
struct Stage {
    node: Node,
    dir: TempDir,
    _block: Block,
}

impl Stage {
    async fn new(real: Option<PathBuf>, extra: &str) -> Self {
        let block = Block::take().unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        let spec = NodeSpec {
            name: "node".into(),
            ip: block.address().unwrap().into(),
            admin_port: block.port(6032).unwrap(),
            mysql_port: block.port(6033).unwrap(),
            dir: dir.path().join("node"),
        };
        let cnf = Cnf { extra: extra.to_owned(), ..Cnf::default() };
        let node = match real {
            Some(binary) => Node::start_real(binary, spec, &cnf).await,
            None => Node::start_embedded(spec, &cnf).await,
        };
        Self { node: node.unwrap(), dir, _block: block }
    }

    async fn embedded() -> Self {
        Self::new(None, "").await
    }

    fn script(&self) -> &Embedded {
        self.node.embedded().unwrap()
    }

    /// Digests of the usual kind, in this number.
    fn seed(&self, rows: u64) {
        self.script().seed_digests(rows, DigestSchema::V2_7, DigestRow::sample);
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// What is in the directory for dumps, hidden files too.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.out()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn arguments(&self) -> Vec<String> {
        Self::arguments_for(self.node.spec().admin())
    }

    fn arguments_for(admin: SocketAddr) -> Vec<String> {
        vec!["--run_mode=dump".into(), format!("--proxysql.address={admin}"), "--proxysql.password=radmin".into()]
    }

    fn agent(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(self.arguments())
            .args(arguments)
            .env_clear()
            .env("POD_NAME", "pod-0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn dump(&self, arguments: &[&str]) -> Ended {
        let output = timeout(PATIENCE, self.agent(arguments).output()).await.expect("the dump ends").unwrap();
        Ended::from(output)
    }

    /// Dumps to a file of this name and gives its path; the dump must succeed.
    async fn file(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.out().join(name);
        let output = format!("--dump.output={}", path.display());
        let ended = self.dump(&[&[output.as_str()], arguments].concat()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        path
    }
}

/// How a dump ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// Whether it failed; if it did not, there was nothing to dump at that moment.
    fn failed(&self) -> bool {
        if self.stdout.contains("rows=0 ") {
            assert_eq!(self.code, Some(0), "{self:?}");
            return false;
        }
        !self.reason().is_empty()
    }

    /// The reason of a failure: exit code 1, and one line of level ERROR.
    fn reason(&self) -> &str {
        assert_eq!(self.code, Some(1), "{self:?}");
        let lines: Vec<_> = self.stdout.lines().chain(self.stderr.lines()).filter(|l| l.contains("ERROR")).collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines[0].split_once("reason=").expect("a reason").1
    }
}

/// The records of a file, read with the crate `csv`; the header is checked.
fn read(path: &Path) -> Vec<Record> {
    records(&std::fs::read(path).unwrap())
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), HEADER);
    reader.byte_records().map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
}

/// Reads a file with the module `csv` of Python in strict mode, and prints every value in hexadecimal.
const PYTHON: &str = r"
import csv, sys
csv.field_size_limit(1 << 24)
with open(sys.argv[1], encoding='utf-8', errors='surrogateescape', newline='') as f:
    for row in csv.reader(f, strict=True):
        print(','.join(v.encode('utf-8', 'surrogateescape').hex() for v in row))
";

/// As [`read`], with Python; `None`, and a word about it, where there is no Python that can.
async fn read_with_python(path: &Path) -> Option<Vec<Record>> {
    let version = Command::new("python3").args(["-c", "import sys; print(sys.version_info >= (3, 11))"]).output().await;
    if version.map_or(true, |output| output.stdout != b"True\n") {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no python3 from 3.11 on, which is the first to read NUL");
        return None;
    }
    let output = Command::new("python3").arg("-c").arg(PYTHON).arg(path).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rows = text.lines().map(|line| line.split(',').map(unhex).collect::<Record>());
    assert_eq!(rows.next().unwrap(), HEADER.map(|name| name.as_bytes().to_vec()));
    Some(rows.collect())
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The sum of a column of numbers.
fn sum(records: &[Record], column: &str) -> u64 {
    let at = HEADER.iter().position(|name| *name == column).unwrap();
    records.iter().map(|record| String::from_utf8_lossy(&record[at]).parse::<u64>().unwrap()).sum()
}
