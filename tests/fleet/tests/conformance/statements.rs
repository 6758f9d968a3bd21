//! Recorded statements have the recorded answers, in their order.

use std::collections::HashMap;

use proxysql_fleet::client::{Client, Reply};
use proxysql_fleet::node::{AdminError, Cnf};

use crate::conformance::bench::{Bench, kinds};

const RECORDED: &str = include_str!("../../fixtures/statements.tsv");

/// The configuration that the answers depend on.
const SECTIONS: &str = r#"
mysql_servers=( { address="127.0.0.31", port=3306, hostgroup=1 }, { address="127.0.0.31", port=3307, hostgroup=2 } )
mysql_users=( { username="app", password="app", default_hostgroup=2, active=1 } )
mysql_query_rules=
(
  { rule_id=10, active=1, match_digest="^SELECT .* FOR UPDATE", destination_hostgroup=1, apply=1 },
  { rule_id=20, active=1, match_digest="^SELECT", destination_hostgroup=2, apply=1 }
)
"#;

struct Recorded {
    user: String,
    sql: String,
    kind: String,
    first: String,
    second: String,
}

fn recorded(dir: &str) -> Vec<Recorded> {
    let plain = |text: &str| text.replace("\\n", "\n").replace("{dir}", dir);
    RECORDED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t').map(plain);
            let mut next = || fields.next().unwrap_or_default();
            Recorded { user: next(), sql: next(), kind: next(), first: next(), second: next() }
        })
        .collect()
}

/// An answer in the words of the fixture, wherever that is precise.
fn told(answer: Result<Reply, AdminError>, wanted: &Recorded) -> String {
    match answer {
        Ok(Reply::Ok { affected, info }) => {
            let affected = if wanted.first == "*" { "*".to_owned() } else { affected.to_string() };
            format!("ok {affected} {info}")
        }
        Ok(Reply::Rows { columns, rows }) => {
            let columns: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
            let values = match wanted.second.as_str() {
                "*" => "*".to_owned(),
                count if count.starts_with('#') => format!("#{}", rows.len()),
                _ if rows.is_empty() => "none".to_owned(),
                _ => {
                    let row = |row: &Vec<Option<String>>| {
                        row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(" | ")
                    };
                    rows.iter().map(row).collect::<Vec<_>>().join("/")
                }
            };
            format!("rows {} {values}", columns.join(" | "))
        }
        Err(error) => format!("err {} {}", error.code, error.text),
        Ok(other) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn recorded_statements_have_the_recorded_answers() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let spec = bench.spec("core");
        let cnf =
            Cnf { seeds: vec![(spec.ip.to_string(), spec.admin_port)], extra: SECTIONS.to_owned(), ..Cnf::default() };
        let dir = spec.dir.to_string_lossy().into_owned();
        let node = bench.node(spec, &cnf).await;
        let mut clients = HashMap::new();
        for user in ["radmin", "stats"] {
            let client = Client::connect(node.spec().admin(), user, user).await.expect("a login");
            clients.insert(user.to_owned(), client);
        }
        let mut unlike = Vec::new();
        for wanted in recorded(&dir) {
            let client = clients.get_mut(&wanted.user).expect("one of the two logins");
            let got = told(client.query(&wanted.sql).await, &wanted);
            let expected = format!("{} {} {}", wanted.kind, wanted.first, wanted.second);
            if got != expected {
                unlike.push(format!("{}\n  recorded {expected}\n  answered {got}", wanted.sql));
            }
        }
        assert!(
            unlike.is_empty(),
            "on {}:\n{}",
            if node.is_real() { "the binary" } else { "the stand-in" },
            unlike.join("\n")
        );
    }
}
