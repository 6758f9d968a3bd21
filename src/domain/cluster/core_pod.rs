//! A pod of a core, as far as a decision needs it.

use std::net::IpAddr;

/// All that a watch can say of one pod, as far as a decision needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorePod {
    /// Name of the pod, unique in its namespace.
    pub name: String,
    /// Its primary address; a pod with two has the primary one first. None before the network plugin gave it one.
    pub address: Option<IpAddr>,
    /// Its phase is `Running`.
    pub running: bool,
    /// Its deletion was asked for; its containers may run on for the whole grace period.
    pub terminating: bool,
    /// What it was made from, and when.
    pub origin: PodOrigin,
}

impl CorePod {
    /// A pod that others may connect to.
    pub fn is_member(&self) -> bool {
        self.running && !self.terminating && self.address.is_some()
    }
}

/// The object that a pod was made from and that counts revisions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevisionSource {
    /// What counts.
    pub kind: SourceKind,
    /// The name of the object.
    pub name: String,
    /// What its revisions belong to: the deployment, the stateful set. Those of two are not comparable.
    pub family: String,
}

/// What counts revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// A `ReplicaSet`, by the annotation `deployment.kubernetes.io/revision`.
    ReplicaSet,
    /// A `ControllerRevision`, of a `StatefulSet` or a `DaemonSet`.
    ControllerRevision,
}

/// What a pod was made from, as far as it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodOrigin {
    /// The object that counts its revision.
    pub source: Option<RevisionSource>,
    /// The hash of its template.
    pub hash: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

impl PodOrigin {
    /// Of a pod with this controlling owner, these labels and this time of creation.
    pub fn new(owner: Option<(&str, &str)>, label: impl Fn(&str) -> Option<String>, created: i64) -> Self {
        let template = label("pod-template-hash");
        let revision = label("controller-revision-hash");
        let source = match (owner, &template, &revision) {
            (Some(("ReplicaSet", name)), hash, _) => {
                let family = hash.as_ref().and_then(|hash| name.strip_suffix(hash.as_str())).unwrap_or(name);
                Some((SourceKind::ReplicaSet, name.to_owned(), family.trim_end_matches('-').to_owned()))
            }
            // There the label is the name of the revision …
            (Some(("StatefulSet", name)), _, Some(revision)) => {
                Some((SourceKind::ControllerRevision, revision.clone(), name.to_owned()))
            }
            // … and here the last part of it.
            (Some(("DaemonSet", name)), _, Some(hash)) => {
                Some((SourceKind::ControllerRevision, format!("{name}-{hash}"), name.to_owned()))
            }
            _ => None,
        };
        let source = source.map(|(kind, name, family)| RevisionSource { kind, name, family });
        Self { source, hash: template.or(revision), created }
    }
}
