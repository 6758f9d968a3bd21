//! Every admin command as a value; the only place with SQL text and quoting.
//!
//! The text of a statement is its `Display`. No statement is ever empty or made of `;` alone: `ProxySQL` dies of it.

mod digests;

use std::fmt;
use std::time::Duration;

pub use self::digests::{Digests, Filter};
use super::drain::LISTED;
use super::member::{Member, Members};

/// One unit of configuration that `ProxySQL` loads, saves and spreads as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// `admin-` variables, credentials included.
    AdminVariables,
    /// `mysql-` variables.
    MysqlVariables,
    /// `mysql_servers` and every hostgroup table that rides on it.
    MysqlServers,
    /// `mysql_users`.
    MysqlUsers,
    /// `mysql_query_rules` and `mysql_query_rules_fast_routing`.
    MysqlQueryRules,
    /// `proxysql_servers`: who the cores are.
    ProxysqlServers,
}

impl Module {
    /// What a core publishes from its configuration file, in the order in which it does. The list of members is not among them:
    /// it follows the pods, not the file.
    pub const PUBLISHED: [Self; 5] =
        [Self::AdminVariables, Self::MysqlVariables, Self::MysqlServers, Self::MysqlUsers, Self::MysqlQueryRules];

    /// The words that name the module in `LOAD` and `SAVE`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AdminVariables => "ADMIN VARIABLES",
            Self::MysqlVariables => "MYSQL VARIABLES",
            Self::MysqlServers => "MYSQL SERVERS",
            Self::MysqlUsers => "MYSQL USERS",
            Self::MysqlQueryRules => "MYSQL QUERY RULES",
            Self::ProxysqlServers => "PROXYSQL SERVERS",
        }
    }

    /// The module's name in `runtime_checksums_values` and `stats_proxysql_servers_checksums`.
    ///
    /// For servers that is `mysql_servers_v2`, the table as configured; the row `mysql_servers` beside it also moves when the
    /// monitor shuns a backend.
    pub const fn checksum_name(self) -> &'static str {
        match self {
            Self::AdminVariables => "admin_variables",
            Self::MysqlVariables => "mysql_variables",
            Self::MysqlServers => "mysql_servers_v2",
            Self::MysqlUsers => "mysql_users",
            Self::MysqlQueryRules => "mysql_query_rules",
            Self::ProxysqlServers => "proxysql_servers",
        }
    }

    /// The module that a name of the checksum tables stands for; `None` for one that this agent does not act on.
    pub fn from_checksum_name(name: &str) -> Option<Self> {
        Self::PUBLISHED.into_iter().chain([Self::ProxysqlServers]).find(|module| module.checksum_name() == name)
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MysqlServers => "mysql_servers",
            other => other.checksum_name(),
        })
    }
}

/// How the tables begin whose existence in `ProxySQL`'s memory says that a module was published to this process.
///
/// The schema `main` lives exactly as long as the `ProxySQL` process (and ends with `PROXYSQL RESTART`), so no clock has to be
/// compared to tell a new process from an old one, and a restarted agent finds what its predecessor left. `ProxySQL` itself
/// ignores such a table. One each, because a table that may not be there cannot be selected from.
pub const PUBLISHED_PREFIX: &str = "proxysql_agent_published_";

/// One admin command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// Reads everything that a round decides on, in one statement and so at one moment; see [`super::observation`].
    Observe,
    /// The same, and who follows this node. The table for that is there since 2.4.
    ObserveWithFollowers,
    /// Reads everything that probes are answered from, in one statement; see [`super::health`]. Whether the tables of `PostgreSQL`
    /// are there to be read.
    Health(bool),
    /// Reads who is connected, and which sessions have been idle for so long; see [`super::drain::Look`]. Whether the tables of
    /// `PostgreSQL` are there to be read.
    Clients(Duration, bool),
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
    /// Remembers in `ProxySQL`'s own memory that the module was published to this process.
    MarkPublished(Module),
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
            Self::MarkPublished(_) => "the mark of a publish".to_owned(),
            Self::Digests(statement) => statement.name().to_owned(),
            Self::Health(_) => "the look at health".to_owned(),
            Self::Clients(..) => "the look at clients".to_owned(),
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
    pub fn spoils_connection(&self) -> bool {
        matches!(self, Self::Pause(_) | Self::Resume(_) | Self::Shutdown)
    }

    /// Whether the end of the connection is the answer.
    pub fn ends_proxysql(&self) -> bool {
        matches!(self, Self::Shutdown)
    }

    /// The module whose epoch the statement moves, if it does.
    pub fn loads(&self) -> Option<Module> {
        match self {
            Self::LoadToRuntime(module) => Some(*module),
            _ => None,
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observe => f.write_str(OBSERVE),
            Self::ObserveWithFollowers => write!(f, "{OBSERVE} {FOLLOWERS}"),
            Self::Health(pgsql) => write!(f, "{HEALTH}{}", if *pgsql { HEALTH_OF_PGSQL } else { "" }),
            Self::Clients(idle_for, pgsql) => {
                let ms = idle_for.as_millis();
                write!(
                    f,
                    "{CLIENTS}{} UNION ALL SELECT 'session', SessionID FROM (SELECT SessionID FROM stats_mysql_processlist \
                     WHERE command='Sleep' AND srv_host IS NULL AND time_ms >= {ms} ORDER BY time_ms DESC LIMIT {LISTED})",
                    if *pgsql { CLIENTS_OF_PGSQL } else { "" },
                )
            }
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
            Self::MarkPublished(module) => {
                write!(f, "CREATE TABLE IF NOT EXISTS main.{PUBLISHED_PREFIX}{} (at INT)", module.checksum_name())
            }
            Self::Digests(statement) => statement.fmt(f),
        }
    }
}

/// Rows of eight columns, the first of which says what the others are. `ProxySQL` refreshes each `runtime_` and `stats_` table
/// that it finds named in the text, so one statement sees them all as of one moment.
///
/// The clock is `ProxySQL`'s own, to compare with the times that it recorded. Only columns that every release since 2.0 has.
const OBSERVE: &str = "\
SELECT 'clock' AS kind, strftime('%s', 'now') AS a, '' AS b, '' AS c, '' AS d, '' AS e, '' AS f, '' AS g \
UNION ALL SELECT 'published', substr(name, 26), '', '', '', '', '', '' FROM sqlite_master WHERE type='table' AND name LIKE 'proxysql_agent_published_%' \
UNION ALL SELECT 'variable', variable_name, variable_value, '', '', '', '', '' FROM runtime_global_variables \
WHERE variable_name IN ('admin-cluster_check_interval_ms', 'admin-cluster_proxysql_servers_diffs_before_sync') \
UNION ALL SELECT 'memory', hostname, port, weight, comment, '', '', '' FROM proxysql_servers \
UNION ALL SELECT 'runtime', hostname, port, weight, comment, '', '', '' FROM runtime_proxysql_servers \
UNION ALL SELECT 'own', name, version, epoch, checksum, '', '', '' FROM runtime_checksums_values \
UNION ALL SELECT 'peer', hostname, port, name, version, epoch, checksum, updated_at FROM stats_proxysql_servers_checksums";

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
WHERE variable_name IN ('mysql_listener_paused', 'Questions') \
UNION ALL SELECT 'variable', variable_name, variable_value, '' FROM runtime_global_variables \
WHERE variable_name IN ('mysql-threads', 'pgsql-threads', 'mysql-session_idle_show_processlist') \
UNION ALL SELECT 'member', hostname, port, comment FROM runtime_proxysql_servers \
UNION ALL SELECT 'pgsql', COUNT(*), '', '' FROM sqlite_master WHERE type='table' AND name='pgsql_servers'";

const HEALTH_OF_PGSQL: &str = "\
 UNION ALL SELECT 'users', COUNT(*), COALESCE(SUM(frontend_connections), 0), '' FROM stats_pgsql_users \
UNION ALL SELECT 'backends', 'pgsql ' || hostgroup_id, status, COUNT(*) FROM runtime_pgsql_servers GROUP BY hostgroup_id, status \
UNION ALL SELECT 'global', variable_name, variable_value, '' FROM stats_pgsql_global \
WHERE variable_name IN ('pgsql_listener_paused', 'Questions')";

/// Rows of two columns. A session that sleeps without a backend waits for nothing: no query runs, and no transaction, lock or
/// temporary table holds a backend for it.
const CLIENTS: &str = "\
SELECT 'clients' AS kind, COALESCE(SUM(frontend_connections), 0) AS a FROM stats_mysql_users \
UNION ALL SELECT 'paused', variable_value FROM stats_mysql_global WHERE variable_name='mysql_listener_paused'";

const CLIENTS_OF_PGSQL: &str = "\
 UNION ALL SELECT 'clients', COALESCE(SUM(frontend_connections), 0) FROM stats_pgsql_users \
UNION ALL SELECT 'paused', variable_value FROM stats_pgsql_global WHERE variable_name='pgsql_listener_paused'";

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

/// Statements in the order in which they are sent. Empty means that there is nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan(Vec<Statement>);

impl Plan {
    /// Adds a statement at the end.
    #[must_use]
    pub fn then(mut self, statement: Statement) -> Self {
        self.0.push(statement);
        self
    }

    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The statements, in order.
    pub fn statements(&self) -> &[Statement] {
        &self.0
    }

    /// The modules whose epoch the plan moves.
    pub fn loads(&self) -> impl Iterator<Item = Module> + '_ {
        self.0.iter().filter_map(Statement::loads)
    }
}

impl From<Vec<Statement>> for Plan {
    fn from(statements: Vec<Statement>) -> Self {
        Self(statements)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, statement) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            statement.fmt(f)?;
        }
        Ok(())
    }
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
        let mark = Statement::MarkPublished(Module::MysqlUsers).to_string();
        assert!(mark.contains(&format!("main.{PUBLISHED_PREFIX}mysql_users ")), "{mark}");
    }

    #[test]
    fn a_module_is_found_by_its_checksum_name() {
        for module in Module::PUBLISHED {
            assert_eq!(Module::from_checksum_name(module.checksum_name()), Some(module));
        }
        assert_eq!(Module::from_checksum_name("mysql_servers"), None);
    }
}
