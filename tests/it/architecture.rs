//! Who may import whom, held against the sources: a line that climbs fails here, with its file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and what they may name of the crate, by prefix. Everything may name `domain`, and itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("apart", &[]),
    ("state", &[]),
    ("config", &[]),
    ("cli", &["config"]),
    ("logging", &["config"]),
    ("edge::http", &["apart", "state"]),
    ("edge::signals", &["state"]),
    ("edge", &["apart", "state"]),
    ("agent", &["apart", "edge::admin", "edge::draining_file", "state"]),
    ("dump", &["config", "edge::admin", "edge::dump", "state"]),
    ("app", &["agent", "apart", "cli", "config", "dump", "edge", "logging", "state"]),
    ("main", &["app", "cli", "config", "logging"]),
];

/// A library is imported in one room, so that a version bump has one reader.
const LIBRARIES: &[(&str, &str)] = &[
    ("mysql_async", "edge::admin"),
    ("sha1", "edge::admin"),
    ("tokio_rustls", "edge::admin"),
    ("kube", "edge::kubernetes"),
    ("k8s_openapi", "edge::kubernetes"),
    ("dns_wire", "edge::dns"),
    ("resolv_conf", "edge::dns"),
    ("axum", "edge::http"),
    ("socket2", "edge::http"),
    ("hyper", "edge::http"),
    ("hyper_util", "edge::http"),
    ("prometheus_client", "edge::metrics"),
    ("csv", "edge::dump"),
    ("flate2", "edge::dump"),
    ("signal_hook", "edge::signals"),
    ("signal_hook_tokio", "edge::signals"),
    ("figment", "config"),
    ("serde_saphyr", "config"),
    ("clap", "cli"),
    ("tracing_subscriber", "logging"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect()
}

/// `src/agent/core.rs` is `agent::core`.
fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap().with_extension("");
    relative.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("::")
}

fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path that begins with `root::`, with the first level of braces opened: `edge::{admin, pods}` is two.
fn paths(code: &str, root: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(&format!("{root}::")) {
        if code[..at].chars().next_back().is_some_and(|c| is_name(c) || c == ':') {
            continue;
        }
        let rest = &code[at + root.len() + 2..];
        let path: String = rest.chars().take_while(|c| is_name(*c) || *c == ':').collect();
        match rest[path.len()..].strip_prefix('{').and_then(|group| group.split('}').next()) {
            Some(group) => found.extend(group.split(',').map(|name| format!("{path}{}", name.trim()))),
            None => drop(found.insert(path)),
        }
    }
    found
}

fn is_within(path: &str, room: &str) -> bool {
    path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn no_import_climbs() {
    let mut wrong = Vec::new();
    for path in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let module = module_of(&path);
        let code = code(&path);
        let Some((room, allowed)) = MAY_IMPORT.iter().find(|(room, _)| is_within(&module, room)) else {
            assert!(["lib", "edge"].contains(&module.as_str()), "{module} has no row in the table of rooms");
            continue;
        };
        let root = if *room == "main" { "proxysql_agent" } else { "crate" };
        for import in paths(&code, root) {
            // An edge is its own room: edges never import each other.
            let own = if *room == "edge" {
                module.split("::").take(2).collect::<Vec<_>>().join("::")
            } else {
                (*room).to_owned()
            };
            let mut rooms = ["domain", own.as_str()].into_iter().chain(allowed.iter().copied());
            if !rooms.any(|room| is_within(&import, room)) {
                wrong.push(format!("{module} imports {import}"));
            }
        }
        if ["edge::http", "edge::signals"].contains(room) && code.contains("domain::proxysql::statement") {
            wrong.push(format!("{module} can reach SQL"));
        }
        for (library, room) in LIBRARIES {
            if !paths(&code, library).is_empty() && !is_within(&module, room) {
                wrong.push(format!("{module} imports {library}, which is {room}'s"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that climb:\n{}", wrong.join("\n"));
}

#[test]
fn sql_has_one_room() {
    for path in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let (module, code) = (module_of(&path), code(&path));
        let shipped = code.split("#[cfg(test)]").next().unwrap_or_default();
        for word in ["SELECT ", "INSERT INTO", "DELETE FROM", "\"LOAD ", "\"SAVE "] {
            assert!(
                module.ends_with("::tests")
                    || !shipped.contains(word)
                    || is_within(&module, "domain::proxysql::statement"),
                "{module} holds SQL: {word}"
            );
        }
    }
}
