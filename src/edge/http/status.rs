//! `GET /status`: everything that the agent knows, for machines. The schema is `build/status.schema.json`; no field comes and goes.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::Settings;
use crate::domain::cluster::member::Members;
use crate::domain::cluster::rollout::RolloutState;
use crate::domain::cluster::sync_state::SyncState as Following;
use crate::domain::drain::{Phase, Progress};
use crate::domain::endpoint::Endpoint;
use crate::domain::health::{HealthInput, Probe, Snapshot, probe_verdict};
use crate::domain::proxysql::module::Module;
use crate::domain::proxysql::observation::{Observation, Peer};
use crate::domain::reconcile_report::{self, OverallHealth, Problem, ReconcileReport};
use crate::state::Status;

/// What the agent was told, and does not find out.
#[derive(Debug, Clone, Default)]
pub struct NodeInfo {
    /// The run mode.
    pub mode: &'static str,
    /// The name of its pod, if it knows that.
    pub pod: Option<String>,
    /// The admin port of its `ProxySQL`.
    pub proxysql: String,
    /// Every key of the configuration.
    pub configuration: Vec<EffectiveSetting>,
}

/// One key of the configuration in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveSetting {
    /// Its name.
    pub key: &'static str,
    /// Its value as one would write it, a secret masked.
    pub value: String,
    /// Where the value comes from.
    pub source: String,
}

#[derive(Serialize)]
pub(super) struct Document<'a> {
    status: OverallHealth,
    problems: Vec<Problem>,
    last_error: Option<&'a str>,
    agent: AgentSection<'a>,
    probes: Probes,
    proxysql: ProxysqlSection<'a>,
    sessions: ClientsSection,
    backends: BackendsSection<'a>,
    members: MembersOf<'a>,
    peers: Vec<PeerOf>,
    publishing: PublishingSection<'a>,
    discovery: Option<DiscoverySection>,
    sync_state: Option<&'static str>,
    drain: Option<&'a Progress>,
    configuration: &'a [EffectiveSetting],
}

#[derive(Serialize)]
struct AgentSection<'a> {
    version: &'static str,
    mode: &'static str,
    pod: Option<&'a str>,
    phase: Phase,
    /// For how long it has been in this phase.
    phase_seconds: u64,
    uptime_seconds: u64,
}

#[derive(Serialize)]
struct Probes {
    startup: bool,
    readiness: bool,
    liveness: bool,
}

#[derive(Serialize)]
struct ProxysqlSection<'a> {
    address: &'a str,
    connection: &'static str,
    unanswered_ms: u64,
    version: Option<&'a str>,
    uptime_seconds: Option<u64>,
    paused: bool,
    threads: u32,
    /// The age of version, uptime, paused and threads.
    age_ms: Option<u64>,
}

#[derive(Serialize)]
struct ClientsSection {
    clients: u64,
    users: u64,
    age_ms: Option<u64>,
}

#[derive(Serialize)]
struct BackendsSection<'a> {
    total: u64,
    online: u64,
    shunned: u64,
    hostgroups: Vec<HostgroupSection<'a>>,
    age_ms: Option<u64>,
}

#[derive(Serialize)]
struct HostgroupSection<'a> {
    hostgroup: &'a str,
    status: &'a str,
    servers: u64,
}

#[derive(Serialize)]
struct MembersOf<'a> {
    desired: Option<&'a Members>,
    runtime: Option<&'a Members>,
    frozen: bool,
    age_ms: Option<u64>,
}

#[derive(Serialize)]
struct PeerOf {
    /// Null for this node itself.
    address: Option<String>,
    last_seen_seconds_ago: Option<u64>,
    drift: Vec<Drift>,
}

#[derive(Serialize)]
struct Drift {
    module: Option<Module>,
    class: &'static str,
    message: String,
}

#[derive(Serialize)]
struct PublishingSection<'a> {
    rollout: Option<Rollout<'a>>,
    refused: Option<&'a str>,
    passed_over: &'a [String],
    not_published: &'a [String],
    modules: Vec<ModuleOf<'a>>,
    age_ms: Option<u64>,
}

#[derive(Serialize)]
struct Rollout<'a> {
    state: &'static str,
    newer_pod: Option<&'a str>,
    source: Option<&'a str>,
    older_pods: Vec<&'a str>,
}

#[derive(Serialize)]
struct ModuleOf<'a> {
    module: Module,
    version: u64,
    epoch: i64,
    checksum: &'a str,
    published: Option<bool>,
}

#[derive(Serialize)]
struct DiscoverySection {
    up: bool,
    updates: u64,
    restarts: u64,
}

impl<'a> Document<'a> {
    /// The document as of `now`.
    pub(super) fn new(status: &'a Status, settings: &'a Settings, began: Instant, now: Instant) -> Self {
        let Settings { policy, told, .. } = settings;
        let known = status.known(now);
        let [startup, readiness, liveness] = Probe::ALL.map(|probe| probe_verdict(&known, policy, probe));
        let probes = Probes { startup: startup.ok, readiness: readiness.ok, liveness: liveness.ok };
        let seen = status.observed().map(|(seen, _)| seen);
        let observed_age = status.observed().map(|(_, at)| now - *at);
        let age_ms = known.age.map(ms);
        let runtime = seen.map(|seen| &seen.runtime);
        let report = status.report();
        let (health, problems) = reconcile_report::overall_health(&readiness, &liveness, report, runtime);
        let snapshot = known.snapshot;
        let counts = snapshot.map(Snapshot::counts).unwrap_or_default();
        Self {
            status: health,
            problems,
            last_error: status.trouble(),
            agent: AgentSection {
                version: env!("CARGO_PKG_VERSION"),
                mode: told.mode,
                pod: told.pod.as_deref(),
                phase: status.stage(),
                phase_seconds: (now - status.stage_since().unwrap_or(began)).as_secs(),
                uptime_seconds: (now - began).as_secs(),
            },
            probes,
            proxysql: proxysql(&told.proxysql, &known),
            sessions: ClientsSection {
                clients: snapshot.map_or(0, |seen| seen.clients),
                users: snapshot.map_or(0, |seen| seen.users),
                age_ms,
            },
            backends: BackendsSection {
                total: counts.total,
                online: counts.online,
                shunned: counts.shunned,
                hostgroups: snapshot.map(hostgroups).unwrap_or_default(),
                age_ms,
            },
            members: MembersOf {
                desired: report.desired.as_ref(),
                runtime,
                frozen: report.held,
                age_ms: observed_age.map(ms),
            },
            peers: peers(seen, observed_age.unwrap_or_default(), report),
            publishing: publishing(seen, observed_age.map(ms), report),
            discovery: report.discovery.map(|discovery| DiscoverySection {
                up: discovery.is_up(),
                updates: discovery.answers,
                restarts: discovery.restarts,
            }),
            sync_state: report.following.map(Following::as_str),
            drain: known.drain,
            configuration: &told.configuration,
        }
    }
}

fn proxysql<'a>(address: &'a str, known: &HealthInput<'a>) -> ProxysqlSection<'a> {
    let snapshot = known.snapshot;
    ProxysqlSection {
        address,
        connection: known.contact.as_str(),
        unanswered_ms: ms(known.contact.silence().unwrap_or_default()),
        version: snapshot.map(|seen| seen.version.as_str()).filter(|version| !version.is_empty()),
        uptime_seconds: snapshot.and_then(|seen| seen.uptime),
        paused: snapshot.is_some_and(|seen| seen.paused),
        threads: snapshot.map_or(0, |seen| seen.threads),
        age_ms: known.age.map(ms),
    }
}

fn publishing<'a>(
    seen: Option<&'a Observation>,
    age_ms: Option<u64>,
    report: &'a ReconcileReport,
) -> PublishingSection<'a> {
    PublishingSection {
        rollout: report.rollout.as_ref().map(rollout),
        refused: report.refused.as_deref(),
        passed_over: &report.passed_over,
        not_published: &report.not_published,
        modules: seen.map(|seen| modules(seen, report.rollout.is_some())).unwrap_or_default(),
        age_ms,
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn hostgroups(seen: &Snapshot) -> Vec<HostgroupSection<'_>> {
    seen.backends
        .iter()
        .map(|((hostgroup, status), servers)| HostgroupSection { hostgroup, status, servers: *servers })
        .collect()
}

/// Every peer in the order of the list, this node last if it is not as published. What was last seen when the observation was
/// made is older now by its `age`.
fn peers(seen: Option<&Observation>, age: Duration, report: &ReconcileReport) -> Vec<PeerOf> {
    let of = |key: Option<(&str, u16)>| {
        let drift = report.drift.iter();
        let its = drift.filter(|(subject, _)| subject.peer.as_ref().map(|(host, port)| (host.as_str(), *port)) == key);
        its.map(|(subject, class)| Drift { module: subject.module, class: class.name(), message: class.to_string() })
            .collect::<Vec<_>>()
    };
    let listed = seen.into_iter().flat_map(|seen| seen.peers.iter().map(|peer| (peer, seen.clock)));
    let mut peers: Vec<PeerOf> = listed
        .map(|(Peer { hostname, port, updated_at, .. }, clock)| PeerOf {
            address: Some(Endpoint::new(hostname, *port).to_string()),
            last_seen_seconds_ago: updated_at.map(|at| clock.saturating_sub(at).max(0).unsigned_abs() + age.as_secs()),
            drift: of(Some((hostname, *port))),
        })
        .collect();
    let own = of(None);
    if !own.is_empty() {
        peers.push(PeerOf { address: None, last_seen_seconds_ago: None, drift: own });
    }
    peers
}

fn rollout(rollout: &RolloutState) -> Rollout<'_> {
    let (newer_pod, source) = match rollout {
        RolloutState::Older { newer, by } => (Some(newer.as_str()), Some(*by)),
        _ => (None, None),
    };
    let older_pods = match rollout {
        RolloutState::Newest { older } => older.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    Rollout { state: rollout.as_str(), newer_pod, source, older_pods }
}

/// The modules that this version has; only a core publishes.
fn modules(seen: &Observation, publishes: bool) -> Vec<ModuleOf<'_>> {
    let of = |module: Module| {
        let own = seen.own(module)?;
        let published = (publishes && module != Module::ProxysqlServers).then(|| seen.published.contains_key(&module));
        Some(ModuleOf { module, version: own.version, epoch: own.epoch, checksum: &own.checksum, published })
    };
    Module::all().filter_map(of).collect()
}
