//! A core that does not hear of the others any more leaves the list of members to those that do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxysql_fleet::client::Client;
use proxysql_fleet::dns::{DnsServer, Fault};
use proxysql_fleet::net::Forwarder;
use proxysql_fleet::rig::{Rig, Settings};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::metrics::Scrape;
use crate::support::{PATIENCE, converged, eventually_on, fleet, settings, settled};

/// How long the core is blind, in seconds; sixty is the long run.
const SPAN: &str = "BLIND_SECONDS";
/// In which everybody agrees once nobody is blind any more.
const HEALED: Duration = Duration::from_secs(5);
const NAME: &str = "cores.example";

/// Of each node, the lists that it had, in order.
type Lists = Arc<Mutex<Vec<(String, Vec<String>)>>>;

fn note(lists: &Lists, index: usize, list: Option<String>) {
    let seen = &mut lists.lock().unwrap()[index].1;
    if let Some(list) = list.filter(|list| seen.last() != Some(list)) {
        seen.push(list);
    }
}

/// Follows the lists that nodes have in effect: one that comes back after it was replaced is a flip.
struct Eye {
    lists: Lists,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Eye {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Eye {
    #[expect(clippy::disallowed_methods, reason = "the test holds the handles, and ends the tasks")]
    fn on(rig: &Rig) -> Self {
        let lists = Lists::default();
        let watch = |(name, admin): (String, SocketAddr)| {
            let index = {
                let mut lists = lists.lock().unwrap();
                lists.push((name, Vec::new()));
                lists.len() - 1
            };
            let lists = Arc::clone(&lists);
            tokio::spawn(async move {
                loop {
                    if let Ok(mut client) = Client::connect(admin, "observer", "observer").await {
                        let sql = "SELECT checksum FROM runtime_checksums_values WHERE name='proxysql_servers'";
                        while let Ok(rows) = client.rows(sql).await {
                            note(&lists, index, rows.into_iter().flatten().flatten().next());
                            sleep(Duration::from_millis(20)).await;
                        }
                    }
                    sleep(Duration::from_millis(50)).await;
                }
            })
        };
        let nodes = rig.members().iter().map(|member| (member.name.clone(), member.admin()));
        let tasks = nodes.map(watch).collect();
        Self { lists, tasks }
    }

    fn saw_no_flip(&self) {
        for (name, seen) in &*self.lists.lock().unwrap() {
            let again = seen.iter().enumerate().find(|(at, list)| seen[..*at].contains(list));
            assert!(again.is_none(), "{name}: {seen:?}");
        }
    }
}

/// Two cores go and two come, while one hears of nothing.
async fn two_replacements(rig: &mut Rig) -> Eye {
    let eye = Eye::on(rig);
    let span: u64 = std::env::var(SPAN).map_or(0, |seconds| seconds.parse().unwrap());
    for gone in ["core-2", "core-3"] {
        rig.remove(gone).await.unwrap();
        rig.add_core().await.unwrap();
        let came = rig.expected();
        // The blind core's ProxySQL follows the others: it has the same list as they.
        if let Err(report) = rig.converged_to(&came, PATIENCE).await {
            panic!("{report}");
        }
        sleep(Duration::from_secs(span / 2)).await;
    }
    // Some rounds of the blind one more.
    sleep(Duration::from_secs(2)).await;
    rig.stays_converged(Duration::from_secs(1)).await.unwrap_or_else(|report| panic!("{report}"));
    eye.saw_no_flip();
    eye
}

async fn status(rig: &Rig, name: &str) -> Value {
    let agent = rig.member(name).unwrap().agent.as_ref().unwrap();
    serde_json::from_str(&agent.get("/status").await.unwrap().text().await.unwrap()).unwrap()
}

/// Restarts the agent of a core with other variables than the rest of the fleet has.
async fn restart_with(rig: &mut Rig, name: &str, key: &str, value: &str) {
    let usual = rig.settings().clone();
    *rig.settings() = usual.clone().env(key, value);
    rig.restart_agent(name).await.unwrap();
    *rig.settings() = usual;
}

async fn is_failing(rig: &Rig, name: &str, fails: bool) {
    eventually_on(rig, &format!("discovery of {name} fails: {fails}"), async || {
        let agent = rig.member(name).unwrap().agent.as_ref().unwrap();
        let Ok(page) = agent.get("/metrics").await else { return false };
        Scrape::read(&page.text().await.unwrap()).get("discovery_up") == Some(if fails { 0.0 } else { 1.0 })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_without_the_api_undoes_nothing_and_makes_up_for_it_at_once() {
    let mut rig = fleet(Settings { scripted_api: true, ..settings() }, 3, 1).await;
    // The API of this one core is behind a wire that can be cut.
    let api = rig.kubernetes().embedded().unwrap().address();
    let wire = Forwarder::start((rig.address().unwrap(), api.port()).into()).await.unwrap();
    wire.add(api);
    let file = rig.dir().join("kubeconfig-of-core-1");
    let text = std::fs::read_to_string(rig.dir().join("kubeconfig")).unwrap();
    std::fs::write(&file, text.replace(&api.to_string(), &wire.address().to_string())).unwrap();
    restart_with(&mut rig, "core-1", "KUBECONFIG", file.to_str().unwrap()).await;
    settled(&rig).await;
    is_failing(&rig, "core-1", false).await;

    wire.close().await;
    is_failing(&rig, "core-1", true).await;
    let _eye = two_replacements(&mut rig).await;
    let problems = status(&rig, "core-1").await["problems"].to_string();
    assert!(problems.contains("core discovery is failing") && !problems.contains("members_missing"), "{problems}");
    // What takes no knowledge it mends: its own row, and a list with nobody in it.
    let node = &rig.member("core-1").unwrap().node;
    let own = rig.member("core-1").unwrap().ip().to_string();
    node.query(&format!("DELETE FROM proxysql_servers WHERE hostname='{own}'")).await.unwrap();
    node.query("LOAD PROXYSQL SERVERS TO RUNTIME").await.unwrap();
    converged(&rig).await;

    // It missed that one, too, and has it once it sees again.
    rig.kill("core-4").await.unwrap();
    rig.forget("core-4").await.unwrap();
    wire.open().await;
    let began = Instant::now();
    converged(&rig).await;
    is_failing(&rig, "core-1", false).await;
    let took = began.elapsed();
    eprintln!("everybody agrees {took:?} after the API is back");
    assert!(took < HEALED, "{took:?}");
}

/// A watch that fell silent without a word: nothing is known to be wrong, and the list that another core has loaded stays all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_whose_watch_is_mute_asks_before_it_undoes_anything() {
    let mut rig = fleet(Settings { scripted_api: true, ..settings() }, 3, 1).await;
    settled(&rig).await;
    rig.kubernetes().embedded().unwrap().strand_watches();
    for hearing in ["core-2", "core-3"] {
        rig.restart_agent(hearing).await.unwrap();
    }
    settled(&rig).await;
    two_replacements(&mut rig).await.saw_no_flip();
}

/// The same where cores are found by a name, and one of them cannot resolve it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_that_cannot_resolve_the_others_undoes_nothing() {
    let (dns, own) = (dns().await, dns().await);
    let by_name = settings()
        .env("AGENT_CORE_DISCOVERY", "dns")
        .env("AGENT_CORE_DNS_NAME", NAME)
        .env("AGENT_CORE_DNS_INTERVAL", "0.2")
        .env("AGENT_CORE_DNS_SERVER", dns.address().to_string());
    let mut rig = Rig::start(by_name).await.unwrap();
    rig.add(3, 1).await.unwrap();
    let cores = |rig: &Rig| {
        let cores = rig.members().iter().filter(|member| member.role == proxysql_fleet::rig::Role::Core);
        cores.map(proxysql_fleet::rig::Member::ip).collect::<Vec<_>>()
    };
    dns.set(NAME, cores(&rig));
    own.set(NAME, cores(&rig));
    converged(&rig).await;
    restart_with(&mut rig, "core-1", "AGENT_CORE_DNS_SERVER", &own.address().to_string()).await;
    settled(&rig).await;
    own.fail(Fault::Code(2));
    is_failing(&rig, "core-1", true).await;
    let eye = Eye::on(&rig);
    for gone in ["core-2", "core-3"] {
        let gone_ip = rig.member(gone).unwrap().ip();
        let came = rig.add_core().await.unwrap();
        dns.set(NAME, cores(&rig).into_iter().filter(|ip| *ip != gone_ip));
        rig.remove(gone).await.unwrap();
        converged(&rig).await;
        assert!(rig.member(&came).is_ok());
    }
    rig.stays_converged(Duration::from_secs(2)).await.unwrap_or_else(|report| panic!("{report}"));
    eye.saw_no_flip();
    own.set(NAME, cores(&rig));
    own.heal();
    is_failing(&rig, "core-1", false).await;
    rig.stays_converged(Duration::from_secs(2)).await.unwrap_or_else(|report| panic!("{report}"));
}

async fn dns() -> DnsServer {
    DnsServer::start((std::net::Ipv4Addr::LOCALHOST, 0).into()).await.unwrap()
}
