//! Random files, and random edits of them: all from a seed, so that what went wrong can be had again.

use std::fmt::Write as _;

use super::site::Files;

/// A stream of numbers that its seed makes: `SplitMix64`.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or_default()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Settings as they stand in the file: a name and a value, quotes and all.
type Settings = Vec<(String, String)>;

/// A file with a row a line.
#[derive(Clone)]
pub(super) struct Doc {
    admin: Settings,
    mysql: Settings,
    /// By section.
    tables: Vec<(&'static str, Vec<Settings>)>,
}

/// What is given to a column: usual values, and some that ProxySQL shows otherwise, or does not take.
type Column = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Values that make a row another one come first. One row in a few has an odd value somewhere.
const SERVERS: &[Column] = &[
    (
        "address",
        &["\"127.0.65.1\"", "\"127.0.65.2\"", "\"127.0.65.3\"", "\"db.example\""],
        &["\"d\\\"b\"", "\"\"", "7"],
    ),
    ("hostgroup", &["10", "20", "30", "40", "0xA"], &["\"10\"", "-1", "20L"]),
    ("port", &["3306", "3307"], &["\"3306\"", "70000", "0xCEA"]),
    ("weight", &["1", "100", "1000"], &["10000001", "\"7\"", "2L"]),
    ("status", &["\"ONLINE\"", "\"OFFLINE_SOFT\""], &["\"online\"", "\"OFFLINE_HARD\"", "\"SHUNNED\"", "\"gone\""]),
    ("max_connections", &["100", "1000"], &["-1", "\"100\"", "0"]),
    ("max_replication_lag", &["0", "10"], &["999999999"]),
    ("use_ssl", &["0", "1"], &["2", "true"]),
    ("comment", &["\"\"", "\"a\"", "\"b c\""], &["\"it's\"", "\"tab\\t\"", "\"say \\\"x\\\"\""]),
];
const USERS: &[Column] = &[
    ("username", &["\"ann\"", "\"bob\"", "\"cid\"", "\"dan\""], &["\"o'hara\"", "\"Ann\"", "\"\""]),
    (
        "password",
        &["\"one\"", "\"two\"", "\"*6BB4837EB74329105EE4568DDA7DC67ED2CA2AD9\""],
        &["\"it's\"", "\"*star\"", "\"\""],
    ),
    ("default_hostgroup", &["10", "20"], &["\"10\"", "-1", "0x14"]),
    ("active", &["1", "0", "1"], &["2", "true", "\"0\""]),
    ("max_connections", &["10", "20"], &["-1", "10L"]),
    ("default_schema", &["\"\"", "\"shop\""], &["\"sh'op\""]),
    ("transaction_persistent", &["0", "1"], &["2"]),
    ("fast_forward", &["0", "1"], &["false"]),
    ("attributes", &["\"\"", "\"{\\\"a\\\":1}\""], &["\"none\""]),
    ("comment", &["\"\"", "\"x\""], &["\"it's\""]),
];
const RULES: &[Column] = &[
    ("rule_id", &["1", "2", "3", "10", "20"], &["\"1\"", "0", "5L"]),
    ("active", &["1", "1", "0"], &["2", "true"]),
    ("match_digest", &["\"^SELECT\"", "\"^INSERT .*\"", "\"FOR UPDATE$\""], &["\"it's\"", "\"a\\\"b\"", "\"\\\\s+\""]),
    ("username", &["\"ann\"", "\"bob\""], &["\"\""]),
    ("destination_hostgroup", &["10", "20"], &["-1", "\"10\""]),
    ("apply", &["0", "1"], &["2", "\"1\""]),
    ("re_modifiers", &["\"CASELESS\"", "\"GLOBAL\""], &["\"caseless\"", "\"GLOBAL,CASELESS\"", "\"\"", "\"NONE\""]),
    ("cache_ttl", &["1000"], &["0", "-1"]),
    ("client_addr", &["\"10.1.%\""], &["\"10.%.1\""]),
    ("digest", &["\"0x0123456789ABCDEF\""], &["\"0xabc\""]),
    ("comment", &["\"c\"", "\"d\""], &["\"it's\""]),
];
const PAIRS: &[Column] = &[
    ("writer_hostgroup", &["10", "30"], &["\"10\"", "-1"]),
    ("reader_hostgroup", &["20", "40"], &["10", "0x14"]),
    ("check_type", &["\"read_only\"", "\"innodb_read_only\""], &["\"READ_ONLY\"", "\"what\""]),
    ("comment", &["\"\"", "\"pair\""], &["\"it's\""]),
];
const GALERA: &[Column] = &[
    ("writer_hostgroup", &["50", "60"], &["-1"]),
    ("backup_writer_hostgroup", &["51", "61"], &["50"]),
    ("reader_hostgroup", &["52", "62"], &["\"52\""]),
    ("offline_hostgroup", &["53", "63"], &["51"]),
    ("max_writers", &["1", "3"], &["-1"]),
    ("writer_is_also_reader", &["0", "1", "2"], &["3"]),
    ("comment", &["\"\"", "\"g\""], &["\"it's\""]),
];
const SCHEDULER: &[Column] = &[
    ("id", &["1", "2", "3"], &["\"1\""]),
    ("interval_ms", &["600000", "700000"], &["5", "\"600000\""]),
    ("filename", &["\"/bin/true\""], &["\"/bin/it's\""]),
    ("active", &["0"], &["2"]),
    ("arg1", &["\"--a\"", "\"--b\""], &["\"it's\""]),
    ("comment", &["\"\"", "\"s\""], &["\"it's\""]),
];
const TABLES: [(&str, &[Column], usize); 6] = [
    ("mysql_servers", SERVERS, 5),
    ("mysql_users", USERS, 3),
    ("mysql_query_rules", RULES, 4),
    ("mysql_replication_hostgroups", PAIRS, 1),
    ("mysql_galera_hostgroups", GALERA, 1),
    ("scheduler", SCHEDULER, 1),
];
/// How many of a table's columns a row must have.
const MANDATORY: usize = 2;

const MYSQL: &[Column] = &[
    ("max_connections", &["2048", "4096"], &["\"1024\"", "0", "5000L", "0x400"]),
    ("server_version", &["\"8.0.30\"", "\"8.0.36\""], &["\"5.1.30\"", "\"five\""]),
    ("default_query_timeout", &["36000000", "7200000"], &["1", "\"1000s\""]),
    ("init_connect", &["\"SET a=1\"", "\"\""], &["\"SET a='x'\"", "\"SET a=\\\"x\\\"\""]),
    ("commands_stats", &["true", "false"], &["1", "\"0\"", "\"maybe\""]),
    ("monitor_password", &["\"m1\"", "\"m2\""], &["\"it's\"", "\"a\\\"b\""]),
    ("monitor_username", &["\"monitor\""], &["\"mon'itor\""]),
    ("wait_timeout", &["28800000", "3600000"], &["-1", "9999999999", "3600000.5"]),
    ("default_charset", &["\"utf8mb4\"", "\"latin1\""], &["\"UTF8\"", "\"klingon\""]),
    ("default_schema", &["\"information_schema\"", "\"test\""], &["\"it's\""]),
    ("mysql-max_stmts_cache", &[], &["100"]),
    ("no_such_variable", &[], &["1"]),
    ("query_retries_on_failure", &["1", "2"], &["-1", "99999"]),
    ("threshold_query_length", &["524288"], &["1"]),
    ("eventslog_filename", &["\"\"", "\"events\""], &[]),
    ("verbose_query_error", &["true", "false"], &["TRUE"]),
    ("free_connections_pct", &["10", "20"], &["200"]),
];
const ADMIN: &[Column] = &[
    ("refresh_interval", &["2000", "3000"], &["\"2500\"", "1", "0x7D0"]),
    ("stats_credentials", &["\"stats:stats\"", "\"stats:other\""], &["\"sta'ts:x\"", "\"nonsense\""]),
    ("restapi_port", &["6070", "6071"], &["99999"]),
    ("vacuum_stats", &["true", "false"], &["\"no\""]),
    ("debug", &[], &["true"]),
    ("cluster_mysql_users_save_to_disk", &["true", "false"], &["0"]),
    ("stats_mysql_connections", &["60"], &["7"]),
];

fn row(dice: &mut Dice, columns: &[Column], mandatory: usize) -> Settings {
    let is_odd = dice.one_in(4);
    let odd = if is_odd { dice.below(columns.len()) } else { columns.len() };
    let mut settings = Settings::new();
    for (i, (name, usual, odds)) in columns.iter().enumerate() {
        if i == odd && !odds.is_empty() {
            settings.push(((*name).to_owned(), dice.pick(odds).to_owned()));
        } else if (i < mandatory || dice.one_in(2)) && !usual.is_empty() {
            settings.push(((*name).to_owned(), dice.pick(usual).to_owned()));
        }
    }
    settings
}

impl Doc {
    /// A file of random rows, most of them usual ones.
    pub(super) fn random(dice: &mut Dice) -> Self {
        let named = |settings: &[(&str, &str)]| {
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Settings>()
        };
        let admin = named(&[
            ("admin_credentials", "\"radmin:radmin;observer:observer;cluster:cluster\""),
            ("mysql_ifaces", "\"@ADMIN@\""),
            ("cluster_username", "\"cluster\""),
            ("cluster_password", "\"cluster\""),
            ("cluster_check_interval_ms", "200"),
        ]);
        let monitor = if dice.one_in(2) { "true" } else { "false" };
        let mysql = named(&[("threads", "2"), ("interfaces", "\"@MYSQL@\""), ("monitor_enabled", monitor)]);
        let mut doc = Self { admin, mysql, tables: Vec::new() };
        doc.admin.extend(row(dice, ADMIN, 1));
        doc.mysql.extend(row(dice, MYSQL, 3));
        for (name, columns, rows) in TABLES {
            let rows = (0..rows).map(|_| row(dice, columns, MANDATORY)).collect();
            doc.tables.push((name, rows));
        }
        doc
    }

    /// Adds, removes or changes one row or variable; answers which, in words.
    pub(super) fn edit(&mut self, dice: &mut Dice) -> String {
        let choice = dice.below(TABLES.len() + 3);
        if choice >= TABLES.len() {
            // Of the first some are what holds the rig together.
            let (name, settings, columns, fixed) = if choice.is_multiple_of(2) {
                ("admin_variables", &mut self.admin, ADMIN, 5)
            } else {
                ("mysql_variables", &mut self.mysql, MYSQL, 3)
            };
            let added = row(dice, columns, columns.len());
            let (variable, value) = added[dice.below(added.len())].clone();
            if settings.len() > fixed && dice.one_in(4) {
                let at = fixed + dice.below(settings.len() - fixed);
                let (variable, value) = settings.remove(at);
                return format!("{name}: -{variable}={value}");
            }
            return if let Some((_, old)) = settings.iter_mut().find(|(known, _)| *known == variable) {
                let words = format!("{name}: {variable}={old} becomes {value}");
                *old = value;
                words
            } else {
                let words = format!("{name}: +{variable}={value}");
                settings.push((variable, value));
                words
            };
        }
        let (name, columns, _) = TABLES[choice];
        let rows = &mut self.tables[choice].1;
        let told =
            |row: &Settings| row.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        match dice.below(3) {
            0 if !rows.is_empty() => {
                let gone = rows.remove(dice.below(rows.len()));
                format!("{name}: -{}", told(&gone))
            }
            1 if !rows.is_empty() => {
                let at = dice.below(rows.len());
                let changed = &mut rows[at];
                let before = told(changed);
                let other = row(dice, columns, columns.len());
                let (column, value) = other[dice.below(other.len())].clone();
                match changed.iter_mut().find(|(known, _)| *known == column) {
                    Some((_, old)) => *old = value,
                    None => changed.push((column, value)),
                }
                format!("{name}: {before} becomes {}", told(changed))
            }
            _ => {
                let added = row(dice, columns, MANDATORY);
                let words = format!("{name}: +{}", told(&added));
                rows.insert(dice.below(rows.len() + 1), added);
                words
            }
        }
    }

    pub(super) fn files(&self, name: &str) -> Files {
        let mut text = "datadir=\"@DIR@\"\n".to_owned();
        for (name, settings) in [("admin_variables", &self.admin), ("mysql_variables", &self.mysql)] {
            let _ = writeln!(text, "{name}=\n{{");
            for (variable, value) in settings {
                let _ = writeln!(text, "    {variable}={value}");
            }
            text += "}\n";
        }
        for (name, rows) in &self.tables {
            let rows: Vec<String> = rows
                .iter()
                .map(|row| {
                    let values: Vec<String> = row.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    format!("    {{ {} }}", values.join(", "))
                })
                .collect();
            let _ = writeln!(text, "{name}=\n(\n{}\n)", rows.join(",\n"));
        }
        Files::of(name, &text)
    }
}

#[test]
fn a_seed_makes_the_same_edits_again() {
    let run = |seed| {
        let mut dice = Dice::new(seed);
        let mut doc = Doc::random(&mut dice);
        let edits: Vec<String> = (0..20).map(|_| doc.edit(&mut dice)).collect();
        (edits, doc.files("x").bytes)
    };
    assert!(run(7) == run(7) && run(7) != run(8));
}
