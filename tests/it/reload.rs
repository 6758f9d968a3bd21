//! A reload, however it is asked for: live keys are applied, the others are named, and the file is published.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proxysql_fleet::node::Node;
use proxysql_fleet::process::Signal;
use proxysql_fleet::rig::{Member, Rig};

use crate::life::{Make, call};
use crate::publish_exact::{column, hears, said, watched};
use crate::support::{eventually, fleet, settings, settled};

fn signal(rig: &mut Rig, name: &str, signal: Signal) {
    rig.member_mut(name).unwrap().agent.as_mut().unwrap().process.signal(signal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_keys_are_applied_and_the_others_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.yaml");
    fs::write(&path, "log: { level: INFO }\nhealth: { min_online: 0 }\n").unwrap();
    let settings = settings().env("AGENT_CONFIG_FILE", path.to_string_lossy());
    let mut rig = fleet(settings, 1, 0).await;
    settled(&rig).await;
    let is_heard = |rig: &Rig| said(rig, "core-1", "").iter().any(|line| line.level == "DEBUG");
    let ready = async |rig: &Rig| {
        let answer = rig.member("core-1").unwrap().agent.as_ref().unwrap().get("/healthz/ready").await.unwrap();
        answer.status
    };
    assert!(!is_heard(&rig) && ready(&rig).await == 200);

    fs::write(&path, "log: { level: DEBUG }\nhealth: { min_online: 99 }\ndump: { top: 5 }\n").unwrap();
    signal(&mut rig, "core-1", Signal::HUP);
    hears(&rig, "core-1", "reloaded the configuration", 1).await;
    let reloaded = said(&rig, "core-1", "reloaded the configuration").remove(0);
    assert_eq!(reloaded.fields["keys"], "log.level health.min_online");
    hears(&rig, "core-1", "need an agent restart", 1).await;
    assert_eq!(said(&rig, "core-1", "need an agent restart").remove(0).fields["keys"], "dump.top");
    eventually("readiness goes by the new number", async || ready(&rig).await == 503).await;
    eventually("answered probes are written, as DEBUG has it", async || is_heard(&rig)).await;

    // A mistake changes nothing, and is named with its place.
    fs::write(&path, "log: { level: LOUD }\n").unwrap();
    signal(&mut rig, "core-1", Signal::USR2);
    hears(&rig, "core-1", "reload failed; keeping the current configuration", 1).await;
    let mistake = said(&rig, "core-1", "reload failed").remove(0).to_string();
    assert!(mistake.contains("config.yaml:1") && mistake.contains("log.level"), "{mistake}");
    assert!(!mistake.contains("not started"), "{mistake}");
    assert_eq!(ready(&rig).await, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_file_that_is_missing_does_not_turn_its_keys_back() {
    let mut pod = Make::new().config("health: { min_online: 99 }\n").start().await;
    let words = async |pod: &crate::life::Pod| pod.get("/healthz/ready").await.reasons();
    eventually("it goes by its file", async || words(&pod).await == ["too_few_online"]).await;
    let path = pod.dir.path().join("config.yaml");
    fs::remove_file(&path).unwrap();
    pod.agent.signal(Signal::HUP);
    eventually("it is missed", async || pod.log().contains("config.yaml is not there any more")).await;
    assert_eq!(words(&pod).await, ["too_few_online"]);
    fs::write(&path, "health: { min_online: 0 }\n").unwrap();
    pod.agent.signal(Signal::HUP);
    pod.is_ready().await;
}

async fn limits(node: &Node) -> Vec<String> {
    column(node, "SELECT DISTINCT max_connections FROM runtime_mysql_servers").await
}

/// Makes the file what a mounted ConfigMap is: a link to a link to a directory, which is replaced as a whole.
fn mount(member: &Member, version: &str, text: &str) {
    let path = member.config_file();
    let dir = path.parent().unwrap();
    fs::create_dir(dir.join(version)).unwrap();
    fs::write(dir.join(version).join("proxysql.cnf"), text).unwrap();
    symlink(version, dir.join("..data_tmp")).unwrap();
    fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    if fs::read_link(&path).is_err() {
        symlink(Path::new("..data/proxysql.cnf"), dir.join("link")).unwrap();
        fs::rename(dir.join("link"), &path).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_map_that_is_swapped_is_published() {
    let rig = fleet(watched(), 1, 1).await;
    settled(&rig).await;
    let core = rig.member("core-1").unwrap();
    let text = fs::read_to_string(core.config_file()).unwrap();
    mount(core, "..2026_1", &text);
    for (version, limit) in [("..2026_2", "77"), ("..2026_3", "78")] {
        mount(core, version, &text.replace("max_connections=200", &format!("max_connections={limit}")));
        for member in rig.members() {
            eventually(&format!("{} has {limit}", member.name), async || limits(&member.node).await == [limit]).await;
        }
    }
    assert!(!said(&rig, "core-1", "the configuration file of ProxySQL has changed").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_asks_for_it_with_the_token() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "the-token\n").unwrap();
    let rig = fleet(settings().env("AGENT_API_TOKEN_FILE", token.to_string_lossy()), 1, 1).await;
    settled(&rig).await;
    let core = rig.member("core-1").unwrap();
    let ask = async |name: &str, method: &str, path: &str, token: &str| {
        let api = rig.member(name).unwrap().agent.as_ref().unwrap().api();
        call(api, method, path, &[("authorization", &format!("Bearer {token}"))]).await.code
    };
    let edited = fs::read_to_string(core.config_file()).unwrap().replace("max_connections=200", "max_connections=55");
    fs::write(core.config_file(), edited).unwrap();
    assert_eq!(ask("core-1", "POST", "/reload", "another").await, 401);
    assert_eq!(ask("core-1", "GET", "/reload", "the-token").await, 405);
    assert_eq!(ask("core-1", "POST", "/resync", "the-token").await, 409);
    assert_eq!(limits(&core.node).await, ["200"]);
    assert_eq!(ask("core-1", "POST", "/reload", "the-token").await, 202);
    for member in rig.members() {
        eventually("the file is published", async || limits(&member.node).await == ["55"]).await;
    }
    assert_eq!(ask("satellite-1", "POST", "/resync", "another").await, 401);
    assert_eq!(ask("satellite-1", "POST", "/resync", "the-token").await, 202);
    hears(&rig, "satellite-1", "already in sync with the cores", 1).await;
}
