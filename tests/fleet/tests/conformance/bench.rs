//! Nodes for a scenario, and waiting for conditions.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proxysql_fleet::node::{BINARY, Checksum, Cnf, Layer, Node, NodeSpec};
use tempfile::TempDir;
use tokio::time::sleep;

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
        sleep(Duration::from_millis(20)).await;
    }
    started.elapsed()
}

/// One statement that has to succeed.
pub async fn run(node: &Node, sql: &str) {
    node.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub const RULES: &str = "mysql_query_rules";

/// Nodes that list each other as cores, each with rules of its own.
pub async fn cores(bench: &Bench, count: usize, pattern: &str) -> Vec<Node> {
    let specs: Vec<_> = (0..count).map(|number| bench.spec(&format!("core{number}"))).collect();
    let seeds: Vec<_> = specs.iter().map(|spec| (spec.ip.to_string(), spec.admin_port)).collect();
    let cnf = Cnf { seeds, extra: rules(&[(1, pattern)]), ..Cnf::default() };
    let mut nodes = Vec::new();
    for spec in specs {
        nodes.push(bench.node(spec, &cnf).await);
    }
    nodes
}

pub async fn satellite(bench: &Bench, name: &str, of: &[&Node], pattern: &str) -> Node {
    let seeds = of.iter().map(|core| (core.spec().ip.to_string(), core.spec().admin_port)).collect();
    bench.node(bench.spec(name), &Cnf { seeds, extra: rules(&[(1, pattern)]), ..Cnf::default() }).await
}

pub async fn sum(node: &Node, module: &str) -> Checksum {
    node.checksums().await.expect("an answer").remove(module).expect("one of the modules")
}

/// One rule instead of all, published.
pub async fn publish(node: &Node, pattern: &str) {
    run(node, "DELETE FROM mysql_query_rules").await;
    run(
        node,
        &format!("INSERT INTO mysql_query_rules (rule_id,active,match_pattern,apply) VALUES (1,1,'{pattern}',1)"),
    )
    .await;
    run(node, "LOAD MYSQL QUERY RULES TO RUNTIME").await;
}

pub async fn follows(node: &Node, pattern: &str) {
    until(&format!("{} has {pattern}", node.spec().name), || async { patterns(node).await == [pattern] }).await;
}

/// How often a check of a peer has found a module different.
pub async fn differing(node: &Node, peer: &Node, module: &str) -> u32 {
    seen(node, peer, module, "diff_check").await.parse().expect("a count")
}

pub async fn seen(node: &Node, peer: &Node, module: &str, column: &str) -> String {
    let sql = format!(
        "SELECT {column} FROM stats_proxysql_servers_checksums WHERE hostname='{}' AND name='{module}'",
        peer.spec().ip
    );
    let rows = node.query(&sql).await.expect("an answer");
    rows.first().and_then(|row| row[0].clone()).expect("a row for the peer")
}

pub async fn metric(node: &Node, peer: &Node, column: &str) -> i64 {
    let sql = format!("SELECT {column} FROM stats_proxysql_servers_metrics WHERE hostname='{}'", peer.spec().ip);
    let rows = node.query(&sql).await.expect("an answer");
    rows[0][0].as_ref().and_then(|number| number.parse().ok()).expect("a number")
}

/// Until a second has just begun, so that what follows falls into one second.
pub async fn early_in_a_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    sleep(Duration::from_millis(1020 - u64::from(now.subsec_millis()))).await;
}

/// Until loads no longer share a second with those before.
pub async fn next_second() {
    sleep(Duration::from_millis(1100)).await;
}

pub async fn hosts(node: &Node, layer: Layer) -> Vec<String> {
    let rows = node.members(layer).await.expect("an answer");
    rows.into_iter().map(|row| row.hostname).collect()
}
