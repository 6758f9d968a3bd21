//! What builds a release names things that exist: targets, files, stages, jobs, versions. The tools that run it look at the rest.

pub(crate) mod container;
mod goreleaser;
mod workflows;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A file of the tree.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the Makefile's targets.
fn targets() -> Vec<String> {
    let lines = read("Makefile");
    lines.lines().filter_map(|line| line.strip_prefix(".PHONY: ")).map(ToOwned::to_owned).collect()
}

/// Runs a linter that may be absent; it must find nothing.
fn lint(tool: &str, arguments: &[&str]) {
    match Command::new(tool).args(arguments).current_dir(path("")).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{tool}: {said}");
        }
        Err(error) => eprintln!("{tool}: {error}; not linted by it"),
    }
}

/// A version in `Cargo.toml` speaks for all places that repeat it.
#[test]
fn one_toolchain_everywhere() {
    let wanted = env!("CARGO_PKG_RUST_VERSION");
    assert!(read("build/Dockerfile").contains(&format!("FROM rust:{wanted}-")));
    assert!(read("README.md").contains(&format!("({wanted} or later)")));
    assert!(read(".github/workflows/ci.yml").contains(&format!("--default-toolchain {wanted}.0")));
    assert!(read("rust-toolchain.toml").contains("channel = \"stable\""));
}

#[test]
fn scripts_have_no_known_pitfalls() {
    lint("shellcheck", &[".ci/run", ".ci/kind"]);
}
