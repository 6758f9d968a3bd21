//! One row of query digests, from any `ProxySQL`, as one record of the dump.
//!
//! Columns are found by name, never by place: 1.4 has neither `client_address` nor the sums of rows, 2.0 put `client_address`
//! in the middle, and the table of PostgreSQL's digests has `database` where MySQL's has `schemaname`.

/// Source of the digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestSource {
    /// Of clients that speak MySQL.
    Mysql,
    /// Of clients that speak PostgreSQL; `ProxySQL` has them from 3.0 on.
    Pgsql,
}

impl DigestSource {
    /// The word for it in the names of tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Pgsql => "pgsql",
        }
    }
}

/// What a column of the dump holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    Text,
    Number,
    Time,
}

/// A column of the dump, and where it comes from.
struct DigestColumn {
    name: &'static str,
    kind: ColumnKind,
    /// The names that it has in `ProxySQL`'s tables.
    known_as: &'static [&'static str],
    /// Whether every `ProxySQL` has it, so that its absence means that the table is not what it seems.
    always: bool,
}

const fn column(name: &'static str, kind: ColumnKind, known_as: &'static [&'static str], always: bool) -> DigestColumn {
    DigestColumn { name, kind, known_as, always }
}

/// The columns after `pod_name`, in their order.
const COLUMNS: [DigestColumn; 14] = [
    column("hostgroup", ColumnKind::Number, &["hostgroup"], true),
    column("schemaname", ColumnKind::Text, &["schemaname", "database"], true),
    column("username", ColumnKind::Text, &["username"], true),
    column("digest", ColumnKind::Text, &["digest"], true),
    column("digest_text", ColumnKind::Text, &["digest_text"], true),
    column("count_star", ColumnKind::Number, &["count_star"], true),
    column("first_seen", ColumnKind::Time, &["first_seen"], true),
    column("last_seen", ColumnKind::Time, &["last_seen"], true),
    column("sum_time_us", ColumnKind::Number, &["sum_time"], true),
    column("min_time_us", ColumnKind::Number, &["min_time"], true),
    column("max_time_us", ColumnKind::Number, &["max_time"], true),
    column("sum_rows_affected", ColumnKind::Number, &["sum_rows_affected"], false),
    column("sum_rows_sent", ColumnKind::Number, &["sum_rows_sent"], false),
    column("client_address", ColumnKind::Text, &["client_address"], false),
];

/// The names of the dump's columns, in their order. Times are RFC 3339 in UTC, `_us` are microseconds.
pub fn header() -> impl Iterator<Item = &'static str> {
    std::iter::once("pod_name").chain(COLUMNS.iter().map(|column| column.name))
}

/// One value of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestValue<'a> {
    /// NULL, or a column that this `ProxySQL` does not have.
    Absent,
    /// Bytes as they came; mostly, but not always, UTF-8.
    Text(&'a [u8]),
    /// A whole number of any size, in the digits in which it came.
    Number(&'a [u8]),
    /// A moment, such as `2026-11-20T22:01:30Z`.
    Time([u8; 20]),
}

impl DigestValue<'_> {
    /// The value as text; nothing for an absent one.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Absent => &[],
            Self::Text(bytes) | Self::Number(bytes) => bytes,
            Self::Time(bytes) => bytes,
        }
    }
}

/// A table that does not have a column which the digests of every `ProxySQL` have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingColumn(&'static str);

impl std::fmt::Display for MissingColumn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProxySQL's table of query digests has no column {}", self.0)
    }
}

impl std::error::Error for MissingColumn {}

/// Where the columns of the dump are in the rows of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout([Option<usize>; COLUMNS.len()]);

impl Layout {
    /// Finds the columns in an answer whose columns have these names.
    ///
    /// # Errors
    /// A column that must be there is not.
    pub fn of<S: AsRef<str>>(names: &[S]) -> Result<Self, MissingColumn> {
        let mut places = [None; COLUMNS.len()];
        for (place, column) in places.iter_mut().zip(&COLUMNS) {
            *place = names.iter().position(|name| column.known_as.contains(&name.as_ref()));
            if place.is_none() && column.always {
                return Err(MissingColumn(column.known_as[0]));
            }
        }
        Ok(Self(places))
    }

    /// The record of the row whose values `row` gives by their place, seen from the pod `pod`; in the order of [`header`].
    pub fn record<'a>(
        &self,
        pod: &'a str,
        row: impl Fn(usize) -> Option<&'a [u8]>,
    ) -> impl Iterator<Item = DigestValue<'a>> {
        let values = self.0.iter().zip(&COLUMNS).map(move |(place, column)| {
            let Some(bytes) = place.and_then(&row) else { return DigestValue::Absent };
            match column.kind {
                ColumnKind::Text => DigestValue::Text(bytes),
                ColumnKind::Number => number(bytes),
                ColumnKind::Time => time(bytes),
            }
        });
        std::iter::once(DigestValue::Text(pod.as_bytes())).chain(values)
    }
}

/// A number where the text is one as JSON and CSV readers write it; else the text, so that nothing is lost.
fn number(bytes: &[u8]) -> DigestValue<'_> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let plain = matches!(digits, [b'0'] | [b'1'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
    if plain { DigestValue::Number(bytes) } else { DigestValue::Text(bytes) }
}

/// A moment where the text is a number of seconds since 1970 in the years 0000 to 9999, which are all that RFC 3339 can say;
/// else what came.
fn time(bytes: &[u8]) -> DigestValue<'_> {
    let seconds = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    seconds.and_then(rfc3339).map_or_else(|| number(bytes), DigestValue::Time)
}

/// Days from 0000-03-01, on which the count below begins, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const DAYS_IN_400_YEARS: i64 = 146_097;

fn rfc3339(seconds: i64) -> Option<[u8; 20]> {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Years are counted from March, so that the odd day comes last: the well-known `civil_from_days` of H. Hinnant.
    let days = days + DAYS_TO_1970;
    let (era, day) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    if !(0..=9_999).contains(&year) {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00Z";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], second / 3_600);
    put(&mut text[14..16], second / 60 % 60);
    put(&mut text[17..19], second % 60);
    Some(text)
}

/// Fills the place with the last digits of a number that is not negative.
fn put(place: &mut [u8], mut number: i64) {
    for digit in place.iter_mut().rev() {
        // Less than ten: it fits.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1_4: [&str; 11] = [
        "hostgroup",
        "schemaname",
        "username",
        "digest",
        "digest_text",
        "count_star",
        "first_seen",
        "last_seen",
        "sum_time",
        "min_time",
        "max_time",
    ];
    const V2_0: [&str; 14] = [
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

    fn record<'a>(names: &[&str], row: &'a [&'a str]) -> Vec<DigestValue<'a>> {
        let layout = Layout::of(names).unwrap();
        layout.record("pod", |i| row.get(i).map(|text| text.as_bytes())).collect()
    }

    fn at(seconds: &str) -> String {
        String::from_utf8_lossy(time(seconds.as_bytes()).bytes()).into_owned()
    }

    #[test]
    fn the_header_is_as_promised() {
        assert_eq!(
            header().collect::<Vec<_>>().join(","),
            "pod_name,hostgroup,schemaname,username,digest,digest_text,count_star,first_seen,last_seen,sum_time_us,\
             min_time_us,max_time_us,sum_rows_affected,sum_rows_sent,client_address"
        );
    }

    #[test]
    fn columns_are_found_by_name_in_every_schema() {
        let old = record(&V1_4, &["-1", "db", "u", "0xA", "SELECT ?", "3", "0", "60", "9", "1", "5"]);
        assert_eq!(old[1], DigestValue::Number(b"-1"));
        assert_eq!(old[5], DigestValue::Text(b"SELECT ?"));
        assert_eq!(old[8].bytes(), b"1970-01-01T00:01:00Z");
        assert_eq!(old[12..], [DigestValue::Absent; 3]);
        let row = ["1", "db", "u", "10.0.0.1", "0xA", "SELECT ?", "3", "0", "60", "9", "1", "5", "7", "8"];
        let new = record(&V2_0, &row);
        assert_eq!(new[4], DigestValue::Text(b"0xA"));
        assert_eq!(new[12..], [DigestValue::Number(b"7"), DigestValue::Number(b"8"), DigestValue::Text(b"10.0.0.1")]);
        let names = V2_0.map(|name| if name == "schemaname" { "database" } else { name });
        assert_eq!(record(&names, &row), new);
    }

    #[test]
    fn a_table_without_what_every_proxysql_has_is_named() {
        let error = Layout::of(&V1_4[..10]).unwrap_err();
        assert_eq!(error.to_string(), "ProxySQL's table of query digests has no column max_time");
    }

    #[test]
    fn times_are_utc_of_any_size_that_rfc_3339_can_say() {
        assert_eq!(at("0"), "1970-01-01T00:00:00Z");
        assert_eq!(at("-1"), "1969-12-31T23:59:59Z");
        assert_eq!(at("951782400"), "2000-02-29T00:00:00Z");
        assert_eq!(at("1795212490"), "2026-11-20T22:08:10Z");
        assert_eq!(at("4294967296"), "2106-02-07T06:28:16Z");
        assert_eq!(at("253402300799"), "9999-12-31T23:59:59Z");
        assert_eq!(at("-62167219200"), "0000-01-01T00:00:00Z");
        assert_eq!(at("253402300800"), "253402300800");
        assert_eq!(at("-62167219201"), "-62167219201");
        assert_eq!(at("9223372036854775807"), "9223372036854775807");
        assert_eq!(at("99999999999999999999"), "99999999999999999999");
        assert_eq!(at("soon"), "soon");
    }

    #[test]
    fn a_number_is_what_json_calls_one() {
        for text in ["0", "-1", "18446744073709551615", "123456789012345678901234567890"] {
            assert_eq!(number(text.as_bytes()), DigestValue::Number(text.as_bytes()));
        }
        for text in ["", "-", "01", "+1", "1.5", "1e3", " 1", "0x1", "-01"] {
            assert_eq!(number(text.as_bytes()), DigestValue::Text(text.as_bytes()));
        }
    }

    proptest::proptest! {
        /// Against the calendar counted day by day.
        #[test]
        fn every_day_follows_the_one_before(day in -700_000_i64..2_900_000) {
            let text = |day: i64| rfc3339(day * 86_400).map(|text| String::from_utf8_lossy(&text[..10]).into_owned());
            if let (Some(today), Some(tomorrow)) = (text(day), text(day + 1)) {
                let part = |text: &str, range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap();
                let (y, m, d) = (part(&today, 0..4), part(&today, 5..7), part(&today, 8..10));
                let leap = y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
                let days = match m { 2 => 28 + u32::from(leap), 4 | 6 | 9 | 11 => 30, _ => 31 };
                let next = match (m, d) {
                    (12, 31) => (y + 1, 1, 1),
                    (_, d) if d == days => (y, m + 1, 1),
                    _ => (y, m, d + 1),
                };
                proptest::prop_assert_eq!(tomorrow, format!("{:04}-{:02}-{:02}", next.0, next.1, next.2));
            }
        }
    }
}
