//! The DNS: a name whose A and AAAA records are the cores, asked for again and again, folded into what is known of the cores.
//!
//! `getaddrinfo` would not do: in a static binary it has no name service to load, and it calls a server that fails and a name that is
//! gone by the same word.

mod exchange;
mod system;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::backoff::Backoff;
use crate::domain::discovery::addresses::Addresses;
use crate::domain::discovery::discovered::{Discovered, Freshness};
use crate::domain::discovery::resolution::{self, DnsAnswer, DnsVerdict, Family, Followed, LookOutcome};
use crate::domain::log_throttle::LogThrottle;

/// Bound of one question to one server, its repetition over TCP included.
const QUESTION_DEADLINE: Duration = Duration::from_secs(2);
/// How often each server is asked before a look has failed: a datagram may be lost.
const ATTEMPTS: usize = 2;
/// Pause after the first look that failed; doubled, with jitter, up to the next.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest pause between two tries, before jitter, which may double it.
const LAST_RETRY: Duration = Duration::from_millis(2500);

/// What to follow.
#[derive(Debug, Clone)]
pub struct Name {
    /// The name, as somebody wrote it; absolute if it ends with a dot.
    pub name: String,
    /// The kinds of record to ask for; at least one.
    pub families: Vec<Family>,
    /// The server to ask, which is then asked for the very name; `None` goes by `/etc/resolv.conf`.
    pub server: Option<SocketAddr>,
    /// Time between two looks, at most.
    pub interval: Duration,
    /// The admin port of every core.
    pub port: u16,
}

/// Whom to ask for what, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct QueryPlan {
    servers: Vec<SocketAddr>,
    names: Vec<String>,
}

/// Follows the addresses of `name` until `stop`, and publishes them whenever they have changed. `own` says which of them this
/// core is; `recheck` has it look at once.
///
/// An error never removes anybody: not a failure, not an empty answer, not a name that is gone. See [`Followed`].
pub async fn follow(
    name: Name,
    own: impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr>,
    told: watch::Sender<Discovered>,
    recheck: Arc<Notify>,
    stop: CancellationToken,
) {
    info!(name = %name.name, "watching DNS name");
    stop.run_until_cancelled(watch(&name, own, &told, &recheck)).await;
}

async fn watch(
    name: &Name,
    mut own: impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr>,
    told: &watch::Sender<Discovered>,
    recheck: &Notify,
) {
    let (mut backoff, began) = (Backoff::new(FIRST_RETRY, LAST_RETRY), Instant::now());
    let mut addresses = Addresses::default();
    let (mut trouble, mut followed, mut settled) = (LogThrottle::default(), Followed::default(), None);
    let mut asked = false;
    loop {
        let look = look(name, &mut settled).await;
        let (wrong, found) = match followed.fold(&look) {
            Ok(_) => (resolution::trouble(&look), resolution::classify_lookup(&look) == DnsVerdict::Found),
            Err(too_many) => (Some(too_many.to_string()), false),
        };
        let freshness = match (found, &wrong) {
            (false, _) => Freshness::Stale,
            (true, Some(_)) => Freshness::Half,
            (true, None) => Freshness::Fresh,
        };
        let members: BTreeSet<SocketAddr> = followed.addresses().map(|ip| SocketAddr::new(ip, name.port)).collect();
        let own = own(&members);
        addresses.looked(members, own, freshness);
        told.send_if_modified(|told| told.replace(addresses.discovered()) || asked);
        match wrong {
            Some(reason) => say(&mut trouble, &name.name, &reason, began.elapsed(), followed.is_known()),
            None if trouble.clear() => info!(name = %name.name, "DNS lookup succeeded again"),
            None => {}
        }
        // Who is missing in one answer after another goes: half an answer must not come more often than a whole one.
        let pause = if resolution::classify_lookup(&look) == DnsVerdict::Found {
            backoff.reset();
            resolution::keep(&look, name.interval)
        } else {
            backoff.pause()
        };
        asked = timeout(pause, recheck.notified()).await.is_ok();
    }
}

fn say(trouble: &mut LogThrottle, name: &str, reason: &str, now: Duration, is_known: bool) {
    if !trouble.should_log(reason, now) {
        debug!(%name, %reason, "DNS lookup still failing");
    } else if is_known {
        warn!(%name, %reason, "DNS lookup failed; keeping the current members");
    } else {
        // Where one kind of record always fails, this is for good.
        let message =
            "DNS lookup failed; keeping the current members until all record types of core.dns_records resolve";
        warn!(%name, %reason, "{message}");
    }
}

/// Asks once for everything. The name that led somewhere is the one to ask for as long as it is among the candidates: when it is
/// gone for a moment, another one of the search list must not take its place.
async fn look(name: &Name, settled: &mut Option<String>) -> LookOutcome {
    let failed =
        |reason: String| name.families.iter().map(|family| (*family, DnsAnswer::Failure(reason.clone()))).collect();
    let plan = match plan(name).await {
        Ok(plan) => plan,
        Err(reason) => return failed(reason),
    };
    let names = match settled {
        Some(one) if plan.names.contains(one) => vec![one.clone()],
        _ => plan.names,
    };
    let mut last = None;
    for candidate in names {
        let questions =
            name.families.iter().map(async |family| (*family, ask(&plan.servers, &candidate, *family).await));
        let look: LookOutcome = join_all(questions).await.into_iter().collect();
        match resolution::classify_lookup(&look) {
            DnsVerdict::Found => {
                *settled = Some(candidate);
                return look;
            }
            // Nobody knows what this one leads to; the next may lead elsewhere.
            DnsVerdict::Unknown => return look,
            DnsVerdict::Nothing => last = Some(look),
        }
    }
    last.unwrap_or_else(|| failed("there is no name to ask for".to_owned()))
}

async fn plan(name: &Name) -> Result<QueryPlan, String> {
    match name.server {
        Some(server) => Ok(QueryPlan { servers: vec![server], names: resolution::candidates(&name.name, &[], 0) }),
        // Read each time: on a machine that moves, it changes.
        None => system::plan(&name.name).await,
    }
}

/// Asks the servers in turn, until one answers with what is to be believed.
async fn ask(servers: &[SocketAddr], name: &str, family: Family) -> DnsAnswer {
    let mut reasons: Vec<String> = Vec::new();
    for server in std::iter::repeat_n(servers, ATTEMPTS).flatten() {
        match exchange::ask(*server, name, family, QUESTION_DEADLINE).await {
            Ok(answer) => return answer,
            Err(reason) => {
                let reason = format!("{server} {reason}");
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
    }
    DnsAnswer::Failure(reasons.join(", "))
}
