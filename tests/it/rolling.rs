//! A rolling update behind a real `HAProxy`: what four kinds of clients notice of it.
//!
//! `ROLLS` is how often the nodes are replaced, one after the other; once if it is not set.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use proxysql_fleet::rig::{Member, Rig, Settings};

use crate::life::{Backend, Habit, Haproxy, Ledger, Make, Pod, Server, call, spread};
use crate::support::{eventually, fleet, on_real_proxysql, settings, settled};

const SECOND: Duration = Duration::from_secs(1);
/// What a node may take from the request to the end of both processes: far more than it does, for a machine that is busy.
const GONE: Duration = Duration::from_secs(40);
/// The time without an answer to anybody that is noticed. A node that is missed is missed for seconds.
const GAP: Duration = Duration::from_secs(2);

/// Nodes behind an `HAProxy`.
struct Deployment {
    nodes: Nodes,
    haproxy: Haproxy,
}

enum Nodes {
    /// Satellites that come back where they were.
    Satellites(Vec<Pod>),
    /// Cores of a cluster, by the names of their pods; a new pod has an address of its own.
    Cores(Box<Rig>, Vec<String>),
}

fn name(number: usize) -> String {
    format!("node-{number}")
}

fn server_of(number: usize, core: &Member) -> Server {
    Server { name: name(number), mysql: core.node.spec().mysql(), api: core.agent.as_ref().unwrap().api() }
}

fn ended_well(body: &serde_json::Value) {
    assert_eq!(
        (body["drain"]["ended"].as_str(), &body["drain"]["terminated"]),
        (Some("completed"), &0.into()),
        "{body}"
    );
}

impl Deployment {
    async fn satellites(scenario: &str, nodes: usize, backend: Option<&Backend>) -> Option<Self> {
        let mut pods = Vec::new();
        for _ in 0..nodes {
            let make = Make::new().env("SHUTDOWN_PROPAGATION_DELAY", "1");
            let make = match backend {
                Some(backend) => make.extra(&backend.configuration()),
                None => make,
            };
            pods.push(make.ready().await);
        }
        let server =
            |(number, pod): (usize, &Pod)| Server { name: name(number), mysql: pod.node.spec().mysql(), api: pod.api };
        let servers: Vec<Server> = pods.iter().enumerate().map(server).collect();
        let haproxy = Haproxy::start(scenario, &servers).await?;
        Some(Self { nodes: Nodes::Satellites(pods), haproxy })
    }

    async fn cores(scenario: &str, many: usize, backend: Option<&Backend>) -> Option<Self> {
        let settings = Settings {
            configuration: backend.map_or_else(|| settings().configuration, Backend::configuration),
            ..settings().env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "1")
        };
        let rig = fleet(settings, many, 1).await;
        settled(&rig).await;
        let cores = rig.names(proxysql_fleet::rig::Role::Core);
        let servers: Vec<Server> =
            cores.iter().enumerate().map(|(number, core)| server_of(number, rig.member(core).unwrap())).collect();
        let haproxy = Haproxy::start(scenario, &servers).await?;
        Some(Self { nodes: Nodes::Cores(Box::new(rig), cores), haproxy })
    }

    fn len(&self) -> usize {
        match &self.nodes {
            Nodes::Satellites(pods) => pods.len(),
            Nodes::Cores(_, cores) => cores.len(),
        }
    }

    /// Replaces each node; how long each took to be gone.
    async fn roll(&mut self) -> Vec<Duration> {
        match &mut self.nodes {
            Nodes::Satellites(pods) => roll_satellites(pods, &self.haproxy).await,
            Nodes::Cores(rig, cores) => roll_cores(rig, cores, &self.haproxy).await,
        }
    }
}

async fn roll_satellites(pods: &mut [Pod], haproxy: &Haproxy) -> Vec<Duration> {
    let mut gone = Vec::new();
    for (number, pod) in pods.iter_mut().enumerate() {
        let began = Instant::now();
        let body = call(pod.api, "POST", "/shutdown", &[]).await.body();
        assert_eq!(pod.gone().await, Some(0));
        pod.proxysql_gone().await;
        gone.push(began.elapsed());
        eprintln!("{} gone in {:?}: {}", name(number), began.elapsed(), body["drain"]);
        ended_well(&body);
        if let Some(node) = pod.node.embedded() {
            assert!(node.cut_in_transaction().is_empty(), "{:?}", node.cut_in_transaction());
            assert!(node.executed_without_answer().is_empty(), "{:?}", node.executed_without_answer());
        }
        pod.replace().await;
        haproxy.sends_to(&name(number)).await;
    }
    gone
}

/// The pod is terminating while its node drains, as Kubernetes does it: the other cores take it off their list.
async fn roll_cores(rig: &mut Rig, cores: &mut [String], haproxy: &Haproxy) -> Vec<Duration> {
    let mut gone = Vec::new();
    for (number, core) in cores.iter_mut().enumerate() {
        let namespace = rig.settings().namespace.clone();
        rig.kubernetes().terminate(&namespace, core).await.unwrap();
        let began = Instant::now();
        let api = rig.member(core).unwrap().agent.as_ref().unwrap().api();
        let body = call(api, "POST", "/shutdown", &[]).await.body();
        let member = rig.member(core).unwrap();
        eventually("the core's ProxySQL has ended", async || member.node.query("SELECT 1").await.is_err()).await;
        gone.push(began.elapsed());
        eprintln!("{core} gone in {:?}: {}", began.elapsed(), body["drain"]);
        ended_well(&body);
        rig.remove(core).await.unwrap();
        *core = rig.add_core().await.unwrap();
        haproxy.moves(&server_of(number, rig.member(core).unwrap())).await;
        haproxy.sends_to(&name(number)).await;
    }
    gone
}

/// How many clients of each kind there are.
const KINDS: [Habit; 4] = [
    Habit::Writes(Duration::from_millis(20)),
    Habit::Transactions(Duration::from_millis(40), Duration::from_millis(40)),
    Habit::Comes(Duration::from_millis(20)),
    Habit::Reads(Duration::from_secs(3)),
];

async fn rolls(deployment: &mut Deployment, many: usize, backend: Option<&Backend>) {
    let rolls = std::env::var("ROLLS").ok().and_then(|rolls| rolls.parse().ok()).unwrap_or(1_u32);
    let ledger = Arc::new(Ledger::default());
    let mut clients = JoinSet::new();
    clients.spawn(ledger.clone().metronome());
    for number in 0..many * KINDS.len() {
        clients.spawn(ledger.clone().client(number, KINDS[number / many], deployment.haproxy.address, true));
    }
    let (mut gone, mut gaps) = (Vec::new(), Vec::new());
    for roll in 1..=rolls {
        eventually("there is traffic", async || ledger.book().done > 200).await;
        ledger.begin();
        gone.extend(deployment.roll().await);
        // Who rests for seconds notices late.
        sleep(SECOND * 4).await;
        let book = ledger.book();
        gaps.push(book.longest_gap);
        let on_new = book.most_of_one(many * 2..many * 3);
        eprintln!(
            "roll {roll}: {} statements and {} connects; errors: {} within a transaction, {} connects, {} on connections, \
             {on_new} on new ones; longest gap {:?}, the machine's {:?}; gone in {}",
            book.done,
            book.connects,
            book.within_transactions().len(),
            book.refused.len(),
            book.troubles.len(),
            book.longest_gap,
            book.standstill,
            spread(gone.clone()),
        );
        assert_eq!((book.within_transactions(), book.refused.clone()), (vec![], vec![]));
        let kept = [0..many * 2, many * 3..many * 4].map(|clients| book.most_of_one(clients));
        assert!(kept.iter().all(|errors| *errors <= deployment.len()), "{kept:?} of {:?}", book.troubles);
        assert_eq!(on_new, 0, "{:?}", book.troubles);
        if let Some(backend) = backend {
            assert_eq!(book.executed_all_the_same(&backend.written().await), Vec::<String>::new());
        }
        assert!(
            book.longest_gap < GAP + book.standstill,
            "{:?}, the machine's {:?}",
            book.longest_gap,
            book.standstill
        );
    }
    ledger.close();
    clients.join_all().await;
    eprintln!("{rolls} rolls: gone in {}, longest gaps {}", spread(gone.clone()), spread(gaps));
    assert!(gone.iter().all(|took| *took < GONE), "{gone:?}");
}

/// The whole of it, on real parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_cut_and_nobody_is_refused_in_a_rolling_update() {
    let scenario = "nobody_is_cut_and_nobody_is_refused_in_a_rolling_update";
    let Some(backend) = Backend::start(scenario).await else { return };
    let Some(mut deployment) = Deployment::satellites(scenario, 3, Some(&backend)).await else { return };
    rolls(&mut deployment, 8, Some(&backend)).await;
}

/// A small form: two nodes without a database, and few clients.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_cut_and_nobody_is_refused_when_two_nodes_are_replaced() {
    let scenario = "nobody_is_cut_and_nobody_is_refused_when_two_nodes_are_replaced";
    if on_real_proxysql(scenario) {
        return;
    }
    let Some(mut deployment) = Deployment::satellites(scenario, 2, None).await else { return };
    rolls(&mut deployment, 3, None).await;
}

/// All cores, one after the other, each by a new pod at a new address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_cut_and_nobody_is_refused_when_all_cores_are_replaced() {
    let scenario = "nobody_is_cut_and_nobody_is_refused_when_all_cores_are_replaced";
    let backend = Backend::start(scenario).await;
    if backend.is_none() && std::env::var_os("PROXYSQL_BIN").is_some() {
        return;
    }
    let Some(mut deployment) = Deployment::cores(scenario, 3, backend.as_ref()).await else { return };
    rolls(&mut deployment, if backend.is_some() { 8 } else { 3 }, backend.as_ref()).await;
}
