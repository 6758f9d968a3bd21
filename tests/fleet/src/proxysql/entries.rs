//! `LOAD ... FROM CONFIG` as `ProxySQL` does it: each entry of the file becomes a text of SQL, with what stands in the file put between
//! quotes as it is. So what the file may not hold is what SQL makes no sense of.

use super::config_file::{ConfigFile, Value};
use super::schema::Module;

/// How a value of the file becomes SQL.
#[derive(Clone, Copy)]
enum Kind {
    /// A number; without a default the entry is passed over where there is none.
    Number(Option<i32>),
    /// A number; NULL where it is below 0 or there is none.
    OrNull,
    /// 0 or 1.
    Flag,
    /// Not read.
    Always(i32),
    /// Between these quotes as it is; without a default the entry is passed over.
    Text(char, Option<&'static str>),
    /// Between these quotes as it is, or NULL.
    TextOrNull(char),
    /// In single quotes, which are doubled within.
    Escaped(&'static str),
    /// In these quotes if it is one of the words, else the first of them.
    Word(char, &'static [&'static str]),
}

use Kind::{Always, Escaped, Flag, Number, OrNull, Text, TextOrNull, Word};

/// A column, the names that the file has for it, and what becomes of the value.
type Field = (&'static str, &'static [&'static str], Kind);

const ZERO: Kind = Number(Some(0));
const ONE: Kind = Number(Some(1));
const NEEDED: Kind = Number(None);
const PLAIN: Kind = Text('\'', Some(""));
const STATUS: Kind = Word('"', &["ONLINE", "SHUNNED", "OFFLINE_SOFT", "OFFLINE_HARD"]);
const CHECK: Kind = Word('\'', &["read_only", "innodb_read_only", "super_read_only"]);

const SERVERS: &[Field] = &[
    ("hostname", &["address", "hostname"], Text('"', None)),
    ("hostgroup_id", &["hostgroup", "hostgroup_id"], NEEDED),
    ("port", &["port"], Number(Some(3306))),
    ("gtid_port", &["gtid_port"], ZERO),
    ("compression", &["compression"], ZERO),
    ("weight", &["weight"], ONE),
    ("status", &["status"], STATUS),
    ("max_connections", &["max_connections"], Number(Some(1000))),
    ("max_replication_lag", &["max_replication_lag"], ZERO),
    ("use_ssl", &["use_ssl"], ZERO),
    ("max_latency_ms", &["max_latency_ms"], ZERO),
    ("comment", &["comment"], Escaped("")),
];

const PAIRS: &[Field] = &[
    ("writer_hostgroup", &["writer_hostgroup"], NEEDED),
    ("reader_hostgroup", &["reader_hostgroup"], NEEDED),
    ("comment", &["comment"], Escaped("")),
    ("check_type", &["check_type"], CHECK),
];

const FOURS: &[Field] = &[
    ("writer_hostgroup", &["writer_hostgroup"], NEEDED),
    ("backup_writer_hostgroup", &["backup_writer_hostgroup"], NEEDED),
    ("reader_hostgroup", &["reader_hostgroup"], NEEDED),
    ("offline_hostgroup", &["offline_hostgroup"], NEEDED),
    ("active", &[], Always(1)),
    ("max_writers", &["max_writers"], ONE),
    ("writer_is_also_reader", &["writer_is_also_reader"], ZERO),
    ("max_transactions_behind", &["max_transactions_behind"], ZERO),
    ("comment", &["comment"], Escaped("")),
];

const AURORA: &[Field] = &[
    ("writer_hostgroup", &["writer_hostgroup"], NEEDED),
    ("reader_hostgroup", &["reader_hostgroup"], NEEDED),
    ("active", &[], Always(1)),
    ("aurora_port", &["aurora_port"], Number(Some(3306))),
    ("domain_name", &["domain_name"], Escaped("")),
    ("max_lag_ms", &["max_lag_ms"], Number(Some(600_000))),
    ("check_interval_ms", &["check_interval_ms"], Number(Some(1000))),
    ("check_timeout_ms", &["check_timeout_ms"], Number(Some(1000))),
    ("writer_is_also_reader", &["writer_is_also_reader"], ZERO),
    ("new_reader_weight", &["new_reader_weight"], ONE),
    ("add_lag_ms", &["add_lag_ms"], Number(Some(30))),
    ("min_lag_ms", &["min_lag_ms"], Number(Some(30))),
    ("lag_num_checks", &["lag_num_checks"], ONE),
    ("comment", &["comment"], Escaped("")),
];

const SSL: &[Field] = &[
    ("hostname", &["hostname"], Text('\'', None)),
    ("port", &["port"], Number(Some(3306))),
    ("username", &["username"], PLAIN),
    ("ssl_ca", &["ssl_ca"], PLAIN),
    ("ssl_cert", &["ssl_cert"], PLAIN),
    ("ssl_key", &["ssl_key"], PLAIN),
    ("ssl_capath", &["ssl_capath"], PLAIN),
    ("ssl_crl", &["ssl_crl"], PLAIN),
    ("ssl_crlpath", &["ssl_crlpath"], PLAIN),
    ("ssl_cipher", &["ssl_cipher"], PLAIN),
    ("tls_version", &["tls_version"], PLAIN),
    ("comment", &["comment"], Escaped("")),
];

const USERS: &[Field] = &[
    ("username", &["username"], Text('\'', None)),
    ("password", &["password"], PLAIN),
    ("active", &["active"], ONE),
    ("use_ssl", &["use_ssl"], ZERO),
    ("default_hostgroup", &["default_hostgroup"], ZERO),
    ("default_schema", &["default_schema"], PLAIN),
    ("schema_locked", &["schema_locked"], ZERO),
    ("transaction_persistent", &["transaction_persistent"], ONE),
    ("fast_forward", &["fast_forward"], ZERO),
    ("max_connections", &["max_connections"], Number(Some(10_000))),
    ("attributes", &["attributes"], PLAIN),
    ("comment", &["comment"], Escaped("")),
];

const RULES: &[Field] = &[
    ("rule_id", &["rule_id"], NEEDED),
    ("active", &["active"], ONE),
    ("username", &["username"], TextOrNull('"')),
    ("schemaname", &["schemaname"], TextOrNull('"')),
    ("flagIN", &["flagIN"], OrNull),
    ("client_addr", &["client_addr"], TextOrNull('"')),
    ("proxy_addr", &["proxy_addr"], TextOrNull('"')),
    ("proxy_port", &["proxy_port"], OrNull),
    ("digest", &["digest"], TextOrNull('"')),
    ("match_digest", &["match_digest"], TextOrNull('"')),
    ("match_pattern", &["match_pattern"], TextOrNull('"')),
    ("negate_match_pattern", &["negate_match_pattern"], Flag),
    ("re_modifiers", &["re_modifiers"], Text('"', Some("CASELESS"))),
    ("flagOUT", &["flagOUT"], OrNull),
    ("replace_pattern", &["replace_pattern"], TextOrNull('"')),
    ("destination_hostgroup", &["destination_hostgroup"], OrNull),
    ("cache_ttl", &["cache_ttl"], OrNull),
    ("cache_empty_result", &["cache_empty_result"], OrNull),
    ("cache_timeout", &["cache_timeout"], OrNull),
    ("reconnect", &["reconnect"], OrNull),
    ("timeout", &["timeout"], OrNull),
    ("retries", &["retries"], OrNull),
    ("delay", &["delay"], OrNull),
    ("next_query_flagIN", &["next_query_flagIN"], OrNull),
    ("mirror_flagOUT", &["mirror_flagOUT"], OrNull),
    ("mirror_hostgroup", &["mirror_hostgroup"], OrNull),
    ("error_msg", &["error_msg"], TextOrNull('"')),
    ("OK_msg", &["OK_msg"], TextOrNull('"')),
    ("sticky_conn", &["sticky_conn"], OrNull),
    ("multiplex", &["multiplex"], OrNull),
    ("gtid_from_hostgroup", &["gtid_from_hostgroup"], OrNull),
    ("log", &["log"], OrNull),
    ("apply", &["apply"], Flag),
    ("attributes", &["attributes"], TextOrNull('\'')),
    ("comment", &["comment"], TextOrNull('\'')),
];

const MEMBERS: &[Field] = &[
    ("hostname", &["address", "hostname"], Text('"', None)),
    ("port", &["port"], NEEDED),
    ("weight", &["weight"], ZERO),
    ("comment", &["comment"], Escaped("")),
];

const SCHEDULER: &[Field] = &[
    ("id", &["id"], NEEDED),
    ("active", &["active"], ONE),
    ("interval_ms", &["interval_ms"], ZERO),
    ("filename", &["filename"], Text('\'', None)),
    ("arg1", &["arg1"], TextOrNull('\'')),
    ("arg2", &["arg2"], TextOrNull('\'')),
    ("arg3", &["arg3"], TextOrNull('\'')),
    ("arg4", &["arg4"], TextOrNull('\'')),
    ("arg5", &["arg5"], TextOrNull('\'')),
    ("comment", &["comment"], PLAIN),
];

const RESTAPI: &[Field] = &[
    ("id", &["id"], NEEDED),
    ("active", &["active"], ONE),
    ("timeout_ms", &["interval_ms", "timeout_ms"], ZERO),
    ("method", &["method"], Text('\'', None)),
    ("uri", &["uri"], Text('\'', None)),
    ("script", &["script"], Text('\'', None)),
    ("comment", &["comment"], PLAIN),
];

/// Tables with their sections. Those that the file has no words for are not there.
const TABLES: &[(&str, &str, &[Field])] = &[
    ("mysql_servers", "mysql_servers", SERVERS),
    ("mysql_replication_hostgroups", "mysql_replication_hostgroups", PAIRS),
    ("mysql_servers_ssl_params", "mysql_servers_ssl_params", SSL),
    ("mysql_group_replication_hostgroups", "mysql_group_replication_hostgroups", FOURS),
    ("mysql_galera_hostgroups", "mysql_galera_hostgroups", FOURS),
    ("mysql_aws_aurora_hostgroups", "mysql_aws_aurora_hostgroups", AURORA),
    ("mysql_users", "mysql_users", USERS),
    ("mysql_query_rules", "mysql_query_rules", RULES),
    ("proxysql_servers", "proxysql_servers", MEMBERS),
    ("scheduler", "scheduler", SCHEDULER),
    ("restapi_routes", "restapi", RESTAPI),
    // Of 3.0, which reads them in the same way; columns that it does not have are left out.
    ("pgsql_servers", "pgsql_servers", SERVERS),
    ("pgsql_replication_hostgroups", "pgsql_replication_hostgroups", PAIRS),
    ("pgsql_users", "pgsql_users", USERS),
    ("pgsql_query_rules", "pgsql_query_rules", RULES),
];

/// The statements that the entries of a module become; `columns` are those of a table.
pub(super) fn statements(file: &ConfigFile, module: Module, columns: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let mut statements = Vec::new();
    if let Some(prefix) = module.prefix() {
        for (name, value) in file.group(&format!("{}variables", prefix.replace('-', "_"))) {
            let value = match value {
                Value::Bool(value) => value.to_string(),
                Value::Int(value) => value.to_string(),
                Value::Text(value) => value.clone(),
                _ => String::new(),
            };
            statements
                .push(format!("INSERT OR REPLACE INTO global_variables VALUES (\"{prefix}{name}\", \"{value}\")"));
        }
    }
    for (table, section, fields) in TABLES.iter().filter(|(table, ..)| module.tables().contains(table)) {
        let there = columns(table);
        let is_there = |field: &&Field| there.iter().any(|column| column == field.0);
        for settings in file.list(section) {
            let values: Option<Vec<(&str, String)>> = fields
                .iter()
                .filter(is_there)
                .map(|(column, names, kind)| Some((*column, sql(*kind, names, settings)?)))
                .collect();
            let Some(values) = values else { continue };
            let columns: Vec<&str> = values.iter().map(|(column, _)| *column).collect();
            let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
            statements.push(format!(
                "INSERT OR REPLACE INTO {table} ({}) VALUES ({})",
                columns.join(", "),
                values.join(", ")
            ));
        }
    }
    statements
}

/// `None` where the entry is passed over.
fn sql(kind: Kind, names: &[&str], settings: &[(String, Value)]) -> Option<String> {
    let values =
        || names.iter().filter_map(|name| settings.iter().find(|(key, _)| key == name)).map(|(_, value)| value);
    let number = || {
        values().find_map(|value| match value {
            Value::Int(number) => Some(*number),
            _ => None,
        })
    };
    let text = || {
        values().find_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    };
    let quoted = |quote: char, text: &str| format!("{quote}{text}{quote}");
    Some(match kind {
        Number(default) => number().or(default)?.to_string(),
        OrNull => number().filter(|number| *number >= 0).map_or("NULL".to_owned(), |number| number.to_string()),
        Flag => i32::from(number().unwrap_or_default() != 0).to_string(),
        Always(number) => number.to_string(),
        Text(quote, default) => quoted(quote, text().or(default)?),
        TextOrNull(quote) => text().map_or("NULL".to_owned(), |text| quoted(quote, text)),
        Escaped(default) => quoted('\'', &text().unwrap_or(default).replace('\'', "''")),
        Word(quote, words) => {
            let word = text().filter(|text| words.iter().any(|word| word.eq_ignore_ascii_case(text)));
            quoted(quote, word.unwrap_or(words[0]))
        }
    })
}
