//! The fields of a pod that are read, as they are on the wire.
//!
//! They are read leniently: a value that is not what it should be is as if it was not there. One pod with such a value must not end
//! the list of all.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};

use crate::domain::cluster::core_pod::PodOrigin;

/// A value, or what stands in its place.
#[derive(Deserialize)]
#[serde(untagged)]
enum LenientValue<T> {
    Read(T),
    Other(IgnoredAny),
}

impl<T> LenientValue<T> {
    fn read(self) -> Option<T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Other(_) => None,
        }
    }
}

fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(LenientValue::deserialize(deserializer)?.read().unwrap_or_default())
}

fn each<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let all: Vec<LenientValue<T>> = lenient(deserializer)?;
    Ok(all.into_iter().filter_map(LenientValue::read).collect())
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ListedPod {
    #[serde(deserialize_with = "lenient")]
    metadata: Meta,
    #[serde(deserialize_with = "lenient")]
    spec: Spec,
    #[serde(deserialize_with = "lenient")]
    status: PodStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    #[serde(deserialize_with = "lenient")]
    termination_grace_period_seconds: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    #[serde(deserialize_with = "lenient")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient")]
    namespace: Option<String>,
    #[serde(deserialize_with = "lenient")]
    uid: Option<String>,
    #[serde(deserialize_with = "lenient")]
    resource_version: Option<String>,
    /// Whenever that is or was.
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(deserialize_with = "lenient")]
    creation_timestamp: Option<Time>,
    #[serde(deserialize_with = "lenient")]
    labels: BTreeMap<String, LenientValue<String>>,
    #[serde(deserialize_with = "each")]
    owner_references: Vec<OwnerReference>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct OwnerReference {
    #[serde(deserialize_with = "lenient")]
    kind: String,
    #[serde(deserialize_with = "lenient")]
    name: String,
    #[serde(deserialize_with = "lenient")]
    controller: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    #[serde(deserialize_with = "lenient")]
    phase: String,
    #[serde(rename = "podIP", deserialize_with = "lenient")]
    pod_ip: String,
    #[serde(rename = "podIPs", deserialize_with = "each")]
    pod_ips: Vec<PodAddress>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodAddress {
    #[serde(deserialize_with = "lenient")]
    ip: String,
}

impl From<ListedPod> for super::Pod {
    fn from(ListedPod { metadata, spec, status }: ListedPod) -> Self {
        // `podIP` is the first of `podIPs`; older API servers send only the one.
        let address = if status.pod_ip.is_empty() {
            status.pod_ips.into_iter().next().map(|a| a.ip)
        } else {
            Some(status.pod_ip)
        };
        let labels: BTreeMap<String, String> =
            metadata.labels.into_iter().filter_map(|(name, value)| Some((name, value.read()?))).collect();
        let owner = metadata.owner_references.iter().find(|owner| owner.controller);
        let origin = PodOrigin::new(
            owner.map(|owner| (owner.kind.as_str(), owner.name.as_str())),
            |label| labels.get(label).cloned(),
            metadata.creation_timestamp.map_or(0, |Time(at)| at.as_second()),
        );
        Self {
            origin,
            terminating: metadata.deletion_timestamp.is_some(),
            metadata: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                ..ObjectMeta::default()
            },
            address: address.and_then(|ip| ip.parse().ok()),
            running: status.phase == "Running",
            grace_period: spec.termination_grace_period_seconds.map(Duration::from_secs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pod;

    fn read(json: &str) -> Pod {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn a_value_that_is_not_what_it_should_be_is_as_if_it_was_not_there() {
        let pod = read(
            r#"{"metadata": {"name": "core-0", "labels": {"app": 7, "pod-template-hash": "h"}, "creationTimestamp": "yesterday",
                "ownerReferences": [3, {"kind": "ReplicaSet", "name": "core-h", "controller": true}]},
                "spec": {"terminationGracePeriodSeconds": -1},
                "status": {"phase": "Running", "podIP": null, "podIPs": ["x", {"ip": "10.0.0.1"}]}}"#,
        );
        assert_eq!((pod.metadata.name.as_deref(), pod.running, pod.grace_period), (Some("core-0"), true, None));
        assert_eq!(pod.address, "10.0.0.1".parse().ok());
        assert_eq!((pod.origin.hash.as_deref(), pod.origin.created), (Some("h"), 0));
        assert!(!pod.terminating && read(r#"{"metadata": {"deletionTimestamp": 5}}"#).terminating);
        for nothing in ["{}", r#"{"metadata": null, "spec": [], "status": "none"}"#] {
            assert!(!read(nothing).has_name() && !read(nothing).running);
        }
    }
}
