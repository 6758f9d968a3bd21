//! Satellites follow by themselves; their agents act when, and only when, nobody that they list can answer.

use proxysql_fleet::node::{Layer, Node};
use proxysql_fleet::rig::{Rig, Role};

use crate::support::{
    at_rest, changes, converged, eventually, eventually_on, fleet, marks, on_real_proxysql, rounds, settings, settled,
};

async fn kill_all_cores(rig: &mut Rig) {
    for core in rig.names(Role::Core) {
        rig.kill(&core).await.unwrap();
    }
}

async fn lists_only_the_bootstrap_row(rig: &Rig, node: &Node) -> bool {
    let rows = node.members(Layer::Runtime).await.unwrap();
    rows.len() == 1 && rows.iter().all(|row| row.hostname == rig.bootstrap().ip().to_string())
}

async fn users(node: &Node) -> Vec<Vec<Option<String>>> {
    node.query("SELECT DISTINCT username, default_hostgroup FROM runtime_mysql_users ORDER BY 1").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_core_alive_no_satellite_writes_anything() {
    if on_real_proxysql("with_one_core_alive_no_satellite_writes_anything") {
        return;
    }
    let mut rig = fleet(settings(), 3, 2).await;
    let all = marks(rig.members());
    for core in ["core-1", "core-3"] {
        rig.kill(core).await.unwrap();
    }
    // 40 rounds of 0.4 s: well past the 10 s after which a silent core counts as gone.
    for (member, mark) in rig.members().iter().zip(&all).filter(|(member, _)| member.role == Role::Satellite) {
        rounds(std::slice::from_ref(member), &[*mark], 40).await;
        assert!(changes(member, *mark).is_empty(), "{:?}", changes(member, *mark));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_all_cores_gone_satellites_keep_serving_and_restore_once_and_follow_cores_elsewhere() {
    let mut rig = fleet(settings(), 3, 2).await;
    let before = users(&rig.member("satellite-1").unwrap().node).await;
    let log = |rig: &Rig| rig.member("satellite-1").unwrap().node.embedded().map(|node| node.log().mark());
    let mark = log(&rig);
    kill_all_cores(&mut rig).await;
    for satellite in ["satellite-1", "satellite-2"] {
        let node = &rig.member(satellite).unwrap().node;
        eventually("the bootstrap row is back", async || lists_only_the_bootstrap_row(&rig, node).await).await;
        assert_eq!(users(node).await, before, "{satellite} keeps its configuration");
    }
    if let Some(mark) = mark {
        let member = rig.member("satellite-1").unwrap();
        let (one, from) = (std::slice::from_ref(member), [member.node.embedded().unwrap().log().mark()]);
        rounds(one, &from, 30).await;
        let loads = changes(member, mark).iter().filter(|entry| entry.sql.ends_with("TO RUNTIME")).count();
        assert_eq!(loads, 1, "{:?}", changes(member, mark));
        assert!(changes(member, from[0]).is_empty(), "restored once, not per round");
    }
    rig.replace_all_cores().await.unwrap();
    converged(&rig).await;
}

/// The cores have loaded their list before the satellite restores its own, which then has the newer epoch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cores_that_are_back_before_a_satellite_gives_up_are_followed_in_their_list_too() {
    let mut rig = fleet(settings(), 2, 1).await;
    rig.replace_all_cores().await.unwrap();
    converged(&rig).await;
    // That its list was the newer one meanwhile is what healing looks like, and no cause for alarm.
    let said = rig.member("satellite-1").unwrap().agent.as_ref().unwrap().said_since(0);
    let alarms: Vec<String> =
        said.iter().map(ToString::to_string).filter(|line| line.contains("local_newer")).collect();
    assert!(alarms.is_empty(), "{alarms:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_that_boots_with_dead_cores_on_its_disk_finds_the_living() {
    let mut rig = fleet(settings(), 2, 1).await;
    let node = &rig.member("satellite-1").unwrap().node;
    eventually("the list is on disk", async || node.members(Layer::Disk).await.unwrap() == rig.expected()).await;
    rig.member_mut("satellite-1").unwrap().kill_node().await;
    rig.replace_all_cores().await.unwrap();
    rig.member_mut("satellite-1").unwrap().restart_node(false).await.unwrap();
    converged(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_was_emptied_is_restored() {
    let rig = fleet(settings(), 2, 1).await;
    let node = &rig.member("satellite-1").unwrap().node;
    for sql in ["DELETE FROM proxysql_servers", "LOAD PROXYSQL SERVERS TO RUNTIME"] {
        node.query(sql).await.unwrap();
    }
    converged(&rig).await;
    let said = rig.member("satellite-1").unwrap().agent.as_ref().unwrap().said_since(0);
    let heard = |words: &str| said.iter().any(|line| line.to_string().contains(words));
    assert!(heard("the member list is empty") && !heard("no core reachable"), "{said:#?}");
}

/// While no core has an agent, a satellite restores its bootstrap row and so has a list newer than theirs. Only its connection tells of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_that_connects_while_no_core_has_an_agent_is_served_when_one_comes() {
    let mut rig = fleet(settings(), 2, 1).await;
    for core in rig.names(Role::Core) {
        rig.member_mut(&core).unwrap().kill_agent().await;
    }
    let node = &rig.member("satellite-1").unwrap().node;
    for sql in ["DELETE FROM proxysql_servers", "LOAD PROXYSQL SERVERS TO RUNTIME"] {
        node.query(sql).await.unwrap();
    }
    eventually("the bootstrap row is back", async || lists_only_the_bootstrap_row(&rig, node).await).await;
    let answered = "SELECT COUNT(*) FROM stats_proxysql_servers_checksums WHERE updated_at>0";
    let answers = async || node.query(answered).await.unwrap() != [[Some("0".to_owned())]];
    eventually_on(&rig, "it has connected by it", answers).await;
    for core in rig.names(Role::Core) {
        rig.restart_agent(&core).await.unwrap();
    }
    converged(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_restarts_loads_nothing_for_satellites_that_follow() {
    if on_real_proxysql("an_agent_that_restarts_loads_nothing_for_satellites_that_follow") {
        return;
    }
    let mut rig = fleet(settings(), 2, 2).await;
    settled(&rig).await;
    at_rest(&rig).await;
    let marks = marks(rig.members());
    for core in rig.names(Role::Core) {
        rig.restart_agent(&core).await.unwrap();
    }
    rounds(rig.members(), &marks, 20).await;
    for (member, mark) in rig.members().iter().zip(&marks) {
        assert!(changes(member, *mark).is_empty(), "{}: {:?}", member.name, changes(member, *mark));
    }
}
