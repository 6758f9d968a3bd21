//! Without Kubernetes: the cores are the addresses that a name leads to, or those of a list; with the guarantees of the watch.

mod dnsmasq;
mod list;
mod trouble;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use proxysql_fleet::dns::{DnsServer, Fault, Kind};
use proxysql_fleet::node::{Layer, Row};
use proxysql_fleet::rig::{Rig, Role, Saying, Settings};
use tokio::time::sleep;

use crate::metrics::Scrape;
use crate::support::{converged, embedded, eventually, on_real_proxysql, settings};

/// The name that leads to the cores.
const NAME: &str = "cores.example";
/// How often it is asked for.
const INTERVAL: &str = "0.2";

async fn dns() -> DnsServer {
    DnsServer::start((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap()
}

/// Agents that follow the name.
fn by_name(server: SocketAddr) -> Settings {
    settings()
        .env("AGENT_CORE_DISCOVERY", "dns")
        .env("AGENT_CORE_DNS_NAME", NAME)
        .env("AGENT_CORE_DNS_INTERVAL", INTERVAL)
        .env("AGENT_CORE_DNS_SERVER", server.to_string())
}

/// The addresses of the cores that are to be listed.
fn cores(rig: &Rig) -> BTreeSet<IpAddr> {
    rig.members().iter().filter(|member| member.role == Role::Core).map(proxysql_fleet::rig::Member::ip).collect()
}

fn rows(rig: &Rig, addresses: impl IntoIterator<Item = IpAddr>) -> BTreeSet<Row> {
    let port = rig.admin_port();
    let row =
        |ip: IpAddr| Row { hostname: ip.to_string(), port, weight: 0, comment: SocketAddr::new(ip, port).to_string() };
    addresses.into_iter().map(row).collect()
}

/// What the agent of a core said that somebody should look at.
fn warnings(rig: &Rig, name: &str, mark: u64) -> Vec<String> {
    let said: Vec<Saying> = rig.member(name).unwrap().agent.as_ref().unwrap().said_since(mark);
    said.into_iter().filter(|s| s.level == "WARN" || s.level == "ERROR").map(|s| s.to_string()).collect()
}

/// Waits until the core has exactly these members in effect.
async fn lists(rig: &Rig, what: &str, addresses: &BTreeSet<IpAddr>) {
    let (node, expected) = (&rig.member("core-1").unwrap().node, rows(rig, addresses.iter().copied()));
    eventually(&format!("{what}: {addresses:?}"), async || {
        node.members(Layer::Runtime).await.is_ok_and(|members| members == expected)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cores_come_go_and_move_as_the_name_says() {
    let dns = dns().await;
    let mut rig = Rig::start(by_name(dns.address())).await.unwrap();
    rig.add(2, 1).await.unwrap();
    dns.set(NAME, cores(&rig));
    converged(&rig).await;
    for core in ["core-1", "core-2"] {
        let said = rig.member(core).unwrap().agent.as_ref().unwrap().said_since(0);
        let own = rig.member(core).unwrap().admin().to_string();
        let itself = |s: &Saying| s.message == "this core is among the members" && s.fields["address"] == own;
        assert!(said.iter().any(itself), "{core} does not know itself");
        assert!(!said.iter().any(|s| s.message.contains("not found among")), "{core}: {said:?}");
    }

    let joined = rig.add_core().await.unwrap();
    dns.set(NAME, cores(&rig));
    converged(&rig).await;

    let gone = rig.member("core-1").unwrap().ip();
    dns.set(NAME, cores(&rig).into_iter().filter(|ip| *ip != gone));
    rig.remove("core-1").await.unwrap();
    converged(&rig).await;

    // A crash leaves the record, and so the row.
    rig.kill(&joined).await.unwrap();
    converged(&rig).await;

    rig.replace_all_cores().await.unwrap();
    dns.set(NAME, cores(&rig));
    converged(&rig).await;
    assert_eq!(rig.expected().len(), 2);
}

/// Whoever restarts with the modules of a disk that nobody pulls needs to know itself among the others: one of them loads, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_of_all_cores_one_unlocks() {
    // Over IPv6, where the machine has it.
    let dns = match DnsServer::start((Ipv6Addr::LOCALHOST, 0).into()).await {
        Ok(dns) => dns,
        Err(_) => dns().await,
    };
    let mut rig = Rig::start(by_name(dns.address())).await.unwrap();
    let names = rig.add(2, 0).await.unwrap();
    dns.set(NAME, cores(&rig));
    converged(&rig).await;
    for core in &names {
        for module in ["MYSQL USERS", "MYSQL SERVERS", "MYSQL QUERY RULES", "PROXYSQL SERVERS"] {
            let node = &rig.member(core).unwrap().node;
            node.query(&format!("SAVE {module} TO DISK")).await.unwrap();
        }
        rig.member_mut(core).unwrap().kill_node().await;
    }
    for core in &names {
        rig.member_mut(core).unwrap().restart_node(false).await.unwrap();
    }
    for module in ["mysql_users", "mysql_servers_v2", "mysql_query_rules"] {
        eventually(&format!("one core has loaded {module}"), async || {
            let mut versions = Vec::new();
            for core in &names {
                versions.push(rig.member(core).unwrap().node.checksums().await.unwrap()[module].version);
            }
            versions.sort_unstable();
            assert!(versions[0] == 1, "{module} was loaded on both: {versions:?}");
            versions == [1, 2]
        })
        .await;
    }
    converged(&rig).await;
}

/// What metrics and the status say of the search is the same, however the cores are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_fails_is_in_the_metrics() {
    let dns = dns().await;
    let mut rig = Rig::start(by_name(dns.address())).await.unwrap();
    rig.add(1, 1).await.unwrap();
    dns.set(NAME, cores(&rig));
    converged(&rig).await;
    let agent = rig.member("core-1").unwrap().agent.as_ref().unwrap();
    let metric = async |name: &str| Scrape::read(&agent.get("/metrics").await.unwrap().text().await.unwrap()).get(name);
    eventually("it works", async || metric("discovery_up").await == Some(1.0)).await;
    assert_eq!(metric("members_desired").await, Some(1.0));
    dns.fail(Fault::Code(2));
    eventually("it fails", async || metric("discovery_up").await == Some(0.0)).await;
    assert!(metric("discovery_restarts_total").await.is_some_and(|many| many >= 1.0));
    assert_eq!(metric("members_desired").await, None, "others may know better");
    assert_eq!(metric("members_listed").await, Some(1.0), "keeping the current members");
    dns.heal();
    eventually("it works again", async || metric("discovery_up").await == Some(1.0)).await;
}

/// Records of both kinds, an alias, more records than a datagram holds, and an answer in parts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_a_right_answer_is_followed() {
    if on_real_proxysql("every form of a right answer") {
        return;
    }
    let dns = dns().await;
    let mut rig = Rig::start(by_name(dns.address())).await.unwrap();
    rig.add_core().await.unwrap();
    let mut here = cores(&rig);
    dns.set(NAME, here.clone());
    lists(&rig, "itself", &here).await;

    here.extend(["fd00::1".parse::<IpAddr>().unwrap(), "fd00::2".parse().unwrap()]);
    dns.set(NAME, here.clone());
    lists(&rig, "both kinds", &here).await;
    here.remove(&"fd00::1".parse().unwrap());
    dns.set(NAME, here.clone());
    lists(&rig, "without one of IPv6", &here).await;

    dns.set("cores.elsewhere", here.clone());
    dns.alias(NAME, "cores.elsewhere");
    let another = rig.address().unwrap();
    here.insert(another);
    dns.set("cores.elsewhere", here.clone());
    lists(&rig, "an alias", &here).await;

    assert_eq!(dns.asked().tcp, 0);
    here.extend((0..60).map(|_| rig.address().unwrap()));
    dns.set("cores.elsewhere", here.clone());
    lists(&rig, "more than a datagram holds", &here).await;
    assert!(dns.asked().tcp > 0, "the answer came over UDP");
    let (own, all) = (rig.member("core-1").unwrap().ip(), here);
    let here: BTreeSet<IpAddr> = all.into_iter().take(4).chain([own, "fd00::2".parse().unwrap()]).collect();
    dns.set("cores.elsewhere", here.clone());
    lists(&rig, "few again", &here).await;

    // Three of five or six, another three each time.
    dns.fail_for(Kind::A, Fault::Part(3));
    let asked = dns.asked().udp;
    eventually("many answers in parts", async || dns.asked().udp > asked + 60).await;
    lists(&rig, "in parts", &here).await;
    let (mark, asked) = (embedded(rig.member("core-1").unwrap()).log().mark(), dns.asked().udp);
    eventually("many more", async || dns.asked().udp > asked + 60).await;
    let changes = crate::support::changes(rig.member("core-1").unwrap(), mark);
    assert!(changes.is_empty(), "answers in parts make the list come and go: {changes:?}");
    assert!(warnings(&rig, "core-1", 0).iter().all(|warning| !warning.contains("not found among")));
}

/// A core that is told its address goes by that, and one that cannot find itself says so, once, and keeps the list all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_that_is_not_among_the_members_says_so_once() {
    let dns = dns().await;
    let settings = by_name(dns.address()).env("AGENT_CORE_OWN_ADDRESS", "192.0.2.7");
    let mut rig = Rig::start(settings).await.unwrap();
    rig.add_core().await.unwrap();
    dns.set(NAME, cores(&rig));
    lists(&rig, "itself, unknowingly", &cores(&rig)).await;
    sleep(Duration::from_secs(1)).await;
    let said = warnings(&rig, "core-1", 0);
    assert_eq!(said.iter().filter(|warning| warning.contains("core.own_address")).count(), 1, "{said:?}");
    let mut both = cores(&rig);
    both.insert("192.0.2.7".parse().unwrap());
    dns.set(NAME, both);
    let agent = rig.member("core-1").unwrap().agent.as_ref().unwrap();
    eventually("it finds itself", async || {
        agent.said_since(0).iter().any(|saying| saying.message == "this core is among the members")
    })
    .await;
}
