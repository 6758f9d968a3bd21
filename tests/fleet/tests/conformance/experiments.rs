//! What one node takes over from another, and what not.

use std::time::Duration;

use proxysql_fleet::node::Layer;
use tokio::time::sleep;

use crate::conformance::bench::{
    Bench, RULES, cores, differing, early_in_a_second, follows, hosts, kinds, next_second, patterns, publish, run,
    satellite, seen, sum, until,
};

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
        // On a busy machine two loads do not always fall into one second.
        until("both loads are in one second", || async {
            early_in_a_second().await;
            publish(&cores[0], "^A").await;
            publish(&cores[1], "^B").await;
            sum(&cores[0], RULES).await.epoch == sum(&cores[1], RULES).await.epoch
        })
        .await;
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
async fn variables_travel_and_addresses_stay() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let core = cores(&bench, 1, "^X").await.remove(0);
        let satellite = satellite(&bench, "sat", &[&core], "^X").await;
        run(&core, "SET mysql-max_connections=1234").await;
        run(&core, "LOAD MYSQL VARIABLES TO RUNTIME").await;
        run(&core, "SET admin-web_verbosity=1").await;
        run(&core, "LOAD ADMIN VARIABLES TO RUNTIME").await;
        for (name, value) in [("mysql-max_connections", "1234"), ("admin-web_verbosity", "1")] {
            for schema in ["runtime_global_variables", "disk.global_variables"] {
                let sql = format!("SELECT variable_value FROM {schema} WHERE variable_name='{name}'");
                let wanted = vec![vec![Some(value.to_owned())]];
                until(&sql, || async { satellite.query(&sql).await.is_ok_and(|rows| rows == wanted) }).await;
            }
        }
        let own = [("admin-mysql_ifaces", satellite.spec().admin()), ("mysql-interfaces", satellite.spec().mysql())];
        for (name, address) in own {
            let sql = format!("SELECT variable_value FROM runtime_global_variables WHERE variable_name='{name}'");
            assert_eq!(satellite.query(&sql).await.unwrap(), [[Some(address.to_string())]]);
        }
        for module in ["mysql_variables", "admin_variables"] {
            assert_eq!(sum(&satellite, module).await.checksum, sum(&core, module).await.checksum, "{module}");
        }
    }
}

#[tokio::test]
async fn a_node_that_does_not_follow_a_module_keeps_its_own() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let core = cores(&bench, 1, "^OLD").await.remove(0);
        let satellite = satellite(&bench, "sat", &[&core], "^SAT").await;
        let off = "admin-cluster_mysql_variables_diffs_before_sync";
        run(&satellite, &format!("SET {off}=0")).await;
        run(&satellite, "LOAD ADMIN VARIABLES TO RUNTIME").await;
        let sql = "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-wait_timeout'";
        let has = async |value: &str| satellite.query(sql).await.is_ok_and(|rows| rows == [[Some(value.to_owned())]]);
        run(&satellite, "SET mysql-wait_timeout=1000").await;
        run(&satellite, "LOAD MYSQL VARIABLES TO RUNTIME").await;
        next_second().await;
        run(&core, "SET mysql-wait_timeout=5000").await;
        run(&core, "LOAD MYSQL VARIABLES TO RUNTIME").await;
        // The other modules are followed as ever.
        publish(&core, "^NEW").await;
        follows(&satellite, "^NEW").await;
        sleep(Duration::from_millis(1500)).await;
        assert!(has("1000").await);
        run(&satellite, &format!("SET {off}=3")).await;
        run(&satellite, "LOAD ADMIN VARIABLES TO RUNTIME").await;
        until("it follows again", || async { has("5000").await }).await;
    }
}
