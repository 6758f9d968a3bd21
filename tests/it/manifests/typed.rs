//! Each object by its type, and back: a field that the type does not have is lost on the way.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is lost or changed when the object is read by its type and written again; none if it is sound.
pub(super) fn losses(object: &Value) -> Vec<String> {
    let read = match (text(&object["apiVersion"]), text(&object["kind"])) {
        ("v1", "Namespace") => there_and_back::<Namespace>(object),
        ("v1", "ConfigMap") => there_and_back::<ConfigMap>(object),
        ("v1", "Secret") => there_and_back::<Secret>(object),
        ("v1", "Service") => there_and_back::<Service>(object),
        ("v1", "ServiceAccount") => there_and_back::<ServiceAccount>(object),
        ("apps/v1", "Deployment") => there_and_back::<Deployment>(object),
        ("apps/v1", "StatefulSet") => there_and_back::<StatefulSet>(object),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => there_and_back::<HorizontalPodAutoscaler>(object),
        ("networking.k8s.io/v1", "NetworkPolicy") => there_and_back::<NetworkPolicy>(object),
        ("policy/v1", "PodDisruptionBudget") => there_and_back::<PodDisruptionBudget>(object),
        ("rbac.authorization.k8s.io/v1", "Role") => there_and_back::<Role>(object),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => there_and_back::<RoleBinding>(object),
        (version, kind) => Err(format!("no type for {version} {kind}")),
    };
    let mut losses = Vec::new();
    match read {
        Ok(read) => compare(object, &read, &name(object), &mut losses),
        Err(reason) => losses.push(format!("{}: {reason}", name(object))),
    }
    losses
}

/// Kind and name, for messages.
pub(super) fn name(object: &Value) -> String {
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// A string; empty where it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn there_and_back<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let read: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(&read).map_err(|error| error.to_string())
}

fn compare(source: &Value, read: &Value, at: &str, losses: &mut Vec<String>) {
    match (source, read) {
        (Value::Object(source), Value::Object(read)) => {
            for (key, value) in source {
                match read.get(key) {
                    Some(read) => compare(value, read, &format!("{at}.{key}"), losses),
                    None => losses.push(format!("{at}.{key}: no such field")),
                }
            }
        }
        (Value::Array(source), Value::Array(read)) if source.len() == read.len() => {
            for (number, (source, read)) in source.iter().zip(read).enumerate() {
                compare(source, read, &format!("{at}[{number}]"), losses);
            }
        }
        (source, read) if source == read => {}
        (source, read) => losses.push(format!("{at}: {source} is read as {read}")),
    }
}
