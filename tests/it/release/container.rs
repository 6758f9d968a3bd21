//! The Dockerfile: nothing in the image but the binary, and nobody in it but a user without rights.

use std::collections::BTreeMap;

use proxysql_agent::config::keys;

use super::{lint, read};

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
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
    assert_eq!(of(base, "EXPOSE"), keys::find("api.port").unwrap().default.unwrap());
    assert_eq!(of(base, "ENTRYPOINT"), "[\"/proxysql-agent\"]");
    for label in ["title", "description", "source", "documentation", "licenses"] {
        assert!(of(base, "LABEL").contains(&format!("org.opencontainers.image.{label}=")), "{label}");
    }
    assert!(of(base, "LABEL").contains(&format!("description=\"{}\"", env!("CARGO_PKG_DESCRIPTION"))));
    for stage in [last, release] {
        let copied = of(stage, "COPY");
        assert!(copied.ends_with("/proxysql-agent /proxysql-agent") && !copied.contains('\n'), "{copied}");
    }
    let changes = instructions.iter().filter(|instruction| instruction.stage > 1);
    let changes: Vec<&str> = changes.map(|i| i.name.as_str()).filter(|name| ["RUN", "ADD"].contains(name)).collect();
    assert_eq!(changes, [""; 0], "there is nothing to run it with");
    assert!(!instructions.iter().any(|instruction| instruction.name == "ADD"), "COPY says what it does");
}

#[test]
fn hadolint_finds_nothing() {
    lint("hadolint", &["build/Dockerfile"]);
}
