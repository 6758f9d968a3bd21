//! What ProxySQL makes of the value of a variable: most are taken as they are, some in another form, some not at all, and some
//! change others.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The least and the most of the numbers that have bounds.
static BOUNDS: LazyLock<HashMap<&str, (i64, i64)>> = LazyLock::new(|| {
    let lines = include_str!("../../fixtures/variable_bounds.tsv").lines();
    let bounds = lines.filter_map(|line| {
        let mut parts = line.split('\t');
        Some((parts.next()?, (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)))
    });
    bounds.collect()
});

/// Cannot be emptied: they stay as they are.
const UNEMPTIED: [&str; 11] = [
    "admin-admin_credentials",
    "admin-cluster_password",
    "admin-cluster_username",
    "admin-stats_credentials",
    "admin-telnet_admin_ifaces",
    "admin-telnet_stats_ifaces",
    "mysql-default_authentication_plugin",
    "mysql-default_schema",
    "mysql-keep_multiplexing_variables",
    "mysql-monitor_username",
    "mysql-server_version",
];
/// Seconds between two looks; other numbers become the next of these.
const INTERVALS: [i64; 9] = [0, 1, 5, 10, 30, 60, 120, 300, 600];
const ROUNDED: [&str; 5] = [
    "admin-stats_mysql_connection_pool",
    "admin-stats_mysql_connections",
    "admin-stats_mysql_query_cache",
    "admin-stats_system_cpu",
    "admin-stats_system_memory",
];
const CLIENT_COMPRESS: u64 = 32;
const CLIENT_SSL: u64 = 2048;
/// Character sets with the collation that each has by itself, which is the first of a name; no more than the tests name.
const CHARSETS: [(&str, &str); 4] = [
    ("utf8", "utf8_general_ci"),
    ("utf8mb4", "utf8mb4_general_ci"),
    ("latin1", "latin1_swedish_ci"),
    ("utf8", "utf8_unicode_ci"),
];

/// What a value means, by the kind of the one before it; `None` if it cannot be that. Numbers are read as C's `atoi` does.
pub(super) fn understood(name: &str, before: &str, value: &str) -> Option<String> {
    if value.is_empty() && UNEMPTIED.contains(&name) {
        return None;
    }
    if name == "mysql-default_authentication_plugin"
        && !["mysql_native_password", "caching_sha2_password"].contains(&value)
    {
        return None;
    }
    if name == "mysql-server_version" && value == "5.1.30" {
        return Some("5.5.30".to_owned());
    }
    match before {
        "true" | "false" => match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Some("true".to_owned()),
            "false" | "0" => Some("false".to_owned()),
            _ => None,
        },
        number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            let (sign, value) = value.strip_prefix('-').map_or((1, value), |rest| (-1, rest));
            let digits = value.len() - value.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
            let read: i64 = sign * value[..digits].parse::<i64>().unwrap_or_default();
            let taken = BOUNDS.get(name).is_none_or(|(least, most)| (*least..=*most).contains(&read));
            let rounded = if ROUNDED.contains(&name) {
                INTERVALS.into_iter().find(|interval| *interval >= read).unwrap_or(read)
            } else {
                read
            };
            taken.then(|| rounded.to_string())
        }
        _ => Some(value.to_owned()),
    }
}

/// Other variables that change with one that was set, in its moment.
pub(super) fn also(name: &str, value: &str, known: &HashMap<String, String>) -> Option<(&'static str, String)> {
    let flag = match name {
        "mysql-have_compress" => CLIENT_COMPRESS,
        "mysql-have_ssl" => CLIENT_SSL,
        "admin-checksum_admin_variables" if value == "false" => {
            return Some(("admin-cluster_admin_variables_diffs_before_sync", "0".to_owned()));
        }
        "admin-checksum_ldap_variables" if value == "false" => {
            return Some(("admin-cluster_ldap_variables_diffs_before_sync", "0".to_owned()));
        }
        "admin-checksum_mysql_variables" if value == "false" => {
            return Some(("admin-cluster_mysql_variables_diffs_before_sync", "0".to_owned()));
        }
        _ => return None,
    };
    let name = "mysql-server_capabilities";
    let before: u64 = known.get(name)?.parse().ok()?;
    let after = if value == "true" { before | flag } else { before & !flag };
    Some((name, after.to_string()))
}

/// Character set and collation belong together: of two that do not, the one that did not change follows, or else the set.
pub(super) fn collation(before: (&str, &str), now: (&str, &str)) -> Option<(String, String)> {
    let by_name = CHARSETS.iter().find(|(name, _)| name.eq_ignore_ascii_case(now.0));
    let of_collation = CHARSETS.iter().find(|(_, collation)| collation.eq_ignore_ascii_case(now.1));
    let (charset, collation) = match (by_name, of_collation) {
        (Some(one), Some(other)) if one.0 == other.0 => return None,
        (Some((_, collation)), None) => (now.0, *collation),
        (Some((_, collation)), Some(_)) if now.0 != before.0 && now.1 == before.1 => (now.0, *collation),
        (_, Some((charset, _))) => (*charset, now.1),
        (None, None) => return None,
    };
    Some((charset.to_owned(), collation.to_owned()))
}
