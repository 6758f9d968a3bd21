use std::convert::Infallible;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::Service as _;

use super::*;
use crate::domain::drain::Progress;
use crate::domain::reconcile_report::ReconcileReport;
use crate::state::{Mailbox, StatusWriter, channel};

fn settings(lifetime: Duration) -> Settings {
    let told = NodeInfo { mode: "core", pod: None, proxysql: "here".to_owned(), configuration: Vec::new() };
    Settings {
        policy: Policy { max_age: Duration::from_secs(10), require_config: false, min_online: 0 },
        refresh: Duration::from_secs(1),
        token_file: None,
        log_probes: false,
        follows: false,
        lifetime,
        told: Arc::new(told),
    }
}

struct Api {
    routes: Router,
    writer: StatusWriter,
    mailbox: Mailbox,
}

fn api() -> Api {
    let (state, mailbox, writer) = channel();
    let (_, held) = watch::channel(settings(Duration::from_secs(18)));
    Api { routes: routes(state, held, Box::new(|_| ("text/plain", String::new()))), writer, mailbox }
}

async fn ask(mut routes: Router, method: &str, path: &str) -> (u16, serde_json::Value) {
    let peer = HttpPeer(SocketAddr::from(([127, 0, 0, 1], 1)));
    let request = Request::builder().method(method).uri(path).extension(peer).body(Body::empty()).unwrap();
    let answer = routes.call(request).await.unwrap_or_else(|never: Infallible| match never {});
    let code = answer.status().as_u16();
    (code, serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap())
}

#[tokio::test]
async fn a_reload_of_a_core_that_does_not_publish_says_so() {
    let Api { routes, writer, mut mailbox } = api();
    let standings = [
        (RolloutState::Newest { older: [].into() }, "reload initiated"),
        (
            RolloutState::Older { newer: "core-b".to_owned(), by: "owner_revision" },
            "core-b has a newer rollout revision",
        ),
        (RolloutState::Undecided, "not known yet"),
    ];
    for (rollout, says) in standings {
        writer.round_ended(true, ReconcileReport { rollout: Some(rollout), ..ReconcileReport::default() });
        let (code, body) = ask(routes.clone(), "POST", "/reload").await;
        let message = body["message"].as_str().unwrap();
        assert!(code == 202 && message.ends_with(says) || message.contains(says), "{message}");
        assert_eq!(mailbox.next().await, Some(Command::Reload));
    }
}

#[tokio::test]
async fn a_drain_that_did_not_stop_proxysql_is_no_success() {
    let Api { routes, writer, mut mailbox } = api();
    for (ended, wanted) in [(Ending::ShutdownTimeout, 504), (Ending::Empty, 200), (Ending::DrainTimeout, 200)] {
        writer.drain_ended(Phase::Running, None);
        let asked = ask(routes.clone(), "POST", "/shutdown");
        let agent = async {
            assert_eq!(mailbox.next().await, Some(Command::Drain));
            writer.drain_ended(Phase::Stopped, Some(report(ended)));
        };
        let ((code, body), ()) = tokio::join!(asked, agent);
        assert_eq!((code, body["drain"]["ended"].as_str()), (wanted, Some(ended.as_str())), "{body}");
    }
}

fn report(ended: Ending) -> Progress {
    use crate::domain::drain::{Seconds, Step};
    Progress {
        step: Step::Over,
        ended: Some(ended),
        clients: 0,
        remaining: 0,
        evicted: 0,
        finished: 0,
        cut: 0,
        waiting_for: std::collections::BTreeMap::new(),
        left: Vec::new(),
        seconds: Seconds::default(),
        notes: Vec::new(),
    }
}
