//! What signals and HTTP share: a sender of commands, and a view of what the agent publishes.

use tokio::sync::mpsc;

/// Commands on their way. A full box means that the same is under way already.
const MAILBOX: usize = 16;

/// All that an outsider may ask of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// End, leaving `ProxySQL` as it is.
    Stop,
}

/// What outsiders hold.
#[derive(Debug, Clone)]
pub struct State {
    commands: mpsc::Sender<Command>,
}

/// What the agent holds; there is one.
#[derive(Debug)]
pub struct Mailbox {
    commands: mpsc::Receiver<Command>,
}

/// Both ends.
pub fn channel() -> (State, Mailbox) {
    let (sender, commands) = mpsc::channel(MAILBOX);
    (State { commands: sender }, Mailbox { commands })
}

impl State {
    /// Asks the agent to end.
    pub fn stop(&self) {
        // Full: it was asked before. Closed: it has ended.
        let _ = self.commands.try_send(Command::Stop);
    }
}

impl Mailbox {
    /// The next command; `Stop` when nobody is left who could ask.
    pub async fn next(&mut self) -> Command {
        self.commands.recv().await.unwrap_or(Command::Stop)
    }
}
