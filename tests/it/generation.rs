//! In a rollout only the newest generation publishes: the fleet ends as the newest template says, and never goes back on the way.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use proxysql_fleet::node::Node;
use proxysql_fleet::rig::{Rig, Role, Settings};
use tokio::time::{Instant, sleep};

use crate::support::{PATIENCE, eventually, fleet, is_published, settings, settled};

const NAMESPACE: &str = "proxysql";
const OLD: &str = "5c9d8f7b6";
const NEW: &str = "7f6b5c4d3";

fn of(settings: &Settings, template: &str) -> Settings {
    let users = if template == OLD { "old" } else { "new" };
    Settings {
        template: template.to_owned(),
        configuration: settings.configuration.replace("username=\"report\"", &format!("username=\"{users}\"")),
        ..settings.clone()
    }
}

/// The owner's revisions, as a Deployment's controller counts them.
async fn revisions(rig: &Rig, old: i64, new: i64) {
    for (template, revision) in [(OLD, old), (NEW, new)] {
        let name = format!("proxysql-core-{template}");
        rig.kubernetes().set_revision(NAMESPACE, &name, revision).await.unwrap();
    }
}

async fn has(node: &Node, user: &str) -> bool {
    let rows = node.query("SELECT DISTINCT username FROM runtime_mysql_users").await.unwrap_or_default();
    rows.iter().any(|row| row[0].as_deref() == Some(user))
}

async fn all_have(rig: &Rig, user: &str, not: &str) {
    for member in rig.members().iter().filter(|member| member.alive) {
        let began = Instant::now();
        while !has(&member.node, user).await || has(&member.node, not).await {
            assert!(began.elapsed() < PATIENCE, "{} has not {user} without {not}\n{}", member.name, story(rig));
            sleep(Duration::from_millis(20)).await;
        }
    }
    rig.converged(PATIENCE).await.unwrap_or_else(|report| panic!("{report}\n{}", story(rig)));
}

/// Everything that the agents said, in the order of time.
fn story(rig: &Rig) -> String {
    let mut lines = Vec::new();
    for member in rig.members() {
        let said = member.agent.as_ref().map(|agent| agent.said_since(0)).unwrap_or_default();
        lines.extend(said.into_iter().map(|line| (line.at, format!("{}: {line}", member.name))));
    }
    lines.sort();
    let began = lines.first().map(|(at, _)| *at);
    lines.into_iter().fold(String::new(), |mut text, (at, line)| {
        let after = began.and_then(|began| at.duration_since(began).ok()).unwrap_or_default();
        let _ = writeln!(text, "{:8.3} {line}", after.as_secs_f64());
        text
    })
}

/// A sequence that is the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// What was seen of a satellite: nothing yet, that it turned, that it turned back.
const TURNED: u8 = 1;
const REVERTED: u8 = 2;

/// Watches a satellite: once it turned, it must not turn back.
#[expect(clippy::disallowed_methods, reason = "the test holds the handle, and ends the task")]
fn watch(node: std::net::SocketAddr) -> (Arc<AtomicU8>, tokio::task::JoinHandle<()>) {
    let seen = Arc::new(AtomicU8::new(0));
    let told = Arc::clone(&seen);
    let task = tokio::spawn(async move {
        loop {
            if let Ok(mut client) = proxysql_fleet::client::Client::connect(node, "observer", "observer").await {
                while let Ok(rows) = client.rows("SELECT DISTINCT username FROM runtime_mysql_users").await {
                    let new = rows.iter().any(|row| row[0].as_deref() == Some("new"));
                    let old = rows.iter().any(|row| row[0].as_deref() == Some("old"));
                    if new && !old {
                        told.fetch_max(TURNED, Ordering::SeqCst);
                    }
                    if old && told.load(Ordering::SeqCst) >= TURNED {
                        told.store(REVERTED, Ordering::SeqCst);
                    }
                    sleep(Duration::from_millis(20)).await;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    (seen, task)
}

/// Three cores from OLD to NEW, one by one, in an order and with incidents that the seed decides.
async fn roll(seed: u64, recreate_old: bool) {
    let base = settings();
    let mut dice = Dice(seed);
    let mut rig = fleet(of(&base, OLD), 3, 1).await;
    revisions(&rig, 1, 2).await;
    all_have(&rig, "old", "new").await;
    let (seen, watching) = watch(rig.member("satellite-1").unwrap().node.spec().admin());
    let mut old = rig.names(Role::Core);
    let mut recreated = false;
    while !old.is_empty() {
        let at = usize::try_from(dice.roll(old.len() as u64)).unwrap();
        let leaving = old.remove(at);
        let surge = dice.roll(2) == 0;
        if !surge {
            rig.remove(&leaving).await.unwrap();
        }
        *rig.settings() = of(&base, NEW);
        rig.add_core().await.unwrap();
        if surge {
            rig.remove(&leaving).await.unwrap();
        }
        for _ in 0..dice.roll(3) {
            let cores = rig.names(Role::Core);
            let name = &cores[usize::try_from(dice.roll(cores.len() as u64)).unwrap()];
            rig.restart_agent(name).await.unwrap();
        }
        if recreate_old && !recreated && !old.is_empty() {
            // It comes back from the older template, as the youngest of all.
            recreated = true;
            let gone = old.remove(0);
            rig.remove(&gone).await.unwrap();
            *rig.settings() = of(&base, OLD);
            old.push(rig.add_core().await.unwrap());
        }
    }
    all_have(&rig, "new", "old").await;
    // The watch has looked since.
    eventually("the satellite was seen to turn", async || seen.load(Ordering::SeqCst) >= TURNED).await;
    watching.abort();
    drop(watching.await);
    assert_eq!(seen.load(Ordering::SeqCst), TURNED, "the satellite went back to OLD\n{}", story(&rig));
}

/// Which orders: three, or as many as `ROLLOUT_SEEDS` says, be it a number (fifty is the long run) or a range such as `7..8`.
fn seeds() -> Range<u64> {
    let wanted = std::env::var("ROLLOUT_SEEDS").unwrap_or_else(|_| "3".to_owned());
    let (from, to) = wanted.split_once("..").unwrap_or(("0", &wanted));
    from.parse().unwrap()..to.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_ends_new_and_never_goes_back() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        roll(seed, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_core_that_comes_back_in_the_middle_reverts_nothing() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        roll(100 + seed, true).await;
    }
}

/// The agent of an old core stands still from before the rollout until after it, and has a module to publish when it wakes up: it has
/// to hear the news before it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_core_that_slept_through_the_rollout_reverts_nothing() {
    for cores in [1, 2] {
        let base = settings();
        let mut rig = fleet(of(&base, OLD), cores, 1).await;
        revisions(&rig, 1, 2).await;
        settled(&rig).await;
        rig.member_mut("core-1").unwrap().agent.as_mut().unwrap().process.freeze(true);
        let asleep = &rig.member("core-1").unwrap().node;
        asleep.query("DROP TABLE main.proxysql_agent_published_mysql_users").await.unwrap();
        *rig.settings() = of(&base, NEW);
        let newest = rig.add_core().await.unwrap();
        let newest = &rig.member(&newest).unwrap().node;
        eventually("the new core has published", async || is_published(newest).await).await;
        let (seen, watching) = watch(newest.spec().admin());
        eventually("it is watched", async || seen.load(Ordering::SeqCst) == TURNED).await;
        rig.member_mut("core-1").unwrap().agent.as_mut().unwrap().process.freeze(false);
        let agent = || rig.member("core-1").unwrap().agent.as_ref().unwrap().said_since(0);
        let hears =
            async || agent().iter().any(|line| line.to_string().contains("another pod has a newer rollout revision"));
        eventually("the old one says that it waits", hears).await;
        all_have(&rig, "new", "old").await;
        watching.abort();
        drop(watching.await);
        assert_eq!(seen.load(Ordering::SeqCst), TURNED, "the new core went back to OLD\n{}", story(&rig));
    }
}

/// The agent of an old core does not hear of pods any more, and has a module to publish. Its node lists the new core, because another
/// core's agent did: there is something that it does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_core_that_hears_nothing_of_the_rollout_reverts_nothing() {
    let base = Settings { scripted_api: true, ..settings() };
    let mut rig = fleet(of(&base, OLD), 2, 1).await;
    revisions(&rig, 1, 2).await;
    settled(&rig).await;
    rig.kubernetes().embedded().unwrap().strand_watches();
    *rig.settings() = of(&base, OLD);
    rig.restart_agent("core-2").await.unwrap();
    *rig.settings() = of(&base, NEW);
    rig.add_core().await.unwrap();
    let satellite = &rig.member("satellite-1").unwrap().node;
    let (seen, watching) = watch(satellite.spec().admin());
    eventually("the satellite has turned", async || seen.load(Ordering::SeqCst) == TURNED).await;
    let deaf = &rig.member("core-1").unwrap().node;
    eventually("the deaf one has the new content, too", async || has(deaf, "new").await).await;
    for _ in 0..10 {
        deaf.query("DROP TABLE IF EXISTS main.proxysql_agent_published_mysql_users").await.unwrap();
        sleep(Duration::from_millis(700)).await;
    }
    watching.abort();
    drop(watching.await);
    assert_eq!(seen.load(Ordering::SeqCst), TURNED, "the satellite went back to OLD\n{}", story(&rig));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_back_ends_old() {
    let base = settings();
    let mut rig = fleet(of(&base, NEW), 2, 1).await;
    revisions(&rig, 1, 2).await;
    all_have(&rig, "new", "old").await;
    // The template is an old one, its revision the highest.
    revisions(&rig, 3, 2).await;
    for core in rig.names(Role::Core) {
        *rig.settings() = of(&base, OLD);
        rig.add_core().await.unwrap();
        rig.remove(&core).await.unwrap();
    }
    all_have(&rig, "old", "new").await;
}

/// Where revisions may not be read, the template of the youngest pod decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_revisions_the_youngest_template_publishes_and_the_older_waits() {
    let base = settings();
    let mut rig = fleet(of(&base, OLD), 2, 1).await;
    *rig.settings() = of(&base, NEW);
    let newest = rig.add_core().await.unwrap();
    all_have(&rig, "new", "old").await;
    // An old one whose ProxySQL begins anew has its old file, and does not publish it.
    rig.member_mut("core-1").unwrap().restart_node(true).await.unwrap();
    let agent = || rig.member("core-1").unwrap().agent.as_ref().unwrap().said_since(0);
    eventually("the older one says that it waits", async || {
        agent().iter().any(|line| {
            line.to_string().contains("another pod has a newer rollout revision") && line.to_string().contains(&newest)
        })
    })
    .await;
    all_have(&rig, "new", "old").await;
    // That it has the newer configuration is meant; that it does not publish is told to whoever asks it to.
    let warned = |words: &str| {
        let said = rig.member("core-1").unwrap().agent.as_ref().unwrap().said_since(0);
        said.iter().any(|line| line.level == "WARN" && line.to_string().contains(words))
    };
    sleep(Duration::from_secs(3)).await;
    assert!(!warned("not_as_published"), "{}", story(&rig));
    let agent = rig.member("core-1").unwrap().agent.as_ref().unwrap();
    let answer = crate::life::call(agent.api(), "POST", "/reload", &[]).await;
    assert_eq!(answer.code, 202);
    eventually("it says that it does not publish", async || {
        warned("publish requested, but this core does not publish")
            && agent.get("/status").await.unwrap().text().await.unwrap().contains("is not published as asked")
    })
    .await;
    let lines = agent.process.log().lines();
    let empty: Vec<_> = lines.iter().filter(|line| line.text.contains(":\"\"")).collect();
    assert!(empty.is_empty(), "{empty:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_without_a_pod_of_its_own_publishes_and_warns() {
    let settings = settings().env("POD_NAME", "nobody");
    let rig = fleet(settings, 1, 0).await;
    let node = &rig.members()[0].node;
    eventually("the file is published", async || {
        node.checksums().await.unwrap().iter().all(|(name, sum)| name == "mysql_servers" || sum.version > 1)
    })
    .await;
    let said = rig.members()[0].agent.as_ref().unwrap().said_since(0);
    assert!(said.iter().any(|line| line.level == "WARN" && line.to_string().contains("own pod not found")));
}
