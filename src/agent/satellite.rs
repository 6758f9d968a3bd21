//! One round of a satellite: `ProxySQL` follows the cores by itself; the agent acts only when no core of its list answers.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::Proxysql;
use super::round::{Next, RoundError, SPACING, Spacing, observe};
use crate::domain::isolation::{Isolation, Standing, outranked_list, silence};
use crate::domain::observation::Observation;
use crate::domain::statement::{Module, Plan, Statement};

/// A satellite that nobody answers looks again after this long, if its interval is longer.
const IMPATIENCE: Duration = Duration::from_secs(2);

/// What a satellite's agent remembers between rounds; `ProxySQL` holds the rest.
#[derive(Debug)]
pub struct Satellite {
    bootstrap: String,
    began: Instant,
    spacing: Spacing,
    isolation: Isolation,
    /// How the list stood in the last round that said so.
    said: Option<Standing>,
    outranked: Outranked,
}

/// A list of the cores that is older than this node's. What the node knows of its peers lags behind a pull, so that only one that lasts
/// is worth a word.
#[derive(Debug, Clone, Copy)]
enum Outranked {
    No,
    Since(Instant),
    Said,
}

impl Satellite {
    /// A satellite that boots with a row of the hostname `bootstrap`.
    pub fn new(bootstrap: String) -> Self {
        Self {
            bootstrap,
            began: Instant::now(),
            spacing: Spacing::default(),
            isolation: Isolation::default(),
            said: None,
            outranked: Outranked::No,
        }
    }

    pub(super) async fn round<P: Proxysql>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        let seen = observe(admin).await?;
        let standing = self.isolation.judge(&seen, &self.bootstrap, self.began.elapsed());
        if self.said.replace(standing) != Some(standing) {
            say(standing, seen.runtime.len());
        }
        match standing {
            Standing::Connected => {
                self.watch_rank(&seen);
                Ok(Next::Interval)
            }
            Standing::Silent => Ok(Next::At(Instant::now() + IMPATIENCE)),
            Standing::Restored => Ok(Next::Interval),
            Standing::Isolated => self.restore(admin).await,
        }
    }

    /// Says so, once, where this node does not follow the cores' list: its own has the newer epoch, and the cores' differs.
    fn watch_rank(&mut self, seen: &Observation) {
        let now = Instant::now();
        self.outranked = match (outranked_list(seen, &seen.runtime), self.outranked) {
            (None, Outranked::Said) => {
                info!("following the cores' list of members again");
                Outranked::No
            }
            (None, _) => Outranked::No,
            (Some(_), Outranked::No) => Outranked::Since(now),
            (Some(core), Outranked::Since(at)) if now - at >= silence(seen.check_interval) => {
                warn!(%core, "the list of members here is newer than the cores' and differs: it stays until a core loads its own again");
                Outranked::Said
            }
            (Some(_), unchanged) => unchanged,
        };
    }

    /// Replaces the list by what the configuration file has: addresses that nobody answers at may be somebody else's by now.
    async fn restore<P: Proxysql>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        let load = Plan::default().then(Statement::LoadToRuntime(Module::ProxysqlServers));
        if let Some(at) = self.spacing.wait_for(&load) {
            return Ok(Next::At(at));
        }
        let put_back = Statement::SaveToMemory(Module::ProxysqlServers);
        for statement in [Statement::DeleteAllMembers, Statement::LoadFromConfig(Module::ProxysqlServers)] {
            if let Err(error) = admin.run(&statement).await {
                if error.is_refusal() {
                    admin.run(&put_back).await?;
                }
                return Err(error.into());
            }
        }
        let seen = observe(admin).await?;
        if seen.memory.is_empty() {
            admin.run(&put_back).await?;
            self.isolation.restored(seen.runtime);
            warn!("ProxySQL's configuration file lists no members; the list stays as it is");
            return Ok(Next::Interval);
        }
        self.spacing.apply(&load, admin).await?;
        let rows = seen.memory.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        info!(members = %rows, "restored the list of members from ProxySQL's configuration file");
        self.isolation.restored(seen.memory);
        Ok(Next::At(Instant::now() + SPACING))
    }
}

fn say(standing: Standing, listed: usize) {
    match standing {
        Standing::Connected => info!(listed, "following the cores"),
        Standing::Silent => warn!(listed, "no core answers"),
        Standing::Isolated => warn!(listed, "no core has answered for long; restoring the bootstrap row"),
        Standing::Restored => warn!(listed, "no core answers at the bootstrap row either; waiting"),
    }
}
