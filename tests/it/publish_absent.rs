//! A module that the file does not speak of is never emptied, whatever looks like a section; one with a section is, where it has no entries.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proxysql_fleet::rig::Rig;

use crate::config_file::relative;
use crate::plan::{plan, text};
use crate::publish_exact::{hears, publish, runtime_of, said, watched};
use crate::support::{eventually_on, fleet, settled};

const TABLES: [&str; 3] = ["mysql_users", "mysql_servers", "mysql_query_rules"];
const LEFT_ALONE: &str = "module left unchanged";

type Tables = BTreeMap<String, Vec<Vec<Option<String>>>>;

/// A core that would empty anything that it is told to.
async fn core() -> (Rig, String, Tables) {
    let rig = fleet(watched().env("AGENT_CORE_ALLOW_EMPTY", "true"), 1, 0).await;
    settled(&rig).await;
    let good = fs::read_to_string(rig.members()[0].config_file()).unwrap();
    let before = tables(&rig).await;
    (rig, good, before)
}

async fn tables(rig: &Rig) -> Tables {
    runtime_of(&rig.members()[0].node, &TABLES).await
}

/// The file with another text in place of a section.
fn instead(good: &str, name: &str, text: &str) -> String {
    let at = good.find(&format!("\n{name} =")).unwrap() + 1;
    let end = at + good[at..].find("\n)").unwrap() + 2;
    format!("{}{text}{}", &good[..at], &good[end..])
}

/// Publishes a text, and holds runtime to what it was. `plan` says how the module is left.
async fn leaves(rig: &mut Rig, what: &str, text_of_file: String, told: &str, before: &Tables) {
    let left = said(rig, "core-1", LEFT_ALONE).len();
    publish(rig, "core-1", |_| text_of_file);
    hears(rig, "core-1", LEFT_ALONE, left + 1).await;
    settled(rig).await;
    assert_eq!(&tables(rig).await, before, "{what}");
    let planned = plan(&rig.members()[0], &[]).await;
    assert!(text(&planned).contains(told), "{what}: no {told:?} in\n{}", text(&planned));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_looks_like_a_section_empties_nothing() {
    let (mut rig, good, before) = core().await;
    for (what, text) in [
        ("not there", ""),
        ("in comments", "# mysql_users = ( )\n// mysql_users=()\n/* mysql_users = ( ) */\n"),
        ("in other letters", "MYSQL_USERS = ( )\n"),
        ("in a text", "errorlog = \"mysql_users = ( )\"\n"),
        ("within another", "others = { mysql_users = ( ) }\n"),
        ("by another name", "mysql-users = ( )\n"),
    ] {
        let file = instead(&good, "mysql_users", text);
        leaves(&mut rig, what, file, "mysql_users: not in the file; module left unchanged", &before).await;
    }
    for (name, told) in [
        ("mysql_servers", "mysql_servers: not in the file; module left unchanged"),
        ("mysql_query_rules", "mysql_query_rules: not in the file; module left unchanged"),
    ] {
        leaves(&mut rig, name, instead(&good, name, ""), told, &before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_section_that_cannot_be_seen_empties_nothing() {
    let (mut rig, good, before) = core().await;
    let at = rig.members()[0].config_file().with_file_name("users.cnf");
    fs::write(&at, "mysql_users = ( )\n").unwrap();
    let include = |path: &Path| instead(&good, "mysql_users", &format!("@include \"{}\"\n", path.display()));
    // Only ProxySQL knows where it looks for a relative path: the agent cannot tell an empty section from none.
    let told = "mysql_users: no entries in the file; module left unchanged";
    leaves(&mut rig, "relative", include(&relative(&at)), told, &before).await;
    let emptied = include(&at);
    publish(&mut rig, "core-1", |_| emptied);
    let users = async || tables(&rig).await["mysql_users"].is_empty();
    eventually_on(&rig, "seen, and empty: its users go", users).await;
}

/// A section that this release does not read says nothing of the module's other tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_section_of_another_release_empties_nothing() {
    let (mut rig, good, before) = core().await;
    let sections = [
        (
            "mysql_query_rules",
            "mysql_query_rules_fast_routing = ( )\n",
            "mysql_query_rules: not in the file; module left unchanged",
        ),
        (
            "mysql_servers",
            "mysql_hostgroup_attributes = ( )\n",
            "mysql_servers: not in the file; module left unchanged",
        ),
    ];
    for (name, section, told) in sections {
        leaves(&mut rig, section, instead(&good, name, section), told, &before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_section_without_entries_empties_its_module() {
    let (mut rig, good, _) = core().await;
    for (name, section) in [
        ("mysql_query_rules", "mysql_query_rules = ( )\n"),
        ("mysql_users", "mysql_users:[]\n"),
        ("mysql_servers", "mysql_servers\n=\n(\n# none\n)\n"),
    ] {
        let text = instead(&good, name, section);
        publish(&mut rig, "core-1", |_| text);
        let empty = async || tables(&rig).await[name].is_empty();
        eventually_on(&rig, section, empty).await;
        settled(&rig).await;
    }
}
