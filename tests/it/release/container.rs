//! The Dockerfile: in the image there is the binary where manifests of the Go agent look for it, with that image's configuration beside
//! it, and a user without rights.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proxysql_agent::config::{Config, LogFormat, RunMode, Sources, keys, load};

use super::{lint, path, read};

/// Where the Go agent's image has its binary, and works.
pub(crate) const ENTRYPOINT: &str = "/app/proxysql-agent";
/// What the image has at `/app/config.yaml`, the working directory's.
pub(crate) const IMAGE_CONFIG: &str = "build/image/config.yaml";

/// An instruction with its arguments, and the stage that it is in.
struct Instruction {
    stage: usize,
    name: String,
    arguments: String,
}

fn instructions() -> Vec<Instruction> {
    let (text, mut stage, mut found) = (read("build/Dockerfile").replace("\\\n", " "), 0, Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, arguments) = line.split_once(' ').unwrap();
        stage += usize::from(name == "FROM");
        found.push(Instruction { stage, name: name.to_owned(), arguments: arguments.trim().to_owned() });
    }
    found
}

/// The stages by number: what each is made from, and its name.
pub(super) fn stages() -> BTreeMap<usize, (String, Option<String>)> {
    let of = |instruction: Instruction| {
        let (base, name) = match instruction.arguments.split_once(" AS ") {
            Some((base, name)) => (base.to_owned(), Some(name.to_owned())),
            None => (instruction.arguments.clone(), None),
        };
        (instruction.stage, (base, name))
    };
    instructions().into_iter().filter(|instruction| instruction.name == "FROM").map(of).collect()
}

/// What the stages of the image copy that is no binary.
pub(super) fn copied_from_the_tree() -> BTreeSet<String> {
    let copies = instructions().into_iter().filter(|instruction| instruction.name == "COPY");
    let sources = copies.flat_map(|copy| {
        let words: Vec<String> = copy.arguments.split_whitespace().map(ToOwned::to_owned).collect();
        words[..words.len() - 1].to_vec()
    });
    sources.filter(|source| source.starts_with("build/")).collect()
}

#[test]
fn every_base_has_a_version_or_is_empty() {
    let stages = stages();
    for (base, _) in stages.values() {
        let own = stages.values().any(|(_, name)| name.as_ref() == Some(base));
        let version = base.split_once(':').map(|(_, tag)| tag);
        let pinned = version.is_some_and(|tag| tag.starts_with(|c: char| c.is_ascii_digit()));
        assert!(own || base == "scratch" || pinned, "FROM {base}");
    }
}

/// The image is the last stage, and that of a release its sister: both have what the stage `base` says, and the binary.
#[test]
fn the_image_is_a_binary_and_a_user_without_rights() {
    let stages = stages();
    let (&last, (from, _)) = stages.last_key_value().unwrap();
    let (&release, (release_from, _)) =
        stages.iter().find(|(_, (_, name))| name.as_deref() == Some("release")).unwrap();
    assert_eq!([from, release_from], ["base", "base"]);
    let (&base, (scratch, _)) = stages.iter().find(|(_, (_, name))| name.as_deref() == Some("base")).unwrap();
    assert_eq!(scratch, "scratch");
    let instructions = instructions();
    let of = |stage: usize, name: &str| {
        let of: Vec<&str> = instructions
            .iter()
            .filter(|instruction| instruction.stage == stage && instruction.name == name)
            .map(|instruction| instruction.arguments.as_str())
            .collect();
        of.join("\n")
    };
    // A number: kubelets cannot tell by a name whether it is root.
    let (user, group) = of(base, "USER").split_once(':').map(|(u, g)| (u.to_owned(), g.to_owned())).unwrap();
    // The Go agent's. Where a pod names only the user, its group is that of /etc/passwd; without one it is root's.
    assert_eq!(user.parse::<u32>().unwrap(), 1000);
    assert!(group.parse::<u32>().unwrap() > 0);
    assert_eq!(read("build/image/passwd"), format!("agent:x:{user}:{group}::/app:/sbin/nologin\n"));
    assert_eq!(read("build/image/group"), format!("agent:x:{group}:\n"));
    assert_eq!(of(base, "WORKDIR"), "/app");
    assert_eq!(
        of(base, "COPY"),
        format!("build/image/passwd build/image/group /etc/\n{IMAGE_CONFIG} /app/config.yaml")
    );
    assert_eq!(of(base, "EXPOSE"), keys::find("api.port").unwrap().default.unwrap());
    assert_eq!(of(base, "ENTRYPOINT"), format!("[\"{ENTRYPOINT}\"]"));
    for label in ["title", "description", "source", "documentation", "licenses"] {
        assert!(of(base, "LABEL").contains(&format!("org.opencontainers.image.{label}=")), "{label}");
    }
    assert!(of(base, "LABEL").contains(&format!("description=\"{}\"", env!("CARGO_PKG_DESCRIPTION"))));
    for stage in [last, release] {
        let copied = of(stage, "COPY");
        assert!(copied.ends_with(&format!("/proxysql-agent {ENTRYPOINT}")) && !copied.contains('\n'), "{copied}");
    }
    let changes = instructions.iter().filter(|instruction| instruction.stage > 1);
    let changes: Vec<&str> = changes.map(|i| i.name.as_str()).filter(|name| ["RUN", "ADD"].contains(name)).collect();
    assert_eq!(changes, [""; 0], "there is nothing to run it with");
    assert!(!instructions.iter().any(|instruction| instruction.name == "ADD"), "COPY says what it does");
}

/// A deployment that sets nothing else but the mode has what it had with the Go agent's image, but for the password of that image.
#[test]
fn the_images_configuration_is_that_of_the_go_agents_image() {
    let mode = [("AGENT_RUN_MODE".into(), "core".into())];
    let loaded = load(&Sources { default_files: vec![path(IMAGE_CONFIG)], ..Sources::new(mode) }).unwrap();
    assert_eq!(loaded.warnings, [""; 0]);
    assert_eq!(loaded.file, Some(path(IMAGE_CONFIG)));
    let mut theirs = Config::defaults(RunMode::Core).unwrap();
    theirs.log.format = LogFormat::Json;
    theirs.shutdown.drain_timeout = Duration::from_mins(1);
    theirs.shutdown.shutdown_timeout = Duration::from_secs(75);
    assert_eq!(Config { dump: theirs.dump.clone(), ..loaded.config }, theirs);
    // Each of its keys stands there, so that other defaults of this agent would not change what the image does.
    let silent: Vec<&str> = keys::KEYS.iter().filter(|key| key.go).map(|key| key.name).collect();
    let silent: Vec<&str> =
        silent.into_iter().filter(|name| !loaded.provenance.of(name).to_string().contains(IMAGE_CONFIG)).collect();
    assert_eq!(silent, ["run_mode", "proxysql.password"]);
}

#[test]
fn hadolint_finds_nothing() {
    lint("hadolint", &["build/Dockerfile"]);
}
