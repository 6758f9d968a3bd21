//! As much of kustomize as the manifests use, so that they are read without it; where there is a kubectl, both must agree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use json_patch::Patch;
use serde::Deserialize;
use serde_json::{Value, json};

/// A `kustomization.yaml`. What is not known here would be passed over, so it is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Kustomization {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    namespace: Option<String>,
    resources: Vec<String>,
    components: Vec<String>,
    patches: Vec<PatchFile>,
    generator_options: GeneratorOptions,
    config_map_generator: Vec<Generator>,
    images: Vec<Image>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchFile {
    path: String,
    target: Target,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    kind: String,
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct GeneratorOptions {
    disable_name_suffix_hash: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Generator {
    name: String,
    files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Image {
    name: String,
    new_name: String,
    new_tag: String,
}

/// Where the manifests are.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("build/kubernetes")
}

/// The documents of a YAML file.
pub(super) fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `kubectl kustomize` makes of a directory, with these components besides.
pub(super) fn build(dir: &Path, components: &[&str]) -> Vec<Value> {
    let mut objects = Vec::new();
    apply(dir, &mut objects);
    for component in components {
        apply(&root().join(component), &mut objects);
    }
    objects
}

fn apply(dir: &Path, objects: &mut Vec<Value>) {
    let kustomization = documents(&dir.join("kustomization.yaml")).remove(0);
    let kustomization: Kustomization =
        serde_json::from_value(kustomization).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    for resource in &kustomization.resources {
        let path = dir.join(resource);
        if path.is_dir() { apply(&path, objects) } else { objects.extend(documents(&path)) }
    }
    for component in &kustomization.components {
        apply(&dir.join(component), objects);
    }
    for Generator { name, files } in &kustomization.config_map_generator {
        assert!(kustomization.generator_options.disable_name_suffix_hash, "{}: hashes in names", dir.display());
        let data: BTreeMap<&str, String> = files
            .iter()
            .map(|file| {
                let (key, path) = file.split_once('=').unwrap();
                (key, std::fs::read_to_string(dir.join(path)).unwrap())
            })
            .collect();
        objects.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}));
    }
    for PatchFile { path, target } in &kustomization.patches {
        let patch: Patch = serde_json::from_value(documents(&dir.join(path)).remove(0)).unwrap();
        let object = objects
            .iter_mut()
            .find(|object| object["kind"] == target.kind && object["metadata"]["name"] == target.name)
            .unwrap_or_else(|| panic!("{path} is for nobody: {target:?}"));
        json_patch::patch(object, &patch).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    for object in objects {
        for container in containers_mut(object) {
            for Image { name, new_name, new_tag } in &kustomization.images {
                if container["image"] == *name {
                    container["image"] = json!(format!("{new_name}:{new_tag}"));
                }
            }
        }
        if let Some(namespace) = &kustomization.namespace
            && object["kind"] != "Namespace"
        {
            object["metadata"]["namespace"] = json!(namespace);
        }
    }
}

fn containers_mut(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = object.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut);
    spec.into_iter()
        .flat_map(|spec| spec.iter_mut())
        .filter(|(key, _)| matches!(key.as_str(), "containers" | "initContainers"))
        .filter_map(|(_, list)| list.as_array_mut())
        .flatten()
}
