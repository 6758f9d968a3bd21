//! The statements that tell where servers stand, and why.

use std::fmt::{self, Formatter};

use super::super::module::Table;
use super::table_sql::Column;

/// One of them; see [`crate::domain::config_file::placement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placing {
    /// All rows of the table in memory, each value as a SQL literal.
    Memory(Table, Vec<Column>),
    /// The rows as they were last loaded: what another node pulls, by the one text that `ProxySQL` knows for it. Not as literals.
    Loaded(Table),
    /// The groups in memory of these tables of groups: whether it is a pair, whether it is one at runtime, too, then its hostgroups, the
    /// writers' first.
    Groups(Vec<Table>),
    /// What the monitor is told to do.
    Monitor(Table),
    /// Servers that the monitor has had an answer of, and whether with `read_only`.
    Answered(Table),
    /// Servers that answered it as members of such a group.
    Members(DiscoveredBy),
    /// Rows of this table that go, by their keys: hostgroup, host name and port, the latter two as literals.
    Remove(Table, Vec<(i64, String, String)>),
    /// What is remembered of servers that were loaded otherwise than the file had them, as literals: which side, then the columns.
    Recall(Table, Vec<Column>),
    /// Forgets that.
    Forget(Table),
    /// Makes room to remember it.
    Prepare(Table),
    /// Remembers rows of a side.
    Remember(Table, &'static str, Vec<Column>, Vec<Vec<String>>),
}

/// How `ProxySQL` comes to know the servers of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscoveredBy {
    /// The members of Group Replication.
    GroupReplication,
    /// The nodes of a Galera cluster; it discovers none.
    Galera,
    /// The instances of an Aurora cluster.
    Aurora,
}

/// The side of what the file said.
pub const SAID: &str = "file";
/// The side of what was loaded instead.
pub const INSTEAD: &str = "loaded";

/// The columns of [`Placing::Loaded`] of `MySQL`'s servers.
pub const LOADED: [&str; 12] = [
    "hostgroup_id",
    "hostname",
    "port",
    "gtid_port",
    "status",
    "weight",
    "compression",
    "max_connections",
    "max_replication_lag",
    "use_ssl",
    "max_latency_ms",
    "comment",
];

impl Placing {
    pub(super) fn name(&self) -> String {
        let of = |table: &Table| table.name;
        match self {
            Self::Memory(table, _) => format!("the reading of {} in memory", of(table)),
            Self::Loaded(table) => format!("the reading of {} as loaded", of(table)),
            Self::Groups(_) => "the reading of hostgroups".to_owned(),
            Self::Monitor(_) | Self::Answered(_) | Self::Members(_) => "the query of the monitor".to_owned(),
            Self::Remove(table, _) => format!("DELETE FROM {}", of(table)),
            Self::Recall(..) | Self::Forget(_) | Self::Prepare(_) | Self::Remember(..) => {
                "the memory of where servers stood".to_owned()
            }
        }
    }
}

/// Where servers are remembered that were loaded otherwise than the file has them.
fn remembered(table: &Table) -> String {
    format!("main.proxysql_agent_placed_{}", table.name)
}

fn protocol(table: &Table) -> &'static str {
    if table.name.starts_with("pgsql") { "pgsql" } else { "mysql" }
}

impl fmt::Display for Placing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(table, columns) => write!(f, "SELECT {} FROM main.{}", literals(columns), table.name),
            Self::Loaded(table) => {
                let columns = LOADED.iter().filter(|name| protocol(table) == "mysql" || **name != "gtid_port");
                let columns: Vec<&str> = columns.copied().collect();
                write!(
                    f,
                    "PROXY_SELECT {} FROM {}_v2 WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port",
                    columns.join(", "),
                    table.name
                )
            }
            Self::Groups(tables) => groups(f, tables),
            Self::Monitor(table) => {
                let prefix = protocol(table);
                write!(
                    f,
                    "SELECT variable_name, variable_value FROM runtime_global_variables WHERE variable_name IN \
                     ('{prefix}-monitor_enabled', '{prefix}-monitor_writer_is_also_reader')"
                )
            }
            Self::Answered(table) => write!(
                f,
                "SELECT quote(hostname), quote(port), read_only, max(time_start_us) FROM monitor.{}_server_read_only_log \
                 WHERE error IS NULL AND read_only IS NOT NULL GROUP BY hostname, port",
                protocol(table)
            ),
            Self::Members(discovery) => f.write_str(members(*discovery)),
            Self::Remove(table, keys) => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(hostgroup, hostname, port)| {
                        format!("(hostgroup_id={hostgroup} AND hostname={hostname} AND port={port})")
                    })
                    .collect();
                write!(f, "DELETE FROM {} WHERE {}", table.name, keys.join(" OR "))
            }
            Self::Recall(table, columns) => {
                write!(f, "SELECT side, {} FROM {}", literals(columns), remembered(table))
            }
            Self::Forget(table) => write!(f, "DROP TABLE IF EXISTS {}", remembered(table)),
            Self::Prepare(table) => {
                write!(f, "CREATE TABLE {} AS SELECT '' AS side, * FROM main.{} WHERE 0", remembered(table), table.name)
            }
            Self::Remember(table, side, columns, rows) => {
                let names: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
                let rows: Vec<String> = rows.iter().map(|row| format!("('{side}', {})", row.join(", "))).collect();
                write!(f, "INSERT INTO {} (side, {}) VALUES {}", remembered(table), names.join(", "), rows.join(", "))
            }
        }
    }
}

fn groups(f: &mut Formatter<'_>, tables: &[Table]) -> fmt::Result {
    for (i, table) in tables.iter().enumerate() {
        let and = if i > 0 { " UNION ALL " } else { "" };
        let four = table.name.contains("group_replication") || table.name.contains("galera");
        let is_pair = table.name.ends_with("_replication_hostgroups") && !four;
        let rest = if four {
            "reader_hostgroup, backup_writer_hostgroup, offline_hostgroup"
        } else {
            "reader_hostgroup, reader_hostgroup, reader_hostgroup"
        };
        let (pair, name) = (u8::from(is_pair), table.name);
        let same = "known.writer_hostgroup=main.writer_hostgroup AND known.reader_hostgroup=main.reader_hostgroup";
        let known = format!("EXISTS (SELECT 1 FROM runtime_{name} known WHERE {same})");
        write!(f, "{and}SELECT {pair}, {known}, writer_hostgroup, {rest} FROM main.{name} main")?;
    }
    Ok(())
}

const fn members(discovery: DiscoveredBy) -> &'static str {
    match discovery {
        DiscoveredBy::GroupReplication => {
            "SELECT quote(hostname), quote(port) FROM (SELECT hostname, port, viable_candidate, error, \
             max(time_start_us) FROM monitor.mysql_server_group_replication_log GROUP BY hostname, port) \
             WHERE error IS NULL AND viable_candidate='YES'"
        }
        DiscoveredBy::Galera => {
            "SELECT quote(hostname), quote(port) FROM monitor.mysql_server_galera_log WHERE error IS NULL \
             GROUP BY hostname, port"
        }
        DiscoveredBy::Aurora => {
            "SELECT quote(SERVER_ID || domain_name), quote(aurora_port) FROM monitor.mysql_server_aws_aurora_log, \
             main.mysql_aws_aurora_hostgroups WHERE error IS NULL AND SERVER_ID<>'' GROUP BY SERVER_ID, writer_hostgroup"
        }
    }
}

fn literals(columns: &[Column]) -> String {
    columns.iter().map(|column| format!("quote(\"{}\")", column.name)).collect::<Vec<_>>().join(", ")
}
