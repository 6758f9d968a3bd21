//! What was published is remembered in ProxySQL: an agent that comes knows what is in effect, of which file, and what no load changes.

use std::fs;

use crate::plan::{plan, text};
use crate::publish_exact::{column, hears, publish, watched};
use crate::support::{eventually, fleet, settled};

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
