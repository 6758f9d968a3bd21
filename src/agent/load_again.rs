//! Loads a module again with the content that it has at runtime.

use tokio::time::Instant;

use super::memory::{lock_memory, module_checksum, set_marker, unlock_memory};
use super::proxysql::Tracked;
use super::round::{Next, RoundError, SPACING, Spacing, observe};
use crate::domain::proxysql::statement::{Module, Plan, Statement, Worker};

/// Loads what is in effect, not what somebody is editing. The list of members is right in memory.
pub(super) fn in_effect_again(module: Module) -> Plan {
    let plan = Plan::default();
    let plan = if module == Module::ProxysqlServers { plan } else { plan.then(Statement::SaveToMemory(module)) };
    plan.then(Statement::LoadToRuntime(module))
}

/// Loads a module once more, as it is in effect, unless memory is being worked on or it was loaded a moment ago; `None` if it was.
pub(super) async fn load_again<P: Tracked>(
    module: Module,
    spacing: &mut Spacing,
    admin: &mut P,
) -> Result<Option<Next>, RoundError> {
    let plan = in_effect_again(module);
    if let Some(at) = spacing.wait_for(&plan) {
        spacing.waits(module, "it was loaded in this second");
        return Ok(Some(Next::At(at)));
    }
    if !lock_memory(Worker::Agent, admin).await? {
        spacing.waits(module, "something else works on memory");
        return Ok(Some(Next::At(Instant::now() + SPACING)));
    }
    spacing.waits_no_more(module);
    let loaded = as_published(module, &plan, spacing, admin).await;
    let released = unlock_memory(admin).await;
    loaded?;
    released?;
    Ok(None)
}

/// Loads what is in effect. What was as published before is so afterwards: the checksum may be another one for the same content, such as
/// where the monitor has moved servers since.
async fn as_published<P: Tracked>(
    module: Module,
    plan: &Plan,
    spacing: &mut Spacing,
    admin: &mut P,
) -> Result<(), RoundError> {
    let seen = observe(admin).await?;
    let before = seen.own(module).cloned().unwrap_or_default();
    spacing.apply(plan, admin).await?;
    let is_marked = seen.published.get(&module) == Some(&Some(before.checksum));
    if is_marked {
        let after = module_checksum(module, admin).await?;
        if after.version == before.version + 1 {
            set_marker(module, Some(after.checksum), seen.published_from.get(&module).cloned(), admin).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::agent::proxysql::Proxysql;
    use crate::domain::counters::Count;
    use crate::domain::proxysql::observation::Observation;
    use crate::edge::admin::{AdminError, Answer, Login};

    /// A `ProxySQL` in which each load makes another checksum of the same content, as it does of servers that the monitor has moved.
    #[derive(Debug, Default)]
    struct Moved {
        loads: u64,
        heard: Vec<String>,
    }

    impl Moved {
        fn checksum(&self) -> [String; 3] {
            [(self.loads + 2).to_string(), "50".into(), format!("0xA{}", self.loads)]
        }
    }

    impl Proxysql for Moved {
        async fn run(&mut self, statement: &Statement) -> Result<Answer, AdminError> {
            self.heard.push(statement.to_string());
            let row = |columns: &[&str]| columns.iter().map(ToString::to_string).collect::<Vec<_>>();
            let own = |name: &str| [vec![name.to_owned()], self.checksum().to_vec()].concat();
            let rows = match statement {
                Statement::LoadToRuntime(_) => {
                    self.loads += 1;
                    Vec::new()
                }
                Statement::Observe => vec![
                    row(&["clock", "100", "0"]),
                    [vec!["own".to_owned()], own("mysql_servers_v2"), vec![String::new(); 3]].concat(),
                    row(&["published", "mysql_servers_v2", "CREATE TABLE p (\"0xA0\" INT, \"file 1f\" INT)"]),
                ],
                Statement::Checksums => vec![own("mysql_servers_v2")],
                _ => Vec::new(),
            };
            Ok(Answer { rows, affected: 0 })
        }

        async fn ask_peer(&self, _: &str, _: u16, _: &Login, _: &[Statement]) -> Result<Vec<Answer>, AdminError> {
            Ok(Vec::new())
        }

        async fn unanswered_clients(&self, _: &[Vec<String>], _: Duration) -> Option<(usize, usize)> {
            None
        }

        async fn log_in_afresh(&self, _: Option<&Login>) -> Result<(), AdminError> {
            Ok(())
        }

        async fn login(&self) -> (String, Option<String>) {
            ("radmin".into(), None)
        }

        fn logins(&self) -> u64 {
            1
        }
    }

    impl Tracked for Moved {
        fn count(&self, _: Count) {}

        fn observed(&mut self, _: &mut Observation) {}
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_as_published_is_so_after_it_was_loaded_again() {
        let mut admin = Moved::default();
        let mut spacing = Spacing::default();
        load_again(Module::MysqlServers, &mut spacing, &mut admin).await.unwrap();
        let mark = admin.heard.iter().find(|sql| sql.starts_with("CREATE TABLE IF NOT EXISTS")).unwrap();
        assert!(mark.contains("\"0xA1\"") && mark.contains("\"file 1f\""), "{mark}");

        // It was not as published before: what was loaded by hand is not called published.
        let mut admin = Moved { loads: 1, heard: Vec::new() };
        load_again(Module::MysqlServers, &mut Spacing::default(), &mut admin).await.unwrap();
        assert!(admin.loads == 2 && !admin.heard.iter().any(|sql| sql.contains("published_mysql_servers")));
    }
}
