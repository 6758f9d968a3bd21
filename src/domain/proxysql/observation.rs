//! What `ProxySQL` said in one observation, typed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::module::Module;
use crate::domain::cluster::member::{Member, Members};

/// A connection of another node's cluster thread, as a row of `stats_proxysql_servers_clients_status`. Rows of ended connections stay
/// there; a node that connects anew is another row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Follower {
    /// Identity of the node, kept on its disk.
    pub uuid: String,
    /// Address that the connection came from.
    pub hostname: String,
    /// Its port there, another one with each connection.
    pub port: u16,
    /// `admin-mysql_ifaces` of the node: where it listens, if it names an address.
    pub interfaces: String,
}

/// What makes it another connection than all others.
impl fmt::Display for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.uuid, self.hostname, self.port)
    }
}

/// One answer to [`super::statement::Statement::Observe`] or [`super::statement::Statement::ObserveWithFollowers`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// `ProxySQL`'s clock, in seconds since 1970.
    pub clock: i64,
    /// How far into that second it was.
    pub into_second: Duration,
    /// The modules that were published from the configuration file to this very process, with the checksum that each had then;
    /// `None` where the file left the module alone.
    pub published: BTreeMap<Module, Option<String>>,
    /// Of which file, by its hash; only where the agent that published saw it.
    pub published_from: BTreeMap<Module, String>,
    /// `proxysql_servers` as edited.
    pub memory: Members,
    /// `proxysql_servers` as in effect.
    pub runtime: Members,
    /// This node's modules, by name.
    pub own: BTreeMap<String, Checksum>,
    /// What this node knows of each member's modules, itself among them.
    pub peers: Vec<Peer>,
    /// Connections of other nodes' cluster threads to this node, of the last minute. Only where they were asked for.
    pub followers: Vec<Follower>,
    /// `admin-cluster_check_interval_ms`, how often the members are asked.
    pub check_interval: Duration,
}

/// Where a module stands on a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checksum {
    /// Loads since the process started, local to the node. 1 is fresh from the start: nobody pulls that.
    pub version: u64,
    /// Second of the load that made the content, by the clock of the node that made it.
    pub epoch: i64,
    /// Hash of the content.
    pub checksum: String,
}

impl Checksum {
    /// Whether a load now might be in the same second, by a clock of whole seconds. A load in the future was none of this moment: its
    /// clock was ahead.
    pub fn is_just_loaded(&self, clock: i64) -> bool {
        clock.checked_sub(self.epoch).is_some_and(|age| (0..=1).contains(&age))
    }
}

/// A member as this node's cluster threads see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Address as listed.
    pub hostname: String,
    /// Admin port as listed.
    pub port: u16,
    /// Its modules at the last successful check, by name; versions are 0 where it was never reached.
    pub modules: BTreeMap<String, Checksum>,
    /// Time of the last successful check, in seconds since 1970 by this node's clock; `None` where it was never reached.
    pub updated_at: Option<i64>,
    /// Whether the last check that went well was lately, as far as that is known.
    pub heard: bool,
    /// For how long none went well while somebody watched; see [`crate::domain::cluster::hearing`].
    pub silence: Duration,
}

impl Peer {
    /// By what it is known.
    pub fn key(&self) -> (&str, u16) {
        (&self.hostname, self.port)
    }
}

/// An observation that does not read as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    what: &'static str,
    value: String,
}

impl Unreadable {
    /// `what` should not be `value`.
    pub fn new(what: &'static str, value: &str) -> Self {
        Self { what, value: value.to_owned() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unexpected value from ProxySQL: {} is {:?}", self.what, self.value)
    }
}

impl std::error::Error for Unreadable {}

/// The interval that `ProxySQL` uses where it does not say.
const DEFAULT_CHECK_INTERVAL: Duration = Duration::from_secs(1);

impl Observation {
    /// Reads the rows of an answer.
    ///
    /// # Errors
    /// A value that is not of the type that its column has.
    pub fn read(rows: &[Vec<String>]) -> Result<Self, Unreadable> {
        let mut seen = Self { check_interval: DEFAULT_CHECK_INTERVAL, ..Self::default() };
        for row in rows {
            let column = |i: usize| row.get(i).map_or("", String::as_str);
            match column(0) {
                "clock" => {
                    seen.clock = number("the clock", column(1))?;
                    seen.into_second = Duration::from_millis(column(2).parse().unwrap_or_default());
                }
                "published" => {
                    let module = Module::from_checksum_name(column(1));
                    seen.published.extend(module.map(|module| (module, checksum_of_mark(column(2)))));
                    seen.published_from.extend(module.and_then(|module| Some((module, file_of_mark(column(2))?))));
                }
                "variable" => {
                    if column(1) == "admin-cluster_check_interval_ms" {
                        let ms = number("admin-cluster_check_interval_ms", column(2))?;
                        seen.check_interval = Duration::from_millis(ms);
                    }
                }
                "memory" => drop(seen.memory.insert(member(row)?)),
                "runtime" => drop(seen.runtime.insert(member(row)?)),
                "own" => drop(seen.own.insert(column(1).to_owned(), checksum(row.get(2..).unwrap_or_default())?)),
                "peer" => seen.add_peer(row)?,
                "follower" => seen.followers.push(Follower {
                    uuid: column(1).to_owned(),
                    hostname: column(2).to_owned(),
                    port: number("a follower's port", column(3))?,
                    interfaces: column(4).to_owned(),
                }),
                other => return Err(Unreadable { what: "a row's kind", value: other.to_owned() }),
            }
        }
        Ok(seen)
    }

    /// The modules that can be published here: those that this release has. Of those that stay on this node nothing is seen.
    pub fn publishable(&self) -> impl Iterator<Item = Module> + '_ {
        Module::in_file().filter(|module| module.is_local() || self.own.contains_key(module.checksum_name()))
    }

    /// Those of them that were not published to this process.
    pub fn unpublished(&self) -> Vec<Module> {
        self.publishable().filter(|module| !self.published.contains_key(module)).collect()
    }

    /// Where a module stands on this node.
    pub fn own(&self, module: Module) -> Option<&Checksum> {
        self.own.get(module.checksum_name())
    }

    fn add_peer(&mut self, row: &[String]) -> Result<(), Unreadable> {
        let column = |i: usize| row.get(i).map_or("", String::as_str);
        let (hostname, port) = (column(1), number("a peer's port", column(2))?);
        let updated_at = number("a peer's updated_at", column(7))?;
        let at = self.peers.iter().position(|p| p.hostname == hostname && p.port == port).unwrap_or_else(|| {
            self.peers.push(Peer { hostname: hostname.to_owned(), port, ..Peer::default() });
            self.peers.len() - 1
        });
        let peer = &mut self.peers[at];
        peer.modules.insert(column(3).to_owned(), checksum(row.get(4..).unwrap_or_default())?);
        // The same for all modules of a peer but for the moment in which a check writes them.
        peer.updated_at = peer.updated_at.max((updated_at > 0).then_some(updated_at));
        Ok(())
    }
}

/// The checksum in the text that made a mark.
fn checksum_of_mark(text: &str) -> Option<String> {
    let (_, from) = text.split_once("\"0x")?;
    Some(format!("0x{}", from.split_once('"')?.0))
}

/// The hash of the file in the text that made a mark.
fn file_of_mark(text: &str) -> Option<String> {
    let (_, from) = text.split_once("\"file ")?;
    Some(from.split_once('"')?.0.to_owned())
}

fn member(row: &[String]) -> Result<Member, Unreadable> {
    let column = |i: usize| row.get(i).map_or("", String::as_str);
    Ok(Member {
        hostname: column(1).to_owned(),
        port: number("a member's port", column(2))?,
        weight: number("a member's weight", column(3))?,
        comment: column(4).to_owned(),
    })
}

fn checksum(columns: &[String]) -> Result<Checksum, Unreadable> {
    let column = |i: usize| columns.get(i).map_or("", String::as_str);
    Ok(Checksum {
        version: number("a version", column(0))?,
        epoch: number("an epoch", column(1))?,
        checksum: column(2).to_owned(),
    })
}

pub(in crate::domain) fn number<T: std::str::FromStr>(what: &'static str, value: &str) -> Result<T, Unreadable> {
    value.parse().map_err(|_| Unreadable { what, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[&str]) -> Vec<String> {
        columns.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_answer_is_read_by_kind() {
        let seen = Observation::read(&[
            row(&["clock", "1795212490", "250", "", "", "", "", ""]),
            row(&["published", "mysql_users", "CREATE TABLE p (\"0xA9\" INT)", "", "", "", "", ""]),
            row(&[
                "published",
                "mysql_variables",
                "CREATE TABLE p (\"unknown\" INT, \"file 1f\" INT)",
                "",
                "",
                "",
                "",
                "",
            ]),
            row(&["variable", "admin-cluster_check_interval_ms", "200", "", "", "", "", ""]),
            row(&["memory", "10.0.0.1", "6032", "0", "core-0", "", "", ""]),
            row(&["runtime", "proxysql-core", "6032", "0", "seed", "", "", ""]),
            row(&["own", "mysql_users", "2", "1795212489", "0xAA", "", "", ""]),
            row(&["peer", "10.0.0.1", "6032", "mysql_users", "3", "1795212480", "0xAB", "1795212490"]),
            row(&["peer", "10.0.0.1", "6032", "proxysql_servers", "1", "1795212480", "0xAC", "1795212489"]),
            row(&["peer", "10.0.0.2", "6032", "mysql_users", "0", "0", "", "0"]),
            row(&["follower", "1bd3efde", "10.0.1.1", "37702", "0.0.0.0:6032", "", "", ""]),
        ])
        .unwrap();
        assert_eq!((seen.clock, seen.into_second), (1_795_212_490, Duration::from_millis(250)));
        assert_eq!(
            seen.published,
            [(Module::MysqlUsers, Some("0xA9".to_owned())), (Module::MysqlVariables, None)].into()
        );
        assert_eq!(seen.published_from, [(Module::MysqlVariables, "1f".to_owned())].into());
        assert_eq!(seen.publishable().collect::<Vec<_>>(), [Module::MysqlUsers, Module::Scheduler, Module::Restapi]);
        assert_eq!(seen.check_interval, Duration::from_millis(200));
        assert_eq!(seen.memory.first(), Some(&Member::of_pod("10.0.0.1", 6032, "core-0")));
        assert_eq!(seen.runtime.first().unwrap().hostname, "proxysql-core");
        assert_eq!(seen.own["mysql_users"].version, 2);
        assert_eq!(seen.peers[0].updated_at, Some(1_795_212_490));
        assert_eq!(seen.peers[0].modules.len(), 2);
        assert_eq!(seen.peers[1].updated_at, None);
        assert_eq!(seen.followers[0].port, 37702);
    }

    #[test]
    fn a_value_that_is_no_number_is_named() {
        let error = Observation::read(&[row(&["memory", "h", "60x", "0", ""])]).unwrap_err();
        assert_eq!(error.to_string(), r#"unexpected value from ProxySQL: a member's port is "60x""#);
    }

    #[test]
    fn a_short_row_is_an_error_and_not_a_panic() {
        assert!(Observation::read(&[row(&["peer", "h"])]).is_err());
        assert!(Observation::read(&[row(&["own"])]).is_err());
        assert!(Observation::read(&[vec![]]).is_err());
    }
}
