//! Trouble with the DNS: whatever it says or does not say, it removes nobody, is said once, and is made up for when it is over.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use proxysql_fleet::dns::{DnsServer, Fault, Kind, free_port};
use proxysql_fleet::node::Layer;
use proxysql_fleet::rig::{Rig, Settings};

use super::{NAME, by_name, cores, dns, lists, rows, warnings};
use crate::support::{changes, embedded, eventually};

/// A way in which the DNS can be wrong.
struct Trouble {
    name: &'static str,
    fault: Fault,
    /// What the warning must tell.
    says: &'static str,
}

/// Answers that say at once that they are of no use.
const WRONG: [Trouble; 8] = [
    Trouble { name: "SERVFAIL", fault: Fault::Code(2), says: "SERVFAIL" },
    Trouble { name: "NXDOMAIN", fault: Fault::Code(3), says: "NXDOMAIN" },
    Trouble { name: "REFUSED", fault: Fault::Code(5), says: "REFUSED" },
    Trouble { name: "a code that nobody knows", fault: Fault::Code(13), says: "answers" },
    Trouble { name: "an empty answer", fault: Fault::Empty, says: "A: no record; AAAA: no record" },
    Trouble { name: "a broken answer", fault: Fault::Broken, says: "cannot be parsed" },
    Trouble { name: "cut short for ever", fault: Fault::AlwaysCutShort, says: "truncates its answer" },
    Trouble { name: "nowhere", fault: Fault::Nowhere, says: "unusable address" },
];

/// Answers that do not come, or are none.
const MISSING: [Trouble; 6] = [
    Trouble { name: "silence", fault: Fault::Silent, says: "does not answer within 2 s" },
    Trouble { name: "late", fault: Fault::Late(Duration::from_secs(3)), says: "does not answer within 2 s" },
    Trouble { name: "garbage", fault: Fault::Garbage, says: "a mismatched response" },
    Trouble { name: "a wrong number", fault: Fault::WrongId, says: "a mismatched response" },
    Trouble { name: "a wrong name", fault: Fault::WrongName, says: "a mismatched response" },
    Trouble { name: "cut short, no TCP", fault: Fault::OnlyCutShort, says: "over TCP closed the connection" },
];

/// One core with its agent; the other cores are addresses where nobody is.
struct Scene {
    name: &'static str,
    rig: Rig,
    dns: DnsServer,
    here: BTreeSet<IpAddr>,
}

impl Scene {
    async fn start(name: &'static str) -> Self {
        let dns = dns().await;
        let mut rig = Rig::start(scripted(by_name(dns.address()))).await.unwrap();
        // From the start, so that no trouble was said before it is made.
        let mut here = BTreeSet::from([rig.address().unwrap(), "fd00::1".parse().unwrap()]);
        dns.set(NAME, here.clone());
        rig.add_core().await.unwrap();
        here.extend(cores(&rig));
        dns.set(NAME, here.clone());
        let scene = Self { name, rig, dns, here };
        scene.lists().await;
        scene
    }

    async fn lists(&self) {
        lists(&self.rig, self.name, &self.here).await;
    }

    /// One goes and another comes.
    fn changes(&mut self) {
        let own = self.rig.member("core-1").unwrap().ip();
        let gone = self.here.iter().copied().find(|ip| *ip != own).unwrap();
        self.here.remove(&gone);
        self.here.insert(self.rig.address().unwrap());
        self.dns.set(NAME, self.here.clone());
    }

    fn mark(&self) -> u64 {
        self.rig.member("core-1").unwrap().agent.as_ref().unwrap().process.log().mark()
    }

    /// What it said about the name.
    fn warnings(&self, mark: u64) -> Vec<String> {
        let mut all = warnings(&self.rig, "core-1", mark);
        all.retain(|warning| warning.contains(NAME));
        all
    }

    async fn warned(&self, mark: u64, words: &str) {
        eventually(&format!("{}: a warning with {words:?}", self.name), async || {
            self.warnings(mark).iter().any(|warning| warning.contains(words))
        })
        .await;
    }

    /// Waits until the metric says whether the search works.
    async fn is_up(&self, works: bool) {
        let (agent, line) = (
            self.rig.member("core-1").unwrap().agent.as_ref().unwrap(),
            format!("\nproxysql_agent_discovery_up {}.0\n", u8::from(works)),
        );
        eventually(&format!("{}: {line}", self.name), async || {
            let Ok(reply) = agent.get("/metrics").await else { return false };
            reply.text().await.is_ok_and(|text| text.contains(&line))
        })
        .await;
    }

    async fn asked(&self, times: u64) {
        let before = self.dns.asked().udp;
        eventually(&format!("{}: {times} more questions", self.name), async || self.dns.asked().udp >= before + times)
            .await;
    }
}

fn scripted(mut settings: Settings) -> Settings {
    settings.scripted_proxysql = true;
    settings.scripted_api = true;
    settings
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_answers_remove_nobody_and_are_said_once() {
    join_all(WRONG.iter().map(wrong_answer)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_answers_remove_nobody_and_are_said_once() {
    join_all(MISSING.iter().map(wrong_answer)).await;
}

async fn wrong_answer(trouble: &Trouble) {
    let mut scene = Scene::start(trouble.name).await;
    let before = rows(&scene.rig, scene.here.iter().copied());
    let (mark, log) = (scene.mark(), embedded(scene.rig.member("core-1").unwrap()).log().mark());
    scene.dns.fail(trouble.fault);
    scene.changes();
    scene.warned(mark, trouble.says).await;
    scene.asked(8).await;
    let member = scene.rig.member("core-1").unwrap();
    assert_eq!(member.node.members(Layer::Runtime).await.unwrap(), before, "{}", trouble.name);
    let list = |sql: &str| sql.to_lowercase().replace(' ', "_").contains("proxysql_servers");
    let changed: Vec<String> =
        changes(member, log).into_iter().map(|entry| entry.sql).filter(|sql| list(sql)).collect();
    assert!(changed.is_empty(), "{}: {changed:#?}", trouble.name);
    scene.is_up(false).await;
    let said = scene.warnings(mark);
    // Questions under way when it began may have gone well for one kind of record.
    assert!(said.len() <= 2 && said.iter().collect::<BTreeSet<_>>().len() == said.len(), "{}: {said:#?}", trouble.name);

    scene.dns.heal();
    scene.lists().await;
    let agent = scene.rig.member("core-1").unwrap().agent.as_ref().unwrap();
    eventually("it says that it is over", async || {
        agent.said_since(mark).iter().any(|saying| saying.message == "DNS lookup succeeded again")
    })
    .await;
    scene.is_up(true).await;
}

/// One kind of record fails and the other is right: this one is followed, and the other one's members stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_answer_is_half_believed() {
    join_all([Fault::Code(2), Fault::Code(3), Fault::Silent, Fault::Broken].map(half)).await;
}

async fn half(fault: Fault) {
    let mut scene = Scene::start("half an answer").await;
    let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
    let mark = scene.mark();
    scene.dns.fail_for(Kind::Aaaa, fault);
    // The name says that IPv6 moves, too, but that is not heard.
    let mut told = scene.here.clone();
    told.remove(&v6("fd00::1"));
    told.insert(v6("fd00::2"));
    let came = scene.rig.address().unwrap();
    let own = scene.rig.member("core-1").unwrap().ip();
    told.retain(|ip| ip.is_ipv6() || *ip == own);
    told.insert(came);
    scene.dns.set(NAME, told.clone());
    scene.here = [own, came, v6("fd00::1")].into();
    scene.lists().await;
    scene.warned(mark, "AAAA: ").await;
    scene.asked(6).await;
    scene.lists().await;
    let said = scene.warnings(mark);
    assert_eq!(said.len(), 1, "{fault:?}: {said:#?}");

    // An agent that has only half an answer so far does not take the other half out of the list.
    scene.rig.restart_agent("core-1").await.unwrap();
    scene.warned(0, "until all record types of core.dns_records resolve").await;
    scene.asked(6).await;
    scene.lists().await;
    scene.dns.heal();
    scene.here = told;
    scene.lists().await;
}

/// The agent is first and the DNS comes late: the core serves and publishes meanwhile, and asks no more often than it should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_late_is_waited_for() {
    let address = free_port().await.unwrap();
    let mut rig = Rig::start(scripted(by_name(address))).await.unwrap();
    rig.add_core().await.unwrap();
    eventually("a warning", async || {
        warnings(&rig, "core-1", 0).iter().any(|warning| warning.contains("refuses connections"))
    })
    .await;
    let node = &rig.member("core-1").unwrap().node;
    eventually("the file is published", async || {
        node.checksums().await.is_ok_and(|sums| sums["mysql_users"].version > 1)
    })
    .await;
    let said = warnings(&rig, "core-1", 0);
    assert!(!said.iter().any(|warning| warning.contains("publishing without a rollout check")), "{said:#?}");

    let dns = DnsServer::start(address).await.unwrap();
    dns.set(NAME, cores(&rig));
    lists(&rig, "after all", &cores(&rig)).await;
    assert_eq!(warnings(&rig, "core-1", 0).iter().filter(|w| w.contains("DNS lookup failed")).count(), 1);
}
