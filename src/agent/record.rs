//! What `ProxySQL` remembers for the agent of what loads came to: a new agent, and a plan, know it too.

use std::collections::BTreeSet;

use super::Proxysql;
use crate::domain::config_file::publish::Difference;
use crate::domain::proxysql::statement::{Module, Record, RecordKind, Statement};
use crate::edge::admin::AdminError;

/// What is remembered of a module.
#[derive(Debug, Default)]
pub(super) struct Recorded(Vec<[String; 3]>);

impl Recorded {
    /// Reads it; nothing, where nothing was ever remembered.
    pub(super) async fn read<P: Proxysql>(module: Module, admin: &mut P) -> Result<Self, AdminError> {
        match admin.run(&Statement::Record(Record::Read(module))).await {
            Ok(answer) => Ok(Self::of_rows(answer.rows)),
            Err(error) if error.names_no_such_table() => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// What an answer says, of this `ProxySQL` or another one.
    pub(super) fn of_rows(rows: Vec<Vec<String>>) -> Self {
        Self(rows.into_iter().filter_map(|row| row.try_into().ok()).collect())
    }

    /// Whether this was found.
    pub(super) fn has(&self, kind: RecordKind, fingerprint: &str) -> bool {
        self.reason(kind, fingerprint).is_some()
    }

    /// All that was found of a kind.
    fn of(self, kind: RecordKind) -> BTreeSet<String> {
        let found = self.0.into_iter().filter(|[of, ..]| of == kind.as_str());
        found.map(|[_, fingerprint, _]| fingerprint).collect()
    }

    /// What was said of it.
    pub(super) fn reason(&self, kind: RecordKind, fingerprint: &str) -> Option<&str> {
        let found = self.0.iter().find(|[of, by, _]| of == kind.as_str() && by == fingerprint);
        found.map(|[_, _, reason]| reason.as_str())
    }
}

/// Remembers what `ProxySQL` shows otherwise than it was told, or does not take, in place of what it did before.
pub(super) async fn differs<P: Proxysql>(
    module: Module,
    kind: RecordKind,
    differences: &[Difference],
    admin: &mut P,
) -> Result<(), AdminError> {
    replace(module, kind, rows_of(differences), admin).await
}

/// Remembers more of it.
pub(super) async fn add_differences<P: Proxysql>(
    module: Module,
    kind: RecordKind,
    differences: &[Difference],
    admin: &mut P,
) -> Result<(), AdminError> {
    if differences.is_empty() {
        return Ok(());
    }
    admin.run(&Statement::Record(Record::Create)).await?;
    admin.run(&Statement::Record(Record::Add(module, kind, rows_of(differences)))).await?;
    Ok(())
}

fn rows_of(differences: &[Difference]) -> Vec<(String, String)> {
    differences.iter().map(|difference| (difference.fingerprint(), difference.to_string())).collect()
}

/// Remembers that this try to load something locked somebody out.
pub(super) async fn locks_out<P: Proxysql>(
    module: Module,
    attempt: String,
    reason: &str,
    admin: &mut P,
) -> Result<(), AdminError> {
    replace(module, RecordKind::LocksOut, vec![(attempt, reason.to_owned())], admin).await
}

/// Forgets what locked somebody out: it may not any more.
pub(super) async fn forget_lockouts<P: Proxysql>(admin: &mut P) -> Result<(), AdminError> {
    match admin.run(&Statement::Record(Record::Forget(None, RecordKind::LocksOut))).await {
        Err(error) if !error.names_no_such_table() => Err(error),
        _ => Ok(()),
    }
}

/// The connections of followers that the list of members was loaded for, by an earlier agent of this process.
pub(super) async fn followers<P: Proxysql>(admin: &mut P) -> Result<BTreeSet<String>, AdminError> {
    Ok(Recorded::read(Module::ProxysqlServers, admin).await?.of(RecordKind::Follower))
}

/// Remembers more of them.
pub(super) async fn add_followers<P: Proxysql>(followers: BTreeSet<String>, admin: &mut P) -> Result<(), AdminError> {
    if followers.is_empty() {
        return Ok(());
    }
    let rows = followers.into_iter().map(|follower| (follower, String::new())).collect();
    admin.run(&Statement::Record(Record::Create)).await?;
    admin.run(&Statement::Record(Record::Add(Module::ProxysqlServers, RecordKind::Follower, rows))).await?;
    Ok(())
}

async fn replace<P: Proxysql>(
    module: Module,
    kind: RecordKind,
    rows: Vec<(String, String)>,
    admin: &mut P,
) -> Result<(), AdminError> {
    admin.run(&Statement::Record(Record::Create)).await?;
    admin.run(&Statement::Record(Record::Forget(Some(module), kind))).await?;
    if !rows.is_empty() {
        admin.run(&Statement::Record(Record::Add(module, kind, rows))).await?;
    }
    Ok(())
}
