//! The manifests on a real API server, where `KUBEBUILDER_ASSETS` names one: it takes every field, and the Roles suffice, and no part of
//! them can be spared.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proxysql_fleet::kubernetes::ASSETS;
use proxysql_fleet::rig::{Rig, Role, Settings};
use serde_json::{Value, json};

use super::rights::{allowed, as_deployed, ended, two_generations};
use super::typed::{name, text};
use super::{list, of_kind, secret, variants};
use crate::support::eventually;

const NAMESPACE: &str = "proxysql";

/// What an older server does not have yet: since which minor version, whose it is, and what is applied there instead.
const SINCE: [(u64, &str, Older); 4] = [
    (21, "PodDisruptionBudget", Older::Version("policy/v1beta1")),
    (23, "HorizontalPodAutoscaler", Older::Without(None)),
    (25, "StatefulSet", Older::Without(Some("/spec/minReadySeconds"))),
    // Sidecars: in the pods of both.
    (29, "initContainers", Older::Without(None)),
];

/// What becomes of an object on a server that is too old for it.
#[derive(Clone, Copy)]
enum Older {
    /// It had this version there.
    Version(&'static str),
    /// It is applied without this field, or not at all.
    Without(Option<&'static str>),
}

impl Older {
    fn of(self, mut object: Value) -> Option<Value> {
        match self {
            Self::Version(version) => object["apiVersion"] = json!(version),
            Self::Without(None) => return None,
            Self::Without(Some(field)) => {
                let (parent, field) = field.rsplit_once('/')?;
                object.pointer_mut(parent)?.as_object_mut()?.remove(field);
            }
        }
        Some(object)
    }
}

fn assets() -> Option<PathBuf> {
    let assets = std::env::var_os(ASSETS).filter(|assets| !assets.is_empty());
    if assets.is_none() {
        eprintln!("{ASSETS} names no API server; the manifests are not applied to one");
    }
    assets.map(PathBuf::from)
}

/// kubectl as the administrator.
struct Kubectl {
    binary: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    fn new(assets: &Path, rig: &Rig) -> Self {
        let binary = Some(assets.join("kubectl")).filter(|path| path.exists()).unwrap_or_else(|| "kubectl".into());
        Self { binary, kubeconfig: rig.dir().join("kubeconfig") }
    }

    fn run(&self, arguments: &[&str], input: &Value) -> Output {
        let mut child = Command::new(&self.binary)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(arguments)
            // What it remembers of a server is not for the next one on that port.
            .env("KUBECACHEDIR", self.kubeconfig.with_extension("cache"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn apply(&self, what: &str, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let apply = |validate: &str| self.run(&["apply", validate, "-f", "-"], &list);
        let mut output = apply("--validate=strict");
        // Before 1.25 kubectl itself checks the fields.
        if String::from_utf8_lossy(&output.stderr).contains("strconv.ParseBool") {
            output = apply("--validate=true");
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}: {said}");
    }

    /// The minor version of the server.
    fn version(&self) -> u64 {
        let output = self.run(&["get", "--raw", "/version"], &Value::Null);
        let version: Value = serde_json::from_slice(&output.stdout).unwrap();
        text(&version["minor"]).trim_end_matches('+').parse().unwrap()
    }

    /// Whether a service account may do this.
    fn may(&self, account: &str, (group, resource, verb): (&str, &str, &str)) -> bool {
        let user = format!("--as=system:serviceaccount:{NAMESPACE}:{account}");
        let resource = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let output = self.run(&["auth", "can-i", verb, &resource, &user, "-n", NAMESPACE], &Value::Null);
        match String::from_utf8_lossy(&output.stdout).trim() {
            "yes" => true,
            "no" => false,
            other => panic!("{other}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

/// The objects as a server of this version takes them.
fn for_version(objects: &[Value], version: u64) -> Vec<Value> {
    let mut fit = Vec::new();
    for object in objects {
        let mut object = Some(object.clone());
        for (since, whose, older) in SINCE.iter().filter(|(since, ..)| version < *since) {
            let concerned =
                |object: &Value| object["kind"] == *whose || object["spec"]["template"]["spec"].get(whose).is_some();
            let Some(too_new) = object.take_if(|object| concerned(object)) else { continue };
            let what = name(&too_new);
            object = older.of(too_new);
            let said = if object.is_some() { "not as it is" } else { "not applied" };
            eprintln!("1.{version} is older than 1.{since}: {what} is {said}");
        }
        fit.extend(object);
    }
    fit
}

/// A rig with the real server and everything that is applied before there are pods.
async fn server(settings: Settings) -> Option<(Rig, Kubectl, Vec<Value>)> {
    let assets = assets()?;
    let rig = Rig::start(settings).await.unwrap();
    let kubectl = Kubectl::new(&assets, &rig);
    let version = kubectl.version();
    let (_, objects) = variants().next()?;
    let objects = for_version(&objects, version);
    // The rig's own pods are not confined, and this namespace would not take them: its labels are looked at only.
    let namespace: Vec<Value> = of_kind(&objects, "Namespace").cloned().collect();
    let plain = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    kubectl.apply("the namespace", &[plain]);
    let looked = kubectl.run(&["apply", "--validate=strict", "--dry-run=server", "-f", "-"], &namespace[0]);
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
    let objects = objects.into_iter().filter(|object| object["kind"] != "Namespace").collect();
    Some((rig, kubectl, objects))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_takes_every_field() {
    let Some((_rig, kubectl, _)) = server(as_deployed()).await else { return };
    let version = kubectl.version();
    for (variant, objects) in variants() {
        let objects: Vec<Value> = for_version(&objects, version);
        let objects: Vec<Value> = objects.into_iter().filter(|object| object["kind"] != "Namespace").collect();
        kubectl.apply(variant, &objects);
        for object in objects {
            let output = kubectl.run(&["get", "-n", NAMESPACE, &name(&object).replace(' ', "/")], &Value::Null);
            assert!(output.status.success(), "{variant}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
    kubectl.apply("the Secret", &[secret()]);
    // It does look: the same server refuses what is not a field.
    let mut wrong = secret();
    wrong["stringDatum"] = json!({});
    let output = kubectl.run(&["apply", "--validate=strict", "-f", "-"], &wrong);
    assert!(!output.status.success(), "stringDatum was taken for a field");
}

/// The warnings of an agent that may not do what it does.
fn complaints(said: &str) -> Vec<&str> {
    let of_rights =
        |line: &&str| ["forbidden", "cannot read", "pod watch failed"].iter().any(|words| line.contains(words));
    said.lines().filter(|line| line.contains("\"level\":\"WARN\"")).filter(of_rights).collect()
}

/// With the token of this service account: what an agent says from its start to its end.
async fn life(rig: &mut Rig, role: Role, account: &str) -> String {
    let kubeconfig = rig.dir().join(account);
    rig.kubernetes().real().unwrap().kubeconfig_of(NAMESPACE, account, &kubeconfig).await.unwrap();
    rig.settings().environment.insert("KUBECONFIG".into(), kubeconfig.display().to_string());
    let name = if role == Role::Core { rig.add_core().await } else { rig.add_satellite().await }.unwrap();
    let log = |rig: &Rig| {
        let lines = rig.member(&name).unwrap().agent.as_ref().unwrap().process.log().lines();
        lines.iter().map(|line| line.text.clone() + "\n").collect::<String>()
    };
    // Where it may do everything, it has said that its grace period suffices or not; else it has said what it may not do.
    let looked = |said: &str| said.contains("grace period") || said.contains("terminationGracePeriodSeconds");
    eventually("it has looked around", async || looked(&log(rig)) || !complaints(&log(rig)).is_empty()).await;
    if role == Role::Core {
        two_generations(rig, &name).await;
        let asked = async || log(rig).contains("read rollout revisions") || !complaints(&log(rig)).is_empty();
        eventually("it has asked for revisions", asked).await;
    }
    let said = ended(rig, &name).await;
    rig.kill(&name).await.unwrap();
    rig.forget(&name).await.unwrap();
    rig.kubernetes().delete(NAMESPACE, "core-other").await.unwrap();
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_roles_suffice_and_no_verb_can_be_spared() {
    let Some((mut rig, kubectl, objects)) = server(as_deployed().env("AGENT_LOG_LEVEL", "DEBUG")).await else { return };
    let access: Vec<Value> =
        ["ServiceAccount", "Role", "RoleBinding"].iter().flat_map(|kind| of_kind(&objects, kind).cloned()).collect();
    kubectl.apply("access", &access);
    for (name, revision) in [("proxysql-core-old", 1), ("proxysql-core-new", 2)] {
        let revision = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": revision,
            "metadata": {"name": name, "namespace": NAMESPACE}, "data": {}});
        kubectl.apply(name, &[revision]);
    }
    for (role, account) in [(Role::Core, "proxysql-core"), (Role::Satellite, "proxysql-satellite")] {
        let whole =
            access.iter().find(|object| object["kind"] == "Role" && object["metadata"]["name"] == account).unwrap();
        let said = life(&mut rig, role, account).await;
        assert_eq!(complaints(&said), [""; 0], "{account} has all of its rights");
        for (group, resource, verb) in allowed(account) {
            let mut less = whole.clone();
            for rule in less["rules"].as_array_mut().unwrap() {
                if list(&rule["resources"]).any(|r| *r == resource) {
                    rule["verbs"].as_array_mut().unwrap().retain(|v| *v != verb);
                }
            }
            // A rule without a verb is no rule.
            less["rules"].as_array_mut().unwrap().retain(|rule| list(&rule["verbs"]).next().is_some());
            kubectl.apply("less", &[less]);
            let right = (group.as_str(), resource.as_str(), verb.as_str());
            eventually("it may no more", async || !kubectl.may(account, right)).await;
            let said = life(&mut rig, role, account).await;
            let complaints = complaints(&said);
            assert!(!complaints.is_empty(), "{account} does not miss {verb} {resource}");
            eprintln!("{account} without {verb} {resource}: {}", complaints[0]);
            kubectl.apply("all", std::slice::from_ref(whole));
            eventually("it may again", async || kubectl.may(account, right)).await;
        }
    }
}
