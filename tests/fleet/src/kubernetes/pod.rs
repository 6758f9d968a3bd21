//! A pod as a test describes it, and as the API shows it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Namespace and name, in the order in which the API lists.
pub type PodKey = (String, String);

/// A pod. Starts as one that is Running and ready, and has no address yet.
#[derive(Clone, Debug, PartialEq)]
pub struct PodSpec {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`; a pod made again under an old name has another.
    pub uid: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `metadata.ownerReferences`, at most one: kind and name.
    pub owner: Option<(String, String)>,
    /// `metadata.creationTimestamp`.
    pub created: SystemTime,
    /// `metadata.deletionTimestamp`: set while the pod terminates.
    pub deleted: Option<SystemTime>,
    /// `spec.nodeName`.
    pub node: String,
    /// `status.phase`.
    pub phase: String,
    /// `status.podIPs`; the first is `status.podIP`.
    pub ips: Vec<IpAddr>,
    /// The condition `Ready`.
    pub ready: bool,
}

impl PodSpec {
    /// A pod that is Running and ready, without labels of its own and without an address.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: fresh_uid(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::from([("kubectl.kubernetes.io/restartedAt".to_owned(), rfc3339(SystemTime::now()))]),
            owner: None,
            created: SystemTime::now(),
            deleted: None,
            node: "worker-1".to_owned(),
            phase: "Running".to_owned(),
            ips: Vec::new(),
            ready: true,
        }
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With an annotation.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// With one more address.
    #[must_use]
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.ips.push(ip.into());
        self
    }

    /// In another phase; one that is not `Running` is not ready either.
    #[must_use]
    pub fn phase(mut self, phase: &str) -> Self {
        phase.clone_into(&mut self.phase);
        self.ready &= phase == "Running";
        self
    }

    /// Ready or not.
    #[must_use]
    pub fn ready(mut self, ready: bool) -> Self {
        self.ready = ready;
        self
    }

    /// Created at another time.
    #[must_use]
    pub fn created(mut self, at: SystemTime) -> Self {
        self.created = at;
        self
    }

    /// As a Deployment makes it: the `ReplicaSet` of this template hash owns it.
    #[must_use]
    pub fn of_deployment(mut self, deployment: &str, template_hash: &str) -> Self {
        self.owner = Some(("ReplicaSet".to_owned(), format!("{deployment}-{template_hash}")));
        self.label("pod-template-hash", template_hash)
    }

    /// As a `StatefulSet` makes it, of this controller revision.
    #[must_use]
    pub fn of_stateful_set(mut self, set: &str, revision: &str) -> Self {
        self.owner = Some(("StatefulSet".to_owned(), set.to_owned()));
        let name = self.name.clone();
        self.label("controller-revision-hash", revision).label("statefulset.kubernetes.io/pod-name", &name)
    }

    /// Where the pod is stored.
    pub fn key(&self) -> PodKey {
        (self.namespace.clone(), self.name.clone())
    }

    /// The object as the API shows it at this revision.
    pub fn object(&self, revision: u64) -> Value {
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "uid": self.uid,
                "resourceVersion": revision.to_string(),
                "creationTimestamp": rfc3339(self.created),
                "labels": self.labels,
                "annotations": self.annotations,
                "managedFields": self.managed_fields(),
            },
            "spec": self.pod_spec(),
            "status": self.status(),
        });
        let metadata = &mut object["metadata"];
        if let Some((kind, name)) = &self.owner {
            metadata["ownerReferences"] = json!([{
                "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": format!("{}-owner", self.uid),
                "controller": true, "blockOwnerDeletion": true,
            }]);
        }
        if let Some(at) = self.deleted {
            metadata["deletionTimestamp"] = json!(rfc3339(at));
            metadata["deletionGracePeriodSeconds"] = json!(30);
        }
        object
    }

    fn pod_spec(&self) -> Value {
        let token = json!([{"name": "kube-api-access", "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]);
        json!({
            "nodeName": self.node,
            "serviceAccountName": "proxysql",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "schedulerName": "default-scheduler",
            "containers": [
                {"name": "proxysql", "image": "proxysql/proxysql:2.7.1", "imagePullPolicy": "IfNotPresent", "volumeMounts": token,
                 "ports": [{"name": "admin", "containerPort": 6032, "protocol": "TCP"}, {"name": "proxy", "containerPort": 6033, "protocol": "TCP"}],
                 "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"},
                {"name": "agent", "image": "proxysql-agent:2", "imagePullPolicy": "IfNotPresent", "volumeMounts": token,
                 "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                 "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"},
            ],
            "volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            ]}}],
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            ],
        })
    }

    fn status(&self) -> Value {
        let at = rfc3339(self.created);
        let condition = |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": at});
        let mut status = json!({
            "phase": self.phase,
            "qosClass": "Burstable",
            "conditions": [
                condition("Initialized", true), condition("Ready", self.ready),
                condition("ContainersReady", self.ready), condition("PodScheduled", true),
            ],
        });
        if self.phase == "Running" {
            status["hostIP"] = json!("10.0.0.1");
            status["startTime"] = json!(at);
            status["containerStatuses"] = ["proxysql", "agent"]
                .into_iter()
                .map(|name| {
                    json!({"name": name, "ready": self.ready, "started": true, "restartCount": 0, "image": format!("{name}:2"),
                        "imageID": format!("{name}@sha256:{:064x}", 7), "containerID": format!("containerd://{:064x}", 9),
                        "state": {"running": {"startedAt": at}}, "lastState": {}})
                })
                .collect();
        }
        if let Some(first) = self.ips.first() {
            status["podIP"] = json!(first);
            status["podIPs"] = self.ips.iter().map(|ip| json!({"ip": ip})).collect();
        }
        status
    }

    /// What a controller and a kubelet leave behind: about as many bytes as the rest of the pod.
    fn managed_fields(&self) -> Value {
        let at = rfc3339(self.created);
        let labels = self.labels.keys().map(|key| (format!("f:{key}"), json!({}))).collect::<serde_json::Map<_, _>>();
        let container = json!({".": {}, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:ports": {".": {},
            r#"k:{"containerPort":6032,"protocol":"TCP"}"#: {".": {}, "f:containerPort": {}, "f:name": {}, "f:protocol": {}}},
            "f:resources": {}, "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {}});
        let condition =
            json!({".": {}, "f:lastProbeTime": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}});
        json!([
            {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": at, "fieldsType": "FieldsV1",
             "fieldsV1": {
                "f:metadata": {"f:annotations": {".": {}}, "f:generateName": {}, "f:labels": labels, "f:ownerReferences": {".": {}}},
                "f:spec": {"f:containers": {r#"k:{"name":"proxysql"}"#: container, r#"k:{"name":"agent"}"#: container},
                    "f:dnsPolicy": {}, "f:enableServiceLinks": {}, "f:restartPolicy": {}, "f:schedulerName": {},
                    "f:securityContext": {}, "f:terminationGracePeriodSeconds": {}}}},
            {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": at, "fieldsType": "FieldsV1", "subresource": "status",
             "fieldsV1": {"f:status": {
                "f:conditions": {r#"k:{"type":"ContainersReady"}"#: condition, r#"k:{"type":"Initialized"}"#: condition,
                    r#"k:{"type":"Ready"}"#: condition},
                "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {}, "f:podIP": {}, "f:podIPs": {".": {}}, "f:startTime": {}}}},
        ])
    }
}

/// An identity that no other pod of this machine has.
fn fresh_uid() -> String {
    static MADE: AtomicU64 = AtomicU64::new(1);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (pid, made) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    format!("{:08x}-{:04x}-4000-8000-{pid:06x}{made:06x}", since.as_secs() & 0xffff_ffff, since.subsec_millis())
}

/// A time as Kubernetes writes it: UTC, whole seconds.
pub fn rfc3339(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // The civil calendar in eras of 400 years that begin in March, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_civil() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_pod_looks_like_one() {
        let pod = PodSpec::new("proxysql", "core-0")
            .of_stateful_set("core", "core-7d")
            .ip([127, 1, 2, 3])
            .ip([0, 0, 0, 0, 0, 0, 0, 1u16]);
        let object = pod.object(7);
        assert_eq!(object["metadata"]["resourceVersion"], "7");
        assert_eq!(object["metadata"]["deletionTimestamp"], Value::Null);
        assert_eq!(object["status"]["podIP"], "127.1.2.3");
        assert_eq!(object["status"]["podIPs"], json!([{"ip": "127.1.2.3"}, {"ip": "::1"}]));
        assert!((3_000..12_000).contains(&object.to_string().len()), "{} bytes", object.to_string().len());
        assert!(PodSpec::new("proxysql", "core-0").object(1)["status"]["podIP"].is_null());
    }
}
