//! Revisions of what pods were made from, asked for while there are several generations, and only then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::{FIRST_RETRY, LAST_RETRY, with_causes};
use crate::domain::cluster::core_pod::{RevisionSource, SourceKind};
use crate::domain::cluster::generation::{Revisions, to_ask};
use crate::domain::discovery::roster::Roster;
use crate::domain::trouble::Trouble;

/// Bound of one question.
const DEADLINE: Duration = Duration::from_secs(5);
/// Where a `ReplicaSet` has its revision.
const ANNOTATION: &str = "deployment.kubernetes.io/revision";

/// Asks for the revisions of the pods' owners whenever pods come while there are several owners, for as long as the roster lives.
///
/// They are asked for anew with each pod that comes: a roll back raises the revision of an older template before it makes pods of it.
pub(super) async fn follow(client: Client, namespace: &str, roster: &watch::Sender<Roster>) {
    let mut news = roster.subscribe();
    let mut seen: BTreeSet<(String, RevisionSource)> = BTreeSet::new();
    let began = Instant::now();
    let mut trouble = Trouble::default();
    loop {
        let (pods, sources, known) = {
            let roster = news.borrow_and_update();
            let pods = roster.pods().into_iter().flatten();
            let pods: BTreeSet<_> =
                pods.filter_map(|pod| Some((pod.name.clone(), pod.origin.source.clone()?))).collect();
            let sources = roster.pods().map(to_ask).unwrap_or_default();
            let known = roster.knows_revisions(&sources);
            (pods, sources, known)
        };
        let somebody_came = !pods.is_subset(&seen);
        seen = pods;
        if !sources.is_empty() && (somebody_came || !known) {
            let say = |reason: &str| {
                if trouble.is(reason, began.elapsed()) {
                    warn!(%reason, "cannot ask for the revision of the core pods' owners");
                }
            };
            let revisions = ask_until_answered(&client, namespace, sources, say).await;
            debug!(?revisions, "asked for revisions");
            roster.send_if_modified(|roster| roster.set_revisions(revisions));
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
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY)
        .with_max_delay(LAST_RETRY)
        .with_jitter()
        .without_max_times()
        .build();
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
            sleep(pauses.next().unwrap_or(LAST_RETRY)).await;
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
