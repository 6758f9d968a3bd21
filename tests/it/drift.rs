//! Divergence is named, whichever way it comes: by class, module and peer, once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proxysql_fleet::node::{Checksum, Node};
use proxysql_fleet::process::Signal;
use proxysql_fleet::rig::{Rig, Role, Saying};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::scene::{Scene, impatient};
use crate::support::{converged, eventually, fleet, settings, settled};

fn named(rig: &Rig, name: &str, class: &str, module: Option<&str>) -> Vec<Saying> {
    let field = |saying: &Saying, key: &str| {
        saying.fields.iter().find(|(found, _)| *found == key).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let agent = rig.member(name).unwrap().agent.as_ref().unwrap();
    let said = agent.said_since(0).into_iter();
    let is_it = |line: &Saying| {
        line.message.starts_with("drift detected")
            && field(line, "class") == class
            && module.is_none_or(|module| field(line, "module") == module)
    };
    said.filter(is_it).collect()
}

async fn names(rig: &Rig, name: &str, class: &str, module: Option<&str>) {
    let began = Instant::now();
    eventually(&format!("{name} names {class} of {module:?}"), async || !named(rig, name, class, module).is_empty())
        .await;
    eprintln!("{name} named {class} after {:.1} s", began.elapsed().as_secs_f32());
    if class == "epoch_conflict" {
        // That passes.
        return;
    }
    let agent = rig.member(name).unwrap().agent.as_ref().unwrap();
    eventually(&format!("{name} shows {class}"), async || {
        let page = agent.get("/").await.unwrap().text().await.unwrap();
        let status: Value = serde_json::from_str(&agent.get("/status").await.unwrap().text().await.unwrap()).unwrap();
        let drifts =
            status["peers"].as_array().unwrap().iter().flat_map(|peer| {
                peer["drift"].as_array().unwrap().iter().map(|found| found["class"].as_str().unwrap())
            });
        page.contains("<h2>Drift") && drifts.into_iter().any(|found| found == class)
    })
    .await;
}

async fn run(node: &Node, statements: &[&str]) {
    for sql in statements {
        node.query(sql).await.unwrap();
    }
}

async fn add_user(node: &Node, name: &str) {
    let insert = format!("INSERT OR REPLACE INTO mysql_users (username, password) VALUES ('{name}', 'rogue-secret')");
    run(node, &[&insert, "LOAD MYSQL USERS TO RUNTIME"]).await;
}

async fn has_user(node: &Node, name: &str) -> bool {
    let sql = format!("SELECT COUNT(*) FROM runtime_mysql_users WHERE username='{name}'");
    node.query(&sql).await.unwrap()[0][0].as_deref() != Some("0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_answer_is_unreachable() {
    let mut rig = fleet(settings(), 2, 1).await;
    rig.kill("core-2").await.unwrap();
    names(&rig, "core-1", "unreachable", None).await;
    names(&rig, "satellite-1", "unreachable", None).await;
    assert_eq!(named(&rig, "satellite-1", "unreachable", None).len(), 1, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rogue_user_on_a_satellite_is_local_newer_and_gone_after_a_resync() {
    let mut rig = fleet(settings(), 2, 1).await;
    let node = &rig.member("satellite-1").unwrap().node;
    // A later second than the cores' loads.
    sleep(Duration::from_millis(1100)).await;
    add_user(node, "rogue").await;
    names(&rig, "satellite-1", "local_newer", Some("mysql_users")).await;
    assert!(has_user(node, "rogue").await, "named, not taken away");
    let page = rig.member("satellite-1").unwrap().agent.as_ref().unwrap().get("/").await.unwrap().text().await.unwrap();
    assert!(page.contains("<h2>Drift") && page.contains("mysql_users of"), "{page}");
    let said = rig.member("satellite-1").unwrap().agent.as_ref().unwrap().said_since(0);
    assert!(!said.iter().any(|line| line.to_string().contains("rogue")), "neither names nor passwords");
    // A resync takes it away, and from then on the node follows.
    rig.member_mut("satellite-1").unwrap().agent.as_mut().unwrap().process.signal(Signal::USR2);
    let node = &rig.member("satellite-1").unwrap().node;
    eventually("the rogue user is gone", async || !has_user(node, "rogue").await).await;
    converged(&rig).await;
    sleep(Duration::from_millis(1100)).await;
    add_user(&rig.member("core-1").unwrap().node, "wanted").await;
    eventually("the satellite follows again", async || has_user(node, "wanted").await).await;
    let said = rig.member("satellite-1").unwrap().agent.as_ref().unwrap().said_since(0);
    assert!(!said.iter().any(|line| line.to_string().contains("secret")), "no passwords");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_pulled_is_pending() {
    let rig = fleet(settings(), 1, 1).await;
    let satellite = &rig.member("satellite-1").unwrap().node;
    let never = ["SET admin-cluster_mysql_users_diffs_before_sync=0", "LOAD ADMIN VARIABLES TO RUNTIME"];
    run(satellite, &never).await;
    sleep(Duration::from_millis(1100)).await;
    add_user(&rig.member("core-1").unwrap().node, "later").await;
    names(&rig, "satellite-1", "pending", Some("mysql_users")).await;
    names(&rig, "satellite-1", "local_newer", Some("admin_variables")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_at_version_1_with_other_content_is_blocked() {
    let mut rig = fleet(settings(), 1, 1).await;
    rig.member_mut("core-1").unwrap().kill_agent().await;
    add_user(&rig.member("satellite-1").unwrap().node, "rogue").await;
    rig.member_mut("core-1").unwrap().restart_node(false).await.unwrap();
    names(&rig, "satellite-1", "never_loaded", Some("mysql_users")).await;
}

/// The same ProxySQL that says that it is another one.
fn renamed(binary: &Path, dir: &Path) -> PathBuf {
    let (from, to) = (b"2.7.1", b"2.7.9");
    let mut bytes = fs::read(binary).unwrap();
    let at: Vec<usize> = bytes.windows(from.len()).enumerate().filter(|(_, w)| w == from).map(|(at, _)| at).collect();
    assert!(!at.is_empty(), "a release that this does not know how to rename");
    for at in at {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    let path = dir.join("proxysql-renamed");
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_another_release_is_named_with_it() {
    let mut rig = fleet(settings(), 2, 0).await;
    let dir = rig.dir().to_owned();
    let second = rig.member_mut("core-2").unwrap();
    if let Some(node) = second.node.real_mut() {
        let renamed = renamed(node.binary(), &dir);
        second.kill_node().await;
        second.node.real_mut().unwrap().set_binary(renamed);
    } else {
        second.node.embedded().unwrap().behave(|behaviour| behaviour.version = "2.7.9".to_owned());
    }
    second.restart_node(false).await.unwrap();
    names(&rig, "core-1", "version_mismatch", None).await;
    assert!(named(&rig, "core-1", "version_mismatch", None)[0].to_string().contains("2.7.9"));
}

/// A library that puts a process's clock ahead by two minutes; `None`, and a word, where there is no C compiler.
fn clock_ahead(dir: &Path) -> Option<PathBuf> {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    let text = "#include <sys/time.h>\n#include <time.h>\ntime_t time(time_t *t) { struct timeval v; gettimeofday(&v, 0); \
                v.tv_sec += 120; if (t) *t = v.tv_sec; return v.tv_sec; }\n";
    fs::write(&source, text).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("no C compiler here; the clock of a real ProxySQL is not put ahead");
        return None;
    }
    Some(library)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_ahead_is_named() {
    let mut rig = fleet(settings(), 2, 0).await;
    settled(&rig).await;
    let dir = rig.dir().to_owned();
    let second = rig.member_mut("core-2").unwrap();
    if let Some(node) = second.node.real_mut() {
        let Some(library) = clock_ahead(&dir) else { return };
        node.set_variable("LD_PRELOAD", &library.to_string_lossy());
        second.restart_node(false).await.unwrap();
    } else {
        second.node.embedded().unwrap().set_clock_offset(120);
    }
    add_user(&rig.member("core-2").unwrap().node, "future").await;
    names(&rig, "core-1", "clock_ahead", Some("mysql_users")).await;
}

/// Loads a user on both nodes in one second: content that differs, and nobody pulls either. Answers what both then have, and the names.
async fn tie(first: &Node, second: &Node) -> ([Checksum; 2], [String; 2]) {
    for tries in 0..60 {
        // Early in a second, so that both loads are in it.
        let into = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_millis();
        sleep(Duration::from_millis(u64::from(1000 - into) + 5)).await;
        let names = [format!("one{tries}"), format!("two{tries}")];
        tokio::join!(add_user(first, &names[0]), add_user(second, &names[1]));
        let (one, two) = tokio::join!(first.checksums(), second.checksums());
        let sums = [one, two].map(|sums| sums.unwrap().remove("mysql_users").unwrap());
        if sums[0].epoch == sums[1].epoch && sums[0].checksum != sums[1].checksum {
            return (sums, names);
        }
    }
    panic!("never in the same second");
}

/// Two cores load other content in the same second: exactly one more load makes them one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_epochs_are_repaired_by_one_more_load() {
    let rig = fleet(settings(), 2, 1).await;
    settled(&rig).await;
    let (first, second) = (&rig.member("core-1").unwrap().node, &rig.member("core-2").unwrap().node);
    let (before, _) = tie(first, second).await;
    converged(&rig).await;
    // One loads again, the other pulls that.
    for (node, before) in [first, second].into_iter().zip(&before) {
        let after = node.checksums().await.unwrap().remove("mysql_users").unwrap();
        assert_eq!(after.version, before.version + 1, "{before:?} {after:?}");
    }
}

/// All cores restart from disk at version 1 with the same content: each module is loaded on exactly one of them, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_all_cores_one_unlocks() {
    let mut rig = fleet(settings(), 3, 1).await;
    settled(&rig).await;
    let cores = rig.names(Role::Core);
    for core in &cores {
        let node = &rig.member(core).unwrap().node;
        for module in [
            "MYSQL USERS",
            "MYSQL SERVERS",
            "MYSQL QUERY RULES",
            "MYSQL VARIABLES",
            "ADMIN VARIABLES",
            "PROXYSQL SERVERS",
        ] {
            run(node, &[&format!("SAVE {module} TO DISK")]).await;
        }
    }
    for core in &cores {
        rig.member_mut(core).unwrap().kill_node().await;
    }
    for core in &cores {
        rig.member_mut(core).unwrap().restart_node(false).await.unwrap();
    }
    settled(&rig).await;
    for module in ["admin_variables", "mysql_variables", "mysql_servers_v2", "mysql_users", "mysql_query_rules"] {
        let mut versions = Vec::new();
        for core in &cores {
            versions.push(rig.member(core).unwrap().node.checksums().await.unwrap()[module].version);
        }
        versions.sort_unstable();
        assert_eq!(versions, [1, 1, 2], "{module}: once, and on one");
    }
}

/// The others of the list are pods at addresses where nobody is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_whose_members_never_answer_unlocks_all_the_same() {
    let mut scene = Scene::start("members that never answer", impatient()).await;
    scene.restart_proxysql(false).await;
    let began = Instant::now();
    scene
        .until("no module is at version 1", async || {
            let sums = scene.node().checksums().await.unwrap_or_default();
            !sums.is_empty() && sums.iter().all(|(name, sum)| name == "mysql_servers" || sum.version > 1)
        })
        .await;
    scene.note(format!("unlocked after {:.1} s", began.elapsed().as_secs_f32()));
}

/// A satellite that has other content of the same second than its core: nobody pulls, and no core sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_that_is_tied_follows_again() {
    let rig = fleet(settings(), 1, 1).await;
    settled(&rig).await;
    let (core, satellite) = (&rig.member("core-1").unwrap().node, &rig.member("satellite-1").unwrap().node);
    let (_, [wanted, rogue]) = tie(core, satellite).await;
    eventually("the core's content is here", async || {
        has_user(satellite, &wanted).await && !has_user(satellite, &rogue).await
    })
    .await;
    names(&rig, "satellite-1", "epoch_conflict", Some("mysql_users")).await;
    converged(&rig).await;
}
