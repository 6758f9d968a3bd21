//! What happens between nodes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proxysql_fleet::node::{Checksum, Cnf, Layer, Node};
use tokio::time::sleep;

use crate::likeness::bench::{Bench, kinds, patterns, rules, run, until};

const RULES: &str = "mysql_query_rules";

/// Nodes that list each other as cores, each with rules of its own.
async fn cores(bench: &Bench, count: usize, pattern: &str) -> Vec<Node> {
    let specs: Vec<_> = (0..count).map(|number| bench.spec(&format!("core{number}"))).collect();
    let seeds: Vec<_> = specs.iter().map(|spec| (spec.ip.to_string(), spec.admin_port)).collect();
    let cnf = Cnf { seeds, extra: rules(&[(1, pattern)]), ..Cnf::default() };
    let mut nodes = Vec::new();
    for spec in specs {
        nodes.push(bench.node(spec, &cnf).await);
    }
    nodes
}

async fn satellite(bench: &Bench, name: &str, of: &[&Node], pattern: &str) -> Node {
    let seeds = of.iter().map(|core| (core.spec().ip.to_string(), core.spec().admin_port)).collect();
    bench.node(bench.spec(name), &Cnf { seeds, extra: rules(&[(1, pattern)]), ..Cnf::default() }).await
}

async fn sum(node: &Node, module: &str) -> Checksum {
    node.checksums().await.expect("an answer").remove(module).expect("one of the modules")
}

/// One rule instead of all, published.
async fn publish(node: &Node, pattern: &str) {
    run(node, "DELETE FROM mysql_query_rules").await;
    run(
        node,
        &format!("INSERT INTO mysql_query_rules (rule_id,active,match_pattern,apply) VALUES (1,1,'{pattern}',1)"),
    )
    .await;
    run(node, "LOAD MYSQL QUERY RULES TO RUNTIME").await;
}

async fn follows(node: &Node, pattern: &str) {
    until(&format!("{} has {pattern}", node.spec().name), || async { patterns(node).await == [pattern] }).await;
}

/// How often a check of a peer has found a module different.
async fn differing(node: &Node, peer: &Node, module: &str) -> u32 {
    seen(node, peer, module, "diff_check").await.parse().expect("a count")
}

async fn seen(node: &Node, peer: &Node, module: &str, column: &str) -> String {
    let sql = format!(
        "SELECT {column} FROM stats_proxysql_servers_checksums WHERE hostname='{}' AND name='{module}'",
        peer.spec().ip
    );
    let rows = node.query(&sql).await.expect("an answer");
    rows.first().and_then(|row| row[0].clone()).expect("a row for the peer")
}

async fn metric(node: &Node, peer: &Node, column: &str) -> i64 {
    let sql = format!("SELECT {column} FROM stats_proxysql_servers_metrics WHERE hostname='{}'", peer.spec().ip);
    let rows = node.query(&sql).await.expect("an answer");
    rows[0][0].as_ref().and_then(|number| number.parse().ok()).expect("a number")
}

/// Until a second has just begun, so that what follows falls into one second.
async fn early_in_a_second() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    sleep(Duration::from_millis(1020 - u64::from(now.subsec_millis()))).await;
}

/// Until loads no longer share a second with those before.
async fn next_second() {
    sleep(Duration::from_millis(1100)).await;
}

async fn hosts(node: &Node, layer: Layer) -> Vec<String> {
    let rows = node.members(layer).await.expect("an answer");
    rows.into_iter().map(|row| row.hostname).collect()
}

#[tokio::test]
async fn an_unlisted_satellite_pulls_what_a_core_has_loaded() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let core = cores(&bench, 1, "^CORE").await.remove(0);
        let satellite = satellite(&bench, "sat", &[&core], "^SAT").await;
        // Version 1 is not pulled from, however long it differs.
        until("the difference counts", || async { differing(&satellite, &core, RULES).await > 5 }).await;
        assert_eq!(patterns(&satellite).await, ["^SAT"]);
        run(&core, "LOAD MYSQL QUERY RULES TO RUNTIME").await;
        follows(&satellite, "^CORE").await;
        let (own, theirs) = (sum(&satellite, RULES).await, sum(&core, RULES).await);
        assert_eq!((own.version, own.epoch, &own.checksum), (2, theirs.epoch, &theirs.checksum));
        let disk = satellite.query("SELECT match_pattern FROM disk.mysql_query_rules").await.unwrap();
        assert_eq!(disk, [[Some("^CORE".to_owned())]]);
        assert_eq!(hosts(&core, Layer::Runtime).await, [core.spec().ip.to_string()]);
        until("the core knows of its client", || async {
            let sql = "SELECT admin_mysql_ifaces FROM stats_proxysql_servers_clients_status";
            core.query(sql).await.is_ok_and(|rows| rows.contains(&vec![Some(satellite.spec().admin().to_string())]))
        })
        .await;
        // What a satellite loads stays there, until the core loads again.
        next_second().await;
        publish(&satellite, "^LOCAL").await;
        sleep(Duration::from_millis(1500)).await;
        assert_eq!((patterns(&core).await, patterns(&satellite).await), (vec!["^CORE".into()], vec!["^LOCAL".into()]));
        publish(&core, "^AGAIN").await;
        follows(&satellite, "^AGAIN").await;
    }
}

#[tokio::test]
async fn a_fresh_node_takes_the_list_of_members_and_all_that_was_loaded() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let cores = cores(&bench, 2, "^OLD").await;
        for module in ["MYSQL QUERY RULES", "MYSQL USERS", "MYSQL SERVERS", "PROXYSQL SERVERS"] {
            run(&cores[0], &format!("LOAD {module} TO RUNTIME")).await;
        }
        let fresh = satellite(&bench, "fresh", &[&cores[0]], "^NEW").await;
        follows(&fresh, "^OLD").await;
        let both: Vec<String> = cores.iter().map(|core| core.spec().ip.to_string()).collect();
        until("the list has both cores", || async {
            let mut listed = hosts(&fresh, Layer::Disk).await;
            listed.sort();
            let mut both = both.clone();
            both.sort();
            listed == both
        })
        .await;
    }
}

#[tokio::test]
async fn a_load_without_a_change_moves_its_own_node_alone() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let cores = cores(&bench, 2, "^SAME").await;
        until("the peers are seen", || async {
            seen(&cores[1], &cores[0], RULES, "checksum").await == sum(&cores[0], RULES).await.checksum
        })
        .await;
        next_second().await;
        let modules = [
            ("MYSQL SERVERS", "mysql_servers"),
            ("MYSQL SERVERS", "mysql_servers_v2"),
            ("MYSQL USERS", "mysql_users"),
            ("MYSQL QUERY RULES", "mysql_query_rules"),
            ("MYSQL VARIABLES", "mysql_variables"),
            ("ADMIN VARIABLES", "admin_variables"),
            ("PROXYSQL SERVERS", "proxysql_servers"),
        ];
        let other = cores[1].checksums().await.unwrap();
        for (words, name) in modules {
            let before = sum(&cores[0], name).await;
            run(&cores[0], &format!("LOAD {words} TO RUNTIME")).await;
            let after = sum(&cores[0], name).await;
            assert_eq!((after.version, &after.checksum), (before.version + 1, &before.checksum), "{name}");
            assert!(after.epoch >= before.epoch, "{name}");
        }
        until("the versions are seen", || async {
            seen(&cores[1], &cores[0], "proxysql_servers", "version").await == "2"
        })
        .await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!(cores[1].checksums().await.unwrap(), other);
    }
}

#[tokio::test]
async fn an_old_core_that_loads_again_puts_the_old_configuration_back() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let mut cores = cores(&bench, 2, "^OLD").await;
        publish(&cores[0], "^NEW").await;
        follows(&cores[1], "^NEW").await;
        // Down while something newer is published: it has that when it is back, and on disk.
        cores[1].kill().await;
        next_second().await;
        publish(&cores[0], "^NEWER").await;
        cores[1].restart(false).await.expect("a restart");
        follows(&cores[1], "^NEWER").await;
        // Its file is the old one, and wins by being loaded.
        next_second().await;
        run(&cores[1], "LOAD MYSQL QUERY RULES FROM CONFIG").await;
        run(&cores[1], "LOAD MYSQL QUERY RULES TO RUNTIME").await;
        follows(&cores[0], "^OLD").await;
    }
}

#[tokio::test]
async fn a_wiped_core_becomes_what_the_others_are() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let mut cores = cores(&bench, 2, "^FILE").await;
        publish(&cores[0], "^NEW").await;
        follows(&cores[1], "^NEW").await;
        cores[1].restart(true).await.expect("a restart");
        follows(&cores[1], "^NEW").await;
        let own = sum(&cores[1], RULES).await;
        assert_eq!((own.version, own.epoch), (2, sum(&cores[0], RULES).await.epoch));
    }
}

#[tokio::test]
async fn two_loads_in_one_second_diverge_for_good_and_one_more_repairs() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let cores = cores(&bench, 2, "^FIRST").await;
        until("the cores see each other", || async {
            seen(&cores[1], &cores[0], RULES, "updated_at").await != "0"
                && seen(&cores[0], &cores[1], RULES, "updated_at").await != "0"
        })
        .await;
        early_in_a_second().await;
        publish(&cores[0], "^A").await;
        publish(&cores[1], "^B").await;
        let epochs = (sum(&cores[0], RULES).await.epoch, sum(&cores[1], RULES).await.epoch);
        assert_eq!(epochs.0, epochs.1, "both loads in one second");
        until("the difference counts", || async { differing(&cores[0], &cores[1], RULES).await > 9 }).await;
        assert_eq!((patterns(&cores[0]).await, patterns(&cores[1]).await), (vec!["^A".into()], vec!["^B".into()]));
        run(&cores[0], "LOAD MYSQL QUERY RULES TO RUNTIME").await;
        follows(&cores[1], "^A").await;
    }
}

#[tokio::test]
async fn an_emptied_list_empties_every_list() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let cores = cores(&bench, 2, "^X").await;
        let satellite = satellite(&bench, "sat", &[&cores[0]], "^X").await;
        run(&cores[0], "LOAD PROXYSQL SERVERS TO RUNTIME").await;
        until("the satellite has the list", || async { hosts(&satellite, Layer::Runtime).await.len() == 2 }).await;
        next_second().await;
        run(&cores[0], "DELETE FROM proxysql_servers").await;
        run(&cores[0], "LOAD PROXYSQL SERVERS TO RUNTIME").await;
        for node in [&cores[1], &satellite] {
            for layer in [Layer::Runtime, Layer::Memory, Layer::Disk] {
                until("the list is empty", || async { hosts(node, layer).await.is_empty() }).await;
            }
        }
        assert_eq!(sum(&satellite, "proxysql_servers").await.checksum, "0x0000000000000000");
        let peers = satellite.query("SELECT hostname FROM stats_proxysql_servers_metrics").await.unwrap();
        assert!(peers.is_empty());
    }
}

#[tokio::test]
async fn rows_of_a_dead_peer_stand_still() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let mut cores = cores(&bench, 2, "^X").await;
        let absent = bench.spec("absent");
        let satellite = satellite(&bench, "sat", &[&cores[0], &cores[1]], "^X").await;
        run(
            &satellite,
            &format!("INSERT INTO proxysql_servers (hostname,port) VALUES ('{}',{})", absent.ip, absent.admin_port),
        )
        .await;
        run(&satellite, "LOAD PROXYSQL SERVERS TO RUNTIME").await;
        until("the figures are read", || async {
            metric(&satellite, &cores[0], "Uptime_s").await > 0 && metric(&satellite, &cores[1], "Uptime_s").await > 0
        })
        .await;
        cores[0].kill().await;
        let updated = seen(&satellite, &cores[0], RULES, "updated_at").await;
        let uptime = metric(&satellite, &cores[0], "Uptime_s").await;
        until("the living one goes on", || async {
            let now: i64 = seen(&satellite, &cores[1], RULES, "updated_at").await.parse().unwrap();
            now > updated.parse::<i64>().unwrap() + 2
        })
        .await;
        assert_eq!(seen(&satellite, &cores[0], RULES, "updated_at").await, updated);
        assert_eq!(metric(&satellite, &cores[0], "Uptime_s").await, uptime);
        assert!(metric(&satellite, &cores[0], "last_check_ms").await > 2000);
        assert!(metric(&satellite, &cores[1], "last_check_ms").await < 2000);
        // One that never answered has nothing but an age.
        let never = satellite
            .query(&format!(
                "SELECT version, epoch, checksum, changed_at, updated_at, diff_check FROM \
                 stats_proxysql_servers_checksums WHERE hostname='{}'",
                absent.ip
            ))
            .await
            .unwrap();
        assert_eq!(never.len(), 7);
        assert!(never.iter().all(|row| *row == ["0", "0", "", "0", "0", "0"].map(|text| Some(text.to_owned()))));
        let sql = format!(
            "SELECT Uptime_s, response_time_ms, last_check_ms>10000 FROM stats_proxysql_servers_metrics WHERE hostname='{}'",
            absent.ip
        );
        assert_eq!(satellite.query(&sql).await.unwrap(), [["0", "0", "1"].map(|text| Some(text.to_owned()))]);
        // Back at the same place, it is seen again.
        cores[0].restart(false).await.expect("a restart");
        until("it is seen again", || async { seen(&satellite, &cores[0], RULES, "updated_at").await > updated }).await;
    }
}

#[tokio::test]
async fn a_core_at_another_address_pulls_but_is_heard_only_once_listed() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let mut cores = cores(&bench, 2, "^X").await;
        publish(&cores[0], "^Y").await;
        follows(&cores[1], "^Y").await;
        cores[1].kill().await;
        let moved = satellite(&bench, "moved", &[&cores[0]], "^X").await;
        follows(&moved, "^Y").await;
        next_second().await;
        publish(&moved, "^Z").await;
        sleep(Duration::from_millis(1500)).await;
        assert_eq!(patterns(&cores[0]).await, ["^Y"]);
        let (old, new) = (cores[1].spec(), moved.spec());
        run(&cores[0], &format!("DELETE FROM proxysql_servers WHERE hostname='{}'", old.ip)).await;
        run(
            &cores[0],
            &format!("INSERT INTO proxysql_servers (hostname,port) VALUES ('{}',{})", new.ip, new.admin_port),
        )
        .await;
        run(&cores[0], "LOAD PROXYSQL SERVERS TO RUNTIME").await;
        follows(&cores[0], "^Z").await;
        let peers = cores[0].query("SELECT hostname FROM stats_proxysql_servers_metrics").await.unwrap();
        assert!(!peers.contains(&vec![Some(old.ip.to_string())]));
    }
}

#[tokio::test]
async fn a_reload_of_the_list_keeps_what_is_known_of_the_peers() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let cores = cores(&bench, 2, "^X").await;
        until("the figures are read", || async { metric(&cores[0], &cores[1], "Uptime_s").await > 0 }).await;
        run(&cores[0], "UPDATE proxysql_servers SET comment='changed'").await;
        run(&cores[0], "LOAD PROXYSQL SERVERS TO RUNTIME").await;
        assert!(metric(&cores[0], &cores[1], "Uptime_s").await > 0);
        let comments = cores[0].query("SELECT DISTINCT comment FROM stats_proxysql_servers_metrics").await.unwrap();
        assert_eq!(comments, [[Some("changed".to_owned())]]);
    }
}

#[tokio::test]
async fn a_stopped_peer_accepts_and_is_silent() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let cores = cores(&bench, 2, "^X").await;
        until("the peer is seen", || async { seen(&cores[0], &cores[1], RULES, "updated_at").await != "0" }).await;
        cores[1].stop_cont(true);
        let mut stream = tokio::net::TcpStream::connect(cores[1].spec().admin()).await.expect("the kernel accepts");
        let mut byte = [0; 1];
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut byte);
        assert!(tokio::time::timeout(Duration::from_millis(500), read).await.is_err(), "not a byte");
        let updated: i64 = seen(&cores[0], &cores[1], RULES, "updated_at").await.parse().unwrap();
        sleep(Duration::from_millis(1500)).await;
        let later: i64 = seen(&cores[0], &cores[1], RULES, "updated_at").await.parse().unwrap();
        assert!(later <= updated + 1);
        publish(&cores[0], "^WHILE").await;
        cores[1].stop_cont(false);
        follows(&cores[1], "^WHILE").await;
    }
}

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
