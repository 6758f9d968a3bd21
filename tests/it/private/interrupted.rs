//! A drain that something comes in between of, at any point of it: cancelled, its agent killed, its agent told to leave `ProxySQL` alone.
//!
//! `POINTS` is how many points; one for each of the three if it is not set. `SEED` moves them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proxysql_fleet::client::Client as Admin;
use proxysql_fleet::node::OBSERVER;
use proxysql_fleet::proxysql::{ClientSpec, ClientState};
use proxysql_fleet::rig::Rig;
use tokio::time::sleep;

use super::{backed, variables, watched};
use crate::life::{Client, call, try_call};
use crate::support::{eventually, eventually_on, fleet, settings, settled};

/// When something comes in between, at the latest: by then sessions that rest have long been closed.
const SPAN: u64 = 6_000;
const GONE: Duration = Duration::from_secs(40);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Cancelled,
    Killed,
    Detached,
}

/// What became of the node.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It serves, and every variable is as it was.
    Serves,
    /// The drain went on to its end.
    Stopped,
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

/// Points that are all over the span, and the same for the same seed.
fn point(number: u64, seed: u64) -> Duration {
    Duration::from_millis((number + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(32) % SPAN)
}

/// A client in a transaction, which no drain within its window takes away.
struct Holder(Option<(Client, i64)>);

impl Holder {
    async fn begin(rig: &Rig, row: i64) -> Self {
        let node = &rig.member("satellite-1").unwrap().node;
        if let Some(node) = node.embedded() {
            node.add_client(ClientSpec { state: ClientState::InTransaction, ..ClientSpec::default() });
            return Self(None);
        }
        let mut client = Client::connect(node.spec().mysql()).await.unwrap();
        client.run("BEGIN").await.unwrap();
        client.run(&format!("INSERT INTO done (who) VALUES ({row})")).await.unwrap();
        Self(Some((client, row)))
    }

    /// It commits, and goes.
    async fn finish(self, rig: &Rig) {
        if let Some((mut client, row)) = self.0 {
            client.run("COMMIT").await.unwrap_or_else(|error| panic!("transaction {row}: {error}"));
        } else if let Some(node) = rig.member("satellite-1").unwrap().node.embedded() {
            assert!(!node.clients().is_empty(), "the client of the transaction is still there");
            for (id, _) in node.clients() {
                node.remove_client(id);
            }
        }
    }
}

/// The variables of the node, until it has ended.
async fn now(rig: &Rig) -> Option<BTreeMap<String, String>> {
    let mut admin = Admin::connect(rig.member("satellite-1").unwrap().admin(), OBSERVER, OBSERVER).await.ok()?;
    variables(&mut admin).await
}

async fn is_unmarked(rig: &Rig) -> bool {
    let sql = "SELECT name FROM sqlite_master WHERE name='proxysql_agent_drain'";
    rig.member("satellite-1").unwrap().node.query(sql).await.is_ok_and(|rows| rows.is_empty())
}

/// Drains the satellite, and comes in between at a point.
async fn interrupted(rig: &mut Rig, way: Way, at: Duration, row: i64) -> End {
    let before = now(rig).await.unwrap();
    let holder = Holder::begin(rig, row).await;
    let api = rig.member("satellite-1").unwrap().agent.as_ref().unwrap().api();
    eventually("its agent listens", async || try_call(api, "GET", "/healthz/live", &[]).await.is_ok()).await;
    assert_eq!(call(api, "POST", "/shutdown?wait=false", &[]).await.code, 202);
    sleep(at).await;
    match way {
        Way::Cancelled => assert!(matches!(call(api, "DELETE", "/drain", &[]).await.code, 200 | 202)),
        Way::Killed => rig.restart_agent("satellite-1").await.unwrap(),
        Way::Detached => rig.member_mut("satellite-1").unwrap().agent.as_mut().unwrap().process.terminate(),
    }
    let mut is_deaf = false;
    if way != Way::Detached {
        // Now and then a real one does not let in all clients after RESUME, and only a new process does.
        eventually_on(rig, &format!("{way:?} at {at:?}: undone, or not to be"), async || {
            let said = rig.member("satellite-1").unwrap().agent.as_ref().unwrap().said_since(0);
            is_deaf = said.iter().any(|saying| saying.message.contains("can no longer serve all clients"));
            // An agent that has just been started serves no port yet.
            let Ok(drain) = try_call(api, "GET", "/drain", &[]).await else { return is_deaf };
            is_deaf || (drain.body()["phase"] == "running" && is_unmarked(rig).await)
        })
        .await;
    }
    if way == Way::Detached || is_deaf {
        holder.finish(rig).await;
        let agent = rig.member_mut("satellite-1").unwrap().agent.as_mut().unwrap();
        assert_eq!(agent.process.exit_code(GONE).await.unwrap(), Some(0), "{way:?} at {at:?}");
        assert_eq!(now(rig).await, None, "{way:?} at {at:?}: stopped, not left paused");
        return End::Stopped;
    }
    let after = now(rig).await.unwrap();
    let differ: Vec<_> = before.iter().filter(|(name, value)| after.get(*name) != Some(*value)).collect();
    assert!(differ.is_empty(), "{way:?} at {at:?}: {differ:?}");
    let mysql = rig.member("satellite-1").unwrap().node.spec().mysql();
    eventually("the listener is open", async || crate::life::raw(mysql, b"").await.is_ok()).await;
    holder.finish(rig).await;
    End::Serves
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_comes_in_between_nothing_stays_set_and_no_peer_notices() {
    let scenario = "whatever_comes_in_between_nothing_stays_set_and_no_peer_notices";
    let settings = settings().env("AGENT_SHUTDOWN_PROPAGATION_DELAY", "1").env("AGENT_SHUTDOWN_ON_SIGTERM", "detach");
    let Some((settings, _backend)) = backed(scenario, settings).await else { return };
    let mut rig = fleet(settings, 1, 2).await;
    settled(&rig).await;
    let enough = Arc::new(AtomicBool::new(false));
    let mut peers = Vec::new();
    for peer in ["core-1", "satellite-2"] {
        peers.push((peer, watched(rig.member(peer).unwrap().admin(), &enough).await));
    }
    let seed = setting("SEED", 1);
    let mut ends = Vec::new();
    for number in 0..setting("POINTS", 3) {
        let way = [Way::Cancelled, Way::Killed, Way::Detached][usize::try_from(number).unwrap() % 3];
        let at = point(number, seed);
        let end = interrupted(&mut rig, way, at, i64::try_from(number).unwrap()).await;
        eprintln!("{way:?} at {at:?}: {end:?}");
        ends.push((way, end));
        // A ProxySQL that has opened its listener twice may hang, so each point gets one of its own.
        rig.member_mut("satellite-1").unwrap().restart_node(true).await.unwrap();
        rig.restart_agent("satellite-1").await.unwrap();
        settled(&rig).await;
    }
    enough.store(true, Ordering::Relaxed);
    for (peer, looks) in peers {
        let (looks, changes) = looks.await;
        eprintln!("{peer} was looked at {looks} times: {changes:?}");
        assert!(looks > 10 && changes.is_empty(), "{peer}: {changes:?}");
    }
    for (way, end) in ends {
        assert!(way != Way::Detached || end == End::Stopped, "a drain that was asked for goes on");
        assert!(way == Way::Detached || end == End::Serves || rig.member("core-1").unwrap().node.is_real());
    }
}
