//! `GET /status` and `proxysql-agent status`: one schema in every state of a node, and an exit code that says how it is; `check`.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use proxysql_fleet::process::Signal;
use proxysql_fleet::proxysql::ClientState;
use proxysql_fleet::rig::Settings;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::life::{Make, call};
use crate::support::{PATIENCE, document, eventually, fleet, on_real_proxysql, settings};

fn schema() -> Value {
    serde_json::from_str(&document("build/status.schema.json")).unwrap()
}

/// Holds a document against the published schema.
pub(crate) fn has_the_schema(document: &Value) {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{}\n{document:#}", wrong.join("\n"));
}

async fn status(api: SocketAddr) -> Value {
    let answer = call(api, "GET", "/status", &[]).await;
    assert_eq!(answer.code, 200);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let document = answer.body();
    has_the_schema(&document);
    document
}

fn problems(document: &Value) -> Vec<String> {
    let problems = document["problems"].as_array().unwrap().iter();
    problems.map(|problem| problem["problem"].as_str().unwrap().to_owned()).collect()
}

/// The outcome of a subcommand.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    // Where no file lies about that it would take for its own.
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxysql-agent"));
    command.args(arguments).current_dir(&dir).env_clear().envs(environment.iter().copied()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// An object that lets a field come or go would be no promise.
#[test]
fn the_schema_lets_no_field_come_and_go() {
    fn objects(value: &Value, found: &mut usize) {
        if value["type"] == "object" {
            *found += 1;
            let mut names: Vec<&String> = value["properties"].as_object().unwrap().keys().collect();
            let mut required: Vec<&str> =
                value["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            names.sort();
            required.sort_unstable();
            assert_eq!(names, required);
            assert_eq!(value["additionalProperties"], false, "{names:?}");
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| objects(value, found)),
            Value::Array(items) => items.iter().for_each(|value| objects(value, found)),
            _ => {}
        }
    }
    let mut found = 0;
    objects(&schema(), &mut found);
    assert!(found > 15, "{found}");
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_shows_members_peers_and_what_differs() {
    let mut rig = fleet(settings(), 2, 1).await;
    let api = |rig: &proxysql_fleet::rig::Rig, name: &str| rig.member(name).unwrap().agent.as_ref().unwrap().api();
    let core = api(&rig, "core-1");
    // The look at health may be as old as health.refresh.
    eventually("the core is well", async || {
        let document = status(core).await;
        document["status"] == "ok" && document["sessions"]["users"] == 2
    })
    .await;
    let document = status(core).await;
    assert_eq!((document["agent"]["mode"].as_str(), document["agent"]["pod"].as_str()), (Some("core"), Some("core-1")));
    assert_eq!(document["members"]["desired"], document["members"]["runtime"]);
    assert_eq!(document["members"]["runtime"].as_array().unwrap().len(), 2);
    assert_eq!(document["publishing"]["rollout"]["state"], "newest");
    assert_eq!(document["discovery"]["up"], true);
    assert_eq!(document["backends"]["total"], 3);
    assert!(document["proxysql"]["version"].as_str().is_some_and(|version| version.starts_with("2.")), "{document:#}");
    assert!(document["proxysql"]["uptime_seconds"].is_u64(), "{document:#}");
    let mode =
        document["configuration"].as_array().unwrap().iter().find(|setting| setting["key"] == "run_mode").unwrap();
    assert_eq!((mode["value"].as_str(), mode["source"].as_str()), (Some("core"), Some("AGENT_RUN_MODE")));
    let password = document["configuration"].as_array().unwrap().iter();
    let password = password.clone().find(|setting| setting["key"] == "proxysql.password").unwrap();
    assert_eq!(password["value"], "[redacted]");

    // A user that only the satellite has.
    let satellite = api(&rig, "satellite-1");
    eventually("the satellite is well", async || status(satellite).await["status"] == "ok").await;
    assert_eq!(status(satellite).await["sync_state"], "connected");
    sleep(Duration::from_millis(1100)).await;
    let node = &rig.member("satellite-1").unwrap().node;
    for sql in
        ["INSERT INTO mysql_users (username, password) VALUES ('rogue', 'rogue-secret')", "LOAD MYSQL USERS TO RUNTIME"]
    {
        node.query(sql).await.unwrap();
    }
    eventually("it differs", async || problems(&status(satellite).await) == ["drift", "drift"]).await;
    let document = status(satellite).await;
    assert_eq!(document["status"], "degraded");
    let classes: Vec<&str> = document["peers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|peer| {
            assert_eq!(peer["drift"][0]["module"], "mysql_users", "{peer}");
            peer["drift"][0]["class"].as_str().unwrap()
        })
        .collect();
    // The core that did not publish may be at version 1.
    assert!(classes.len() == 2 && classes.contains(&"local_newer"), "{classes:?}");
    // Neither names nor secrets of users.
    assert!(!document.to_string().contains("rogue") && !document.to_string().contains("secret"));

    // A core whose ProxySQL is gone.
    rig.member_mut("core-1").unwrap().kill_node().await;
    eventually("that is seen", async || status(core).await["proxysql"]["connection"] == "refused").await;
    let document = status(core).await;
    assert_eq!(document["status"], "unhealthy");
    assert!(document["last_error"].as_str().is_some_and(|trouble| trouble.contains("cannot connect")), "{document:#}");
}

/// What a ProxySQL that is dead was like is told as that: with its age, which grows, and nowhere as what is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_says_how_old() {
    let mut rig = fleet(settings(), 2, 0).await;
    let api = rig.member("core-1").unwrap().agent.as_ref().unwrap().api();
    eventually("the core is well", async || {
        let document = status(api).await;
        document["status"] == "ok" && document["backends"]["total"] == 3
    })
    .await;
    let page = async || call(api, "GET", "/", &[]).await.text;
    let metrics = async || call(api, "GET", "/metrics", &[]).await.text;
    assert!(
        page().await.contains("<td class=\"good\">ONLINE") && metrics().await.contains("\nproxysql_agent_backends{")
    );
    rig.member_mut("core-1").unwrap().kill_node().await;
    eventually("it is seen that it is gone", async || status(api).await["proxysql"]["connection"] == "refused").await;
    let heard = |document: &Value| document["peers"][0]["last_seen_seconds_ago"].as_u64();
    let first = heard(&status(api).await);
    assert!(first.is_some());
    eventually("peers were heard longer and longer ago", async || {
        heard(&status(api).await) >= first.map(|ago| ago + 4)
    })
    .await;
    let document = status(api).await;
    for part in ["proxysql", "sessions", "backends", "members", "publishing"] {
        assert!(document[part]["age_ms"].as_u64() >= Some(4_000), "{part}: {document:#}");
    }
    let ran = run(&["status", &format!("--address={api}")], &[]).await;
    let line = |name: &str| ran.out.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    for name in ["clients", "backends", "MEMBER", "PEER", "HOSTGROUP"] {
        assert!(line(name).contains(" s ago)"), "{}", ran.out);
    }
    let proxysql = line("ProxySQL");
    assert!(proxysql.contains("connection refused, no answer for ") && !proxysql.contains(" up "), "{proxysql}");
    let page = page().await;
    assert!(page.contains("ONLINE") && !page.contains("<td class=\"good\">ONLINE"), "{page}");
    assert!(page.contains("<h2>Backends <small") && page.contains(" s ago</small></h2>"), "{page}");
    let metrics = metrics().await;
    assert!(metrics.contains("\nproxysql_agent_proxysql_up 0") && !metrics.contains("\nproxysql_agent_backends{"));
    let agent = rig.member_mut("core-1").unwrap().agent.as_mut().unwrap();
    let mark = agent.process.log().mark();
    agent.process.signal(Signal::USR1);
    eventually("the line is there", async || agent.said_since(mark).iter().any(|said| said.message == "status")).await;
    let said = agent.said_since(mark).into_iter().find(|said| said.message == "status").unwrap();
    let number = |field: &str| said.fields[field].parse::<u64>().unwrap();
    assert_eq!(said.fields["connection"], "refused");
    for field in ["age_ms", "observed_age_ms"] {
        assert!(number(field) >= 4_000, "{said}");
    }
    assert!(said.fields.contains_key("unanswered_ms"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ipv6_member_stands_in_brackets_everywhere() {
    let mut pod = Make::new().ready().await;
    for sql in
        ["INSERT INTO proxysql_servers (hostname, port) VALUES ('fd00::1', 6032)", "LOAD PROXYSQL SERVERS TO RUNTIME"]
    {
        pod.node.query(sql).await.unwrap();
    }
    let page = async || {
        // A probe has ProxySQL looked at.
        pod.get("/healthz/ready").await;
        pod.get("/").await.text
    };
    eventually("the page has it", async || page().await.contains("fd00::1")).await;
    let page = page().await;
    assert!(page.contains("<td>[fd00::1]:6032<td>") && !page.contains(">fd00::1"), "{page}");
    pod.agent.signal(Signal::USR1);
    eventually("the line is there", async || pod.log().contains("fd00::1")).await;
    assert!(pod.log().contains("[fd00::1]:6032") && !pod.log().contains(" fd00::1"), "{}", pod.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_refused_is_told_with_its_reason() {
    let mut rig = fleet(Settings { config_file: true, ..settings() }, 1, 0).await;
    let member = rig.member_mut("core-1").unwrap();
    let api = member.agent.as_ref().unwrap().api();
    eventually("the core is well", async || status(api).await["status"] == "ok").await;
    fs::write(member.config_file(), "mysql_users = ( { broken").unwrap();
    eventually("it is refused", async || problems(&status(api).await) == ["publish_refused"]).await;
    let document = status(api).await;
    assert_eq!(document["status"], "degraded");
    assert!(document["publishing"]["refused"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_has_one_schema_from_its_start_to_its_end() {
    if on_real_proxysql("a_node_has_one_schema_from_its_start_to_its_end") {
        return;
    }
    let before = Make::new().without_node().start().await;
    let document = status(before.api).await;
    assert_eq!(
        (document["status"].as_str(), document["proxysql"]["connection"].as_str()),
        (Some("unhealthy"), Some("never"))
    );
    assert!(document["members"]["runtime"].is_null() && document["proxysql"]["version"].is_null());
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "50").ready().await;
    let busy = pod.clients(1, &ClientState::InTransaction);
    let up = async || status(pod.api).await["agent"]["uptime_seconds"].as_u64().unwrap();
    eventually("it has run for some time", async || up().await >= 3).await;
    pod.agent.terminate();
    eventually("it drains", async || status(pod.api).await["drain"]["step"] == "waiting_for_clients").await;
    let document = status(pod.api).await;
    // It drains for as long as it drains, and not for as long as it has run.
    let seconds = |of: &str| document["agent"][of].as_u64().unwrap();
    assert!(seconds("phase_seconds") + 2 <= seconds("uptime_seconds"), "{document:#}");
    assert_eq!((document["status"].as_str(), document["drain"]["remaining"].as_u64()), (Some("draining"), Some(1)));
    pod.embedded().remove_client(busy[0]);
    assert_eq!(pod.gone().await, Some(0));
}

/// The configuration that is shown is the one in effect, after a reload, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_is_that_of_the_running_process() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.yaml");
    fs::write(&file, "health: {min_online: 0}\nproxysql: {connect_timeout: 3}\n").unwrap();
    let pod = Make::new().variable("AGENT_CONFIG_FILE", &file.to_string_lossy()).ready().await;
    let setting = async |key: &str| {
        let document = status(pod.api).await;
        let settings = document["configuration"].as_array().unwrap().iter();
        let found = settings.clone().find(|setting| setting["key"] == key).unwrap();
        (found["value"].as_str().unwrap().to_owned(), found["source"].as_str().unwrap().to_owned())
    };
    let line = |line: u32| format!("{}:{line}", file.display());
    assert_eq!(setting("health.min_online").await, ("0".to_owned(), line(1)));
    assert_eq!(setting("core.interval").await, ("10".to_owned(), "default".to_owned()));
    fs::write(&file, "# moved\nhealth: {min_online: 1}\nproxysql: {connect_timeout: 4}\n").unwrap();
    assert_eq!(pod.call("POST", "/reload").await.code, 202);
    eventually("it is reloaded", async || setting("health.min_online").await == ("1".to_owned(), line(2))).await;
    // Which waits for a restart.
    assert_eq!(setting("proxysql.connect_timeout").await, ("3".to_owned(), line(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_subcommand_says_how_it_is_by_its_exit_code() {
    let mut rig = fleet(settings(), 2, 1).await;
    let member = rig.member("core-1").unwrap();
    let api = member.agent.as_ref().unwrap().api();
    eventually("the core is well", async || status(api).await["status"] == "ok").await;
    // Inside the pod: by the agent's own configuration.
    let (ip, port) = (api.ip().to_string(), api.port().to_string());
    let inside = [("AGENT_API_ADDRESS", ip.as_str()), ("AGENT_API_PORT", port.as_str())];
    let ran = run(&["status"], &inside).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    for words in ["ok: core core-1, running", "ready yes", "2 users", "DESIRED", "RUNTIME", "core-2", "ONLINE"] {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    assert!(ran.out.lines().all(|line| line.chars().count() <= 100), "{}", ran.out);
    // From elsewhere, and as JSON.
    let ran = run(&["status", "--json", &format!("--address={api}")], &[]).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    has_the_schema(&serde_json::from_str(&ran.out).unwrap());
    // Something is wrong.
    rig.member_mut("core-1").unwrap().kill_node().await;
    eventually("that is seen", async || status(api).await["status"] == "unhealthy").await;
    let ran = run(&["status"], &inside).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    assert!(ran.out.starts_with("unhealthy: ") && ran.out.contains("unreachable: "), "{}", ran.out);
    // Nobody is there.
    rig.member_mut("core-1").unwrap().kill_agent().await;
    let ran = run(&["status"], &inside).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(4), ""));
    assert!(ran.err.starts_with("cannot reach the agent on port "), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_and_strangers_have_codes_of_their_own() {
    for arguments in [&["status", "--address=nowhere"][..], &["status", "--address"], &["status", "--adress=x:1"]] {
        let ran = run(arguments, &[]).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{arguments:?} {}", ran.err);
        assert!(ran.err.contains("address"), "{}", ran.err);
    }
    // Somebody else, who listens and says nothing for good.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("--address={}", mute.local_addr().unwrap());
    let ran = run(&["status", &address], &[]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(4), ""), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watched_it_is_printed_again_until_its_reader_goes() {
    let pod = Make::new().ready().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxysql-agent"));
    command.args(["status", "--watch", "--json", &format!("--address={}", pod.api)]).env_clear();
    let mut child = command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("another one").unwrap().unwrap();
        has_the_schema(&serde_json::from_str(&line).unwrap());
    }
    drop(lines);
    assert!(timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap().code().is_some());
}

fn file(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    fs::write(&path, text).unwrap();
    (dir, path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_judges_a_configuration_and_contacts_nobody() {
    let (_dir, good) = file("run_mode: core\nproxysql: {address: 'nowhere.invalid:6032', password: hidden-secret}\n");
    let ran = run(&["check"], &[("AGENT_CONFIG_FILE", &good.to_string_lossy())]).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains("configuration is valid: run_mode core") && ran.out.contains("42 s"), "{}", ran.out);
    assert!(!ran.out.contains("warning") && !ran.out.contains("hidden-secret"), "{}", ran.out);

    let (_dir, short) = file("run_mode: core\nshutdown: {drain_timeout: 55}\n");
    let ran = run(&["check"], &[("AGENT_CONFIG_FILE", &short.to_string_lossy())]).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains("warning: shutdown.propagation_delay and shutdown.drain_timeout are 60 s"), "{}", ran.out);
    assert!(ran.out.contains("warning: shutdown.shutdown_timeout is 7 s shorter"), "{}", ran.out);

    let (_dir, bad) = file("run_mode: core\ncore: {intervall: 3}\napi: {port: 0}\n");
    let ran = run(&["check"], &[("AGENT_CONFIG_FILE", &bad.to_string_lossy())]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.contains("config.yaml:2") && ran.err.contains("config.yaml:3"), "{}", ran.err);
    let ran = run(&["check"], &[]).await;
    assert_eq!(ran.code, Some(2), "a run mode is missing: {}", ran.out);
}
