//! The DNS: a name whose A and AAAA records are the cores, asked for again and again, folded into a roster.
//!
//! `getaddrinfo` would not do: in a static binary it has no name service to load, and it calls a server that fails and a name that is
//! gone by the same word.

mod exchange;
mod system;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::domain::discovery::resolution::{self, DnsAnswer, DnsVerdict, Family, Followed, LookOutcome};
use crate::domain::discovery::roster::{Freshness, Roster};
use crate::domain::trouble::Trouble;

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
/// core is; `anew` has it look at once.
///
/// Trouble never removes anybody: not a failure, not an empty answer, not a name that is gone. See [`Followed`].
pub async fn follow(
    name: Name,
    own: impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr>,
    roster: watch::Sender<Roster>,
    anew: Arc<Notify>,
    stop: CancellationToken,
) {
    info!(name = %name.name, "following the addresses of a name");
    stop.run_until_cancelled(watch(&name, own, &roster, &anew)).await;
}

async fn watch(
    name: &Name,
    mut own: impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr>,
    roster: &watch::Sender<Roster>,
    anew: &Notify,
) {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY)
        .with_max_delay(LAST_RETRY)
        .with_jitter()
        .without_max_times();
    let (mut pauses, began) = (backoff.build(), Instant::now());
    let (mut trouble, mut followed, mut settled) = (Trouble::default(), Followed::default(), None);
    let mut asked = false;
    loop {
        let look = look(name, &mut settled).await;
        let (wrong, found) = match followed.fold(&look) {
            Ok(_) => (resolution::trouble(&look), resolution::judge(&look) == DnsVerdict::Found),
            Err(too_many) => (Some(too_many.to_string()), false),
        };
        let freshness = match (found, &wrong) {
            (false, _) => Freshness::Stale,
            (true, Some(_)) => Freshness::Half,
            (true, None) => Freshness::Fresh,
        };
        let members: BTreeSet<SocketAddr> = followed.addresses().map(|ip| SocketAddr::new(ip, name.port)).collect();
        let own = own(&members);
        roster.send_if_modified(|roster| roster.looked(members, own, freshness) || asked);
        match wrong {
            Some(reason) => say(&mut trouble, &name.name, &reason, began.elapsed(), followed.is_known()),
            None if trouble.is_over() => info!(name = %name.name, "the cores are resolved again"),
            None => {}
        }
        // Who is missing in one answer after another goes: half an answer must not come more often than a whole one.
        let pause = if resolution::judge(&look) == DnsVerdict::Found {
            pauses = backoff.build();
            resolution::keep(&look, name.interval)
        } else {
            pauses.next().unwrap_or(LAST_RETRY)
        };
        asked = timeout(pause, anew.notified()).await.is_ok();
    }
}

fn say(trouble: &mut Trouble, name: &str, reason: &str, now: Duration, is_known: bool) {
    if !trouble.is(reason, now) {
        debug!(%name, %reason, "still cannot resolve the cores");
    } else if is_known {
        warn!(%name, %reason, "cannot resolve the cores; the members stay as they are");
    } else {
        // Where one kind of record always fails, this is for good.
        let message = "cannot resolve the cores; the members stay as they are until every record of core.dns_records was answered";
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
        match resolution::judge(&look) {
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
