//! Whether what is in effect is what it must be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::corpus;
use super::site::{Files, Outcome, Site};
use super::tables::{Look, differ};

/// A file, and on what it is tried.
pub(super) struct Trial<'a> {
    pub(super) files: &'a Files,
    /// What was in effect before, in words.
    pub(super) before: &'a str,
    /// What was changed in the file, in words.
    pub(super) edit: Option<&'a str>,
}

impl Trial<'_> {
    /// What is wrong, with all that it takes to try it again.
    fn says(&self, phase: &str, what: &str) -> String {
        let edit = self.edit.map(|edit| format!(" [{edit}]")).unwrap_or_default();
        format!("{}{edit} after {} | {phase} | {what}", self.files.name, self.before)
    }
}

/// The modules, the sections that speak of them, and their tables; those without words in a file are marked.
const MODULES: [(&str, &[&str], &[&str]); 5] = [
    (
        "mysql_servers",
        &[
            "mysql_servers",
            "mysql_replication_hostgroups",
            "mysql_group_replication_hostgroups",
            "mysql_galera_hostgroups",
            "mysql_aws_aurora_hostgroups",
            "mysql_servers_ssl_params",
        ],
        &["mysql_hostgroup_attributes"],
    ),
    ("mysql_users", &["mysql_users"], &[]),
    ("mysql_query_rules", &["mysql_query_rules"], &["mysql_query_rules_fast_routing"]),
    ("scheduler", &["scheduler"], &[]),
    ("restapi", &["restapi"], &[]),
];

/// Tables of a section whose name is another.
fn table(section: &str) -> &str {
    if section == "restapi" { "restapi_routes" } else { section }
}

/// Far more than three checks of a monitor take.
const MONITOR: Duration = Duration::from_secs(20);

/// A running ProxySQL does not change them.
const FIXED: [&str; 4] = ["admin-version", "mysql-interfaces", "mysql-stacksize", "mysql-threads"];

/// Whether the file has a section; in the corpus they begin at the beginning of a line.
fn has_section(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let rest = line.strip_prefix(name).map(str::trim_start);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['=', ':', '#', '/']))
    })
}

/// Publishes, and answers what is wrong then and at the second pass.
pub(super) async fn faults(site: &mut Site, trial: &Trial<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let before = site.look().await;
    let (mut wanted, named) = site.fresh(trial.files).await;
    let outcome = site.publish(trial.files).await;
    let compared = settled(site, trial, &before, (&mut wanted, &named), &outcome).await;
    let publishes = compared.is_empty();
    wrong.extend(compared.iter().map(|what| trial.says("fresh start", what)));
    let is_refused = !outcome.refused.is_empty();
    let expected = corpus::refused(&trial.files.name, trial.before);
    if trial.edit.is_none() {
        for (module, reason) in &outcome.refused {
            if !expected.contains(module) {
                wrong.push(trial.says("refused", &format!("{module}: {reason}")));
            }
        }
    }
    let says_so = outcome.problems.iter().any(|problem| problem.contains("refused"));
    if is_refused != says_so {
        wrong.push(trial.says("status", &format!("{:?} for {:?}", outcome.problems, outcome.refused)));
    }
    let planned = site.plan().await;
    if planned.code != Some(i32::from(is_refused)) {
        wrong.push(trial.says("plan", &format!("exit {:?}: {}", planned.code, told(&planned.text))));
    }
    let versions = site.versions().await;
    site.reload().await;
    let after = site.versions().await;
    if after != versions {
        wrong.push(trial.says("second pass", &format!("loads: {versions:?} -> {after:?}")));
    }
    let again = settled(site, trial, &before, (&mut wanted, &named), &outcome).await;
    if publishes && !again.is_empty() {
        wrong.extend(again.iter().map(|what| trial.says("after the second pass", what)));
    }
    if wrong.iter().any(|_| std::env::var_os("ORACLE_STORY").is_some()) {
        wrong.push(site.story());
    }
    corpus::unknown(wrong)
}

/// Compares what is in effect. Servers of a pair that miss three checks are readers to the monitor, and it has not looked at the same
/// moment here and there: where it runs, both are looked at until they agree.
async fn settled(
    site: &Site,
    trial: &Trial<'_>,
    before: &Look,
    (wanted, named): (&mut Look, &BTreeMap<String, String>),
    outcome: &Outcome,
) -> Vec<String> {
    let began = Instant::now();
    loop {
        let found = site.look().await;
        let mut compared = compare(trial, before, wanted, (named, &site.least), &found, outcome);
        if !site.monitor {
            return compared;
        }
        // A load has the servers in memory stand where the monitor has moved them.
        compared.retain(|what| !what.starts_with("memory: mysql_servers:"));
        if compared.is_empty() || began.elapsed() > MONITOR {
            return compared;
        }
        sleep(Duration::from_millis(500)).await;
        wanted.take_over(&site.look_at_fresh().await, "runtime_mysql_servers");
    }
}

/// Has another agent come; answers what it does though there is nothing to do.
pub(super) async fn with_another_agent(site: &mut Site, trial: &Trial<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let versions = site.versions().await;
    site.new_agent().await;
    let after = site.versions().await;
    if after != versions {
        wrong.push(trial.says("new agent", &format!("loads: {versions:?} -> {after:?}")));
    }
    site.reload().await;
    let later = site.versions().await;
    if later != after {
        wrong.push(trial.says("new agent's reload", &format!("loads: {after:?} -> {later:?}")));
    }
    corpus::unknown(wrong)
}

/// Has another agent and another ProxySQL come; answers what they do though there is nothing to do.
pub(super) async fn with_others(site: &mut Site, trial: &Trial<'_>) -> Vec<String> {
    let mut wrong = with_another_agent(site, trial).await;
    // What the file does not name is as it is at a fresh start: two nodes that differ in that cannot both keep what they have.
    site.afresh(trial.files).await;
    let (before, first) = (site.look().await, site.versions().await);
    let loads = site.with_a_peer(trial.files).await;
    // Nodes that do not know each other cannot tell each other.
    let loads = loads.into_iter().filter(|_| trial.files.is_in_a_cluster());
    wrong.extend(loads.map(|what| trial.says("new ProxySQL beside it", &format!("its agent loads: {what}"))));
    let last = site.versions().await;
    if last != first {
        wrong.push(trial.says("new ProxySQL beside it", &format!("loads: {first:?} -> {last:?}")));
    }
    let found = site.look().await;
    // What is in effect, and not which form of a variable is in memory before anything was published.
    let is_compared = |table: &str| table != "global_variables" && !(site.monitor && table == "runtime_mysql_servers");
    for (table, rows) in before.0.iter().filter(|(table, _)| is_compared(table)) {
        let differences = differ(table, rows, found.rows(table));
        wrong.extend(differences.iter().map(|what| trial.says("new ProxySQL beside it", what)));
    }
    corpus::unknown(wrong)
}

fn told(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.ends_with("nothing to do"));
    lines.collect::<Vec<_>>().join(" / ")
}

fn compare(
    trial: &Trial<'_>,
    before: &Look,
    wanted: &Look,
    (named, least): (&BTreeMap<String, String>, &Look),
    found: &Look,
    outcome: &Outcome,
) -> Vec<String> {
    let text = trial.files.text();
    let mut wrong = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (module, sections, wordless) in MODULES {
        let is_spoken_of = sections.iter().any(|section| has_section(&text, section));
        let stays = !is_spoken_of || outcome.refused.contains_key(module);
        for section in sections {
            let name = table(section);
            let runtime = format!("runtime_{name}");
            let of = if stays { before } else { wanted };
            wrong.extend(differ(&runtime, of.rows(&runtime), found.rows(&runtime)));
            if !stays {
                wrong.extend(
                    differ(name, wanted.rows(name), found.rows(name)).into_iter().map(|what| format!("memory: {what}")),
                );
            }
            seen.insert(runtime);
        }
        for name in wordless {
            let runtime = format!("runtime_{name}");
            wrong.extend(differ(&runtime, before.rows(&runtime), found.rows(&runtime)));
            seen.insert(runtime);
        }
    }
    let names: BTreeSet<String> = wanted.variables().chain(found.variables()).collect();
    for name in names.iter().filter(|name| !FIXED.contains(&name.as_str())) {
        let module = format!("{}_variables", name.split('-').next().unwrap_or_default());
        let (was, fresh, is) = (before.variable(name), wanted.variable(name), found.variable(name));
        let is_right = if outcome.refused.contains_key(&module) {
            is == was
        } else {
            // What the file does not name stays, unless something that it names sets it, too: have_compress server_capabilities.
            // So does one whose value ProxySQL does not take: nobody but a fresh start knows what it has by itself.
            let is_taken = named
                .get(name)
                .is_some_and(|value| fresh == Some(&format!("{value:?}")) || fresh != least.variable(name));
            is == fresh || (is == was && !is_taken)
        };
        if !is_right {
            wrong.push(format!("{name}: {is:?}, a fresh start has {fresh:?}, was {was:?}"));
        }
    }
    seen.insert("runtime_global_variables".to_owned());
    for (name, rows) in found.0.iter().filter(|(name, _)| name.starts_with("runtime_") && !seen.contains(*name)) {
        wrong.extend(differ(name, before.rows(name), rows));
    }
    wrong
}
