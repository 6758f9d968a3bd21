//! The admin port as the agent needs it.

use std::time::Duration;

use crate::domain::counters::Count;
use crate::domain::proxysql::observation::Observation;
use crate::domain::proxysql::statement::Statement;
use crate::edge::admin::{Admin, AdminError, Answer, Login};

/// The admin port as the agent needs it: [`Admin`], or a fake under a paused clock.
pub trait Proxysql {
    /// Sends a statement and reads the whole answer, within a bound. A call that is dropped half-way must not leave anything
    /// behind that a later call could take for its own answer.
    fn run(&mut self, statement: &Statement) -> impl Future<Output = Result<Answer, AdminError>> + Send;

    /// Asks another node with the login of the cluster, over a connection of its own that is gone afterwards: the one exception to there
    /// being one connection. May be dropped half-way.
    fn ask_peer(
        &self,
        host: &str,
        port: u16,
        login: &Login,
        statements: &[Statement],
    ) -> impl Future<Output = Result<Vec<Answer>, AdminError>> + Send;

    /// How many of the connections that a client could make now would have no word from `ProxySQL` within a bound, and of how many;
    /// `None` where that cannot be seen from here. `rows` answer [`Statement::Listener`].
    fn unanswered_clients(
        &self,
        rows: &[Vec<String>],
        within: Duration,
    ) -> impl Future<Output = Option<(usize, usize)>> + Send;

    /// Logs in once more over a second, short connection: as this agent, or with another login to the same port.
    fn log_in_afresh(&self, other: Option<&Login>) -> impl Future<Output = Result<(), AdminError>> + Send;

    /// Who it logs in as, and with which password, if that can be read at the moment: to see what would lock it out.
    fn login(&self) -> impl Future<Output = (String, Option<String>)> + Send;

    /// How often it has logged in.
    fn logins(&self) -> u64;
}

/// The admin port with a record of what is done with it: what the reconcilers work on.
pub(super) trait Tracked: Proxysql {
    /// Counts one more of these.
    fn count(&self, what: Count);

    /// This was observed: the status shows it from now on. What is known of when each peer answered last is added to it.
    fn observed(&mut self, seen: &mut Observation);
}

impl Proxysql for Admin {
    fn run(&mut self, statement: &Statement) -> impl Future<Output = Result<Answer, AdminError>> + Send {
        Self::run(self, statement)
    }

    fn ask_peer(
        &self,
        host: &str,
        port: u16,
        login: &Login,
        statements: &[Statement],
    ) -> impl Future<Output = Result<Vec<Answer>, AdminError>> + Send {
        Self::ask_peer(self, host, port, login, statements)
    }

    fn unanswered_clients(
        &self,
        rows: &[Vec<String>],
        within: Duration,
    ) -> impl Future<Output = Option<(usize, usize)>> + Send {
        Self::unanswered_clients(self, rows, within)
    }

    fn log_in_afresh(&self, other: Option<&Login>) -> impl Future<Output = Result<(), AdminError>> + Send {
        Self::log_in_afresh(self, other)
    }

    fn login(&self) -> impl Future<Output = (String, Option<String>)> + Send {
        Self::login(self)
    }

    fn logins(&self) -> u64 {
        self.connections()
    }
}
