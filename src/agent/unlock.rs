//! Loading a module once more, as it is in effect.

use tokio::time::Instant;

use super::Proxysql;
use super::draft::{claim, release};
use super::round::{Next, RoundError, SPACING, Spacing};
use crate::domain::proxysql::statement::{Module, Plan, Statement, Worker};

/// Loads what is in effect, not what somebody is editing. The list of members is right in memory.
pub(super) fn in_effect_again(module: Module) -> Plan {
    let plan = Plan::default();
    let plan = if module == Module::ProxysqlServers { plan } else { plan.then(Statement::SaveToMemory(module)) };
    plan.then(Statement::LoadToRuntime(module))
}

/// Loads a module once more, as it is in effect, unless memory is being worked on or it was loaded a moment ago; `None` if it was.
pub(super) async fn load_again<P: Proxysql>(
    module: Module,
    spacing: &mut Spacing,
    admin: &mut P,
) -> Result<Option<Next>, RoundError> {
    let plan = in_effect_again(module);
    if let Some(at) = spacing.wait_for(&plan) {
        spacing.waits(module, "it was loaded in this second");
        return Ok(Some(Next::At(at)));
    }
    if !claim(Worker::Agent, admin).await? {
        spacing.waits(module, "something else works on memory");
        return Ok(Some(Next::At(Instant::now() + SPACING)));
    }
    spacing.waits_no_more(module);
    let loaded = spacing.apply(&plan, admin).await;
    let released = release(admin).await;
    loaded?;
    released?;
    Ok(None)
}
