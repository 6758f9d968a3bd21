//! A core that is walked through each of its decisions, under a paused clock.

mod fake;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, sleep_until};

use self::fake::{Fake, START};
use super::*;
use crate::domain::cluster::core_pod::{CorePod, PodOrigin};
use crate::domain::cluster::member::Member;
use crate::domain::cluster::rollout::RolloutState;
use crate::domain::counters::{Count, Guard};
use crate::domain::discovery::pods::Pods;
use crate::domain::proxysql::observation::Checksum;

const LIST: Module = Module::ProxysqlServers;
const RULES: Module = Module::MysqlQueryRules;

/// A core with its `ProxySQL`, and what discovery tells it.
struct Bench {
    proxysql: Fake,
    core: Core,
    own: String,
    pods: Pods,
    told: watch::Sender<Discovered>,
    recheck: Arc<Notify>,
}

/// The pod `core-N` at 10.0.0.N, made from the template `template` at N.
fn pod(n: u8, template: &str) -> CorePod {
    let origin = PodOrigin { hash: Some(template.to_owned()), created: i64::from(n), ..PodOrigin::default() };
    let address = format!("10.0.0.{n}").parse().ok();
    CorePod { name: format!("core-{n}"), address, running: true, terminating: false, origin }
}

fn members(of: &[u8]) -> Members {
    of.iter().map(|n| Member::of_pod(format!("10.0.0.{n}"), 6032, format!("core-{n}"))).collect()
}

fn bootstrap() -> Members {
    [Member { hostname: "proxysql-core".into(), port: 6032, weight: 0, comment: String::new() }].into()
}

fn sum(version: u64, epoch: i64, checksum: &str) -> Checksum {
    Checksum { version, epoch, checksum: checksum.into() }
}

impl Bench {
    /// The core of the pod `core-N`, whose `ProxySQL` has these rows at version 1.
    fn new(own: u8, rows: &Members) -> Self {
        let (sender, told) = watch::channel(Discovered::nothing());
        let recheck = Arc::new(Notify::new());
        let core = Core::new(Discovery { told, recheck: Arc::clone(&recheck) }, Publishing::default());
        let own = format!("core-{own}");
        let mut bench = Self { proxysql: Fake::new(rows), core, own, pods: Pods::default(), told: sender, recheck };
        bench.discovery(|_| {});
        bench
    }

    /// The core of the pod `core-N` of several that know of each other, with the right list.
    fn settled(own: u8, of: &[u8]) -> Self {
        let mut bench = Self::new(own, &members(of));
        bench.lists(of.iter().map(|n| pod(*n, "new")));
        bench.proxysql.world().has_list(&members(of), 2, START - 500);
        for n in of {
            bench.peer_has(*n, &[(LIST, None), (RULES, None)]);
        }
        bench
    }

    /// Discovery answers with these pods.
    fn lists(&mut self, pods: impl IntoIterator<Item = CorePod>) {
        self.discovery(|known| {
            known.begin_list();
            pods.into_iter().for_each(|pod| known.listed(pod));
            known.end_list();
        });
    }

    /// Discovery learns something of the pods, and tells of it.
    fn discovery(&mut self, change: impl FnOnce(&mut Pods)) {
        change(&mut self.pods);
        let discovered = self.pods.discovered(Some(&self.own), 6032);
        self.told.send_modify(|told| *told = discovered);
    }

    /// Whether discovery was asked to look anew; it answers with what it told before.
    async fn is_asked_to_look_again(&mut self) -> bool {
        let asked = tokio::time::timeout(Duration::ZERO, self.recheck.notified()).await.is_ok();
        if asked {
            let pods = self.pods.known().cloned().collect::<Vec<_>>();
            self.lists(pods);
        }
        asked
    }

    /// A peer has these modules; `None` is what this node has.
    fn peer_has(&self, n: u8, modules: &[(Module, Option<Checksum>)]) {
        let mut world = self.proxysql.world();
        let own = world.own.clone();
        let modules = modules.iter().map(|(module, sum)| (*module, sum.clone().unwrap_or_else(|| own[module].clone())));
        let modules: BTreeMap<Module, Checksum> = modules.collect();
        world.peers.entry(format!("10.0.0.{n}")).or_default().extend(modules);
    }

    async fn pass(&mut self) -> Next {
        self.core.round(&mut self.proxysql.clone()).await.unwrap()
    }

    /// Passes as the agent does them, for so many seconds: each when the last one wants it, or after ten seconds.
    async fn goes_on(&mut self, seconds: u64) {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let Next::At(at) = self.pass().await.min(Next::At(Instant::now() + Duration::from_secs(10))) else {
                return;
            };
            if at >= end {
                return sleep_until(end).await;
            }
            sleep_until(at).await;
        }
    }

    fn loads_of(&self, module: Module) -> Vec<i64> {
        let world = self.proxysql.world();
        world.loads.iter().filter(|(loaded, _)| *loaded == module).map(|(_, second)| second - START).collect()
    }

    fn runtime(&self) -> Members {
        self.proxysql.world().runtime.clone()
    }

    fn has_published(&self) -> bool {
        self.proxysql.world().published.contains(&RULES)
    }

    fn refusals(&self, guard: Guard) -> usize {
        self.proxysql.world().counts.iter().filter(|count| **count == Count::Refusal(guard)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn before_discovery_answers_nothing_is_listed_and_the_file_is_published_after_ten_seconds() {
    let mut bench = Bench::new(1, &bootstrap());
    bench.proxysql.world().published.remove(&RULES);
    bench.goes_on(9).await;
    assert!(!bench.has_published() && bench.core.report().rollout == Some(RolloutState::Undecided));
    bench.goes_on(15).await;
    assert!(bench.has_published());
    assert_eq!((bench.runtime(), bench.loads_of(LIST)), (bootstrap(), vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_first_list_replaces_the_bootstrap_row_in_one_load_and_then_all_is_still() {
    let mut bench = Bench::new(1, &bootstrap());
    bench.lists([pod(1, "new"), pod(2, "new")]);
    bench.pass().await;
    assert!(bench.is_asked_to_look_again().await, "the bootstrap row might be a list that another one has made");
    bench.pass().await;
    assert_eq!(bench.runtime(), members(&[1, 2]));
    bench.peer_has(2, &[(LIST, None)]);
    bench.goes_on(120).await;
    assert_eq!(bench.loads_of(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_removes_no_member_and_is_said_and_counted_once() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.pass().await;
    bench.lists([]);
    bench.goes_on(60).await;
    assert_eq!((bench.runtime(), bench.loads_of(LIST)), (members(&[1, 2]), vec![]));
    assert!(bench.core.report().held);
    assert_eq!(bench.refusals(Guard::EmptyList), 1);
    bench.lists([pod(1, "new"), pod(3, "new")]);
    bench.goes_on(5).await;
    assert!(!bench.core.report().held);
    assert_eq!(bench.runtime(), members(&[1, 3]));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_lacks_rows_loads_nothing() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.proxysql.world().torn = 1;
    bench.goes_on(30).await;
    assert!(bench.loads_of(LIST).is_empty());
    // Once the list was found right, even a look that lacks them twice is not believed: nothing was loaded since.
    bench.proxysql.world().torn = 9;
    bench.goes_on(100).await;
    assert!(bench.loads_of(LIST).is_empty() && bench.proxysql.world().torn == 0);
}

/// A member has loaded another list, which this node has synced.
fn syncs_another_list(bench: &Bench) {
    let mut world = bench.proxysql.world();
    let clock = world.clock();
    world.has_list(&members(&[1, 2, 3]), 3, clock);
    drop(world);
    bench.peer_has(2, &[(LIST, None)]);
}

#[tokio::test(start_paused = true)]
async fn a_list_synced_from_another_member_is_undone_only_after_discovery_has_answered_anew() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.goes_on(30).await;
    assert!(!bench.is_asked_to_look_again().await);
    syncs_another_list(&bench);
    bench.goes_on(30).await;
    assert_eq!((bench.runtime(), bench.loads_of(LIST)), (members(&[1, 2, 3]), vec![]), "the other one may know better");
    assert!(bench.is_asked_to_look_again().await);
    bench.goes_on(5).await;
    assert_eq!((bench.runtime(), bench.loads_of(LIST).len()), (members(&[1, 2]), 1));
}

#[tokio::test(start_paused = true)]
async fn a_list_synced_from_another_member_stays_while_discovery_fails() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.goes_on(30).await;
    bench.discovery(Pods::failed);
    syncs_another_list(&bench);
    bench.goes_on(300).await;
    assert_eq!((bench.runtime(), bench.loads_of(LIST)), (members(&[1, 2, 3]), vec![]));
    bench.lists([pod(1, "new"), pod(2, "new")]);
    bench.goes_on(5).await;
    assert!(bench.is_asked_to_look_again().await, "its answer may be older than that list");
    bench.goes_on(5).await;
    assert_eq!(bench.runtime(), members(&[1, 2]));
}

#[tokio::test(start_paused = true)]
async fn at_version_1_the_first_by_address_loads_once_and_the_next_only_if_that_one_does_not() {
    for (own, first, least) in [(1, true, 0), (2, false, 20)] {
        let mut bench = Bench::settled(own, &[1, 2]);
        bench.proxysql.world().has_list(&members(&[1, 2]), 1, START - 500);
        bench.proxysql.world().own.insert(RULES, sum(1, START - 500, "0xRULES"));
        for n in [1, 2] {
            bench.peer_has(n, &[(LIST, None), (RULES, None)]);
        }
        bench.goes_on(19).await;
        for module in [LIST, RULES] {
            assert_eq!(bench.loads_of(module).len(), usize::from(first), "{module} on core-{own}");
        }
        bench.goes_on(60).await;
        for module in [LIST, RULES] {
            assert!(matches!(bench.loads_of(module)[..], [at] if at >= least), "{module} on core-{own}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn at_version_1_what_a_peer_has_loaded_is_left_to_be_synced() {
    for theirs in ["0xRULES", "0xOTHER"] {
        let mut bench = Bench::settled(1, &[1, 2]);
        bench.proxysql.world().own.insert(RULES, sum(1, START - 500, "0xRULES"));
        bench.peer_has(2, &[(RULES, Some(sum(2, START - 400, theirs)))]);
        bench.goes_on(120).await;
        assert!(bench.loads_of(RULES).is_empty(), "{theirs}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_epoch_conflict_is_resolved_by_the_first_by_address_in_a_later_second() {
    for (own, other, loads) in [(1, 2, 1), (2, 1, 0)] {
        let mut bench = Bench::settled(own, &[1, 2]);
        bench.goes_on(30).await;
        let clock = bench.proxysql.world().clock();
        bench.proxysql.world().own.insert(RULES, sum(3, clock, "0xMINE"));
        bench.peer_has(other, &[(RULES, Some(sum(3, clock, "0xTHEIRS")))]);
        bench.goes_on(10).await;
        let seconds = bench.loads_of(RULES);
        assert_eq!(seconds.len(), loads, "core-{own}");
        assert!(seconds.iter().all(|second| START + second > clock), "{seconds:?}");
        bench.goes_on(60).await;
        assert_eq!(bench.loads_of(RULES).len(), loads, "core-{own}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_lists_of_the_same_second_the_right_one_is_loaded_again_once_discovery_has_answered() {
    let mut bench = Bench::settled(2, &[1, 2]);
    bench.goes_on(30).await;
    let clock = bench.proxysql.world().clock();
    bench.proxysql.world().has_list(&members(&[1, 2]), 3, clock);
    bench.peer_has(1, &[(LIST, Some(sum(3, clock, "0xANOTHER")))]);
    bench.goes_on(10).await;
    assert!(bench.loads_of(LIST).is_empty(), "it may be the other one that is right");
    assert!(bench.is_asked_to_look_again().await);
    bench.goes_on(15).await;
    assert_eq!(bench.loads_of(LIST).len(), 1, "it is not the first by address, but its list is the right one");
}

#[tokio::test(start_paused = true)]
async fn a_satellite_that_connects_gets_one_load_after_discovery_has_answered_anew() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.goes_on(30).await;
    bench.proxysql.world().followers = vec![4001];
    bench.goes_on(30).await;
    assert!(bench.loads_of(LIST).is_empty(), "what is loaded replaces every other list, so it has to be true");
    assert!(bench.is_asked_to_look_again().await);
    bench.goes_on(60).await;
    assert_eq!(bench.loads_of(LIST).len(), 1);
    assert_eq!(bench.proxysql.world().served, ["satellite 10.1.0.1 4001"]);
    // The next agent of this process knows of it.
    let next = Bench::settled(1, &[1, 2]);
    let mut next = Bench { proxysql: bench.proxysql.clone(), ..next };
    next.goes_on(60).await;
    assert_eq!(next.loads_of(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_core_of_an_older_revision_does_not_publish_and_says_why_when_it_is_asked_to() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.proxysql.world().published.remove(&RULES);
    bench.lists([pod(1, "old"), pod(2, "new")]);
    bench.goes_on(60).await;
    assert!(!bench.has_published());
    assert_eq!((bench.refusals(Guard::OlderGeneration), bench.core.report().unwilling), (1, None));
    bench.core.republish();
    bench.goes_on(20).await;
    assert!(!bench.has_published() && bench.core.report().unwilling.is_some_and(|why| why.contains("core-2")));
    // The newer one is gone: a roll back.
    bench.lists([pod(1, "old")]);
    bench.goes_on(60).await;
    assert!(bench.has_published() && bench.core.report().unwilling.is_none());
}

/// What was logged decides nothing: here there was nothing to publish, and so nothing to say of it, when the rollout was last known.
#[tokio::test(start_paused = true)]
async fn an_empty_answer_does_not_make_a_core_of_an_older_revision_publish() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.lists([pod(1, "old"), pod(2, "new")]);
    bench.goes_on(30).await;
    bench.lists([]);
    bench.pass().await;
    bench.proxysql.world().published.remove(&RULES);
    bench.goes_on(120).await;
    assert!(!bench.has_published());
    assert!(matches!(bench.core.report().rollout, Some(RolloutState::Older { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_core_of_the_newest_revision_publishes_once_those_of_older_ones_know_of_it_or_ten_seconds_later() {
    for is_known in [true, false] {
        let mut bench = Bench::settled(2, &[1, 2]);
        bench.proxysql.world().published.remove(&RULES);
        bench.lists([pod(1, "old"), pod(2, "new")]);
        if !is_known {
            bench.peer_has(1, &[(LIST, Some(sum(2, START - 400, "0xWITHOUT")))]);
        }
        bench.goes_on(5).await;
        assert_eq!(bench.has_published(), is_known);
        sleep(Duration::from_secs(6)).await;
        bench.goes_on(5).await;
        assert!(bench.has_published());
    }
}

#[tokio::test(start_paused = true)]
async fn a_core_that_may_be_outdated_does_not_publish_for_minutes() {
    let mut bench = Bench::settled(1, &[1, 2]);
    bench.goes_on(30).await;
    syncs_another_list(&bench);
    bench.proxysql.world().published.remove(&RULES);
    bench.discovery(Pods::failed);
    bench.goes_on(240).await;
    assert!(!bench.has_published());
    // It may be right after all.
    bench.goes_on(120).await;
    assert!(bench.has_published());
}
