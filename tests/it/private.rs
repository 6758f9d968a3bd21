//! What a drain sets is set in its own node: no peer has another variable for it at any moment, and a core's own changes reach a
//! satellite after all.

mod interrupted;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proxysql_fleet::client::Client as Admin;
use proxysql_fleet::node::OBSERVER;
use proxysql_fleet::proxysql::{ClientSpec, ClientState, Rhythm};
use proxysql_fleet::rig::{Member, Rig, Settings};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::life::{Backend, Client, call, in_background, number};
use crate::support::{eventually, eventually_on, fleet, settings, settled};

const SECOND: Duration = Duration::from_secs(1);
const IDLE: usize = 20;
const BUSY: usize = 4;

async fn variables(admin: &mut Admin) -> Option<BTreeMap<String, String>> {
    let rows = admin.rows("SELECT variable_name, variable_value FROM runtime_global_variables").await.ok()?;
    let pair = |row: Vec<Option<String>>| {
        let [name, value] = <[Option<String>; 2]>::try_from(row).ok()?;
        Some((name?, value.unwrap_or_default()))
    };
    rows.into_iter().map(pair).collect()
}

/// Looks at the variables of a node each 100 ms, while it answers and until it is enough: how often, and what was otherwise.
async fn watched(
    admin: SocketAddr,
    enough: &Arc<AtomicBool>,
) -> impl Future<Output = (u32, BTreeSet<String>)> + Send + use<> {
    let enough = enough.clone();
    let mut client = Admin::connect(admin, OBSERVER, OBSERVER).await.unwrap();
    let before = variables(&mut client).await.unwrap();
    in_background(async move {
        let (mut looks, mut changes) = (0, BTreeSet::new());
        let mut ticks = interval(Duration::from_millis(100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !enough.load(Ordering::Relaxed) {
            ticks.tick().await;
            let Some(now) = variables(&mut client).await else { break };
            looks += 1;
            let changed = now.iter().filter(|(name, value)| before.get(*name) != Some(*value));
            changes.extend(changed.map(|(name, value)| format!("{name}={value}")));
        }
        (looks, changes)
    })
}

/// Clients of a node: some that rest, and some that never do.
struct Clients {
    enough: Arc<AtomicBool>,
    _idle: Vec<Client>,
    _busy: JoinSet<()>,
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

async fn clients(member: &Member) -> Clients {
    let enough = Arc::new(AtomicBool::new(false));
    let (mut idle, mut busy) = (Vec::new(), JoinSet::new());
    if let Some(node) = member.node.embedded() {
        let spec = ClientSpec { since: Duration::from_mins(1), ..ClientSpec::default() };
        for _ in 0..IDLE {
            node.add_client(spec.clone());
        }
        for _ in 0..BUSY {
            node.add_busy_client(ClientSpec::default(), Rhythm::default());
        }
    } else {
        let server = member.node.spec().mysql();
        for number in 0..IDLE + BUSY {
            let mut client = Client::connect(server).await.unwrap();
            client.run("DO 1").await.unwrap();
            if number < IDLE {
                idle.push(client);
                continue;
            }
            let enough = enough.clone();
            busy.spawn(async move { drop(client.keep_running(Duration::from_millis(20), &enough).await) });
        }
        // With idle threads they are there by then.
        sleep(SECOND * 2).await;
    }
    Clients { enough, _idle: idle, _busy: busy }
}

/// Settings of a rig with a database behind it where that is needed and there is one; `None` where it is needed and there is none.
async fn backed(scenario: &str, mut settings: Settings) -> Option<(Settings, Option<Backend>)> {
    let backend = Backend::start(&format!("with real clients, {scenario}")).await;
    match &backend {
        Some(backend) => settings.configuration = backend.configuration(),
        None if std::env::var_os("PROXYSQL_BIN").is_some() => return None,
        None => {}
    }
    Some((settings, backend))
}

/// Drains the first of three cores, whose pod terminates or goes on; its report, and which of its own variables changed.
async fn core_drains(scenario: &str, idle_threads: bool, terminates: bool) -> Option<(Value, BTreeSet<String>)> {
    let mut settings = settings()
        .env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "1")
        .env("AGENT_SHUTDOWN_DRAIN_TIMEOUT", if terminates { "30" } else { "6" });
    settings.idle_threads = Some(idle_threads);
    let (settings, _backend) = backed(scenario, settings).await?;
    let rig = fleet(settings, 3, 0).await;
    settled(&rig).await;
    let first = rig.member("core-1").unwrap();
    let _clients = clients(first).await;
    let enough = Arc::new(AtomicBool::new(false));
    let [second, third] = ["core-2", "core-3"].map(|name| rig.member(name).unwrap().admin());
    let peers = [watched(second, &enough).await, watched(third, &enough).await];
    let own = watched(first.admin(), &enough).await;
    if terminates {
        rig.kubernetes().terminate("proxysql", "core-1").await.unwrap();
    }
    let report = call(first.agent.as_ref().unwrap().api(), "POST", "/shutdown", &[]).await.body();
    // Time for whatever would be pulled from it: a check each 200 ms, three differing ones.
    sleep(SECOND * 3).await;
    enough.store(true, Ordering::Relaxed);
    let own = own.await.1;
    eprintln!("{scenario}, idle threads {idle_threads}: own {own:?}, {}", report["drain"]);
    for peer in peers {
        let (looks, changes) = peer.await;
        eprintln!("  a peer was looked at {looks} times: {changes:?}");
        assert!(looks > 10 && changes.is_empty(), "{changes:?}");
    }
    Some((report, own))
}

/// Others list it, and would take over what is set.
async fn a_core_that_is_listed_sets_nothing(idle_threads: bool) {
    let scenario = "a_core_that_others_list_sets_no_variable";
    let Some((report, own)) = core_drains(scenario, idle_threads, false).await else { return };
    assert_eq!(own, BTreeSet::new());
    assert_eq!(report["drain"]["ended"], "drain_timeout", "{report}");
    let evicted = if idle_threads { 0 } else { IDLE as u64 };
    let counts = ["evicted", "terminated"].map(|name| number(&report, &format!("/drain/{name}")));
    assert_eq!(counts, [evicted, (IDLE + BUSY) as u64 - evicted], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_that_others_list_sets_no_variable_and_kills_who_is_idle() {
    a_core_that_is_listed_sets_nothing(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_that_others_list_sets_no_variable_and_with_idle_threads_waits() {
    a_core_that_is_listed_sets_nothing(true).await;
}

/// Others do not list it any more once its pod terminates.
async fn a_core_that_terminates_closes_sessions(idle_threads: bool) {
    let scenario = "a_core_whose_pod_terminates_closes_sessions";
    let Some((report, own)) = core_drains(scenario, idle_threads, true).await else { return };
    assert!(own.iter().any(|change| change.starts_with("mysql-wait_timeout=")), "{own:?}");
    let counts = ["clients", "terminated"].map(|name| number(&report, &format!("/drain/{name}")));
    assert_eq!((report["drain"]["ended"].as_str(), counts), (Some("completed"), [(IDLE + BUSY) as u64, 0]), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_whose_pod_terminates_closes_sessions_and_no_peer_notices() {
    a_core_that_terminates_closes_sessions(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_whose_pod_terminates_closes_sessions_of_idle_threads_and_no_peer_notices() {
    a_core_that_terminates_closes_sessions(true).await;
}

async fn variable(rig: &Rig, member: &str, name: &str) -> String {
    let sql = format!("SELECT variable_value FROM runtime_global_variables WHERE variable_name='{name}'");
    rig.member(member).unwrap().node.query(&sql).await.unwrap().remove(0).remove(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_core_loads_while_a_satellite_drains_is_the_satellites_after_it() {
    let scenario = "what_a_core_loads_while_a_satellite_drains_is_the_satellites_after_it";
    let settings = settings().env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "1");
    let Some((settings, backend)) = backed(scenario, settings).await else { return };
    let rig = fleet(settings, 1, 1).await;
    settled(&rig).await;
    let satellite = rig.member("satellite-1").unwrap();
    let mut stays = None;
    if let Some(node) = satellite.node.embedded() {
        node.add_client(ClientSpec { state: ClientState::InTransaction, ..ClientSpec::default() });
    } else {
        let mut client = Client::connect(satellite.node.spec().mysql()).await.unwrap();
        client.run("BEGIN").await.unwrap();
        client.run("INSERT INTO done (who) VALUES (1)").await.unwrap();
        stays = Some(client);
    }
    let api = satellite.agent.as_ref().unwrap().api();
    assert_eq!(call(api, "POST", "/shutdown?wait=false", &[]).await.code, 202);
    let closing = async || variable(&rig, "satellite-1", "mysql-wait_timeout").await.parse::<u64>().unwrap() < 1_000;
    eventually("it closes sessions", closing).await;
    let core = &rig.member("core-1").unwrap().node;
    for sql in ["SET mysql-wait_timeout=20000000", "SET mysql-max_connections=777", "LOAD MYSQL VARIABLES TO RUNTIME"] {
        core.query(sql).await.unwrap();
    }
    // A check each 200 ms, three differing ones: by then it would have been taken over.
    sleep(SECOND * 3).await;
    let progress = call(api, "GET", "/drain", &[]).await.body();
    assert_eq!(
        (&progress["drain"]["step"], number(&progress, "/clients")),
        (&"waiting_for_clients".into(), 1),
        "{progress}"
    );
    assert!(closing().await, "it still does");
    assert_eq!(call(api, "DELETE", "/drain", &[]).await.code, 200);
    for (name, value) in [("mysql-wait_timeout", "20000000"), ("mysql-max_connections", "777")] {
        let same = async || variable(&rig, "satellite-1", name).await == value;
        eventually_on(&rig, &format!("{name} is the core's"), same).await;
        assert_eq!(variable(&rig, "core-1", name).await, value);
    }
    if let Some(client) = &mut stays {
        client.run("COMMIT").await.unwrap();
        assert!(backend.unwrap().written().await.contains(&1));
    }
}
