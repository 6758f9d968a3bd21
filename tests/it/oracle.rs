//! The oracle: whatever a file says and whatever was in effect before, publishing it leaves in effect what a ProxySQL has that starts
//! fresh with it. Then there is nothing left to do: not for `plan`, not for a second pass, not for another agent, not for a new
//! ProxySQL beside it.
//!
//! `PROXYSQL_BIN` has it asked of a real one. `ORACLE_EDITS` is the number of random edits, `ORACLE_SEED` where they begin,
//! `ORACLE_ONLY` parts of files' names with commas between them, and `ORACLE_MONITOR` has a real ProxySQL's monitor run.

mod corpus;
mod edit;
mod fresh;
mod judge;
mod site;
mod tables;

use futures_util::stream::{self, StreamExt as _};

use self::edit::{Dice, Doc};
use self::judge::{Trial, faults};
use self::site::{Files, Site};

/// What is in effect before the first file: that of the usual rig.
const SAMPLE: &str = include_str!("oracle/sample.cnf");

/// What somebody has done by hand meanwhile, to every table that a file has words for, and to some it has none for.
const BY_HAND: [&str; 15] = [
    "INSERT OR REPLACE INTO mysql_servers (hostgroup_id, hostname, port, weight) VALUES (77, '127.0.62.77', 3377, 7)",
    "UPDATE mysql_servers SET max_connections=17",
    "INSERT OR REPLACE INTO mysql_replication_hostgroups (writer_hostgroup, reader_hostgroup, comment) VALUES (770, 771, 'by hand')",
    "INSERT OR REPLACE INTO mysql_servers_ssl_params (hostname, port, username, ssl_ca) VALUES ('127.0.62.77', 3377, '', '/by/hand')",
    "LOAD MYSQL SERVERS TO RUNTIME",
    "INSERT OR REPLACE INTO mysql_users (username, password, default_hostgroup) VALUES ('by-hand', 'by-hand', 77)",
    "UPDATE mysql_users SET max_connections=17",
    "LOAD MYSQL USERS TO RUNTIME",
    "INSERT OR REPLACE INTO mysql_query_rules (rule_id, active, match_digest, apply) VALUES (770, 1, '^BY HAND', 1)",
    "UPDATE mysql_query_rules SET apply=1-apply",
    "LOAD MYSQL QUERY RULES TO RUNTIME",
    "SET mysql-max_connections=1717",
    "LOAD MYSQL VARIABLES TO RUNTIME",
    "SET admin-refresh_interval=1717",
    "LOAD ADMIN VARIABLES TO RUNTIME",
];

/// Tries files one after the other, each on what the one before it has left; answers what is wrong.
async fn tried(chain: Vec<Files>, monitor: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut site = Site::start(&Files::of("sample", SAMPLE), monitor).await;
    let (mut last, last_of_all) = ("sample".to_owned(), chain.len());
    for (number, files) in chain.into_iter().enumerate() {
        if number % 2 == 1 {
            site.by_hand(&BY_HAND).await;
            last += " and by hand";
        }
        let trial = Trial { files: &files, before: &last, edit: None };
        let mut found = faults(&mut site, &trial).await;
        // A new ProxySQL for each takes its time: of the stand-in's one in a chain.
        let others = is_real() || number + 1 == last_of_all;
        found.extend(if others {
            judge::with_others(&mut site, &trial).await
        } else {
            judge::with_another_agent(&mut site, &trial).await
        });
        eprintln!("{} after {last}: {} faults", files.name, found.len());
        wrong.extend(found);
        last.clone_from(&files.name);
    }
    wrong
}

/// The part of the corpus that is one test's, in chains that run side by side.
async fn corpus_part(part: usize, of: usize) {
    // Neighbours stay together: some are made to follow one another.
    let chains: Vec<Vec<Files>> = corpus::all().chunks(5).map(<[Files]>::to_vec).skip(part).step_by(of).collect();
    let wrong: Vec<Vec<String>> =
        stream::iter(chains).map(|chain| tried(chain, with_monitor())).buffer_unordered(at_once()).collect().await;
    report(&wrong.concat());
}

fn is_real() -> bool {
    std::env::var_os("PROXYSQL_BIN").is_some()
}

fn with_monitor() -> bool {
    std::env::var_os("ORACLE_MONITOR").is_some()
}

/// Chains of one test that run side by side.
fn at_once() -> usize {
    if is_real() { 2 } else { 4 }
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corpus_of_files_is_in_effect_as_after_a_fresh_start_part_1() {
    corpus_part(0, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corpus_of_files_is_in_effect_as_after_a_fresh_start_part_2() {
    corpus_part(1, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corpus_of_files_is_in_effect_as_after_a_fresh_start_part_3() {
    corpus_part(2, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corpus_of_files_is_in_effect_as_after_a_fresh_start_part_4() {
    corpus_part(3, 4).await;
}

/// Edits of one random file. A fault names the seed of its chain and the number of its edit: with these as `ORACLE_SEED` and
/// `ORACLE_EDITS`, that chain alone runs, up to there.
const CHAIN: usize = 6;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn edited(seed: usize, edits: usize) -> Vec<String> {
    let mut dice = Dice::new(seed as u64);
    let mut doc = Doc::random(&mut dice);
    let mut site = Site::start(&doc.files("random"), with_monitor()).await;
    let mut wrong = Vec::new();
    for number in 1..=edits {
        let words = doc.edit(&mut dice);
        let files = doc.files(&format!("ORACLE_SEED={seed} ORACLE_EDITS={number}"));
        let trial = Trial { files: &files, before: "the edit before it", edit: Some(&words) };
        wrong.extend(faults(&mut site, &trial).await);
        wrong.extend(judge::with_another_agent(&mut site, &trial).await);
    }
    wrong
}

/// The chains of edits that are one test's, a few of them side by side.
async fn edits_part(part: usize, of: usize) {
    let (first, edits) = (number("ORACLE_SEED", 1), number("ORACLE_EDITS", 50));
    let chains = (0..edits.div_ceil(CHAIN)).map(|chain| (first + chain, (edits - chain * CHAIN).min(CHAIN)));
    let own: Vec<(usize, usize)> = chains.skip(part).step_by(of).collect();
    let wrong: Vec<Vec<String>> =
        stream::iter(own).map(|(seed, edits)| edited(seed, edits)).buffer_unordered(at_once()).collect().await;
    report(&wrong.concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_edits_are_in_effect_as_after_a_fresh_start_part_1() {
    edits_part(0, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_edits_are_in_effect_as_after_a_fresh_start_part_2() {
    edits_part(1, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_edits_are_in_effect_as_after_a_fresh_start_part_3() {
    edits_part(2, 3).await;
}
