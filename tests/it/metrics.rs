//! Metrics: what Prometheus takes, what the documentation says, and nothing that it costs ProxySQL.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proxysql_agent::edge::metrics::{METRICS, MetricKind, markdown};
use proxysql_fleet::proxysql::ClientState;

use crate::life::{Make, Pod, call};
use crate::scene::{Scene, impatient};
use crate::support::{eventually, fleet, held_part, on_real_proxysql, settings};

/// Prometheus' own judge, where Debian's package `prometheus` is installed.
pub(crate) fn promtool(arguments: &[&str], input: &str, folder: &Path) -> Option<Output> {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(folder);
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = started else {
        eprintln!("no promtool here; {arguments:?} is not run");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// A scrape, sample by sample: from name and labels, as they stand there, to the value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrape(pub(crate) BTreeMap<String, f64>);

impl Scrape {
    pub(crate) fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let read = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("no value: {line}")))
        };
        Self(samples.map(read).collect())
    }

    /// The value of a series, without the prefix of its name.
    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.0.get(&format!("proxysql_agent_{series}")).copied()
    }

    /// How many series of this name there are.
    fn many(&self, name: &str) -> usize {
        self.0.keys().filter(|series| series.starts_with(&format!("proxysql_agent_{name}{{"))).count()
    }
}

async fn scrape(pod: &Pod) -> Scrape {
    Scrape::read(&pod.get("/metrics").await.text)
}

/// Names and types as a scrape declares them.
fn declared(text: &str) -> BTreeSet<(String, String)> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn the_documentation_lists_every_metric() {
    held_part("docs/metrics.md", "metrics", &markdown());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_is_what_prometheus_takes_in_either_format() {
    let rig = fleet(settings(), 2, 1).await;
    let expected: BTreeSet<(String, String)> = METRICS
        .iter()
        .map(|metric| {
            let kind = if metric.kind() == MetricKind::Info { MetricKind::Gauge } else { metric.kind() };
            (metric.full_name(), kind.as_str().to_owned())
        })
        .collect();
    assert_eq!(expected.len(), METRICS.len(), "each name once");
    for member in rig.members() {
        let api = member.agent.as_ref().unwrap().api();
        let classic = call(api, "GET", "/metrics", &[("accept", "text/plain")]).await;
        assert_eq!(classic.code, 200);
        assert!(classic.head.contains("content-type: text/plain; version=0.0.4"), "{}", classic.head);
        assert_eq!(declared(&classic.text), expected);
        for series in Scrape::read(&classic.text).0.keys() {
            let name = series.split('{').next().unwrap();
            let base =
                ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
            assert!(expected.iter().any(|(known, _)| known == name || known == base), "{series}");
        }
        if let Some(judged) = promtool(&["check", "metrics"], &classic.text, rig.dir()) {
            let said = String::from_utf8_lossy(&judged.stderr).into_owned() + &String::from_utf8_lossy(&judged.stdout);
            assert!(judged.status.success() && said.is_empty(), "{said}");
        }
        let open = call(api, "GET", "/metrics", &[("accept", "application/openmetrics-text; version=1.0.0")]).await;
        assert!(open.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", open.head);
        assert!(
            open.text.ends_with("# EOF\n") && open.text.contains("# UNIT proxysql_agent_snapshot_age_seconds seconds")
        );
        let head = call(api, "HEAD", "/metrics", &[]).await;
        assert_eq!((head.code, head.text.as_str()), (200, ""));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_counts_what_it_did() {
    let scene = Scene::start("what a core counts", impatient()).await;
    let api = scene.agent().api();
    let take = async || Scrape::read(&call(api, "GET", "/metrics", &[]).await.text);
    scene.until("all is said", async || take().await.get("members_present") == Some(3.0)).await;
    let seen = take().await;
    let value = |series: &str| seen.get(series).unwrap_or_else(|| panic!("no {series}"));
    for (series, wanted) in [
        ("phase{phase=\"running\"}", 1.0),
        ("phase{phase=\"draining\"}", 0.0),
        ("probe_ok{probe=\"liveness\"}", 1.0),
        ("proxysql_up", 1.0),
        ("members_desired", 3.0),
        ("members_listed", 3.0),
        ("members_frozen", 0.0),
        ("discovery_up", 1.0),
        ("rollout_state{state=\"newest\"}", 1.0),
        ("publish_refused", 0.0),
        ("module_published{module=\"mysql_users\"}", 1.0),
        ("reconnections_total", 0.0),
        ("admin_statement_errors_total{class=\"load\",error=\"refused\"}", 0.0),
        ("refusals_total{guard=\"would_empty\"}", 0.0),
    ] {
        assert!((value(series) - wanted).abs() < 0.1, "{series} is {}", value(series));
    }
    assert!(seen.get("sync_state{state=\"connected\"}").is_none(), "that is a satellite's");
    // It published five modules and kept the list.
    let loads = value("loads_total{module=\"mysql_users\"}");
    assert!(loads >= 1.0 && value("loads_total{module=\"proxysql_servers\"}") >= 1.0);
    assert!(value("plans_total{module=\"proxysql_servers\"}") >= value("loads_total{module=\"proxysql_servers\"}"));
    let took = |name: &str| value(&format!("admin_statement_duration_seconds_{name}{{class=\"observe\"}}"));
    assert!(took("count") >= 2.0 && took("sum") > 0.0);
    let all = value("admin_statement_duration_seconds_bucket{le=\"+Inf\",class=\"observe\"}");
    assert!((all - took("count")).abs() < 0.1, "{all}");
    assert!(value("module_version{module=\"mysql_users\"}") >= 2.0);
}

/// Peers that are gone take their series with them, however many there were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_of_peers_that_are_gone_go() {
    let mut scene = Scene::start("peers that go", impatient()).await;
    let api = scene.agent().api();
    let take = async || Scrape::read(&call(api, "GET", "/metrics", &[]).await.text);
    // Nobody is at the addresses of the two others.
    scene.until("two are unreachable", async || take().await.many("drift") == 2).await;
    let mut gone = BTreeSet::new();
    for _ in 0..4 {
        gone.extend(take().await.0.into_keys().filter(|series| series.starts_with("proxysql_agent_drift{")));
        scene.changes().await;
        scene.converges().await;
    }
    let present: BTreeSet<String> = scene.expected().into_iter().map(|row| row.hostname).collect();
    let is_present = |series: &String| present.iter().any(|address| series.contains(&format!("\"{address}:")));
    gone.retain(|series| !is_present(series));
    assert!(!gone.is_empty());
    scene
        .until("their series are gone", async || {
            let now = take().await;
            now.many("drift") == 2 && gone.iter().all(|series| !now.0.contains_key(series))
        })
        .await;
    let now = take().await;
    assert_eq!(now.get("drift_modules{class=\"unreachable\"}"), Some(2.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_asks_nobody_and_waits_for_nothing() {
    if on_real_proxysql("a_scrape_asks_nobody_and_waits_for_nothing") {
        return;
    }
    // After the first round there is nothing to do for an hour.
    let pod = Make::new().env("SATELLITE_INTERVAL", "3600").env("PROXYSQL_STATEMENT_TIMEOUT", "60").ready().await;
    eventually("the first round is over", async || {
        scrape(&pod).await.get("reconciles_total{result=\"ok\"}") == Some(1.0)
    })
    .await;
    let before = pod.sent("");
    for _ in 0..100 {
        scrape(&pod).await;
    }
    assert_eq!(pod.sent(""), before);
    // A question that hangs keeps no scrape waiting, and is told.
    pod.embedded().trouble().hang(true);
    eventually("it is asked", async || {
        pod.get("/healthz/ready").await;
        scrape(&pod).await.get("proxysql_unanswered_seconds").is_some_and(|silence| silence > 0.5)
    })
    .await;
    pod.embedded().trouble().hang(false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_is_told_while_it_lasts() {
    if on_real_proxysql("a_drain_is_told_while_it_lasts") {
        return;
    }
    let mut pod = Make::new().env("SHUTDOWN_DRAIN_TIMEOUT", "30").ready().await;
    assert_eq!(scrape(&pod).await.many("drain_step"), 0, "there was none");
    pod.clients(5, &ClientState::Idle);
    let busy = pod.clients(2, &ClientState::InTransaction);
    pod.agent.terminate();
    let drain = async |state: &str| scrape(&pod).await.get(&format!("drain_clients{{state=\"{state}\"}}"));
    eventually("the idle ones are evicted", async || drain("evicted").await == Some(5.0)).await;
    let seen = scrape(&pod).await;
    assert_eq!(seen.get("phase{phase=\"draining\"}"), Some(1.0));
    assert_eq!(seen.get("drain_step{step=\"waiting_for_clients\"}"), Some(1.0));
    assert_eq!(seen.get("drain_clients{state=\"remaining\"}"), Some(2.0));
    assert_eq!(seen.get("not_ready{reason=\"draining\"}"), Some(1.0));
    // One that is cancelled is in the books.
    assert_eq!(pod.call("DELETE", "/drain").await.code, 200);
    let seen = scrape(&pod).await;
    assert_eq!(seen.get("drains_total{ended=\"cancelled\"}"), Some(1.0));
    assert_eq!(seen.get("drained_clients_total{state=\"evicted\"}"), Some(5.0));
    for client in busy {
        pod.embedded().remove_client(client);
    }
    pod.agent.terminate();
    assert_eq!(pod.gone().await, Some(0));
}
