//! The headless Service in front of the cores: who stands behind it, and from when on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::client::Client;
use crate::net::Forwarder;
use crate::node::OBSERVER;

const POLL: Duration = Duration::from_millis(50);

/// A core on its way into the Service; it does not get there if this is dropped.
pub(super) type Joining = AbortOnDropHandle<()>;

/// Lets a core into the Service once it is ready: its admin port answers, and its list is there without the bootstrap row.
///
/// Before that it must not be: a node that pulls the list through a name that leads back to itself waits for itself, holding the
/// lock that its own answer needs, and its admin port never answers again (seen on a real 2.7.1).
pub(super) fn join_when_ready(service: Arc<Forwarder>, core: SocketAddr) -> Joining {
    AbortOnDropHandle::new(tokio::spawn(async move {
        while !is_ready(core, service.address()).await {
            sleep(POLL).await;
        }
        service.add(core);
    }))
}

async fn is_ready(core: SocketAddr, bootstrap: SocketAddr) -> bool {
    let Ok(mut client) = Client::connect(core, OBSERVER, OBSERVER).await else { return false };
    let Ok(rows) = client.rows("SELECT hostname FROM runtime_proxysql_servers").await else { return false };
    let bootstrap = Some(bootstrap.ip().to_string());
    !rows.is_empty() && rows.iter().all(|row| row.first() != Some(&bootstrap))
}
