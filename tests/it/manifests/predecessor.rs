//! A deployment of the Go agent that has changed its image and nothing else: each of its fields against what the image and the agent
//! need, and then all of it alive.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proxysql_agent::cli::{self, Invocation};
use proxysql_agent::config::{Config, LogFormat, Sources};
use proxysql_fleet::http;
use proxysql_fleet::kubernetes::{KubeApi, PodSpec};
use proxysql_fleet::net::Block;
use proxysql_fleet::node::{Cnf, Layer, Node, NodeSpec, Row};
use proxysql_fleet::process::{Process, Program};
use proxysql_fleet::proxysql::{Behaviour, ClientSpec, ClientState, Embedded};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::kustomize::documents;
use super::typed::{losses, name, text};
use super::{container, list, object, repository, workloads};
use crate::life::{CONFIGURED, call, in_background};
use crate::release::container::{ENTRYPOINT, IMAGE_CONFIG};
use crate::support::{PATIENCE, eventually};

const NAMESPACE: &str = "proxysql";
/// The group of the pods' volumes.
const FS_GROUP: u32 = 999;
/// Whom the agent's container runs as; its group is the one of the image's `/etc/passwd`.
const USER: u32 = 1000;

fn deployment() -> Vec<Value> {
    documents(&repository().join("tests/it/manifests/fixtures/predecessor.yaml"))
}

/// What the Role allows: resource and verb.
fn rights(objects: &[Value]) -> BTreeSet<(String, String)> {
    let rules = list(&object(objects, "Role", "proxysql-pods")["rules"]);
    let pairs = rules.flat_map(|rule| {
        list(&rule["resources"]).flat_map(|resource| list(&rule["verbs"]).map(|verb| (text(resource), text(verb))))
    });
    pairs.map(|(resource, verb)| (resource.to_owned(), verb.to_owned())).collect()
}

/// The agent's variables, with what the Secret has for the password.
fn environment(agent: &Value) -> BTreeMap<String, String> {
    let value = |variable: &Value| match text(&variable["valueFrom"]["secretKeyRef"]["key"]) {
        "" => text(&variable["value"]).to_owned(),
        _ => "radmin".to_owned(),
    };
    list(&agent["env"]).map(|variable| (text(&variable["name"]).to_owned(), value(variable))).collect()
}

fn arguments(agent: &Value) -> Vec<String> {
    list(&agent["command"]).skip(1).map(|argument| text(argument).to_owned()).collect()
}

/// What the agent makes of it, in the image's working directory.
fn settings(agent: &Value) -> (Config, Vec<String>) {
    let variables = environment(agent).into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let mut sources = Sources::new(variables);
    // The second is the one of the working directory; the first is where nothing is mounted.
    assert_eq!(sources.default_files[1], Path::new("config.yaml"));
    sources.default_files = vec![repository().join(IMAGE_CONFIG)];
    let words = std::iter::once(ENTRYPOINT.to_owned()).chain(arguments(agent)).map(OsString::from);
    match cli::parse_from(words, sources) {
        Ok(Invocation::Run(loaded)) => (loaded.config, loaded.warnings),
        other => panic!("it does not start: {other:?}"),
    }
}

#[test]
fn each_field_of_it_finds_what_it_needs() {
    let objects = deployment();
    assert_eq!(objects.iter().flat_map(losses).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(rights(&objects), ["get", "list", "watch"].map(|verb| ("pods".to_owned(), verb.to_owned())).into());
    let all: Vec<&Value> = workloads(&objects).collect();
    assert_eq!(all.len(), 2);
    for workload in all {
        let (what, spec) = (name(workload), &workload["spec"]["template"]["spec"]);
        assert_eq!(workload["kind"], "Deployment", "{what}");
        let (agent, proxysql) = (container(workload, "proxysql-agent"), container(workload, "proxysql"));
        // The image's paths: the program by its name, its configuration by the working directory.
        assert_eq!(agent["command"][0], ENTRYPOINT, "{what}");
        assert!(agent["workingDir"].is_null() && agent["args"].is_null(), "{what}");
        assert_eq!(agent["securityContext"]["runAsUser"], json!(USER), "{what}");
        let passwd = crate::support::document("build/image/passwd");
        assert_eq!(
            passwd,
            format!("agent:x:{USER}:{FS_GROUP}::/app:/sbin/nologin\n"),
            "{what}: the group of that user"
        );
        assert!(environment(agent).keys().all(|name| !name.starts_with("POD_")), "{what}");
        let (config, warnings) = settings(agent);
        assert_eq!(config.run_mode.to_string(), text(&workload["metadata"]["labels"]["component"]), "{what}");
        assert!(
            warnings.iter().all(|warning| warning.contains("AGENT_HOST is not a variable")),
            "{what}: {warnings:?}"
        );
        // What the image's file says, and what the flags say over it.
        assert_eq!((config.log.format, config.start_delay.as_secs()), (LogFormat::Json, 2), "{what}");
        assert_eq!(config.shutdown.drain_timeout, Duration::from_mins(1), "{what}");
        assert_eq!(config.shutdown.shutdown_timeout, Duration::from_secs(75), "{what}");
        assert_eq!(config.proxysql.password.expose(), "radmin", "{what}");
        assert_eq!(config.core.config_file, None, "{what}: a file that is mounted by subPath is not watched");
        // The draining file is where both look, and whoever is in the group of the volume may write there.
        let folder = config.shutdown.draining_file.parent().unwrap().to_owned();
        for container in [agent, proxysql] {
            let mount = list(&container["volumeMounts"]).find(|mount| Path::new(text(&mount["mountPath"])) == folder);
            let mount = mount.unwrap_or_else(|| panic!("{what}: nothing is mounted at {}", folder.display()));
            assert!(mount["readOnly"].is_null(), "{what}");
            let volume = list(&spec["volumes"]).find(|volume| volume["name"] == mount["name"]).unwrap();
            assert!(volume["emptyDir"].is_object(), "{what}");
        }
        assert_eq!(spec["securityContext"]["fsGroup"], json!(FS_GROUP), "{what}");
        assert!(list(&proxysql["volumeMounts"]).any(|mount| mount["subPath"] == "proxysql.cnf"), "{what}");
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert_eq!(proxysql[probe]["httpGet"]["port"], json!(config.api.port), "{what}");
        }
        assert_eq!(proxysql["lifecycle"]["preStop"]["httpGet"]["port"], json!(config.api.port), "{what}");
    }
}

/// One of its pods.
struct Pod {
    name: &'static str,
    node: Node,
    agent: Process,
    api: SocketAddr,
    marker: PathBuf,
    probes: Vec<String>,
    pre_stop: String,
}

/// Where everything is: the image, the API.
struct Place {
    block: Block,
    dir: TempDir,
    ports: [u16; 3],
    kubernetes: KubeApi,
    objects: Vec<Value>,
}

impl Place {
    async fn new() -> Self {
        let (block, dir) = (Block::take().unwrap(), tempfile::tempdir().unwrap());
        let ports = [6032, 6033, 8080].map(|port| block.port(port).unwrap());
        let kubernetes = KubeApi::start(&block, dir.path(), true).await.unwrap();
        kubernetes.kubeconfig(&dir.path().join("kubeconfig")).unwrap();
        let objects = deployment();
        kubernetes.embedded().unwrap().allow_only(rights(&objects));
        // Others than the user of this test come in, too.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { block, dir, ports, kubernetes, objects }
    }

    async fn node(&self, name: &str, ip: IpAddr, is_core: bool) -> Node {
        let dir = self.dir.path().join(format!("{name}-proxysql"));
        let [admin_port, mysql_port, _] = self.ports;
        let spec = NodeSpec { name: name.to_owned(), ip, admin_port, mysql_port, dir: dir.clone() };
        let extra = if is_core { CONFIGURED.to_owned() } else { String::new() };
        let seeds = vec![("proxysql-core".to_owned(), admin_port)];
        let cnf = Cnf { status_frequency: 100, seeds, extra, ..Cnf::default() };
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("proxysql.cnf"), cnf.render(&spec).replace("threads=2", "threads=4")).unwrap();
        let behaviour = Behaviour { version: "3.0.2".to_owned(), ..Behaviour::v3() };
        Node::Embedded(Embedded::start(spec, behaviour).await.unwrap())
    }

    /// As the kubelet starts it: the command of the manifest in the image's working directory, as the manifest's user, with the volume
    /// that its group may write to. What is another in a pod, addresses and places, is told besides.
    fn agent(&self, name: &str, agent: &Value, ip: IpAddr) -> (Process, PathBuf) {
        let root = self.dir.path().join(name);
        let (app, volume) = (root.join("app"), root.join("state"));
        fs::create_dir_all(&app).unwrap();
        fs::create_dir_all(&volume).unwrap();
        let program = root.join(ENTRYPOINT.trim_start_matches('/'));
        fs::copy(env!("CARGO_BIN_EXE_proxysql-agent"), &program).unwrap();
        fs::copy(repository().join(IMAGE_CONFIG), app.join("config.yaml")).unwrap();
        let is_root = rustix::process::geteuid().is_root() && Path::new("/usr/bin/setpriv").exists();
        let mut command = if is_root {
            std::os::unix::fs::chown(&volume, None, Some(FS_GROUP)).unwrap();
            fs::set_permissions(&volume, fs::Permissions::from_mode(0o2770)).unwrap();
            let (user, group) = (format!("--reuid={USER}"), format!("--regid={FS_GROUP}"));
            let setpriv = Program::new(Path::new("/usr/bin/setpriv"), &app.join("agent.log"));
            let setpriv = setpriv.arg(user).arg(group).arg(format!("--groups={FS_GROUP}")).arg("--no-new-privs");
            setpriv.arg(program.display().to_string())
        } else {
            eprintln!("not root, or without setpriv: the agent runs as whoever runs this");
            Program::new(&program, &app.join("agent.log"))
        };
        command = arguments(agent).into_iter().fold(command, Program::arg);
        command.environment.extend(environment(agent));
        let marker = volume.join("draining");
        let [admin, _, api] = self.ports;
        let command = command
            .env("HOSTNAME", name)
            .env("AGENT_PROXYSQL_ADDRESS", SocketAddr::new(ip, admin).to_string())
            .env("AGENT_API_ADDRESS", ip.to_string())
            .env("AGENT_API_PORT", api.to_string())
            .env("AGENT_SHUTDOWN_DRAINING_FILE", marker.display().to_string())
            .env("KUBECONFIG", self.dir.path().join("kubeconfig").display().to_string());
        (command.start().unwrap(), marker)
    }

    async fn pod(&self, name: &'static str, ip: IpAddr, template: &str, age: Duration) -> Pod {
        let component = if name.starts_with("proxysql-core") { "core" } else { "satellite" };
        let workload = object(&self.objects, "Deployment", &format!("proxysql-{component}"));
        let node = self.node(name, ip, component == "core").await;
        let (agent, marker) = self.agent(name, container(workload, "proxysql-agent"), ip);
        let pod = PodSpec::new(NAMESPACE, name).label("app", "proxysql").label("component", component).ip(ip);
        let pod = pod.of_deployment(&format!("proxysql-{component}"), template).created(SystemTime::now() - age);
        self.kubernetes.put(pod).await.unwrap();
        let proxysql = container(workload, "proxysql");
        let path = |of: &Value| text(&of["httpGet"]["path"]).to_owned();
        let probes = ["startupProbe", "readinessProbe", "livenessProbe"].map(|probe| path(&proxysql[probe])).into();
        let pre_stop = path(&proxysql["lifecycle"]["preStop"]);
        Pod { name, node, agent, api: SocketAddr::new(ip, self.ports[2]), marker, probes, pre_stop }
    }
}

impl Pod {
    async fn code(&self, path: &str) -> Option<u16> {
        http::get(self.api, path, None).await.ok().map(|reply| reply.status)
    }

    async fn is_well(&self) -> bool {
        for path in &self.probes {
            if self.code(path).await != Some(200) {
                return false;
            }
        }
        true
    }

    fn log(&self) -> Vec<String> {
        self.agent.log().lines().into_iter().map(|line| line.text).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_comes_lives_and_goes() {
    let place = Place::new().await;
    let [old_ip, new_ip, satellite_ip] = [(); 3].map(|()| IpAddr::V4(place.block.address().unwrap()));
    // In the middle of a rollout: owners differ, and their revisions may not be read.
    let old = place.pod("proxysql-core-6b7f9c4d5-old", old_ip, "6b7f9c4d5", Duration::from_hours(1)).await;
    let new = place.pod("proxysql-core-5c8d7b6f4-new", new_ip, "5c8d7b6f4", Duration::ZERO).await;
    let mut satellite = place.pod("proxysql-satellite-7d9f8c6b5-one", satellite_ip, "7d9f8c6b5", Duration::ZERO).await;
    // The Service leads to the cores; not to itself, for ProxySQL that pulls from itself hangs.
    for (pod, service) in [(&old, new_ip), (&new, old_ip), (&satellite, old_ip)] {
        pod.node.embedded().unwrap().set_host("proxysql-core", Some(service));
    }
    let port = place.ports[0];
    let row = |pod: &Pod, ip: IpAddr| Row { hostname: ip.to_string(), port, weight: 0, comment: pod.name.to_owned() };
    let expected: BTreeSet<Row> = [row(&old, old_ip), row(&new, new_ip)].into();
    for pod in [&old, &new, &satellite] {
        eventually(&format!("{} lists both cores", pod.name), async || {
            pod.node.members(Layer::Runtime).await.is_ok_and(|rows| rows == expected)
        })
        .await;
        eventually(&format!("{} is well", pod.name), async || pod.is_well().await).await;
    }
    let users = "SELECT DISTINCT username FROM runtime_mysql_users";
    assert_eq!(satellite.node.query(users).await.unwrap(), [[Some("app".to_owned())]], "it has users from the cores");
    // Without the right to read revisions the younger template is the newer, and that is said once.
    eventually("the older core knows that it is", async || {
        let status = call(old.api, "GET", "/status", &[]).await.body();
        status["publishing"]["rollout"]["state"] == "older"
    })
    .await;
    let complaints = old.log().into_iter().filter(|line| line.contains("cannot read the rollout revision")).count();
    assert_eq!(complaints, 1, "{}", old.log().join("\n"));
    let asked = place.kubernetes.embedded().unwrap().requests();
    let refused: Vec<String> = asked.iter().filter(|r| r.status == Some(403)).map(|r| r.uri.clone()).collect();
    assert!(!refused.is_empty() && refused.iter().all(|uri| uri.contains("/replicasets/")), "{refused:?}");
    // Logs as the image's file says, and no complaint about what the Go agent did not ask for.
    for pod in [&old, &new, &satellite] {
        for line in pod.log() {
            assert!(serde_json::from_str::<Value>(&line).is_ok(), "{}: {line}", pod.name);
        }
    }
    // The pod is deleted: the drain waits for a transaction, and ends with it.
    let busy = satellite.node.embedded().unwrap();
    let busy = busy.add_client(ClientSpec {
        state: ClientState::InTransaction,
        since: Duration::from_mins(1),
        ..ClientSpec::default()
    });
    place.kubernetes.terminate(NAMESPACE, satellite.name).await.unwrap();
    let (api, pre_stop) = (satellite.api, satellite.pre_stop.clone());
    let answer = in_background(async move { http::get(api, &pre_stop, None).await.unwrap().status });
    eventually("the draining file is there", async || satellite.marker.is_file()).await;
    assert_eq!(satellite.code("/healthz/ready").await, Some(503));
    assert_eq!(satellite.code("/healthz/live").await, Some(200));
    satellite.node.embedded().unwrap().remove_client(busy);
    assert_eq!(answer.await, 200);
    assert!(satellite.node.embedded().unwrap().cause().is_some(), "its ProxySQL has ended");
    assert_eq!(satellite.agent.exit_code(PATIENCE).await.unwrap(), Some(0));
}
