//! The file is read as ProxySQL reads it, with what it includes; what ProxySQL passes over in it costs nobody a row; and every section
//! that is not published is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proxysql_fleet::node::Node;
use proxysql_fleet::process::Signal;
use proxysql_fleet::rig::{Rig, Settings};
use serde_json::Value;

use crate::life::call;
use crate::plan::{plan, text};
use crate::publish_exact::{column, hears, publish, runtime_of, said, watched};
use crate::support::{eventually, eventually_on, fleet, settings, settled};

const TABLES: [&str; 7] = [
    "mysql_users",
    "mysql_servers",
    "mysql_query_rules",
    "mysql_replication_hostgroups",
    "scheduler",
    "restapi_routes",
    "global_variables",
];

/// More than the usual file has.
const MORE: &str = r#"
mysql_replication_hostgroups = ( { writer_hostgroup=10, reader_hostgroup=20, comment="pair" } )
scheduler = ( { id=1, active=0, interval_ms=10000, filename="/bin/true", arg1="--writers=1", comment="checker" } )
restapi = ( { id=1, active=0, timeout_ms=1000, method="GET", uri="/x", script="/bin/true", comment="route" } )
"#;

fn with_more(usual: Settings) -> Settings {
    Settings { configuration: format!("{}{MORE}", usual.configuration), ..usual }
}

async fn one_core(settings: Settings) -> (Rig, String) {
    let rig = fleet(settings, 1, 0).await;
    settled(&rig).await;
    let good = fs::read_to_string(rig.members()[0].config_file()).unwrap();
    eventually("the status is ok", async || status(&rig).await["status"] == "ok").await;
    (rig, good)
}

async fn status(rig: &Rig) -> Value {
    let api = rig.members()[0].agent.as_ref().unwrap().api();
    let answer = call(api, "GET", "/status", &[]).await;
    let document = answer.body();
    crate::status::has_the_schema(&document);
    document
}

async fn problems(rig: &Rig) -> Vec<String> {
    let document = status(rig).await;
    let problems = document["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem["problem"].as_str().unwrap().to_owned()).collect()
}

/// What a plan says, once nobody else works on memory.
async fn planned(rig: &Rig) -> (Option<i32>, String) {
    for _ in 0..5 {
        let output = plan(&rig.members()[0], &[]).await;
        if output.stderr.is_empty() {
            return (output.status.code(), text(&output));
        }
    }
    panic!("no plan");
}

async fn runtime(rig: &Rig) -> BTreeMap<String, Vec<Vec<Option<String>>>> {
    runtime_of(&rig.members()[0].node, &TABLES).await
}

/// The good file is in effect again.
async fn mend(rig: &mut Rig, good: &str) {
    publish(rig, "core-1", |_| good.to_owned());
    eventually("nothing is wrong any more", async || status(rig).await["status"] == "ok").await;
}

fn node(rig: &Rig) -> &Node {
    &rig.members()[0].node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::too_many_lines, reason = "most of it is the table of faults")]
async fn what_proxysql_passes_over_is_refused_where_something_in_effect_would_go_or_stay_for_it() {
    let (mut rig, good) = one_core(with_more(watched())).await;
    let before = runtime(&rig).await;
    // What stands in the file, what is to stand there, and what is named; of each round all at once, each in another module.
    let rounds: [&[(&str, &str, &str)]; 5] = [
        &[
            ("port=33062, hostgroup=20", "port=33062, hostgroup=\"20\"", "mysql_servers 20/127.0.0.1/33062 (entry 2)"),
            ("report-secret", "rep'ort-hidden", "mysql_users report (entry 2)"),
            ("^SELECT .* FOR UPDATE", "^SELECT \\\"x\\\" FOR UPDATE", "mysql_query_rules 10 (entry 1)"),
            ("threads=2", "threads=2\n  monitor_password=\"hid\\\"den\"", "mysql-monitor_password"),
            ("--writers=1", "--it's=1", "scheduler 1 (entry 1)"),
            ("method=\"GET\"", "method=\"PUT\"", "restapi_routes 1 (entry 1)"),
        ],
        &[
            ("port=33062, hostgroup=20", "port=33062L, hostgroup=20", "mysql_servers 20/127.0.0.1/33062 (entry 2)"),
            ("report-secret", "rep''ort-hidden", "mysql_users report (password)"),
            ("rule_id=20,", "rule_id=20, client_addr=\"10.%.1\",", "mysql_query_rules 20 (entry 2)"),
            ("threads=2", "threads=2\n  max_connections=5000000000", "mysql-max_connections"),
            ("interval_ms=10000", "interval_ms=10", "scheduler 1 (entry 1)"),
            ("timeout_ms=1000", "timeout_ms=\"1000\"", "restapi_routes 1 (entry 1)"),
        ],
        &[
            ("port=33063,", "port=33063, weight=-1,", "mysql_servers 20/127.0.0.1/33063 (entry 3)"),
            ("default_hostgroup=20, active=1 }", "default_hostgroup=-1, active=1 }", "mysql_users report (entry 2)"),
            (
                "destination_hostgroup=10, apply=1",
                "destination_hostgroup=10, apply=true",
                "mysql_query_rules 10 (apply)",
            ),
            ("filename=", "file=", "scheduler 1 (entry 1)"),
        ],
        &[
            (
                "max_connections=200, comment=\"writer\"",
                "max_connections=\"200\", comment=\"writer\"",
                "mysql_servers 10/127.0.0.1/33061 (max_connections)",
            ),
            ("username=\"report\"", "user=\"report\"", "mysql_users ? (entry 2)"),
        ],
        &[("reader_hostgroup=20", "reader_hostgroup=10", "mysql_replication_hostgroups 10 (entry 1)")],
    ];
    for round in rounds {
        let mut bad = good.clone();
        for (from, to, named) in round {
            let edited = bad.replacen(from, to, 1);
            assert_ne!(edited, bad, "{named}");
            bad = edited;
        }
        publish(&mut rig, "core-1", |_| bad);
        eventually_on(&rig, "it is refused", async || {
            let document = status(&rig).await;
            let reason = document["publishing"]["refused"].as_str().unwrap_or_default();
            round.iter().all(|(.., named)| reason.contains(named))
        })
        .await;
        assert_eq!(problems(&rig).await, ["publish_refused"]);
        let (code, planned) = planned(&rig).await;
        assert!(code == Some(1) && round.iter().all(|(.., named)| planned.contains(named)), "{planned}");
        mend(&mut rig, &good).await;
        assert_eq!(runtime(&rig).await, before, "{round:?}");
        for told in [said(&rig, "core-1", "").iter().map(ToString::to_string).collect::<String>(), planned] {
            assert!(!told.contains("ort-hidden") && !told.contains("hid\""), "{round:?}: {told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_costs_nothing_is_published_and_told() {
    let (mut rig, good) = one_core(watched()).await;
    let app = "{ username=\"app\", password=\"app-secret\", default_hostgroup=10, active=1 },";
    let twice = good.replace(app, &format!("{app}\n{app}\n{{ username=\"more\", password=\"m\" }},"));
    publish(&mut rig, "core-1", |_| twice);
    hears(&rig, "core-1", "mysql_users app (entry 1, which is there again)", 1).await;
    eventually("the rest is published", async || {
        column(node(&rig), "SELECT DISTINCT username FROM runtime_mysql_users ORDER BY 1").await
            == ["app", "more", "report"]
    })
    .await;
    eventually("nothing is lost by it", async || status(&rig).await["status"] == "ok").await;
    mend(&mut rig, &good).await;

    // A new one that is not taken, beside one that is; and a value that is not taken where it changes nothing.
    let quoted = good
        .replace("hostgroup=10, max_connections=200", "hostgroup=10, use_ssl=true, max_connections=200")
        .replace("mysql_servers =\n(", "mysql_servers =\n( { address=\"127.0.0.1\", port=1, hostgroup=\"30\" }, { address=\"127.0.0.1\", port=2, hostgroup=30 },");
    publish(&mut rig, "core-1", |_| quoted);
    eventually("the new one is in effect", async || {
        column(node(&rig), "SELECT port FROM runtime_mysql_servers ORDER BY 1").await
            == ["2", "33061", "33062", "33063"]
    })
    .await;
    eventually("what was not taken is told", async || problems(&rig).await == ["passed_over"]).await;
    let told = ["mysql_servers 30/127.0.0.1/1 (entry 1)", "mysql_servers 10/127.0.0.1/33061 (use_ssl)"];
    assert_eq!(status(&rig).await["publishing"]["passed_over"], serde_json::json!(told));
    eventually("it is in effect, as far as it can be", async || {
        let (code, planned) = planned(&rig).await;
        code == Some(0) && told.iter().all(|entry| planned.contains(entry))
    })
    .await;
    mend(&mut rig, &good).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_file_proxysqls_own_count_is_gone_by_and_what_cannot_be_known_is_said() {
    let (mut rig, good) = one_core(settings()).await;
    hears(&rig, "core-1", "sections that are not published cannot be detected", 1).await;
    let before = runtime(&rig).await;
    publish(&mut rig, "core-1", |text| text.replace("port=33063,", "port=33063, weight=-1,"));
    let reason = "ProxySQL does not take 1 entries of the file, and rows that are in effect would go";
    hears(&rig, "core-1", reason, 1).await;
    eventually("it is refused", async || problems(&rig).await == ["publish_refused"]).await;
    assert_eq!(runtime(&rig).await, before);
    mend(&mut rig, &good).await;
    assert_eq!(runtime(&rig).await, before);
}

fn include(path: &Path) -> String {
    format!("\n@include \"{}\"\n", path.display())
}

/// The same file from the directory in which ProxySQL runs.
pub(crate) fn relative(path: &Path) -> PathBuf {
    let up: PathBuf = std::env::current_dir().unwrap().components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_file_includes_is_a_part_of_it() {
    let (mut rig, good) = one_core(watched()).await;
    let at = rig.members()[0].config_file().with_file_name("rules.inc");
    let (head, rules) = good.split_at(good.find("\nmysql_query_rules").unwrap());
    fs::write(&at, rules).unwrap();
    let split = format!("# r\u{e8}gles\n{head}{}", include(&at));
    let latin: Vec<u8> = split.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    fs::write(rig.members()[0].config_file(), latin).unwrap();
    rig.member_mut("core-1").unwrap().agent.as_mut().unwrap().process.signal(Signal::USR2);
    let rules_in_effect = async |rig: &Rig| column(node(rig), "SELECT rule_id FROM runtime_mysql_query_rules").await;
    eventually("it is in effect as it was", async || {
        planned(&rig).await.0 == Some(0) && rules_in_effect(&rig).await == ["10", "20"]
    })
    .await;

    // Nobody asks: the agent follows what is included, too.
    let write = |text: &str| {
        fs::write(at.with_extension("new"), text).unwrap();
        fs::rename(at.with_extension("new"), &at).unwrap();
    };
    write("mysql_query_rules = ( /* none */ )");
    eventually("the included section was emptied", async || rules_in_effect(&rig).await.is_empty()).await;
    write("mysql_query_rules = ( { rule_id=0x1E, match_digest=\"^SEL\" \"ECT\" } ) // no line ends here");
    eventually("a rule is there again", async || rules_in_effect(&rig).await == ["30"]).await;
    assert_eq!(column(node(&rig), "SELECT match_digest FROM runtime_mysql_query_rules").await, ["^SELECT"]);
    write("");
    eventually("no section: left alone", async || {
        let planned = planned(&rig).await.1;
        planned.contains("mysql_query_rules: not in the file; module left unchanged")
    })
    .await;
    assert_eq!(rules_in_effect(&rig).await, ["30"]);

    // The agent does not know where ProxySQL was started: what it cannot see is no fact.
    let guess = format!("{head}{}", include(&relative(&at)));
    fs::write(rig.members()[0].config_file(), guess).unwrap();
    rig.member_mut("core-1").unwrap().agent.as_mut().unwrap().process.signal(Signal::USR2);
    hears(&rig, "core-1", "ProxySQL looks for a relative path where it was started", 1).await;
    let planned = planned(&rig).await.1;
    assert!(planned.contains("module left unchanged, whether it has an empty section or none"), "{planned}");
    assert!(planned.contains("not everything in the file is seen"), "{planned}");
    assert_eq!(rules_in_effect(&rig).await, ["30"]);
    // What ProxySQL finds there is published all the same.
    write(rules);
    rig.member_mut("core-1").unwrap().agent.as_mut().unwrap().process.signal(Signal::USR2);
    eventually("the rules are there again", async || rules_in_effect(&rig).await == ["10", "20"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_proxysql_would_end_of_is_not_read_to_it() {
    let (mut rig, good) = one_core(watched()).await;
    let before = runtime(&rig).await;
    let folder = include(rig.members()[0].config_file().parent().unwrap());
    let head = good.split("\nmysql_variables").next().unwrap().to_owned();
    let tail = good.split_once("\nproxysql_servers").unwrap().1.to_owned();
    for (what, bad, reason) in [
        ("a directory", format!("{good}{folder}"), "which is a directory: ProxySQL ends when it reads one"),
        (
            "values without names",
            format!("{head}\nmysql_variables = ( {{ threads=2 }} )\nproxysql_servers{tail}"),
            "mysql_variables in it is a list of values without names",
        ),
    ] {
        publish(&mut rig, "core-1", |_| bad);
        hears(&rig, "core-1", reason, 1).await;
        let (code, planned) = planned(&rig).await;
        assert!(code == Some(1) && planned.contains(reason), "{what}: {planned}");
        mend(&mut rig, &good).await;
        assert_eq!(runtime(&rig).await, before, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_core_publishes_its_own_jobs_and_routes() {
    let mut rig = fleet(with_more(watched()), 2, 1).await;
    settled(&rig).await;
    let before: Vec<_> = {
        let mut all = Vec::new();
        for member in rig.members() {
            all.push(member.node.checksums().await.unwrap());
        }
        all
    };
    publish(&mut rig, "core-1", |text| {
        text.replace("interval_ms=10000", "interval_ms=3000").replace("uri=\"/x\"", "uri=\"/y\"")
    });
    let jobs = async |rig: &Rig, name: &str| {
        column(&rig.member(name).unwrap().node, "SELECT interval_ms FROM runtime_scheduler").await
    };
    let routes = async |rig: &Rig| column(node(rig), "SELECT uri FROM runtime_restapi_routes").await;
    eventually("the job is another", async || jobs(&rig, "core-1").await == ["3000"]).await;
    eventually("the route is another", async || routes(&rig).await == ["/y"]).await;
    assert_eq!(jobs(&rig, "core-2").await, ["10000"], "the cluster does not spread it");

    // Rows that somebody added go; without a section they stay.
    let add = "INSERT INTO scheduler (id, active, interval_ms, filename) VALUES (9, 0, 5000, '/bin/true')";
    for sql in [add, "LOAD SCHEDULER TO RUNTIME"] {
        node(&rig).query(sql).await.unwrap();
    }
    assert_eq!(jobs(&rig, "core-1").await, ["3000", "5000"]);
    publish(&mut rig, "core-1", |text| format!("{text}\n"));
    eventually("the file has no such job", async || jobs(&rig, "core-1").await == ["3000"]).await;
    publish(&mut rig, "core-1", |text| {
        text.replace("scheduler =", "mysql_collations =").replace("restapi =", "debug_filters =")
    });
    hears(&rig, "core-1", "these sections of the file are not published", 1).await;
    let planned = planned(&rig).await.1;
    assert!(planned.contains("scheduler: not in the file; module left unchanged"), "{planned}");
    assert!(planned.contains("not published: mysql_collations, debug_filters"), "{planned}");
    eventually("the status names them", async || {
        status(&rig).await["publishing"]["not_published"] == serde_json::json!(["mysql_collations", "debug_filters"])
    })
    .await;
    assert_eq!((jobs(&rig, "core-1").await, routes(&rig).await), (vec!["3000".to_owned()], vec!["/y".to_owned()]));
    assert_eq!(problems(&rig).await, [] as [&str; 0], "what is named is no fault");
    for (member, before) in rig.members().iter().zip(before) {
        let mut after = member.node.checksums().await.unwrap();
        // The list of members follows the pods.
        after.extend(before.get_key_value("proxysql_servers").map(|(name, list)| (name.clone(), list.clone())));
        assert_eq!(after, before, "{} has no other version for it", member.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sections_of_another_release_are_named_once() {
    let usual = watched();
    let more = "pgsql_users = ( { username=\"a\" } )\nmysql_hostgroup_attributes = ( { hostgroup_id=10 } )\nclickhouse_users = ( )\nnonsense = { a=1 }";
    let configuration = format!("{}{more}", usual.configuration);
    let (mut rig, _) = one_core(Settings { configuration, ..usual }).await;
    let named = ["pgsql_users", "clickhouse_users", "nonsense", "mysql_hostgroup_attributes"];
    eventually("the status names them", async || {
        status(&rig).await["publishing"]["not_published"] == serde_json::json!(named)
    })
    .await;
    let planned = planned(&rig).await.1;
    assert!(planned.contains(&format!("not published: {}", named.join(", "))), "{planned}");
    for once in ["pgsql_users, clickhouse_users, nonsense", "this ProxySQL version does not read the section"] {
        hears(&rig, "core-1", once, 1).await;
        let heard = said(&rig, "core-1", once);
        assert_eq!(heard.len(), 1, "{once}: {heard:#?}");
    }
    // Whoever asks hears it again.
    publish(&mut rig, "core-1", |text| text);
    hears(&rig, "core-1", "pgsql_users, clickhouse_users, nonsense", 2).await;
}
