//! Every admin command as a value; the only place with SQL text and quoting.
//!
//! The text of a statement is its `Display`. No statement is ever empty or made of `;` alone: `ProxySQL` dies of it.

mod class;
mod digests;
mod drain;
pub mod placing;
mod plan;
mod record;
pub mod table_sql;

use std::fmt;
use std::time::Duration;

pub use self::digests::{Digests, Filter};
pub use self::plan::Plan;
pub use self::record::{Record, RecordKind};
use self::table_sql::Column;
pub use super::module::{Module, Shape, Table};
use crate::domain::cluster::member::{Member, Members};
use crate::domain::drain::Scope;
use crate::domain::drain::closing::Variables;

/// How the tables begin whose existence in `ProxySQL`'s memory says that a module was published to this process.
///
/// The schema `main` lives exactly as long as the `ProxySQL` process (and ends with `PROXYSQL RESTART`), so no clock has to be
/// compared to tell a new process from an old one, and a restarted agent finds what its predecessor left. `ProxySQL` itself
/// ignores such a table. The name of its one column is the checksum that the module had then. One each, because a table that may not
/// be there cannot be selected from.
pub const PUBLISHED_PREFIX: &str = "proxysql_agent_published_";

/// The table whose existence says that memory is being worked on: by the agent that publishes, or by a plan in another process.
const MEMORY_LOCK: &str = "main.proxysql_agent_claim";

/// Who works on memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worker {
    /// The agent beside this `ProxySQL`. There is one, so that what an agent claimed was claimed by this one, or by one that is gone.
    Agent,
    /// A plan, in a process of its own.
    Plan,
}

impl Worker {
    /// As the claim names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Plan => "plan",
        }
    }
}

/// One admin command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// Reads everything that a round decides on, in one statement and so at one moment; see [`super::observation`].
    Observe,
    /// The same, and who follows this node. The table for that is there since 2.4.
    ObserveWithFollowers,
    /// Reads everything that probes are answered from, in one statement; see [`crate::domain::health`]. Whether the tables of `PostgreSQL`
    /// are there to be read.
    Health(bool),
    /// Reads who is connected, what each session does, and what a drain has set; see [`crate::domain::drain::Sessions`].
    Sessions(Scope),
    /// Remembers in `ProxySQL`'s own memory that a drain has begun, and what the variables that it may change are before it.
    MarkDrain,
    /// Whether that was remembered.
    IsDrainMarked,
    /// What was remembered.
    OwnValues,
    /// Forgets it.
    UnmarkDrain,
    /// Those variables that are not as they were, and whether a listener is paused.
    Changed,
    /// Where clients come in; see [`crate::domain::drain::Listener`].
    Listener,
    /// Sets those of these variables in memory that belong to a module.
    SetVariables(Module, Variables),
    /// Sets variables of a module in memory to what they were before the drain.
    RestoreVariables(Module),
    /// Has each worker thread do its maintenance pass now, which ends sessions that have been idle for too long: `KILL CONNECTION` of a
    /// session that is not there does, and is answered with `ERR`.
    Tick,
    /// Closes the listeners for new clients, within a bound of its own: it takes about a second for each worker thread, during
    /// which nobody else has an answer from the admin port.
    Pause(Duration),
    /// Opens them again, within a bound of its own: it waits for a PAUSE that is under way.
    Resume(Duration),
    /// Ends one client's session, `MySQL`'s only.
    KillConnection(u64),
    /// Ends `ProxySQL` at once, whatever clients do; answered by the end of the connection.
    Shutdown,
    /// Removes rows of `proxysql_servers` in memory.
    DeleteMembers(Members),
    /// Adds rows to `proxysql_servers` in memory.
    InsertMembers(Members),
    /// Empties `proxysql_servers` in memory.
    DeleteAllMembers,
    /// Re-reads the configuration file into memory. `ProxySQL` merges: rows absent from the file stay.
    LoadFromConfig(Module),
    /// Puts memory into effect. Raises the module's version and sets its epoch to now even where nothing changed.
    LoadToRuntime(Module),
    /// Puts memory back to what is in effect.
    SaveToMemory(Module),
    /// Remembers in `ProxySQL`'s own memory that the module was published to this process, the checksum that it then had, and a hash of the
    /// file that it was published from.
    MarkPublished(Module, Option<String>, Option<String>),
    /// Takes that back: the module is to be published again, whatever becomes of this agent.
    ForgetPublished(Module),
    /// Marks that memory is being worked on, by whom and since when; refused where it is marked already.
    LockMemory(Worker),
    /// For how many seconds that has been so, and by whom.
    LockAge,
    /// Memory is free again.
    UnlockMemory,
    /// Copies a table in memory aside; refused where there is a copy already.
    Backup(Table),
    /// Fills an empty table in memory from its copy.
    Restore(Table),
    /// Removes variables in memory that its copy does not have.
    Trim(Table),
    /// Removes the copy.
    DropBackup(Table),
    /// The names of all copies that are there.
    Copies,
    /// What is remembered of loads.
    Record(Record),
    /// Empties a table in memory.
    Empty(Table),
    /// Fills an empty table in memory with what is in effect.
    CopyFromRuntime(Table),
    /// The columns of a module's tables: table, name, place in the key or 0. A table that the release lacks has none.
    Columns(Module),
    /// Those columns with their types.
    ColumnKinds(Module),
    /// Writes one row into a table in memory, in place of one with the same key: columns with values, `None` for NULL.
    WriteRow(Table, Vec<(String, Option<String>)>),
    /// Rows of a table in memory, those of them that count, and those in effect that count.
    Count(Table),
    /// The rows of a table that are only in memory or only in effect, without secrets; see [`table_sql`].
    Compare(Table, Vec<Column>),
    /// All rows of a table in effect that a node pulls, each value as a SQL literal: to be read on another node.
    ReadInEffect(Table, Vec<Column>),
    /// Writes such rows into the table in memory.
    Write(Table, Vec<Column>, Vec<Vec<String>>),
    /// These columns of a table in memory, so many rows after so many others. Secrets are among them: they are held against the file.
    ReadMemory(Table, Vec<String>, (usize, usize)),
    /// The same of what is in effect.
    ReadRuntime(Table, Vec<String>, (usize, usize)),
    /// Where this node's modules stand: name, version, epoch, checksum.
    Checksums,
    /// Who could log in to the admin port with this module in effect as it is in memory; see [`crate::domain::config_file::credentials`]. Of database users,
    /// only those with this name or the cluster's are asked for.
    Credentials(Module, String),
    /// With which user, and by which password, the nodes of the cluster let each other in.
    ClusterLogin,
    /// The release, as `ProxySQL` compares it with that of a peer.
    Version,
    /// Where servers stand, and why.
    Placing(placing::Placing),
    /// What a dump of the query digests asks for.
    Digests(Digests),
}

impl Statement {
    /// The statement in short, without values: for logs and errors.
    pub fn name(&self) -> String {
        match self {
            Self::Observe | Self::ObserveWithFollowers => "the observation".to_owned(),
            Self::DeleteMembers(_) => "DELETE FROM proxysql_servers".to_owned(),
            Self::InsertMembers(_) => "INSERT INTO proxysql_servers".to_owned(),
            Self::MarkPublished(..) => "the mark of a publish".to_owned(),
            Self::Columns(module) | Self::ColumnKinds(module) => format!("the columns of {module}"),
            Self::Count(table) => format!("the count of {}", table.name),
            Self::Compare(table, _) => format!("the comparison of {}", table.name),
            Self::Write(table, ..) | Self::WriteRow(table, _) => format!("INSERT INTO {}", table.name),
            Self::ReadInEffect(table, _) | Self::ReadMemory(table, ..) | Self::ReadRuntime(table, ..) => {
                format!("the reading of {}", table.name)
            }
            Self::Checksums => "the checksums".to_owned(),
            Self::Credentials(..) => "the credentials".to_owned(),
            Self::Record(_) => "the record of loads".to_owned(),
            Self::ClusterLogin => "the login of the cluster".to_owned(),
            Self::Placing(statement) => statement.name(),
            Self::Digests(statement) => statement.name().to_owned(),
            Self::Health(_) => "the health query".to_owned(),
            Self::Sessions(_) => "the session query".to_owned(),
            Self::MarkDrain | Self::IsDrainMarked | Self::OwnValues | Self::UnmarkDrain => {
                "the mark of a drain".to_owned()
            }
            Self::Changed => "the query for what a drain has set".to_owned(),
            Self::Listener => "the interfaces for clients".to_owned(),
            Self::SetVariables(module, _) | Self::RestoreVariables(module) => {
                format!("UPDATE global_variables ({module})")
            }
            Self::Tick => "a maintenance pass".to_owned(),
            other => other.to_string(),
        }
    }

    /// The bound of its answer, where it is not that of an ordinary statement.
    pub fn bound(&self) -> Option<Duration> {
        match self {
            Self::Pause(bound) | Self::Resume(bound) => Some(*bound),
            _ => None,
        }
    }

    /// Whether the connection is of no use after it: 3.x answers twice, and every later answer would be the one before.
    pub fn requires_reconnect(&self) -> bool {
        matches!(self, Self::Pause(_) | Self::Resume(_) | Self::Shutdown)
    }

    /// Whether the end of the connection is the answer.
    pub fn ends_proxysql(&self) -> bool {
        matches!(self, Self::Shutdown)
    }

    /// The module whose epoch the statement moves, if it does.
    pub fn loads(&self) -> Option<Module> {
        if let Self::LoadToRuntime(module) = self { Some(*module) } else { None }
    }
}

impl fmt::Display for Statement {
    #[expect(clippy::too_many_lines, reason = "a line for each statement, as a table has them")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe => f.write_str(OBSERVE),
            Self::ObserveWithFollowers => write!(f, "{OBSERVE} {FOLLOWERS}"),
            Self::Health(pgsql) => write!(f, "{HEALTH}{}", if *pgsql { HEALTH_OF_PGSQL } else { "" }),
            Self::Sessions(scope) => drain::sessions(f, scope),
            Self::MarkDrain => drain::mark(f),
            Self::IsDrainMarked => drain::is_marked(f),
            Self::OwnValues => drain::own_values(f),
            Self::UnmarkDrain => drain::unmark(f),
            Self::Changed => drain::changed(f),
            Self::Listener => drain::listener(f),
            Self::SetVariables(module, variables) => drain::set(f, *module, variables),
            Self::RestoreVariables(module) => drain::restore(f, *module),
            Self::Tick => drain::tick(f),
            Self::Pause(_) => f.write_str("PROXYSQL PAUSE"),
            Self::Resume(_) => f.write_str("PROXYSQL RESUME"),
            Self::KillConnection(session) => write!(f, "KILL CONNECTION {session}"),
            Self::Shutdown => f.write_str("PROXYSQL SHUTDOWN"),
            Self::DeleteMembers(members) => {
                f.write_str("DELETE FROM proxysql_servers WHERE ")?;
                separated(f, " OR ", members, |f, m| {
                    write!(f, "(hostname={} AND port={})", Quoted(&m.hostname), m.port)
                })
            }
            Self::InsertMembers(members) => {
                f.write_str("INSERT INTO proxysql_servers (hostname, port, weight, comment) VALUES ")?;
                separated(f, ", ", members, |f, m| {
                    write!(f, "({}, {}, {}, {})", Quoted(&m.hostname), m.port, m.weight, Quoted(&m.comment))
                })
            }
            Self::DeleteAllMembers => f.write_str("DELETE FROM proxysql_servers"),
            Self::LoadFromConfig(module) => write!(f, "LOAD {} FROM CONFIG", module.words()),
            Self::LoadToRuntime(module) => write!(f, "LOAD {} TO RUNTIME", module.words()),
            Self::SaveToMemory(module) => write!(f, "SAVE {} TO MEMORY", module.words()),
            Self::MarkPublished(module, checksum, file) => {
                record::mark(f, *module, checksum.as_deref(), file.as_deref())
            }
            Self::ForgetPublished(module) => {
                write!(f, "DROP TABLE IF EXISTS main.{PUBLISHED_PREFIX}{}", module.checksum_name())
            }
            Self::LockMemory(worker) => {
                let worker = worker.as_str();
                write!(f, "CREATE TABLE {MEMORY_LOCK} AS SELECT strftime('%s', 'now') AS at, '{worker}' AS worker")
            }
            Self::LockAge => write!(f, "SELECT strftime('%s', 'now') - at, worker FROM {MEMORY_LOCK}"),
            Self::UnlockMemory => write!(f, "DROP TABLE IF EXISTS {MEMORY_LOCK}"),
            Self::Backup(table) => table_sql::keep(f, *table),
            Self::Restore(table) => {
                write!(f, "INSERT OR REPLACE INTO {} SELECT * FROM {}", table.name, table_sql::kept(*table))
            }
            Self::Trim(table) => table_sql::trim(f, *table),
            Self::DropBackup(table) => write!(f, "DROP TABLE {}", table_sql::kept(*table)),
            Self::Copies => f.write_str(
                "SELECT name FROM main.sqlite_master WHERE type='table' AND name LIKE 'proxysql_agent_kept_%'",
            ),
            Self::Record(record) => record.fmt(f),
            Self::Empty(table) => table_sql::empty(f, *table),
            Self::CopyFromRuntime(table) => {
                write!(f, "INSERT OR REPLACE INTO {0} SELECT * FROM runtime_{0}", table.name)
            }
            Self::Columns(module) => table_sql::columns(f, *module, "pk"),
            Self::ColumnKinds(module) => table_sql::columns(f, *module, "type"),
            Self::WriteRow(table, row) => table_sql::write_row(f, *table, row),
            Self::Count(table) => table_sql::count(f, *table),
            Self::Compare(table, columns) => table_sql::compare(f, *table, columns),
            Self::ReadInEffect(table, columns) => table_sql::read_in_effect(f, *table, columns),
            Self::Write(table, columns, rows) => table_sql::write_rows(f, *table, columns, rows),
            Self::ReadMemory(table, columns, page) => table_sql::read_rows(f, "main.", *table, columns, *page),
            Self::ReadRuntime(table, columns, page) => table_sql::read_rows(f, "runtime_", *table, columns, *page),
            Self::Checksums => f.write_str("SELECT name, version, epoch, checksum FROM runtime_checksums_values"),
            Self::Credentials(module, username) => record::credentials(f, *module, username),
            Self::ClusterLogin => f.write_str(CLUSTER_LOGIN),
            Self::Version => f.write_str("SELECT @@version"),
            Self::Placing(statement) => statement.fmt(f),
            Self::Digests(statement) => statement.fmt(f),
        }
    }
}

/// Rows of eight columns, the first of which says what the others are. `ProxySQL` refreshes each `runtime_` and `stats_` table
/// that it finds named in the text, so one statement sees them all as of one moment.
///
/// The clock is `ProxySQL`'s own, to compare with the times that it recorded. Only columns that every release since 2.0 has.
const OBSERVE: &str = "\
SELECT 'clock' AS kind, strftime('%s', 'now') AS a, substr(strftime('%f', 'now'), 4) AS b, '' AS c, '' AS d, '' AS e, '' AS f, '' AS g \
UNION ALL SELECT 'published', substr(name, 26), sql, '', '', '', '', '' FROM sqlite_master WHERE type='table' AND name LIKE 'proxysql_agent_published_%' \
UNION ALL SELECT 'variable', variable_name, variable_value, '', '', '', '', '' FROM runtime_global_variables \
WHERE variable_name IN ('admin-cluster_check_interval_ms', 'admin-cluster_proxysql_servers_diffs_before_sync') \
UNION ALL SELECT 'memory', hostname, port, weight, comment, '', '', '' FROM proxysql_servers \
UNION ALL SELECT 'runtime', hostname, port, weight, comment, '', '', '' FROM runtime_proxysql_servers \
UNION ALL SELECT 'own', name, version, epoch, checksum, '', '', '' FROM runtime_checksums_values \
UNION ALL SELECT 'peer', hostname, port, name, version, epoch, checksum, updated_at FROM stats_proxysql_servers_checksums";

const CLUSTER_LOGIN: &str = "\
SELECT variable_name, variable_value FROM runtime_global_variables \
WHERE variable_name IN ('admin-cluster_username', 'admin-cluster_password')";

/// Connections of nodes that were heard of in the last minute; the rows of ended ones stay in the table for good.
const FOLLOWERS: &str = "\
UNION ALL SELECT 'follower', uuid, hostname, port, admin_mysql_ifaces, '', '', '' FROM stats_proxysql_servers_clients_status \
WHERE last_seen_at > strftime('%s', 'now') - 60";

/// Rows of four columns. `stats_mysql_users` has the users that are in effect for clients, and nothing is rebuilt for it that is not
/// read; `frontend_connections` counts those who have logged in. Each number is ProxySQL's own and live.
const HEALTH: &str = "\
SELECT 'users' AS kind, COUNT(*) AS a, COALESCE(SUM(frontend_connections), 0) AS b, '' AS c FROM stats_mysql_users \
UNION ALL SELECT 'backends', hostgroup_id, status, COUNT(*) FROM runtime_mysql_servers GROUP BY hostgroup_id, status \
UNION ALL SELECT 'global', variable_name, variable_value, '' FROM stats_mysql_global \
WHERE variable_name IN ('mysql_listener_paused', 'Questions', 'ProxySQL_Uptime') \
UNION ALL SELECT 'variable', variable_name, variable_value, '' FROM runtime_global_variables \
WHERE variable_name IN ('admin-version', 'mysql-threads', 'pgsql-threads', 'mysql-session_idle_show_processlist') \
UNION ALL SELECT 'member', hostname, port, comment FROM runtime_proxysql_servers \
UNION ALL SELECT 'pgsql', COUNT(*), '', '' FROM sqlite_master WHERE type='table' AND name='pgsql_servers'";

const HEALTH_OF_PGSQL: &str = "\
 UNION ALL SELECT 'users', COUNT(*), COALESCE(SUM(frontend_connections), 0), '' FROM stats_pgsql_users \
UNION ALL SELECT 'backends', 'pgsql ' || hostgroup_id, status, COUNT(*) FROM runtime_pgsql_servers GROUP BY hostgroup_id, status \
UNION ALL SELECT 'global', variable_name, variable_value, '' FROM stats_pgsql_global \
WHERE variable_name IN ('pgsql_listener_paused', 'Questions')";

/// A text as a SQL string: single quotes, doubled inside.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "''"))
    }
}

fn separated<'a>(
    f: &mut fmt::Formatter<'_>,
    separator: &str,
    members: impl IntoIterator<Item = &'a Member>,
    mut each: impl FnMut(&mut fmt::Formatter<'_>, &Member) -> fmt::Result,
) -> fmt::Result {
    for (i, member) in members.into_iter().enumerate() {
        if i > 0 {
            f.write_str(separator)?;
        }
        each(f, member)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_sql_strings() {
        let odd = Member { hostname: "o'hare; --".into(), port: 6032, weight: 0, comment: "'".into() };
        assert_eq!(
            Statement::InsertMembers([odd.clone()].into()).to_string(),
            "INSERT INTO proxysql_servers (hostname, port, weight, comment) VALUES ('o''hare; --', 6032, 0, '''')"
        );
        assert_eq!(
            Statement::DeleteMembers([odd].into()).to_string(),
            "DELETE FROM proxysql_servers WHERE (hostname='o''hare; --' AND port=6032)"
        );
    }

    #[test]
    fn the_tables_that_mark_a_publish_are_those_that_are_looked_for() {
        let looked_for = format!("substr(name, {}), ", PUBLISHED_PREFIX.len() + 1);
        assert!(OBSERVE.contains(&looked_for) && OBSERVE.contains(&format!("LIKE '{PUBLISHED_PREFIX}%'")));
        let mark = Statement::MarkPublished(Module::MysqlUsers, Some("0xAB".into()), None).to_string();
        assert!(mark.contains(&format!("main.{PUBLISHED_PREFIX}mysql_users (\"0xAB\"")), "{mark}");
    }
}
