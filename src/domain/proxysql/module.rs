//! The units in which `ProxySQL` loads, saves and spreads configuration, and the tables behind each.

use std::fmt;

use serde::{Serialize, Serializer};

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
    /// `pgsql-` variables.
    PgsqlVariables,
    /// `pgsql_servers` and the hostgroup tables that ride on it.
    PgsqlServers,
    /// `pgsql_users`.
    PgsqlUsers,
    /// `pgsql_query_rules` and `pgsql_query_rules_fast_routing`.
    PgsqlQueryRules,
    /// `proxysql_servers`: who the cores are.
    ProxysqlServers,
    /// `scheduler`: what this node runs from time to time. No node pulls it from another.
    Scheduler,
    /// `restapi_routes`: what this node runs when it is asked to over HTTP. No node pulls it from another.
    Restapi,
}

/// A table of a module, in memory; in effect it is the one of the same name that begins with `runtime_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    /// Its name in `main`.
    pub name: &'static str,
    /// How what is in effect differs from what was loaded.
    pub shape: Shape,
}

/// How `ProxySQL` shows in `runtime_` what it was given in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// As it is.
    Plain,
    /// As it is; but the configuration file of some releases has no words for it (2.7.1: fast routing, hostgroup attributes), so
    /// that no row in the file does not mean that there should be none.
    NotInConfigFile,
    /// Rows of `global_variables` whose names begin so.
    Variables(&'static str),
    /// Only active users, and of each a row for the frontend and one for the backend.
    Users,
    /// Without servers that are `OFFLINE_HARD`; those that the monitor shunned say so, and those of a replication group stand in the
    /// hostgroup to which the monitor moved them.
    Servers,
    /// Only active rules; digests have sixteen digits in capitals.
    Rules,
}

const fn table(name: &'static str, shape: Shape) -> Table {
    Table { name, shape }
}

const ADMIN_VARIABLES: &[Table] = &[table("global_variables", Shape::Variables("admin-"))];
const MYSQL_VARIABLES: &[Table] = &[table("global_variables", Shape::Variables("mysql-"))];
const PGSQL_VARIABLES: &[Table] = &[table("global_variables", Shape::Variables("pgsql-"))];
const MYSQL_SERVERS: &[Table] = &[
    table("mysql_servers", Shape::Servers),
    table("mysql_replication_hostgroups", Shape::Plain),
    table("mysql_group_replication_hostgroups", Shape::Plain),
    table("mysql_galera_hostgroups", Shape::Plain),
    table("mysql_aws_aurora_hostgroups", Shape::Plain),
    table("mysql_hostgroup_attributes", Shape::NotInConfigFile),
    table("mysql_servers_ssl_params", Shape::Plain),
];
const MYSQL_USERS: &[Table] = &[table("mysql_users", Shape::Users)];
const MYSQL_QUERY_RULES: &[Table] =
    &[table("mysql_query_rules", Shape::Rules), table("mysql_query_rules_fast_routing", Shape::NotInConfigFile)];
const PGSQL_SERVERS: &[Table] = &[
    table("pgsql_servers", Shape::Servers),
    table("pgsql_replication_hostgroups", Shape::Plain),
    table("pgsql_hostgroup_attributes", Shape::NotInConfigFile),
];
const PGSQL_USERS: &[Table] = &[table("pgsql_users", Shape::Users)];
const PGSQL_QUERY_RULES: &[Table] =
    &[table("pgsql_query_rules", Shape::Rules), table("pgsql_query_rules_fast_routing", Shape::NotInConfigFile)];
const PROXYSQL_SERVERS: &[Table] = &[table("proxysql_servers", Shape::Plain)];
const SCHEDULER: &[Table] = &[table("scheduler", Shape::Plain)];
const RESTAPI: &[Table] = &[table("restapi_routes", Shape::Plain)];

impl Table {
    /// The section of the configuration file that speaks of it.
    pub fn section(self) -> &'static str {
        if self.name == "restapi_routes" { "restapi" } else { self.name }
    }
}

impl Module {
    /// What a core publishes from its configuration file and the others pull, in the order in which it does, where the release has it.
    /// The list of members is not among them: it follows the pods, not the file.
    pub const PUBLISHED: [Self; 9] = [
        Self::AdminVariables,
        Self::MysqlVariables,
        Self::MysqlServers,
        Self::MysqlUsers,
        Self::MysqlQueryRules,
        Self::PgsqlVariables,
        Self::PgsqlServers,
        Self::PgsqlUsers,
        Self::PgsqlQueryRules,
    ];

    /// What a core publishes from its file for itself alone: the cluster does not spread it, and `ProxySQL` has no version of it.
    pub const LOCAL: [Self; 2] = [Self::Scheduler, Self::Restapi];

    /// Everything that a core publishes from its file.
    pub fn in_file() -> impl Iterator<Item = Self> {
        Self::PUBLISHED.into_iter().chain(Self::LOCAL)
    }

    /// Whether the module stays on its node, without a version.
    pub fn is_local(self) -> bool {
        Self::LOCAL.contains(&self)
    }

    /// Every module that the cluster spreads, the list of members last.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::PUBLISHED.into_iter().chain([Self::ProxysqlServers])
    }

    /// The words that name the module in `LOAD` and `SAVE`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AdminVariables => "ADMIN VARIABLES",
            Self::MysqlVariables => "MYSQL VARIABLES",
            Self::MysqlServers => "MYSQL SERVERS",
            Self::MysqlUsers => "MYSQL USERS",
            Self::MysqlQueryRules => "MYSQL QUERY RULES",
            Self::PgsqlVariables => "PGSQL VARIABLES",
            Self::PgsqlServers => "PGSQL SERVERS",
            Self::PgsqlUsers => "PGSQL USERS",
            Self::PgsqlQueryRules => "PGSQL QUERY RULES",
            Self::ProxysqlServers => "PROXYSQL SERVERS",
            Self::Scheduler => "SCHEDULER",
            Self::Restapi => "RESTAPI",
        }
    }

    /// The module's name in `runtime_checksums_values` and `stats_proxysql_servers_checksums`.
    ///
    /// For servers that is `mysql_servers_v2`, the table as configured; the row `mysql_servers` beside it also moves when the
    /// monitor shuns a backend. What stays on its node has no row there.
    pub const fn checksum_name(self) -> &'static str {
        match self {
            Self::AdminVariables => "admin_variables",
            Self::MysqlVariables => "mysql_variables",
            Self::MysqlServers => "mysql_servers_v2",
            Self::MysqlUsers => "mysql_users",
            Self::MysqlQueryRules => "mysql_query_rules",
            Self::PgsqlVariables => "pgsql_variables",
            Self::PgsqlServers => "pgsql_servers",
            Self::PgsqlUsers => "pgsql_users",
            Self::PgsqlQueryRules => "pgsql_query_rules",
            Self::ProxysqlServers => "proxysql_servers",
            Self::Scheduler => "scheduler",
            Self::Restapi => "restapi",
        }
    }

    /// The module that a name of the checksum tables stands for; `None` for one that this agent does not act on.
    pub fn from_checksum_name(name: &str) -> Option<Self> {
        Self::all().chain(Self::LOCAL).find(|module| module.checksum_name() == name)
    }

    /// The tables that are loaded together. A release may lack some of them.
    pub const fn tables(self) -> &'static [Table] {
        match self {
            Self::AdminVariables => ADMIN_VARIABLES,
            Self::MysqlVariables => MYSQL_VARIABLES,
            Self::MysqlServers => MYSQL_SERVERS,
            Self::MysqlUsers => MYSQL_USERS,
            Self::MysqlQueryRules => MYSQL_QUERY_RULES,
            Self::PgsqlVariables => PGSQL_VARIABLES,
            Self::PgsqlServers => PGSQL_SERVERS,
            Self::PgsqlUsers => PGSQL_USERS,
            Self::PgsqlQueryRules => PGSQL_QUERY_RULES,
            Self::ProxysqlServers => PROXYSQL_SERVERS,
            Self::Scheduler => SCHEDULER,
            Self::Restapi => RESTAPI,
        }
    }

    /// The sections of the configuration file that speak of the module.
    pub fn sections(self) -> impl Iterator<Item = &'static str> {
        self.tables().iter().map(move |table| self.section_of(*table))
    }

    /// The section that speaks of one of its tables: of variables that of the module, for they share a table.
    pub fn section_of(self, table: Table) -> &'static str {
        if self.is_variables() { self.checksum_name() } else { table.section() }
    }

    /// Settings with names and values. The file names some of them; the others have no value to go back to but the running one.
    pub fn is_variables(self) -> bool {
        matches!(self, Self::AdminVariables | Self::MysqlVariables | Self::PgsqlVariables)
    }

    /// Who may log in to the admin port, or how, is a matter of it.
    pub fn decides_who_logs_in(self) -> bool {
        matches!(self, Self::AdminVariables | Self::MysqlVariables | Self::MysqlUsers)
    }

    /// Without rows of it in effect, no client gets through.
    pub fn is_vital(self) -> bool {
        matches!(self, Self::MysqlServers | Self::MysqlUsers | Self::PgsqlServers | Self::PgsqlUsers)
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

impl Serialize for Module {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_by_its_checksum_name() {
        for module in Module::all().chain(Module::LOCAL) {
            assert_eq!(Module::from_checksum_name(module.checksum_name()), Some(module));
        }
        assert_eq!(Module::from_checksum_name("mysql_servers"), None);
    }

    #[test]
    fn sections_are_named_like_tables_and_variables_like_their_module() {
        assert_eq!(Module::AdminVariables.sections().collect::<Vec<_>>(), ["admin_variables"]);
        assert_eq!(
            Module::MysqlQueryRules.sections().collect::<Vec<_>>(),
            ["mysql_query_rules", "mysql_query_rules_fast_routing"]
        );
        assert_eq!(Module::Restapi.sections().collect::<Vec<_>>(), ["restapi"]);
    }
}
