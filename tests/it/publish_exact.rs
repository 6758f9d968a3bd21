//! The file is the truth: what it names is in effect, what it does not is gone, and a file that must not be is refused.

use std::collections::BTreeMap;
use std::fs;

use proxysql_fleet::node::Node;
use proxysql_fleet::process::Signal;
use proxysql_fleet::rig::{Rig, Saying, Settings};
use tokio::time::Instant;

use crate::support::{changes, embedded, eventually, fleet, on_real_proxysql, rounds, settings, settled};

pub(crate) fn watched() -> Settings {
    Settings { config_file: true, ..settings() }
}

/// Writes the file of a core anew, as one that is replaced, and asks its agent to reload.
pub(crate) fn publish(rig: &mut Rig, name: &str, edit: impl FnOnce(String) -> String) {
    let member = rig.member_mut(name).unwrap();
    let path = member.config_file();
    let text = edit(fs::read_to_string(&path).unwrap());
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    member.agent.as_mut().unwrap().process.signal(Signal::USR2);
}

pub(crate) async fn column(node: &Node, sql: &str) -> Vec<String> {
    node.query(sql).await.unwrap().into_iter().flatten().map(Option::unwrap_or_default).collect()
}

async fn users(node: &Node) -> Vec<String> {
    column(node, "SELECT DISTINCT username FROM runtime_mysql_users ORDER BY 1").await
}

/// Everything in effect but the list of members: rows of every table, and the versions.
async fn runtime(node: &Node) -> BTreeMap<String, Vec<Vec<Option<String>>>> {
    let tables = [
        "mysql_users",
        "mysql_servers",
        "mysql_replication_hostgroups",
        "mysql_query_rules",
        "mysql_query_rules_fast_routing",
        "mysql_hostgroup_attributes",
        "global_variables",
    ];
    runtime_of(node, &tables).await
}

pub(crate) async fn runtime_of(node: &Node, names: &[&str]) -> BTreeMap<String, Vec<Vec<Option<String>>>> {
    let mut tables = BTreeMap::new();
    for table in names {
        let rows = node.query(&format!("SELECT * FROM runtime_{table} ORDER BY 1, 2")).await.unwrap();
        tables.insert((*table).to_owned(), rows);
    }
    let versions =
        "SELECT name, version, checksum FROM runtime_checksums_values WHERE name<>'proxysql_servers' ORDER BY 1";
    tables.insert("versions".to_owned(), node.query(versions).await.unwrap());
    tables
}

pub(crate) fn said(rig: &Rig, name: &str, what: &str) -> Vec<Saying> {
    let agent = rig.member(name).unwrap().agent.as_ref().unwrap();
    agent.said_since(0).into_iter().filter(|line| line.to_string().contains(what)).collect()
}

pub(crate) async fn hears(rig: &Rig, name: &str, what: &str, times: usize) {
    eventually(&format!("{name} says {what:?} for the {times}th time"), async || said(rig, name, what).len() >= times)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_file_does_not_name_any_more_is_gone_everywhere_and_nothing_else_is_loaded() {
    let mut rig = fleet(watched(), 3, 2).await;
    settled(&rig).await;
    let mut before = BTreeMap::new();
    for member in rig.members() {
        before.insert(member.name.clone(), member.node.checksums().await.unwrap());
    }
    let began = Instant::now();
    for core in ["core-1", "core-2", "core-3"] {
        publish(&mut rig, core, |text| {
            let without = ["\"report\"", "33063", "rule_id=10"];
            let lines = text.lines().filter(|line| !without.iter().any(|gone| line.contains(gone)));
            let text = lines.fold(String::new(), |text, line| text + line + "\n");
            // The last of a list has no comma behind it.
            text.replace("active=1 },\n)", "active=1 }\n)")
                .replace("comment=\"reader\" },\n)", "comment=\"reader\" }\n)")
        });
    }
    for member in rig.members() {
        eventually(&format!("{} has no more than the file", member.name), async || {
            users(&member.node).await == ["app"]
                && column(&member.node, "SELECT port FROM runtime_mysql_servers ORDER BY 1").await == ["33061", "33062"]
                && column(&member.node, "SELECT rule_id FROM runtime_mysql_query_rules").await == ["20"]
        })
        .await;
    }
    eprintln!("gone everywhere after {:.1} s", began.elapsed().as_secs_f32());
    settled(&rig).await;
    for member in rig.members() {
        let after = member.node.checksums().await.unwrap();
        for module in ["admin_variables", "mysql_variables"] {
            assert_eq!(before[&member.name][module], after[module], "{module} of {} was not in question", member.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_of_the_same_file_loads_nothing() {
    if on_real_proxysql("a_reload_of_the_same_file_loads_nothing") {
        return;
    }
    let mut rig = fleet(settings(), 1, 0).await;
    settled(&rig).await;
    let before = runtime(&rig.members()[0].node).await;
    for times in 1..=3 {
        publish(&mut rig, "core-1", |text| text);
        hears(&rig, "core-1", "runtime matches the configuration file", times * 5).await;
    }
    assert_eq!(runtime(&rig.members()[0].node).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_must_not_be_is_refused_and_the_next_good_one_is_published() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    let path = rig.members()[0].config_file();
    let good = fs::read_to_string(&path).unwrap();
    let before = runtime(&rig.members()[0].node).await;
    let cut = |text: &str, name: &str| {
        let at = text.find(&format!("\n{name} =")).unwrap() + 1;
        let end = at + text[at..].find("\n)").unwrap() + 2;
        format!("{}{name} = ( )\n{}", &text[..at], &text[end..])
    };
    let bad = [
        ("broken", "mysql_users = ( { username=".to_owned(), "Unable to open or parse config file"),
        ("without users", cut(&good, "mysql_users"), "mysql_users: it would remove all 2 users"),
        ("without servers", cut(&good, "mysql_servers"), "mysql_servers: it would remove all 3 servers"),
        ("without the agent", good.replace(";radmin:radmin", ""), "does not let the agent's own user radmin in"),
        (
            "another password",
            good.replace("radmin:radmin", "radmin:other"),
            "does not let the agent's own user radmin in",
        ),
        ("without the cluster", good.replace(";cluster:cluster", ""), "does not let the cluster's user cluster in"),
    ];
    for (what, text, reason) in bad {
        publish(&mut rig, "core-1", |_| text);
        hears(&rig, "core-1", reason, 1).await;
        let line = said(&rig, "core-1", reason).remove(0);
        assert!(line.to_string().contains("proxysql.cnf") && line.level == "ERROR", "{what}: {line}");
        assert_eq!(runtime(&rig.members()[0].node).await, before, "{what}");
    }
    fs::remove_file(&path).unwrap();
    rig.member_mut("core-1").unwrap().agent.as_mut().unwrap().process.signal(Signal::HUP);
    hears(&rig, "core-1", "Unable to open", 2).await;
    assert_eq!(runtime(&rig.members()[0].node).await, before, "missing");
    for line in said(&rig, "core-1", "") {
        for secret in ["app-secret", "report-secret", "radmin:", "cluster:cluster"] {
            assert!(!line.to_string().contains(secret), "{line}");
        }
    }
    // The watch sees this one by itself.
    fs::write(&path, good.replace("max_connections=200", "max_connections=42")).unwrap();
    let node = &rig.members()[0].node;
    eventually("the next good file is published", async || {
        column(node, "SELECT DISTINCT max_connections FROM runtime_mysql_servers").await == ["42"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_section_that_is_not_there_leaves_its_module_alone() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    let before = runtime(&rig.members()[0].node).await;
    publish(&mut rig, "core-1", |text| text[..text.find("mysql_servers =").unwrap()].to_owned());
    hears(&rig, "core-1", "not in the file; module left unchanged", 3).await;
    assert_eq!(runtime(&rig.members()[0].node).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_emptied_where_that_is_allowed() {
    let settings = watched().env("AGENT_CORE_ALLOW_EMPTY", "true");
    let mut rig = fleet(settings, 1, 1).await;
    publish(&mut rig, "core-1", |text| {
        let at = text.find("mysql_users =").unwrap();
        let end = at + text[at..].find("\n)").unwrap() + 2;
        format!("{}mysql_users = ( )\n{}", &text[..at], &text[end..])
    });
    for member in rig.members() {
        eventually("no user is left", async || users(&member.node).await.is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_that_the_file_has_no_words_for_keep_what_is_in_effect() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    for sql in [
        "INSERT INTO mysql_query_rules_fast_routing VALUES ('app', 'shop', 0, 20, 'by hand')",
        "LOAD MYSQL QUERY RULES TO RUNTIME",
    ] {
        rig.members()[0].node.query(sql).await.unwrap();
    }
    publish(&mut rig, "core-1", |text| {
        text.replace("destination_hostgroup=20, apply=1", "destination_hostgroup=10, apply=1")
    });
    let node = &rig.members()[0].node;
    eventually("the rule is published", async || {
        column(node, "SELECT destination_hostgroup FROM runtime_mysql_query_rules WHERE rule_id=20").await == ["10"]
    })
    .await;
    assert_eq!(column(node, "SELECT comment FROM runtime_mysql_query_rules_fast_routing").await, ["by hand"]);
}

/// Between the comparison and the load, somebody loads: what they did is seen, and said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_by_hand_in_the_middle_is_not_overwritten_unseen() {
    use proxysql_fleet::proxysql::{Action, Hook, Rule};
    if on_real_proxysql("a_load_by_hand_in_the_middle_is_not_overwritten_unseen") {
        return;
    }
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    let address = rig.members()[0].node.spec().admin();
    let hook = Hook::new(move || async move {
        let mut client = proxysql_fleet::client::Client::connect(address, "observer", "observer").await.unwrap();
        client.query("LOAD MYSQL USERS TO RUNTIME").await.unwrap();
    });
    let comparison =
        Rule::new(Action::After(hook)).from_user("radmin").containing(r#"EXCEPT SELECT "username", "password""#);
    embedded(&rig.members()[0]).trouble().add(comparison.once());
    publish(&mut rig, "core-1", |text| text.replace("username=\"report\"", "username=\"reports\""));
    hears(&rig, "core-1", "module changed concurrently", 1).await;
    let node = &rig.members()[0].node;
    eventually("and then the file is published", async || users(node).await == ["app", "reports"]).await;
}

/// A core boots with a newer file, and while its agent compares, ProxySQL pulls what the older cores have: then that is in effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_in_the_middle_is_not_taken_for_the_file() {
    use proxysql_fleet::proxysql::{Action, Hook, Rule};
    if on_real_proxysql("a_pull_in_the_middle_is_not_taken_for_the_file") {
        return;
    }
    let mut rig = fleet(settings(), 2, 0).await;
    settled(&rig).await;
    let member = rig.member_mut("core-2").unwrap();
    member.kill_agent().await;
    member.kill_node().await;
    // The pull is this test's, and comes when it says so.
    let text = fs::read_to_string(member.config_file()).unwrap();
    let text = text
        .replace("username=\"report\"", "username=\"reports\"")
        .replace("cluster_mysql_users_diffs_before_sync=3", "cluster_mysql_users_diffs_before_sync=0");
    fs::write(member.config_file(), text).unwrap();
    member.restart_node(true).await.unwrap();
    let address = member.node.spec().admin();
    let hook = Hook::new(move || async move {
        let mut client = proxysql_fleet::client::Client::connect(address, "observer", "observer").await.unwrap();
        client.query("UPDATE mysql_users SET username='report' WHERE username='reports'").await.unwrap();
        client.query("LOAD MYSQL USERS TO RUNTIME").await.unwrap();
    });
    let comparison =
        Rule::new(Action::After(hook)).from_user("radmin").containing(r#"EXCEPT SELECT "username", "password""#);
    embedded(member).trouble().add(comparison.once());
    rig.restart_agent("core-2").await.unwrap();
    hears(&rig, "core-2", "module changed concurrently", 1).await;
    let node = &rig.member("core-2").unwrap().node;
    eventually("its file is in effect", async || users(node).await == ["app", "reports"]).await;
}

/// At the most talkative level, in every answer, and on the page: neither what is in the file nor what is refused or taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_and_hashes_appear_nowhere() {
    const HASH: &str = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";
    let mut rig = fleet(watched().env("AGENT_LOG_LEVEL", "TRACE"), 1, 1).await;
    settled(&rig).await;
    let good = fs::read_to_string(rig.member("core-1").unwrap().config_file()).unwrap();
    let edited = good.replace("app-secret", "changed-secret").replace("report-secret", HASH);
    let without_servers = {
        let at = edited.find("mysql_servers =").unwrap();
        let end = at + edited[at..].find("\n)").unwrap() + 2;
        format!("{}mysql_servers = ( )\n{}", &edited[..at], &edited[end..])
    };
    let locked_out = edited.replace("radmin:radmin", "radmin:hidden-secret");
    for (text, words) in [
        (edited.clone(), "published from ProxySQL's configuration file"),
        (without_servers, "it would remove all 3 servers"),
        (locked_out, "does not let the agent's own user radmin in"),
        ("mysql_users = ( { username=\"x\", password=\"torn-secret\"".to_owned(), "Unable to open"),
        (edited, "configuration file accepted again"),
    ] {
        publish(&mut rig, "core-1", |_| text);
        hears(&rig, "core-1", words, 1).await;
    }
    let node = &rig.member("satellite-1").unwrap().node;
    // A later second than the core's load.
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    for sql in
        ["INSERT INTO mysql_users (username, password) VALUES ('rogue', 'rogue-secret')", "LOAD MYSQL USERS TO RUNTIME"]
    {
        node.query(sql).await.unwrap();
    }
    hears(&rig, "satellite-1", "local newer", 1).await;
    rig.member_mut("satellite-1").unwrap().agent.as_mut().unwrap().process.signal(Signal::USR2);
    hears(&rig, "satellite-1", "in sync again", 1).await;
    for name in ["core-1", "satellite-1"] {
        rig.member_mut(name).unwrap().agent.as_mut().unwrap().process.signal(Signal::USR1);
    }
    for name in ["core-1", "satellite-1"] {
        eventually("the status is logged", async || said(&rig, name, "").iter().any(|line| line.message == "status"))
            .await;
        let agent = rig.member(name).unwrap().agent.as_ref().unwrap();
        let mut texts: Vec<String> = agent.process.log().lines().into_iter().map(|line| line.text).collect();
        for path in ["/", "/status", "/drain", "/metrics", "/healthz/ready"] {
            texts.push(agent.get(path).await.unwrap().text().await.unwrap());
        }
        for text in texts {
            for secret in ["-secret", &HASH[1..], "radmin:", "cluster:cluster", "2470c0c0"] {
                assert!(!text.contains(secret), "{name}: {secret} in {text}");
            }
        }
    }
}

/// What was loaded by hand after the file was published stays, and is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_by_hand_is_reported_and_outlives_the_agent() {
    let mut rig = fleet(settings(), 1, 0).await;
    settled(&rig).await;
    for sql in ["UPDATE mysql_users SET default_hostgroup=77 WHERE username='app'", "LOAD MYSQL USERS TO RUNTIME"] {
        rig.members()[0].node.query(sql).await.unwrap();
    }
    hears(&rig, "core-1", "not as published", 1).await;
    rig.restart_agent("core-1").await.unwrap();
    hears(&rig, "core-1", "not as published", 1).await;
    let node = &rig.members()[0].node;
    let hostgroups =
        column(node, "SELECT DISTINCT default_hostgroup FROM runtime_mysql_users WHERE username='app'").await;
    assert_eq!(hostgroups, ["77"], "an emergency change is not taken back by an agent that restarts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_restarts_of_the_agent_are_no_load() {
    let mut rig = fleet(watched(), 2, 0).await;
    settled(&rig).await;
    let before = rig.members()[0].node.checksums().await.unwrap();
    for times in 1..=10 {
        let mark = rig.members()[0].node.embedded().map(|node| node.log().mark());
        rig.restart_agent("core-1").await.unwrap();
        hears(&rig, "core-1", "connected to ProxySQL", 1).await;
        if let Some(mark) = mark {
            rounds(&rig.members()[..1], &[mark], 2).await;
            assert!(changes(&rig.members()[0], mark).is_empty(), "{:?}", changes(&rig.members()[0], mark));
        }
        assert_eq!(rig.members()[0].node.checksums().await.unwrap(), before, "restart {times}");
    }
}
