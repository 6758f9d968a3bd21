//! `stats_mysql_query_digest`: rows that are made while they are read, so that a million of them cost nothing until then.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::command::fold;
use super::log::Outcome;
use super::store::{Store, TextRow, text_of, text_value};
use super::wire::{ColumnType, Encoder, Wire};

/// One row of the table, whatever columns its version has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestRow {
    /// `hostgroup`
    pub hostgroup: i64,
    /// `schemaname`, or `database` on the side of `PostgreSQL`
    pub schemaname: String,
    /// `username`
    pub username: String,
    /// `client_address`
    pub client_address: String,
    /// `digest`
    pub digest: String,
    /// `digest_text`
    pub digest_text: String,
    /// `count_star`
    pub count_star: u64,
    /// `first_seen`
    pub first_seen: u64,
    /// `last_seen`
    pub last_seen: u64,
    /// `sum_time`
    pub sum_time: u64,
    /// `min_time`
    pub min_time: u64,
    /// `max_time`
    pub max_time: u64,
    /// `sum_rows_affected`
    pub sum_rows_affected: u64,
    /// `sum_rows_sent`
    pub sum_rows_sent: u64,
}

impl DigestRow {
    /// A row like any other, different for each number.
    pub fn sample(number: u64) -> Self {
        Self {
            hostgroup: i64::try_from(number % 10).unwrap_or_default(),
            schemaname: format!("schema{}", number % 7),
            username: format!("user{}", number % 5),
            client_address: String::new(),
            digest: format!("0x{:016X}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            digest_text: format!("SELECT c FROM t{number} WHERE id = ?"),
            count_star: number + 1,
            first_seen: 1_700_000_000 + number % 1000,
            last_seen: 1_700_100_000 + number % 1000,
            sum_time: 1000 * (number + 1),
            min_time: 10,
            max_time: 5000,
            sum_rows_affected: number % 3,
            sum_rows_sent: number % 11,
        }
    }

    /// The value of a column, by its place in [`COLUMNS`].
    fn value(&self, column: usize) -> Value {
        let number = |number: u64| Value::Integer(number.cast_signed());
        match column {
            0 => Value::Integer(self.hostgroup),
            1 => Value::Text(self.schemaname.clone()),
            2 => Value::Text(self.username.clone()),
            3 => Value::Text(self.client_address.clone()),
            4 => Value::Text(self.digest.clone()),
            5 => Value::Text(self.digest_text.clone()),
            6 => number(self.count_star),
            7 => number(self.first_seen),
            8 => number(self.last_seen),
            9 => number(self.sum_time),
            10 => number(self.min_time),
            11 => number(self.max_time),
            12 => number(self.sum_rows_affected),
            _ => number(self.sum_rows_sent),
        }
    }
}

/// Which columns the table has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DigestSchema {
    /// Without `client_address` and the sums of rows.
    V1_4,
    /// Without the sums of rows, as up to 2.0.7.
    V2_0,
    /// All columns.
    #[default]
    V2_7,
    /// All columns, and the table of the same rows for `PostgreSQL`.
    V3_0,
}

const COLUMNS: [&str; 14] = [
    "hostgroup",
    "schemaname",
    "username",
    "client_address",
    "digest",
    "digest_text",
    "count_star",
    "first_seen",
    "last_seen",
    "sum_time",
    "min_time",
    "max_time",
    "sum_rows_affected",
    "sum_rows_sent",
];

impl DigestSchema {
    /// Tables, with their columns.
    fn tables(self) -> Vec<(&'static str, Vec<&'static str>)> {
        let mut columns = COLUMNS.to_vec();
        let absent: &[&str] = match self {
            Self::V1_4 => &["client_address", "sum_rows_affected", "sum_rows_sent"],
            Self::V2_0 => &["sum_rows_affected", "sum_rows_sent"],
            Self::V2_7 | Self::V3_0 => &[],
        };
        columns.retain(|column| !absent.contains(column));
        let mut tables =
            vec![("stats_mysql_query_digest", columns.clone()), ("stats_mysql_query_digest_reset", columns.clone())];
        if self == Self::V3_0 {
            columns[1] = "database";
            tables.push(("stats_pgsql_query_digest", columns.clone()));
            tables.push(("stats_pgsql_query_digest_reset", columns));
        }
        tables
    }
}

/// The place of a column in [`COLUMNS`].
fn place(wanted: &str) -> usize {
    // `database` stands where `schemaname` does.
    COLUMNS.iter().position(|column| *column == wanted).unwrap_or(1)
}

/// Whether a column counts or tells a time.
fn is_number(column: &str) -> bool {
    ["hostgroup", "count_star", "first_seen", "last_seen"].contains(&column)
        || ["sum_", "min_", "max_"].iter().any(|prefix| column.starts_with(prefix))
}

/// Gives the node's own database the tables of a version, empty.
pub(crate) fn make_tables(store: &Store, schema: DigestSchema) -> Result<(), String> {
    let twins = SERVERS.iter().flat_map(|server| ["", "_reset"].map(|suffix| (server, suffix)));
    let drops =
        twins.map(|(server, suffix)| format!("DROP TABLE IF EXISTS stats.stats_{server}_query_digest{suffix};"));
    let creates = schema.tables().into_iter().map(|(table, columns)| {
        let typed = |column: &&str| format!("\"{column}\" {}", if is_number(column) { "INT" } else { "VARCHAR" });
        format!("CREATE TABLE stats.{table} ({});", columns.iter().map(typed).collect::<Vec<_>>().join(","))
    });
    let batch: String = drops.chain(creates).collect();
    store.script(&batch)
}

/// Before a statement that changes something by the generated rows: puts them into the tables.
pub(crate) fn fill(digests: &mut Digests, store: &Store, sql: &str) -> Result<(), String> {
    if !digests.are_named_in(sql) {
        return Ok(());
    }
    let Some((rows, schema, generator)) = digests.take(sql).0 else { return Ok(()) };
    make_tables(store, schema)?;
    for (table, columns) in schema.tables() {
        let all: Vec<TextRow> = (0..rows)
            .map(|number| {
                let row = generator(number);
                let text = |column: &&str| match row.value(place(column)) {
                    Value::Integer(number) => number.to_string(),
                    Value::Text(text) => text,
                    _ => String::new(),
                };
                columns.iter().map(|column| Some(text(column))).collect()
            })
            .collect();
        store.insert(&format!("stats.{table}"), &all).map_err(|error| text_of(&error))?;
    }
    Ok(())
}

/// After a statement: what was read from the twin that resets is gone.
pub(crate) fn forget(store: &Store, sql: &str) -> Result<(), String> {
    for server in SERVERS {
        if sql.contains(&format!("stats_{server}_query_digest_reset")) {
            store.script(&format!(
                "DELETE FROM stats.stats_{server}_query_digest; DELETE FROM stats.stats_{server}_query_digest_reset"
            ))?;
        }
    }
    Ok(())
}

const SERVERS: [&str; 2] = ["mysql", "pgsql"];

type Generator = Arc<dyn Fn(u64) -> DigestRow + Send + Sync>;

/// The rows of one life of a node; none at first.
#[derive(Clone, Default)]
pub(crate) struct Digests(Option<(u64, DigestSchema, Generator)>);

impl fmt::Debug for Digests {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Digests").field(&self.0.as_ref().map(|(rows, schema, _)| (rows, schema))).finish()
    }
}

impl Digests {
    pub(crate) fn new(
        rows: u64,
        schema: DigestSchema,
        generator: impl Fn(u64) -> DigestRow + Send + Sync + 'static,
    ) -> Self {
        Self(Some((rows, schema, Arc::new(generator))))
    }

    /// Whether a statement is a query for these rows.
    pub(crate) fn concern(&self, sql: &str) -> bool {
        self.are_named_in(sql) && sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("SELECT"))
    }

    fn are_named_in(&self, sql: &str) -> bool {
        self.0.is_some() && sql.contains("_query_digest")
    }

    /// The rows as they are now; reading the twin that resets leaves none behind.
    pub(crate) fn take(&mut self, sql: &str) -> Self {
        let now = self.clone();
        if sql.contains("_query_digest_reset")
            && let Some((rows, ..)) = &mut self.0
        {
            *rows = 0;
        }
        now
    }

    /// A database with nothing but these rows, as views over a counter.
    fn open(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch("ATTACH ':memory:' AS stats")?;
        let Some((rows, schema, generator)) = &self.0 else { return Ok(connection) };
        let generator = Arc::clone(generator);
        // All columns of a row are asked for one after the other.
        let last: RefCell<Option<(u64, DigestRow)>> = RefCell::new(None);
        connection.create_scalar_function("digest_value", 2, FunctionFlags::SQLITE_UTF8, move |context| {
            let number = context.get::<i64>(0)?.cast_unsigned();
            let mut last = last.borrow_mut();
            if last.as_ref().is_none_or(|(kept, _)| *kept != number) {
                *last = Some((number, generator(number)));
            }
            let column = context.get::<i64>(1)?;
            Ok(last.as_ref().map(|(_, row)| row.value(usize::try_from(column).unwrap_or_default())))
        })?;
        for (table, columns) in schema.tables() {
            let value = |column: &&str| format!("digest_value(i,{}) AS \"{column}\"", place(column));
            let values: Vec<String> = columns.iter().map(value).collect();
            connection.execute_batch(&format!(
                "CREATE VIEW stats.{table} AS WITH RECURSIVE n(i) AS (SELECT 0 WHERE {rows}>0 UNION ALL \
                 SELECT i+1 FROM n WHERE i<{rows}-1) SELECT {} FROM n",
                values.join(",")
            ))?;
        }
        Ok(connection)
    }
}

const CHUNK: usize = 64 * 1024;

/// What came of a statement, and how many bytes of it were sent.
type Sent = (u64, Outcome);

/// Answers a statement on a database of its own, in pieces, as fast as the client reads.
pub(crate) async fn stream<S: AsyncRead + AsyncWrite + Unpin>(
    digests: Digests,
    sql: String,
    wire: &mut Wire<S>,
) -> io::Result<Sent> {
    let (pieces, mut arriving) = mpsc::channel::<Vec<u8>>(4);
    let sequence = wire.sequence;
    let work = tokio::task::spawn_blocking(move || {
        let mut encoder = Encoder::new(sequence);
        let outcome = match produce(&digests, &sql, &mut encoder, &pieces) {
            Ok(count) => Outcome::Rows(count),
            Err(error) => {
                let text = format!("ProxySQL Admin Error: {}", text_of(&error));
                encoder.error(1045, "28000", &text);
                Outcome::Error { code: 1045, text }
            }
        };
        // Nobody reads any more if this fails.
        let _ = pieces.blocking_send(encoder.bytes);
        outcome
    });
    let before = wire.bytes_out;
    while let Some(piece) = arriving.recv().await {
        wire.write_framed(&piece).await?;
    }
    let outcome = work.await.unwrap_or(Outcome::Open);
    Ok((wire.bytes_out - before, outcome))
}

/// The columns, by their places, of a statement that reads a whole table as it is, which is the one that reads a million rows.
fn whole_table(schema: DigestSchema, sql: &str) -> Option<Vec<(String, usize)>> {
    let folded = fold(sql);
    let rest = folded.trim_end_matches([';', ' ']).strip_prefix("SELECT ")?;
    let (list, table) = rest.split_once(" FROM ")?;
    let table = table.trim_start_matches("stats.");
    let (_, known) = schema.tables().into_iter().find(|(name, _)| *name == table)?;
    let wanted: Vec<&str> = if list == "*" { known.clone() } else { list.split(',').map(str::trim).collect() };
    let place = |column: &str| COLUMNS.iter().position(|name| *name == column).unwrap_or(1);
    let all_known = wanted.iter().all(|column| known.contains(column));
    all_known.then(|| wanted.into_iter().map(|column| (column.to_owned(), place(column))).collect())
}

fn produce(
    digests: &Digests,
    sql: &str,
    encoder: &mut Encoder,
    pieces: &mpsc::Sender<Vec<u8>>,
) -> rusqlite::Result<u64> {
    // Whether the reader is still there.
    let flush = |encoder: &mut Encoder| {
        encoder.bytes.len() < CHUNK || pieces.blocking_send(std::mem::take(&mut encoder.bytes)).is_ok()
    };
    if let Some((rows, schema, generator)) = &digests.0
        && let Some(columns) = whole_table(*schema, sql)
    {
        encoder.columns(columns.iter().map(|(name, _)| name.as_str()), ColumnType::Text);
        for number in 0..*rows {
            let row = generator(number);
            encoder.row(columns.iter().map(|(_, place)| match row.value(*place) {
                Value::Text(text) => Some(text.into_bytes().into()),
                Value::Integer(number) => Some(number.to_string().into_bytes().into()),
                _ => None,
            }));
            if !flush(encoder) {
                return Ok(number);
            }
        }
        encoder.end();
        return Ok(*rows);
    }
    let connection = digests.open()?;
    let mut batch = rusqlite::Batch::new(&connection, sql);
    let Some(mut statement) = batch.next()? else { return Ok(0) };
    let columns = statement.column_count();
    encoder.columns(statement.column_names(), ColumnType::Text);
    let mut rows = statement.raw_query();
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let values: Vec<_> = (0..columns).map(|index| row.get_ref(index).map(text_value)).collect::<Result<_, _>>()?;
        encoder.row(values.into_iter());
        count += 1;
        if !flush(encoder) {
            return Ok(count);
        }
    }
    encoder.end();
    Ok(count)
}
