//! From a pod event to the row in runtime, as the node itself sees it.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use proxysql_fleet::kubernetes::PodSpec;
use proxysql_fleet::proxysql::{Action, Hook, Rule};
use proxysql_fleet::rig::{Rig, Settings};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Clusters side by side: a core may load only once in a second, and would need minutes for all events alone.
pub(super) const LANES: usize = 5;
/// After a load, until the agent has seen to it and may load again.
const REST: Duration = Duration::from_millis(1_400);
const LIMIT: Duration = Duration::from_secs(10);
/// The pod that comes and goes.
const GUEST: &str = "guest";

/// Latencies in order of size.
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// The smallest value that so many per cent of all do not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

pub(super) async fn measure(agent: &Path, events: usize) -> io::Result<Latencies> {
    let lanes = (0..LANES).map(|lane| measure_lane(agent, lane, events.div_ceil(LANES)));
    let mut all = try_join_all(lanes).await?.concat();
    all.sort_unstable();
    Ok(Latencies(all))
}

/// The same pod comes and goes on a cluster of one core.
async fn measure_lane(agent: &Path, lane: usize, events: usize) -> io::Result<Vec<Duration>> {
    let mut rig = Rig::start(Settings { interval: 10, check_interval_ms: 1_000, ..Settings::new(agent) }).await?;
    let core = rig.add_core().await?;
    rig.converged(LIMIT).await.map_err(io::Error::other)?;
    let namespace = rig.settings().namespace.clone();
    let guest = guest(&mut rig)?;
    let mut loads = loads(&rig, &core)?;
    let api = rig.kubernetes().embedded().ok_or_else(|| io::Error::other("this measurement needs the embedded API"))?;
    // Lanes do not act in the same instant.
    sleep(REST + REST / u32::try_from(LANES).unwrap_or(1) * u32::try_from(lane).unwrap_or(0)).await;
    let mut latencies = Vec::with_capacity(events);
    for event in 0..events {
        while loads.try_recv().is_ok() {}
        let began = Instant::now();
        let comes = event % 2 == 0;
        if comes {
            api.put(guest.clone());
        } else {
            api.delete(&namespace, GUEST);
        }
        loop {
            let load = timeout(LIMIT, loads.recv()).await?.ok_or(io::ErrorKind::BrokenPipe)?;
            if load.lists_guest == comes {
                latencies.push(load.at - began);
                break;
            }
        }
        sleep(REST).await;
    }
    Ok(latencies)
}

fn guest(rig: &mut Rig) -> io::Result<PodSpec> {
    let ip: IpAddr = rig.address()?;
    let settings = rig.settings();
    let pod =
        PodSpec::new(&settings.namespace, GUEST).label("app", &settings.app).label("component", &settings.component);
    Ok(pod.ip(ip))
}

/// The list is in runtime.
struct Load {
    at: Instant,
    lists_guest: bool,
}

/// Every load of the list, told in the moment in which it is done.
fn loads(rig: &Rig, core: &str) -> io::Result<mpsc::UnboundedReceiver<Load>> {
    let node = rig
        .member(core)?
        .node
        .embedded()
        .ok_or_else(|| io::Error::other("this measurement needs the embedded ProxySQL"))?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let handle = Arc::new(node.handle());
    let hook = Hook::new(move || {
        let at = Instant::now();
        let rows = handle.runtime_rows("proxysql_servers");
        let lists_guest = rows.iter().any(|row| row.contains(&Some(GUEST.to_owned())));
        // Nobody listens any more when the lane has ended.
        drop(sender.send(Load { at, lists_guest }));
        std::future::ready(())
    });
    node.trouble().add(Rule::new(Action::After(hook)).containing("LOAD PROXYSQL SERVERS TO RUNTIME"));
    Ok(receiver)
}
