//! The statements of a drain: who is connected, what the drain has set, and what was there before.

use std::fmt::{self, Formatter, Write as _};

use super::super::module::Module;
use super::Quoted;
use crate::domain::drain::closing::{self, Variables, WAS_PAUSED};
use crate::domain::drain::{LISTED, Scope};

/// The table in `ProxySQL`'s memory that says that a drain has begun in this process, and holds the values of the variables that it may
/// change. It lives as long as the process, whatever becomes of the agent, so that whoever ends the drain can put them back.
const MARKER: &str = "main.proxysql_agent_drain";

/// A node that has asked for nothing for this long, in seconds beyond three of its checks, does not sync from here any more.
const SILENT: u64 = 2;

pub(super) fn mark(f: &mut Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "CREATE TABLE IF NOT EXISTS {MARKER} AS SELECT variable_name, variable_value FROM runtime_global_variables \
         WHERE variable_name IN ({}) UNION ALL SELECT '{WAS_PAUSED}', Variable_Value FROM stats_mysql_global \
         WHERE Variable_Name='mysql_listener_paused'",
        names()
    )
}

pub(super) fn is_marked(f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str("SELECT name FROM main.sqlite_master WHERE type='table' AND name='proxysql_agent_drain'")
}

pub(super) fn own_values(f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "SELECT variable_name, variable_value FROM {MARKER}")
}

pub(super) fn unmark(f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "DROP TABLE IF EXISTS {MARKER}")
}

/// The variables that differ from what they were, and whether the listener is paused.
pub(super) fn changed(f: &mut Formatter<'_>) -> fmt::Result {
    write!(
        f,
        "SELECT now.variable_name, now.variable_value FROM runtime_global_variables now JOIN {MARKER} own \
         ON own.variable_name=now.variable_name WHERE own.variable_value<>now.variable_value \
         UNION ALL SELECT '{WAS_PAUSED}', Variable_Value FROM stats_mysql_global WHERE Variable_Name LIKE '%sql_listener_paused'"
    )
}

/// Where clients come in, and how many threads let them in.
pub(super) fn listener(f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(
        "SELECT variable_name, variable_value FROM runtime_global_variables WHERE variable_name IN \
         ('mysql-interfaces', 'mysql-threads', 'mysql-proxy_protocol_networks')",
    )
}

pub(super) fn set(f: &mut Formatter<'_>, module: Module, variables: &Variables) -> fmt::Result {
    f.write_str("UPDATE global_variables SET variable_value=CASE variable_name")?;
    let of_module = || variables.iter().filter(|(name, _)| closing::module(name) == Some(module));
    for (name, value) in of_module() {
        write!(f, " WHEN '{name}' THEN {}", Quoted(value))?;
    }
    let names: Vec<String> = of_module().map(|(name, _)| format!("'{name}'")).collect();
    write!(f, " END WHERE variable_name IN ({})", names.join(", "))
}

pub(super) fn restore(f: &mut Formatter<'_>, module: Module) -> fmt::Result {
    let prefix = module.tables().first().map_or("", |table| match table.shape {
        super::Shape::Variables(prefix) => prefix,
        _ => "",
    });
    write!(
        f,
        "UPDATE global_variables SET variable_value=(SELECT own.variable_value FROM {MARKER} own \
         WHERE own.variable_name=global_variables.variable_name) \
         WHERE variable_name LIKE '{prefix}%' AND variable_name IN (SELECT variable_name FROM {MARKER})"
    )
}

fn names() -> String {
    closing::NAMES.map(|name| format!("'{name}'")).join(", ")
}

/// Rows of fourteen columns, the first of which says what the others are.
pub(super) fn sessions(f: &mut Formatter<'_>, scope: &Scope) -> fmt::Result {
    write!(
        f,
        "SELECT 'clients' AS kind, COALESCE(SUM(frontend_connections), 0) AS a{} FROM stats_mysql_users",
        empty(12)
    )?;
    paused(f, "mysql")?;
    processes(f, "mysql", scope.detailed)?;
    if scope.pgsql {
        write!(
            f,
            " UNION ALL SELECT 'clients', COALESCE(SUM(frontend_connections), 0){} FROM stats_pgsql_users",
            empty(12)
        )?;
        paused(f, "pgsql")?;
        processes(f, "pgsql", false)?;
    }
    write!(
        f,
        " UNION ALL SELECT 'variable', variable_name, variable_value{} FROM runtime_global_variables WHERE variable_name IN ({})",
        empty(11),
        names()
    )?;
    if let Some(pulls) = &scope.pulls {
        let seconds = pulls.check_interval.as_secs() * 3 + SILENT;
        write!(
            f,
            " UNION ALL SELECT 'syncs', COUNT(*){} FROM stats_proxysql_servers_clients_status \
             WHERE last_seen_at > strftime('%s', 'now') - {seconds}",
            empty(12)
        )?;
        if let Some(pod) = &pulls.listed_as {
            write!(
                f,
                " UNION ALL SELECT 'listed', COUNT(*){} FROM runtime_proxysql_servers WHERE comment={}",
                empty(12),
                Quoted(pod)
            )?;
        }
    }
    Ok(())
}

fn paused(f: &mut Formatter<'_>, protocol: &str) -> fmt::Result {
    write!(
        f,
        " UNION ALL SELECT 'paused', Variable_Value{} FROM stats_{protocol}_global WHERE Variable_Name='{protocol}_listener_paused'",
        empty(12)
    )
}

/// The sessions of a process list, the longest idle first. Never the text of a statement.
fn processes(f: &mut Formatter<'_>, protocol: &str, detailed: bool) -> fmt::Result {
    let details = if detailed {
        "user, cli_host, cli_port, json_extract(extended_info, '$.active_transactions'), \
         (SELECT MAX(json_extract(value, '$.conn.mysql.server_status') & 1) FROM json_each(extended_info, '$.backends')), \
         json_extract(extended_info, '$.client.stream.bytes_sent'), json_extract(extended_info, '$.client.stream.pkts_recv')"
    } else {
        "user, cli_host, cli_port, '', '', '', ''"
    };
    write!(
        f,
        " UNION ALL SELECT * FROM (SELECT '{protocol}', SessionID, ThreadID, command, srv_host IS NOT NULL, time_ms, status_flags, \
         {details} FROM stats_{protocol}_processlist ORDER BY time_ms DESC LIMIT {LISTED})"
    )
}

fn empty(columns: usize) -> String {
    ", ''".repeat(columns)
}

/// Statements that nobody is meant by: a session that is not there.
pub(super) fn tick(f: &mut Formatter<'_>) -> fmt::Result {
    // `SessionID` is a number of 32 bits that counts up from 1.
    let mut text = String::from("KILL CONNECTION ");
    write!(text, "{}", i32::MAX)?;
    f.write_str(&text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::drain::Pulls;

    struct Text<F>(F);

    impl<F: Fn(&mut Formatter<'_>) -> fmt::Result> fmt::Display for Text<F> {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            (self.0)(f)
        }
    }

    /// Each part of a union has as many columns as every other.
    #[test]
    fn every_row_has_fourteen_columns() {
        let pulls = Some(Pulls { check_interval: Duration::from_secs(1), listed_as: Some("core-0".into()) });
        let scope = Scope { pgsql: true, detailed: true, pulls };
        let text = Text(|f: &mut Formatter<'_>| sessions(f, &scope)).to_string();
        let columns = columns_of(&text);
        assert!(columns.iter().all(|columns| *columns == 14), "{columns:?}\n{text}");
        assert!(!text.contains(", info,"), "never a statement: {text}");
    }

    /// Columns of each part, counted by the commas outside of parentheses and before its FROM.
    fn columns_of(text: &str) -> Vec<usize> {
        let text = text.replace("SELECT * FROM (SELECT", "SELECT");
        text.split(" UNION ALL ")
            .map(|part| {
                let mut depth = 0;
                let mut columns = 1;
                for (i, letter) in part.char_indices() {
                    match letter {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        ',' if depth == 0 => columns += 1,
                        'F' if depth == 0 && part[i..].starts_with("FROM ") => break,
                        _ => {}
                    }
                }
                columns
            })
            .collect()
    }

    #[test]
    fn variables_are_set_together_and_only_those_of_the_module() {
        let variables = Variables::from([
            ("mysql-wait_timeout", "1".to_owned()),
            ("mysql-poll_timeout", "10".to_owned()),
            ("admin-cluster_mysql_variables_diffs_before_sync", "0".to_owned()),
        ]);
        let text = Text(|f: &mut Formatter<'_>| set(f, Module::MysqlVariables, &variables)).to_string();
        assert_eq!(
            text,
            "UPDATE global_variables SET variable_value=CASE variable_name WHEN 'mysql-poll_timeout' THEN '10' \
             WHEN 'mysql-wait_timeout' THEN '1' END WHERE variable_name IN ('mysql-poll_timeout', 'mysql-wait_timeout')"
        );
    }
}
