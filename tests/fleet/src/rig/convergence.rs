//! Whether the fleet agrees: on the list of cores, and on everything that ProxySQL keeps in step by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::Rig;
use super::member::Member;
use crate::node::{Checksum, Layer, Row};

/// The modules that are to be equal everywhere. (`mysql_servers` is what each node's own monitor makes of the others.)
pub const MODULES: [&str; 6] =
    ["admin_variables", "mysql_query_rules", "mysql_servers_v2", "mysql_users", "mysql_variables", "proxysql_servers"];
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long one node may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one node shows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The runtime list.
    pub members: BTreeSet<Row>,
    /// Version, epoch and checksum by module.
    pub checksums: BTreeMap<String, Checksum>,
}

/// Members with what they show, or why they show nothing.
pub type Views<'a> = Vec<(&'a Member, Result<View, String>)>;

/// What keeps the fleet from having converged: one line for each thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How long was waited.
    pub waited: Duration,
    /// What is wrong.
    pub lines: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not converged after {:.1} s", self.waited.as_secs_f64())?;
        self.lines.iter().try_for_each(|line| write!(formatter, "\n  {line}"))
    }
}

impl std::error::Error for Report {}

impl Rig {
    /// The rows that every node is to have: one for each pod of a core that is Running and not terminating.
    pub fn expected(&self) -> BTreeSet<Row> {
        self.members.iter().filter(|member| member.listed).map(|member| self.row(member)).collect()
    }

    /// Waits until every living node has exactly the expected rows and all checksums are equal; answers how long it took.
    pub async fn converged(&self, limit: Duration) -> Result<Duration, Report> {
        self.converged_to(&self.expected(), limit).await
    }

    /// As [`Self::converged`], to these rows.
    pub async fn converged_to(&self, expected: &BTreeSet<Row>, limit: Duration) -> Result<Duration, Report> {
        let began = Instant::now();
        loop {
            let lines = differences(expected, &self.views().await);
            if lines.is_empty() {
                return Ok(began.elapsed());
            }
            if began.elapsed() >= limit {
                return Err(Report { waited: began.elapsed(), lines });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Watches a fleet that has converged: an error as soon as it has not any more.
    pub async fn stays_converged(&self, span: Duration) -> Result<(), Report> {
        let expected = self.expected();
        let began = Instant::now();
        while began.elapsed() < span {
            let lines = differences(&expected, &self.views().await);
            if !lines.is_empty() {
                return Err(Report { waited: began.elapsed(), lines });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// What each living node shows, `Err` with a reason where it does not answer.
    pub async fn views(&self) -> Views<'_> {
        let living = self.members.iter().filter(|member| member.alive);
        join_all(living.map(|member| async move { (member, view(member).await) })).await
    }

    fn row(&self, member: &Member) -> Row {
        // Without pods a member is known by its address alone.
        let by_pods = self.settings.environment.get("AGENT_CORE_DISCOVERY").is_none_or(|way| way == "kubernetes");
        let comment = if by_pods { member.name.clone() } else { member.admin().to_string() };
        Row { hostname: member.ip().to_string(), port: self.admin_port, weight: 0, comment }
    }
}

/// What keeps these nodes from having exactly the expected rows and equal checksums; nothing if they have.
pub fn differences(expected: &BTreeSet<Row>, views: &Views<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for (member, view) in views {
        match view {
            Ok(view) => lines.extend(list_difference(&member.name, expected, &view.members)),
            Err(error) => lines.push(format!("{}: {error}", member.name)),
        }
    }
    let views =
        views.iter().filter_map(|(member, view)| Some((member.name.as_str(), view.as_ref().ok()?))).collect::<Vec<_>>();
    lines.extend(MODULES.iter().filter_map(|module| module_difference(module, &views)));
    lines
}

async fn view(member: &Member) -> Result<View, String> {
    let ask = async {
        let members = member.node.members(Layer::Runtime).await?;
        Ok(View { members, checksums: member.node.checksums().await? })
    };
    match tokio::time::timeout(PATIENCE, ask).await {
        Ok(view) => view.map_err(|error: crate::client::AdminError| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn list_difference(name: &str, expected: &BTreeSet<Row>, found: &BTreeSet<Row>) -> Option<String> {
    if expected == found {
        return None;
    }
    let show = |rows: &mut dyn Iterator<Item = &Row>| {
        rows.map(|row| format!("{}:{} ({}, weight {})", row.hostname, row.port, row.comment, row.weight))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (missing, extra) = (show(&mut expected.difference(found)), show(&mut found.difference(expected)));
    let missing = if missing.is_empty() { missing } else { format!(" lacks {missing}") };
    let extra = if extra.is_empty() { extra } else { format!(" has too much: {extra}") };
    Some(format!("{name}: runtime list{missing}{extra}"))
}

/// A module whose checksums are not all equal, with who has which.
fn module_difference(module: &str, views: &[(&str, &View)]) -> Option<String> {
    let mut holders = BTreeMap::<&str, Vec<String>>::new();
    for (name, view) in views {
        if let Some(found) = view.checksums.get(module) {
            holders
                .entry(&found.checksum)
                .or_default()
                .push(format!("{name} (version {}, epoch {})", found.version, found.epoch));
        } else {
            holders.entry("none").or_default().push((*name).to_owned());
        }
    }
    if holders.len() <= 1 {
        return None;
    }
    let groups =
        holders.iter().map(|(checksum, names)| format!("{checksum}: {}", names.join(", "))).collect::<Vec<_>>();
    Some(format!("{module} differs: {}", groups.join("; ")))
}
