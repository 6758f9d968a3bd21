//! One round of a core: publish the file once per `ProxySQL` process, keep the list of members, end ties between epochs.

use std::collections::BTreeSet;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Proxysql;
use super::round::{Next, RoundError, SPACING, Spacing, read};
use crate::domain::drift;
use crate::domain::followers::{Followers, Wanted};
use crate::domain::member::{Member, Members};
use crate::domain::membership::{self, Listed};
use crate::domain::observation::Observation;
use crate::domain::roster::Roster;
use crate::domain::statement::{Module, Plan, Statement};
use crate::domain::trouble::Trouble;

/// What a core's agent remembers between rounds; `ProxySQL` holds the rest.
#[derive(Debug)]
pub struct Core {
    port: u16,
    own_pod: Option<String>,
    roster: watch::Receiver<Roster>,
    began: Instant,
    spacing: Spacing,
    publish_trouble: Trouble,
    /// Ties that the last round saw. One that is seen twice is no peer's news on their way.
    tied: BTreeSet<Module>,
    holding: bool,
    followers: Followers,
    /// `ProxySQL` keeps a table of who follows it.
    sees_followers: bool,
}

impl Core {
    /// A core whose members listen on `port`, and which finds itself among the pods by the name `own_pod`.
    pub fn new(port: u16, own_pod: Option<String>, roster: watch::Receiver<Roster>) -> Self {
        Self {
            port,
            own_pod,
            roster,
            began: Instant::now(),
            spacing: Spacing::default(),
            publish_trouble: Trouble::default(),
            tied: BTreeSet::new(),
            holding: false,
            followers: Followers::default(),
            sees_followers: true,
        }
    }

    /// Ends when the pods have changed.
    pub(super) async fn news(&mut self) {
        if self.roster.changed().await.is_err() {
            // The watch has ended; so will the process.
            std::future::pending::<()>().await;
        }
    }

    pub(super) async fn round<P: Proxysql>(&mut self, admin: &mut P) -> Result<Next, RoundError> {
        let mut seen = self.observe(admin).await?;
        if seen.published.len() < Module::PUBLISHED.len() {
            self.publish(&seen, admin).await?;
            seen = self.observe(admin).await?;
        }
        let Some(desired) = self.desired() else { return Ok(Next::Interval) };

        let mut plan = membership::plan(&listed(&seen), &desired);
        let wanted = self.followers.want(&seen, &desired);
        let for_followers = plan.is_empty() && wanted == Wanted::Load;
        if for_followers {
            plan = plan.then(Statement::LoadToRuntime(Module::ProxysqlServers));
        }
        if !plan.is_empty() {
            if let Some(at) = self.spacing.wait_for(&plan) {
                return Ok(Next::At(at));
            }
            self.spacing.apply(&plan, admin).await?;
            if for_followers {
                info!("a satellite connected; loaded the list of members once more, for its own may be newer");
            } else {
                say_change(&seen.runtime, &desired, &plan);
            }
            if wanted == Wanted::Load && plan.loads().next().is_some() {
                self.followers.loaded();
            }
            // What a peer's pull put in between, and whether the peers agree, shows when the next load is allowed.
            return Ok(Next::At(Instant::now() + SPACING));
        }
        if wanted == Wanted::LoadLater {
            return Ok(Next::At(Instant::now() + SPACING));
        }
        self.end_ties(&seen, &desired, admin).await
    }

    async fn observe<P: Proxysql>(&mut self, admin: &mut P) -> Result<Observation, RoundError> {
        if self.sees_followers {
            match admin.run(&Statement::ObserveWithFollowers).await {
                Ok(answer) => return read(&answer),
                Err(error) if error.names_no_such_table() => self.sees_followers = false,
                Err(error) => return Err(error.into()),
            }
        }
        read(&admin.run(&Statement::Observe).await?)
    }

    /// The members that the pods make; `None` while they are not known or there are none.
    fn desired(&mut self) -> Option<Members> {
        let members = self.roster.borrow_and_update().members(self.port)?;
        if members.is_empty() {
            if !self.holding {
                warn!("no core pod is running, says the API server; the last members stay");
            }
            self.holding = true;
            return None;
        }
        self.holding = false;
        Some(members)
    }

    /// Brings the file's modules into effect, so that a fresh core's configuration wins over what it pulled from older peers
    /// while it booted, and so that its versions do not stay at 1, which nobody pulls.
    ///
    /// A module that fails is put back and tried again in the next round; the others are not loaded again for its sake.
    async fn publish<P: Proxysql>(&mut self, seen: &Observation, admin: &mut P) -> Result<(), RoundError> {
        let mut refusals = Vec::new();
        for module in Module::PUBLISHED.into_iter().filter(|module| !seen.published.contains(module)) {
            let rows = match admin.run(&Statement::LoadFromConfig(module)).await {
                Ok(answer) => answer.affected,
                Err(refusal) if refusal.is_refusal() => {
                    admin.run(&Statement::SaveToMemory(module)).await?;
                    refusals.push(refusal.to_string());
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let is_fresh = seen.own.get(module.checksum_name()).is_none_or(|own| own.version <= 1);
            if rows > 0 || is_fresh {
                let load = Plan::default().then(Statement::LoadToRuntime(module));
                self.spacing.apply(&load, admin).await?;
                info!(%module, rows, "published from ProxySQL's configuration file");
            } else {
                info!(%module, "not in ProxySQL's configuration file; left alone");
            }
            admin.run(&Statement::MarkPublished(module)).await?;
        }
        if refusals.is_empty() {
            self.publish_trouble.is_over();
        } else {
            let reason = refusals.join("; ");
            if self.publish_trouble.is(&reason, self.began.elapsed()) {
                error!(%reason, "cannot publish from ProxySQL's configuration file; runtime stays as it is");
            }
        }
        Ok(())
    }

    /// Loads once more what this node and a peer loaded differently in the same second.
    async fn end_ties<P: Proxysql>(
        &mut self,
        seen: &Observation,
        desired: &Members,
        admin: &mut P,
    ) -> Result<Next, RoundError> {
        let tied = drift::to_load_again(seen, self.own(desired));
        let lasting: Vec<Module> = tied.intersection(&self.tied).copied().collect();
        self.tied = tied;
        for module in &lasting {
            let mut plan = Plan::default();
            if *module != Module::ProxysqlServers {
                // Only what is in effect is loaded again, not what somebody is editing. The list of members is right in memory.
                plan = plan.then(Statement::SaveToMemory(*module));
            }
            plan = plan.then(Statement::LoadToRuntime(*module));
            if let Some(at) = self.spacing.wait_for(&plan) {
                return Ok(Next::At(at));
            }
            warn!(%module, "a peer loaded other content in the same second; loading once more");
            self.spacing.apply(&plan, admin).await?;
        }
        self.tied.retain(|module| !lasting.contains(module));
        let look_again = !self.tied.is_empty() || !lasting.is_empty();
        Ok(if look_again { Next::At(Instant::now() + seen.check_interval.max(SPACING) * 2) } else { Next::Interval })
    }

    fn own<'a>(&self, desired: &'a Members) -> Option<&'a Member> {
        desired.iter().find(|member| Some(&member.comment) == self.own_pod.as_ref())
    }
}

fn listed(seen: &Observation) -> Listed {
    Listed {
        memory: seen.memory.clone(),
        runtime: seen.runtime.clone(),
        version: seen.own.get(Module::ProxysqlServers.checksum_name()).map_or(0, |own| own.version),
    }
}

fn say_change(runtime: &Members, desired: &Members, plan: &Plan) {
    let names = |members: Vec<&Member>| members.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    info!(
        members = desired.len(),
        added = %names(desired.difference(runtime).collect()),
        removed = %names(runtime.difference(desired).collect()),
        loaded = plan.loads().next().is_some(),
        "members changed"
    );
}
