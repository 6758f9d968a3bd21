//! The commands of the README work: each is executed here, in a form that costs little, or says beside it why it is not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A fenced block: the line that it begins at, its language, its text, and why it is not run, if it says so.
struct Fence {
    line: usize,
    language: String,
    text: String,
    excuse: Option<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

fn fences() -> Vec<Fence> {
    let (readme, mut fences, mut before) = (readme(), Vec::new(), "");
    let mut lines = readme.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let excuse = before.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
            let (language, excuse) = (language.to_owned(), excuse.map(ToOwned::to_owned));
            fences.push(Fence { line: number + 1, language, text: text.join("\n"), excuse });
        }
        before = line;
    }
    fences
}

/// How a command is executed in a form that costs little.
enum Form {
    /// make shows what it would run, and every program of the tree that it names has a source.
    DryMake,
    /// kubectl builds what it would apply.
    Build,
    /// kubectl makes the Secret without sending it, and it has the keys of the example.
    Secret,
}

/// What begins a command, and its form.
const FORMS: [(&str, Form); 4] = [
    ("make demo", Form::DryMake),
    ("make test", Form::DryMake),
    ("kubectl apply -k ", Form::Build),
    ("agent=$(openssl rand", Form::Secret),
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
            let dry = format!("cd {}; {} --dry-run", root().display(), command);
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
            let example = std::fs::read_to_string(root().join("build/kubernetes/secret.example.yaml")).unwrap();
            let example: Value = serde_saphyr::from_str(&example).unwrap();
            let keys = |data: &Value| data.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(&made["data"]), keys(&example["stringData"]));
            assert_eq!(made["metadata"]["name"], example["metadata"]["name"]);
            assert_eq!(made["metadata"]["namespace"], example["metadata"]["namespace"]);
        }
    }
}

#[test]
fn every_command_is_executed_or_says_why_not() {
    let (mut unknown, mut used) = (String::new(), BTreeMap::new());
    for Fence { line, language, text, excuse } in fences().iter().filter(|fence| fence.language == "sh") {
        let form = FORMS.iter().position(|(begin, _)| text.starts_with(begin));
        match (form, excuse) {
            (Some(_), Some(excuse)) => panic!("line {line}: it is executed, although {excuse}"),
            (Some(form), None) => {
                used.insert(form, *line);
                execute(&FORMS[form].1, text);
            }
            (None, Some(excuse)) => assert!(excuse.len() > 10, "line {line}: {excuse}"),
            (None, None) => writeln!(unknown, "line {line} ({language}): {text}").unwrap(),
        }
    }
    assert_eq!(unknown, "", "neither executed nor excused");
    assert_eq!(used.len(), FORMS.len(), "a form that no command has");
}

#[test]
fn what_is_not_a_command_is_of_a_language_that_is_read() {
    for Fence { line, language, text, .. } in fences() {
        match language.as_str() {
            // Commands, and the picture.
            "sh" | "" => {}
            "yaml" => {
                let read: Result<Vec<Value>, _> = serde_saphyr::from_multiple(&text);
                assert!(read.is_ok(), "line {line}: {read:?}");
            }
            other => panic!("line {line}: nobody reads {other}"),
        }
    }
}

/// Each `[text](target)`: a file of the tree, a heading, or elsewhere.
#[test]
fn every_link_leads_somewhere() {
    let readme = readme();
    let anchor = |heading: &str| {
        let letters = heading.to_lowercase();
        let kept = letters.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().trim().replace(' ', "-")
    };
    let headings: Vec<String> =
        readme.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect();
    for target in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        match target.strip_prefix('#') {
            Some(heading) => assert!(headings.iter().any(|known| known == heading), "no heading #{heading}"),
            None if target.contains("://") => {}
            None => assert!(root().join(target).exists(), "no file {target}"),
        }
    }
}

/// Every `make` target that is told of exists, and every target that `make help` lists is told of.
#[test]
fn the_makefile_has_what_is_told_of() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let told: Vec<String> = makefile
        .lines()
        .filter_map(|line| {
            line.split_once(": ").filter(|(_, rest)| rest.contains("## ")).map(|(name, _)| name.to_owned())
        })
        .filter(|name| !["help", "lint"].contains(&name.as_str()))
        .collect();
    let readme = readme();
    for target in &told {
        assert!(readme.contains(&format!("`make {target}")), "make {target} is not in the README");
    }
    for word in readme.split("`make ").skip(1).filter_map(|rest| rest.split(['`', ' ']).next()) {
        assert!(makefile.contains(&format!("\n{word}:")), "make {word}");
    }
}

/// Every path that the agent answers is told of, and answers.
#[test]
fn every_endpoint_is_told_of() {
    let source = std::fs::read_to_string(root().join("src/edge/http.rs")).unwrap();
    let readme = readme();
    let paths: Vec<&str> = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(paths.len() > 5);
    for path in paths {
        assert!(readme.contains(&format!("| `{path}` |")), "{path}");
    }
}
