//! What signals and HTTP share: a sender of commands, and a view of the status that the agent alone writes.

mod commands;
mod status;
#[cfg(test)]
mod tests;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use self::commands::Pending;
pub use self::status::Status;
pub use self::writer::{StatementEnd, StatusWriter};

/// How long a probe waits for a refresh: the kubelet gives up after a second.
pub const PROBE_PATIENCE: Duration = Duration::from_millis(800);

/// All that an outsider may ask of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Drain and stop `ProxySQL`; nothing new if that has begun.
    Drain,
    /// Stop waiting for clients: SHUTDOWN now.
    ForceStop,
    /// Undo a drain, if there is still time.
    Cancel,
    /// Check the health of `ProxySQL` once.
    Refresh,
    /// Read the configuration again, apply what can change, and do anew what is done once: publish, or follow.
    Reload,
    /// Copy from the cores whatever this node no longer syncs.
    Resync,
    /// Exit and leave `ProxySQL` running; during a drain, go on with it.
    Detach,
}

/// What outsiders hold.
#[derive(Debug, Clone)]
pub struct State {
    pending: Arc<Mutex<Pending>>,
    /// Wakes the agent; closed once it has ended.
    bell: mpsc::Sender<()>,
    status: watch::Receiver<Status>,
}

/// What the agent holds; there is one.
#[derive(Debug)]
pub struct Mailbox {
    pending: Arc<Mutex<Pending>>,
    bell: mpsc::Receiver<()>,
}

/// All ends.
pub fn channel() -> (State, Mailbox, StatusWriter) {
    let pending = Arc::new(Mutex::new(Pending::default()));
    let (ring, bell) = mpsc::channel(1);
    let (writer, status) = StatusWriter::new();
    (State { pending: Arc::clone(&pending), bell: ring, status }, Mailbox { pending, bell }, writer)
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    // Nothing in it can be half done.
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Asks the agent for something, at once and for certain: see [`Mailbox::next`]. Whether it can still hear.
    pub fn ask(&self, command: Command) -> bool {
        lock(&self.pending).add(command);
        // Full: it rings already.
        !matches!(self.bell.try_send(()), Err(mpsc::error::TrySendError::Closed(())))
    }

    /// The status as it is.
    pub fn status(&self) -> watch::Ref<'_, Status> {
        self.status.borrow()
    }

    /// Sees to it that the last look at health is younger than `refresh`, as far as that can be had within [`PROBE_PATIENCE`]. All
    /// who ask share one look.
    pub async fn refreshed(&self, refresh: Duration) {
        let asked = Instant::now();
        if self.status().is_fresh(refresh, asked) || !self.ask(Command::Refresh) {
            return;
        }
        // Late or never: the answer then is what is there.
        let _ = timeout(PROBE_PATIENCE, self.until(|status| status.looked_since(asked))).await;
    }

    /// Returns once more than `before` drains have ended, or the agent has.
    pub async fn drained(&self, before: u64) {
        self.until(|status| status.drains_ended() > before).await;
    }

    /// Returns once a status is as wanted, or the agent has ended.
    pub async fn until(&self, wanted: impl FnMut(&Status) -> bool) {
        let _ = self.status.clone().wait_for(wanted).await;
    }
}

impl Mailbox {
    /// The next command; `None` when nobody is left who could ask. May be dropped while it waits.
    ///
    /// Requests that end the process, hurry or cancel a drain come first, in their order. However long nobody looks here, none is
    /// lost: what is asked for again before it was taken is taken once.
    pub async fn next(&mut self) -> Option<Command> {
        loop {
            if let Some(command) = lock(&self.pending).take() {
                return Some(command);
            }
            if self.bell.recv().await.is_none() {
                return lock(&self.pending).take();
            }
        }
    }
}
