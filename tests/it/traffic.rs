//! Real clients through a real ProxySQL to a real MariaDB: what a drain does to them, and what it does not.

mod busy;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proxysql_fleet::kubernetes::{KubeApi, PodSpec};
use proxysql_fleet::net::Block;
use proxysql_fleet::proxysql::{ClientEnd, ClientSpec};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::life::{Backend, Client, Make, Pod, call, number, seconds};
use crate::support::{eventually, fleet, settings};

const SECOND: Duration = Duration::from_secs(1);

async fn connect(server: SocketAddr, many: usize) -> Vec<Client> {
    let mut clients = Vec::with_capacity(many);
    for _ in 0..many {
        let mut client = Client::connect(server).await.unwrap();
        client.run("DO 1").await.unwrap();
        clients.push(client);
    }
    clients
}

async fn pod(backend: &Backend, environment: &[(&str, &str)]) -> Pod {
    let make = Make::new().extra(&backend.configuration());
    environment.iter().fold(make, |make, (key, value)| make.env(key, value)).ready().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_commit_and_queries_return_while_idle_clients_are_evicted() {
    let Some(backend) = Backend::start("transactions_commit_and_queries_return").await else { return };
    let mut pod = pod(&backend, &[("SHUTDOWN_DRAIN_TIMEOUT", "20")]).await;
    let server = pod.node.spec().mysql();

    let mut idle = connect(server, 100).await;
    let mut work: JoinSet<Result<Duration, String>> = JoinSet::new();
    let began = Instant::now();
    for who in 0..10_u64 {
        let [mut client] = <[Client; 1]>::try_from(connect(server, 1).await).ok().unwrap();
        client.run("BEGIN").await.unwrap();
        client.run(&format!("INSERT INTO done (who) VALUES ({who})")).await.unwrap();
        work.spawn(async move {
            sleep(SECOND * 2 + Duration::from_millis(300 * who)).await;
            client.run("INSERT INTO done (who) VALUES (-1)").await.map_err(|error| error.to_string())?;
            client.run("COMMIT").await.map_err(|error| error.to_string())?;
            Ok(began.elapsed())
        });
    }
    for client in connect(server, 5).await {
        let mut client = client;
        work.spawn(async move {
            let slept = client.number("SELECT SLEEP(5)").await.map_err(|error| error.to_string())?;
            assert_eq!(slept, 0);
            Ok(began.elapsed())
        });
    }
    eventually("the queries run", async || {
        let sql = "SELECT COUNT(*) FROM stats_mysql_processlist WHERE command='Query'";
        pod.node.query(sql).await.unwrap()[0][0] == Some("5".to_owned())
    })
    .await;

    let answer = call(pod.api, "POST", "/shutdown", &[]).await;
    let body = answer.body();
    eprintln!("the report: {}", body["drain"]);
    assert_eq!(body["drain"]["ended"], "completed", "{body}");
    let counts = ["clients", "evicted", "finished", "terminated"].map(|name| number(&body, &format!("/drain/{name}")));
    assert_eq!(counts[0], counts[1] + counts[2] + counts[3]);
    assert_eq!((counts[0], counts[3]), (115, 0), "{body}");
    assert!(counts[1] >= 100, "{body}");
    let done: Vec<Duration> = work.join_all().await.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(done.len(), 15, "every transaction commits and every query returns");
    assert!(seconds(&body, "drain") < SECOND * 20, "nobody was cut, so nobody was waited for in vain");
    for client in &mut idle {
        client.run("DO 1").await.unwrap_err();
    }
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_never_ends_is_cut() {
    let Some(backend) = Backend::start("a_transaction_that_never_ends_is_cut").await else { return };
    let mut pod = pod(&backend, &[("SHUTDOWN_DRAIN_TIMEOUT", "3")]).await;
    let [mut client] = <[Client; 1]>::try_from(connect(pod.node.spec().mysql(), 1).await).ok().unwrap();
    client.run("BEGIN").await.unwrap();
    client.run("INSERT INTO done (who) VALUES (1)").await.unwrap();
    let body = call(pod.api, "POST", "/shutdown", &[]).await.body();
    eprintln!("the report: {}", body["drain"]);
    assert_eq!(
        (body["drain"]["ended"].as_str(), number(&body, "/drain/terminated")),
        (Some("drain_timeout"), 1),
        "{body}"
    );
    assert!(seconds(&body, "drain") >= SECOND * 3 && seconds(&body, "drain") < SECOND * 5);
    client.run("COMMIT").await.unwrap_err();
    assert_eq!(pod.gone().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_do_not_notice_that_an_agent_ends_ten_times_and_leaves_proxysql_running() {
    let Some(backend) = Backend::start("clients_do_not_notice_that_an_agent_ends_ten_times").await else { return };
    let dir = tempfile::tempdir().unwrap();
    let block = Block::take().unwrap();
    let api = KubeApi::start(&block, dir.path(), false).await.unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    api.kubeconfig(&kubeconfig).unwrap();
    api.put(PodSpec::new("proxysql", "own-pod").ip(std::net::IpAddr::from([10, 0, 0, 1]))).await.unwrap();
    for on_sigterm in ["detach", "auto"] {
        let make = Make::new()
            .extra(&backend.configuration())
            .env("SHUTDOWN_ON_SIGTERM", on_sigterm)
            .variable("KUBECONFIG", &kubeconfig.to_string_lossy())
            .variable("POD_NAMESPACE", "proxysql")
            .variable("POD_NAME", "own-pod");
        ends_ten_times(make.ready().await, on_sigterm).await;
    }
}

async fn ends_ten_times(mut pod: Pod, on_sigterm: &str) {
    let server = pod.node.spec().mysql();
    let enough = Arc::new(AtomicBool::new(false));
    let mut users = JoinSet::new();
    for mut client in connect(server, 20).await {
        let enough = enough.clone();
        users.spawn(async move { client.keep_running(Duration::from_millis(10), &enough).await });
    }
    // New connections, too.
    let coming = enough.clone();
    users.spawn(async move {
        let mut done = 0;
        while !coming.load(Ordering::Relaxed) {
            let mut client = Client::connect(server).await.map_err(|error| (done, error))?;
            client.run("DO 1").await.map_err(|error| (done, error))?;
            done += 1;
        }
        Ok(done)
    });
    for _ in 0..10 {
        pod.agent.terminate();
        assert_eq!(pod.gone().await, Some(0));
        pod.restart_agent().await;
        pod.is_ready().await;
    }
    enough.store(true, Ordering::Relaxed);
    let done = users.join_all().await.into_iter().collect::<Result<Vec<u64>, _>>().unwrap();
    eprintln!("{on_sigterm}: {} statements through ten ends of the agent, no error", done.iter().sum::<u64>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_drain_serves_as_before() {
    let Some(backend) = Backend::start("a_cancelled_drain_serves_as_before").await else { return };
    let mut pod = pod(&backend, &[]).await;
    let server = pod.node.spec().mysql();
    let [mut client] = <[Client; 1]>::try_from(connect(server, 1).await).ok().unwrap();
    client.run("BEGIN").await.unwrap();
    client.run("INSERT INTO done (who) VALUES (1)").await.unwrap();
    assert_eq!(pod.call("POST", "/shutdown?wait=false").await.code, 202);
    eventually("it drains", async || pod.get("/drain").await.body()["drain"]["step"] == "waiting_for_clients").await;
    assert!(Client::connect(server).await.is_err(), "the listener is closed");
    assert_eq!(pod.call("DELETE", "/drain").await.code, 200);
    pod.is_ready().await;
    client.run("COMMIT").await.unwrap();
    connect(server, 3).await;
    drop(client);
    let body = call(pod.api, "POST", "/shutdown", &[]).await.body();
    assert_eq!(body["drain"]["terminated"], 0, "{body}");
    assert_eq!(pod.gone().await, Some(0));
}

/// On the stand-in with scripted clients, on a real ProxySQL with real ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_loses_nobody_and_sees_no_variable_change_while_the_first_drains() {
    let backend = Backend::start("with real clients, a_second_node_loses_nobody").await;
    if backend.is_none() && std::env::var_os("PROXYSQL_BIN").is_some() {
        return;
    }
    let mut settings = settings().env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "1");
    if let Some(backend) = &backend {
        settings.configuration = backend.configuration();
    }
    let rig = fleet(settings, 1, 2).await;
    let [first, second] = ["satellite-1", "satellite-2"].map(|name| rig.member(name).unwrap());
    let enough = Arc::new(AtomicBool::new(false));
    let mut users: JoinSet<Result<u64, (u64, mysql_async::Error)>> = JoinSet::new();
    let mut idle = Vec::new();
    let mut kept = Vec::new();
    let long_idle = ClientSpec { since: Duration::from_mins(1), ..ClientSpec::default() };
    if let (Some(first), Some(second)) = (first.node.embedded(), second.node.embedded()) {
        for _ in 0..20 {
            first.add_client(long_idle.clone());
            kept.push(second.add_client(long_idle.clone()));
        }
    } else {
        idle = connect(first.node.spec().mysql(), 20).await;
        for mut client in connect(second.node.spec().mysql(), 20).await {
            let enough = enough.clone();
            users.spawn(async move { client.keep_running(Duration::from_millis(20), &enough).await });
        }
    }
    let mut pooled = if idle.is_empty() { Vec::new() } else { connect(second.node.spec().mysql(), 20).await };
    let sql = "SELECT * FROM runtime_global_variables";
    let before = [second.node.query(sql).await.unwrap(), rig.member("core-1").unwrap().node.query(sql).await.unwrap()];

    let api = first.agent.as_ref().unwrap().api();
    let body = call(api, "POST", "/shutdown", &[]).await.body();
    eprintln!("the report: {}", body["drain"]);
    assert_eq!((body["drain"]["ended"].as_str(), number(&body, "/drain/evicted")), (Some("completed"), 20), "{body}");
    // Time for whatever would be pulled from it: a check each 200 ms, three differing ones.
    sleep(SECOND * 3).await;
    let after = [second.node.query(sql).await.unwrap(), rig.member("core-1").unwrap().node.query(sql).await.unwrap()];
    assert_eq!(before, after, "variables");
    enough.store(true, Ordering::Relaxed);
    let done = users.join_all().await.into_iter().collect::<Result<Vec<u64>, _>>().unwrap();
    for client in &mut pooled {
        client.run("DO 1").await.unwrap();
    }
    if let Some(second) = second.node.embedded() {
        assert_eq!(second.clients().len(), kept.len());
        assert!(second.ended_clients().iter().all(|(_, end)| *end == ClientEnd::Left));
    }
    eprintln!("{} statements on the second node, no error", done.iter().sum::<u64>());
}
