//! What `ProxySQL` is made to remember in its own memory of what was published, and who could log in.

use std::fmt::{self, Formatter};

use super::super::module::Module;
use super::{PUBLISHED_PREFIX, Quoted};

/// The table of what loads came to. It lives as long as the process.
const TABLE: &str = "main.proxysql_agent_record";

/// What a row of the record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKind {
    /// After a load, `ProxySQL` shows this otherwise than it was told, and would after any number of loads.
    ShownOtherwise,
    /// A load does not bring it about: the value is none that `ProxySQL` takes, and the one of before stays.
    NotTaken,
    /// It was loaded, locked somebody out, and was put back.
    LocksOut,
    /// The list of members was loaded for this connection of a node that is not a member.
    Follower,
}

impl RecordKind {
    /// As the table names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShownOtherwise => "shown_otherwise",
            Self::NotTaken => "not_taken",
            Self::LocksOut => "locks_out",
            Self::Follower => "follower",
        }
    }
}

/// What is remembered of loads. No row has a value in it that is a secret, but fingerprints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Makes the table.
    Create,
    /// All of a module: kind, fingerprint, reason. Refused where there is no table.
    Read(Module),
    /// Adds rows: fingerprint, reason.
    Add(Module, RecordKind, Vec<(String, String)>),
    /// Forgets the rows of a kind, of one module or of all.
    Forget(Option<Module>, RecordKind),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => write!(
                f,
                "CREATE TABLE IF NOT EXISTS {TABLE} (module VARCHAR, kind VARCHAR, fingerprint VARCHAR, reason VARCHAR)"
            ),
            Self::Read(module) => {
                write!(f, "SELECT kind, fingerprint, reason FROM {TABLE} WHERE module='{}'", module.checksum_name())
            }
            Self::Add(module, kind, rows) => {
                let row = |(fingerprint, reason): &(String, String)| {
                    let (module, kind) = (module.checksum_name(), kind.as_str());
                    format!("('{module}', '{kind}', {}, {})", Quoted(fingerprint), Quoted(reason))
                };
                let rows: Vec<String> = rows.iter().map(row).collect();
                write!(f, "INSERT INTO {TABLE} VALUES {}", rows.join(", "))
            }
            Self::Forget(module, kind) => {
                write!(f, "DELETE FROM {TABLE} WHERE kind='{}'", kind.as_str())?;
                module.map_or(Ok(()), |module| write!(f, " AND module='{}'", module.checksum_name()))
            }
        }
    }
}

/// The mark's columns are named by what it says, because a table that may not be there cannot be selected from.
pub(super) fn mark(f: &mut Formatter<'_>, module: Module, checksum: Option<&str>, file: Option<&str>) -> fmt::Result {
    let plain = |text: &str| text.replace('"', "");
    let checksum = plain(checksum.unwrap_or("unknown"));
    write!(f, "CREATE TABLE IF NOT EXISTS main.{PUBLISHED_PREFIX}{} (\"{checksum}\" INT", module.checksum_name())?;
    if let Some(file) = file {
        write!(f, ", \"file {}\" INT", plain(file))?;
    }
    f.write_str(")")
}

/// Credentials by what is in memory of the module, and by what is in effect of the others.
pub(super) fn credentials(f: &mut Formatter<'_>, module: Module, username: &str) -> fmt::Result {
    let layer = if module == Module::AdminVariables { "main." } else { "runtime_" };
    write!(
        f,
        "SELECT variable_name, variable_value FROM {layer}global_variables WHERE variable_name IN ('admin-admin_credentials', \
         'admin-stats_credentials', 'admin-cluster_username', 'admin-cluster_password', 'admin-read_only') \
         UNION ALL SELECT 'runtime ' || variable_name, variable_value FROM runtime_global_variables \
         WHERE variable_name IN ('admin-admin_credentials', 'admin-stats_credentials') \
         UNION ALL SELECT 'runtime', variable_value FROM runtime_global_variables WHERE variable_name='admin-cluster_username' \
         UNION ALL SELECT 'user', username FROM "
    )?;
    f.write_str(match module {
        Module::MysqlUsers => "main.mysql_users WHERE active=1 AND frontend=1 AND default_hostgroup>=0",
        _ => "runtime_mysql_users WHERE frontend=1",
    })?;
    write!(
        f,
        " AND username IN ({}, (SELECT variable_value FROM {layer}global_variables WHERE variable_name='admin-cluster_username'))",
        Quoted(username)
    )
}

#[cfg(test)]
mod tests {
    use super::super::Statement;
    use super::*;

    #[test]
    fn a_mark_says_of_which_file() {
        let mark = |file: Option<&str>| {
            Statement::MarkPublished(Module::MysqlUsers, Some("0xAB".into()), file.map(ToOwned::to_owned)).to_string()
        };
        let name = "CREATE TABLE IF NOT EXISTS main.proxysql_agent_published_mysql_users";
        assert_eq!(mark(None), format!("{name} (\"0xAB\" INT)"));
        assert_eq!(mark(Some("12\"ef")), format!("{name} (\"0xAB\" INT, \"file 12ef\" INT)"));
    }

    #[test]
    fn reasons_are_quoted() {
        let rows = vec![("ab".to_owned(), "it's".to_owned())];
        let add = Record::Add(Module::AdminVariables, RecordKind::LocksOut, rows).to_string();
        assert_eq!(
            add,
            "INSERT INTO main.proxysql_agent_record VALUES ('admin_variables', 'locks_out', 'ab', 'it''s')"
        );
    }
}
