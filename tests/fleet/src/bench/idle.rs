//! What an agent costs that has nothing to do.

use std::io;
use std::path::Path;
use std::time::Duration;

use proxysql_fleet::kubernetes::PodSpec;
use proxysql_fleet::proxysql::Counters;
use proxysql_fleet::rig::{AgentProcess, Member, Rig, Settings};
use tokio::time::{Instant, sleep};

/// How many pods a crowd is.
pub(super) const PODS: u64 = 5_000;
const LIMIT: Duration = Duration::from_secs(20);
/// After convergence, until nothing is left to do.
const REST: Duration = Duration::from_secs(5);

/// The most that any of the agents needed, for a minute.
#[derive(Default)]
pub(super) struct Idle {
    pub(super) statements: f64,
    pub(super) bytes: f64,
    pub(super) cpu: Duration,
    pub(super) resident: u64,
    pub(super) private: u64,
}

/// Three cores and two satellites, as deployed: ten seconds between rounds.
pub(super) async fn measure(agent: &Path, span: Duration) -> io::Result<Idle> {
    let mut rig = fleet(agent).await?;
    rig.add(3, 2).await?;
    rig.converged(LIMIT).await.map_err(io::Error::other)?;
    sleep(REST).await;
    let before = rig.members().iter().map(used).collect::<io::Result<Vec<_>>>()?;
    let began = Instant::now();
    sleep(span).await;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let mut most = Idle::default();
    for (member, (before, cpu_before)) in rig.members().iter().zip(before) {
        let (now, cpu_now) = used(member)?;
        let memory = process(member)?.process.memory()?;
        let bytes = now.bytes_in + now.bytes_out - before.bytes_in - before.bytes_out;
        most.statements = most.statements.max(per(now.statements - before.statements, minutes));
        most.bytes = most.bytes.max(per(bytes, minutes));
        most.cpu = most.cpu.max(cpu_now.saturating_sub(cpu_before).div_f64(minutes));
        most.resident = most.resident.max(memory.resident);
        most.private = most.private.max(memory.private);
    }
    Ok(most)
}

/// Resident memory of the agent of a single core: alone, among others' pods, among pods that its selector matches.
pub(super) struct Crowd {
    pub(super) alone: u64,
    pub(super) others: u64,
    pub(super) matching: u64,
}

pub(super) async fn crowd(agent: &Path) -> io::Result<Crowd> {
    let alone = resident(agent, |_, _| {}).await?;
    let others = resident(agent, |api, settings| api.add_unrelated(&settings.namespace, PODS)).await?;
    let matching = resident(agent, |api, settings| {
        for index in 0..PODS {
            // Not Running, so that none of them is a member.
            let pod = PodSpec::new(&settings.namespace, &format!("waiting-{index}")).phase("Pending");
            api.put(pod.label("app", &settings.app).label("component", &settings.component));
        }
    })
    .await?;
    Ok(Crowd { alone, others, matching })
}

async fn resident(agent: &Path, fill: impl FnOnce(&proxysql_fleet::kubernetes::PodApi, &Settings)) -> io::Result<u64> {
    let mut rig = fleet(agent).await?;
    let settings = rig.settings().clone();
    fill(
        rig.kubernetes().embedded().ok_or_else(|| io::Error::other("this measurement needs the embedded API"))?,
        &settings,
    );
    rig.add_core().await?;
    rig.converged(LIMIT).await.map_err(io::Error::other)?;
    sleep(REST).await;
    let member = rig.members().first().ok_or(io::ErrorKind::NotFound)?;
    Ok(process(member)?.process.memory()?.resident)
}

async fn fleet(agent: &Path) -> io::Result<Rig> {
    Rig::start(Settings { interval: 10, check_interval_ms: 1_000, ..Settings::new(agent) }).await
}

/// Statements of the agent so far, and its processor time.
fn used(member: &Member) -> io::Result<(Counters, Duration)> {
    let node =
        member.node.embedded().ok_or_else(|| io::Error::other("this measurement needs the embedded ProxySQL"))?;
    Ok((node.log().counters("radmin"), process(member)?.process.cpu_time()?))
}

fn process(member: &Member) -> io::Result<&AgentProcess> {
    member.agent.as_ref().ok_or_else(|| io::Error::other(format!("the agent of {} is gone", member.name)))
}

#[allow(clippy::cast_precision_loss, reason = "a minute has far fewer than 2^52 of anything")]
fn per(count: u64, minutes: f64) -> f64 {
    count as f64 / minutes
}
