//! What a node knows of its peers: those that live, die, hang, move or refuse it.

use std::time::Duration;

use tokio::time::sleep;

use crate::conformance::bench::{
    Bench, RULES, cores, follows, kinds, metric, next_second, patterns, publish, run, satellite, seen, until,
};

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
async fn without_the_right_password_nothing_is_pulled() {
    for kind in kinds() {
        let bench = Bench::new(kind);
        let core = cores(&bench, 1, "^CORE").await.remove(0);
        let satellite = satellite(&bench, "sat", &[&core], "^SAT").await;
        until("the core is seen", || async { seen(&satellite, &core, RULES, "updated_at").await != "0" }).await;
        run(&satellite, "SET admin-cluster_password='wrong'").await;
        run(&satellite, "LOAD ADMIN VARIABLES TO RUNTIME").await;
        run(&satellite, "SAVE ADMIN VARIABLES TO DISK").await;
        let mut satellite = satellite;
        satellite.restart(false).await.expect("a restart");
        run(&core, "LOAD MYSQL QUERY RULES TO RUNTIME").await;
        sleep(Duration::from_millis(2500)).await;
        assert_eq!(patterns(&satellite).await, ["^SAT"]);
        assert_eq!(seen(&satellite, &core, RULES, "updated_at").await, "0");
        run(&satellite, "SET admin-cluster_password='cluster'").await;
        run(&satellite, "LOAD ADMIN VARIABLES TO RUNTIME").await;
        follows(&satellite, "^CORE").await;
    }
}
