//! What is in a dump.

use std::collections::BTreeMap;

use super::*;

/// Values that are hard on writers and readers: `X'…'` for bytes, else as SQL has them; then as they must come back.
fn odd() -> Vec<[(String, Vec<u8>); 14]> {
    let text = |bytes: &[u8]| (format!("CAST(X'{}' AS TEXT)", hex(bytes)), bytes.to_vec());
    let number = |number: &str| (number.to_owned(), number.as_bytes().to_vec());
    let time = |seconds: &str, text: &str| (seconds.to_owned(), text.as_bytes().to_vec());
    let long: Vec<u8> = (0..65_536_u32).map(|i| b"x,\"\r\n\0\xff'"[i as usize % 8]).collect();
    let texts: Vec<Vec<u8>> = vec![
        b"SELECT a, b FROM t".to_vec(),
        b"\"quoted\"".to_vec(),
        b"two\nlines\r\nand\rmore".to_vec(),
        b"\xff\xfe not \xc3\x28 UTF-8 \x80".to_vec(),
        b"a\0b\0".to_vec(),
        "naïve — 日本語 🦀\u{2028}".as_bytes().to_vec(),
        b"".to_vec(),
        b" blanks \t".to_vec(),
        b"=1+1".to_vec(),
        b"\\N \\\" \\".to_vec(),
        long,
        vec![b'y'; 65_536],
        (0..=255).collect(),
        b"\xef\xbb\xbfmark".to_vec(),
    ];
    let numbers = ["0", "4294967296", "9223372036854775807", "1"];
    let rows = texts.iter().enumerate().map(|(i, bytes)| {
        [
            if i == 0 { number("-1") } else { number(&i.to_string()) },
            text(if i % 2 == 0 { bytes } else { b"db" }),
            text(b"us,er"),
            text(b"10.0.0.1"),
            text(format!("0x{i:016X}").as_bytes()),
            text(bytes),
            number(numbers[i % 4]),
            time("0", "1970-01-01T00:00:00Z"),
            time("4294967296", "2106-02-07T06:28:16Z"),
            number(numbers[(i + 1) % 4]),
            number(numbers[(i + 2) % 4]),
            number("18446744073709551"),
            number("5000000000"),
            number("6000000000"),
        ]
    });
    rows.collect()
}

/// Where the columns of the table are in the dump.
const PLACES: [usize; 14] = [1, 2, 3, 14, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

#[tokio::test]
async fn every_schema_comes_back_byte_for_byte() {
    let stage = Stage::embedded().await;
    for (schema, source, absent) in [
        (DigestSchema::V1_4, "mysql", &[3, 12, 13][..]),
        (DigestSchema::V2_0, "mysql", &[12, 13]),
        (DigestSchema::V2_7, "mysql", &[]),
        (DigestSchema::V3_0, "mysql", &[]),
        (DigestSchema::V3_0, "pgsql", &[]),
    ] {
        let node = stage.script();
        node.digest_tables(schema).unwrap();
        let mut expected = Vec::new();
        for row in odd() {
            let mut record = vec![Vec::new(); 15];
            record[0] = b"pod-0".to_vec();
            let mut values = Vec::new();
            for (i, (sql, bytes)) in row.into_iter().enumerate().filter(|(i, _)| !absent.contains(i)) {
                record[PLACES[i]] = bytes;
                values.push(sql);
            }
            node.sql(&format!("INSERT INTO stats.stats_{source}_query_digest VALUES ({})", values.join(","))).unwrap();
            expected.push(record);
        }
        let path = stage.file("d.csv", &[&format!("--dump.source={source}")]).await;
        assert_eq!(read(&path), expected, "{schema:?}");
        if let Some(read) = read_with_python(&path).await {
            assert_eq!(read, expected, "{schema:?}");
        }
        // Lines end as RFC 4180 has it.
        assert!(std::fs::read(&path).unwrap().ends_with(b"\r\n"));
        std::fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn json_lines_hold_the_same() {
    let stage = Stage::embedded().await;
    stage.script().digest_tables(DigestSchema::V1_4).unwrap();
    let row = "-1, 'db', 'u', '0xA', CAST(X'610062ff22' AS TEXT), 9223372036854775807, 0, 1795212490, 4294967296, 1, 2";
    stage.script().sql(&format!("INSERT INTO stats.stats_mysql_query_digest VALUES ({row})")).unwrap();
    let path = stage.file("d.jsonl", &["--dump.format=jsonl"]).await;
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        concat!(
            r#"{"pod_name":"pod-0","hostgroup":-1,"schemaname":"db","username":"u","digest":"0xA","#,
            "\"digest_text\":\"a\\u0000b\u{fffd}\\\"\",\"digest_text_hex\":\"610062ff22\",",
            r#""count_star":9223372036854775807,"first_seen":"1970-01-01T00:00:00Z","last_seen":"2026-11-20T22:08:10Z","#,
            r#""sum_time_us":4294967296,"min_time_us":1,"max_time_us":2,"sum_rows_affected":null,"sum_rows_sent":null,"#,
            "\"client_address\":null}\n"
        )
    );
}

#[tokio::test]
async fn small_extracts_are_those_that_were_asked_for() {
    let stage = Stage::embedded().await;
    stage.seed(1_000);
    // The sample's counts are 1, 2, 3, …, its times a thousand times that.
    let all = read(&stage.file("all.csv", &[]).await);
    assert_eq!((all.len(), sum(&all, "count_star")), (1_000, 500_500));
    let often = read(&stage.file("often.csv", &["--dump.min_count=900"]).await);
    assert_eq!(often.len(), 101);
    let top = read(&stage.file("top.csv", &["--dump.top=3", "--dump.min_count=2"]).await);
    assert_eq!(sum(&top, "sum_time_us"), 1_000_000 + 999_000 + 998_000);
    assert_eq!(top[0][6], b"1000");
}

#[tokio::test]
async fn both_sources_are_one_after_the_other_where_there_are_two() {
    let stage = Stage::embedded().await;
    stage.script().seed_digests(10, DigestSchema::V3_0, DigestRow::sample);
    assert_eq!(read(&stage.file("d.csv", &["--dump.source=both"]).await).len(), 20);
    stage.seed(10);
    assert_eq!(read(&stage.file("d.csv", &["--dump.source=both"]).await).len(), 10);
    let ended = stage.dump(&["--dump.source=pgsql", "--dump.output=-"]).await;
    assert_eq!(ended.reason(), r#""this ProxySQL version has no PostgreSQL query digests (3.0 or later required)""#);
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn the_file_is_named_after_the_host() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let directory = format!("--dump.directory={}", stage.out().display());
    let ended = stage.dump(&[&directory]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(stage.files(), [format!("{}-digests.csv", host.trim())]);
    // The summary, always.
    let size = std::fs::metadata(stage.out().join(&stage.files()[0])).unwrap().len();
    let summary = ended.stdout.lines().last().unwrap();
    assert!(summary.contains(&format!("rows=10 bytes={size} seconds=0.")), "{summary}");
}

#[tokio::test]
async fn standard_output_has_the_dump_and_nothing_else() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let ended = stage.dump(&["--dump.output=-"]).await;
    assert_eq!(ended.code, Some(0));
    assert_eq!(records(ended.stdout.as_bytes()).len(), 10);
    assert!(ended.stderr.contains("rows=10 "), "{ended:?}");
    let zipped = stage.file("d.csv.gz", &["--dump.compress=gzip"]).await;
    let unzipped = Command::new("gzip").arg("-dc").arg(zipped).output().await.unwrap();
    assert_eq!(unzipped.stdout, ended.stdout.as_bytes());
}

#[tokio::test]
async fn a_terminal_sees_how_far_it_is() {
    let stage = Stage::embedded().await;
    stage.seed(150_000);
    let dump = [vec![BINARY.into()], stage.arguments(), vec![format!("--dump.directory={}", stage.out().display())]];
    let watched = Command::new("script")
        .args(["-qec", &dump.concat().join(" "), "/dev/null"])
        .env("NO_COLOR", "1")
        .output()
        .await;
    let Ok(output) = watched else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: no script(1) to make a terminal");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(" digests, ") && text.contains(" MiB, "), "{text}");
    // The line goes before the summary comes.
    let summary = text.lines().find(|line| line.contains("rows=150000")).unwrap();
    assert!(summary.contains("\r\u{1b}[K"), "{summary:?}");
    // Without a terminal there is nothing but the log.
    let ended = stage.dump(&[&format!("--dump.directory={}", stage.out().display())]).await;
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn no_digests_are_no_file_and_no_failure() {
    let stage = Stage::embedded().await;
    let path = stage.out().join("d.csv");
    std::fs::write(&path, "the last dump").unwrap();
    let ended = stage.dump(&[&format!("--dump.output={}", path.display())]).await;
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("rows=0 bytes=0 "), "{ended:?}");
    // What is there stays: it is the last dump, and whole.
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "the last dump");
    assert_eq!(stage.files(), ["d.csv"]);
    assert_eq!(stage.dump(&["--dump.output=-"]).await.stdout, "");
    let directory = format!("--dump.directory={}", stage.out().display());
    assert_eq!(stage.dump(&[&directory]).await.code, Some(0));
    assert_eq!(stage.files(), ["d.csv"]);
}

#[tokio::test]
async fn two_dumps_at_once_do_no_harm_to_each_other() {
    let stage = Stage::embedded().await;
    stage.seed(20_000);
    let path = stage.out().join("d.csv");
    let output = format!("--dump.output={}", path.display());
    for _ in 0..5 {
        let arguments = [output.as_str()];
        let (one, other, third) = tokio::join!(stage.dump(&arguments), stage.dump(&arguments), stage.dump(&arguments));
        assert_eq!([one.code, other.code, third.code], [Some(0); 3], "{one:?} {other:?} {third:?}");
        let records = read(&path);
        assert_eq!((records.len(), sum(&records, "count_star")), (20_000, 200_010_000));
        assert_eq!(stage.files(), ["d.csv"]);
    }
}

#[tokio::test]
async fn every_digest_is_there_once() {
    let stage = Stage::embedded().await;
    stage.seed(5_000);
    let mut seen = BTreeMap::new();
    for record in read(&stage.file("d.csv", &[]).await) {
        *seen.entry(record[4].clone()).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 5_000);
    assert!(seen.values().all(|times| *times == 1));
}
