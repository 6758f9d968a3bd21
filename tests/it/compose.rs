//! `docker-compose.yml`, as far as it can be held without Docker: its parts fit each other, the agents and a real ProxySQL.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use proxysql_agent::config::{Config, DiscoveryMode, RunMode, Sources, load};
use proxysql_fleet::net::Block;
use proxysql_fleet::node::{BINARY, Cnf, Node, NodeSpec};
use serde_json::{Map, Value};

use crate::release::container::{ENTRYPOINT, IMAGE_CONFIG};
use crate::support::eventually;

/// Everything that is mounted comes from here.
const FOLDER: &str = "./build/compose/";

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn services() -> Map<String, Value> {
    let text = fs::read_to_string(tree().join("docker-compose.yml")).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    file["services"].as_object().unwrap().clone()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map(|list| list.iter().map(|text| text.as_str().unwrap()).collect()).unwrap_or_default()
}

/// The names of a mapping, or of a list.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().map_or_else(|| texts(value), |object| object.keys().map(String::as_str).collect())
}

/// The configuration of a service's agent, by its own rules; `None` if it is no agent.
fn agent(service: &Value) -> Option<Config> {
    let environment = service["environment"].as_object()?;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let variables: Vec<(OsString, OsString)> =
        environment.iter().map(|(name, value)| (name.into(), text(value).into())).collect();
    if !environment.contains_key("AGENT_RUN_MODE") {
        return None;
    }
    assert!(environment.keys().all(|name| name.starts_with("AGENT_")), "{environment:?}");
    // What the image brings is in effect where the variables say nothing.
    let sources = Sources { default_files: vec![tree().join(IMAGE_CONFIG)], ..Sources::new(variables) };
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    Some(loaded.config)
}

fn cnf(role: &str) -> String {
    fs::read_to_string(tree().join("build/compose").join(role).join("proxysql.cnf")).unwrap()
}

#[test]
fn every_service_hangs_together() {
    let services = services();
    for (name, service) in &services {
        for key in service.as_object().unwrap().keys() {
            let known = "image build command entrypoint restart healthcheck environment volumes depends_on networks ports network_mode \
                         stop_grace_period tmpfs read_only cap_drop security_opt";
            assert!(known.split_whitespace().any(|known| known == key), "{name}: {key}");
        }
        let image = service["image"].as_str().unwrap();
        let tag = image.split_once(':').unwrap_or_else(|| panic!("{name}: {image} is not pinned")).1;
        if service["build"].is_null() {
            assert!(
                tag.starts_with(|c: char| c.is_ascii_digit()) && tag.contains('.'),
                "{name}: {image} is not pinned"
            );
        } else {
            let file = service["build"]["dockerfile"].as_str().unwrap();
            assert!(tree().join(file).is_file(), "{name}: {file} is not there");
        }
        assert_eq!(service["healthcheck"]["test"][0], "CMD", "{name} has no health check");
        let others = names(&service["depends_on"])
            .into_iter()
            .chain(service["network_mode"].as_str().and_then(|m| m.strip_prefix("service:")));
        for other in others {
            assert!(services.contains_key(other), "{name} needs {other}, which is nobody");
        }
        for volume in texts(&service["volumes"]) {
            let (from, rest) = volume.split_once(':').unwrap();
            assert!(from.starts_with(FOLDER) && tree().join(from).exists(), "{name}: {from} is not there");
            assert!(rest.ends_with(":ro"), "{name} may write into the tree");
        }
    }
    let ports: Vec<&str> = services.values().flat_map(|service| texts(&service["ports"])).collect();
    let published: BTreeSet<&str> = ports.iter().map(|port| port.rsplit_once(':').unwrap().0).collect();
    assert_eq!(published.len(), ports.len(), "a port twice: {ports:?}");
    assert!(published.iter().all(|port| port.starts_with("127.0.0.1:")), "open to the world: {ports:?}");
}

#[test]
fn each_proxysql_has_an_agent_that_goes_by_its_own_rules() {
    let services = services();
    let agents: BTreeMap<&str, Config> = services
        .iter()
        .filter_map(|(name, service)| {
            let beside = service["network_mode"].as_str().and_then(|mode| mode.strip_prefix("service:"));
            let config = agent(service)?;
            Some((beside.unwrap_or_else(|| panic!("{name} shares no network")), config))
        })
        .collect();
    assert_eq!(agents.keys().copied().collect::<Vec<_>>(), ["core-1", "core-2", "satellite-1", "satellite-2"]);
    for (beside, config) in agents {
        let proxysql = &services[beside];
        let role = beside.split_once('-').unwrap().0;
        assert_eq!(config.run_mode, if role == "core" { RunMode::Core } else { RunMode::Satellite });
        let folder = format!("{FOLDER}{role}:/etc/proxysql:ro");
        assert_eq!(texts(&proxysql["volumes"]), [folder.as_str()]);
        let login = format!("{}:{}", config.proxysql.username, config.proxysql.password.expose());
        let text = cnf(role);
        assert!(text.contains(&login), "{beside}: the agent cannot log in");
        assert!(text.contains(&format!(":{}\"", config.proxysql.address.port)), "{beside}: another admin port");

        // Cores, and nobody else, are what the name leads to; a satellite begins there, and a core must not.
        let aliases = texts(&proxysql["networks"]["default"]["aliases"]);
        if role == "core" {
            assert_eq!(config.core.discovery, DiscoveryMode::Dns);
            assert_eq!(aliases, [config.core.dns_name.as_deref().unwrap()]);
            assert!(!text.contains("proxysql_servers="), "{beside} pulls from itself");
            let agent = &services[&format!("{beside}-agent")];
            assert_eq!(texts(&agent["volumes"]), [folder.as_str()], "{beside}: it cannot see the file it follows");
            let file = config.core.config_file.unwrap();
            assert_eq!(proxysql["entrypoint"][3].as_str(), file.to_str());
        } else {
            assert!(aliases.is_empty());
            assert_eq!(config.core.bootstrap_hostname, "proxysql-core");
            assert!(text.contains("hostname=\"proxysql-core\", port=6032"), "{beside} begins nowhere");
        }
        let health = &services[&format!("{beside}-agent")]["healthcheck"]["test"];
        assert_eq!(texts(health), ["CMD", ENTRYPOINT, "status"], "{beside}: the image has no other program");
        let shutdown = config.shutdown.shutdown_timeout.as_secs();
        let grace = services[&format!("{beside}-agent")]["stop_grace_period"].as_str().unwrap();
        assert!(grace.trim_end_matches('s').parse::<u64>().unwrap() > shutdown, "{beside} is killed in its drain");
    }
}

/// The files are what a real ProxySQL makes of them. The stand-in reads no files but its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_proxysql_takes_the_files() {
    let Some(binary) = std::env::var_os(BINARY).map(PathBuf::from) else {
        eprintln!("{BINARY} is not set; the files of build/compose are not tried");
        return;
    };
    let (block, dir) = (Block::take().unwrap(), tempfile::tempdir().unwrap());
    for (role, rows) in [("core", [2, 1, 2, 0]), ("satellite", [0, 0, 0, 1])] {
        let spec = NodeSpec {
            name: role.to_owned(),
            ip: block.address().unwrap().into(),
            admin_port: block.port(6032).unwrap(),
            mysql_port: block.port(6033).unwrap(),
            dir: dir.path().join(role),
        };
        // The rig's own file is there first; the node starts again, from nothing, with this one.
        let mut node = Node::start_real(binary.clone(), spec.clone(), &Cnf::default()).await.unwrap();
        let text = cnf(role)
            .replace("/var/lib/proxysql", &spec.dir.display().to_string())
            .replace("0.0.0.0:6032", &spec.admin().to_string())
            .replace("0.0.0.0:6033", &spec.mysql().to_string())
            // Whom the rig asks as.
            .replace("cluster:cluster\"", "cluster:cluster;observer:observer\"");
        fs::write(spec.dir.join("proxysql.cnf"), text).unwrap();
        node.restart(true).await.unwrap();
        let tables = ["runtime_mysql_servers", "mysql_users", "runtime_mysql_query_rules", "runtime_proxysql_servers"];
        for (table, expected) in tables.into_iter().zip(rows) {
            let expected = Some(expected.to_string());
            eventually(&format!("{role}: {table} has {expected:?} rows"), async || {
                let count = node.query(&format!("SELECT COUNT(*) FROM {table}")).await.unwrap();
                count[0][0] == expected
            })
            .await;
        }
        for (name, value) in [("admin-cluster_username", "cluster"), ("admin-cluster_check_interval_ms", "1000")] {
            let found = node
                .query(&format!("SELECT variable_value FROM runtime_global_variables WHERE variable_name='{name}'"))
                .await
                .unwrap();
            assert_eq!(found[0][0].as_deref(), Some(value), "{role}: {name}");
        }
    }
}
