//! README and docs: each command is executed, in a form that costs little, or says beside it why it is not; links lead somewhere, and what
//! is listed exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use proxysql_agent::config::reference;
use proxysql_agent::edge::metrics;
use serde_json::Value;

use crate::support::document;

/// A fenced block: the document and the line that it begins at, its language, its text, and why it is not run, if it says so.
struct Fence {
    at: String,
    language: String,
    text: String,
    excuse: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages of `docs`.
fn pages() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("docs")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.into_iter().map(|name| format!("docs/{name}")).collect()
}

/// Every document that somebody may follow.
fn documents() -> Vec<String> {
    ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(ToOwned::to_owned).into_iter().chain(pages()).collect()
}

fn fences() -> Vec<Fence> {
    let mut fences = Vec::new();
    for name in documents() {
        let (text, mut before) = (document(&name), "");
        let mut lines = text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
                let excuse = before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
                let (language, excuse) = (language.to_owned(), excuse.map(ToOwned::to_owned));
                fences.push(Fence { at: format!("{name}:{}", number + 1), language, text: text.join("\n"), excuse });
            }
            before = line;
        }
    }
    fences
}

/// How a command is executed in a form that costs little.
enum Form {
    /// make shows what it would run.
    DryMake,
    /// kubectl builds what it would apply.
    Build,
    /// kubectl makes the Secret without sending it, and it has the keys of the example.
    Secret,
    /// The agent itself, with a run mode and nothing else.
    Agent,
}

/// What begins a command, and its form.
const FORMS: [(&str, Form); 8] = [
    ("make check", Form::DryMake),
    ("make demo", Form::DryMake),
    ("make run", Form::DryMake),
    ("make test", Form::DryMake),
    ("kubectl apply -k ", Form::Build),
    ("agent=$(openssl rand", Form::Secret),
    ("proxysql-agent check", Form::Agent),
    ("proxysql-agent --show-config", Form::Agent),
];

fn shell(script: &str, environment: &[(&str, &str)]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("users.cnf"), "{ username=\"app\", password=\"secret\" }\n").unwrap();
    let mut child = Command::new("sh")
        .args(["-eu", "-s"])
        .current_dir(dir.path())
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        eprintln!("{program} is not installed; commands that begin with it are not executed");
    }
    there
}

fn execute(form: &Form, command: &str) {
    match form {
        Form::DryMake => {
            let commands: String =
                command.lines().fold(String::new(), |all, line| all + &format!("; {line} --dry-run"));
            let dry = format!("cd {}{commands}", root().display());
            assert!(said(&shell(&dry, &[])).contains("cargo"), "{command}");
        }
        Form::Build => {
            let built = command.replace("apply -k ", &format!("kustomize {}/", root().display()));
            if is_there("kubectl") {
                assert!(said(&shell(&built, &[])).contains("kind: StatefulSet"), "{command}");
            }
        }
        Form::Secret => {
            if !is_there("kubectl") || !is_there("openssl") {
                return;
            }
            let dry = command.replace("create secret generic", "create --dry-run=client -o json secret generic");
            let made: Value = serde_json::from_str(&said(&shell(&dry, &[("MONITOR_PASSWORD", "secret")]))).unwrap();
            let example: Value = serde_saphyr::from_str(&document("build/kubernetes/secret.example.yaml")).unwrap();
            let keys = |data: &Value| data.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&made["data"]), keys(&example["stringData"]));
            assert_eq!(made["metadata"]["name"], example["metadata"]["name"]);
            assert_eq!(made["metadata"]["namespace"], example["metadata"]["namespace"]);
        }
        Form::Agent => {
            let run = command.replace("proxysql-agent", env!("CARGO_BIN_EXE_proxysql-agent"));
            assert!(said(&shell(&run, &[("AGENT_RUN_MODE", "core")])).contains("core"), "{command}");
        }
    }
}

#[test]
fn every_command_is_executed_or_says_why_not() {
    let (fences, mut unknown, mut used) = (fences(), String::new(), BTreeMap::new());
    for Fence { at, language, text, excuse } in fences.iter().filter(|fence| fence.language == "sh") {
        let form = FORMS.iter().position(|(begin, _)| text.starts_with(begin));
        match (form, excuse) {
            (Some(_), Some(excuse)) => panic!("{at}: it is executed, although {excuse}"),
            (Some(form), None) => {
                used.insert(form, at);
                execute(&FORMS[form].1, text);
            }
            (None, Some(excuse)) => assert!(excuse.len() > 10, "{at}: {excuse}"),
            (None, None) => writeln!(unknown, "{at} ({language}): {text}").unwrap(),
        }
    }
    assert_eq!(unknown, "", "neither executed nor excused");
    assert_eq!(used.len(), FORMS.len(), "a form that no command has: {used:?}");
}

#[test]
fn what_is_not_a_command_is_of_a_language_that_is_read() {
    for Fence { at, language, text, .. } in fences() {
        match language.as_str() {
            // Commands, and pictures.
            "sh" | "" => {}
            "yaml" => {
                let read: Result<Vec<Value>, _> = serde_saphyr::from_multiple(&text);
                assert!(read.is_ok(), "{at}: {read:?}");
            }
            "json" => {
                let read: Result<Value, _> = serde_json::from_str(&text);
                assert!(read.is_ok(), "{at}: {read:?}");
            }
            other => panic!("{at}: a language that is not checked: {other}"),
        }
    }
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches('#').to_lowercase();
    let kept = letters.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().trim().replace(' ', "-")
}

fn anchors(name: &str) -> Vec<String> {
    document(name).lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// Each `[text](target)`: a file of the tree, a heading in it, or elsewhere.
#[test]
fn every_link_leads_somewhere() {
    for name in documents() {
        let folder = Path::new(&name).parent().unwrap();
        for target in document(&name).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').map_or((target, None), |(file, to)| (file, Some(to)));
            let file = if file.is_empty() { name.clone() } else { folder.join(file).to_string_lossy().into_owned() };
            assert!(root().join(&file).exists(), "{name}: no file {target}");
            if let Some(heading) = heading {
                assert!(anchors(&file).iter().any(|known| known == heading), "{name}: no heading {target}");
            }
        }
    }
}

/// The README is for the first five minutes; each page is found from there.
#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = document("README.md");
    assert!(readme.lines().count() <= 130, "{} lines", readme.lines().count());
    for page in pages() {
        assert!(readme.contains(&format!("]({page})")), "{page} is not linked");
    }
}

/// Every `make` target that is named exists, and every target that `make help` lists is in CONTRIBUTING.
#[test]
fn the_makefile_has_what_is_named() {
    let makefile = document("Makefile");
    let listed: Vec<String> = makefile
        .lines()
        .filter_map(|line| {
            line.split_once(':').filter(|(_, rest)| rest.contains("## ")).map(|(name, _)| name.to_owned())
        })
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase()) && name != "help" && name != "lint")
        .collect();
    assert!(listed.len() > 5);
    let contributing = document("CONTRIBUTING.md");
    for target in &listed {
        assert!(contributing.contains(&format!("`make {target}")), "make {target} is not in CONTRIBUTING.md");
    }
    for name in documents() {
        for word in document(&name).split("`make ").skip(1).filter_map(|rest| rest.split(['`', ' ']).next()) {
            assert!(makefile.contains(&format!("\n{word}:")), "{name}: make {word}");
        }
    }
}

/// Every path that the agent answers is in the HTTP reference.
#[test]
fn every_endpoint_is_documented() {
    let (source, page) = (document("src/edge/http.rs"), document("docs/http-api.md"));
    let paths: Vec<&str> = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(paths.len() > 5);
    for path in paths {
        assert!(page.contains(&format!("| `{path}` |")), "{path}");
    }
}

/// Words that the project has given up: the glossary in `docs/architecture.md` has those that it uses.
const RETIRED: [&str; 13] = [
    "way down",
    "in effect",
    "divergence",
    "diverging",
    "search for cores",
    "list of members",
    "nobody",
    "somebody",
    "whoever",
    "sub-command",
    "in line with",
    "generation",
    "last look",
];

/// One word for one thing, in everything that a user reads.
#[test]
fn retired_words_stay_retired() {
    let mut texts: Vec<(String, String)> =
        documents().into_iter().map(|name| (name.clone(), document(&name))).collect();
    for name in
        ["config.yaml", "build/status.schema.json", "build/prometheus/alerts.yaml", "build/grafana/dashboard.json"]
    {
        texts.push((name.to_owned(), document(name)));
    }
    texts.push(("the metrics".to_owned(), metrics::markdown()));
    texts.push(("the keys".to_owned(), reference::markdown()));
    texts.push(("the help".to_owned(), proxysql_agent::cli::command().render_long_help().to_string()));
    let mut found = BTreeSet::new();
    for (name, text) in &texts {
        // The glossary and Kubernetes' own field are the exceptions.
        let lines = text.lines().filter(|line| !line.starts_with("| ") || name != "docs/architecture.md");
        for line in lines.map(str::to_lowercase) {
            let words = RETIRED.iter().filter(|word| line.contains(*word));
            found.extend(words.map(|word| format!("{name}: {word:?} in {line:?}")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
