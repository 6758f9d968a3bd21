//! What was published is remembered in ProxySQL: an agent that comes knows what is in effect, of which file, and what no load changes.

use std::fs;

use proxysql_fleet::rig::{Rig, Settings};

use crate::plan::{plan, text};
use crate::publish_exact::{column, hears, publish, said, watched};
use crate::support::{eventually, eventually_on, fleet, settled};

const VERSIONS: &str = "SELECT name || ' ' || version FROM runtime_checksums_values WHERE name<>'proxysql_servers' AND name<>'mysql_servers' ORDER BY 1";

/// Values that no load brings about: unknown ones, one out of its range, and one of another kind.
fn strange(text: &str) -> String {
    text.replace("threads=2", "threads=2\n  mysql-max_stmts_cache=1024\n  nosuch_variable=7\n  wait_timeout=-5")
        .replace("stats_credentials=", "debug_nonsense=true\n  stats_credentials=")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_proxysql_shows_otherwise_is_loaded_once_and_then_known_to_plans_and_new_agents() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    publish(&mut rig, "core-1", |text| strange(&text));
    hears(&rig, "core-1", "runtime shows these values differently", 2).await;
    settled(&rig).await;
    let before = column(&rig.members()[0].node, VERSIONS).await;
    for _ in 0..2 {
        publish(&mut rig, "core-1", |text| text);
        hears(&rig, "core-1", "runtime matches the configuration file", 5).await;
        settled(&rig).await;
        rig.restart_agent("core-1").await.unwrap();
        hears(&rig, "core-1", "connected to ProxySQL", 1).await;
    }
    assert_eq!(column(&rig.members()[0].node, VERSIONS).await, before);
    // A value that ProxySQL did not take is told as such, by a new agent, too, and costs no load.
    let planned = plan(&rig.members()[0], &[]).await;
    let told = text(&planned);
    assert_eq!(planned.status.code(), Some(0), "{told}");
    assert!(told.contains("!mysql-wait_timeout: ProxySQL does not take it"), "{told}");
    assert!(told.contains("mysql-nosuch_variable: ProxySQL does not show it"), "{told}");
    publish(&mut rig, "core-1", |text| text);
    hears(&rig, "core-1", "ProxySQL ignores these entries of the file", 1).await;
}

/// A password in another form is a value like that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_after_a_publication_has_nothing_to_do_and_names_what_is_shown_otherwise() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    publish(&mut rig, "core-1", |text| text.replace("comment=\"reader\"", "comment=\"reader\", status=\"online\""));
    hears(&rig, "core-1", "runtime shows these values differently", 1).await;
    settled(&rig).await;
    let planned = plan(&rig.members()[0], &[]).await;
    let said = text(&planned);
    assert_eq!(planned.status.code(), Some(0), "{said}");
    assert!(said.contains("status=\"online\": ProxySQL shows this as \"ONLINE\""), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_changed_while_no_agent_was_there_is_published() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    for (i, wanted) in ["30", "40"].into_iter().enumerate() {
        rig.member_mut("core-1").unwrap().kill_agent().await;
        let path = rig.members()[0].config_file();
        let good = fs::read_to_string(&path).unwrap();
        if i == 0 {
            fs::write(
                &path,
                good.replace("destination_hostgroup=20, apply", &format!("destination_hostgroup={wanted}, apply")),
            )
            .unwrap();
        } else {
            fs::write(&path, good.replace("max_connections=200", "max_connections=201")).unwrap();
        }
        rig.restart_agent("core-1").await.unwrap();
        hears(&rig, "core-1", "changed since it was published", 1).await;
        let node = &rig.members()[0].node;
        eventually("it is in effect", async || match i {
            0 => {
                column(node, "SELECT destination_hostgroup FROM runtime_mysql_query_rules WHERE rule_id=20").await
                    == [wanted]
            }
            _ => column(node, "SELECT DISTINCT max_connections FROM runtime_mysql_servers").await == ["201"],
        })
        .await;
        settled(&rig).await;
    }
}

/// The file itself is the same; what it includes is not. Then the other way round: the whole file is put back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_file_includes_was_changed_while_no_agent_was_there() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    let path = rig.members()[0].config_file();
    let good = fs::read_to_string(&path).unwrap();
    let (head, rules) = good.split_at(good.find("\nmysql_query_rules").unwrap());
    let included = path.with_file_name("rules.inc");
    fs::write(&included, rules).unwrap();
    publish(&mut rig, "core-1", |_| format!("{head}\n@include \"{}\"\n", included.display()));
    settled(&rig).await;
    for rule in ["30", "40"] {
        rig.member_mut("core-1").unwrap().kill_agent().await;
        fs::write(&included, rules.replace("rule_id=20", &format!("rule_id={rule}"))).unwrap();
        rig.restart_agent("core-1").await.unwrap();
        rule_is_in_effect(&rig, rule).await;
    }
    rig.member_mut("core-1").unwrap().kill_agent().await;
    fs::write(&path, &good).unwrap();
    rig.restart_agent("core-1").await.unwrap();
    rule_is_in_effect(&rig, "20").await;
}

async fn rule_is_in_effect(rig: &Rig, rule: &str) {
    let rules = "SELECT rule_id FROM runtime_mysql_query_rules ORDER BY 1 DESC LIMIT 1";
    eventually("the rule is in effect", async || column(&rig.members()[0].node, rules).await == [rule]).await;
    settled(rig).await;
}

/// What was changed and changed back is the file that was published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_again_what_it_was_is_not_loaded() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    let path = rig.members()[0].config_file();
    let good = fs::read_to_string(&path).unwrap();
    let before = column(&rig.members()[0].node, VERSIONS).await;
    rig.member_mut("core-1").unwrap().kill_agent().await;
    fs::write(&path, good.replace("max_connections=200", "max_connections=201")).unwrap();
    fs::write(&path, &good).unwrap();
    rig.restart_agent("core-1").await.unwrap();
    hears(&rig, "core-1", "connected to ProxySQL", 1).await;
    settled(&rig).await;
    // A comment makes another file of it, and nothing to load.
    rig.member_mut("core-1").unwrap().kill_agent().await;
    fs::write(&path, format!("{good}\n# nothing\n")).unwrap();
    rig.restart_agent("core-1").await.unwrap();
    hears(&rig, "core-1", "changed since it was published", 1).await;
    hears(&rig, "core-1", "runtime matches the configuration file", 5).await;
    settled(&rig).await;
    assert_eq!(column(&rig.members()[0].node, VERSIONS).await, before);
}

/// A bad file that was put there meanwhile is refused, one that is mended meanwhile is published, and both are said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_broken_and_mended_while_no_agent_was_there() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    let path = rig.members()[0].config_file();
    let good = fs::read_to_string(&path).unwrap();
    let limits = "SELECT DISTINCT max_connections FROM runtime_mysql_servers";
    for (bad, reason) in [
        (good.replace("hostgroup=20, max", "hostgroup=\"20\", max"), "ProxySQL ignores these entries of the file"),
        ("mysql_servers = ( {".to_owned(), "Unable to open or parse config file"),
        (good.replace(";radmin:radmin", ""), "does not let the agent's own user radmin in"),
    ] {
        rig.member_mut("core-1").unwrap().kill_agent().await;
        fs::write(&path, bad).unwrap();
        rig.restart_agent("core-1").await.unwrap();
        hears(&rig, "core-1", reason, 1).await;
        assert_eq!(column(&rig.members()[0].node, limits).await, ["200"], "{reason}");
    }
    rig.member_mut("core-1").unwrap().kill_agent().await;
    fs::write(&path, good.replace("max_connections=200", "max_connections=99")).unwrap();
    rig.restart_agent("core-1").await.unwrap();
    eventually("the mended file is in effect", async || column(&rig.members()[0].node, limits).await == ["99"]).await;
    settled(&rig).await;
}

/// A plan that was killed leaves its draft in memory, and a copy of what was there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_plan_that_was_killed_has_left_is_thrown_away_and_memory_is_what_is_in_effect() {
    let mut rig = fleet(watched(), 1, 0).await;
    settled(&rig).await;
    for by_plan in [true, false] {
        let node = &rig.members()[0].node;
        for sql in [
            "CREATE TABLE main.proxysql_agent_kept_mysql_users AS SELECT * FROM main.mysql_users",
            "UPDATE main.proxysql_agent_kept_mysql_users SET password='of long ago'",
            "DELETE FROM mysql_users WHERE username='report'",
        ] {
            node.query(sql).await.unwrap();
        }
        if by_plan {
            assert_eq!(plan(&rig.members()[0], &[]).await.status.code(), Some(0));
        } else {
            publish(&mut rig, "core-1", |text| text);
            hears(&rig, "core-1", "an interrupted edit was left in MEMORY", 1).await;
            settled(&rig).await;
        }
        let node = &rig.members()[0].node;
        let users = "SELECT DISTINCT username || ' ' || password FROM mysql_users WHERE active=1 ORDER BY 1";
        assert_eq!(column(node, users).await, ["app app-secret", "report report-secret"], "by a plan: {by_plan}");
        assert_eq!(
            column(node, "SELECT name FROM sqlite_master WHERE name LIKE 'proxysql_agent_kept%'").await.len(),
            0
        );
    }
}

/// Values in another form: of a server, of rules, of a user.
fn in_another_form(text: &str) -> String {
    let changed = text
        .replace(
            "max_connections=200, comment=\"writer\"",
            "max_connections=200, status=\"online\", comment=\"writer\"",
        )
        .replace("rule_id=20,", "rule_id=20, re_modifiers=\"caseless\", digest=\"0xabc\",");
    assert!(changed.contains("online") && changed.contains("caseless"));
    changed
}

const PUBLISHED: &str = "published from ProxySQL's configuration file";

/// A load has shown it on a peer that has the same at runtime: a new ProxySQL beside it, or one that pulled, need not load it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_load_on_a_peer_has_shown_is_loaded_by_no_other_core() {
    let usual = watched();
    let configuration = in_another_form(&usual.configuration);
    let mut rig = fleet(Settings { configuration, ..usual }, 1, 0).await;
    settled(&rig).await;
    hears(&rig, "core-1", "runtime shows these values differently", 2).await;
    let before = column(&rig.members()[0].node, VERSIONS).await;
    for name in ["core-2", "core-3"] {
        assert_eq!(rig.add_core().await.unwrap(), name);
        let learned = "a load on this peer has shown that none changes these";
        eventually_on(&rig, "it learns of both modules", async || said(&rig, name, learned).len() == 2).await;
        settled(&rig).await;
        assert!(said(&rig, name, PUBLISHED).is_empty(), "{:?}", said(&rig, name, PUBLISHED));
        let planned = plan(rig.member(name).unwrap(), &[]).await;
        assert_eq!(planned.status.code(), Some(0), "{}", text(&planned));
        // It tells the next one in turn.
        rig.restart_agent("core-1").await.unwrap();
        hears(&rig, "core-1", "connected to ProxySQL", 1).await;
    }
    assert_eq!(column(&rig.members()[0].node, VERSIONS).await, before);

    // All get a file with more of it: one loads, the others pull that and load nothing.
    for name in ["core-1", "core-2", "core-3"] {
        publish(&mut rig, name, |text| text.replace("rule_id=10,", "rule_id=10, re_modifiers=\"global\","));
        eventually_on(&rig, "the change is there", async || {
            let modifiers = "SELECT re_modifiers FROM runtime_mysql_query_rules WHERE rule_id=10";
            column(&rig.member(name).unwrap().node, modifiers).await == ["GLOBAL"]
        })
        .await;
        settled(&rig).await;
    }
    let loads: Vec<usize> =
        ["core-1", "core-2", "core-3"].map(|name| said(&rig, name, &format!("{PUBLISHED} ")).len()).into();
    assert_eq!(loads[1..], [0, 0], "{loads:?}");
}
