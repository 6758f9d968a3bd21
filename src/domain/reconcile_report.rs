//! How a round left things, apart from what `ProxySQL` itself says: for people and machines to read.

use serde::Serialize;

use crate::domain::cluster::drift::{DriftClass, Subject};
use crate::domain::cluster::member::Members;
use crate::domain::cluster::rollout;
use crate::domain::cluster::sync_state;
use crate::domain::discovery::discovered::DiscoveryHealth;
use crate::domain::health::Verdict;

/// What a core's or a satellite's agent knows after a round.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Where this node and its peers differ for longer than a pull takes.
    pub drift: Vec<(Subject, DriftClass)>,
    /// Why the configuration file is not published, if it is not.
    pub refused: Option<String>,
    /// What the file names and `ProxySQL` did not take, of modules that were published.
    pub passed_over: Vec<String>,
    /// Sections of the file that are not published.
    pub not_published: Vec<String>,
    /// Why the file is not published though that was asked for: this core is not the one to.
    pub unwilling: Option<String>,
    /// The members that there should be; `None` on a satellite, and while nobody knows, there are none, or others may know better.
    pub desired: Option<Members>,
    /// The last members stay because no core pod runs, says who should know.
    pub held: bool,
    /// Whether this core's file is the newest; `None` on a satellite.
    pub rollout: Option<rollout::RolloutState>,
    /// What a satellite's list of cores can do; `None` on a core and before the first round.
    pub following: Option<sync_state::SyncState>,
    /// How the search for cores goes; `None` on a satellite.
    pub discovery: Option<DiscoveryHealth>,
}

/// How a node is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverallHealth {
    /// Nothing is wrong.
    Ok,
    /// It serves clients, and something deserves a look.
    Degraded,
    /// Clients should not be sent here, or `ProxySQL` hangs.
    Unhealthy,
    /// It is on its way down.
    Draining,
}

impl OverallHealth {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
        }
    }
}

/// Something that is wrong. The word is stable, for machines; the sentence is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// One of [`REASONS`](crate::domain::health::REASONS), or `not_live`, `publish_refused`, `passed_over`, `drift`, `members_frozen`,
    /// `members_missing`, `discovery_down`, `not_syncing`.
    pub problem: &'static str,
    /// What is the matter.
    pub message: String,
}

/// How a node is, and everything that is wrong with it: `ready` and `live` are what these probes are told, `listed` are the rows of
/// `proxysql_servers` in effect.
pub fn overall_health(
    ready: &Verdict,
    live: &Verdict,
    report: &ReconcileReport,
    listed: Option<&Members>,
) -> (OverallHealth, Vec<Problem>) {
    let mut problems: Vec<Problem> = Vec::new();
    let mut wrong = |problem: &'static str, message: String| problems.push(Problem { problem, message });
    for reason in &ready.reasons {
        wrong(reason.reason, reason.message.clone());
    }
    if let Some(reason) = live.reasons.first() {
        wrong("not_live", reason.message.clone());
    }
    if let Some(reason) = &report.refused {
        wrong("publish_refused", format!("the configuration file is not published: {reason}"));
    }
    if let Some(reason) = &report.unwilling {
        wrong("publish_refused", format!("the configuration file is not published as asked: {reason}"));
    }
    if !report.passed_over.is_empty() {
        let entries = report.passed_over.join(", ");
        wrong("passed_over", format!("ProxySQL does not take these from the configuration file: {entries}"));
    }
    for (subject, class) in &report.drift {
        wrong("drift", format!("{subject}: {class}"));
    }
    if report.held {
        wrong("members_frozen", "discovery found no running core pod; keeping the current member list".to_owned());
    }
    if let (Some(desired), Some(listed)) = (&report.desired, listed) {
        let missing = desired.difference(listed).count();
        if missing > 0 {
            wrong("members_missing", format!("{missing} of {} members are not at runtime", desired.len()));
        }
    }
    if report.discovery.is_some_and(|discovery| discovery.failing) {
        wrong(
            "discovery_down",
            "core discovery is failing; the member list is left to cores whose discovery works".to_owned(),
        );
    }
    if let Some(following) = report.following.filter(|following| *following != sync_state::SyncState::Connected) {
        wrong("not_syncing", format!("no core answers: {}", following.as_str()));
    }
    let health = if ready.is_draining() {
        OverallHealth::Draining
    } else if !ready.ok || !live.ok {
        OverallHealth::Unhealthy
    } else if problems.is_empty() {
        OverallHealth::Ok
    } else {
        OverallHealth::Degraded
    };
    (health, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cluster::drift::{DriftClass, Subject};
    use crate::domain::cluster::member::Member;
    use crate::domain::drain::Phase;
    use crate::domain::health::{self, Contact, HealthInput, Policy, Probe, Snapshot};
    use std::time::Duration;

    const POLICY: Policy = Policy { max_age: Duration::from_secs(10), require_config: false, min_online: 0 };

    fn judged(contact: Contact, stage: Phase, report: &ReconcileReport) -> (OverallHealth, Vec<&'static str>) {
        let snapshot = Snapshot::default();
        let silence = contact.silence().unwrap_or_default();
        let age = Some(Duration::ZERO);
        let known = HealthInput { snapshot: Some(&snapshot), age, contact, silence, trouble: None, stage, drain: None };
        let verdict = |probe| health::probe_verdict(&known, &POLICY, probe);
        let listed = [Member::of_pod("10.0.0.1", 6032, "core-1")].into();
        let (health, problems) = overall_health(&verdict(Probe::Ready), &verdict(Probe::Live), report, Some(&listed));
        (health, problems.into_iter().map(|problem| problem.problem).collect())
    }

    const FINE: Contact = Contact::Answering(Duration::ZERO);

    #[test]
    fn a_node_with_nothing_wrong_is_ok() {
        let desired = Some([Member::of_pod("10.0.0.1", 6032, "core-1")].into());
        let report = ReconcileReport {
            desired,
            following: Some(sync_state::SyncState::Connected),
            ..ReconcileReport::default()
        };
        assert_eq!(judged(FINE, Phase::Running, &report), (OverallHealth::Ok, vec![]));
    }

    #[test]
    fn each_thing_that_is_wrong_is_named() {
        let report = ReconcileReport {
            drift: vec![(Subject { peer: None, module: None }, DriftClass::NotAsPublished)],
            refused: Some("no".into()),
            passed_over: vec!["mysql_users app (active)".into()],
            not_published: vec!["mysql_collations".into()],
            unwilling: None,
            desired: Some([Member::of_pod("10.0.0.2", 6032, "core-2")].into()),
            held: true,
            rollout: None,
            following: Some(sync_state::SyncState::Isolated),
            discovery: Some(DiscoveryHealth { failing: true, ..DiscoveryHealth::default() }),
        };
        let all = [
            "publish_refused",
            "passed_over",
            "drift",
            "members_frozen",
            "members_missing",
            "discovery_down",
            "not_syncing",
        ];
        assert_eq!(judged(FINE, Phase::Running, &report), (OverallHealth::Degraded, all.to_vec()));
    }

    #[test]
    fn a_node_that_is_not_ready_is_unhealthy_whatever_else() {
        let silent = Contact::Answering(Duration::from_secs(11));
        let found = judged(silent, Phase::Running, &ReconcileReport::default());
        assert_eq!(found, (OverallHealth::Unhealthy, vec!["unreachable", "not_live"]));
        assert_eq!(
            judged(FINE, Phase::Draining, &ReconcileReport::default()),
            (OverallHealth::Draining, vec!["draining"])
        );
    }
}
