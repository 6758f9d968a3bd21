//! A rolling update behind a real `HAProxy`: what four kinds of clients notice of it.
//!
//! `ROLLS` is how often the nodes are replaced, one after the other; once if it is not set.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::life::{Backend, Habit, Haproxy, Ledger, Make, Pod, Server, call, spread};
use crate::support::eventually;

const SECOND: Duration = Duration::from_secs(1);
/// What a node may take from the request to the end of both processes: far more than it does, for a machine that is busy.
const GONE: Duration = Duration::from_secs(40);
/// The time without an answer to anybody that is noticed. A node that is missed is missed for seconds.
const GAP: Duration = Duration::from_secs(2);

/// A deployment of nodes behind an `HAProxy`.
struct Deployment {
    pods: Vec<Pod>,
    haproxy: Haproxy,
}

fn name(number: usize) -> String {
    format!("node-{number}")
}

impl Deployment {
    async fn start(scenario: &str, nodes: usize, backend: Option<&Backend>) -> Option<Self> {
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
        Some(Self { pods, haproxy })
    }

    /// Replaces each node; how long each took to be gone.
    async fn roll(&mut self) -> Vec<Duration> {
        let mut gone = Vec::new();
        for (number, pod) in self.pods.iter_mut().enumerate() {
            let began = Instant::now();
            let body = call(pod.api, "POST", "/shutdown", &[]).await.body();
            assert_eq!(pod.gone().await, Some(0));
            pod.proxysql_gone().await;
            gone.push(began.elapsed());
            eprintln!("{} gone in {:?}: {}", name(number), began.elapsed(), body["drain"]);
            assert_eq!(
                (body["drain"]["ended"].as_str(), &body["drain"]["terminated"]),
                (Some("completed"), &0.into()),
                "{body}"
            );
            if let Some(node) = pod.node.embedded() {
                assert!(node.cut_in_transaction().is_empty(), "{:?}", node.cut_in_transaction());
                assert!(node.executed_without_answer().is_empty(), "{:?}", node.executed_without_answer());
            }
            pod.replace().await;
            self.haproxy.sends_to(&name(number)).await;
        }
        gone
    }
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
        assert!(kept.iter().all(|errors| *errors <= deployment.pods.len()), "{kept:?} of {:?}", book.troubles);
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
    let Some(mut deployment) = Deployment::start(scenario, 3, Some(&backend)).await else { return };
    rolls(&mut deployment, 8, Some(&backend)).await;
}

/// A small form: two nodes without a database, and few clients.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_cut_and_nobody_is_refused_when_two_nodes_are_replaced() {
    let scenario = "nobody_is_cut_and_nobody_is_refused_when_two_nodes_are_replaced";
    if crate::support::on_real_proxysql(scenario) {
        return;
    }
    let Some(mut deployment) = Deployment::start(scenario, 2, None).await else { return };
    rolls(&mut deployment, 3, None).await;
}
