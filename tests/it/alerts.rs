//! Alerts: each fires on its fault, on scrapes of real agents, and not otherwise; each has an entry in the runbook.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use proxysql_agent::edge::metrics::METRICS;
use proxysql_fleet::node::Node;
use proxysql_fleet::proxysql::{Action, ClientSpec, ClientState, Rule};
use proxysql_fleet::rig::{Rig, Settings};
use serde_json::Value;
use tokio::time::sleep;

use crate::life::{call, in_background};
use crate::metrics::{Scrape, promtool};
use crate::scene::{Scene, impatient};
use crate::support::{document, embedded, eventually, fleet, settings};

const RULES: &str = "build/prometheus/alerts.yaml";
/// Minutes before the fault, and minutes after it, in a test of rules.
const BEFORE: usize = 10;
const AFTER: usize = 30;

fn rules() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(&document(RULES)).unwrap();
    file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn text<'a>(rule: &'a Value, path: &str) -> &'a str {
    rule.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no {path} in {rule}"))
}

/// Every metric that an expression names.
fn metrics_in(expression: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !is_name(c));
    words.filter(|word| word.starts_with("proxysql_agent_")).collect()
}

/// Whether there is such a metric; a histogram has three.
fn exists(name: &str) -> bool {
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    METRICS.iter().any(|metric| metric.full_name() == name || metric.full_name() == base)
}

#[test]
fn rules_are_sound_and_their_unit_tests_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("build/prometheus");
    for arguments in
        [["check", "rules", "--lint-fatal", "alerts.yaml"].as_slice(), &["test", "rules", "alerts_test.yaml"]]
    {
        let Some(judged) = promtool(arguments, "", &folder) else { return };
        assert!(
            judged.status.success(),
            "{}{}",
            String::from_utf8_lossy(&judged.stdout),
            String::from_utf8_lossy(&judged.stderr)
        );
    }
}

#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    fn expressions(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let named = ["expr", "definition"].iter().filter_map(|name| fields.get(*name)?.as_str());
                found.extend(named.map(ToOwned::to_owned));
                fields.values().for_each(|value| expressions(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| expressions(value, found)),
            _ => {}
        }
    }
    let mut shown = Vec::new();
    expressions(&serde_json::from_str(&document("build/grafana/dashboard.json")).unwrap(), &mut shown);
    assert!(shown.len() > 12, "{}", shown.len());
    let mut alarmed = Vec::new();
    for rule in &rules() {
        expressions(rule, &mut alarmed);
    }
    for expression in shown.iter().chain(&alarmed) {
        let names = metrics_in(expression);
        assert!(!names.is_empty(), "{expression}");
        for name in names {
            assert!(exists(name), "{name} in {expression}");
        }
    }
}

#[test]
fn every_alert_has_an_entry_in_the_runbook_and_unit_tests() {
    let (runbook, tests) = (document("docs/runbook.md"), document("build/prometheus/alerts_test.yaml"));
    let pages: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut alerts = Vec::new();
    let rules = rules();
    for rule in &rules {
        let name = text(rule, "/alert");
        // Of this version, so that it says what this version does.
        let page = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/v", env!("CARGO_PKG_VERSION"), "/docs/runbook.md");
        assert_eq!(text(rule, "/annotations/runbook_url"), format!("{page}#{}", name.to_lowercase()));
        assert!(["warning", "critical"].contains(&text(rule, "/labels/severity")), "{name}");
        assert!(text(rule, "/annotations/summary").ends_with('.') && !text(rule, "/for").is_empty(), "{name}");
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} has no unit test");
        alerts.push(name);
    }
    assert_eq!(pages, alerts);
}

/// Scrapes of every agent of a scenario at three times: before the fault, in it, and later in it.
#[derive(Default)]
struct Recording(Vec<BTreeMap<String, Scrape>>);

impl Recording {
    /// Probes and scrapes each of these agents, as the kubelet and Prometheus do; one that does not answer is missing.
    async fn take(&mut self, rig: &Rig) {
        let mut scrapes = BTreeMap::new();
        for member in rig.members() {
            let Some(agent) = &member.agent else { continue };
            let (Ok(_), Ok(answer)) = (agent.get("/healthz/ready").await, agent.get("/metrics").await) else {
                continue;
            };
            let Ok(text) = answer.text().await else { continue };
            scrapes.insert(member.name.clone(), Scrape::read(&text));
        }
        self.0.push(scrapes);
    }

    /// What fires when the fault has lasted for half an hour, by Prometheus' own judgement: minutes of the first scrape, then of the
    /// second, and from there on what grows goes on to grow each minute as it did between the last two scrapes.
    fn fires(&self, dir: &Path, expected: &[&str]) {
        let [before, during, later] = self.0.as_slice() else { panic!("{} scrapes", self.0.len()) };
        let of = |scrapes: &BTreeMap<String, Scrape>, at: &(String, String)| {
            scrapes.get(&at.0).and_then(|scrape| scrape.0.get(&at.1)).copied()
        };
        let all: BTreeSet<(String, String)> = self
            .0
            .iter()
            .flatten()
            .flat_map(|(name, scrape)| scrape.0.keys().map(|series| (name.clone(), series.clone())))
            .collect();
        let mut test = format!(
            "rule_files: [{}]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n",
            Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES).display()
        );
        for at in &all {
            let value = |value: Option<f64>| value.map_or("_".to_owned(), |value| value.to_string());
            let (first, second, third) = (of(before, at), of(during, at), of(later, at));
            let grows = at.1.contains("_total") || at.1.contains("_bucket") || at.1.contains("_count");
            let pace = if grows { third.unwrap_or_default() - second.unwrap_or_default() } else { 0.0 };
            let mut values = vec![value(first); BEFORE];
            values.push(value(second));
            let minutes = std::iter::successors(Some(1.0), |minute| Some(minute + 1.0)).take(AFTER);
            values.extend(minutes.map(|minute| value(third.map(|third| third + pace * minute))));
            let (name, labels) = at.1.split_once('{').unwrap_or((&at.1, "}"));
            let comma = if labels == "}" { "" } else { "," };
            let series = format!("{name}{{job=\"proxysql-agent\",instance=\"{}\"{comma}{labels}", at.0);
            let _ = writeln!(test, "      - series: '{series}'\n        values: '{}'", values.join(" "));
        }
        let firing = "group by (alertname) (ALERTS{alertstate=\"firing\"})";
        let label = |name: &&str| format!("{{ labels: '{{alertname=\"ProxySQLAgent{name}\"}}', value: 1 }}");
        let alerts = expected.iter().map(label).collect::<Vec<_>>().join(", ");
        let _ = writeln!(test, "    promql_expr_test:");
        // Nothing is known of a time without scrapes.
        let first = (!before.is_empty()).then(|| (BEFORE - 1, String::new()));
        for (minute, alerts) in first.into_iter().chain([(BEFORE + AFTER, alerts)]) {
            let _ =
                writeln!(test, "      - expr: {firing}\n        eval_time: {minute}m\n        exp_samples: [{alerts}]");
        }
        let path = dir.join("fires.yaml");
        std::fs::write(&path, test).unwrap();
        let Some(judged) = promtool(&["test", "rules", &path.to_string_lossy()], "", dir) else { return };
        assert!(
            judged.status.success(),
            "{}{}",
            String::from_utf8_lossy(&judged.stdout),
            String::from_utf8_lossy(&judged.stderr)
        );
    }
}

async fn metric(rig: &Rig, name: &str, series: &str) -> Option<f64> {
    let agent = rig.member(name).unwrap().agent.as_ref()?;
    Scrape::read(&agent.get("/metrics").await.ok()?.text().await.ok()?).get(series)
}

/// Waits until a metric has a value.
async fn says(rig: &Rig, name: &str, series: &str, wanted: f64) {
    eventually(&format!("{name} says {series} {wanted}"), async || metric(rig, name, series).await == Some(wanted))
        .await;
}

/// A fleet in which nothing is wrong, and its first scrape.
async fn well(settings: Settings, cores: usize, satellites: usize) -> (Rig, Recording) {
    let rig = fleet(settings.env("AGENT_HEALTH_MAX_AGE", "2"), cores, satellites).await;
    for member in rig.members() {
        let api = member.agent.as_ref().unwrap().api();
        eventually(&format!("{} is well", member.name), async || {
            call(api, "GET", "/status", &[]).await.body()["problems"] == Value::Array(Vec::new())
        })
        .await;
    }
    for core in rig.names(proxysql_fleet::rig::Role::Core) {
        let modules = ["admin_variables", "mysql_variables", "mysql_servers", "mysql_users", "mysql_query_rules"];
        for module in modules {
            says(&rig, &core, &format!("module_published{{module=\"{module}\"}}"), 1.0).await;
        }
    }
    let mut recording = Recording::default();
    recording.take(&rig).await;
    (rig, recording)
}

/// Two more scrapes, with rounds between them, and the judgement.
async fn then_fires(rig: &Rig, mut recording: Recording, expected: &[&str]) {
    recording.take(rig).await;
    sleep(Duration::from_secs(2)).await;
    recording.take(rig).await;
    recording.fires(rig.dir(), expected);
}

async fn run(node: &Node, statements: &[&str]) {
    for sql in statements {
        node.query(sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_fires_where_nothing_is_wrong() {
    let (rig, recording) = well(settings(), 2, 1).await;
    then_fires(&rig, recording, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absent_fires_when_every_agent_is_gone() {
    let (mut rig, recording) = well(settings(), 1, 1).await;
    for name in ["core-1", "satellite-1"] {
        rig.member_mut(name).unwrap().kill_agent().await;
    }
    then_fires(&rig, recording, &["Absent"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxysql_down_fires_when_it_is_gone() {
    let (mut rig, recording) = well(settings(), 2, 1).await;
    rig.member_mut("satellite-1").unwrap().kill_node().await;
    says(&rig, "satellite-1", "proxysql_up", 0.0).await;
    then_fires(&rig, recording, &["NotReady", "ProxySQLDown"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_refused_fires_on_a_wrong_password() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "radmin").unwrap();
    let settings = settings()
        .env("AGENT_PROXYSQL_PASSWORD", "")
        .env("AGENT_PROXYSQL_PASSWORD_FILE", file.to_string_lossy().into_owned());
    let (mut rig, recording) = well(settings, 1, 0).await;
    std::fs::write(&file, "another").unwrap();
    rig.restart_agent("core-1").await.unwrap();
    let refused = "admin_statement_errors_total{class=\"observe\",error=\"login\"}";
    eventually("it is refused", async || metric(&rig, "core-1", refused).await.is_some_and(|many| many > 1.0)).await;
    then_fires(&rig, recording, &["LoginRefused", "NotReady", "ProxySQLDown"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_ready_fires_on_a_satellite_without_configuration() {
    let rig = fleet(Settings { configuration: String::new(), ..settings() }, 1, 1).await;
    says(&rig, "satellite-1", "not_ready{reason=\"unconfigured\"}", 1.0).await;
    says(&rig, "core-1", "rollout_state{state=\"newest\"}", 1.0).await;
    says(&rig, "core-1", "module_published{module=\"mysql_users\"}", 1.0).await;
    // There was no time before it.
    let recording = Recording(vec![BTreeMap::new()]);
    then_fires(&rig, recording, &["NotReady"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_missing_fires_where_a_list_is_not_taken() {
    let settings = Settings { scripted_proxysql: true, ..impatient() };
    let mut scene = Scene::start("members missing", settings).await;
    let mut recording = Recording::default();
    recording.take(&scene.rig).await;
    let text = "ProxySQL Admin Error: no".to_owned();
    scene.script().trouble().add(Rule::new(Action::Fail { code: 1045, text }).containing("LOAD PROXYSQL SERVERS TO"));
    scene.comes("core-c").await;
    says(&scene.rig, "core-1", "members_desired", 4.0).await;
    // Nobody is behind the others of this scene.
    says(&scene.rig, "core-1", "drift_modules{class=\"unreachable\"}", 2.0).await;
    then_fires(&scene.rig, recording, &["MembersMissing", "PeerUnreachable"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_frozen_fires_on_an_empty_list() {
    let (rig, recording) = well(settings(), 2, 1).await;
    for core in ["core-1", "core-2"] {
        rig.kubernetes().delete("proxysql", core).await.unwrap();
    }
    says(&rig, "core-1", "members_frozen", 1.0).await;
    says(&rig, "core-2", "members_frozen", 1.0).await;
    assert_eq!(metric(&rig, "core-1", "refusals_total{guard=\"empty_list\"}").await, Some(1.0));
    then_fires(&rig, recording, &["MembersFrozen"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_down_fires_while_the_api_server_is_away() {
    let (rig, recording) = well(settings(), 2, 1).await;
    rig.kubernetes().outage(true).await;
    says(&rig, "core-1", "discovery_up", 0.0).await;
    says(&rig, "core-2", "discovery_up", 0.0).await;
    then_fires(&rig, recording, &["DiscoveryDown"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publish_refused_fires_on_a_broken_file() {
    let (rig, recording) = well(Settings { config_file: true, ..settings() }, 2, 1).await;
    std::fs::write(rig.member("core-1").unwrap().config_file(), "mysql_users = ( { broken").unwrap();
    says(&rig, "core-1", "publish_refused", 1.0).await;
    assert!(metric(&rig, "core-1", "refusals_total{guard=\"broken_file\"}").await.is_some_and(|many| many >= 1.0));
    then_fires(&rig, recording, &["PublishRefused"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_published_fires_where_something_is_in_the_way() {
    let (rig, recording) = well(settings(), 1, 1).await;
    let core = rig.member("core-1").unwrap();
    // As a plan in another process has it, for a minute.
    run(
        &core.node,
        &["CREATE TABLE main.proxysql_agent_claim AS SELECT strftime('%s', 'now') AS at, 'plan' AS worker"],
    )
    .await;
    let api = core.agent.as_ref().unwrap().api();
    assert_eq!(call(api, "POST", "/reload", &[]).await.code, 202);
    says(&rig, "core-1", "module_published{module=\"mysql_users\"}", 0.0).await;
    then_fires(&rig, recording, &["NotPublished"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_fires_on_a_rogue_user() {
    let (rig, recording) = well(settings(), 1, 1).await;
    sleep(Duration::from_millis(1100)).await;
    let rogue = "INSERT INTO mysql_users (username, password) VALUES ('rogue', 'rogue-secret')";
    run(&rig.member("satellite-1").unwrap().node, &[rogue, "LOAD MYSQL USERS TO RUNTIME"]).await;
    says(&rig, "satellite-1", "drift_modules{class=\"local_newer\"}", 1.0).await;
    then_fires(&rig, recording, &["Drift"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peer_unreachable_fires_when_a_node_is_gone_that_is_listed() {
    let (mut rig, recording) = well(settings(), 2, 1).await;
    rig.member_mut("core-2").unwrap().kill_agent().await;
    rig.member_mut("core-2").unwrap().kill_node().await;
    says(&rig, "core-1", "drift_modules{class=\"unreachable\"}", 1.0).await;
    then_fires(&rig, recording, &["PeerUnreachable"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn not_syncing_fires_when_no_core_answers() {
    let (mut rig, recording) = well(settings(), 1, 1).await;
    rig.member_mut("core-1").unwrap().kill_agent().await;
    rig.member_mut("core-1").unwrap().kill_node().await;
    says(&rig, "satellite-1", "sync_state{state=\"connected\"}", 0.0).await;
    let unreachable = "drift_modules{class=\"unreachable\"}";
    eventually("it is said", async || metric(&rig, "satellite-1", unreachable).await.is_some_and(|many| many > 0.0))
        .await;
    then_fires(&rig, recording, &["NotSyncing", "PeerUnreachable"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_offline_fires_when_none_is_online() {
    let online = settings().configuration;
    let offline = online.replace(", max_connections=200", ", max_connections=200, status=\"OFFLINE_SOFT\"");
    assert_ne!(online, offline);
    let rig = fleet(Settings { configuration: offline, ..settings() }, 1, 1).await;
    says(&rig, "core-1", "module_published{module=\"mysql_query_rules\"}", 1.0).await;
    let recording = Recording(vec![BTreeMap::new()]);
    then_fires(&rig, recording, &["BackendsOffline"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_slow_fires_when_answers_take_long() {
    let (rig, mut recording) = well(Settings { scripted_proxysql: true, ..settings() }, 1, 1).await;
    let late = Rule::new(Action::Delay(Duration::from_millis(1200))).containing("SELECT 'clock'").from_user("radmin");
    embedded(rig.member("core-1").unwrap()).trouble().add(late);
    let slow = "admin_statement_duration_seconds_bucket{le=\"5.0\",class=\"observe\"}";
    let fast = "admin_statement_duration_seconds_bucket{le=\"1.0\",class=\"observe\"}";
    let many = async || Some(metric(&rig, "core-1", slow).await? - metric(&rig, "core-1", fast).await?);
    eventually("two are slow", async || many().await.is_some_and(|many| many >= 2.0)).await;
    recording.take(&rig).await;
    let before = many().await.unwrap();
    eventually("two more are", async || many().await.is_some_and(|many| many >= before + 2.0)).await;
    recording.take(&rig).await;
    recording.fires(rig.dir(), &["AdminSlow"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconnecting_fires_when_connections_do_not_last() {
    let (rig, recording) = well(Settings { scripted_proxysql: true, ..settings() }, 1, 1).await;
    let core = rig.member("core-1").unwrap();
    embedded(core).trouble().add(Rule::new(Action::CutAfter).containing("stats_mysql_users").from_user("radmin"));
    let api = core.agent.as_ref().unwrap().api();
    let probed = async || {
        // Each probe has health looked at, and that cuts the connection.
        call(api, "GET", "/healthz/ready", &[]).await;
        metric(&rig, "core-1", "reconnections_total").await
    };
    eventually("it reconnects", async || probed().await.is_some_and(|many| many >= 3.0)).await;
    then_fires(&rig, recording, &["Reconnecting"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_stuck_fires_while_a_client_does_not_go() {
    let settings = Settings { scripted_proxysql: true, ..settings() }
        .env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "0")
        .env("AGENT_SHUTDOWN_DRAIN_TIMEOUT", "100")
        .env("AGENT_SHUTDOWN_SHUTDOWN_TIMEOUT", "120");
    let (rig, recording) = well(settings, 1, 1).await;
    let satellite = rig.member("satellite-1").unwrap();
    let busy = ClientSpec { state: ClientState::InTransaction, ..ClientSpec::default() };
    let client = embedded(satellite).add_client(busy);
    let api = satellite.agent.as_ref().unwrap().api();
    let ended = in_background(async move { call(api, "POST", "/shutdown", &[]).await });
    says(&rig, "satellite-1", "drain_step{step=\"waiting_for_clients\"}", 1.0).await;
    then_fires(&rig, recording, &["DrainStuck"]).await;
    assert!(embedded(satellite).remove_client(client));
    assert_eq!(ended.await.code, 200);
}
