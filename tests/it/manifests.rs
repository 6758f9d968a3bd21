//! What `kubectl apply -k build/kubernetes` applies: every field exists, everything that is referred to is there, the agents' settings are
//! settings, and their rights are those that they use.

mod alive;
mod file;
mod kustomize;
mod predecessor;
mod references;
mod rights;
mod server;
mod typed;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use self::kustomize::{build, documents, root};
use self::typed::{losses, name, text};

/// The variants: a name, its directory and the components on it.
const VARIANTS: [(&str, &str, &[&str]); 3] = [
    ("as it is", ".", &[]),
    ("with native sidecars", "native-sidecar", &[]),
    ("with native sidecars and autoscaling", "native-sidecar", &["autoscaling"]),
];

/// The tree that this is in.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The objects of each variant.
fn variants() -> impl Iterator<Item = (&'static str, Vec<Value>)> {
    VARIANTS.iter().map(|(name, dir, components)| (*name, build(&root().join(dir), components)))
}

/// The one object of this kind and name.
fn object<'a>(objects: &'a [Value], kind: &str, called: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == called);
    let object = found.next().unwrap_or_else(|| panic!("no {kind} {called}"));
    assert!(found.next().is_none(), "two of {kind} {called}");
    object
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// What makes pods.
fn workloads(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter(|object| object.pointer("/spec/template/spec").is_some())
}

/// All containers of a workload, sidecars included.
fn containers(workload: &Value) -> impl Iterator<Item = &Value> {
    let spec = &workload["spec"]["template"]["spec"];
    ["initContainers", "containers"].into_iter().flat_map(|list| spec[list].as_array().into_iter().flatten())
}

fn container<'a>(workload: &'a Value, called: &str) -> &'a Value {
    containers(workload).find(|container| container["name"] == called).unwrap_or_else(|| panic!("no {called}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The Secret that the pods mount, as the example has it.
fn secret() -> Value {
    documents(&root().join("secret.example.yaml")).remove(0)
}

#[test]
fn every_field_is_one_of_kubernetes() {
    for (variant, objects) in variants() {
        let losses: Vec<String> = objects.iter().flat_map(losses).collect();
        assert_eq!(losses, [""; 0], "{variant}");
    }
    assert_eq!(losses(&secret()), [""; 0]);
}

#[test]
fn a_misspelt_field_and_a_value_of_another_type_are_found() {
    let objects = build(&root(), &[]);
    let broken = |path: &str, field: &str, value: Value| {
        let mut core = object(&objects, "StatefulSet", "proxysql-core").clone();
        core.pointer_mut(path).unwrap()[field] = value;
        losses(&core).join("; ")
    };
    let pod = "/spec/template/spec";
    assert!(broken(pod, "terminationGracePeriodSecond", json!(75)).contains("no such field"));
    assert!(broken(pod, "emptyDirs", json!({})).contains("no such field"));
    assert!(broken("/spec", "replicas", json!("3")).contains("invalid type"));
    let proxysql = "/spec/template/spec/containers/0/readinessProbe/httpGet";
    assert!(broken(proxysql, "pathname", json!("/")).contains("readinessProbe.httpGet.pathname: no such field"));
}

/// Every file below the manifests takes part; one that nobody names is never applied, and never looked at here.
#[test]
fn no_file_lies_about() {
    let mut left: Vec<String> = Vec::new();
    let mut dirs = vec![root()];
    while let Some(dir) = dirs.pop() {
        let named = std::fs::read_to_string(dir.join("kustomization.yaml")).unwrap();
        for entry in std::fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            let file = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() {
                dirs.push(entry.path());
            } else if file != "kustomization.yaml" && !named.contains(&file) {
                left.push(file);
            }
        }
    }
    assert_eq!(left, [""; 0]);
}

/// What is read here is what kubectl applies.
#[test]
fn kubectl_builds_the_same() {
    for (variant, dir, components) in VARIANTS.iter().filter(|(_, _, components)| components.is_empty()) {
        let built = match Command::new("kubectl").arg("kustomize").arg(root().join(dir)).output() {
            Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
            Ok(output) => panic!("{variant}: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => return eprintln!("kubectl: {error}; what it makes of the manifests is not compared"),
        };
        let built: Vec<Value> = serde_saphyr::from_multiple(&built).unwrap();
        let by_name = |objects: Vec<Value>| objects.into_iter().map(|o| (name(&o), o)).collect::<BTreeMap<_, _>>();
        let (ours, theirs) = (by_name(build(&root().join(dir), components)), by_name(built));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{variant}");
        for (name, ours) in &ours {
            assert_eq!(ours, &theirs[name], "{variant}: {name}");
        }
    }
}

/// The agent that is deployed is the one of this tree, and ProxySQL one that was measured.
#[test]
fn images_have_versions() {
    for (variant, objects) in variants() {
        for workload in workloads(&objects) {
            let image = |called| text(&container(workload, called)["image"]).to_owned();
            let agent = concat!("ghcr.io/persona-id/proxysql-agent:", env!("CARGO_PKG_VERSION"));
            assert_eq!(image("agent"), agent, "{variant}: {}", name(workload));
            assert_eq!(image("proxysql"), "proxysql/proxysql:2.7.1", "{variant}: {}", name(workload));
        }
    }
}
