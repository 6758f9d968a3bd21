//! `.goreleaser.yaml`: the keys are those of its documentation, and what they name is there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::container::{copied_from_the_tree, stages};
use super::{path, read};

/// The configuration, as far as it is used. A key that is not known here may be misspelt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoReleaser {
    version: u32,
    project_name: String,
    builds: Vec<Build>,
    archives: Vec<Archive>,
    checksum: Checksum,
    sboms: Vec<Sbom>,
    signs: Vec<Sign>,
    dockers_v2: Vec<Docker>,
    docker_signs: Vec<DockerSign>,
    changelog: Changelog,
    release: Release,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    id: String,
    builder: String,
    binary: String,
    targets: Vec<String>,
    flags: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Archive {
    ids: Vec<String>,
    formats: Vec<String>,
    name_template: String,
    #[serde(rename = "wrap_in_directory")]
    _wrap_in_directory: bool,
    files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checksum {
    name_template: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sbom {
    artifacts: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    artifacts: String,
    cmd: String,
    signature: String,
    args: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Docker {
    ids: Vec<String>,
    dockerfile: String,
    extra_files: Vec<String>,
    images: Vec<String>,
    tags: Vec<String>,
    platforms: Vec<String>,
    flags: Vec<String>,
    labels: BTreeMap<String, String>,
    sbom: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DockerSign {
    cmd: String,
    args: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changelog {
    #[serde(rename = "use")]
    source: String,
    sort: String,
    filters: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    prerelease: String,
    header: String,
}

fn configuration() -> GoReleaser {
    serde_saphyr::from_str(&read(".goreleaser.yaml")).unwrap_or_else(|error| panic!(".goreleaser.yaml: {error}"))
}

#[test]
fn the_binaries_are_static_and_for_both_processors() {
    let GoReleaser { version, project_name, builds, archives, .. } = configuration();
    assert_eq!((version, project_name.as_str()), (2, env!("CARGO_PKG_NAME")));
    let [Build { id, builder, binary, targets, flags }] = &builds[..] else { panic!("one build") };
    assert_eq!((builder.as_str(), binary.as_str()), ("rust", env!("CARGO_PKG_NAME")));
    assert_eq!(targets[..], ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"]);
    // Only these are built from a workspace, with the lock file as it is, and their licences were looked at.
    assert_eq!(flags[..], ["--release", "--locked", "--package=proxysql-agent"]);
    let deny = read("deny.toml");
    assert!(targets.iter().all(|target| deny.contains(&format!("\"{target}\""))), "deny.toml looks at other targets");
    for Archive { ids, formats, name_template, files, .. } in &archives {
        assert_eq!((ids, &formats[..]), (&vec![id.clone()], &["tar.gz".to_owned()][..]));
        assert!(["{{ .Version }}", "{{ .Os }}", "{{ .Arch }}"].iter().all(|part| name_template.contains(part)));
        for file in files {
            let there = file.split("/*").next().unwrap();
            assert!(path(there).exists(), "{file}");
        }
        // What a package would install, and the terms on which it may.
        for wanted in ["LICENSE", "build/proxysql-agent.1", "build/completions/*"] {
            assert!(files.iter().any(|file| file == wanted), "{wanted}");
        }
    }
}

#[test]
fn checksums_bills_and_images_are_made_and_signed() {
    let GoReleaser { checksum, sboms, signs, dockers_v2, docker_signs, builds, .. } = configuration();
    assert_eq!(checksum.name_template, "checksums.txt");
    assert_eq!(sboms.iter().map(|sbom| sbom.artifacts.as_str()).collect::<Vec<_>>(), ["archive"]);
    let [Sign { artifacts, cmd, signature, args }] = &signs[..] else { panic!("one kind of signature") };
    // The checksums speak for all files.
    assert_eq!(
        (artifacts.as_str(), cmd.as_str(), signature.as_str()),
        ("checksum", "cosign", "${artifact}.sigstore.json")
    );
    assert!(
        ["sign-blob", "--bundle=${signature}", "${artifact}", "--yes"].iter().all(|arg| args.iter().any(|a| a == arg))
    );
    let [docker] = &dockers_v2[..] else { panic!("one image") };
    assert_eq!(docker.ids, builds.iter().map(|build| build.id.clone()).collect::<Vec<_>>());
    assert_eq!(docker.dockerfile, "build/Dockerfile");
    let extra: BTreeSet<String> = docker.extra_files.iter().cloned().collect();
    assert_eq!(extra, copied_from_the_tree(), "what a release copies has to be handed over");
    assert!(extra.iter().all(|file| path(file).is_file()), "{extra:?}");
    let stages: BTreeSet<String> =
        stages().into_values().filter_map(|(_, name)| Some(format!("--target={}", name?))).collect();
    assert!(docker.flags.iter().all(|flag| stages.contains(flag)), "{:?}: no such stage", docker.flags);
    assert_eq!(docker.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(docker.sbom, "true");
    // What the manifests pull.
    assert_eq!(docker.images, ["ghcr.io/persona-id/proxysql-agent"]);
    assert_eq!(docker.tags[0], "{{ .Version }}");
    assert!(docker.tags[1..].iter().all(|tag| tag.starts_with("{{ if not .Prerelease }}")), "{:?}", docker.tags);
    assert!(
        ["version", "revision", "created"]
            .iter()
            .all(|label| docker.labels.contains_key(&format!("org.opencontainers.image.{label}")))
    );
    let [DockerSign { cmd, args }] = &docker_signs[..] else { panic!("one signature") };
    // By digest: a tag may be another image by then.
    assert_eq!((cmd.as_str(), args.join(" ").as_str()), ("cosign", "sign ${artifact}@${digest} --yes"));
}

#[test]
fn the_notes_lead_to_the_changelog() {
    let GoReleaser { changelog, release, .. } = configuration();
    assert_eq!((changelog.source.as_str(), changelog.sort.as_str()), ("github", "asc"));
    assert_eq!(changelog.filters.keys().collect::<Vec<_>>(), ["exclude"]);
    assert_eq!(release.prerelease, "auto");
    assert!(release.header.contains("CHANGELOG.md") && path("CHANGELOG.md").exists());
}
