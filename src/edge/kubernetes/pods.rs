//! The Kubernetes API: a watch on the cores' pods, folded into a roster.

mod revisions;
mod wire;

use std::borrow::Cow;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use futures_util::{Stream, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::client::ClientBuilder;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Config};
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tower::limit::RateLimitLayer;
use tracing::{debug, info, warn};

use crate::domain::cluster::core_pod::{CorePod, PodOrigin};
use crate::domain::discovery::roster::Roster;
use crate::domain::trouble::Trouble;

/// The API server ends a watch after this long and it is resumed where it stood; a connection that died without a word is
/// noticed five seconds later.
const WATCH_SECONDS: u32 = 60;
/// Bound of one page of a list.
const LIST_DEADLINE: Duration = Duration::from_secs(15);
/// Bound of a connection attempt to the API server.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Bound of a read: longer than a watch can be silent, so that it only ends what would hang for good.
const READ_DEADLINE: Duration = Duration::from_secs(75);
/// Requests to the API server in a second, at most. The watcher resumes a watch that ended in order at once, and some proxies end
/// each one at once.
const MOST_REQUESTS: u64 = 20;
/// What the client library says where nobody has said a namespace.
const NO_NAMESPACE: &str = "default";
/// Pause after the first failure; doubled, with jitter, up to the next.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest pause between two tries, before jitter, which may double it: so much can a change be late after the API server is
/// back.
const LAST_RETRY: Duration = Duration::from_millis(1500);

/// The API server cannot even be looked for.
#[derive(Debug, thiserror::Error)]
pub enum PodsError {
    /// Neither a kubeconfig nor a service account's files.
    #[error("cannot find the Kubernetes API: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The configuration names something that cannot be used.
    #[error("cannot use the Kubernetes API: {0}")]
    Client(#[from] kube::Error),
}

/// Which pods to watch.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Their namespace.
    pub namespace: String,
    /// A label selector, as `kubectl get pods -l` takes it.
    pub labels: String,
}

/// A client by `KUBECONFIG`, `~/.kube/config` or the pod's service account.
///
/// # Errors
/// See [`PodsError`]; nothing is contacted yet.
pub async fn client() -> Result<Client, PodsError> {
    let mut config = Config::infer().await?;
    config.connect_timeout = Some(CONNECT_DEADLINE);
    // One back-off is enough, and it is this file's.
    config.default_retry = false;
    config.read_timeout = Some(READ_DEADLINE);
    config.reset_reader_on_write = true;
    if config.cluster_url.scheme_str() == Some("http") {
        // Without TLS there is nobody to vouch for; the library would read all authorities of the machine, and fail where there
        // are none.
        config.root_cert = Some(Vec::new());
    }
    let limit = RateLimitLayer::new(MOST_REQUESTS, Duration::from_secs(1));
    Ok(ClientBuilder::try_from(config)?.with_layer(&limit).build())
}

/// What a process asks of its own pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnPod {
    /// It is being deleted: this process is not merely restarted.
    pub deleted: bool,
    /// `terminationGracePeriodSeconds`.
    pub grace_period: Option<Duration>,
}

/// Asks for the pod `name`: in `namespace`, else in the one that the service account says, else in `fallback`. A pod that is not
/// there any more was deleted.
///
/// # Errors
/// The API server is not found, does not answer or does not allow it. The caller bounds the time.
pub async fn own(name: &str, namespace: Option<&str>, fallback: &str) -> Result<OwnPod, PodsError> {
    let client = client().await?;
    let said = Some(client.default_namespace()).filter(|said| *said != NO_NAMESPACE).map(ToOwned::to_owned);
    let namespace = namespace.map(ToOwned::to_owned).or(said).unwrap_or_else(|| fallback.to_owned());
    let pod = Api::<Pod>::namespaced(client, &namespace).get_opt(name).await?;
    Ok(OwnPod {
        deleted: pod.as_ref().is_none_or(|pod| pod.terminating),
        grace_period: pod.and_then(|pod| pod.grace_period),
    })
}

/// Follows the pods of `selection` until `stop`, and publishes the roster whenever a decision could depend on the change.
///
/// Trouble never removes anybody: the last roster stands until a complete list replaces it. Whoever doubts it has the pods listed anew.
pub async fn follow(
    client: Client,
    selection: Selection,
    roster: watch::Sender<Roster>,
    anew: Arc<Notify>,
    stop: CancellationToken,
) {
    let config = watcher::Config::default().labels(&selection.labels).timeout(WATCH_SECONDS);
    let pods = Api::<Pod>::namespaced(client.clone(), &selection.namespace);
    let start = || watcher(pods.clone(), config.clone());
    let Selection { namespace, labels } = &selection;
    info!(%namespace, selector = %labels, "watching pods");
    let follow = async { tokio::join!(fold(start, &roster, &anew), revisions::follow(client, namespace, &roster)) };
    stop.run_until_cancelled(follow).await;
}

/// Feeds the roster from watches that `start` begins: another one, with a list before it, after each trouble and whenever that is asked
/// for.
async fn fold<S>(start: impl Fn() -> S, roster: &watch::Sender<Roster>, anew: &Notify)
where
    S: Stream<Item = watcher::Result<Event<Pod>>>,
{
    let backoff = ExponentialBuilder::default()
        .with_min_delay(FIRST_RETRY)
        .with_max_delay(LAST_RETRY)
        .with_jitter()
        .without_max_times();
    let mut pauses = backoff.build();
    let began = Instant::now();
    let mut trouble = Trouble::default();
    let mut asked = false;
    loop {
        let mut events = pin!(start());
        // An idle watch is silent by right and the watcher itself ends one that stays mute for too long; a list is not.
        let mut listing = true;
        loop {
            let next = tokio::select! {
                biased;
                next = events.next() => Ok(next),
                // A list that is under way may have begun before whoever asks saw what it asks for.
                () = anew.notified() => {
                    asked = true;
                    break;
                }
                () = sleep(LIST_DEADLINE), if listing => Err(()),
            };
            let reason = match next {
                Ok(Some(Ok(event))) => {
                    if !matches!(event, Event::Init | Event::InitApply(_)) {
                        if trouble.is_over() {
                            info!("watching pods again");
                        }
                        pauses = backoff.build();
                    }
                    listing = matches!(event, Event::Init | Event::InitApply(_));
                    let is_answer = matches!(event, Event::InitDone) && std::mem::take(&mut asked);
                    publish(roster, event, is_answer);
                    continue;
                }
                Ok(Some(Err(error))) => reason(&error),
                Ok(None) => "the watch ended".to_owned(),
                Err(()) => format!("no answer to a list within {} s", LIST_DEADLINE.as_secs()),
            };
            note(roster, Roster::failed);
            if trouble.is(&reason, began.elapsed()) {
                warn!(%reason, "cannot watch pods; the members stay as they are");
            } else {
                debug!(%reason, "still not watching pods");
            }
            sleep(pauses.next().unwrap_or(LAST_RETRY)).await;
            // Something may have been lost: only a list tells.
            break;
        }
    }
}

/// Folds one event, and wakes the agent only if what it decides on changed, or it waits for this: labels, annotations and the state of
/// containers change all the time.
fn publish(roster: &watch::Sender<Roster>, event: Event<Pod>, is_answer: bool) {
    roster.send_if_modified(|roster| match event {
        Event::Init => {
            roster.begin_list();
            false
        }
        Event::InitApply(pod) => {
            if pod.has_name() {
                roster.listed(pod.into());
            }
            false
        }
        Event::InitDone => roster.end_list() || is_answer,
        Event::Apply(pod) => pod.has_name() && roster.seen(pod.into()),
        Event::Delete(pod) => roster.gone(&pod.metadata.name.unwrap_or_default()),
    });
}

/// Notes what no decision depends on, and wakes nobody.
fn note(roster: &watch::Sender<Roster>, note: impl FnOnce(&mut Roster)) {
    roster.send_if_modified(|roster| {
        note(roster);
        false
    });
}

/// What is wrong, the way a person reads it: the API server's own words where it said some, else the error with its causes.
fn reason(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let status = match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => status,
        other => return with_causes(other),
    };
    format!("the API server answers {}: {}", status.code, status.message)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A pod with only what is read, so that a large one costs nothing once it was decoded.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "wire::ListedPod")]
struct Pod {
    metadata: ObjectMeta,
    terminating: bool,
    address: Option<IpAddr>,
    running: bool,
    grace_period: Option<Duration>,
    origin: PodOrigin,
}

impl kube::Resource for Pod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Pod".into()
    }
    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        "pods".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Pod {
    /// One without is none.
    fn has_name(&self) -> bool {
        let name = self.metadata.name.as_ref();
        if name.is_none() {
            debug!("passing over a pod without a name");
        }
        name.is_some()
    }
}

impl From<Pod> for CorePod {
    fn from(pod: Pod) -> Self {
        Self {
            name: pod.metadata.name.unwrap_or_default(),
            address: pod.address,
            running: pod.running,
            terminating: pod.terminating,
            origin: pod.origin,
        }
    }
}
