//! Reading the configuration again: what can change in a running process does, and the rest is named.

use std::env;

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{live, on_air};
use crate::agent::Live;
use crate::cli::{self, Invocation};
use crate::config::{Config, OnSigterm, Provenance};
use crate::edge::http;
use crate::logging::Handle;

/// Reads file, variables and flags again, applies the live keys everywhere, and answers what the agent goes on with; `None` where
/// they cannot be read, and everything stays as it is.
pub(super) fn reload(
    mut current: Config,
    mut provenance: Provenance,
    log: Handle,
    air: watch::Sender<http::Settings>,
    term: watch::Sender<OnSigterm>,
) -> impl FnMut() -> Option<Live> + Send {
    move || {
        let new = match cli::parse(env::args_os(), env::vars_os()) {
            Ok(Invocation::Run(loaded)) => loaded,
            Ok(_) => return None,
            Err(errors) => {
                let reason = errors.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                error!(%reason, "cannot reload the configuration; it stays as it is");
                return None;
            }
        };
        for warning in &new.warnings {
            warn!("{warning}");
        }
        let change = current.diff_live(&new.config);
        let next = current.with_live(&new.config);
        if !change.applied.is_empty() {
            info!(keys = %change.applied.join(" "), "reloaded the configuration");
        }
        if !change.needs_restart.is_empty() {
            warn!(keys = %change.needs_restart.join(" "), "these keys have changed and wait for a restart of the agent");
        }
        log.set_level(next.log.level);
        provenance = provenance.with_live(&new.provenance);
        let pod = air.borrow().told.pod.clone();
        air.send_replace(on_air(&next, &provenance, pod));
        term.send_replace(next.shutdown.on_sigterm);
        let live = live(&next);
        current = next;
        Some(live)
    }
}
