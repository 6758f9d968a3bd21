use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;

use super::encode::Encoder;
use super::*;
use crate::domain::dump::digest::{Layout, header};

const COLUMNS: [&str; 14] = [
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

type Row = Vec<Option<Vec<u8>>>;

/// Bytes that a writer may stumble over, and any others.
fn cell() -> impl Strategy<Value = Option<Vec<u8>>> {
    let odd = prop::sample::select(b"\",\r\n\0'\\;\xff\xc3\xa4 a1-".to_vec());
    prop_oneof![
        Just(None),
        vec(odd, 0..12).prop_map(Some),
        any::<i128>().prop_map(|number| Some(number.to_string().into_bytes())),
        vec(any::<u8>(), 0..300).prop_map(Some),
    ]
}

fn encoded(form: Form, rows: &[Row]) -> Vec<u8> {
    let layout = Layout::of(&COLUMNS).unwrap();
    let mut encoder = Encoder::new(form, 100);
    let mut bytes = Vec::new();
    for row in rows {
        encoder.record(layout.record("pod", |column| row[column].as_deref())).unwrap();
        if encoder.len() > 100 {
            bytes.extend(encoder.take().unwrap());
        }
    }
    bytes.extend(encoder.take().unwrap());
    bytes
}

/// The values of a row in the order of the dump, as they must come back.
fn expected(row: &Row) -> Vec<Vec<u8>> {
    let layout = Layout::of(&COLUMNS).unwrap();
    layout.record("pod", |column| row[column].as_deref()).map(|value| value.bytes().to_vec()).collect()
}

proptest! {
    #[test]
    fn csv_gives_back_every_byte(rows in vec(vec(cell(), COLUMNS.len()), 1..8)) {
        let bytes = encoded(Form::Csv, &rows);
        prop_assert!(bytes.ends_with(b"\r\n"));
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(&bytes[..]);
        prop_assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), header().collect::<Vec<_>>());
        let read: Vec<Vec<Vec<u8>>> =
            reader.byte_records().map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect();
        prop_assert_eq!(read, rows.iter().map(expected).collect::<Vec<_>>());
    }

    #[test]
    fn json_lines_give_back_every_byte(rows in vec(vec(cell(), COLUMNS.len()), 1..8)) {
        let bytes = encoded(Form::Jsonl, &rows);
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        prop_assert_eq!(lines.len(), rows.len());
        for (line, row) in lines.iter().zip(&rows) {
            let object: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
                serde_json::from_str(line).unwrap();
            for (name, bytes) in header().zip(expected(row)) {
                let raw = object[name].get();
                let read = match (object.get(&format!("{name}_hex")), serde_json::from_str::<String>(raw)) {
                    (Some(hex), _) => {
                        let hex: String = serde_json::from_str(hex.get()).unwrap();
                        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
                    }
                    (None, Ok(text)) => text.into_bytes(),
                    (None, Err(_)) if raw == "null" => Vec::new(),
                    // A number, in its own digits.
                    (None, Err(_)) => raw.as_bytes().to_vec(),
                };
                prop_assert_eq!(read, bytes, "{} of {}", name, line);
            }
        }
    }
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn open(path: &Path) -> Result<Dump, WriteError> {
    Dump::open(&Place::File(path.to_owned()), Form::Csv, false)
}

/// Writes so many records; does not publish.
async fn fill(dump: &mut Dump, rows: usize) -> Result<(), WriteError> {
    let layout = Layout::of(&COLUMNS).unwrap();
    for _ in 0..rows {
        dump.record(layout.record("pod", |_| Some(b"0"))).await?;
    }
    dump.finish().await
}

#[tokio::test]
async fn a_file_is_in_its_place_when_it_is_whole() {
    let directory = directory();
    let path = directory.path().join("d.csv");
    fs::write(&path, "old").unwrap();
    let mut dump = open(&path).unwrap();
    fill(&mut dump, 5_000).await.unwrap();
    assert_eq!(names(directory.path()), [".d.csv.0.part", "d.csv"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    dump.commit().unwrap();
    assert_eq!(dump.bytes(), fs::metadata(&path).unwrap().len());
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 5_001);
    drop(dump);
    assert_eq!(names(directory.path()), ["d.csv"]);
}

/// Also over a file that others could read, and at no moment before it is whole.
#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    let directory = directory();
    let path = directory.path().join("digests.csv");
    fs::write(&path, "an older dump").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut dump = open(&path).unwrap();
    let aside = names(directory.path()).into_iter().find(|name| name.starts_with('.')).unwrap();
    assert_eq!(mode(&directory.path().join(aside)), 0o600);
    fill(&mut dump, 3).await.unwrap();
    dump.commit().unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn a_dump_that_is_given_up_leaves_nothing() {
    let directory = directory();
    let path = directory.path().join("d.csv");
    let mut dump = open(&path).unwrap();
    fill(&mut dump, 10).await.unwrap();
    drop(dump);
    assert!(names(directory.path()).is_empty());
}

#[tokio::test]
async fn two_dumps_into_one_place_are_both_whole() {
    let directory = directory();
    let path = directory.path().join("d.csv");
    let (mut one, mut other) = (open(&path).unwrap(), open(&path).unwrap());
    fill(&mut one, 10).await.unwrap();
    fill(&mut other, 20).await.unwrap();
    other.commit().unwrap();
    // A third begins and ends in between.
    drop(open(&path).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 21);
    one.commit().unwrap();
    drop((one, other));
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 11);
    assert_eq!(names(directory.path()), ["d.csv"]);
}

#[tokio::test]
async fn what_a_killed_dump_left_is_removed_and_nothing_else() {
    let directory = directory();
    let path = directory.path().join("d.csv");
    let others = [".d.csv.part", ".d.csv.x.part", ".d.csv.1.parts", ".e.csv.0.part", "d.csv.0.part"];
    for name in others.iter().chain(&[".d.csv.0.part", ".d.csv.17.part"]) {
        fs::write(directory.path().join(name), "left").unwrap();
    }
    let dump = open(&path).unwrap();
    let mut left: Vec<_> = others.to_vec();
    left.push(".d.csv.0.part");
    left.sort_unstable();
    assert_eq!(names(directory.path()), left);
    assert_eq!(fs::read(directory.path().join(".d.csv.0.part")).unwrap(), b"");
    drop(dump);
}

#[tokio::test]
async fn what_cannot_be_written_is_known_before_anything_is_read() {
    let directory = directory();
    let error = open(directory.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write {}: it is a directory", directory.path().display()));
    let missing = directory.path().join("none/d.csv");
    let error = open(&missing).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot write {}: No such file", missing.display())), "{error}");
}

#[tokio::test]
async fn a_device_is_written_to_and_not_replaced() {
    let mut dump = open(Path::new("/dev/full")).unwrap();
    let error = fill(&mut dump, 1).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot write /dev/full: No space left on device"), "{error}");
    let mut dump = open(Path::new("/dev/full")).unwrap();
    let error = fill(&mut dump, 100_000).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot write /dev/full: No space left on device"), "{error}");
    let mut dump = open(Path::new("/dev/null")).unwrap();
    fill(&mut dump, 1).await.unwrap();
    dump.commit().unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[tokio::test]
async fn a_link_is_followed() {
    let directory = directory();
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink("real", &link).unwrap();
    let mut dump = open(&link).unwrap();
    fill(&mut dump, 1).await.unwrap();
    dump.commit().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap().lines().count(), 2);
}

#[tokio::test]
async fn gzip_is_gzip() {
    let directory = directory();
    let path = file_in(directory.path(), "host", Form::Jsonl, true);
    assert!(path.as_os_str().as_bytes().ends_with(b"/host-digests.jsonl.gz"));
    let mut dump = Dump::open(&Place::File(path.clone()), Form::Jsonl, true).unwrap();
    fill(&mut dump, 5_000).await.unwrap();
    dump.commit().unwrap();
    let mut text = String::new();
    let mut reader = flate2::read::GzDecoder::new(File::open(&path).unwrap());
    io::Read::read_to_string(&mut reader, &mut text).unwrap();
    assert_eq!(text.lines().count(), 5_000);
    assert_eq!(dump.bytes(), fs::metadata(&path).unwrap().len());
}

#[test]
fn a_host_cannot_name_another_directory() {
    let path = file_in(Path::new("/d"), "../x", Form::Csv, false);
    assert_eq!(path, PathBuf::from("/d/.._x-digests.csv"));
}
