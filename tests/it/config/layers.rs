//! Every key in every layer, and which layer wins.

use std::fs;

use proptest::prelude::*;
use proxysql_agent::cli;
use proxysql_agent::config::keys::{KEYS, Key};
use proxysql_agent::config::{Config, RunMode, Sources, ValueOrigin};

use super::Given;
use super::keys::{SAMPLES, Sample};

/// A file with this one key, nested as people write it. Values stand without quotes: a number that is a password stays a text.
fn nested(name: &str, value: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let mut text = String::new();
    for (depth, part) in parts.iter().enumerate() {
        let end = if depth + 1 == parts.len() { format!(" {value}") } else { String::new() };
        text = format!("{text}{}{part}:{end}\n", "  ".repeat(depth));
    }
    // YAML gives these a meaning of their own at the start of a value.
    text.replace(" !a", " '!a'").replace(" [::1]:6032", " '[::1]:6032'")
}

/// A run mode for the samples of other keys, and what else a key needs to mean anything.
fn with_mode(given: Given, sample: &Sample) -> Given {
    let given = if sample.key == "run_mode" { given } else { given.arg("--run_mode=core") };
    match sample.key {
        "core.dns_name" => given.arg("--core.discovery=dns"),
        "core.dns_records" | "core.dns_interval" | "core.dns_server" | "core.own_address" => {
            given.arg("--core.discovery=dns").arg("--core.dns_name=cores")
        }
        "core.static_members" => given.arg("--core.discovery=static"),
        _ => given,
    }
}

fn key(sample: &Sample) -> &'static Key {
    KEYS.iter().find(|key| key.name == sample.key).expect("a key of the definition")
}

#[test]
fn every_key_has_a_sample() {
    let names: Vec<_> = SAMPLES.iter().map(|sample| sample.key).collect();
    assert_eq!(names, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
}

#[test]
fn every_key_of_the_go_agent_is_there() {
    let names: Vec<_> = KEYS.iter().filter(|key| key.go).map(|key| key.name).collect();
    let theirs = "start_delay run_mode log.level log.format log.source log.probes proxysql.address proxysql.username \
                  proxysql.password core.interval core.podselector.namespace core.podselector.app \
                  core.podselector.component satellite.interval api.port shutdown.draining_file \
                  shutdown.drain_timeout shutdown.shutdown_timeout";
    assert_eq!(names, theirs.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn every_key_in_every_layer_with_the_right_precedence() {
    for sample in SAMPLES {
        let key = key(sample);
        let [in_file, in_variable, in_flag] = sample.values;
        for layers in 0..8_u8 {
            let mut given = with_mode(Given::new(), sample);
            let mut expected = (key.default.map(str::to_owned), ValueOrigin::Default);
            if layers & 1 != 0 {
                given = given.file(nested(key.name, in_file));
                expected = (Some(in_file.to_owned()), ValueOrigin::File(given.path(), key.name.split('.').count()));
            }
            if layers & 2 != 0 {
                given = given.variable(key.variable(), in_variable);
                expected = (Some(in_variable.to_owned()), ValueOrigin::Variable(key.variable()));
            }
            if layers & 4 != 0 {
                given = given.arg(format!("--{}={in_flag}", key.name));
                expected = (Some(in_flag.to_owned()), ValueOrigin::Flag(key.flag()));
            }
            let what = format!("{} in layers {layers:03b}", key.name);
            let (Some(value), origin) = expected else {
                assert!(given.errors().contains("run_mode is not set"), "{what}");
                continue;
            };
            if layers == 0 && ["core.dns_name", "core.static_members"].contains(&key.name) {
                assert!(given.errors().contains("is empty, but core.discovery="), "{what}");
                continue;
            }
            let loaded = given.load();
            let value = match (layers, key.name) {
                (0, "dump.directory") => "/tmp".to_owned(),
                (0, "dump.timeout") => "600".to_owned(),
                (0, "shutdown.evict_idle_after") => "0.2".to_owned(),
                _ => value,
            };
            assert_eq!((sample.read)(&loaded.config), value, "{what}");
            assert_eq!(*loaded.provenance.of(key.name), origin, "{what}");
            assert_eq!(loaded.warnings, Vec::<String>::new(), "{what}");
        }
    }
}

#[test]
fn flags_may_stand_apart_from_their_values_and_the_last_one_counts() {
    for sample in SAMPLES.iter().filter(|sample| !["true", "false"].contains(&sample.values[1])) {
        let flag = key(sample).flag();
        let given = with_mode(Given::new(), sample).arg(&flag).arg(sample.values[0]).arg(&flag).arg(sample.values[2]);
        assert_eq!((sample.read)(&given.load().config), sample.values[2], "{flag}");
    }
}

#[test]
fn switches_need_no_value() {
    let load = |flag: &str| Given::new().arg("--run_mode=core").arg(flag).load().config.log.probes;
    assert!(load("--log.probes"));
    assert!(load("--log.probes=true"));
    assert!(load("--log.probes=1"));
    assert!(!load("--log.probes=false"));
    assert!(!load("--log.probes=F"));
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let mut given = Given::new().file("run_mode: satellite\nproxysql:\n  password: a\n");
    for key in KEYS {
        given = given.variable(key.variable(), "");
    }
    let loaded = given.load();
    assert_eq!(loaded.config.run_mode, RunMode::Satellite);
    assert_eq!(loaded.config.proxysql.password.expose(), "a");
    // Where somebody writes an empty text in the file or on the command line, it is meant.
    let given = Given::new().file("run_mode: core\nproxysql:\n  password: a\n").arg("--proxysql.password=");
    assert!(given.load().config.proxysql.password.is_empty());
}

#[test]
fn scalars_of_the_file_are_read_as_they_were_written() {
    for (written, read) in [
        ("12345", "12345"),
        ("0123", "0123"),
        ("1e3", "1e3"),
        ("true", "true"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("'null'", "null"),
        ("\"~\"", "~"),
        ("!!str null", "null"),
        ("'it''s'", "it's"),
        ("\"\\u00e9\\n\"", "é\n"),
        ("a#b", "a#b"),
        ("a # b", "a"),
        ("|-\n    a\n    b", "a\nb"),
        ("", ""),
        ("null", ""),
        ("~", ""),
    ] {
        let loaded = Given::new().file(format!("run_mode: core\nproxysql:\n  password: {written}\n")).load();
        assert_eq!(loaded.config.proxysql.password.expose(), read, "{written}");
        assert_eq!(loaded.warnings.len(), usize::from(["null", "~"].contains(&written)), "{written}");
    }
}

#[test]
fn the_file_of_the_go_agent_loads_unchanged() {
    let given = Given::new()
        .file(
            "---\n# A deployment's file\nstart_delay: 5\nrun_mode: core\nlog:\n  level: INFO\n  format: plain\n  probes: true\n\
             interfaces: [\"eth0\", \"eth1\"]\nProxySQL:\n  Address: \"127.0.0.1:6032\"\n  username: 'radmin'\n  password: radmin\n\
             core:\n  interval: 0\n  podselector: {namespace: db, app: proxysql, component: core}\nsatellite:\n  interval: \"15\"\n\
             api.port: 8081\nshutdown:\n  draining_file:\n  drain_timeout: 60\n  shutdown_timeout: 75\n",
        )
        .variable("AGENT_INTERFACES", "eth0")
        .variable("AGENT_LOG_SOURCE", "t")
        // Kubernetes adds these for a Service that is called agent.
        .variable("AGENT_SERVICE_HOST", "10.0.0.1")
        .variable("AGENT_PORT", "tcp://10.0.0.1:8080")
        .variable("AGENT_PORT_8080_TCP_ADDR", "10.0.0.1");
    let loaded = given.load();
    let mut expected = Config::defaults(RunMode::Core).expect("defaults");
    expected.start_delay = std::time::Duration::from_secs(5);
    expected.log.probes = true;
    expected.log.source = true;
    expected.proxysql.password = proxysql_agent::config::Secret::new("radmin");
    expected.core.podselector.namespace = "db".to_owned();
    expected.satellite.interval = std::time::Duration::from_secs(15);
    expected.api.port = 8081;
    expected.shutdown.drain_timeout = std::time::Duration::from_mins(1);
    expected.shutdown.shutdown_timeout = std::time::Duration::from_secs(75);
    assert_eq!(loaded.config, expected);
    let file = given.path().display().to_string();
    let warnings: Vec<_> = loaded.warnings.iter().map(|warning| warning.replace(&file, "FILE")).collect();
    assert_eq!(
        warnings,
        [
            "FILE:9: interfaces has no effect and can be removed",
            "AGENT_INTERFACES: interfaces has no effect and can be removed"
        ]
    );
}

#[test]
fn anchors_and_merges_work_as_in_other_readers() {
    let given = Given::new()
        .file("run_mode: core\ncore: &loop\n  interval: &i 7\nsatellite:\n  <<: *loop\nhealth: {max_age: *i}\n");
    let config = given.load().config;
    assert_eq!(config.satellite.interval, config.core.interval);
    assert_eq!(config.health.max_age.as_secs(), 7);
    let given =
        Given::new().file("core: &loop {interval: 7}\nsatellite:\n  <<: *loop\n  interval: 8\n").arg("--run_mode=core");
    assert_eq!(given.load().config.satellite.interval.as_secs(), 8);
}

#[test]
fn default_files_are_looked_for_in_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, second) = (directory.path().join("etc/config.yaml"), directory.path().join("config.yaml"));
    let load = || {
        let sources = Sources { default_files: vec![first.clone(), second.clone()], ..Sources::default() };
        match cli::parse_from(["proxysql-agent", "--run_mode=core"].map(Into::into), sources) {
            Ok(cli::Invocation::Run(loaded)) => (loaded.config.api.port, loaded.file),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(load(), (8080, None));
    fs::write(&second, "api: {port: 2}").expect("a file");
    assert_eq!(load(), (2, Some(second.clone())));
    fs::create_dir(directory.path().join("etc")).expect("a directory");
    fs::write(&first, "api: {port: 1}").expect("a file");
    assert_eq!(load(), (1, Some(first.clone())));
}

#[test]
fn the_sources_of_a_process_are_those_of_the_go_agent() {
    let sources = Sources::new([("TMPDIR".into(), "/t".into()), ("PATH".into(), "/bin".into())]);
    assert_eq!(sources.default_files, ["/etc/proxysql-agent/config.yaml", "config.yaml"].map(std::path::PathBuf::from));
    assert_eq!(sources.temp_dir, std::path::Path::new("/t"));
    assert!(sources.environment.is_empty());
}

#[test]
fn a_reload_reads_the_file_again_and_says_what_it_means() {
    let given =
        Given::new().file("log: {level: INFO}\napi: {port: 1}\nproxysql: {password: a}\n").arg("--run_mode=core");
    let loaded = given.load();
    fs::write(given.path(), "log: {level: DEBUG}\napi: {port: 2}\nproxysql: {password: b}\n").expect("a file");
    let new = loaded.reload().expect("a good file").config;
    let change = loaded.config.diff_live(&new);
    assert_eq!(change.applied, ["log.level"]);
    assert_eq!(change.needs_restart, ["proxysql.password", "api.port"]);
    let mut expected = loaded.config.clone();
    expected.log.level = new.log.level;
    assert_eq!(loaded.config.with_live(&new), expected);
    fs::write(given.path(), "log: {level: NONE}\n").expect("a file");
    assert!(loaded.reload().is_err());
}

#[test]
fn each_key_is_told_apart_in_a_reload() {
    for sample in SAMPLES {
        let base = || match sample.key {
            "run_mode" => Given::new().arg("--run_mode=core"),
            "core.dns_name" => with_mode(Given::new(), sample).arg("--core.dns_name=before"),
            "core.static_members" => with_mode(Given::new(), sample).arg("--core.static_members=10.0.0.9"),
            _ => with_mode(Given::new(), sample),
        };
        let old = base().load().config;
        let new = match sample.key {
            "run_mode" => base().arg("--run_mode=satellite"),
            // Any other comes with a key of its own.
            "core.discovery" => continue,
            name => base().arg(format!("--{name}={}", sample.values[0])),
        };
        let new = new.load().config;
        let change = old.diff_live(&new);
        let live = key(sample).live;
        assert_eq!(change.applied, if live { vec![sample.key] } else { Vec::new() });
        assert_eq!(change.needs_restart, if live { Vec::new() } else { vec![sample.key] });
        let next = old.with_live(&new);
        assert_eq!((sample.read)(&next), (sample.read)(if live { &new } else { &old }), "{}", sample.key);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// What `--show-config` prints is a file that gives the same configuration.
    #[test]
    fn the_effective_configuration_is_a_file(name in "\\PC{1,20}", way in 0..3_usize, chosen in prop::collection::vec((0..SAMPLES.len(), 0..3_usize), 0..10)) {
        let mut given = Given::new().arg("--run_mode=core").arg(format!("--proxysql.username={name}"));
        // The keys of the other two ways to find the cores would be mistakes.
        let (needed, others): (&str, &[&str]) = [
            ("--core.discovery=kubernetes", &["core.dns_", "core.static_", "core.own_"][..]),
            ("--core.dns_name=cores", &["core.static_", "core.podselector"]),
            ("--core.static_members=10.0.0.1", &["core.dns_", "core.podselector"]),
        ][way];
        given = given.arg(["--core.discovery=kubernetes", "--core.discovery=dns", "--core.discovery=static"][way]).arg(needed);
        for (sample, value) in chosen {
            let sample = &SAMPLES[sample];
            let exclusive = ["proxysql.password", "core.selector", "dump.output", "run_mode", "proxysql.username", "core.discovery"];
            if !exclusive.contains(&sample.key) && !others.iter().any(|other| sample.key.starts_with(other)) {
                given = given.arg(format!("{}={}", key(sample).flag(), sample.values[value]));
            }
        }
        let again = Given::new().file(given.shown());
        prop_assert_eq!(again.load().config, given.load().config);
    }

    /// Whatever the file holds, the answer is a configuration or an error.
    #[test]
    fn no_file_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[a-z:\\-{}\\[\\]&*!|>'\"%@`#,?<~ \t\n0-9.]{0,200}") {
        let _ = Given::new().arg("--run_mode=core").file(bytes).parse();
        let _ = Given::new().arg("--run_mode=core").file(text).parse();
    }
}
