//! ProxySQL's configuration files in the `ConfigMap`s.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use proxysql_agent::domain::config_file::{Fault, Texts, parse};
use proxysql_fleet::client::{AdminError, Client};
use proxysql_fleet::net::Block;
use proxysql_fleet::process::{Process, Program};

use super::kustomize::{build, root};
use super::typed::text as string;
use super::{container, list, secret, workloads};
use crate::support::eventually;

/// The file of a core or a satellite.
pub(super) fn text(role: &str) -> String {
    std::fs::read_to_string(root().join("base").join(format!("{role}.cnf"))).unwrap()
}

/// The paths that a file includes.
pub(super) fn includes(text: &str) -> BTreeSet<String> {
    let paths = text.lines().filter_map(|line| line.trim().strip_prefix("@include \"")?.strip_suffix('"'));
    paths.map(ToOwned::to_owned).collect()
}

/// A variable's value in the file of a core or a satellite.
pub(super) fn variable(role: &str, name: &str) -> String {
    variables(&text(role), "mysql_variables")[name].clone()
}

/// The settings of a group, one in a line.
fn variables(text: &str, group: &str) -> BTreeMap<String, String> {
    let inside = text.split(&format!("\n{group} =\n{{\n")).nth(1).unwrap().split("\n}").next().unwrap();
    let lines = inside.lines().map(str::trim).filter(|line| !line.starts_with(['#', '@']) && !line.is_empty());
    let pairs = lines.map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}")));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
}

/// With the Secret's keys in the place of what is included.
fn whole(role: &str) -> String {
    let secret = secret();
    let lines = text(role).lines().map(ToOwned::to_owned).collect::<Vec<String>>();
    let include = |line: String| match includes(&line).first() {
        Some(path) => {
            let key = Path::new(path).file_name().unwrap().to_str().unwrap();
            string(&secret["stringData"][key]).to_owned()
        }
        None => line,
    };
    lines.into_iter().map(include).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_core_has_every_section_and_a_satellite_what_it_does_not_pull() {
    let named = |role| sections(&text(role)).unwrap_or_else(|fault| panic!("{role}: {fault}"));
    let both = ["admin_variables", "datadir", "mysql_variables", "proxysql_servers"].map(ToOwned::to_owned);
    assert_eq!(named("satellite"), BTreeSet::from(both.clone()));
    let core = ["mysql_query_rules", "mysql_servers", "mysql_users"].map(ToOwned::to_owned);
    assert_eq!(named("core"), both.into_iter().chain(core).collect());
    // With the credentials in it, too: brackets match, and no section comes from there.
    assert_eq!(sections(&whole("core")), Ok(named("core")));
    assert_eq!(sections(&whole("satellite")), Ok(named("satellite")));
}

/// A misspelt variable is not refused by ProxySQL: it is passed over.
#[test]
fn every_variable_is_one_of_proxysql() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fleet/fixtures/variables.tsv");
    let fixture = std::fs::read_to_string(fixture).unwrap();
    let known: BTreeSet<&str> = fixture.lines().filter_map(|line| line.split('\t').next()).collect();
    for role in ["core", "satellite"] {
        for (group, prefix) in [("admin_variables", "admin"), ("mysql_variables", "mysql")] {
            let variables = variables(&whole(role), group);
            assert!(!variables.is_empty());
            for name in variables.keys() {
                assert!(known.contains(format!("{prefix}-{name}").as_str()), "{role}: {prefix}-{name}");
            }
        }
    }
}

/// A satellite that begins with other variables than it is going to have would change them at its first pull.
#[test]
fn both_files_have_the_same_variables() {
    for group in ["admin_variables", "mysql_variables"] {
        assert_eq!(variables(&text("core"), group), variables(&text("satellite"), group));
    }
}

/// The agent's credentials, those of the cluster, and the key of the users are of one piece in the example.
#[test]
fn the_credentials_of_the_example_fit_together() {
    let (secret, admin) = (secret(), variables(&whole("core"), "admin_variables"));
    let pairs: Vec<&str> = admin["admin_credentials"].split(';').collect();
    assert!(pairs.contains(&format!("radmin:{}", string(&secret["stringData"]["password"])).as_str()));
    let cluster = format!("{}:{}", admin["cluster_username"], admin["cluster_password"]);
    assert!(pairs.contains(&cluster.as_str()));
    // ProxySQL lets these two in from loopback only, and cluster links do not come from there.
    assert!(!["admin", "stats"].contains(&admin["cluster_username"].as_str()));
}

/// Where a node of the manifests runs, in place of its pod.
pub(super) struct Place {
    /// Configuration and data.
    pub(super) dir: PathBuf,
    pub(super) ip: Ipv4Addr,
    pub(super) admin: u16,
    pub(super) mysql: u16,
    /// Where the bootstrap row leads.
    pub(super) bootstrap: Ipv4Addr,
}

impl Place {
    /// A text of the manifests with the paths, addresses and names of this place.
    pub(super) fn fit(&self, text: &str) -> String {
        let dir = self.dir.display().to_string();
        text.replace("/etc/proxysql", &dir)
            .replace("/var/lib/proxysql", &dir)
            .replace("0.0.0.0:6032", &format!("{}:{}", self.ip, self.admin))
            .replace("0.0.0.0:6033", &format!("{}:{}", self.ip, self.mysql))
            .replace(
                "hostname=\"proxysql-core\", port=6032",
                &format!("hostname=\"{}\", port={}", self.bootstrap, self.admin),
            )
    }

    /// Puts there what is mounted into the pod, and starts its `ProxySQL` with the arguments of the manifest.
    pub(super) fn start(&self, binary: &OsStr, role: &str) -> Process {
        std::fs::create_dir_all(&self.dir).unwrap();
        for (key, value) in secret()["stringData"].as_object().unwrap() {
            std::fs::write(self.dir.join(key), string(value)).unwrap();
        }
        std::fs::write(self.dir.join("proxysql.cnf"), self.fit(&text(role))).unwrap();
        let objects = build(&root(), &[]);
        let workload =
            workloads(&objects).find(|workload| workload["metadata"]["labels"]["component"] == role).unwrap();
        let command = &container(workload, "proxysql")["command"];
        let program = Program::new(Path::new(binary), &self.dir.join("proxysql.log"));
        let program = list(command).skip(1).fold(program, |program, argument| program.arg(self.fit(string(argument))));
        program.start().unwrap()
    }

    /// On the admin port, as the agent is let in.
    pub(super) async fn login(&self) -> Result<Client, AdminError> {
        let password = string(&secret()["stringData"]["password"]).to_owned();
        Client::connect((self.ip, self.admin), "radmin", &password).await
    }
}

/// With the files beside it that it includes, as in the pod.
#[tokio::test]
async fn a_real_proxysql_takes_every_line() {
    let Some(binary) = std::env::var_os("PROXYSQL_BIN") else {
        return eprintln!("PROXYSQL_BIN names no ProxySQL; none is started on the files of the manifests");
    };
    for role in ["core", "satellite"] {
        let (block, dir) = (Block::take().unwrap(), tempfile::tempdir().unwrap());
        let (admin, mysql) = (block.port(6032).unwrap(), block.port(6033).unwrap());
        let (ip, bootstrap) = (block.address().unwrap(), block.address().unwrap());
        let place = Place { dir: dir.path().join(role), ip, admin, mysql, bootstrap };
        let _process = place.start(&binary, role);
        eventually("the agent's password is let in", async || place.login().await.is_ok()).await;
        let mut client = place.login().await.unwrap();
        let sql = "SELECT variable_name, variable_value FROM runtime_global_variables";
        let rows = client.rows(sql).await.unwrap();
        let runtime: BTreeMap<_, _> = rows.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone())).collect();
        for (group, prefix) in [("admin_variables", "admin"), ("mysql_variables", "mysql")] {
            for (name, value) in variables(&place.fit(&whole(role)), group) {
                assert_eq!(runtime[&format!("{prefix}-{name}")].as_deref(), Some(value.as_str()), "{role}: {name}");
            }
        }
        let mut count = async |table: &str| {
            let rows = client.rows(&format!("SELECT COUNT(*) FROM runtime_{table}")).await.unwrap();
            rows[0][0].clone().unwrap()
        };
        assert_eq!(count("proxysql_servers").await, "1", "{role}");
        let owns = if role == "core" { "2" } else { "0" };
        for table in ["mysql_servers", "mysql_query_rules"] {
            assert_eq!(count(table).await, owns, "{role}: {table}");
        }
        // One user has two rows: to the clients, and to the databases.
        assert_eq!(count("mysql_users").await, owns, "{role}");
    }
}

/// The names of everything at the top of a file.
fn sections(text: &str) -> Result<BTreeSet<String>, Fault> {
    Ok(parse(text.as_bytes(), &Texts::new()).settings?.into_iter().map(|setting| setting.name).collect())
}
