//! A core and a satellite as the manifests make them, on a real `ProxySQL` where `PROXYSQL_BIN` names one: what a kubelet would start, with
//! its files, settings, probes and preStop.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;

use proxysql_fleet::http;
use proxysql_fleet::kubernetes::{KubeApi, PodSpec};
use proxysql_fleet::net::Block;
use proxysql_fleet::process::{Process, Program, Signal};
use serde_json::Value;

use super::file::Place;
use super::kustomize::{build, root};
use super::typed::text;
use super::{container, list, workloads};
use crate::support::{PATIENCE, eventually};

/// What would be a pod.
struct Pod {
    place: Place,
    proxysql: Process,
    agent: Process,
    api: SocketAddr,
    probes: BTreeMap<&'static str, String>,
    pre_stop: String,
}

impl Pod {
    fn start(binary: &OsStr, role: &str, place: Place, api: SocketAddr, kubeconfig: &Path) -> Self {
        let proxysql = place.start(binary, role);
        let objects = build(&root(), &[]);
        let workload = workloads(&objects).find(|w| w["metadata"]["labels"]["component"] == role).unwrap();
        let value = |variable: &Value| match text(&variable["valueFrom"]["fieldRef"]["fieldPath"]) {
            "metadata.namespace" => "proxysql".to_owned(),
            "metadata.name" => format!("proxysql-{role}-0"),
            _ => place.fit(text(&variable["value"])),
        };
        let mut agent = Program::new(Path::new(env!("CARGO_BIN_EXE_proxysql-agent")), &place.dir.join("agent.log"));
        for variable in list(&container(workload, "agent")["env"]) {
            agent = agent.env(text(&variable["name"]), value(variable));
        }
        // What is another in a pod: addresses, names and directories of its own.
        let agent = agent
            .env("AGENT_PROXYSQL_ADDRESS", format!("{}:{}", place.ip, place.admin))
            .env("AGENT_CORE_BOOTSTRAP_HOSTNAME", place.bootstrap.to_string())
            .env("AGENT_API_ADDRESS", api.ip().to_string())
            .env("AGENT_API_PORT", api.port().to_string())
            .env("AGENT_SHUTDOWN_DRAINING_FILE", place.dir.join("draining").display().to_string())
            .env("KUBECONFIG", kubeconfig.display().to_string())
            .start()
            .unwrap();
        let proxysqls = container(workload, "proxysql");
        let path = |of: &Value| text(&of["httpGet"]["path"]).to_owned();
        let probes = ["startupProbe", "readinessProbe", "livenessProbe"].map(|probe| (probe, path(&proxysqls[probe])));
        let pre_stop = path(&proxysqls["lifecycle"]["preStop"]);
        Self { place, proxysql, agent, api, probes: probes.into(), pre_stop }
    }

    async fn is_well(&self) -> bool {
        for path in self.probes.values() {
            if !http::get(self.api, path, None).await.is_ok_and(|reply| reply.status == 200) {
                return false;
            }
        }
        true
    }

    /// The first column of the rows.
    async fn has(&self, sql: &str) -> Vec<String> {
        let Ok(mut client) = self.place.login().await else { return Vec::new() };
        let rows = client.rows(sql).await.unwrap_or_default();
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.place.dir.join(file);
        let old = std::fs::read_to_string(&path).unwrap();
        let new = old.replace(from, to);
        assert_ne!(old, new);
        std::fs::write(path, new).unwrap();
    }
}

const USERS: &str = "SELECT DISTINCT username FROM runtime_mysql_users ORDER BY 1";
const RULES: &str = "SELECT rule_id FROM runtime_mysql_query_rules ORDER BY 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_and_a_satellite_come_change_and_go() {
    let Some(binary) = std::env::var_os("PROXYSQL_BIN") else {
        return eprintln!("PROXYSQL_BIN names no ProxySQL; no pod of the manifests is imitated");
    };
    let (block, dir) = (Block::take().unwrap(), tempfile::tempdir().unwrap());
    let ports = [6032, 6033, 8080].map(|port| block.port(port).unwrap());
    let [core_ip, satellite_ip, nobody] = [(); 3].map(|()| block.address().unwrap());
    let kubernetes = KubeApi::start(&block, dir.path(), true).await.unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    kubernetes.kubeconfig(&kubeconfig).unwrap();
    let pod = PodSpec::new("proxysql", "proxysql-core-0").label("app", "proxysql").label("component", "core");
    let pod = pod.ip(core_ip).of_stateful_set("proxysql-core", "proxysql-core-1");
    kubernetes.put(pod).await.unwrap();
    let start = |role: &str, ip, bootstrap| {
        let [admin, mysql, api] = ports;
        let place = Place { dir: dir.path().join(role), ip, admin, mysql, bootstrap };
        Pod::start(&binary, role, place, SocketAddr::new(ip.into(), api), &kubeconfig)
    };
    // The Service leads nowhere while no core is ready, and then to this one.
    let core = start("core", core_ip, nobody);
    eventually("the core is well", async || core.is_well().await).await;
    let mut satellite = start("satellite", satellite_ip, core_ip);
    eventually("the satellite is well", async || satellite.is_well().await).await;
    // It has from the core what is not in its own file, and the core under its address.
    assert_eq!(satellite.has(USERS).await, ["app"]);
    assert_eq!(satellite.has(RULES).await, ["10", "20"]);
    let members = "SELECT hostname || ' ' || comment FROM runtime_proxysql_servers";
    let expected = [format!("{core_ip} proxysql-core-0")];
    for pod in [&core, &satellite] {
        eventually("the list is the core alone", async || pod.has(members).await == expected).await;
    }
    // The ConfigMap changes.
    core.change("proxysql.cnf", "rule_id=20", "rule_id=30");
    eventually("the satellite has the other rule", async || satellite.has(RULES).await == ["10", "30"]).await;
    // The Secret alone changes, and somebody tells the agent.
    core.change("users.cnf", "username=\"app\"", "username=\"web\"");
    let mut core = core;
    core.agent.signal(Signal::USR2);
    eventually("the satellite has the other user", async || satellite.has(USERS).await == ["web"]).await;
    // The pod is deleted.
    let reply = http::get(satellite.api, &satellite.pre_stop, None).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(satellite.proxysql.exit_code(PATIENCE).await.unwrap(), Some(0));
    assert_eq!(satellite.agent.exit_code(PATIENCE).await.unwrap(), Some(0));
}
