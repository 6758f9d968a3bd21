//! Whether `ProxySQL` answers, and what is in the way if it does not.

use std::time::Duration;

/// How `ProxySQL` answers at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Contact {
    /// It has not answered yet.
    #[default]
    Never,
    /// It has answered whatever it was asked, but for a question that it has not answered for so long.
    Answering(Duration),
    /// It has answered before, and nobody listens at its admin port any more.
    Gone(Duration),
    /// It answers, and refuses the login.
    Barred(Duration),
    /// The agent itself cannot ask: nothing is known of `ProxySQL`.
    Unable(Duration),
}

impl Contact {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Answering(_) => "up",
            Self::Gone(_) => "refused",
            Self::Barred(_) => "login_refused",
            Self::Unable(_) => "agent_error",
        }
    }

    /// For how long a question has stood without an answer; `None` before the first answer.
    pub fn silence(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Answering(silence) | Self::Gone(silence) | Self::Barred(silence) | Self::Unable(silence) => {
                Some(silence)
            }
        }
    }
}

/// What was in the way of a question to `ProxySQL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// No answer in time, be it to the connection, to the login or to the statement.
    Silent,
    /// Nobody listens at the admin port.
    Gone,
    /// The connection broke: somebody is there.
    Broken,
    /// The login was refused: an answer, too.
    Login,
    /// The agent's own system: a file that does not read, a name that does not resolve, no file descriptor.
    Agent,
}

impl Obstacle {
    /// Whether `ProxySQL` gave no sign though it was asked.
    pub fn is_silence(self) -> bool {
        matches!(self, Self::Silent | Self::Gone)
    }
}
