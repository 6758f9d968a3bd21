//! The corpus: files in the styles that people write them in, made for this test.

use std::fs;
use std::path::Path;

use super::site::Files;
use crate::support::document;

/// All files of the corpus, in the order of their names.
pub(super) fn all() -> Vec<Files> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle/corpus");
    let mut names: Vec<String> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let only = std::env::var("ORACLE_ONLY").unwrap_or_default();
    let is_file = |name: &&String| {
        Path::new(name).extension().is_some_and(|end| end == "cnf") && only.split(',').any(|only| name.contains(only))
    };
    let files = names.iter().filter(is_file).map(|name| {
        let stem = name.trim_end_matches("cnf");
        let beside = names.iter().filter(|other| other.starts_with(stem) && *other != name);
        let included = beside.map(|other| (other[stem.len()..].to_owned(), fs::read(dir.join(other)).unwrap()));
        Files { name: name.clone(), bytes: fs::read(dir.join(name)).unwrap(), included: included.collect() }
    });
    files.collect()
}

/// The lines of a list beside the corpus, in columns.
fn list(name: &str) -> Vec<Vec<String>> {
    let text = document(&format!("tests/it/oracle/{name}"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split(" | ").map(ToOwned::to_owned).collect()).collect()
}

/// The modules that are to be refused.
pub(super) fn refused(name: &str, before: &str) -> Vec<String> {
    let known = list("refused.txt").into_iter().filter(|row| name == row[0] && before.contains(&row[1]));
    known.map(|row| row[2].clone()).collect()
}

/// Says each fault, and keeps those that are not known.
pub(super) fn unknown(mut faults: Vec<String>) -> Vec<String> {
    let known = list("known.txt");
    faults.retain(|fault| !known.iter().any(|row| row[0].split(" * ").all(|word| fault.contains(word))));
    for fault in &faults {
        eprintln!("FAULT {fault}");
    }
    faults
}
