//! The pods: a watch on those of the cores, folded into what is known of them, and this agent's own.

mod revisions;
mod wire;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::client::{ApiError, client, own_namespace};
use super::watching::{self, Index, WATCH_SECONDS};
use crate::domain::cluster::core_pod::{CorePod, PodOrigin};
use crate::domain::discovery::discovered::Discovered;
use crate::domain::discovery::pods::Pods;

/// Which pods to watch, for which core.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Their namespace.
    pub namespace: String,
    /// A label selector, as `kubectl get pods -l` takes it.
    pub labels: String,
    /// The name of the pod of this core, if it is known.
    pub own: Option<String>,
    /// The admin port of every core.
    pub port: u16,
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
pub async fn own(name: &str, namespace: Option<&str>, fallback: &str) -> Result<OwnPod, ApiError> {
    let client = client().await?;
    let namespace = namespace.map(ToOwned::to_owned).or_else(|| own_namespace(&client));
    let namespace = namespace.unwrap_or_else(|| fallback.to_owned());
    let pod = Api::<Pod>::namespaced(client, &namespace).get_opt(name).await?;
    Ok(OwnPod {
        deleted: pod.as_ref().is_none_or(|pod| pod.terminating),
        grace_period: pod.and_then(|pod| pod.grace_period),
    })
}

/// Follows the pods of `selection` until `stop`, and tells of them whenever a decision could depend on the change.
///
/// An error never removes a pod: what is known stays until a complete list replaces it. `recheck` has the pods listed again.
pub async fn follow(
    client: Client,
    selection: Selection,
    told: watch::Sender<Discovered>,
    recheck: Arc<Notify>,
    stop: CancellationToken,
) {
    let config = watcher::Config::default().labels(&selection.labels).timeout(WATCH_SECONDS);
    let pods = Api::<Pod>::namespaced(client.clone(), &selection.namespace);
    let start = || watcher(pods.clone(), config.clone());
    info!(namespace = %selection.namespace, selector = %selection.labels, "watching pods");
    let index = PodIndex { pods: watch::Sender::new(Pods::default()), told, selection };
    let follow = async { tokio::join!(watching::follow(start, &index, &recheck), revisions::follow(client, &index)) };
    stop.run_until_cancelled(follow).await;
}

/// What is known of the pods, and where it is told.
struct PodIndex {
    pods: watch::Sender<Pods>,
    told: watch::Sender<Discovered>,
    selection: Selection,
}

impl PodIndex {
    /// Changes what is known, and wakes the agent only if what it decides on changed, or it waits for this.
    fn update(&self, is_answer: bool, change: impl FnOnce(&mut Pods)) {
        self.pods.send_modify(change);
        self.tell(is_answer);
    }

    /// Changes what is known, which is no news to what asks for revisions.
    fn note(&self, change: impl FnOnce(&mut Pods)) {
        self.pods.send_if_modified(|pods| {
            change(pods);
            false
        });
    }

    fn tell(&self, is_answer: bool) {
        let Selection { own, port, .. } = &self.selection;
        let mut discovered = None;
        self.note(|pods| discovered = Some(pods.discovered(own.as_deref(), *port)));
        if let Some(discovered) = discovered {
            self.told.send_if_modified(|told| told.replace(discovered) || is_answer);
        }
    }
}

impl Index<Pod> for PodIndex {
    const WHAT: &'static str = "pod";

    fn event(&self, event: Event<Pod>, is_answer: bool) {
        match event {
            // A list counts when it is complete.
            Event::Init => self.note(Pods::begin_list),
            Event::InitApply(pod) if pod.has_name() => self.note(|pods| pods.listed(pod.into())),
            Event::InitDone => self.update(is_answer, Pods::end_list),
            Event::Apply(pod) if pod.has_name() => self.update(is_answer, |pods| pods.applied(pod.into())),
            Event::Delete(pod) => {
                self.update(is_answer, |pods| pods.deleted(pod.metadata.name.as_deref().unwrap_or_default()));
            }
            Event::InitApply(_) | Event::Apply(_) => debug!("passing over a pod without a name"),
        }
    }

    fn failed(&self) {
        self.note(Pods::failed);
        self.tell(false);
    }
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
        self.metadata.name.is_some()
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
