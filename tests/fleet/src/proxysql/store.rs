//! The database of one node: `main`, `stats` and the rest attached to it, real SQL in the middle.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection, params_from_iter};

use super::auth::Role;
use super::modules::Runtime;
use super::schema;
use super::wire::{ColumnType, Encoder};

/// A row as text, which is all that leaves an admin port.
pub(crate) type TextRow = Vec<Option<String>>;

/// What a statement did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// Rows, already encoded.
    Rows(u64),
    /// No rows; so many changed.
    Done(u64),
}

/// The layers of one process.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) main: Connection,
    /// What the user of the statistics sees: `stats` as its main schema.
    pub(crate) stats: Connection,
    pub(crate) runtime: Runtime,
    pub(crate) config: PathBuf,
    pub(crate) read_only: bool,
    /// With the tables of 3.0.
    pub(crate) postgres: bool,
    /// Users are loaded with hashes of their passwords.
    pub(crate) hash_passwords: bool,
}

impl Store {
    /// Opens the databases in `dir`, the memory layer empty, disk as it was left. Tells whether there was a disk.
    pub(crate) fn open(dir: &Path, config: PathBuf, postgres: bool) -> rusqlite::Result<(Self, bool)> {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        let name = NAMES.fetch_add(1, Ordering::Relaxed);
        let shared = format!("file:fleet-stats-{}-{name}?mode=memory&cache=shared", std::process::id());
        let disk = dir.join("proxysql.db");
        let existed = disk.exists();
        let main = Connection::open_in_memory()?;
        let stats = Connection::open(&shared)?;
        main.execute_batch("CREATE TEMP TABLE seen (x); DROP TABLE seen")?;
        main.execute("ATTACH ? AS disk", [disk.to_string_lossy()])?;
        main.execute("ATTACH ? AS stats", [&shared])?;
        main.execute_batch(
            "ATTACH ':memory:' AS monitor; ATTACH ':memory:' AS stats_history; \
             PRAGMA disk.synchronous = OFF; PRAGMA disk.journal_mode = MEMORY; PRAGMA foreign_keys = OFF;",
        )?;
        for connection in [&main, &stats] {
            forget_newer_functions(connection)?;
        }
        let store = Self {
            main,
            stats,
            runtime: Runtime::default(),
            config,
            read_only: false,
            postgres,
            hash_passwords: false,
        };
        store.create()?;
        Ok((store, existed))
    }

    /// Makes all tables; those on disk may be there already.
    fn create(&self) -> rusqlite::Result<()> {
        let mut batch = String::from("BEGIN;");
        let beside = |fixture| if self.postgres { fixture } else { "" };
        for (name, statement) in schema::tables(schema::MEMORY).chain(schema::tables(beside(schema::POSTGRES))) {
            let create = format!("CREATE TABLE {name}");
            batch += statement;
            batch += ";";
            if !schema::NOT_IN_RUNTIME.contains(&name) {
                batch += &statement.replacen(&create, &format!("CREATE TABLE runtime_{name}"), 1);
                batch += ";";
            }
            if !schema::NOT_ON_DISK.contains(&name) {
                batch += &statement.replacen(&create, &format!("CREATE TABLE IF NOT EXISTS disk.{name}"), 1);
                batch += ";";
            }
        }
        batch += "CREATE TABLE IF NOT EXISTS disk.global_settings (variable_name VARCHAR NOT NULL PRIMARY KEY, \
                  variable_value VARCHAR NOT NULL);";
        for (name, statement) in schema::tables(schema::STATS).chain(schema::tables(beside(schema::POSTGRES_STATS))) {
            let create = format!("CREATE TABLE {name}");
            batch += &statement.replacen(&create, &format!("CREATE TABLE stats.{name}"), 1);
            batch += ";";
            if schema::WITH_RESET.contains(&name) {
                batch += &statement.replacen(&create, &format!("CREATE TABLE stats.{name}_reset"), 1);
                batch += ";";
            }
        }
        batch += super::monitor::LOGS;
        batch += schema::CHECKSUMS;
        batch += ";INSERT INTO stats.global_variables VALUES ('mysql-max_allowed_packet','4194304');";
        batch += "INSERT INTO main.mysql_collations VALUES (33,'utf8_general_ci','utf8','Yes'),\
                  (45,'utf8mb4_general_ci','utf8mb4','Yes');COMMIT;";
        self.main.execute_batch(&batch)
    }

    /// Runs the first statement of `sql` for a session, its rows encoded into `out`. The error is `SQLite`'s own text.
    pub(crate) fn run(&self, role: Role, sql: &str, out: &mut Encoder) -> Result<Ran, String> {
        let guarded = role == Role::Stats || self.read_only;
        let connection = if role == Role::Stats { &self.stats } else { &self.main };
        if guarded {
            connection.execute_batch("PRAGMA query_only = ON").map_err(|error| text_of(&error))?;
        }
        let start = (out.bytes.len(), out.sequence);
        let ran = run_on(connection, sql, out);
        if guarded {
            connection.execute_batch("PRAGMA query_only = OFF").map_err(|error| text_of(&error))?;
        }
        ran.map_err(|error| {
            out.bytes.truncate(start.0);
            out.sequence = start.1;
            text_of(&error)
        })
    }

    /// All rows of a query of our own.
    pub(crate) fn read(&self, sql: &str) -> rusqlite::Result<Vec<TextRow>> {
        let mut statement = self.main.prepare(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let text =
                |index| Ok(text_value(row.get_ref(index)?).map(|text| String::from_utf8_lossy(&text).into_owned()));
            all.push((0..columns).map(text).collect::<rusqlite::Result<TextRow>>()?);
        }
        Ok(all)
    }

    /// Replaces all rows of a table.
    pub(crate) fn replace(&self, table: &str, rows: &[TextRow]) -> rusqlite::Result<()> {
        self.main.execute(&format!("DELETE FROM {table}"), [])?;
        self.insert(table, rows)
    }

    /// Adds rows to a table, in place of those with the same key.
    pub(crate) fn insert(&self, table: &str, rows: &[TextRow]) -> rusqlite::Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let marks = vec!["?"; first.len()].join(",");
        let mut statement = self.main.prepare_cached(&format!("INSERT OR REPLACE INTO {table} VALUES ({marks})"))?;
        for row in rows {
            statement.execute(params_from_iter(row))?;
        }
        Ok(())
    }

    /// Runs `work` in one transaction.
    pub(crate) fn transaction<T>(&self, work: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.main.execute_batch("BEGIN")?;
        let done = work();
        self.main.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        done
    }
}

/// Functions that this `SQLite` has and the one in 2.7.1 (3.43) has not.
fn forget_newer_functions(connection: &Connection) -> rusqlite::Result<()> {
    for name in ["CONCAT", "CONCAT_WS", "UNISTR"] {
        connection.create_scalar_function(name, -1, FunctionFlags::SQLITE_UTF8, move |_| {
            Err::<Option<String>, _>(rusqlite::Error::UserFunctionError(format!("no such function: {name}").into()))
        })?;
    }
    Ok(())
}

/// Runs the first statement of a text on one connection.
pub(crate) fn run_on(connection: &Connection, sql: &str, out: &mut Encoder) -> rusqlite::Result<Ran> {
    let mut batch = Batch::new(connection, sql);
    let Some(mut statement) = batch.next()? else {
        return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(0), Some("not an error".to_owned())));
    };
    let columns = statement.column_count();
    if columns == 0 {
        statement.raw_execute()?;
        return Ok(Ran::Done(connection.changes()));
    }
    out.columns(statement.column_names(), ColumnType::Text);
    let mut rows = statement.raw_query();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let values: Vec<_> = (0..columns).map(|index| row.get_ref(index).map(text_value)).collect::<Result<_, _>>()?;
        out.row(values.into_iter());
        count += 1;
    }
    out.end();
    Ok(Ran::Rows(count))
}

/// A value as `SQLite` would print it.
pub(crate) fn text_value(value: ValueRef<'_>) -> Option<Cow<'_, [u8]>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Cow::Owned(number.to_string().into_bytes())),
        ValueRef::Real(number) => {
            // Fifteen digits, as the SQLite of 2.7.1 prints them.
            let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
            Some(Cow::Owned(format!("{rounded:?}").into_bytes()))
        }
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(Cow::Borrowed(bytes)),
    }
}

/// What `sqlite3_errmsg` would say.
pub(crate) fn text_of(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
