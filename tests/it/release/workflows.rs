//! The workflows: pinned actions, commands that exist, jobs that end.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{lint, path, targets, yaml};

fn all() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(path(".github/workflows")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut files: Vec<String> = files.map(|file| file.into_string().unwrap()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), yaml(&format!(".github/workflows/{file}")))).collect()
}

fn jobs(workflow: &Value) -> &Map<String, Value> {
    workflow["jobs"].as_object().unwrap()
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job["steps"].as_array().into_iter().flatten()
}

#[test]
fn there_are_changes_releases_and_nights() {
    let all = all();
    let names: Vec<&str> = all.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(names, ["ci.yml", "nightly.yml", "release.yml"]);
    let on = |number: usize, event: &str| all[number].1["on"].get(event).is_some();
    assert!(on(0, "pull_request") && on(0, "push") && on(0, "workflow_call"));
    assert!(on(1, "schedule"));
    assert_eq!(all[2].1["on"]["push"]["tags"], serde_json::json!(["v*"]));
}

#[test]
fn every_job_ends_and_may_do_little() {
    for (file, workflow) in all() {
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{file}");
        let names: BTreeSet<&String> = jobs(&workflow).keys().collect();
        for (name, job) in jobs(&workflow) {
            let calls = job["uses"].as_str();
            assert!(calls.is_some() || job["timeout-minutes"].is_u64(), "{file}: {name} has no end");
            if let Some(called) = calls {
                assert!(path(called).exists(), "{file}: {called}");
            }
            let needs = job["needs"].as_str().map(ToOwned::to_owned);
            assert!(needs.as_ref().is_none_or(|needed| names.contains(needed)), "{file}: {name} needs {needs:?}");
        }
    }
}

/// A release that nobody tested, or one that cannot sign, is none.
#[test]
fn a_release_passes_what_a_change_passes() {
    let release = yaml(".github/workflows/release.yml");
    assert_eq!(release["jobs"]["ci"]["uses"], "./.github/workflows/ci.yml");
    assert_eq!(release["jobs"]["release"]["needs"], "ci");
    assert_eq!(release["jobs"]["release"]["permissions"]["id-token"], "write");
}

/// By the hash of a commit, which cannot be moved, with the version beside it: that is what dependabot reads and writes.
#[test]
fn every_action_is_pinned_and_has_a_version() {
    let mut pins = BTreeSet::new();
    for (file, _) in all() {
        let text = super::read(&format!(".github/workflows/{file}"));
        for used in text.lines().filter_map(|line| line.split_once("uses: ").map(|(_, used)| used)) {
            if used.starts_with("./") {
                continue;
            }
            let (action, version) = used.split_once(" # v").unwrap_or_else(|| panic!("{file}: {used}: no version"));
            let (name, hash) = action.split_once('@').unwrap_or_else(|| panic!("{file}: {used}"));
            let numbers: Vec<_> = version.split('.').collect();
            assert!(numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok()), "{file}: {used}");
            let is_hash = hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(name.contains('/') && is_hash, "{file}: {used}");
            pins.insert((name.to_owned(), hash.to_owned()));
        }
    }
    let names: BTreeSet<_> = pins.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), pins.len(), "one version of each action: {pins:?}");
}

#[test]
fn every_command_exists() {
    let targets = targets();
    let mut made = BTreeSet::new();
    for (file, workflow) in all() {
        for step in jobs(&workflow).values().flat_map(steps) {
            assert!(step["uses"].is_string() != step["run"].is_string(), "{file}: {step}");
            for line in step["run"].as_str().unwrap_or_default().lines() {
                let mut words = line.split_whitespace();
                match words.next() {
                    Some("make") => {
                        let target = words.next().unwrap();
                        assert!(targets.iter().any(|known| known == target), "{file}: make {target}");
                        made.insert(target.to_owned());
                    }
                    Some(script) if script.starts_with('.') => {
                        assert!(path(script).exists(), "{file}: {script}");
                        let (directory, _) = words.next().unwrap().split_once("/${{").unwrap();
                        assert!(path(directory).exists(), "{file}: {directory}");
                    }
                    _ => {}
                }
            }
        }
    }
    assert_eq!(made.into_iter().collect::<Vec<_>>(), ["check", "test"]);
}

/// The variants that kind runs are the directories that can be applied.
#[test]
fn kind_runs_every_variant() {
    let variants = &yaml(".github/workflows/ci.yml")["jobs"]["kind"]["strategy"]["matrix"]["variant"];
    for variant in variants.as_array().unwrap() {
        let file = format!("build/kubernetes/{}/kustomization.yaml", variant.as_str().unwrap());
        assert_eq!(yaml(&file)["kind"], "Kustomization", "{file}");
    }
    assert_eq!(variants.as_array().unwrap().len(), 2);
}

#[test]
fn actionlint_finds_nothing() {
    lint("actionlint", &[]);
}
