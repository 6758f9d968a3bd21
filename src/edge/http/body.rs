//! The body of an answer that tells of health, and the code that goes with a verdict.

use axum::http::StatusCode;
use serde::Serialize;

use crate::domain::drain::{Phase, Progress};
use crate::domain::health::{BackendCounts, HealthInput, Probe, Reason, Verdict};

/// The body of every answer, errors too: no field comes and goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Body {
    /// `ok`, `draining` or `unhealthy`; `error` where the request itself was wrong.
    pub(super) status: &'static str,
    /// One sentence.
    pub(super) message: String,
    /// `startup`, `readiness` or `liveness`; null in an answer to anything else.
    probe: Option<&'static str>,
    /// Whether this node is shutting down.
    draining: bool,
    /// Logged-in clients, as of the snapshot.
    clients: u64,
    /// Servers, as of the snapshot.
    backends: BackendCounts,
    /// How far down the way.
    phase: Phase,
    /// Why the answer is no; empty where it is yes.
    reasons: Vec<Reason>,
    /// How old the snapshot is, in ms; null before the first.
    age_ms: Option<u64>,
    /// The drain that is under way, or the last one; null if there was none.
    drain: Option<Progress>,
}

impl Body {
    /// How things are, judging nothing.
    pub(super) fn new(known: &HealthInput<'_>) -> Self {
        Self {
            status: if known.is_draining() { "draining" } else { "ok" },
            message: String::new(),
            probe: None,
            draining: known.is_draining(),
            clients: known.clients(),
            backends: known.backends(),
            phase: known.stage,
            reasons: Vec::new(),
            age_ms: known.age_ms(),
            drain: known.drain.cloned(),
        }
    }

    /// What a probe is told.
    pub(super) fn of_probe(known: &HealthInput<'_>, probe: Probe, verdict: Verdict) -> Self {
        let is_down = !known.is_draining() && !verdict.ok;
        Self {
            status: if is_down { "unhealthy" } else { Self::new(known).status },
            message: message(known, probe, &verdict),
            probe: Some(probe.as_str()),
            reasons: verdict.reasons,
            ..Self::new(known)
        }
    }
}

/// The code of an answer to a probe.
pub(super) fn code(verdict: &Verdict) -> StatusCode {
    if verdict.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// What a probe is told, in one sentence.
pub(super) fn message(known: &HealthInput<'_>, probe: Probe, verdict: &Verdict) -> String {
    if known.is_draining() {
        "shutting down".to_owned()
    } else if let Some(reason) = verdict.reasons.first() {
        reason.message.clone()
    } else if probe == Probe::Started {
        "ok".to_owned()
    } else {
        about(known.backends()).to_owned()
    }
}

/// The Go agent's words. It calls no backend at all offline, too.
fn about(backends: BackendCounts) -> &'static str {
    match backends {
        BackendCounts { online: 0, .. } => "all backends offline",
        BackendCounts { total, online, .. } if online < total => "some backends offline",
        _ => "all backends online",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::health::{Contact, Policy, Snapshot, probe_verdict};

    const POLICY: Policy = Policy { max_age: Duration::from_secs(10), require_config: false, min_online: 0 };

    fn known(snapshot: Option<&Snapshot>, contact: Contact, stage: Phase) -> HealthInput<'_> {
        let (age, silence) = (snapshot.map(|_| Duration::from_millis(250)), Duration::ZERO);
        HealthInput { snapshot, age, contact, silence, trouble: None, stage, drain: None }
    }

    fn told(known: &HealthInput<'_>, probe: Probe) -> (StatusCode, Body) {
        let verdict = probe_verdict(known, &POLICY, probe);
        (code(&verdict), Body::of_probe(known, probe, verdict))
    }

    fn configured(statuses: &[(&str, u64)]) -> Snapshot {
        let backends = statuses.iter().map(|(status, many)| (("0".to_owned(), (*status).to_owned()), *many)).collect();
        Snapshot { users: 1, clients: 3, backends, ..Snapshot::default() }
    }

    #[test]
    fn backends_are_told_in_the_words_of_the_go_agent() {
        let cases: [(&[(&str, u64)], &str); 4] = [
            (&[("ONLINE", 2)], "all backends online"),
            (&[("ONLINE", 2), ("SHUNNED", 1)], "some backends offline"),
            (&[("OFFLINE_HARD", 3)], "all backends offline"),
            (&[], "all backends offline"),
        ];
        for (statuses, message) in cases {
            let snapshot = configured(statuses);
            let known = known(Some(&snapshot), Contact::Answering(Duration::ZERO), Phase::Running);
            let (code, body) = told(&known, Probe::Ready);
            assert_eq!((code, body.status, body.message.as_str()), (StatusCode::OK, "ok", message));
            assert_eq!((body.clients, body.age_ms), (3, Some(250)));
            assert_eq!(told(&known, Probe::Started).1.message, "ok");
        }
    }

    #[test]
    fn a_no_is_503_with_its_reason_and_a_shutdown_says_so_to_all_probes() {
        let (code, body) = told(&known(None, Contact::Never, Phase::Running), Probe::Ready);
        assert_eq!((code, body.status), (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"));
        assert_eq!(body.message, body.reasons[0].message);
        for stage in [Phase::Draining, Phase::Stopping, Phase::Stopped] {
            let known = known(None, Contact::Never, stage);
            for (probe, wanted) in Probe::ALL.into_iter().zip([200, 503, 200]) {
                let (code, body) = told(&known, probe);
                let said = (code.as_u16(), body.status, body.message.as_str(), body.draining);
                assert_eq!(said, (wanted, "draining", "shutting down", true), "{probe:?}");
            }
        }
    }

    #[test]
    fn every_body_has_the_same_fields() {
        let wanted =
            ["age_ms", "backends", "clients", "drain", "draining", "message", "phase", "probe", "reasons", "status"];
        let snapshot = configured(&[("ONLINE", 1)]);
        for stage in [Phase::Running, Phase::Stopped] {
            for probe in Probe::ALL {
                for snapshot in [None, Some(&snapshot)] {
                    let known = known(snapshot, Contact::Never, stage);
                    let json = serde_json::to_value(told(&known, probe).1).unwrap();
                    let mut got: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
                    got.sort();
                    assert_eq!(got, wanted);
                }
            }
        }
    }
}
