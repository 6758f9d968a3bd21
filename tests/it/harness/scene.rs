//! One core with its agent, in a namespace whose other cores are pods at addresses where nobody is: for trouble between this one
//! agent and a neighbour.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use proxysql_fleet::kubernetes::PodSpec;
use proxysql_fleet::node::{Layer, Node, Row};
use proxysql_fleet::proxysql::{Embedded, Entry};
use proxysql_fleet::rig::{AgentProcess, Rig, Saying, Settings};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{PATIENCE, embedded, is_published, settings};

const NAMESPACE: &str = "proxysql";
const CORE: &str = "core-1";
/// The pods that are there from the start, besides the core's own.
const OTHERS: [&str; 2] = ["core-a", "core-b"];
/// How often a round is due.
const INTERVAL: Duration = Duration::from_millis(200);

/// Short intervals and short bounds.
pub(crate) fn impatient() -> Settings {
    settings()
        .env("AGENT_CORE_INTERVAL", INTERVAL.as_secs_f32().to_string())
        .env("AGENT_PROXYSQL_CONNECT_TIMEOUT", "0.6")
        .env("AGENT_PROXYSQL_STATEMENT_TIMEOUT", "0.6")
        .env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "0")
        .env("AGENT_SHUTDOWN_DRAIN_TIMEOUT", "1")
        .env("AGENT_SHUTDOWN_SHUTDOWN_TIMEOUT", "6")
}

pub(crate) struct Scene {
    /// For messages.
    what: String,
    pub(crate) rig: Rig,
    others: BTreeMap<String, IpAddr>,
    /// What the agent had said when the trouble began.
    mark: u64,
}

impl Scene {
    /// Everything is there and right.
    pub(crate) async fn start(what: &str, settings: Settings) -> Self {
        let mut rig = Rig::start(settings).await.unwrap();
        assert_eq!(rig.add_core().await.unwrap(), CORE);
        let mut scene = Self { what: what.to_owned(), rig, others: BTreeMap::new(), mark: 0 };
        for name in OTHERS {
            scene.comes(name).await;
        }
        scene.converges().await;
        // Whoever is not there was waited for, and every module was found to be in effect.
        scene.until("every module is published", async || is_published(scene.node()).await).await;
        scene
    }

    pub(crate) async fn comes(&mut self, name: &str) {
        let ip = self.rig.address().unwrap();
        let pod = PodSpec::new(NAMESPACE, name).label("app", "proxysql").label("component", "core").ip(ip);
        // Of the same template as the one that there is: a younger one would be the one to publish.
        let pod = pod.of_deployment("proxysql-core", "6b7f9c4d5");
        self.rig.kubernetes().put(pod).await.unwrap();
        self.others.insert(name.to_owned(), ip);
    }

    pub(crate) async fn goes(&mut self, name: &str) {
        self.rig.kubernetes().delete(NAMESPACE, name).await.unwrap();
        self.others.remove(name).unwrap();
    }

    /// One pod goes and another comes.
    pub(crate) async fn changes(&mut self) {
        let gone = self.others.keys().next().unwrap().clone();
        self.goes(&gone).await;
        self.comes(&format!("{gone}x")).await;
    }

    /// The rows that the pods make.
    pub(crate) fn expected(&self) -> BTreeSet<Row> {
        let (port, weight) = (self.rig.admin_port(), 0);
        let others = self.others.iter();
        let others = others.map(|(name, ip)| Row { hostname: ip.to_string(), port, weight, comment: name.clone() });
        self.rig.expected().into_iter().chain(others).collect()
    }

    /// The rows in effect; `None` where ProxySQL does not say.
    pub(crate) async fn listed(&self) -> Option<BTreeSet<Row>> {
        timeout(Duration::from_secs(2), self.node().members(Layer::Runtime)).await.ok()?.ok()
    }

    /// Waits until the rows in effect are those that the pods make; answers how long it took.
    pub(crate) async fn converges(&self) -> Duration {
        let (began, expected) = (Instant::now(), self.expected());
        self.until("the list is what the pods make", async || self.listed().await.as_ref() == Some(&expected)).await;
        began.elapsed()
    }

    /// Waits until a condition holds. The agent must live all the while.
    pub(crate) async fn until(&self, condition: &str, mut holds: impl AsyncFnMut() -> bool) {
        let began = Instant::now();
        while !holds().await {
            let waited = began.elapsed();
            assert!(waited < PATIENCE, "{}: not within {PATIENCE:?}: {condition}\n{}", self.what, self.story());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the agent has done so many rounds more. On a real ProxySQL, which keeps no log, as long as they take.
    pub(crate) async fn rounds(&self, rounds: usize) {
        let Node::Embedded(node) = self.node() else {
            return sleep(INTERVAL * u32::try_from(rounds).unwrap()).await;
        };
        let mark = node.log().mark();
        let observations =
            || node.log().of("radmin", mark).iter().filter(|e| e.sql.starts_with("SELECT 'clock'")).count();
        self.until("rounds go on", async || observations() > rounds).await;
    }

    /// From here on [`Self::said`], [`Self::tries`] and the like count.
    pub(crate) fn mark(&mut self) {
        self.mark = self.agent().process.log().mark();
    }

    /// What the agent said since the mark.
    pub(crate) fn said(&self) -> Vec<Saying> {
        self.agent().said_since(self.mark)
    }

    /// What it warned of since the mark.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let said = self.said().into_iter().filter(|s| s.level == "WARN" || s.level == "ERROR");
        said.map(|saying| saying.to_string()).collect()
    }

    /// Waits until it warned of something with these words.
    pub(crate) async fn warned(&self, words: &str) {
        let heard = || self.warnings().iter().any(|warning| warning.contains(words));
        self.until(&format!("a warning with {words:?}"), async || heard()).await;
    }

    /// How often since the mark it tried ProxySQL in vain; where the log has everything.
    pub(crate) fn tries(&self) -> usize {
        self.said().iter().filter(|saying| saying.message.starts_with("reconcile failed")).count()
    }

    /// Waits until it has tried in vain so often since the mark.
    pub(crate) async fn tried(&self, times: usize) {
        self.until(&format!("{times} tries"), async || self.tries() >= times).await;
    }

    /// Every warning since the mark was given once, and there are not many.
    pub(crate) fn said_once(&self, most: usize) {
        let warnings = self.warnings();
        let different: BTreeSet<&String> = warnings.iter().collect();
        assert!(different.len() == warnings.len() && warnings.len() <= most, "{}: {}", self.what, warnings.join("\n"));
    }

    pub(crate) fn agent(&self) -> &AgentProcess {
        self.rig.member(CORE).unwrap().agent.as_ref().unwrap()
    }

    pub(crate) fn agent_mut(&mut self) -> &mut AgentProcess {
        self.rig.member_mut(CORE).unwrap().agent.as_mut().unwrap()
    }

    pub(crate) fn node(&self) -> &Node {
        &self.rig.member(CORE).unwrap().node
    }

    /// The stand-in, to script and to count on.
    pub(crate) fn script(&self) -> &Embedded {
        embedded(self.rig.member(CORE).unwrap())
    }

    /// What the agent sent since a mark of the stand-in's log that changes anything; nothing is known of a real ProxySQL.
    pub(crate) fn changed_since(&self, mark: u64) -> Vec<Entry> {
        self.node().embedded().map(|node| node.log().changes("radmin", mark)).unwrap_or_default()
    }

    /// Where the stand-in's log is.
    pub(crate) fn log_mark(&self) -> u64 {
        self.node().embedded().map_or(0, |node| node.log().mark())
    }

    pub(crate) async fn kill_proxysql(&mut self) {
        self.rig.member_mut(CORE).unwrap().kill_node().await;
    }

    pub(crate) async fn restart_proxysql(&mut self, fresh: bool) {
        self.rig.member_mut(CORE).unwrap().restart_node(fresh).await.unwrap();
    }

    pub(crate) async fn restart_agent(&mut self) {
        self.rig.restart_agent(CORE).await.unwrap();
        self.mark = 0;
    }

    /// Bytes that the agent holds in memory.
    pub(crate) fn resident(&self) -> u64 {
        self.agent().process.memory().unwrap().resident
    }

    /// For the figures of a run.
    pub(crate) fn note(&self, what: impl std::fmt::Display) {
        eprintln!("{}: {what}", self.what);
    }

    fn story(&self) -> String {
        let lines = self.agent().process.log().lines();
        let texts = lines.iter().skip(lines.len().saturating_sub(12)).map(|line| line.text.as_str());
        texts.collect::<Vec<_>>().join("\n")
    }
}
