//! Every node lists exactly the living cores, whatever the pods, the operators and the peers do.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use proxysql_fleet::kubernetes::PodSpec;
use proxysql_fleet::node::{Layer, Row};
use proxysql_fleet::proxysql::{Action, Hook, Module, Rule};
use proxysql_fleet::rig::{Order, Rig, Role, Settings};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::{
    at_rest, changes, converged, converged_to, embedded, eventually, fleet, marks, on_real_proxysql, settings,
};

const NAMESPACE: &str = "proxysql";

fn pod(name: &str) -> PodSpec {
    PodSpec::new(NAMESPACE, name).label("app", "proxysql").label("component", "core")
}

fn row(rig: &Rig, ip: impl Into<IpAddr>, name: &str) -> Row {
    Row { hostname: ip.into().to_string(), port: rig.admin_port(), weight: 0, comment: name.to_owned() }
}

/// Three cores and two satellites in the same second: one list, no bootstrap row, everybody the same configuration.
async fn bootstrap(order: Order) {
    let mut settings = settings();
    settings.order = order;
    let rig = fleet(settings, 3, 2).await;
    let cores: BTreeSet<String> = rig.expected().into_iter().map(|row| row.comment).collect();
    assert_eq!(cores, ["core-1", "core-2", "core-3"].map(ToOwned::to_owned).into());
    for satellite in rig.members().iter().filter(|member| member.role == Role::Satellite) {
        for (table, rows) in
            [("runtime_mysql_users", 4), ("runtime_mysql_servers", 3), ("runtime_mysql_query_rules", 2)]
        {
            let count = satellite.node.query(&format!("SELECT COUNT(*) FROM {table}")).await.unwrap();
            assert_eq!(count[0][0].as_deref(), Some(rows.to_string().as_str()), "{}: {table}", satellite.name);
        }
        let disk = satellite.node.members(Layer::Disk).await.unwrap();
        assert_eq!(disk, rig.expected(), "the list outlives a restart of {}", satellite.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_starts_all_at_once_becomes_one() {
    bootstrap(Order::Together).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_agents_start_first_becomes_one() {
    bootstrap(Order::AgentFirst).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_agents_start_last_becomes_one() {
    bootstrap(Order::ProxysqlFirst).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_come_go_crash_and_move() {
    let mut rig = fleet(settings(), 2, 1).await;
    let joined = rig.add_core().await.unwrap();
    converged(&rig).await;
    rig.remove("core-1").await.unwrap();
    converged(&rig).await;
    // A crash leaves the pod, and so the row; its end takes both.
    rig.kill(&joined).await.unwrap();
    converged(&rig).await;
    rig.forget(&joined).await.unwrap();
    rig.add_core().await.unwrap();
    converged(&rig).await;
    assert_eq!(rig.expected().len(), 2);
}

/// What a pod looks like, and whether it is listed then, and with which of the addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_is_listed_exactly_while_it_can_serve() {
    // A real API server does not let anybody write into a pod that it is being deleted.
    let mut settings = settings();
    settings.scripted_api = true;
    let rig = fleet(settings, 1, 0).await;
    let (first, second) = (rig.address().unwrap(), rig.address().unwrap());
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let elsewhere = PodSpec::new("elsewhere", "guest").label("app", "proxysql").label("component", "core");
    let terminating = PodSpec { deleted: Some(SystemTime::now()), ..pod("guest").ip(second) };
    let steps: [(&str, PodSpec, Option<IpAddr>); 12] = [
        ("pending without an address", pod("guest").phase("Pending"), None),
        ("running without an address", pod("guest"), None),
        ("running", pod("guest").ip(first), Some(first)),
        ("not ready", pod("guest").ip(first).ready(false), Some(first)),
        ("at another address", pod("guest").ip(second), Some(second)),
        ("terminating but still running", terminating, None),
        ("back, with IPv6 alone", pod("guest").ip(v6), Some(v6)),
        ("two addresses", pod("guest").ip(first).ip(v6), Some(first)),
        ("failed", pod("guest").ip(first).phase("Failed"), None),
        ("running again", pod("guest").ip(first), Some(first)),
        ("another component", pod("guest").ip(first).label("component", "satellite"), None),
        ("another namespace", elsewhere.ip(second), None),
    ];
    for (what, pod, listed) in steps {
        rig.kubernetes().put(pod).await.unwrap();
        let mut rows = rig.expected();
        rows.extend(listed.map(|ip| row(&rig, ip, "guest")));
        converged_to(&rig, &rows, what).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selector_of_its_own_replaces_app_and_component() {
    let selector = "app.kubernetes.io/name=proxysql,tier in (core, seed),!retired";
    let mut rig = Rig::start(settings().env("AGENT_CORE_SELECTOR", selector)).await.unwrap();
    rig.add_core().await.unwrap();
    let address = || rig.address().unwrap();
    let named =
        |name: &str| PodSpec::new(NAMESPACE, name).label("app.kubernetes.io/name", "proxysql").label("tier", "core");
    let (seed, core) = (address(), address());
    let pods = [
        named("by-labels").ip(core),
        named("by-set").label("tier", "seed").ip(seed),
        named("retired").label("retired", "").ip(address()),
        named("other-tier").label("tier", "satellite").ip(address()),
        pod("old-labels").ip(address()),
    ];
    for pod in pods {
        rig.kubernetes().put(pod).await.unwrap();
    }
    converged_to(&rig, &[row(&rig, core, "by-labels"), row(&rig, seed, "by-set")].into(), "by the selector").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_edited_by_hand_is_put_right() {
    let rig = fleet(settings(), 3, 1).await;
    let stranger = rig.address().unwrap();
    let core = rig.member("core-2").unwrap();
    let lost = format!("DELETE FROM proxysql_servers WHERE hostname='{}'", rig.member("core-1").unwrap().ip());
    let rogue = format!("INSERT INTO proxysql_servers VALUES ('{stranger}', {}, 0, 'it''s me')", rig.admin_port());
    let renamed = "UPDATE proxysql_servers SET comment='', weight=7";
    for edit in [lost.as_str(), rogue.as_str(), renamed] {
        core.node.query(edit).await.unwrap();
        // The agent's own load may be in the same second, and then this edit was never in effect.
        core.node.query("LOAD PROXYSQL SERVERS TO RUNTIME").await.unwrap();
        eventually(edit, async || core.node.members(Layer::Memory).await.unwrap() == rig.expected()).await;
        converged(&rig).await;
    }
    // Edited and never loaded.
    core.node.query(&rogue).await.unwrap();
    eventually("memory put back", async || core.node.members(Layer::Memory).await.unwrap() == rig.expected()).await;
}

/// A pull replaces the table between the look and the deed: rows that were to be inserted are there, others are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_between_looking_and_acting_is_put_right() {
    if on_real_proxysql("a_pull_between_looking_and_acting_is_put_right") {
        return;
    }
    let rig = fleet(settings(), 1, 0).await;
    let (old, new) = (rig.address().unwrap(), rig.address().unwrap());
    let node = embedded(rig.member("core-1").unwrap());
    let port = rig.admin_port();
    for text in ["SELECT 'clock'", "INSERT INTO proxysql_servers"] {
        let handle = node.handle();
        let pull = Hook::new(move || {
            let handle = handle.clone();
            async move {
                for sql in [
                    "DELETE FROM proxysql_servers".to_owned(),
                    format!(
                        "INSERT INTO proxysql_servers VALUES ('{old}', {port}, 0, 'old'), ('{new}', {port}, 0, 'guest')"
                    ),
                ] {
                    handle.sql(&sql).unwrap();
                }
            }
        });
        let rule =
            node.trouble().add(Rule::new(Action::After(pull)).containing(text).from_user("radmin").skip(1).once());
        rig.kubernetes().put(pod("guest").ip(new)).await.unwrap();
        let mut rows = rig.expected();
        rows.insert(row(&rig, new, "guest"));
        eventually("the pull", async || node.trouble().hits(rule) == 1 || text.starts_with("INSERT")).await;
        converged_to(&rig, &rows, text).await;
        rig.kubernetes().delete(NAMESPACE, "guest").await.unwrap();
        converged(&rig).await;
        node.trouble().clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steady_state_costs_no_write_and_no_load() {
    const ROUNDS: usize = 20;
    if on_real_proxysql("a_steady_state_costs_no_write_and_no_load") {
        return;
    }
    let rig = fleet(Settings { scripted_api: true, ..settings() }, 3, 2).await;
    let api = rig.kubernetes().embedded().expect("the pod API counts and touches pods");
    api.add_unrelated(NAMESPACE, 100);
    // The last loads are for satellites that connected a moment ago: one look at each node after nobody did.
    at_rest(&rig).await;
    let marks = marks(rig.members());
    let lists = api.traffic().lists;
    let mut next = Instant::now();
    let mut touched = 0;
    loop {
        next += Duration::from_millis(100);
        sleep_until(next).await;
        api.touch_unrelated(NAMESPACE, 5);
        // A core's own pod changes too, in nothing that matters.
        touched += 5;
        api.edit(NAMESPACE, "core-1", |pod| drop(pod.annotations.insert("touched".into(), touched.to_string())));
        let looks =
            rig.members().iter().zip(&marks).map(|(member, mark)| embedded(member).log().of("radmin", *mark).len());
        if looks.min() >= Some(ROUNDS) {
            break;
        }
        assert!(touched < 100_000, "the agents have stopped looking");
    }
    for (member, mark) in rig.members().iter().zip(&marks) {
        assert!(changes(member, *mark).is_empty(), "{}: {:?}", member.name, changes(member, *mark));
    }
    assert_eq!(api.traffic().lists, lists, "nobody listed again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_pod_events_is_one_load_a_second_at_most() {
    if on_real_proxysql("a_burst_of_pod_events_is_one_load_a_second_at_most") {
        return;
    }
    // Long intervals: what is counted is what the events cause.
    let rig = fleet(settings().env("AGENT_CORE_INTERVAL", "30"), 3, 0).await;
    let guests: Vec<IpAddr> = (0..4).map(|_| rig.address().unwrap()).collect();
    let began = SystemTime::now();
    for event in 0..200 {
        let guest = &guests[event % guests.len()];
        let name = format!("guest-{}", event % guests.len());
        if (event / guests.len()).is_multiple_of(2) || event >= 196 {
            rig.kubernetes().put(pod(&name).ip(*guest)).await.unwrap();
        } else {
            rig.kubernetes().delete(NAMESPACE, &name).await.unwrap();
        }
        sleep(Duration::from_millis(3)).await;
    }
    let took = began.elapsed().unwrap();
    let mut rows = rig.expected();
    rows.extend(guests.iter().enumerate().map(|(i, ip)| row(&rig, *ip, &format!("guest-{i}"))));
    converged_to(&rig, &rows, "after the burst").await;
    for core in rig.members() {
        let loads: Vec<SystemTime> =
            embedded(core).log().loads(Module::ProxysqlServers).into_iter().filter(|at| *at >= began).collect();
        // One in each second that the burst has a part of, and one for its last event.
        let second = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let allowed = 2 + usize::try_from(second(began + took) - second(began)).unwrap();
        assert!(loads.len() <= allowed, "{}: {} loads in a burst of {took:?}", core.name, loads.len());
        for pair in loads.windows(2) {
            assert!(second(pair[0]) < second(pair[1]), "{}: two loads in one second", core.name);
        }
    }
}
