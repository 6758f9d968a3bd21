//! File, disk, memory and runtime of one node.

use crate::conformance::bench::{Bench, RULES, cores, kinds, patterns, publish, run, sum};

#[tokio::test]
async fn an_existing_database_is_preferred_to_the_file() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let mut core = cores(&bench, 1, "^FILE").await.remove(0);
        publish(&core, "^DISK").await;
        run(&core, "SAVE MYSQL QUERY RULES TO DISK").await;
        core.restart(false).await.expect("a restart");
        assert_eq!(patterns(&core).await, ["^DISK"]);
        let own = sum(&core, RULES).await;
        assert_eq!(own.version, 1);
        run(&core, "LOAD MYSQL QUERY RULES FROM CONFIG").await;
        let rows = core.query("SELECT match_pattern FROM mysql_query_rules").await.unwrap();
        assert_eq!(rows, [[Some("^FILE".to_owned())]]);
        run(&core, "SAVE MYSQL QUERY RULES TO MEMORY").await;
        let rows = core.query("SELECT match_pattern FROM mysql_query_rules").await.unwrap();
        assert_eq!(rows, [[Some("^DISK".to_owned())]]);
    }
}

#[tokio::test]
async fn the_file_is_read_again_at_each_load_and_deletes_nothing() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let core = cores(&bench, 1, "^FILE").await.remove(0);
        let file = core.spec().dir.join("proxysql.cnf");
        let text = std::fs::read_to_string(&file).expect("the file");
        run(&core, "INSERT INTO mysql_query_rules (rule_id,active,match_pattern) VALUES (2,1,'^ROGUE')").await;
        std::fs::write(&file, text.replace("^FILE", "^EDITED")).expect("a new file");
        run(&core, "LOAD MYSQL QUERY RULES FROM CONFIG").await;
        run(&core, "LOAD MYSQL QUERY RULES TO RUNTIME").await;
        assert_eq!(patterns(&core).await, ["^EDITED", "^ROGUE"]);
        let refusal = format!("ProxySQL Admin Error: Unable to open or parse config file {}", file.display());
        std::fs::write(&file, "mysql_query_rules = ( {").expect("a broken file");
        let error = core.query("LOAD MYSQL QUERY RULES FROM CONFIG").await.expect_err("a refusal");
        assert_eq!((error.code, &error.text), (1045, &refusal));
        std::fs::remove_file(&file).expect("no file");
        let error = core.query("LOAD PROXYSQL SERVERS FROM CONFIG").await.expect_err("a refusal");
        assert_eq!((error.code, &error.text), (1045, &refusal));
        std::fs::write(&file, "datadir=\"/tmp\"\n").expect("a file without the section");
        run(&core, "LOAD MYSQL QUERY RULES FROM CONFIG").await;
        assert_eq!(patterns(&core).await, ["^EDITED", "^ROGUE"]);
    }
}
