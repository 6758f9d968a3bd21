//! A core's configuration file is published once per ProxySQL process, and never because the agent restarted.

use std::collections::BTreeMap;
use std::fs;

use proxysql_fleet::node::Node;

use crate::support::{
    changes, converged, embedded, eventually, eventually_on, fleet, marks, on_real_proxysql, rounds, settings, settled,
};

async fn versions(node: &Node) -> BTreeMap<String, u64> {
    node.checksums().await.unwrap().into_iter().map(|(name, checksum)| (name, checksum.version)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_restarts_publishes_nothing() {
    if on_real_proxysql("an_agent_that_restarts_publishes_nothing") {
        return;
    }
    let mut rig = fleet(settings(), 1, 0).await;
    settled(&rig).await;
    for _ in 0..10 {
        let mark = marks(rig.members());
        rig.restart_agent("core-1").await.unwrap();
        rounds(rig.members(), &mark, 3).await;
        assert!(changes(&rig.members()[0], mark[0]).is_empty(), "{:?}", changes(&rig.members()[0], mark[0]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxysql_that_restarts_is_published_to_once() {
    let mut rig = fleet(settings(), 1, 1).await;
    settled(&rig).await;
    for fresh in [false, true] {
        rig.member_mut("core-1").unwrap().kill_node().await;
        rig.member_mut("core-1").unwrap().restart_node(fresh).await.unwrap();
        settled(&rig).await;
        let versions = versions(&rig.member("core-1").unwrap().node).await;
        // The satellite that comes back may have the list of members loaded once more.
        let published = versions.iter().filter(|(name, _)| **name != "proxysql_servers" && **name != "mysql_servers");
        assert!(published.clone().count() == 5 && published.clone().all(|(_, version)| *version == 2), "{versions:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_cores_file_wins_over_what_it_pulled_while_it_booted() {
    let mut rig = fleet(settings(), 2, 1).await;
    // Until then, the older ones publish, too: they are of the same generation.
    settled(&rig).await;
    let newer = rig.settings().configuration.replace("max_connections=200", "max_connections=77");
    rig.settings().configuration = newer;
    rig.add_core().await.unwrap();
    for member in rig.members() {
        eventually_on(&rig, &format!("{} has the newer file", member.name), async || {
            let rows = member.node.query("SELECT DISTINCT max_connections FROM runtime_mysql_servers").await.unwrap();
            rows == [[Some("77".to_owned())]]
        })
        .await;
    }
    converged(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_leaves_runtime_as_it_is_and_is_said_once() {
    let mut rig = fleet(settings(), 1, 0).await;
    let file = rig.members()[0].node.spec().dir.join("proxysql.cnf");
    let good = fs::read_to_string(&file).unwrap();
    // ProxySQL itself does not start on a broken file: it breaks before the agent comes.
    rig.member_mut("core-1").unwrap().kill_agent().await;
    rig.member_mut("core-1").unwrap().kill_node().await;
    rig.member_mut("core-1").unwrap().restart_node(false).await.unwrap();
    fs::write(&file, "mysql_users = ( { username=").unwrap();
    rig.restart_agent("core-1").await.unwrap();
    let member = &rig.members()[0];
    let said = || {
        let said = member.agent.as_ref().unwrap().said_since(0);
        said.into_iter().filter(|line| line.level == "ERROR").collect::<Vec<_>>()
    };
    eventually("the agent says what is wrong", async || !said().is_empty()).await;
    assert!(said()[0].to_string().contains("proxysql.cnf"), "{}", said()[0]);
    let users = member.node.query("SELECT DISTINCT username FROM runtime_mysql_users").await.unwrap();
    assert_eq!(users.len(), 2, "{users:?}");
    if member.node.is_real() {
        fs::write(&file, good).unwrap();
    } else {
        let mark = marks(rig.members());
        rounds(rig.members(), &mark, 5).await;
        assert_eq!(said().len(), 1, "once, not at each try");
        let rows = embedded(member).runtime_rows("mysql_users");
        fs::write(&file, good).unwrap();
        assert!(!rows.is_empty());
    }
    eventually("the next good file is published", async || versions(&member.node).await["mysql_users"] > 1).await;
}
