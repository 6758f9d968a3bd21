//! How a core finds the others: by pods, by a name, by a list.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::config::{Config, Discovery, DnsRecords};
use crate::domain::discovery::addresses::OwnAddress;
use crate::domain::discovery::resolution::Family;
use crate::domain::discovery::roster::{Freshness, Roster};
use crate::edge::kubernetes::pods;
use crate::edge::{dns, own_address};

/// Between two looks at which member of a list this core is. A machine may get its address late, or another one.
const OWN_LOOK: Duration = Duration::from_secs(10);

/// What is known of the cores, and how to have them looked for anew at once.
pub(super) type Following = (watch::Receiver<Roster>, Arc<Notify>);

/// Begins to follow the cores. What follows them runs until `stop`.
///
/// # Errors
/// There is no Kubernetes API to be looked for.
pub(super) async fn follow(
    config: &Config,
    own_pod: Option<&str>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(Following, JoinHandle<()>), pods::PodsError> {
    let core = &config.core;
    let anew = Arc::new(Notify::new());
    let port = config.proxysql.address.port;
    if core.discovery == Discovery::Kubernetes {
        if own_pod.is_none() {
            warn!("neither POD_NAME nor HOSTNAME is set; this agent cannot find its own pod");
        }
        let (sender, roster) = watch::channel(Roster::default());
        let selection =
            pods::Selection { namespace: core.podselector.namespace.clone(), labels: core.label_selector() };
        let client = pods::client().await?;
        let followed = tasks.spawn(pods::follow(client, selection, sender, Arc::clone(&anew), stop.clone()));
        return Ok(((roster, anew), followed));
    }
    let (sender, roster) = watch::channel(Roster::of_addresses());
    let own = OwnAddress { told: core.own_address, admin: config.proxysql.address.host.parse().ok(), port };
    let own = says_who(own);
    let followed = if let Some(members) = &core.static_members {
        tasks.spawn(follow_list(members.with_port(port).collect(), own, sender, Arc::clone(&anew), stop.clone()))
    } else {
        let families = match core.dns_records {
            DnsRecords::Both => vec![Family::V4, Family::V6],
            DnsRecords::A => vec![Family::V4],
            DnsRecords::Aaaa => vec![Family::V6],
        };
        let (name, server) = (core.dns_name.clone().unwrap_or_default(), core.dns_server);
        let name = dns::Name { name, families, server, interval: core.dns_interval, port };
        tasks.spawn(dns::follow(name, own, sender, Arc::clone(&anew), stop.clone()))
    };
    Ok(((roster, anew), followed))
}

/// Which member this core is, said whenever that changes.
fn says_who(own: OwnAddress) -> impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr> + Send {
    let mut said = None;
    move |members| {
        let found = own.among(members, own_address::is_local);
        if !members.is_empty() && said.replace(found) != Some(found) {
            if let Some(address) = found {
                info!(%address, members = members.len(), "this core is among the members");
            } else {
                warn!(
                    members = members.len(),
                    "this core is not among the members, or does not know its address; core.own_address can name it"
                );
            }
        }
        found
    }
}

/// A list does not change, but which of its members this is may.
async fn follow_list(
    members: BTreeSet<SocketAddr>,
    mut own: impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr>,
    roster: watch::Sender<Roster>,
    anew: Arc<Notify>,
    stop: CancellationToken,
) {
    let look = async {
        let mut asked = false;
        loop {
            let own = own(&members);
            roster.send_if_modified(|roster| roster.looked(members.clone(), own, Freshness::Fresh) || asked);
            asked = timeout(OWN_LOOK, anew.notified()).await.is_ok();
        }
    };
    let _: Option<()> = stop.run_until_cancelled(look).await;
}
