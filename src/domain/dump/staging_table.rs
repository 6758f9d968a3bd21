//! A table in `ProxySQL`'s own memory that keeps the digests which a dump has reset until its file is in place.
//!
//! Reading `stats_mysql_query_digest_reset` forgets the digests before the first row is sent, so whatever goes wrong afterwards would
//! lose them. They are therefore moved, by one statement and so under one lock, to a table that nothing else touches, and that goes
//! when the dump is written. A table that a dump has left is read by the next. Its name says until when it belongs to the dump that
//! made it: a dump ends in bounded time, so that no process has to be asked whether it lives.

use std::fmt;
use std::time::Duration;

use super::digest::DigestSource;

/// How the names begin.
const PREFIX: &str = "proxysql_agent_dump_";
/// How long a dump may take to clean up beyond its own bound, and how far the clocks of the two may drift meanwhile.
const SLACK: i64 = 60;

/// One such table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagingTable {
    /// Whose digests it has.
    pub source: DigestSource,
    /// Until when a dump may be at it, in seconds since 1970 by `ProxySQL`'s clock; 0 when its dump gave it up.
    expires: i64,
    /// What tells it from every other; letters and digits.
    token: String,
}

impl StagingTable {
    /// A table for a dump that begins `now`, by `ProxySQL`'s clock, and ends within `bound`. The `token` must be unique among all
    /// dumps of this `ProxySQL`; of it, only letters and digits are taken.
    pub fn new(source: DigestSource, now: i64, bound: Duration, token: &str) -> Self {
        let bound = i64::try_from(bound.as_secs()).unwrap_or(i64::MAX);
        let expires = now.saturating_add(bound).saturating_add(SLACK).max(1);
        Self { source, expires, token: token.chars().filter(char::is_ascii_alphanumeric).collect() }
    }

    /// The table of this name; `None` for a table that is none of these.
    pub fn parse(name: &str) -> Option<Self> {
        let (source, rest) = name.strip_prefix(PREFIX)?.split_once('_')?;
        let source = [DigestSource::Mysql, DigestSource::Pgsql].into_iter().find(|one| one.word() == source)?;
        let (expires, token) = rest.split_once('_')?;
        let expires: i64 = expires.parse().ok()?;
        let hold = Self { source, expires, token: token.to_owned() };
        // Nothing but what this would write itself: the name goes back into SQL.
        let plain = !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric());
        (plain && expires >= 0 && hold.to_string() == name).then_some(hold)
    }

    /// Whether no dump is at it any more.
    pub fn is_abandoned(&self, now: i64) -> bool {
        self.expires < now
    }

    /// The same table as another dump's, to be told from that dump's own by `number`.
    #[must_use]
    pub fn adopted_by(&self, dump: &Self, number: usize) -> Self {
        Self { source: self.source, expires: dump.expires, token: format!("{}n{number}", dump.token) }
    }

    /// The same table, free for the next dump.
    #[must_use]
    pub fn given_up(&self) -> Self {
        Self { expires: 0, ..self.clone() }
    }
}

/// The table's name; letters, digits and underscores.
impl fmt::Display for StagingTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}_{}_{}", self.source.word(), self.expires, self.token)
    }
}

/// `ProxySQL`'s clock and the holds that it has, from the answer to [`crate::domain::proxysql::statement::Digests::FindHolds`]; `None` if it has no
/// clock in it.
pub fn found(rows: &[Vec<String>]) -> Option<(i64, Vec<StagingTable>)> {
    let values = || rows.iter().filter_map(|row| row.first());
    let now = values().find_map(|value| value.parse().ok())?;
    Some((now, values().filter_map(|name| StagingTable::parse(name)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_known_by_its_name() {
        let hold = StagingTable::new(DigestSource::Pgsql, 1_795_212_490, Duration::from_mins(10), "1a-2b;");
        assert_eq!(hold.to_string(), "proxysql_agent_dump_pgsql_1795213150_1a2b");
        assert_eq!(StagingTable::parse(&hold.to_string()), Some(hold.clone()));
        assert_eq!(hold.adopted_by(&hold, 3).to_string(), "proxysql_agent_dump_pgsql_1795213150_1a2bn3");
        for other in [
            "proxysql_agent_published_mysql_users",
            "proxysql_agent_dump_",
            "proxysql_agent_dump_mysql_1_",
            "proxysql_agent_dump_mysql_1_a;b",
            "proxysql_agent_dump_mysql_01_a",
            "proxysql_agent_dump_mysql_-1_a",
            "proxysql_agent_dump_mssql_1_a",
        ] {
            assert_eq!(StagingTable::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_hold_belongs_to_its_dump_until_the_dump_must_have_ended() {
        let hold = StagingTable::new(DigestSource::Mysql, 1_000, Duration::from_mins(10), "a");
        assert!(!hold.is_abandoned(1_660));
        assert!(hold.is_abandoned(1_661));
        assert!(hold.given_up().is_abandoned(1_000));
        assert!(!StagingTable::new(DigestSource::Mysql, 1_000, Duration::MAX, "a").is_abandoned(i64::MAX - 1));
    }

    #[test]
    fn clock_and_holds_are_found_in_any_order() {
        let row = |text: &str| vec![text.to_owned()];
        let rows = [row("proxysql_agent_dump_mysql_0_a"), row("1000"), row("proxysql_agent_dump_other")];
        assert_eq!(found(&rows), Some((1_000, vec![StagingTable::parse("proxysql_agent_dump_mysql_0_a").unwrap()])));
        assert_eq!(found(&[]), None);
    }
}
