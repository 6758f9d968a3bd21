//! A list of cores that the configuration has. It does not change, but which of its members this core is may.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::domain::discovery::addresses::Addresses;
use crate::domain::discovery::discovered::{Discovered, Freshness};

/// Between two looks at which member of the list this core is. A machine may get its address late, or another one.
const OWN_LOOK: Duration = Duration::from_secs(10);

/// Tells of `members` until `stop`, and of which of them this core is whenever that changes; `recheck` has it look at once.
pub async fn follow(
    members: BTreeSet<SocketAddr>,
    mut own: impl FnMut(&BTreeSet<SocketAddr>) -> Option<SocketAddr>,
    told: watch::Sender<Discovered>,
    recheck: Arc<Notify>,
    stop: CancellationToken,
) {
    let look = async {
        let mut addresses = Addresses::default();
        let mut asked = false;
        loop {
            addresses.looked(members.clone(), own(&members), Freshness::Fresh);
            told.send_if_modified(|told| told.replace(addresses.discovered()) || asked);
            asked = timeout(OWN_LOOK, recheck.notified()).await.is_ok();
        }
    };
    let _: Option<()> = stop.run_until_cancelled(look).await;
}
