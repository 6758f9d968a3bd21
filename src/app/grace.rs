//! Whether the time that there is for the way down suffices, said at start and not found out at the end.

use std::env;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::Identity;
use crate::config::Shutdown;
use crate::domain::drain::budget::Budget;
use crate::state::State;

/// How long the API server gets to say what the pod's grace period is.
const POD_LOOK: Duration = Duration::from_secs(5);

/// Waits for `ProxySQL` to say how many threads it has, and warns if the way down can take longer than it may.
pub(super) async fn check(state: State, shutdown: Shutdown, identity: Identity) {
    state.until(|status| status.seen().is_some()).await;
    let Some(threads) = state.status().seen().map(|(snapshot, _)| snapshot.threads) else { return };
    let budget = Budget::new(shutdown.propagation_delay, threads, shutdown.drain_timeout);
    if let Some(short) = budget.falls_short_of(shutdown.shutdown_timeout) {
        warn!(
            needed = budget.total().as_secs_f32(),
            short_by = short.as_secs_f32(),
            "shutdown.shutdown_timeout is shorter than the maximum shutdown time: {budget}"
        );
    }
    if env::var_os("KUBERNETES_SERVICE_HOST").is_none() && env::var_os("KUBECONFIG").is_none() {
        return;
    }
    match identity.look(POD_LOOK).await {
        Ok(pod) => {
            let Some(grace) = pod.grace_period else { return };
            if let Some(short) = budget.falls_short_of(grace) {
                warn!(
                    needed = budget.total().as_secs_f32(),
                    short_by = short.as_secs_f32(),
                    "terminationGracePeriodSeconds of this pod is shorter than the maximum shutdown time: {budget}"
                );
            } else {
                info!(grace = grace.as_secs(), needed = budget.total().as_secs_f32(), "grace period is sufficient");
            }
        }
        Err(reason) => debug!(%reason, "cannot read this pod's grace period"),
    }
}
