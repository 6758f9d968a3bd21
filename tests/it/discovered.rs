//! Servers that ProxySQL has discovered or moved by itself are nobody's to remove: not by a reload, nor by a new agent, nor by what is new
//! in the file; a plan does not speak of them, and nothing is called drift.

use proxysql_fleet::rig::{Rig, Settings};

use crate::life::call;
use crate::plan::{plan, text};
use crate::publish_exact::{column, hears, publish, said, watched};
use crate::support::{embedded, eventually_on, fleet, settled};

const SERVERS: &str = "SELECT hostgroup_id || ' ' || port || ' ' || weight FROM runtime_mysql_servers ORDER BY 1";
const VERSION: &str = "SELECT version FROM runtime_checksums_values WHERE name='mysql_servers_v2'";
const HOST: &str = "127.0.0.1";

/// What ProxySQL is asked to discover, and what its monitor writes down of `port`.
struct Discovery {
    section: &'static str,
    log: fn(port: u16) -> String,
    host: &'static str,
}

const GROUP_REPLICATION: Discovery = Discovery {
    section: "mysql_group_replication_hostgroups = ( { writer_hostgroup=10, backup_writer_hostgroup=11, \
              reader_hostgroup=20, offline_hostgroup=99, max_writers=1, writer_is_also_reader=0 } )\n",
    log: |port| {
        format!(
            "INSERT OR REPLACE INTO monitor.mysql_server_group_replication_log VALUES ('127.0.0.1', {port}, {port}, 1, 'YES', 'YES', 0, NULL)"
        )
    },
    host: HOST,
};

const AURORA: Discovery = Discovery {
    section: "mysql_aws_aurora_hostgroups = ( { writer_hostgroup=10, reader_hostgroup=20, active=1, \
              aurora_port=33064, domain_name=\".cluster.example\" } )\n",
    log: |port| {
        format!(
            "INSERT OR REPLACE INTO monitor.mysql_server_aws_aurora_log (hostname, port, time_start_us, SERVER_ID) \
             VALUES ('127.0.0.1', 33061, {port}, 'reader-1')"
        )
    },
    host: "reader-1.cluster.example",
};

const GALERA: Discovery = Discovery {
    section: "mysql_galera_hostgroups = ( { writer_hostgroup=10, backup_writer_hostgroup=11, reader_hostgroup=20, \
              offline_hostgroup=99, max_writers=1, writer_is_also_reader=1 } )\n",
    log: |port| {
        format!(
            "INSERT OR REPLACE INTO monitor.mysql_server_galera_log (hostname, port, time_start_us, primary_partition) \
             VALUES ('127.0.0.1', {port}, {port}, 'YES')"
        )
    },
    host: HOST,
};

/// Cores whose monitor is on, with such a group in the file.
async fn cores(of: &Discovery, number: usize) -> Rig {
    let usual = watched();
    let configuration = format!("{}{}", usual.configuration, of.section);
    // A real one would have to find such databases.
    let mut rig = fleet(Settings { scripted_proxysql: true, configuration, ..usual }, number, 0).await;
    settled(&rig).await;
    let names: Vec<String> = rig.members().iter().map(|member| member.name.clone()).collect();
    for name in &names {
        publish(&mut rig, name, |text| text.replace("monitor_enabled=false", "monitor_enabled=true"));
    }
    settled(&rig).await;
    for member in rig.members() {
        let on = "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-monitor_enabled'";
        let is_on = async || column(&member.node, on).await == ["true"];
        eventually_on(&rig, "the monitor is on", is_on).await;
    }
    settled(&rig).await;
    rig
}

/// The monitor of a member finds a server in these hostgroups.
fn finds(rig: &Rig, name: &str, of: &Discovery, port: u16, hostgroups: &[i64]) {
    let node = embedded(rig.member(name).unwrap());
    node.sql(&(of.log)(port)).unwrap();
    node.place_server(of.host, port, hostgroups);
}

async fn servers(rig: &Rig) -> Vec<String> {
    column(&rig.members()[0].node, SERVERS).await
}

async fn version(rig: &Rig) -> Vec<String> {
    column(&rig.members()[0].node, VERSION).await
}

/// Nothing is loaded for what is at runtime: by a plan, a reload, a new agent, and its reload; and nothing is called a problem.
async fn nothing_to_do(rig: &mut Rig, what: &str) {
    let (rows, loads) = (servers(rig).await, version(rig).await);
    let in_effect = "runtime matches the configuration file";
    let reloaded = async |rig: &mut Rig| {
        let before = said(rig, "core-1", in_effect).len();
        publish(rig, "core-1", |text| text);
        hears(rig, "core-1", in_effect, before + 5).await;
        settled(rig).await;
    };
    let planned = plan(&rig.members()[0], &[]).await;
    assert_eq!(planned.status.code(), Some(0), "{what}: {}", text(&planned));
    reloaded(rig).await;
    assert_eq!((servers(rig).await, version(rig).await), (rows.clone(), loads.clone()), "{what}: a reload");
    rig.restart_agent("core-1").await.unwrap();
    hears(rig, "core-1", "connected to ProxySQL", 1).await;
    reloaded(rig).await;
    assert_eq!((servers(rig).await, version(rig).await), (rows, loads), "{what}: a new agent, and its reload");
    let api = rig.members()[0].agent.as_ref().unwrap().api();
    let status: serde_json::Value = serde_json::from_str(&call(api, "GET", "/status", &[]).await.text).unwrap();
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(0), "{what}: {status}");
}

/// Publishes an edit, and waits until these servers are at runtime.
async fn edited(rig: &mut Rig, what: &str, edit: impl FnOnce(String) -> String, wanted: &[&str]) {
    publish(rig, "core-1", edit);
    eventually_on(rig, what, async || servers(rig).await == wanted).await;
    settled(rig).await;
    assert_eq!(servers(rig).await, wanted, "{what}");
}

fn heavier(text: &str) -> String {
    assert!(text.contains("port=33062, hostgroup=20,"));
    text.replace("port=33062, hostgroup=20,", "port=33062, hostgroup=20, weight=7,")
}

async fn is_left(of: &Discovery) {
    let mut rig = cores(of, 1).await;
    assert_eq!(servers(&rig).await, ["10 33061 1", "20 33062 1", "20 33063 1"]);
    finds(&rig, "core-1", of, 33064, &[20]);
    nothing_to_do(&mut rig, "discovered").await;
    let wanted = ["10 33061 1", "20 33062 7", "20 33063 1", "20 33064 1"];
    edited(&mut rig, "a weight is published, and who was discovered stays", |text| heavier(&text), &wanted).await;
    nothing_to_do(&mut rig, "discovered, and loaded for that").await;

    // Somebody made what is at runtime what is configured: it would be discovered again all the same.
    for sql in ["SAVE MYSQL SERVERS FROM RUNTIME", "LOAD MYSQL SERVERS TO RUNTIME"] {
        rig.members()[0].node.query(sql).await.unwrap();
    }
    let wanted = ["10 33061 1", "20 33062 1", "20 33063 1", "20 33064 1"];
    edited(&mut rig, "and after a load by hand", |text| text.replace(" weight=7,", ""), &wanted).await;
    nothing_to_do(&mut rig, "loaded by hand").await;

    // The file has a word for it now, and then no more.
    let named = format!("{{ address=\"{}\", port=33064, hostgroup=20, weight=9 }}", of.host);
    let wanted = ["10 33061 1", "20 33062 1", "20 33063 1", "20 33064 9"];
    let adds = |text: String| text.replacen("mysql_servers =\n(", &format!("mysql_servers =\n(\n  {named},"), 1);
    edited(&mut rig, "what the file says of it counts", adds, &wanted).await;
    nothing_to_do(&mut rig, "named").await;

    // Without the group nobody would discover it.
    let wanted = ["10 33061 1", "20 33062 1", "20 33063 1"];
    let without = |text: String| {
        let at = text.find(of.section).unwrap();
        text[..at].replace(&format!("\n  {named},"), "") + &text[at + of.section.len()..]
    };
    edited(&mut rig, "without its group it goes", without, &wanted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_group_replication_that_was_discovered_is_left() {
    is_left(&GROUP_REPLICATION).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_of_aurora_that_was_discovered_is_left() {
    is_left(&AURORA).await;
}

/// Galera's nodes are all in the file; the monitor has them stand elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_galera_are_left_where_the_cluster_has_put_them() {
    let mut rig = cores(&GALERA, 1).await;
    for (port, hostgroups) in [(33061, &[11, 20][..]), (33062, &[10, 20]), (33063, &[99])] {
        finds(&rig, "core-1", &GALERA, port, hostgroups);
    }
    let moved = ["10 33062 1", "11 33061 1", "20 33061 1", "20 33062 1", "99 33063 1"];
    assert_eq!(servers(&rig).await, moved);
    nothing_to_do(&mut rig, "moved").await;
    let wanted = ["10 33062 7", "11 33061 1", "20 33061 1", "20 33062 7", "99 33063 1"];
    edited(&mut rig, "a weight goes along", |text| heavier(&text), &wanted).await;
    nothing_to_do(&mut rig, "moved, with a weight").await;
    // The node that is out of the cluster comes back, and another one is taken out of the file.
    finds(&rig, "core-1", &GALERA, 33063, &[20]);
    nothing_to_do(&mut rig, "back").await;
    let without = |text: String| {
        let lines = text.lines().filter(|line| !line.contains("port=33061"));
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    edited(&mut rig, "who is not in the file goes", without, &["10 33062 7", "20 33062 7", "20 33063 1"]).await;
}

/// Each core's monitor discovers for itself, and one of them later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_core_has_discovered_and_the_other_not_yet_is_no_drift() {
    let mut rig = cores(&GROUP_REPLICATION, 2).await;
    finds(&rig, "core-1", &GROUP_REPLICATION, 33064, &[20]);
    nothing_to_do(&mut rig, "on one core").await;
    finds(&rig, "core-2", &GROUP_REPLICATION, 33064, &[20]);
    nothing_to_do(&mut rig, "on both").await;
    for name in ["core-1", "core-2"] {
        assert_eq!(said(&rig, name, "drift detected").len(), 0, "{name}");
    }
}
