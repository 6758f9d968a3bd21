//! Revisions of what pods were made from, asked for while there are several generations, and only then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::super::client::with_causes;
use super::super::watching::{FIRST_RETRY, LAST_RETRY};
use super::PodIndex;
use crate::backoff::Backoff;
use crate::domain::cluster::core_pod::{RevisionSource, SourceKind};
use crate::domain::cluster::rollout::Revisions;
use crate::domain::discovery::pods::RevisionsToAsk;
use crate::domain::log_throttle::LogThrottle;

/// Bound of one question.
const DEADLINE: Duration = Duration::from_secs(5);
/// Where a `ReplicaSet` has its revision.
const ANNOTATION: &str = "deployment.kubernetes.io/revision";

/// Asks for the revisions of the pods' owners whenever pods come while there are several owners, for as long as the index lives.
///
/// They are asked for again with each pod that comes: a roll back raises the revision of an older template before it makes pods of it.
pub(super) async fn follow(client: Client, index: &PodIndex) {
    let mut news = index.pods.subscribe();
    let mut seen: BTreeSet<(String, RevisionSource)> = BTreeSet::new();
    let began = Instant::now();
    let mut trouble = LogThrottle::default();
    loop {
        let RevisionsToAsk { pods, sources, known } = news.borrow_and_update().revisions_to_ask();
        let has_new_pods = !pods.is_subset(&seen);
        seen = pods;
        if !sources.is_empty() && (has_new_pods || !known) {
            let say = |reason: &str| {
                if trouble.should_log(reason, began.elapsed()) {
                    warn!(%reason, "cannot read the rollout revision of the core pods");
                }
            };
            let revisions = ask_until_answered(&client, &index.selection.namespace, sources, say).await;
            debug!(?revisions, "read rollout revisions");
            index.update(false, |pods| pods.set_revisions(revisions));
        }
        if news.changed().await.is_err() {
            return;
        }
    }
}

/// What may not be read, or is not there, is an answer, too; no answer at all is not: who guesses then may publish the older file.
async fn ask_until_answered(
    client: &Client,
    namespace: &str,
    sources: BTreeSet<RevisionSource>,
    mut say: impl FnMut(&str),
) -> Revisions {
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    let mut revisions = BTreeMap::new();
    for source in sources {
        let revision = loop {
            let reason = match timeout(DEADLINE, ask(client, namespace, &source)).await {
                Ok(Ok(revision)) => break revision,
                Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403 | 404) => {
                    say(&status.message);
                    break None;
                }
                Ok(Err(error)) => with_causes(&error),
                Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
            };
            say(&reason);
            sleep(backoff.pause()).await;
        };
        revisions.insert(source, revision);
    }
    revisions
}

async fn ask(
    client: &Client,
    namespace: &str,
    RevisionSource { kind, name, .. }: &RevisionSource,
) -> kube::Result<Option<i64>> {
    Ok(match kind {
        SourceKind::ReplicaSet => {
            let set = Api::<ReplicaSet>::namespaced(client.clone(), namespace).get_metadata(name).await?;
            set.metadata.annotations.and_then(|annotations| annotations.get(ANNOTATION)?.parse().ok())
        }
        SourceKind::ControllerRevision => {
            let revision = Api::<ControllerRevision>::namespaced(client.clone(), namespace).get(name).await?;
            Some(revision.revision)
        }
    })
}
