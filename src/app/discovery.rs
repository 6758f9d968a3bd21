//! How cores discover each other: by pods, by a name, by a list.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::agent::Discovery;
use crate::config::{Config, DiscoveryMode, DnsRecords};
use crate::domain::discovery::addresses::{Addresses, OwnAddress};
use crate::domain::discovery::discovered::Discovered;
use crate::domain::discovery::resolution::Family;
use crate::edge::kubernetes::{self, pods};
use crate::edge::{dns, own_address, static_list};

/// Begins to follow the cores, by the source that the configuration names. It runs until `stop`.
///
/// # Errors
/// No Kubernetes API is configured.
pub(super) async fn follow(
    config: &Config,
    own_pod: Option<String>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(Discovery, JoinHandle<()>), kubernetes::ApiError> {
    let core = &config.core;
    let port = config.proxysql.address.port;
    let (stop, recheck) = (stop.clone(), Arc::new(Notify::new()));
    if core.discovery == DiscoveryMode::Kubernetes {
        if own_pod.is_none() {
            warn!("neither POD_NAME nor HOSTNAME is set; cannot find own pod");
        }
        let (sender, told) = watch::channel(Discovered::nothing());
        let (namespace, labels) = (core.podselector.namespace.clone(), core.label_selector());
        let selection = pods::Selection { namespace, labels, own: own_pod, port };
        let client = kubernetes::client().await?;
        let followed = tasks.spawn(pods::follow(client, selection, sender, Arc::clone(&recheck), stop));
        return Ok((Discovery { told, recheck }, followed));
    }
    let (sender, told) = watch::channel(Addresses::default().discovered());
    let own = OwnAddress { told: core.own_address, admin: config.proxysql.address.host.parse().ok(), port };
    let own = own_among(own);
    let followed = if let Some(members) = &core.static_members {
        let members = members.with_port(port).collect();
        tasks.spawn(static_list::follow(members, own, sender, Arc::clone(&recheck), stop))
    } else {
        let families = match core.dns_records {
            DnsRecords::Both => vec![Family::V4, Family::V6],
            DnsRecords::A => vec![Family::V4],
            DnsRecords::Aaaa => vec![Family::V6],
        };
        let (name, server) = (core.dns_name.clone().unwrap_or_default(), core.dns_server);
        let name = dns::Name { name, families, server, interval: core.dns_interval, port };
        tasks.spawn(dns::follow(name, own, sender, Arc::clone(&recheck), stop))
    };
    Ok((Discovery { told, recheck }, followed))
}

/// Which member this core is, said whenever that changes.
fn own_among(own: OwnAddress) -> impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr> + Send {
    let mut said = None;
    move |members| {
        let found = own.among(members, own_address::is_local);
        if !members.is_empty() && said.replace(found) != Some(found) {
            if let Some(address) = found {
                info!(%address, members = members.len(), "this core is among the members");
            } else {
                warn!(members = members.len(), "own address not found among the members; set core.own_address");
            }
        }
        found
    }
}
