//! Unix signals, as commands.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt as _;
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook_tokio::Signals;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::state::State;

/// The signals that the process hears, from the moment this exists.
pub struct Heard(Signals);

/// Starts to listen. To be called before anything waits, so that no signal finds the default action.
///
/// # Errors
/// The system refuses to install a handler.
pub fn listen() -> io::Result<Heard> {
    // A file that must not grow any more is an error for who writes it, and not the end.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    Signals::new([SIGTERM, SIGINT]).map(Heard)
}

/// Turns signals into commands until `stop`. A second request to end is taken at its word: the process exits at once.
pub async fn follow(Heard(mut signals): Heard, state: State, stop: CancellationToken) {
    let mut asked = false;
    while let Some(Some(signal)) = stop.run_until_cancelled(signals.next()).await {
        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
        if asked {
            info!(signal = name, "asked to end again; exiting at once");
            std::process::exit(1);
        }
        asked = true;
        info!(signal = name, "asked to end");
        state.stop();
    }
}
