//! Trouble with the API server: whatever it says or does not say, it removes nobody, is said once, and is made up for when it is over.

use std::time::Duration;

use futures_util::future::join_all;
use proxysql_fleet::kubernetes::{Fault, KubeApi, PodApi, Scope};
use tokio::time::Instant;

use crate::scene::{Scene, impatient};

/// After this long at most a try follows the last: the longest pause, with its jitter, and time for a slow machine.
const ONE_RELIST: Duration = Duration::from_secs(20);

/// A way in which the API server can be wrong.
struct Trouble {
    name: &'static str,
    faults: &'static [(Scope, Fault)],
    /// What the warning must tell.
    says: &'static str,
}

const TROUBLES: [Trouble; 7] = [
    Trouble { name: "403", faults: &[(Scope::All, Fault::Status(403))], says: "forbidden" },
    Trouble { name: "401", faults: &[(Scope::All, Fault::Status(401))], says: "Unauthorized" },
    Trouble { name: "410", faults: &[(Scope::All, Fault::Expired)], says: "too old" },
    Trouble { name: "500", faults: &[(Scope::All, Fault::Status(500))], says: "etcdserver: leader changed" },
    Trouble { name: "503", faults: &[(Scope::All, Fault::Status(503))], says: "shutting down" },
    Trouble { name: "garbage", faults: &[(Scope::All, Fault::Garbage)], says: "expected value" },
    // A watch that cannot go on is followed by a list.
    Trouble {
        name: "an empty list",
        faults: &[(Scope::Lists, Fault::Empty), (Scope::Watches, Fault::Expired)],
        says: "discovery found no running core pod",
    },
];

/// The stand-in's script makes it, whatever else is real.
async fn scripted(what: &str) -> Scene {
    let mut settings = impatient();
    settings.scripted_api = true;
    Scene::start(what, settings).await
}

fn api(scene: &Scene) -> &PodApi {
    scene.rig.kubernetes().embedded().unwrap()
}

fn requests(scene: &Scene) -> u64 {
    let traffic = api(scene).traffic();
    traffic.lists + traffic.watches
}

/// Waits until the agent has asked so often more.
async fn asked(scene: &Scene, times: u64) {
    let before = requests(scene);
    scene.until(&format!("{times} more requests"), async || requests(scene) >= before + times).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_answers_remove_nobody_and_are_said_once() {
    tokio::join!(join_all(TROUBLES.map(wrong_answer)), watches_that_do_not_last());
}

async fn wrong_answer(trouble: Trouble) {
    let mut scene = scripted(trouble.name).await;
    let (before, log) = (scene.expected(), scene.log_mark());
    scene.mark();
    for (scope, fault) in trouble.faults {
        api(&scene).fail(*scope, fault);
    }
    api(&scene).cut_watches();
    scene.changes().await;
    scene.warned(trouble.says).await;
    asked(&scene, 4).await;
    scene.rounds(10).await;
    assert_eq!(scene.listed().await, Some(before), "{}", trouble.name);
    assert!(scene.changed_since(log).is_empty(), "{}: {:?}", trouble.name, scene.changed_since(log));
    // The connection that broke off, and what came after it.
    scene.said_once(3);

    api(&scene).heal().await;
    let took = scene.converges().await;
    assert!(took < ONE_RELIST, "{}: {took:?}", trouble.name);
    scene.note(format_args!(
        "{} requests, {} warnings, converged after {took:?}",
        requests(&scene),
        scene.warnings().len()
    ));
}

/// Lists work and each watch ends soon: with an error in the stream, or without a word. Pods are followed all the while.
async fn watches_that_do_not_last() {
    let expire = |api: &PodApi| {
        api.fail(Scope::Watches, &Fault::Expired);
        api.cut_watches();
    };
    let cut = |api: &PodApi| {
        api.cut_watches_every(Duration::from_millis(100));
        api.cut_watches();
    };
    tokio::join!(keeps_up("watches expire", expire), keeps_up("watches are cut", cut));
}

async fn keeps_up(what: &str, begin: impl Fn(&PodApi)) {
    let mut scene = scripted(what).await;
    scene.mark();
    begin(api(&scene));
    let before = requests(&scene);
    for _ in 0..3 {
        scene.changes().await;
        scene.converges().await;
    }
    asked(&scene, 10).await;
    scene.said_once(2);
    scene.note(format_args!("{} requests, {} warnings", requests(&scene) - before, scene.warnings().len()));
}

/// Nothing tells silence from a quiet day but time: the agent renews its watch each minute, and waits fifteen seconds for a list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_removes_nobody_and_is_noticed() {
    tokio::join!(stranded_watch(), mute_list());
}

async fn stranded_watch() {
    let mut scene = scripted("a stranded watch").await;
    let (before, began) = (scene.expected(), Instant::now());
    scene.mark();
    api(&scene).strand_watches();
    scene.changes().await;
    scene.rounds(10).await;
    assert_eq!(scene.listed().await, Some(before));
    let watches = api(&scene).traffic().watches;
    let renewed = || api(&scene).traffic().watches > watches;
    while !renewed() {
        assert!(began.elapsed() < Duration::from_mins(2), "the watch is not renewed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let noticed = began.elapsed();
    let took = scene.converges().await;
    scene.said_once(1);
    scene.note(format_args!("noticed after {noticed:?}, converged {took:?} later"));
}

async fn mute_list() {
    let mut scene = scripted("a mute list").await;
    let (before, log) = (scene.expected(), scene.log_mark());
    scene.mark();
    api(&scene).fail(Scope::Lists, &Fault::Hang);
    api(&scene).fail(Scope::Watches, &Fault::Expired);
    api(&scene).cut_watches();
    scene.changes().await;
    scene.warned("no answer to a list within").await;
    let lists = api(&scene).traffic().lists;
    scene.until("a different member list", async || api(&scene).traffic().lists > lists).await;
    assert_eq!(scene.listed().await, Some(before));
    assert!(scene.changed_since(log).is_empty());
    scene.said_once(3);
    api(&scene).heal().await;
    let took = scene.converges().await;
    assert!(took < ONE_RELIST, "{took:?}");
    scene.note(format_args!("converged after {took:?}"));
}

/// What a real API server can be made to do as well: be gone, stop in its tracks, and lose its connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_was_away_is_made_up_for() {
    let mut scene = Scene::start("the API server", impatient()).await;

    let (before, log) = (scene.expected(), scene.log_mark());
    scene.mark();
    scene.rig.kubernetes().outage(true).await;
    scene.changes().await;
    scene.warned("pod watch failed").await;
    scene.rounds(20).await;
    assert_eq!(scene.listed().await, Some(before), "refuses");
    assert!(scene.changed_since(log).is_empty(), "refuses");
    scene.said_once(2);
    scene.rig.kubernetes().outage(false).await;
    let took = scene.converges().await;
    assert!(took < ONE_RELIST, "refused: {took:?}");
    scene.note(format_args!("refused, {} warnings, converged after {took:?}", scene.warnings().len()));

    let (before, log) = (scene.expected(), scene.log_mark());
    scene.mark();
    hang(scene.rig.kubernetes(), true).await;
    cut(scene.rig.kubernetes());
    scene.rounds(10).await;
    assert_eq!(scene.listed().await, Some(before), "hangs");
    assert!(scene.changed_since(log).is_empty(), "hangs");
    scene.said_once(2);
    hang(scene.rig.kubernetes(), false).await;
    scene.changes().await;
    let took = scene.converges().await;
    assert!(took < ONE_RELIST, "hung: {took:?}");
    scene.note(format_args!("hung, converged after {took:?}"));

    scene.mark();
    for _ in 0..3 {
        cut(scene.rig.kubernetes());
        scene.changes().await;
        let took = scene.converges().await;
        assert!(took < ONE_RELIST, "cut: {took:?}");
        scene.note(format_args!("cut, converged after {took:?}"));
    }
    scene.said_once(2);
}

async fn hang(api: &KubeApi, hangs: bool) {
    match (api, hangs) {
        (KubeApi::Embedded(api), true) => api.fail(Scope::All, &Fault::Hang),
        (KubeApi::Embedded(api), false) => api.heal().await,
        (KubeApi::Real(api), frozen) => api.freeze(frozen).await,
    }
}

fn cut(api: &KubeApi) {
    match api {
        KubeApi::Embedded(api) => api.cut_watches(),
        KubeApi::Real(api) => api.wire().cut(),
    }
}
