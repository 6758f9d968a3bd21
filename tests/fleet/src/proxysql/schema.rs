//! The tables, and which of them make up a module.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

pub(crate) const MEMORY: &str = include_str!("../../fixtures/memory.sql");
pub(crate) const STATS: &str = include_str!("../../fixtures/stats.sql");
/// What a 3.0 has beside.
pub(crate) const POSTGRES: &str = include_str!("../../fixtures/postgres.sql");
/// What a 3.0 has beside in `stats`.
pub(crate) const POSTGRES_STATS: &str = include_str!("../../fixtures/postgres_stats.sql");
const POSTGRES_VARIABLES: &str = include_str!("../../fixtures/postgres_variables.tsv");
const VARIABLES: &str = include_str!("../../fixtures/variables.tsv");
const STATUS: &str = include_str!("../../fixtures/status.txt");

/// A table of its own in runtime and memory, none on disk.
pub(crate) const CHECKSUMS: &str = "CREATE TABLE runtime_checksums_values (name VARCHAR NOT NULL, version INT NOT NULL, \
     epoch INT NOT NULL, checksum VARCHAR NOT NULL, PRIMARY KEY (name))";

/// Tables of `stats` that have a twin which is emptied by reading.
pub(crate) const WITH_RESET: [&str; 6] = [
    "stats_mysql_client_host_cache",
    "stats_mysql_connection_pool",
    "stats_mysql_errors",
    "stats_mysql_query_digest",
    "stats_pgsql_query_digest",
    "stats_proxysql_message_metrics",
];

/// Tables of the memory layer that the disk does not have.
pub(crate) const NOT_ON_DISK: [&str; 1] = ["coredump_filters"];
/// Tables of the memory layer that runtime does not have.
pub(crate) const NOT_IN_RUNTIME: [&str; 1] = ["mysql_collations"];

/// The `CREATE TABLE` statements of a fixture, with the name of each table.
pub(crate) fn tables(fixture: &str) -> impl Iterator<Item = (&str, &str)> {
    fixture.split(';').filter_map(|statement| {
        let statement = &statement[statement.find("CREATE TABLE")?..];
        statement.split_whitespace().nth(2).map(|name| (name, statement))
    })
}

/// Names and first values of all variables, in the order `ProxySQL` lists them.
pub(crate) static DEFAULTS: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| VARIABLES.lines().filter_map(|line| line.split_once('\t')).collect());

/// The variables of a 3.0 that others do not have; only those that somebody may ask for.
pub(crate) static POSTGRES_DEFAULTS: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| POSTGRES_VARIABLES.lines().filter_map(|line| line.split_once('\t')).collect());

/// The names of all variables.
pub(crate) static KNOWN: LazyLock<HashSet<&str>> =
    LazyLock::new(|| DEFAULTS.iter().chain(POSTGRES_DEFAULTS.iter()).map(|(name, _)| *name).collect());

/// Where a variable stands in that order; those that are not known come last.
pub(crate) fn place(name: &str) -> usize {
    static PLACES: LazyLock<HashMap<&str, usize>> = LazyLock::new(|| {
        let names = DEFAULTS.iter().chain(POSTGRES_DEFAULTS.iter()).enumerate();
        names.map(|(place, (name, _))| (*name, place)).collect()
    });
    PLACES.get(name).copied().unwrap_or(usize::MAX)
}

/// The names in `stats_mysql_global`, in their order.
pub(crate) fn status_names() -> impl Iterator<Item = &'static str> {
    STATUS.lines()
}

/// Variables that stay on their node: not in a checksum, not pulled.
pub(crate) const LOCAL_VARIABLES: [&str; 7] = [
    "admin-mysql_ifaces",
    "admin-restapi_port",
    "admin-telnet_admin_ifaces",
    "admin-telnet_stats_ifaces",
    "admin-web_port",
    "mysql-interfaces",
    "mysql-threads",
];

/// Variables that a running process does not change any more.
pub(crate) const FIXED_VARIABLES: [&str; 6] =
    ["admin-version", "mysql-interfaces", "mysql-stacksize", "mysql-threads", "pgsql-interfaces", "pgsql-threads"];

/// What `LOAD` and `SAVE` name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Module {
    /// `PROXYSQL SERVERS`
    ProxysqlServers,
    /// `MYSQL SERVERS`
    MysqlServers,
    /// `MYSQL USERS`
    MysqlUsers,
    /// `MYSQL QUERY RULES`
    MysqlQueryRules,
    /// `MYSQL VARIABLES`
    MysqlVariables,
    /// `ADMIN VARIABLES`
    AdminVariables,
    /// `SCHEDULER`
    Scheduler,
    /// `MYSQL FIREWALL`
    MysqlFirewall,
    /// `RESTAPI`
    Restapi,
    /// `PGSQL VARIABLES`, from 3.0 on
    PgsqlVariables,
    /// `PGSQL SERVERS`, from 3.0 on
    PgsqlServers,
    /// `PGSQL USERS`, from 3.0 on
    PgsqlUsers,
    /// `PGSQL QUERY RULES`, from 3.0 on
    PgsqlQueryRules,
}

impl Module {
    /// All of them, in the order in which a process loads them.
    pub const ALL: [Self; 13] = [
        Self::AdminVariables,
        Self::MysqlVariables,
        Self::MysqlServers,
        Self::MysqlUsers,
        Self::MysqlQueryRules,
        Self::ProxysqlServers,
        Self::Scheduler,
        Self::MysqlFirewall,
        Self::Restapi,
        Self::PgsqlVariables,
        Self::PgsqlServers,
        Self::PgsqlUsers,
        Self::PgsqlQueryRules,
    ];

    /// Those that a node has: the last four only from 3.0 on.
    pub(crate) fn known(postgres: bool) -> &'static [Self] {
        let all: &'static [Self] = &Self::ALL;
        if postgres { all } else { &all[..9] }
    }

    /// As in `LOAD ... TO RUNTIME`.
    pub fn words(self) -> &'static str {
        match self {
            Self::ProxysqlServers => "PROXYSQL SERVERS",
            Self::MysqlServers => "MYSQL SERVERS",
            Self::MysqlUsers => "MYSQL USERS",
            Self::MysqlQueryRules => "MYSQL QUERY RULES",
            Self::MysqlVariables => "MYSQL VARIABLES",
            Self::AdminVariables => "ADMIN VARIABLES",
            Self::Scheduler => "SCHEDULER",
            Self::MysqlFirewall => "MYSQL FIREWALL",
            Self::Restapi => "RESTAPI",
            Self::PgsqlVariables => "PGSQL VARIABLES",
            Self::PgsqlServers => "PGSQL SERVERS",
            Self::PgsqlUsers => "PGSQL USERS",
            Self::PgsqlQueryRules => "PGSQL QUERY RULES",
        }
    }

    /// Its tables in the memory layer; none for variables.
    pub(crate) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::ProxysqlServers => &["proxysql_servers"],
            Self::MysqlServers => &[
                "mysql_servers",
                "mysql_replication_hostgroups",
                "mysql_group_replication_hostgroups",
                "mysql_galera_hostgroups",
                "mysql_aws_aurora_hostgroups",
                "mysql_hostgroup_attributes",
                "mysql_servers_ssl_params",
            ],
            Self::MysqlUsers => &["mysql_users"],
            Self::MysqlQueryRules => &["mysql_query_rules", "mysql_query_rules_fast_routing"],
            Self::MysqlVariables | Self::AdminVariables | Self::PgsqlVariables => &[],
            Self::PgsqlServers => &["pgsql_servers", "pgsql_replication_hostgroups"],
            Self::PgsqlUsers => &["pgsql_users"],
            Self::PgsqlQueryRules => &["pgsql_query_rules"],
            Self::Scheduler => &["scheduler"],
            Self::MysqlFirewall => &[
                "mysql_firewall_whitelist_users",
                "mysql_firewall_whitelist_rules",
                "mysql_firewall_whitelist_sqli_fingerprints",
            ],
            Self::Restapi => &["restapi_routes"],
        }
    }

    /// `mysql-` or `admin-` for the modules of variables.
    pub(crate) fn prefix(self) -> Option<&'static str> {
        match self {
            Self::MysqlVariables => Some("mysql-"),
            Self::AdminVariables => Some("admin-"),
            Self::PgsqlVariables => Some("pgsql-"),
            _ => None,
        }
    }

    /// The names in `runtime_checksums_values` that a `LOAD` of this module moves, with the tables behind each.
    pub(crate) fn sums(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::ProxysqlServers => &[("proxysql_servers", &["proxysql_servers"])],
            Self::MysqlServers => &[
                ("mysql_servers", &["mysql_servers"]),
                (
                    "mysql_servers_v2",
                    &[
                        "mysql_servers",
                        "mysql_replication_hostgroups",
                        "mysql_group_replication_hostgroups",
                        "mysql_galera_hostgroups",
                        "mysql_aws_aurora_hostgroups",
                        "mysql_hostgroup_attributes",
                        "mysql_servers_ssl_params",
                    ],
                ),
            ],
            Self::MysqlUsers => &[("mysql_users", &["mysql_users"])],
            Self::MysqlQueryRules => &[("mysql_query_rules", &["mysql_query_rules", "mysql_query_rules_fast_routing"])],
            Self::MysqlVariables => &[("mysql_variables", &[])],
            Self::AdminVariables => &[("admin_variables", &[])],
            Self::PgsqlServers => &[("pgsql_servers", &["pgsql_servers", "pgsql_replication_hostgroups"])],
            Self::PgsqlUsers => &[("pgsql_users", &["pgsql_users"])],
            Self::PgsqlQueryRules => &[("pgsql_query_rules", &["pgsql_query_rules"])],
            Self::Scheduler | Self::MysqlFirewall | Self::Restapi | Self::PgsqlVariables => &[],
        }
    }

    /// The name by which peers follow this module; `mysql_servers` follows `mysql_servers_v2`.
    pub(crate) fn synced_as(self) -> Option<&'static str> {
        let name = self.sums().last().map(|(name, _)| *name)?;
        SUM_NAMES.contains(&name).then_some(name)
    }
}

/// The names in `runtime_checksums_values` that 3.0 adds; peers do not follow them.
pub(crate) const POSTGRES_SUM_NAMES: [&str; 4] =
    ["pgsql_query_rules", "pgsql_servers", "pgsql_users", "pgsql_variables"];

/// The names in `runtime_checksums_values`, in the order in which `ProxySQL` answers them.
pub(crate) const SUM_NAMES: [&str; 7] = [
    "admin_variables",
    "mysql_query_rules",
    "mysql_servers",
    "mysql_users",
    "mysql_variables",
    "proxysql_servers",
    "mysql_servers_v2",
];
