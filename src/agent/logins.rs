//! Whether the agent and the other nodes still get in after a load: found out by logging in afresh, while the connection that did the load is
//! still there to put back what was in effect.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{error, warn};

use super::assess::Sorted;
use super::memory::{back_up, columns, reset_memory, restore_backup};
use super::peers::cluster_login;
use super::proxysql::{Proxysql, Tracked};
use super::round::Spacing;
use crate::domain::cluster::member::Member;
use crate::domain::proxysql::statement::{Module, Plan, Statement, Table};
use crate::edge::admin::{AdminError, Login};

/// Variables that make the table of those who may log in another one.
const IN_THE_TABLE: [&str; 2] = ["admin-admin_credentials", "admin-stats_credentials"];
/// Where `ProxySQL` listens for administrators.
const INTERFACES: &str = "admin-mysql_ifaces";
/// A load that changes where it listens has an effect within half a second; until then it listens where it did.
const LISTENS_ANEW: Duration = Duration::from_secs(1);
/// Between two tries to get in meanwhile.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How often somebody is tried to be let in, where neither yes nor no is heard.
const TRIES: usize = 3;

/// What a module was before it was worked on, to be put back.
pub(super) struct BeforeLoad {
    module: Module,
    tables: Vec<Table>,
}

/// Who has to get in, and from where.
pub(super) struct Doors {
    /// Where the other nodes come to; `None` where they come where the agent does.
    listed: Option<(String, u16)>,
    /// How long it takes until a load shows whether they get in.
    settles_in: Duration,
}

/// Why somebody does not get in.
pub(super) enum Closed {
    /// `ProxySQL` said no.
    Refused(String),
    /// It said neither yes nor no.
    Unknown(String),
}

impl Closed {
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Refused(reason) | Self::Unknown(reason) => reason,
        }
    }
}

impl BeforeLoad {
    /// Copies aside what is in effect. Memory is that, too, then.
    pub(super) async fn back_up<P: Proxysql>(module: Module, admin: &mut P) -> Result<Self, AdminError> {
        let tables: Vec<Table> = columns(module, admin).await?.into_keys().collect();
        reset_memory(module, admin).await?;
        for table in &tables {
            back_up(module, *table, admin).await?;
        }
        Ok(Self { module, tables })
    }

    /// It is not needed any more.
    pub(super) async fn forget<P: Proxysql>(self, admin: &mut P) -> Result<(), AdminError> {
        for table in self.tables {
            admin.run(&Statement::DropBackup(table)).await?;
        }
        Ok(())
    }

    /// Puts it into effect again, at once: whoever counts checks to three before it pulls has not pulled the other yet. `loaded` is what was
    /// loaded.
    pub(super) async fn reset_memory<P: Tracked>(
        self,
        loaded: &Plan,
        doors: &Doors,
        spacing: &mut Spacing,
        admin: &mut P,
    ) -> Result<(), AdminError> {
        let module = self.module;
        for table in self.tables {
            restore_backup(table, admin).await?;
        }
        spacing.apply(loaded, admin).await?;
        reset_memory(module, admin).await?;
        if let Some(closed) = doors.closed(admin).await? {
            error!(%module, reason = %closed.reason(), "restored the previous configuration, but logins still fail");
        } else {
            warn!(%module, "restored the previous configuration");
        }
        Ok(())
    }
}

impl Doors {
    /// Finds out where the other nodes come to: the address that `own` has for them, where something answers there.
    pub(super) async fn find<P: Proxysql>(
        own: Option<&Member>,
        sorted: &Sorted,
        admin: &mut P,
    ) -> Result<Self, AdminError> {
        let moves = sorted.to_load.iter().any(|difference| difference.key.iter().any(|name| name == INTERFACES));
        let settles_in = if moves { LISTENS_ANEW } else { Duration::ZERO };
        let Some(own) = own else { return Ok(Self { listed: None, settles_in }) };
        let somebody = Login { username: String::new(), password: String::new() };
        let login = cluster_login(admin).await?.unwrap_or(somebody);
        let answers = match admin.ask_peer(&own.hostname, own.port, &login, &[Statement::Checksums]).await {
            Ok(_) | Err(AdminError::LoginRefused { .. } | AdminError::Refused { .. }) => true,
            Err(_) => false,
        };
        Ok(Self { listed: answers.then(|| (own.hostname.clone(), own.port)), settles_in })
    }

    /// Which login fails now, and why; `None` if both work. After a load that moves the admin port, no answer counts as a failure.
    pub(super) async fn closed<P: Proxysql>(&self, admin: &mut P) -> Result<Option<Closed>, AdminError> {
        let began = Instant::now();
        loop {
            let closed = self.closed_now(admin).await?;
            if self.settles_in.is_zero() {
                return Ok(closed);
            }
            if began.elapsed() >= self.settles_in {
                return Ok(closed.map(|closed| Closed::Refused(closed.reason().to_owned())));
            }
            sleep(TRY_AGAIN).await;
        }
    }

    async fn closed_now<P: Proxysql>(&self, admin: &mut P) -> Result<Option<Closed>, AdminError> {
        let mut unknown = None;
        for _ in 0..TRIES {
            let agent = admin.log_in_afresh(None).await;
            let outcome = match agent {
                Err(error) => Err(("this agent", error)),
                Ok(()) => match cluster_login(admin).await? {
                    Some(login) => self.cluster(&login, admin).await.map_err(|error| ("the cluster", error)),
                    None => Ok(()),
                },
            };
            match outcome {
                Ok(()) => return Ok(None),
                Err((who, error @ (AdminError::LoginRefused { .. } | AdminError::Refused { .. }))) => {
                    return Ok(Some(Closed::Refused(format!(
                        "with it in effect, {who} does not get in any more: {error}"
                    ))));
                }
                Err((who, error)) => {
                    unknown = Some(Closed::Unknown(format!(
                        "with it in effect, whether {who} gets in is not known: {error}"
                    )));
                }
            }
        }
        Ok(unknown)
    }

    async fn cluster<P: Proxysql>(&self, login: &Login, admin: &P) -> Result<(), AdminError> {
        match &self.listed {
            Some((host, port)) => admin.ask_peer(host, *port, login, &[Statement::Checksums]).await.map(drop),
            None => admin.log_in_afresh(Some(login)).await,
        }
    }
}

/// The load of a module as it is in memory. Where that changes who may log in, the table of those who may is made anew with it, as it will be
/// at the next start: else a database user of the same name would win there only then.
pub(super) async fn load<P: Proxysql>(module: Module, sorted: &Sorted, admin: &mut P) -> Result<Plan, AdminError> {
    let plan = Plan::default().then(Statement::LoadToRuntime(module));
    let in_the_table = |name: &String| IN_THE_TABLE.contains(&name.as_str());
    let changes = sorted.to_load.iter().any(|difference| difference.key.iter().any(in_the_table));
    if module != Module::AdminVariables || !changes {
        return Ok(plan);
    }
    reset_memory(Module::MysqlUsers, admin).await?;
    Ok(plan.then(Statement::LoadToRuntime(Module::MysqlUsers)))
}

/// Why it could not be told after a load whether the agent still gets in: it cannot be told now. That it is refused now tells: its password
/// may have been changed together with the file.
pub(super) async fn cannot_tell<P: Proxysql>(admin: &P) -> Option<String> {
    match admin.log_in_afresh(None).await {
        Ok(()) | Err(AdminError::LoginRefused { .. } | AdminError::Refused { .. }) => None,
        Err(error) => Some(format!("whether this agent would still get in cannot be told: {error}")),
    }
}
