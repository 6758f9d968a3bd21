//! The statements of a dump.

use std::fmt;

use crate::domain::dump::digest::DigestSource;
use crate::domain::dump::staging_table::StagingTable;

/// Which digests are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those seen at least so often; 0 is all.
    pub min_count: u64,
    /// Only so many, those with most total time; 0 is all.
    pub top: u64,
}

/// A statement of a dump.
///
/// `ProxySQL` fills a table of digests anew whenever it finds the table's name in the text of a statement, in lower case; if it is the
/// name that ends in `_reset`, it forgets the digests as well. `SQLite` knows its tables in any case, so a name in upper case is the
/// table as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digests {
    /// Reads the digests and leaves them.
    Read(DigestSource, Filter),
    /// Reads what was moved to these tables of one source, of which there must be one at least.
    ReadHeld(Vec<StagingTable>, Filter),
    /// Asks for `ProxySQL`'s clock and the names of all holds.
    FindHolds,
    /// Makes an empty table like that of the digests.
    CreateHold(StagingTable),
    /// Moves the digests there, all at one moment: `ProxySQL` counts the next query anew.
    FillHold(StagingTable),
    /// Gives such a table another name. Of two who try it, one succeeds.
    RenameHold(StagingTable, StagingTable),
    /// Forgets what was moved there.
    DropHold(StagingTable),
}

impl Digests {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Read(..) | Self::ReadHeld(..) => "the query for digests",
            Self::FindHolds => "the search for digests of earlier dumps",
            Self::CreateHold(_) => {
                "the creation of a table to keep the digests in (it needs an administrator, not read_only)"
            }
            Self::FillHold(_) => "the reset of the digests",
            Self::RenameHold(..) => "the renaming of a table of digests",
            Self::DropHold(_) => "the end of a table of digests",
        }
    }
}

impl fmt::Display for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(source, filter) => write!(f, "SELECT * FROM stats_{}_query_digest{filter}", source.word()),
            Self::ReadHeld(holds, filter) => {
                f.write_str("SELECT * FROM (")?;
                for (i, hold) in holds.iter().enumerate() {
                    let join = if i > 0 { " UNION ALL " } else { "" };
                    write!(f, "{join}SELECT * FROM main.{hold}")?;
                }
                write!(f, "){filter}")
            }
            Self::FindHolds => f.write_str(
                "SELECT strftime('%s', 'now') AS found UNION ALL SELECT name FROM main.sqlite_master \
                 WHERE type='table' AND name LIKE 'proxysql_agent_dump_%'",
            ),
            Self::CreateHold(hold) => {
                let table = format!("stats_{}_query_digest", hold.source.word()).to_ascii_uppercase();
                write!(f, "CREATE TABLE main.{hold} AS SELECT * FROM {table} WHERE 0")
            }
            Self::FillHold(hold) => {
                write!(f, "INSERT INTO main.{hold} SELECT * FROM stats_{}_query_digest_reset", hold.source.word())
            }
            Self::RenameHold(from, to) => write!(f, "ALTER TABLE main.{from} RENAME TO {to}"),
            Self::DropHold(hold) => write!(f, "DROP TABLE main.{hold}"),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min_count > 0 {
            write!(f, " WHERE count_star >= {}", self.min_count)?;
        }
        if self.top > 0 {
            // Digests of the same time always in the same order.
            write!(f, " ORDER BY sum_time DESC, digest LIMIT {}", self.top)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn digests_are_read_whole_or_filtered() {
        let text = |min_count, top| Digests::Read(DigestSource::Mysql, Filter { min_count, top }).to_string();
        assert_eq!(text(0, 0), "SELECT * FROM stats_mysql_query_digest");
        assert_eq!(
            text(5, 10),
            "SELECT * FROM stats_mysql_query_digest WHERE count_star >= 5 ORDER BY sum_time DESC, digest LIMIT 10"
        );
    }

    #[test]
    fn one_statement_alone_names_the_table_that_forgets() {
        let hold = StagingTable::new(DigestSource::Mysql, 1_000, Duration::from_mins(10), "a");
        let fill = Digests::FillHold(hold.clone()).to_string();
        assert_eq!(
            fill,
            "INSERT INTO main.proxysql_agent_dump_mysql_1660_a SELECT * FROM stats_mysql_query_digest_reset"
        );
        for statement in [
            Digests::CreateHold(hold.clone()),
            Digests::ReadHeld(vec![hold.clone(), hold.given_up()], Filter::default()),
            Digests::RenameHold(hold.clone(), hold.given_up()),
            Digests::DropHold(hold),
            Digests::FindHolds,
        ] {
            assert!(!statement.to_string().contains("stats_mysql_query_digest"), "{statement}");
        }
    }
}
