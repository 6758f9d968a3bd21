//! The corpus: files in the styles that people write them in, made for this test.

use std::fs;
use std::path::Path;

use super::site::Files;

/// Modules that a file must have refused, by its name and what was in effect before.
const REFUSED: [(&str, &str, &[&str]); 0] = [];

/// Faults that are known, by parts of their words, each with the reason.
const KNOWN: [(&str, &str); 0] = [];

/// All files of the corpus, in the order of their names.
pub(super) fn all() -> Vec<Files> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oracle/corpus");
    let mut names: Vec<String> =
        fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let only = std::env::var("ORACLE_ONLY").unwrap_or_default();
    let is_file = |name: &&String| name.ends_with(".cnf") && only.split(',').any(|only| name.contains(only));
    let files = names.iter().filter(is_file).map(|name| {
        let stem = name.trim_end_matches("cnf");
        let beside = names.iter().filter(|other| other.starts_with(stem) && *other != name);
        let included = beside.map(|other| (other[stem.len()..].to_owned(), fs::read(dir.join(other)).unwrap()));
        Files { name: name.clone(), bytes: fs::read(dir.join(name)).unwrap(), included: included.collect() }
    });
    files.collect()
}

/// The modules that are to be refused.
pub(super) fn refused(name: &str, before: &str) -> Vec<&'static str> {
    let known = REFUSED.iter().filter(|(of, after, _)| name == *of && before.contains(after));
    known.flat_map(|(_, _, modules)| modules.iter().copied()).collect()
}

/// Without what is known.
pub(super) fn unknown(mut faults: Vec<String>) -> Vec<String> {
    faults.retain(|fault| !KNOWN.iter().any(|(words, _)| words.split(" * ").all(|word| fault.contains(word))));
    faults
}
