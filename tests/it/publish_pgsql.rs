//! The modules of PostgreSQL are published as those of MySQL are, where ProxySQL has them. Nodes do not pull them from each other.

use proxysql_fleet::proxysql::Behaviour;
use proxysql_fleet::rig::{Rig, Settings};

use crate::plan::{plan, text};
use crate::publish_exact::{column, hears, publish, runtime_of, said};
use crate::support::{embedded, eventually, fleet, settings, settled};

const FILE: &str = r#"
pgsql_variables =
{
    interfaces="127.0.0.1:0"
    max_connections=123
}
pgsql_servers =
(
    { address="127.0.0.1", port=54321, hostgroup=10, max_connections=200, comment="writer" },
    { address="127.0.0.1", port=54322, hostgroup=20, max_connections=200, comment="reader" }
)
pgsql_users =
(
    { username="pgapp", password="pgapp-secret", default_hostgroup=10, active=1 },
    { username="pgreport", password="pgreport-secret", default_hostgroup=20, active=1 }
)
pgsql_query_rules =
(
    { rule_id=10, active=1, match_digest="^SELECT", destination_hostgroup=20, apply=1 },
    { rule_id=20, active=1, match_digest="^EXPLAIN", destination_hostgroup=20, apply=1 }
)
"#;

const TABLES: [&str; 4] = ["pgsql_users", "pgsql_servers", "pgsql_query_rules", "mysql_users"];

/// A core whose ProxySQL is a 3.0, with everything of the file in effect.
async fn three() -> Rig {
    let usual = settings();
    let configuration = format!("{}{FILE}", usual.configuration);
    let settings = Settings { config_file: true, scripted_proxysql: true, configuration, ..usual };
    let mut rig = fleet(settings, 1, 0).await;
    settled(&rig).await;
    embedded(&rig.members()[0]).behave(|behaviour| *behaviour = Behaviour::v3());
    rig.member_mut("core-1").unwrap().restart_node(true).await.unwrap();
    settled(&rig).await;
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_file_does_not_name_any_more_is_gone() {
    let mut rig = three().await;
    publish(&mut rig, "core-1", |text| {
        let without = ["pgreport", "54322", "rule_id=20, active=1, match_digest=\"^EXPLAIN"];
        let lines = text.lines().filter(|line| !without.iter().any(|gone| line.contains(gone)));
        let text = lines.fold(String::new(), |text, line| text + line + "\n");
        text.replace(" },\n)", " }\n)").replace("max_connections=123", "max_connections=321")
    });
    let node = &rig.members()[0].node;
    for (what, sql, value) in [
        ("users", "SELECT DISTINCT username FROM runtime_pgsql_users", "pgapp"),
        ("servers", "SELECT port FROM runtime_pgsql_servers", "54321"),
        ("rules", "SELECT rule_id FROM runtime_pgsql_query_rules", "10"),
        (
            "variables",
            "SELECT variable_value FROM runtime_global_variables WHERE variable_name='pgsql-max_connections'",
            "321",
        ),
    ] {
        eventually(&format!("{what} are those of the file"), async || column(node, sql).await == [value]).await;
    }
    settled(&rig).await;
    assert_eq!(column(node, "SELECT DISTINCT username FROM runtime_mysql_users ORDER BY 1").await, ["app", "report"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_without_users_is_refused() {
    let mut rig = three().await;
    let before = runtime_of(&rig.members()[0].node, &TABLES).await;
    publish(&mut rig, "core-1", |text| {
        let at = text.find("pgsql_users =").unwrap();
        let end = at + text[at..].find("\n)").unwrap() + 2;
        format!("{}pgsql_users = ( )\n{}", &text[..at], &text[end..])
    });
    hears(&rig, "core-1", "pgsql_users: it would remove all 2 users", 1).await;
    assert_eq!(runtime_of(&rig.members()[0].node, &TABLES).await, before);
    for line in said(&rig, "core-1", "") {
        assert!(!line.to_string().contains("-secret"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_speaks_of_them_without_secrets() {
    let rig = three().await;
    let member = &rig.members()[0];
    let unchanged = plan(member, &[]).await;
    assert_eq!((unchanged.status.code(), text(&unchanged).matches("nothing to do").count()), (Some(0), 9));
    let good = std::fs::read_to_string(member.config_file()).unwrap();
    let edited = good.replace("pgapp-secret", "another-secret").replace("54322", "54329");
    std::fs::write(member.config_file(), edited).unwrap();
    let changes = plan(member, &[]).await;
    let said = text(&changes);
    assert_eq!(changes.status.code(), Some(3), "{said}");
    for line in ["~pgapp (pgsql_users) password: [redacted] -> [redacted]", "+20/127.0.0.1/54329 (pgsql_servers)"] {
        assert!(said.contains(line), "no {line:?} in\n{said}");
    }
    assert!(!said.contains("-secret"), "{said}");
}
