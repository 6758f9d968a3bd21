//! `dump.reset`: no digest lost, none counted twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proxysql_fleet::proxysql::{Action, Handle, Rule};

use super::*;

/// Clients that send queries without a pause, as far as the digests show it; how many they have sent.
fn traffic(node: &Handle, goes_on: &AtomicBool, sent: &AtomicU64) {
    let mut number = 0_u64;
    while goes_on.load(Ordering::Relaxed) {
        let digest = number % 50;
        // One batch under one lock: counted, or begun.
        let sql = format!(
            "UPDATE stats.stats_mysql_query_digest_reset SET count_star=count_star+1 WHERE digest='0x{digest}'; \
             INSERT INTO stats.stats_mysql_query_digest_reset \
             SELECT 1,'db','u','','0x{digest}','SELECT {digest}',1,1,1,1,1,1,0,0 WHERE changes()=0"
        );
        node.sql(&sql).expect("the node counts");
        sent.fetch_add(1, Ordering::Relaxed);
        number += 1;
    }
}

/// The tables that dumps have left behind.
async fn holds(stage: &Stage) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_master WHERE name LIKE 'proxysql_agent_dump_%'";
    stage.node.query(sql).await.unwrap().into_iter().map(|row| row[0].clone().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consecutive_dumps_add_up_to_what_was_sent() {
    let stage = Stage::embedded().await;
    stage.script().digest_tables(DigestSchema::V2_7).unwrap();
    let (goes_on, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let clients = {
        let (node, goes_on, sent) = (stage.script().handle(), Arc::clone(&goes_on), Arc::clone(&sent));
        std::thread::spawn(move || traffic(&node, &goes_on, &sent))
    };
    let (mut dumped, mut rows) = (0, 0);
    for turn in 0..12 {
        // Dumps fail in between, in all the ways that they can: what they had read is the next one's.
        match turn % 4 {
            1 => {
                stage.dump(&["--dump.reset=true", "--dump.output=/dev/full"]).await.failed();
            }
            2 => {
                let cut = Action::CutWithin(2_000);
                stage.script().trouble().add(Rule::new(cut).containing("SELECT * FROM (").once());
                stage.dump(&["--dump.reset=true", "--dump.output=/dev/null"]).await.failed();
            }
            3 => {
                let (one, other) = tokio::join!(
                    stage.file("one.csv", &["--dump.reset=true"]),
                    stage.file("other.csv", &["--dump.reset=true"])
                );
                for path in [one, other].iter().filter(|path| path.exists()) {
                    dumped += sum(&read(path), "count_star");
                    std::fs::remove_file(path).unwrap();
                }
            }
            _ => {}
        }
        if turn == 11 {
            goes_on.store(false, Ordering::Relaxed);
            while !clients.is_finished() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        let path = stage.file("d.csv", &["--dump.reset=true"]).await;
        if path.exists() {
            let records = read(&path);
            dumped += sum(&records, "count_star");
            rows += records.len();
            std::fs::remove_file(path).unwrap();
        }
    }
    clients.join().unwrap();
    let sent = sent.load(Ordering::Relaxed);
    assert_eq!(dumped, sent, "in {rows} rows");
    assert!(sent > 100);
    assert_eq!(holds(&stage).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_version_resets() {
    let stage = Stage::embedded().await;
    for (schema, source, rows) in [
        (DigestSchema::V1_4, "mysql", 100),
        (DigestSchema::V2_0, "mysql", 100),
        (DigestSchema::V2_7, "both", 100),
        (DigestSchema::V3_0, "pgsql", 100),
    ] {
        stage.script().seed_digests(100, schema, DigestRow::sample);
        let source = format!("--dump.source={source}");
        let path = stage.file("d.csv", &["--dump.reset=true", &source]).await;
        assert_eq!(read(&path).len(), rows, "{schema:?}");
        std::fs::remove_file(&path).unwrap();
        stage.file("d.csv", &["--dump.reset=true", &source]).await;
        assert!(stage.files().is_empty(), "{schema:?}");
        assert_eq!(holds(&stage).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn both_sources_reset() {
    let stage = Stage::embedded().await;
    stage.script().digest_tables(DigestSchema::V3_0).unwrap();
    for (source, count) in [("mysql", 3), ("pgsql", 4)] {
        let row = format!("1,'db','u','','0xA','SELECT ?',{count},1,1,1,1,1,0,0");
        stage.script().sql(&format!("INSERT INTO stats.stats_{source}_query_digest_reset VALUES ({row})")).unwrap();
    }
    let records = read(&stage.file("d.csv", &["--dump.reset=true", "--dump.source=both"]).await);
    assert_eq!((records.len(), sum(&records, "count_star")), (2, 7));
    let ended = stage.dump(&["--dump.reset=true", "--dump.source=both", "--dump.output=-"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    assert_eq!(holds(&stage).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_killed_dump_held_is_taken_along_once_it_must_have_ended() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    // One whose time is over, one that was given up, and one that a dump is still at.
    for name in ["mysql_1000_a", "mysql_0_b", "mysql_99999999999_c"] {
        let hold = format!("proxysql_agent_dump_{name}");
        let sql = format!("CREATE TABLE main.{hold} AS SELECT * FROM STATS_MYSQL_QUERY_DIGEST WHERE 0");
        stage.node.query(&sql).await.unwrap();
        let row = "1,'db','u','','0xA','SELECT ?',7,1,1,1,1,1,0,0";
        stage.node.query(&format!("INSERT INTO main.{hold} VALUES ({row})")).await.unwrap();
    }
    let records = read(&stage.file("d.csv", &["--dump.reset=true"]).await);
    assert_eq!((records.len(), sum(&records, "count_star")), (12, 55 + 7 + 7));
    assert_eq!(holds(&stage).await, ["proxysql_agent_dump_mysql_99999999999_c"]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_reset() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let ended = stage.dump(&["--dump.reset=true", "--proxysql.username=stats", "--proxysql.password=stats"]).await;
    assert!(ended.reason().contains("needs an administrator"), "{ended:?}");
    let count = stage.node.query("SELECT COUNT(*) FROM stats_mysql_query_digest").await.unwrap();
    assert_eq!(count, [[Some("10".to_owned())]]);
}

#[tokio::test]
async fn proxysql_that_is_not_told_has_the_digests_for_the_next() {
    let stage = Stage::embedded().await;
    stage.seed(10);
    let refuse = Action::Fail { code: 1045, text: "ProxySQL Admin Error: database table is locked".into() };
    stage.script().trouble().add(Rule::new(refuse).containing("DROP TABLE").once());
    let path = stage.out().join("d.csv");
    let ended = stage.dump(&["--dump.reset=true", &format!("--dump.output={}", path.display())]).await;
    assert!(ended.reason().contains("the next dump will repeat these digests"), "{ended:?}");
    assert_eq!(read(&path).len(), 10);
}
