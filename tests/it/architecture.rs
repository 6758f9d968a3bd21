//! Who may import whom, held against the sources: a line that climbs fails here, with its file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and what they may name of the crate, by prefix. Everything may name `domain`, and itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("accept", &[]),
    ("apart", &[]),
    ("backoff", &[]),
    ("state", &[]),
    ("config", &[]),
    ("cli", &["config"]),
    ("logging", &["config"]),
    ("edge::http", &["accept", "apart", "state"]),
    ("edge::signals", &["state"]),
    ("edge", &["accept", "apart", "backoff", "state"]),
    ("agent", &["apart", "backoff", "edge::admin", "edge::draining_file", "state"]),
    ("dump", &["backoff", "config", "edge::admin", "edge::dump", "state"]),
    ("app", &["agent", "apart", "cli", "config", "dump", "edge", "logging", "state"]),
    ("main", &["app", "cli", "config", "logging"]),
];

/// A library is imported in one room, so that a version bump has one reader.
const LIBRARIES: &[(&str, &str)] = &[
    ("mysql_async", "edge::admin"),
    ("sha1", "edge::admin"),
    // Digests of what is published; no I/O.
    ("sha1", "domain::config_file"),
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
    ("backon", "backoff"),
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

/// `src/agent/drain.rs` is `agent::drain`.
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
            let rooms = LIBRARIES.iter().filter(|(same, _)| same == library).map(|(_, room)| room);
            if !paths(&code, library).is_empty() && !rooms.clone().any(|room| is_within(&module, room)) {
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

/// The names that a file imports, each with the module that it is said to come from: every leaf of every `use` line.
fn imports(code: &str, module: &str) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let Some((before, tree)) = statement.rsplit_once("use ") else { continue };
        if !before
            .trim_end()
            .lines()
            .last()
            .is_none_or(|l| matches!(l.trim(), "" | "pub") || l.trim().ends_with([')', ']', '}']))
        {
            continue;
        }
        let is_public = before.trim_end().ends_with("pub") || before.trim_end().ends_with(')');
        let mut leaves = Vec::new();
        open(&tree.split_whitespace().collect::<String>(), "", &mut leaves);
        for leaf in leaves {
            let mut parts: Vec<&str> = Vec::new();
            for (at, part) in leaf.split("::").enumerate() {
                match part {
                    "crate" if at == 0 => {}
                    "self" if at == 0 => parts = module.split("::").collect(),
                    "super" => {
                        if at == 0 {
                            parts = module.split("::").collect();
                        }
                        parts.pop();
                    }
                    _ if at == 0 => break,
                    "self" => {}
                    part => parts.push(part),
                }
            }
            if let Some((name, from)) = parts.split_last() {
                found.push((from.join("::"), (*name).to_owned(), is_public));
            }
        }
    }
    found
}

/// `a::{b, c::{d}}` is `a::b` and `a::c::d`.
fn open(tree: &str, before: &str, leaves: &mut Vec<String>) {
    let Some((head, group)) = tree.split_once('{') else {
        leaves.push(format!("{before}{tree}"));
        return;
    };
    let (mut depth, mut from) = (0, 0);
    let group = group.strip_suffix('}').unwrap_or(group);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if from < at {
                    open(&group[from..at], &format!("{before}{head}"), leaves);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// Which modules each module imports from. A name that a room only hands on is its file's, and a part may name what its own room defines.
fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let texts: BTreeMap<String, String> = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")))
        .iter()
        .map(|path| {
            (module_of(path), code(path).split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned())
        })
        .filter(|(module, _)| !module.ends_with("tests"))
        .collect();
    let all: BTreeMap<&String, Vec<_>> = texts.iter().map(|(module, text)| (module, imports(text, module))).collect();
    let home = |from: &str, name: &str| {
        let (mut from, mut name) = (from.to_owned(), name.to_owned());
        for _ in 0..4 {
            let inner = format!("{from}::{name}");
            if texts.contains_key(&inner) {
                return Some(inner);
            }
            let handed = all.get(&from)?.iter().find(|(_, handed, public)| *public && *handed == name);
            match handed {
                Some((next, next_name, _)) => (from, name) = (next.clone(), next_name.clone()),
                None => return Some(from),
            }
        }
        None
    };
    let arrow = |(module, imports): (&&String, &Vec<(String, String, bool)>)| {
        let homes = imports.iter().filter(|(_, _, public)| !public).filter_map(|(from, name, _)| home(from, name));
        ((*module).clone(), homes.filter(|home| !is_within(module, home)).collect())
    };
    all.iter().map(arrow).collect()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let arrows = arrows();
    assert!(arrows["domain::health"].contains("domain::proxysql::observation"), "imports are read: {arrows:?}");
    let reach = |from: &String| {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![from]);
        while let Some(module) = todo.pop() {
            for next in arrows.get(module).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    todo.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|module| (module, reach(module))).collect();
    let mut circles = Vec::new();
    for (one, theirs) in &reached {
        let others =
            theirs.iter().filter(|other| *one < *other && reached.get(*other).is_some_and(|back| back.contains(*one)));
        circles.extend(others.map(|other| format!("{one} <-> {other}")));
    }
    assert!(circles.is_empty(), "circles of imports:\n{}", circles.join("\n"));
}

/// A name that two rooms have is read as the wrong one.
#[test]
fn no_type_has_the_name_of_another() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let module = module_of(&path);
        if module.split("::").any(|part| part == "tests") {
            continue;
        }
        let code = code(&path);
        let shipped = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for line in shipped.lines() {
            let declared = match line.split_once(' ') {
                Some((public, rest)) if public.starts_with("pub") => rest,
                _ => line,
            };
            let of_type = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| declared.strip_prefix(kind));
            if let Some(name) = of_type {
                let name = name.chars().take_while(|c| c.is_alphanumeric()).collect();
                places.entry(name).or_default().insert(module.clone());
            }
        }
    }
    assert!(places.contains_key("StatusWriter"), "types are read: {places:?}");
    places.retain(|_, modules| modules.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}
