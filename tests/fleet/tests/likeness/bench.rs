//! Nodes for a scenario, and waiting for conditions.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use proxysql_fleet::node::{BINARY, Cnf, Node, NodeSpec};
use tempfile::TempDir;

pub const LIMIT: Duration = Duration::from_secs(15);

/// The kinds of node that a scenario runs on.
pub fn kinds() -> Vec<Option<PathBuf>> {
    let real = std::env::var_os(BINARY).filter(|binary| !binary.is_empty()).map(|binary| Some(binary.into()));
    std::iter::once(None).chain(real).collect()
}

/// Addresses nobody else has, one folder for all datadirs.
pub struct Bench {
    real: Option<PathBuf>,
    dir: TempDir,
}

impl Bench {
    pub fn new(real: Option<PathBuf>) -> Self {
        Self { real, dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn spec(&self, name: &str) -> NodeSpec {
        NodeSpec {
            name: name.to_owned(),
            ip: free_ip(),
            admin_port: 6032,
            mysql_port: 6033,
            dir: self.dir.path().join(name),
        }
    }

    pub async fn node(&self, spec: NodeSpec, cnf: &Cnf) -> Node {
        let started = match &self.real {
            Some(binary) => Node::start_real(binary.clone(), spec, cnf).await,
            None => Node::start_embedded(spec, cnf).await,
        };
        started.expect("the node starts")
    }
}

fn free_ip() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let [_, block, high, low] = number.to_be_bytes();
        let ip = Ipv4Addr::new(127, 90 + block % 30, high, low);
        let usable = !matches!(low, 0 | 255);
        if usable && TcpListener::bind((ip, 6032)).is_ok() && TcpListener::bind((ip, 6033)).is_ok() {
            return ip.into();
        }
    }
}

/// A section of the configuration file with query rules.
pub fn rules(rules: &[(u32, &str)]) -> String {
    let rules: Vec<String> = rules
        .iter()
        .map(|(id, pattern)| {
            format!("{{ rule_id={id}, active=1, match_pattern=\"{pattern}\", destination_hostgroup=1, apply=1 }}")
        })
        .collect();
    format!("mysql_query_rules=({})", rules.join(","))
}

/// The rules in effect on a node.
pub async fn patterns(node: &Node) -> Vec<String> {
    let rows = node.query("SELECT match_pattern FROM runtime_mysql_query_rules ORDER BY rule_id").await;
    rows.expect("an answer").into_iter().filter_map(|row| row[0].clone()).collect()
}

/// Asks again and again until `wanted` holds; the time it took.
pub async fn until<F: Future<Output = bool>>(what: &str, wanted: impl FnMut() -> F) -> Duration {
    within(LIMIT, what, wanted).await
}

pub async fn within<F: Future<Output = bool>>(limit: Duration, what: &str, mut wanted: impl FnMut() -> F) -> Duration {
    let started = Instant::now();
    while !wanted().await {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    started.elapsed()
}

/// One statement that has to succeed.
pub async fn run(node: &Node, sql: &str) {
    node.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
