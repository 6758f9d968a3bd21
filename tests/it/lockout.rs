//! No file locks the agent or the cluster out: it is refused, or taken back, and after everything has restarted all still get in.

use std::fs;
use std::net::SocketAddr;

use proxysql_fleet::client::Client;
use proxysql_fleet::rig::Rig;

use crate::publish_exact::{column, hears, publish, said};
use crate::support::{eventually, fleet, settings, settled};

/// Whether a login lets in who may administer.
async fn gets_in(address: SocketAddr, user: &str, password: &str) -> bool {
    let Ok(mut client) = Client::connect(address, user, password).await else { return false };
    client.query("SELECT COUNT(*) FROM runtime_checksums_values").await.is_ok()
}

async fn all_get_in(rig: &Rig, what: &str) {
    for member in rig.members() {
        for user in ["radmin", "cluster"] {
            assert!(gets_in(member.admin(), user, user).await, "{what}: {user} does not get in at {}", member.name);
        }
    }
}

/// The password `other` as `ProxySQL` keeps it.
const OTHER: &str = "*29F9B5FCE8B3B40A5C0AA4B5F66CEF3A8A5CC14B";
/// `caching_sha2_password`'s form, of nobody's password.
const SHA2: &str = "$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORD";

const LIST: &str = "admin:admin;radmin:radmin;cluster:cluster;observer:observer";

/// Ways to lock somebody out: what the file then has in place of what.
fn ways() -> Vec<(&'static str, String, String)> {
    let list = |new: &str| (LIST.to_owned(), new.to_owned());
    let replaced = |old: &str, new: &str| (LIST.to_owned(), LIST.replace(old, new));
    let beside = |more: &str| (format!("\"{LIST}\""), format!("\"{LIST}\"\n  {more}"));
    let cluster = |old: &str, new: &str| (old.to_owned(), new.to_owned());
    let user = |name: &str| {
        let first = "mysql_users =\n(";
        (first.to_owned(), format!("{first}\n  {{ username=\"{name}\", password=\"{name}\", default_hostgroup=10 }},"))
    };
    let ways = [
        ("the agent's user is not there", replaced("radmin:radmin;", "")),
        ("another password", replaced("radmin:radmin", "radmin:other")),
        ("a password in another case", replaced("radmin:radmin", "radmin:Radmin")),
        ("everything in another case", list(&LIST.to_uppercase())),
        ("a password that begins with a star", replaced("radmin:radmin", "radmin:*kR7.fQ")),
        ("a password with a colon", replaced("radmin:radmin", "radmin:rad:min")),
        ("a space after the semicolon", replaced(";radmin", "; radmin")),
        ("a space before the colon", replaced("radmin:", "radmin :")),
        ("the hash of another password", replaced("radmin:radmin", &format!("radmin:{OTHER}"))),
        ("a hash of another kind", replaced("radmin:radmin", &format!("radmin:{SHA2}"))),
        ("no password", replaced("radmin:radmin", "radmin")),
        ("twice, the second with another password", replaced("observer:", "radmin:other;observer:")),
        ("also among the stats users", cluster("stats:stats", "stats:stats;radmin:radmin")),
        ("also a database user", user("radmin")),
        ("nobody may write", beside("read_only=true")),
        ("the cluster's user is not there", replaced("cluster:cluster;", "")),
        ("the cluster's user has another password", replaced("cluster:cluster", "cluster:other")),
        ("the cluster's user has a hash of another kind", replaced("cluster:cluster", &format!("cluster:{SHA2}"))),
        (
            "a hashed cluster_password",
            cluster("cluster_password=\"cluster\"", &format!("cluster_password=\"{OTHER}\"")),
        ),
        ("cluster_password in another case", cluster("cluster_password=\"cluster\"", "cluster_password=\"Cluster\"")),
        ("the cluster's user is a stats user", cluster("cluster_username=\"cluster\"", "cluster_username=\"stats\"")),
        ("the cluster's user is a database user", cluster("cluster_username=\"cluster\"", "cluster_username=\"app\"")),
        ("a database user with the cluster's name", user("cluster")),
        ("the cluster's user is nobody", cluster("cluster_username=\"cluster\"", "cluster_username=\"\"")),
    ];
    ways.into_iter().map(|(what, (old, new))| (what, old, new)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_four_ways_to_lock_out_the_agent_or_the_cluster_and_all_get_in_after_everything_restarted() {
    let mut rig = fleet(settings(), 3, 0).await;
    settled(&rig).await;
    let names: Vec<String> = rig.members().iter().map(|member| member.name.clone()).collect();
    let good = fs::read_to_string(rig.members()[0].config_file()).unwrap();
    let credentials = "SELECT variable_name, variable_value FROM runtime_global_variables WHERE variable_name LIKE 'admin-%cred%' \
                       OR variable_name LIKE 'admin-cluster_%name' OR variable_name LIKE 'admin-cluster_pass%' ORDER BY 1";
    let before = column(&rig.members()[0].node, credentials).await;
    for (i, (what, old, new)) in ways().into_iter().enumerate() {
        let bad = good.replace(&old, &new);
        assert_ne!(bad, good, "{what}");
        publish(&mut rig, &names[0], |_| bad);
        hears(&rig, &names[0], "configuration file rejected", i + 1).await;
        eprintln!("{what}: {}", said(&rig, &names[0], "configuration file rejected").pop().unwrap());
        assert_eq!(column(&rig.members()[0].node, credentials).await, before, "{what}");
        all_get_in(&rig, what).await;
    }
    for line in said(&rig, &names[0], "") {
        for secret in [OTHER, "kR7.fQ", "radmin:", "cluster:cluster", "THISISA"] {
            assert!(!line.to_string().contains(secret), "{line}");
        }
    }
    publish(&mut rig, &names[0], |_| good.clone());
    hears(&rig, &names[0], "configuration file accepted again", 1).await;
    // What is on their disks lets everybody in, too.
    for name in &names {
        rig.member_mut(name).unwrap().kill_agent().await;
        rig.member_mut(name).unwrap().kill_node().await;
        rig.member_mut(name).unwrap().restart_node(false).await.unwrap();
        rig.restart_agent(name).await.unwrap();
    }
    settled(&rig).await;
    all_get_in(&rig, "after everything restarted").await;
}

/// What was tried and taken back is known to a new agent, and tried again when somebody asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_locked_somebody_out_is_tried_once_and_known_to_a_plan_and_a_new_agent() {
    let mut rig = fleet(settings(), 1, 0).await;
    settled(&rig).await;
    publish(&mut rig, "core-1", |text| text.replace("radmin:radmin", &format!("radmin:{SHA2}")));
    hears(&rig, "core-1", "restored the previous configuration", 1).await;
    hears(&rig, "core-1", "configuration file rejected", 1).await;
    let version = "SELECT version FROM runtime_checksums_values WHERE name='admin_variables'";
    // Once more in a later second, for whoever pulled what was there for a moment.
    let node = &rig.members()[0].node;
    eventually("it is loaded again", async || column(node, version).await == ["5"]).await;
    let plan = crate::plan::plan(&rig.members()[0], &[]).await;
    let text = crate::plan::text(&plan);
    assert!(plan.status.code() == Some(1) && text.contains("does not get in any more"), "{text}");
    rig.restart_agent("core-1").await.unwrap();
    hears(&rig, "core-1", "configuration file rejected", 1).await;
    assert_eq!(column(&rig.members()[0].node, version).await, ["5"], "not again by a new agent");
}

/// The port of administration elsewhere: the agent's connection stays, and a login in the first half second still gets in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_moves_the_admin_port_away_is_taken_back_and_one_that_adds_another_is_published() {
    let mut rig = fleet(settings(), 1, 0).await;
    settled(&rig).await;
    let admin = rig.members()[0].admin();
    let elsewhere = format!("mysql_ifaces=\"{}:{}\"", admin.ip(), admin.port() + 7);
    publish(&mut rig, "core-1", |text| text.replace(&format!("mysql_ifaces=\"{admin}\""), &elsewhere));
    hears(&rig, "core-1", "restored the previous configuration", 1).await;
    hears(&rig, "core-1", "configuration file rejected", 1).await;
    all_get_in(&rig, "a moved port").await;
    let version = "SELECT version FROM runtime_checksums_values WHERE name='admin_variables'";
    // Once more in a later second, as whatever is put back.
    eventually("it is loaded again", async || column(&rig.members()[0].node, version).await == ["5"]).await;
    let plan = crate::plan::plan(&rig.members()[0], &[]).await;
    assert_eq!(plan.status.code(), Some(1), "{}", crate::plan::text(&plan));
    rig.restart_agent("core-1").await.unwrap();
    hears(&rig, "core-1", "configuration file rejected", 1).await;
    assert_eq!(column(&rig.members()[0].node, version).await, ["5"], "tried once");
    let both = format!("mysql_ifaces=\"{admin};{}:{}\"", admin.ip(), admin.port() + 7);
    publish(&mut rig, "core-1", |text| text.replace(&elsewhere, &both));
    let interfaces = "SELECT variable_value FROM runtime_global_variables WHERE variable_name='admin-mysql_ifaces'";
    let has_both = async || column(&rig.members()[0].node, interfaces).await[0].contains(';');
    eventually("another interface", has_both).await;
    settled(&rig).await;
    all_get_in(&rig, "another interface").await;
}
