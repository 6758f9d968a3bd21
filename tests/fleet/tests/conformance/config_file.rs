//! What `LOAD ... FROM CONFIG` takes from a file, and what it passes over: recorded from the binary, the same on the stand-in.
//!
//! A case of the fixture: `=== what it shows`, the two statements, the end of the file (lines with `$ ` stand among the variables), `+++ name` with a text that it includes, and after
//! `---` the answers. `{dir}` is the folder, `{e9}` a byte that is no UTF-8. With `UPDATE_RECORDED=1` and a binary the answers are
//! recorded anew.

use std::fs;

use proxysql_fleet::client::{Client, Reply};
use proxysql_fleet::node::{AdminError, Cnf, Node};

use crate::conformance::bench::{Bench, kinds};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/config_file.txt");

struct Case<'a> {
    given: &'a str,
    title: &'a str,
    load: &'a str,
    select: &'a str,
    file: &'a str,
    included: Vec<(&'a str, &'a str)>,
    answers: &'a str,
}

fn cases(fixture: &str) -> Vec<Case<'_>> {
    let blocks = fixture.split("=== ").skip(1);
    blocks
        .map(|block| {
            let (given, answers) = block.split_once("---\n").expect("answers");
            let mut parts = given.split("+++ ");
            let mut lines = parts.next().unwrap_or_default().splitn(4, '\n');
            let mut next = || lines.next().unwrap_or_default();
            let (title, load, select, file) = (next(), next(), next(), next());
            let included = parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).collect();
            Case { given, title, load, select, file, included, answers: answers.trim_end() }
        })
        .collect()
}

fn bytes(text: &str, dir: &str) -> Vec<u8> {
    let text = text.replace("{dir}", dir);
    let mut parts = text.split("{e9}");
    let first = parts.next().unwrap_or_default().as_bytes().to_vec();
    parts.fold(first, |mut bytes, part| {
        bytes.push(0xe9);
        bytes.extend(part.bytes());
        bytes
    })
}

fn told(answer: Result<Reply, AdminError>, dir: &str) -> String {
    match answer {
        Ok(Reply::Ok { affected, .. }) => format!("{affected} entries"),
        Ok(Reply::Rows { rows, .. }) => {
            let row = |row: &Vec<Option<String>>| {
                row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect::<Vec<_>>().join(" | ")
            };
            rows.iter().map(row).collect::<Vec<_>>().join("\n")
        }
        Ok(other) => format!("{other:?}"),
        Err(error) => error.text.replace(dir, "{dir}"),
    }
}

async fn answers(node: &Node, base: &str, case: &Case<'_>) -> String {
    let dir = node.spec().dir.to_string_lossy().into_owned();
    let mut client = Client::connect(node.spec().admin(), "radmin", "radmin").await.expect("a login");
    let (variables, sections): (Vec<&str>, Vec<&str>) = case.file.lines().partition(|line| line.starts_with("$ "));
    let variables = variables.iter().fold(String::new(), |text, line| text + "\n" + &line[2..]);
    let base = base.replace("mysql_variables=\n{", &format!("mysql_variables=\n{{{variables}"));
    let mut file = base.into_bytes();
    file.extend(bytes(&sections.join("\n"), &dir));
    fs::write(node.spec().dir.join("proxysql.cnf"), file).expect("the file is written");
    for (name, text) in &case.included {
        fs::write(node.spec().dir.join(name), bytes(text, &dir)).expect("an included file is written");
    }
    let table = case.select.split("FROM ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a table");
    if table != "global_variables" && !table.starts_with("runtime_") {
        client.query(&format!("DELETE FROM {table}")).await.expect("the table is emptied");
    }
    let load = told(client.query(case.load).await, &dir);
    if table.starts_with("runtime_") {
        let words = case.load.replace("FROM CONFIG", "TO RUNTIME");
        client.query(&words).await.expect("it is loaded");
    }
    format!("{load}\n{}", told(client.query(case.select).await, &dir)).trim_end().to_owned()
}

#[tokio::test]
async fn files_are_read_as_recorded() {
    let recorded = fs::read_to_string(FIXTURE).expect("the fixture");
    let renew = std::env::var_os("UPDATE_RECORDED").is_some();
    for kind in kinds() {
        let is_real = kind.is_some();
        let bench = Bench::new(kind);
        let spec = bench.spec("core");
        let cnf = Cnf { seeds: vec![(spec.ip.to_string(), spec.admin_port)], ..Cnf::default() };
        let base = cnf.render(&spec);
        let node = bench.node(spec, &cnf).await;
        let (mut unlike, mut anew) = (Vec::new(), String::new());
        for case in cases(&recorded) {
            let got = answers(&node, &base, &case).await;
            anew.extend(["=== ", case.given, "---\n", &got, "\n"]);
            if got != case.answers {
                unlike.push(format!("{}\n recorded\n{}\n answered\n{got}", case.title, case.answers));
            }
        }
        if renew && is_real {
            fs::write(FIXTURE, anew).expect("the fixture is written");
        } else {
            let what = if is_real { "the binary" } else { "the stand-in" };
            assert!(renew || unlike.is_empty(), "on {what}:\n{}", unlike.join("\n\n"));
        }
    }
}
