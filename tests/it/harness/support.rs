//! What the scenarios share: rigs of the real binary, and waiting for a condition.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use proxysql_fleet::node::{Node, Row};
use proxysql_fleet::proxysql::Entry;
use proxysql_fleet::rig::{Member, Rig, Role, Settings};
use tokio::time::{Instant, sleep};

/// How long anything may take before a scenario has failed. Far more than it needs: a busy machine must not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The settings of the rig with the agent under test, and short intervals.
pub(crate) fn settings() -> Settings {
    Settings::new(Path::new(env!("CARGO_BIN_EXE_proxysql-agent")))
        .env("AGENT_CORE_INTERVAL", "0.4")
        .env("AGENT_SATELLITE_INTERVAL", "0.4")
}

/// A fleet that has converged.
pub(crate) async fn fleet(settings: Settings, cores: usize, satellites: usize) -> Rig {
    let mut rig = Rig::start(settings).await.unwrap();
    rig.add(cores, satellites).await.unwrap();
    converged(&rig).await;
    rig
}

/// Waits until every node has exactly the living cores, and the same content in every module.
pub(crate) async fn converged(rig: &Rig) {
    converged_to(rig, &rig.expected(), "all living cores").await;
}

/// Waits until every node has exactly these rows.
pub(crate) async fn converged_to(rig: &Rig, rows: &BTreeSet<Row>, what: &str) {
    if let Err(report) = rig.converged_to(rows, PATIENCE).await {
        panic!("{what}: {report}\n{}", said(rig));
    }
}

/// The last words of each agent, for the report of a scenario that failed.
fn said(rig: &Rig) -> String {
    let mut text = String::new();
    for member in rig.members() {
        let said = member.agent.as_ref().map(|agent| agent.said_since(0)).unwrap_or_default();
        for line in said.iter().skip(said.len().saturating_sub(40)) {
            let _ = writeln!(text, "{}: {line}", member.name);
        }
    }
    text
}

/// Waits until every core has found every module of its file in effect, and all nodes agree: from then on nothing is due.
pub(crate) async fn settled(rig: &Rig) {
    for core in rig.members().iter().filter(|member| member.role == Role::Core && member.alive) {
        let marked = async || is_published(&core.node).await;
        eventually_or(&format!("{} has published everything", core.name), marked, || said(rig)).await;
    }
    converged(rig).await;
}

/// Whether every module that is published was found in effect, and nobody works on memory.
pub(crate) async fn is_published(node: &Node) -> bool {
    // Of what stays on the node ProxySQL has no checksums.
    let marks = "SELECT SUM(CASE WHEN name LIKE '%published%' THEN 1 ELSE 99 END) FROM sqlite_master \
                 WHERE name LIKE 'proxysql_agent_%' AND name<>'proxysql_agent_record' AND name NOT LIKE 'proxysql_agent_placed%' \
                 AND name NOT LIKE '%published_scheduler' AND name NOT LIKE '%published_restapi'";
    let modules =
        "SELECT COUNT(*) FROM runtime_checksums_values WHERE name NOT IN ('mysql_servers', 'proxysql_servers')";
    let number = async |sql: &str| node.query(sql).await.ok()?.first()?[0].clone();
    let (marks, modules) = (number(marks).await, number(modules).await);
    marks.is_some() && marks == modules
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually_or(what, condition, String::new).await;
}

/// As [`eventually`], with the last words of each agent if it does not.
pub(crate) async fn eventually_on(rig: &Rig, what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually_or(what, condition, || said(rig)).await;
}

/// As [`eventually`], with more to say if it does not.
pub(crate) async fn eventually_or(what: &str, mut condition: impl AsyncFnMut() -> bool, story: impl Fn() -> String) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < PATIENCE, "not within {} s: {what}\n{}", PATIENCE.as_secs(), story());
        sleep(Duration::from_millis(20)).await;
    }
}

/// What the agent of a member of an embedded cluster sent that changes anything, from a mark of the log on.
pub(crate) fn changes(member: &Member, mark: u64) -> Vec<Entry> {
    embedded(member).log().changes("radmin", mark)
}

/// The stand-in of a member; for scenarios that need its log or its trouble.
pub(crate) fn embedded(member: &Member) -> &proxysql_fleet::proxysql::Embedded {
    member.node.embedded().expect("this scenario counts what the stand-in was sent")
}

/// Waits until the agent of each member has looked at its ProxySQL so many times more.
pub(crate) async fn rounds(members: &[Member], marks: &[u64], rounds: usize) {
    for (member, mark) in members.iter().zip(marks) {
        eventually(&format!("{rounds} rounds of {}", member.name), async || {
            let sent = embedded(member).log().of("radmin", *mark);
            sent.iter().filter(|entry| entry.sql.starts_with("SELECT 'clock'")).count() >= rounds
        })
        .await;
    }
}

/// Waits until no agent has changed anything for some rounds.
pub(crate) async fn at_rest(rig: &Rig) {
    loop {
        let marks = marks(rig.members());
        rounds(rig.members(), &marks, 6).await;
        if rig.members().iter().zip(&marks).all(|(member, mark)| changes(member, *mark).is_empty()) {
            return;
        }
    }
}

/// A mark of the log of each member.
pub(crate) fn marks(members: &[Member]) -> Vec<u64> {
    members.iter().map(|member| embedded(member).log().mark()).collect()
}

/// Whether the real ProxySQL is under test, so that a scenario that scripts the stand-in says that it does not run.
pub(crate) fn on_real_proxysql(scenario: &str) -> bool {
    let real = std::env::var_os("PROXYSQL_BIN").is_some();
    if real {
        eprintln!("{scenario}: needs the stand-in; not run on a real ProxySQL");
    }
    real
}

/// Rewrites the documents that are held to the code where it is set.
const UPDATE: &str = "UPDATE_REFERENCE";

/// A file of this repository.
pub(crate) fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Compares a document with what it must be, or writes it.
pub(crate) fn held(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(&path, expected).expect("a document");
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == expected,
        "{name} differs from the definition in the code. To rewrite it:\n  {UPDATE}=1 cargo nextest run --test it"
    );
}

/// The same for what stands between the two marks of a part.
pub(crate) fn held_part(name: &str, part: &str, expected: &str) {
    let (begin, end) = (format!("<!-- {part}:begin -->"), format!("<!-- {part}:end -->"));
    let text = document(name);
    let rest = text.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = rest.unwrap_or_else(|| panic!("{name} has no {begin} and {end}"));
    held(name, &format!("{before}{begin}\n{expected}{end}{after}"));
}
