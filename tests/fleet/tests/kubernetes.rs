//! The pod API stand-in over plain HTTP: what a client library will rely on. And a client library on it, or on the real server
//! where `KUBEBUILDER_ASSETS` names one.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use proxysql_fleet::http::{self, Reply};
use proxysql_fleet::kubernetes::{Fault, KubeApi, PodApi, PodSpec, Scope, TOKEN, Verb};
use proxysql_fleet::net::Block;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(150);
const PODS: &str = "/api/v1/namespaces/proxysql/pods";
const CORES: &str = "labelSelector=app%3Dproxysql%2Ccomponent%20in%20(core)";

async fn api() -> PodApi {
    PodApi::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

fn core(name: &str) -> PodSpec {
    let hash = "6b7f9c4d5";
    PodSpec::new("proxysql", name)
        .label("app", "proxysql")
        .label("component", "core")
        .of_deployment("core", hash)
        .ip([127, 9, 9, 9])
}

async fn get(api: &PodApi, query: &str) -> Reply {
    http::get(api.address(), &format!("{PODS}?{query}"), None).await.unwrap()
}

async fn list(api: &PodApi, query: &str) -> Value {
    let reply = get(api, query).await;
    assert_eq!(reply.status, 200);
    reply.json().await.unwrap()
}

async fn watch(api: &PodApi, query: &str) -> Reply {
    let reply = get(api, &format!("watch=true&{query}")).await;
    assert_eq!(reply.status, 200);
    reply
}

/// Type, name and revision of the next event.
async fn event(watch: &mut Reply) -> (String, String, u64) {
    let line = watch.line_within(SOON).await.unwrap().expect("the watch goes on");
    let event: Value = serde_json::from_str(&line).unwrap();
    let metadata = &event["object"]["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&event["type"]), text(&metadata["name"]), text(&metadata["resourceVersion"]).parse().unwrap_or(0))
}

async fn silent(watch: &mut Reply) -> bool {
    watch.line_within(SILENCE).await.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

fn revision(list: &Value) -> u64 {
    list["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_list_is_selected_and_typed() {
    let api = api().await;
    api.put(core("core-1"));
    api.put(core("core-0"));
    api.put(PodSpec::new("proxysql", "satellite-0").label("app", "proxysql").label("component", "satellite"));
    api.put(PodSpec { namespace: "other".to_owned(), ..core("elsewhere") });
    let all = list(&api, CORES).await;
    assert_eq!(names(&all), ["core-0", "core-1"]);
    assert_eq!((&all["kind"], &all["items"][0]["kind"]), (&json!("PodList"), &Value::Null));
    assert_eq!(names(&list(&api, "fieldSelector=metadata.name%3Dsatellite-0").await), ["satellite-0"]);
    let everywhere =
        http::get(api.address(), &format!("/api/v1/pods?{CORES}"), None).await.unwrap().json().await.unwrap();
    assert_eq!(names(&everywhere), ["elsewhere", "core-0", "core-1"]);
    let one = http::get(api.address(), &format!("{PODS}/core-0"), None).await.unwrap().json().await.unwrap();
    assert_eq!(one["metadata"]["labels"]["pod-template-hash"], "6b7f9c4d5");
    let none = http::get(api.address(), &format!("{PODS}/core-7"), None).await.unwrap();
    assert_eq!(none.status, 404);
    assert_eq!(none.json().await.unwrap()["reason"], "NotFound");
    assert_eq!(get(&api, "labelSelector=a%20b").await.json().await.unwrap()["code"], 400);
}

#[tokio::test]
async fn pages_show_one_revision_until_it_is_compacted() {
    let api = api().await;
    for index in 0..5 {
        api.put(core(&format!("core-{index}")));
    }
    let first = list(&api, "limit=2").await;
    assert_eq!((names(&first), first["metadata"]["remainingItemCount"].as_u64()), (vec!["core-0", "core-1"], Some(3)));
    api.delete("proxysql", "core-3").unwrap();
    api.put(core("core-9"));
    let next = |page: &Value| format!("limit=2&continue={}", page["metadata"]["continue"].as_str().unwrap());
    let second = list(&api, &next(&first)).await;
    assert_eq!(names(&second), ["core-2", "core-3"]);
    assert_eq!(revision(&second), revision(&first));
    let third = list(&api, &next(&second)).await;
    assert_eq!((names(&third), &third["metadata"]["continue"]), (vec!["core-4"], &Value::Null));
    api.compact();
    let expired = get(&api, &next(&second)).await;
    assert_eq!(expired.status, 410);
    assert_eq!(expired.json().await.unwrap()["reason"], "Expired");
    assert_eq!(list(&api, "limit=2&resourceVersion=0").await["items"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_watch_goes_on_where_the_list_ended() {
    let api = api().await;
    api.put(core("core-0"));
    let listed = list(&api, CORES).await;
    let added = api.put(core("core-1"));
    let mut watch = watch(&api, &format!("{CORES}&resourceVersion={}", revision(&listed))).await;
    assert_eq!(event(&mut watch).await, ("ADDED".to_owned(), "core-1".to_owned(), added));
    api.touch_unrelated("proxysql", 50);
    let changed = api.terminate("proxysql", "core-1").unwrap();
    assert_eq!(event(&mut watch).await, ("MODIFIED".to_owned(), "core-1".to_owned(), changed));
    // Out of the selector without being deleted: shown as it was, at the revision of the change.
    let left = api
        .edit("proxysql", "core-0", |pod| drop(pod.labels.insert("component".to_owned(), "retired".to_owned())))
        .unwrap();
    assert_eq!(event(&mut watch).await, ("DELETED".to_owned(), "core-0".to_owned(), left));
    let gone = api.delete("proxysql", "core-1").unwrap();
    assert_eq!(event(&mut watch).await, ("DELETED".to_owned(), "core-1".to_owned(), gone));
    assert!(silent(&mut watch).await);
}

#[tokio::test]
async fn a_watch_from_nowhere_starts_with_what_is_there() {
    let api = api().await;
    let there = api.put(core("core-0"));
    for query in ["", "resourceVersion=0"] {
        let mut watch = watch(&api, query).await;
        assert_eq!(event(&mut watch).await, ("ADDED".to_owned(), "core-0".to_owned(), there), "{query}");
        assert!(silent(&mut watch).await);
    }
}

#[tokio::test]
async fn a_streaming_list_ends_with_its_bookmark_or_is_refused() {
    let api = api().await;
    let there = api.put(core("core-0"));
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut watch = get(&api, query).await;
    assert_eq!(event(&mut watch).await.0, "ADDED");
    let end: Value = serde_json::from_str(&watch.line_within(SOON).await.unwrap().unwrap()).unwrap();
    assert_eq!(end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(end["object"]["metadata"]["resourceVersion"], there.to_string());
    api.stream_lists(false);
    assert_eq!(get(&api, query).await.status, 422);
}

#[tokio::test]
async fn bookmarks_carry_the_revision_on_and_only_where_asked_for() {
    let api = api().await;
    api.bookmark_every(Duration::from_millis(20));
    let start = api.put(core("core-0"));
    let mut plain = watch(&api, &format!("resourceVersion={start}")).await;
    let mut marked = watch(&api, &format!("{CORES}&allowWatchBookmarks=true&resourceVersion={start}")).await;
    assert_eq!(event(&mut marked).await, ("BOOKMARK".to_owned(), String::new(), start));
    let later = api.put(PodSpec::new("proxysql", "unrelated"));
    let mut carried = start;
    while carried < later {
        let (kind, _, revision) = event(&mut marked).await;
        assert_eq!(kind, "BOOKMARK");
        carried = revision;
    }
    assert_eq!(event(&mut plain).await, ("ADDED".to_owned(), "unrelated".to_owned(), later));
    assert!(silent(&mut plain).await);
}

#[tokio::test]
async fn a_watch_from_a_forgotten_revision_is_told_so_in_the_stream() {
    let api = api().await;
    let old = api.put(core("core-0"));
    api.put(core("core-1"));
    api.compact();
    let mut watch = watch(&api, &format!("resourceVersion={old}")).await;
    let error: Value = serde_json::from_str(&watch.line_within(SOON).await.unwrap().unwrap()).unwrap();
    assert_eq!(error["type"], "ERROR");
    assert_eq!((&error["object"]["code"], &error["object"]["reason"]), (&json!(410), &json!("Expired")));
    assert_eq!(watch.line_within(SOON).await.unwrap(), None);
}

#[tokio::test]
async fn a_watch_ends_regularly_when_its_time_is_over() {
    let api = api().await;
    let began = Instant::now();
    let mut watch = watch(&api, "timeoutSeconds=1").await;
    assert_eq!(watch.line_within(SOON).await.unwrap(), None);
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn watches_can_be_cut_now_and_at_an_age() {
    let api = api().await;
    let mut open = watch(&api, "").await;
    api.cut_watches();
    assert_ne!(open.line_within(SOON).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let mut again = watch(&api, "").await;
    assert!(silent(&mut again).await);
    api.cut_watches_every(Duration::from_millis(50));
    for _ in 0..3 {
        let mut short = watch(&api, "").await;
        assert_ne!(short.line_within(SOON).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn a_stranded_watch_is_silent_for_ever_and_a_new_one_works() {
    let api = api().await;
    let mut stranded = watch(&api, "").await;
    api.strand_watches();
    let mut fresh = watch(&api, "").await;
    api.put(core("core-0"));
    assert_eq!(event(&mut fresh).await.1, "core-0");
    api.heal().await;
    assert!(silent(&mut stranded).await);
}

#[tokio::test]
async fn a_hang_is_silent_and_then_over() {
    let api = api().await;
    let mut open = watch(&api, "").await;
    api.fail(Scope::All, &Fault::Hang);
    let added = api.put(core("core-0"));
    assert!(silent(&mut open).await);
    let address = api.address();
    let hung = tokio::spawn(async move { http::get(address, PODS, None).await.unwrap().status });
    tokio::time::sleep(SILENCE).await;
    assert!(!hung.is_finished());
    api.heal().await;
    assert_eq!(hung.await.unwrap(), 200);
    assert_eq!(event(&mut open).await, ("ADDED".to_owned(), "core-0".to_owned(), added));
}

#[tokio::test]
async fn faults_answer_as_ordered_within_their_scope() {
    let api = api().await;
    let start = api.put(core("core-0"));
    let watched = format!("watch=true&resourceVersion={start}");
    for code in [403, 410, 429, 500] {
        api.fail(Scope::Lists, &Fault::Status(code));
        let reply = get(&api, "").await;
        assert_eq!((reply.status, reply.header("retry-after").is_some()), (code, code == 429));
        let status = reply.json().await.unwrap();
        assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(code)));
        assert_eq!(get(&api, &watched).await.status, 200);
    }
    api.heal().await;
    api.fail(Scope::Watches, &Fault::Expired);
    assert!(get(&api, &watched).await.text().await.unwrap().contains("\"code\":410"));
    assert_eq!(get(&api, "").await.status, 200);
    api.fail(Scope::All, &Fault::Garbage);
    assert!(get(&api, "").await.json().await.is_err());
    assert!(get(&api, &watched).await.json().await.is_err());
    api.fail(Scope::All, &Fault::Empty);
    assert_eq!(names(&list(&api, "").await), [""; 0]);
    api.slow(Duration::from_millis(100));
    let began = Instant::now();
    list(&api, "").await;
    assert!(began.elapsed() >= Duration::from_millis(100));
}

#[tokio::test]
async fn a_refusing_server_is_gone_and_comes_back_at_its_address() {
    let api = api().await;
    let mut open = watch(&api, "").await;
    api.refuse().await;
    assert!(open.line_within(SOON).await.is_err_and(|error| error.kind() != io::ErrorKind::TimedOut));
    assert_eq!(http::get(api.address(), PODS, None).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    api.put(core("core-0"));
    api.heal().await;
    assert_eq!(names(&list(&api, "").await), ["core-0"]);
}

#[tokio::test]
async fn requests_are_counted_and_strangers_turned_away() {
    let api = api().await;
    api.require_token(Some(TOKEN));
    assert_eq!(get(&api, "").await.status, 401);
    assert_eq!(http::get(api.address(), PODS, Some(TOKEN)).await.unwrap().status, 200);
    let mut watch = http::get(api.address(), &format!("{PODS}?watch=1"), Some(TOKEN)).await.unwrap();
    let before = api.traffic();
    assert_eq!((before.lists, before.watches, before.gets, before.connections), (2, 1, 0, 3));
    api.put(core("core-0"));
    event(&mut watch).await;
    assert!(api.traffic().bytes_out > before.bytes_out + 3_000);
    let seen = api.requests().iter().map(|request| (request.verb, request.status)).collect::<Vec<_>>();
    assert_eq!(seen, [(Verb::List, Some(401)), (Verb::List, Some(200)), (Verb::Watch, Some(200))]);
}

#[tokio::test]
async fn a_client_library_sees_a_pod_come_change_and_go() {
    let (block, dir) = (Block::take().unwrap(), tempfile::tempdir().unwrap());
    let api = KubeApi::start(&block, dir.path(), false).await.unwrap();
    let path = dir.path().join("kubeconfig");
    api.kubeconfig(&path).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(Kubeconfig::read_from(&path).unwrap(), &options).await.unwrap();
    let pods = kube::Api::<Pod>::namespaced(kube::Client::try_from(config).unwrap(), "proxysql");
    let selector = ListParams::default().labels("app=proxysql,component in (core)");

    api.put(PodSpec { ips: Vec::new(), ..core("core-0").phase("Pending") }).await.unwrap();
    api.put(PodSpec::new("proxysql", "other")).await.unwrap();
    let listed = pods.list(&selector).await.unwrap().items;
    assert_eq!(listed.iter().map(|pod| pod.metadata.name.as_deref()).collect::<Vec<_>>(), [Some("core-0")]);
    let status = listed[0].status.clone().unwrap();
    assert_eq!((status.phase.as_deref(), status.pod_ip), (Some("Pending"), None));

    api.put(core("core-0")).await.unwrap();
    let running = pods.get("core-0").await.unwrap();
    assert_eq!(running.metadata.deletion_timestamp, None);
    let status = running.status.unwrap();
    assert_eq!((status.phase.as_deref(), status.pod_ip.as_deref()), (Some("Running"), Some("127.9.9.9")));
    let ready = status.conditions.unwrap_or_default().into_iter().find(|condition| condition.type_ == "Ready");
    assert_eq!(ready.map(|condition| condition.status).as_deref(), Some("True"));

    api.terminate("proxysql", "core-0").await.unwrap();
    let terminating = pods.get("core-0").await.unwrap();
    assert!(terminating.metadata.deletion_timestamp.is_some());
    assert_eq!(terminating.status.unwrap().phase.as_deref(), Some("Running"));

    api.delete("proxysql", "core-0").await.unwrap();
    assert!(pods.get_opt("core-0").await.unwrap().is_none());

    api.outage(true).await;
    api.put(core("core-1")).await.unwrap();
    assert!(matches!(pods.list(&selector).await, Err(kube::Error::HyperError(_) | kube::Error::Service(_))));
    api.outage(false).await;
    assert_eq!(pods.list(&selector).await.unwrap().items.len(), 1);
}
