//! What a fresh start makes of each file of the corpus, as a real ProxySQL 2.7.1 has it: the stand-in is held to that, and so is any
//! other ProxySQL. With `UPDATE_REFERENCE=1` and `PROXYSQL_BIN` it is written down anew.

use std::fmt::Write as _;

use futures_util::stream::{self, StreamExt as _};

use super::corpus;
use super::site::{Files, LEAST, Lone};
use super::tables::{Look, short};
use crate::support::{document, held};

/// Every row of every table, and the variables that are not as they are by themselves.
fn recorded(look: &Look, least: &Look) -> String {
    let mut text = String::new();
    for (table, rows) in &look.0 {
        if rows.is_empty() || table == "global_variables" {
            continue;
        }
        let _ = writeln!(text, "{table}");
        for row in rows {
            let shown = short(row);
            let is_default = table == "runtime_global_variables" && least.rows(table).contains(row);
            if !is_default {
                let _ = writeln!(text, "  {shown}");
            }
        }
    }
    text
}

async fn start(files: &Files) -> Look {
    Lone::start(files).await.look().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_start_with_a_file_of_the_corpus_is_as_it_was_recorded() {
    let least = start(&Files::of("least", LEAST)).await;
    let looks = stream::iter(corpus::all()).map(async |files| (start(&files).await, files)).buffered(4);
    let looks: Vec<(Look, Files)> = looks.collect().await;
    let mut wrong = Vec::new();
    let updates = std::env::var_os("UPDATE_REFERENCE").is_some() && std::env::var_os("PROXYSQL_BIN").is_some();
    for (look, files) in looks {
        let name = format!("tests/it/oracle/fresh/{}", files.name.replace(".cnf", ".txt"));
        let text = recorded(&look, &least);
        if updates {
            held(&name, &text);
            continue;
        }
        let known = document(&name);
        let (is, of): (Vec<&str>, Vec<&str>) = (text.lines().collect(), known.lines().collect());
        wrong.extend(of.iter().filter(|line| !is.contains(line)).map(|line| format!("{}: missing{line}", files.name)));
        wrong.extend(is.iter().filter(|line| !of.contains(line)).map(|line| format!("{}: extra{line}", files.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
