//! Why a statement has no answer, and what follows from it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::counters::StatementFailure;
use crate::domain::health::Obstacle;

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The file with the password does not read.
    #[error("cannot read the password from {path}: {source}", path = path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The name of the host leads nowhere.
    #[error("cannot resolve the host of ProxySQL at {address}: {reason}")]
    Unresolved {
        /// Where.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The agent's own system refuses what a connection takes.
    #[error("cannot open a connection to ProxySQL at {address}: {reason}")]
    Local {
        /// Where to.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// Nobody listens there, or the connection broke before the login was through.
    #[error("cannot connect to ProxySQL at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the driver said.
        reason: String,
        /// Nobody listens there.
        refused: bool,
    },
    /// `ProxySQL` refused user and password.
    #[error("ProxySQL at {address} refused the login: {text} (code {code})")]
    LoginRefused {
        /// Where.
        address: String,
        /// Code of the `ERR`; 1045 for nearly everything.
        code: u16,
        /// Its text, which names the user.
        text: String,
    },
    /// Accepted the connection but did not finish the login in time: what a stopped process looks like.
    #[error("ProxySQL at {address} accepted the connection but did not complete the login within {} s", after.as_secs_f32())]
    LoginTimeout {
        /// Where.
        address: String,
        /// The bound.
        after: Duration,
    },
    /// Not even a connection came about in time.
    #[error("ProxySQL at {address} did not accept a connection within {} s", after.as_secs_f32())]
    Unanswered {
        /// Where.
        address: String,
        /// The bound.
        after: Duration,
    },
    /// No answer in time. The connection is gone.
    #[error("no answer to {statement} within {} s", after.as_secs_f32())]
    Deadline {
        /// Which statement, in short.
        statement: String,
        /// The bound.
        after: Duration,
    },
    /// An `ERR`. The connection lives.
    #[error("ProxySQL rejected {statement}: {text} (code {code})")]
    Refused {
        /// Which statement, in short.
        statement: String,
        /// Code of the `ERR`; 1045 for nearly everything.
        code: u16,
        /// Its text.
        text: String,
    },
    /// The connection broke before the answer was whole.
    #[error("lost the connection to ProxySQL during {statement}: {reason}")]
    Lost {
        /// Which statement, in short.
        statement: String,
        /// What the driver said.
        reason: String,
    },
}

impl AdminError {
    /// The kind that it is counted as.
    pub fn failure(&self) -> StatementFailure {
        match self {
            Self::Password { .. } => StatementFailure::Password,
            Self::Unreachable { .. } => StatementFailure::Unreachable,
            Self::Unresolved { .. } | Self::Local { .. } => StatementFailure::Local,
            Self::LoginRefused { .. } => StatementFailure::Login,
            Self::LoginTimeout { .. } | Self::Unanswered { .. } | Self::Deadline { .. } => StatementFailure::Timeout,
            Self::Refused { .. } => StatementFailure::Refused,
            Self::Lost { .. } => StatementFailure::Lost,
        }
    }

    /// What was in the way of an answer; `None` where there is one, and it is no.
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::Password { .. } | Self::Unresolved { .. } | Self::Local { .. } => Some(Obstacle::Agent),
            Self::Unreachable { refused: true, .. } => Some(Obstacle::Gone),
            Self::Unreachable { .. } | Self::Lost { .. } => Some(Obstacle::Broken),
            Self::LoginRefused { .. } => Some(Obstacle::Login),
            Self::LoginTimeout { .. } | Self::Unanswered { .. } | Self::Deadline { .. } => Some(Obstacle::Silent),
            Self::Refused { .. } => None,
        }
    }

    /// Whether another try may find `ProxySQL` there, or there again.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::Unresolved { .. }
                | Self::Local { .. }
                | Self::LoginTimeout { .. }
                | Self::Unanswered { .. }
        )
    }

    /// Whether `ProxySQL` answered, and the answer was no.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    /// Whether nobody listens at the admin port: a `ProxySQL` that hangs still accepts.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Unreachable { refused: true, .. })
    }

    /// Whether the connection broke: it may have been broken for long, and a new one be all that it takes.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }

    /// Whether the statement can have been carried out, though there is no answer.
    pub fn may_have_been_sent(&self) -> bool {
        matches!(self, Self::Deadline { .. } | Self::Lost { .. })
    }

    /// Whether what was to be made is there already.
    pub fn says_it_exists(&self) -> bool {
        matches!(self, Self::Refused { text, .. } if text.contains("already exists"))
    }

    /// Whether the statement named a table that this release of `ProxySQL` does not have. The code is that of any other failure.
    pub fn names_no_such_table(&self) -> bool {
        matches!(self, Self::Refused { text, .. } if text.contains("no such table"))
    }
}
