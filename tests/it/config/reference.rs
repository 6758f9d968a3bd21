//! The documents that are held to the definition.

use proxysql_agent::config::{Config, RunMode, reference};

use super::Given;
use crate::support::{held, held_part};

#[test]
fn the_documentation_lists_every_key() {
    held_part("docs/configuration.md", "keys", &reference::markdown());
}

#[test]
fn the_reference_file_is_the_definition() {
    held("config.yaml", &reference::config_yaml());
}

#[test]
fn the_reference_file_gives_the_defaults() {
    for (flag, mode) in [("core", RunMode::Core), ("satellite", RunMode::Satellite), ("dump", RunMode::Dump)] {
        let loaded = Given::new().file(reference::config_yaml()).arg("--run_mode").arg(flag).load();
        assert_eq!(loaded.config, Config::defaults(mode).expect("defaults"));
        assert_eq!(loaded.warnings, Vec::<String>::new());
    }
    // As a base for one's own it does not stand in the way of keys that exclude each other.
    let given = Given::new().file(reference::config_yaml()).arg("--run_mode=dump");
    given.arg("--core.selector=a=b").arg("--dump.output=-").arg("--proxysql.password_file=/p").load();
}

#[test]
fn the_effective_configuration_names_its_sources() {
    let given = Given::new()
        .file("core:\n  podselector:\n    app: db\nproxysql: {password: hunter2}\n")
        .variable("AGENT_API_PORT", "9000")
        .arg("--run_mode=core");
    insta::assert_snapshot!(given.shown().replace(&given.path().display().to_string(), "FILE"));
}

#[test]
fn the_help_is_honest() {
    use proxysql_agent::cli::Invocation;
    let Ok(Invocation::Help(help)) = Given::new().arg("--help").parse() else { panic!("no help") };
    insta::assert_snapshot!(help);
    let Ok(Invocation::Help(version)) = Given::new().arg("--version").parse() else { panic!("no version") };
    assert_eq!(version, concat!("proxysql-agent ", env!("CARGO_PKG_VERSION"), "\n"));
}
