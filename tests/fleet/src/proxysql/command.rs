//! From the text of a statement to what the admin port makes of it. Pure: nothing is executed here.

use super::auth::Role;
use super::schema::{self, Module};

/// Where `LOAD` and `SAVE` move a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    FromConfig,
    ToRuntime,
    FromDisk,
    ToDisk,
    FromRuntime,
}

/// `PROXYSQL ...`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Pause,
    Resume,
    Shutdown,
    ShutdownSlow,
    Stop,
    Start,
    Restart,
    ReadOnly,
    ReadWrite,
    /// Accepted, without anything to do here.
    Nothing,
    /// A peer names itself and its admin interface.
    NodeUuid(Option<(String, String)>),
}

/// A statement, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Semicolons and spaces alone: the process dies of it.
    Crash,
    /// `OK` without effect.
    Fine,
    GlobalChecksum,
    /// A peer asks for the servers as they were loaded.
    ServersAsLoaded,
    Proxysql(Verb),
    Move(Module, Move),
    Kill(u32),
    /// `SET` of a name that is no variable: `OK` with the complaint in its info string.
    Unknown(String),
    /// `SET` of a variable, as SQL.
    Set {
        sql: String,
    },
    SaveConfig(String),
    /// The statistics user may not.
    NotAllowed,
    /// For SQLite, perhaps rewritten.
    Sql(String),
}

/// What the answers to some statements depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) role: Role,
    pub(crate) version: &'a str,
    pub(crate) user: &'a str,
    pub(crate) from: &'a str,
    /// Whether the statements of 3.0 are known.
    pub(crate) postgres: bool,
}

/// White space folded to single spaces, none at either end.
pub(crate) fn fold(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Understands one statement. `text` is as it came, zero bytes and all.
pub(crate) fn parse(text: &str, facts: Facts<'_>) -> Command {
    // The real one works on C strings.
    let text = text.split('\0').next().unwrap_or_default();
    let folded = fold(text);
    let clean = folded.trim_end_matches([';', ' ']);
    if clean.is_empty() && !folded.is_empty() {
        return Command::Crash;
    }
    let sql = Command::Sql(text.to_owned());
    if facts.role == Role::Admin
        && let Some(command) = admin_only(clean, facts)
    {
        return command;
    }
    if [
        "BEGIN",
        "START TRANSACTION",
        "COMMIT",
        "ROLLBACK",
        "SET character_set_results",
        "SET SQL_AUTO_IS_NULL",
        "SET NAMES",
        "SET AUTOCOMMIT",
    ]
    .iter()
    .any(|start| begins(clean, start))
    {
        return Command::Fine;
    }
    if let Some(sql) = session_query(clean, facts).or_else(|| variable_query(clean)).or_else(|| show(clean, facts)) {
        return Command::Sql(sql);
    }
    if let Some(assignment) = after(clean, "SET ") {
        return set(assignment, facts.postgres);
    }
    if facts.role == Role::Stats && (begins(clean, "PRAGMA") || begins(clean, "ATTACH")) {
        return Command::NotAllowed;
    }
    sql
}

fn begins(text: &str, start: &str) -> bool {
    after(text, start).is_some()
}

/// What follows `start`, in any case.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

fn is(text: &str, whole: &str) -> bool {
    text.eq_ignore_ascii_case(whole)
}

fn admin_only(clean: &str, facts: Facts<'_>) -> Option<Command> {
    if is(clean, "SELECT GLOBAL_CHECKSUM()") {
        return Some(Command::GlobalChecksum);
    }
    if begins(clean, &super::monitor::asks_for_loaded()) {
        return Some(Command::ServersAsLoaded);
    }
    if begins(clean, "USE ") {
        return Some(Command::Fine);
    }
    if let Some(rest) = after(clean, "PROXYSQL ") {
        return verb(rest).map(Command::Proxysql);
    }
    if let Some(rest) = after(clean, "KILL CONNECTION ") {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return Some(Command::Kill(digits.parse().unwrap_or_default()));
    }
    if let Some(path) = after(clean, "SAVE CONFIG TO FILE ") {
        return Some(Command::SaveConfig(path.to_owned()));
    }
    if let Some(rest) = after(clean, "LOAD ") {
        return moved(
            rest,
            facts.postgres,
            &[
                ("FROM CONFIG", Move::FromConfig),
                ("TO RUNTIME", Move::ToRuntime),
                ("TO RUN", Move::ToRuntime),
                ("FROM MEMORY", Move::ToRuntime),
                ("FROM MEM", Move::ToRuntime),
                ("FROM DISK", Move::FromDisk),
                ("TO MEMORY", Move::FromDisk),
                ("TO MEM", Move::FromDisk),
            ],
        );
    }
    if let Some(rest) = after(clean, "SAVE ") {
        return moved(
            rest,
            facts.postgres,
            &[
                ("TO DISK", Move::ToDisk),
                ("FROM MEMORY", Move::ToDisk),
                ("FROM MEM", Move::ToDisk),
                ("FROM RUNTIME", Move::FromRuntime),
                ("FROM RUN", Move::FromRuntime),
                ("TO MEMORY", Move::FromRuntime),
                ("TO MEM", Move::FromRuntime),
            ],
        );
    }
    let table = after(clean, "SHOW FIELDS FROM ")?.trim_matches('`');
    Some(Command::Sql(format!(
        "SELECT name AS Field, 'varchar(255)' AS Type, CASE \"notnull\" WHEN 1 THEN 'NO' ELSE 'YES' END AS \"Null\", \
         CASE WHEN pk THEN 'PRI' ELSE '' END AS \"Key\", '' AS \"Default\", '' AS Extra FROM pragma_table_info('{}')",
        table.replace('\'', "''")
    )))
}

fn moved(rest: &str, postgres: bool, moves: &[(&str, Move)]) -> Option<Command> {
    Module::known(postgres).iter().find_map(|&module| {
        let target = after(rest, module.words())?.strip_prefix(' ')?;
        let (_, step) = moves.iter().find(|(words, _)| is(target, words))?;
        Some(Command::Move(module, *step))
    })
}

fn verb(rest: &str) -> Option<Verb> {
    if let Some(node) = after(rest, "CLUSTER_NODE_UUID ") {
        let named = node.split_once(' ').filter(|(uuid, interface)| uuid.len() == 36 && !interface.is_empty());
        return Some(Verb::NodeUuid(named.map(|(uuid, interface)| (uuid.to_owned(), interface.to_owned()))));
    }
    let verbs = [
        ("PAUSE", Verb::Pause),
        ("RESUME", Verb::Resume),
        ("SHUTDOWN", Verb::Shutdown),
        ("KILL", Verb::Shutdown),
        ("SHUTDOWN SLOW", Verb::ShutdownSlow),
        ("STOP", Verb::Stop),
        ("START", Verb::Start),
        ("RESTART", Verb::Restart),
        ("READONLY", Verb::ReadOnly),
        ("READWRITE", Verb::ReadWrite),
        ("FLUSH LOGS", Verb::Nothing),
        ("FLUSH QUERY CACHE", Verb::Nothing),
        ("FLUSH CONFIGDB", Verb::Nothing),
        ("FLUSH MYSQL CLIENT HOSTS", Verb::Nothing),
    ];
    verbs.into_iter().find(|(words, _)| is(rest, words)).map(|(_, verb)| verb)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Questions about the session and the server.
fn session_query(clean: &str, facts: Facts<'_>) -> Option<String> {
    let version = quoted(facts.version);
    if is(clean, "SELECT @@version_comment LIMIT 1") {
        return Some("SELECT '(ProxySQL Admin Module)'".to_owned());
    }
    for (question, name) in [("SELECT user()", "user()"), ("SELECT current_user()", "current_user()")] {
        if is(clean, question) {
            return Some(format!("SELECT {} AS '{name}'", quoted(&format!("{}@{}", facts.user, facts.from))));
        }
    }
    if begins(clean, "SELECT @@sql_mode") {
        return Some("SELECT '' AS '@@sql_mode'".to_owned());
    }
    if begins(clean, "SELECT connection_id()") {
        return Some("SELECT 0 AS 'CONNECTION_ID()'".to_owned());
    }
    if begins(clean, "SELECT @@version") {
        return Some(format!("SELECT {version} AS '@@version'"));
    }
    if begins(clean, "SELECT version()") {
        return Some(format!("SELECT {version} AS 'version()'"));
    }
    let schema = if facts.role == Role::Admin { "'admin'" } else { "'stats'" };
    for (question, name) in [("SELECT DATABASE()", "DATABASE()"), ("SELECT DATABASE() AS name", "name")] {
        if is(clean, question) {
            return Some(format!("SELECT {schema} AS '{name}'"));
        }
    }
    None
}

/// `SELECT @@name`, with anything that follows left in place, which is what makes lists of them fail.
fn variable_query(clean: &str) -> Option<String> {
    let rest = after(clean, "SELECT ")?.strip_prefix("@@")?;
    let name: String =
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "_-".contains(*letter)).collect();
    if name.is_empty() {
        return None;
    }
    let tail = rest[name.len()..].trim_start();
    Some(if name.eq_ignore_ascii_case("max_allowed_packet") {
        format!(
            "SELECT variable_value AS '@@max_allowed_packet' FROM global_variables \
             WHERE variable_name='mysql-max_allowed_packet'{tail}"
        )
    } else {
        format!(
            "SELECT variable_value AS '@@{name}' FROM global_variables WHERE variable_name='{name}' COLLATE NOCASE \
             UNION ALL SELECT variable_value AS '@@{name}' FROM stats.stats_mysql_global \
             WHERE variable_name='{name}' COLLATE NOCASE {tail}"
        )
    })
}

const VARIABLES: &str = "SELECT variable_name AS Variable_name, variable_value AS Value FROM global_variables";

fn show(clean: &str, facts: Facts<'_>) -> Option<String> {
    let rest = after(clean, "SHOW ")?;
    if begins(rest, "GLOBAL VARIABLES LIKE 'version'") {
        return Some(format!("SELECT 'version' AS Variable_name, {} AS Value", quoted(facts.version)));
    }
    if let Some(condition) = after(rest, "VARIABLES WHERE ") {
        return Some(format!("{VARIABLES} WHERE {condition}"));
    }
    if let Some(pattern) = after(rest, "VARIABLES LIKE ") {
        return Some(format!("{VARIABLES} WHERE variable_name LIKE {pattern}"));
    }
    let tables = |schema: &str, condition: &str| {
        let schema = schema.trim_matches('`');
        let dot = if schema.is_empty() { "" } else { "." };
        format!(
            "SELECT name AS tables FROM {schema}{dot}sqlite_master WHERE type='table' AND name NOT IN ('sqlite_sequence') {condition} ORDER BY name"
        )
    };
    if is(rest, "TABLES") {
        return Some(tables("", ""));
    }
    if let Some(schema) = after(rest, "TABLES FROM ").or_else(|| after(rest, "TABLES IN ")) {
        return Some(tables(schema, ""));
    }
    if let Some(pattern) = after(rest, "TABLES LIKE ") {
        let pattern = pattern.replace(['\\', '`', '\''], "");
        return Some(tables("", &format!("AND name LIKE '{pattern}'")));
    }
    if let Some(name) = after(rest, "CREATE TABLE ") {
        let (schema, table) = name.split_once('.').unwrap_or(("main", name));
        let table = table.trim_matches('`').replace('\'', "''");
        return Some(format!(
            "SELECT name AS 'table', sql AS 'Create Table' FROM {schema}.sqlite_master WHERE type='table' AND name='{table}'"
        ));
    }
    let whole = [
        ("GLOBAL VARIABLES", format!("{VARIABLES} ORDER BY variable_name")),
        ("ALL VARIABLES", format!("{VARIABLES} ORDER BY variable_name")),
        ("VARIABLES", format!("{VARIABLES} ORDER BY variable_name")),
        ("ADMIN VARIABLES", format!("{VARIABLES} WHERE variable_name LIKE 'admin-%' ORDER BY variable_name")),
        ("MYSQL VARIABLES", format!("{VARIABLES} WHERE variable_name LIKE 'mysql-%' ORDER BY variable_name")),
        (
            "MYSQL STATUS",
            "SELECT Variable_Name AS Variable_name, Variable_Value AS Value FROM stats_mysql_global ORDER BY variable_name"
                .to_owned(),
        ),
        ("MYSQL USERS", "SELECT * FROM mysql_users ORDER BY username, active DESC, username ASC".to_owned()),
        ("MYSQL SERVERS", "SELECT * FROM mysql_servers ORDER BY hostgroup_id, hostname, port".to_owned()),
        ("DATABASES", "PRAGMA database_list".to_owned()),
        ("SCHEMAS", "PRAGMA database_list".to_owned()),
        ("COLLATION", "SELECT * FROM mysql_collations".to_owned()),
        ("FULL PROCESSLIST", "SELECT * FROM stats_mysql_processlist".to_owned()),
        (
            "PROCESSLIST",
            "SELECT SessionID, user, db, hostgroup, command, time_ms, SUBSTR(info,0,100) info FROM stats_mysql_processlist"
                .to_owned(),
        ),
    ];
    whole.into_iter().find(|(words, _)| is(rest, words)).map(|(_, sql)| sql)
}

fn set(assignment: &str, postgres: bool) -> Command {
    let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
    let name = name.trim();
    if schema::KNOWN.contains(name) && (postgres || !name.starts_with("pgsql-")) {
        Command::Set { sql: format!("UPDATE global_variables SET variable_value={value} WHERE variable_name='{name}'") }
    } else {
        Command::Unknown(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(text: &str) -> Command {
        parse(text, Facts { role: Role::Admin, version: "2.7.1", user: "radmin", from: "127.0.0.1", postgres: false })
    }

    #[test]
    fn only_semicolons_kill() {
        for text in [";", ";;", " ; ", "; ;"] {
            assert_eq!(admin(text), Command::Crash, "{text:?}");
        }
        for text in ["", " ", "\n", "\0", "--", "/* c */;", "SELECT 1;   ;"] {
            assert!(matches!(admin(text), Command::Sql(_)), "{text:?}");
        }
    }

    #[test]
    fn loads_and_saves_have_synonyms_and_loose_spelling() {
        let loaded = Command::Move(Module::ProxysqlServers, Move::ToRuntime);
        for text in [
            "LOAD PROXYSQL SERVERS TO RUNTIME",
            "load proxysql servers to run;",
            "  LOAD  PROXYSQL\nSERVERS  FROM   MEMORY ;",
        ] {
            assert_eq!(admin(text), loaded, "{text:?}");
        }
        assert_eq!(admin("SAVE MYSQL USERS TO MEM"), Command::Move(Module::MysqlUsers, Move::FromRuntime));
        for text in [
            "LOAD MYSQL SERVERS",
            "SAVE MYSQL SERVERS TO RUNTIME",
            "/* x */ LOAD MYSQL SERVERS TO RUNTIME",
            "LOAD MYSQL SERVERS TO RUNTIME; SAVE MYSQL SERVERS TO DISK",
        ] {
            assert_eq!(admin(text), Command::Sql(text.to_owned()), "{text:?}");
        }
    }
}
