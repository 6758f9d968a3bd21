//! Reading the configuration again: what can change in a running process does, and the rest is named.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{end_within, http_settings, live};
use crate::agent::{Live, Reload};
use crate::apart;
use crate::cli::{self, Invocation};
use crate::config::{Config, Loaded, OnSigterm, Provenance};
use crate::edge::http;
use crate::edge::signals::Watchdog;
use crate::logging::Handle;

/// Who goes by the configuration, and is told what has changed.
pub(super) struct Listeners {
    pub(super) log: Handle,
    pub(super) http_tx: watch::Sender<http::Settings>,
    pub(super) term: watch::Sender<OnSigterm>,
    pub(super) watchdog: Arc<Watchdog>,
}

/// The configuration that is gone by, and where it comes from.
struct Current {
    config: Config,
    provenance: Provenance,
    file: Option<PathBuf>,
}

/// Reads file, variables and flags again, applies the live keys everywhere, and answers what the agent goes on with; `None` where
/// they cannot be read, and everything stays as it is.
pub(super) fn reload(loaded: Loaded, listeners: Listeners) -> Reload {
    let Loaded { config, provenance, file, .. } = loaded;
    let current = Arc::new(Mutex::new(Current { config, provenance, file }));
    let listeners = Arc::new(listeners);
    Box::new(move || {
        let (current, listeners) = (Arc::clone(&current), Arc::clone(&listeners));
        Box::pin(async move {
            let known = current.lock().unwrap_or_else(PoisonError::into_inner).file.clone();
            let read = apart::run("reload", apart::CONFIGURATION, move || Ok(read(known.as_deref()))).await;
            let new = match read.unwrap_or_else(|error| Err(format!("its file cannot be read: {error}"))) {
                Ok(new) => new,
                Err(reason) => {
                    error!(%reason, "reload failed; keeping the current configuration");
                    return None;
                }
            };
            let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
            Some(apply(&mut current, new, &listeners))
        })
    })
}

/// What there is to be read now. `known` is the file that the running configuration was read from.
fn read(known: Option<&Path>) -> Result<Loaded, String> {
    let new = match cli::parse(env::args_os(), env::vars_os()) {
        Ok(Invocation::Run(loaded)) => *loaded,
        Ok(_) => return Err("these arguments do not run an agent".to_owned()),
        Err(errors) => return Err(errors.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    };
    match known {
        // Without it all its keys would go back to their defaults, or to what another file says. It may be about to come back.
        Some(known) if is_missed(known, new.file.as_deref()) => {
            Err(format!("the file {} is not there any more; a restart goes without it", known.display()))
        }
        _ => Ok(new),
    }
}

/// Whether the file that was read before is gone, and what is read now is for want of it.
fn is_missed(known: &Path, new: Option<&Path>) -> bool {
    new != Some(known) && !known.exists()
}

fn apply(current: &mut Current, new: Loaded, listeners: &Listeners) -> Live {
    for warning in &new.warnings {
        warn!("{warning}");
    }
    let change = current.config.diff_live(&new.config);
    let next = current.config.with_live(&new.config);
    if !change.applied.is_empty() {
        info!(keys = %change.applied.join(" "), "reloaded the configuration");
    }
    if !change.needs_restart.is_empty() {
        warn!(keys = %change.needs_restart.join(" "), "changed keys need an agent restart");
    }
    let Listeners { log, http_tx, term, watchdog } = listeners;
    log.set_level(next.log.level);
    current.provenance = current.provenance.with_live(&new.provenance);
    let pod = http_tx.borrow().told.pod.clone();
    http_tx.send_replace(http_settings(&next, &current.provenance, pod));
    term.send_replace(next.shutdown.on_sigterm);
    watchdog.set_bound(end_within(&next));
    let live = live(&next);
    (current.config, current.file) = (next, new.file);
    live
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_missed_and_another_one_before_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (here, gone) = (dir.path().join("here"), dir.path().join("gone"));
        std::fs::write(&here, "").unwrap();
        assert!(is_missed(&gone, None) && is_missed(&gone, Some(&here)));
        assert!(!is_missed(&here, Some(&here)) && !is_missed(&here, Some(&gone)));
    }
}
