//! The Roles hold what the agents ask of the API server, all of it and nothing else.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proxysql_fleet::kubernetes::{KubeApi, PodSpec, Request, Verb};
use proxysql_fleet::process::Signal;
use proxysql_fleet::rig::{Rig, Role, Settings};

use super::kustomize::{build, root};
use super::typed::text;
use super::{list, object};
use crate::support::{PATIENCE, eventually, settings};

const NAMESPACE: &str = "proxysql";

/// API group, resource, verb.
pub(super) type Right = (String, String, String);

/// What a Role allows.
pub(super) fn allowed(role: &str) -> BTreeSet<Right> {
    let objects = build(&root(), &[]);
    let mut rights = BTreeSet::new();
    for rule in list(&object(&objects, "Role", role)["rules"]) {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    rights.insert((text(group).to_owned(), text(resource).to_owned(), text(verb).to_owned()));
                }
            }
        }
    }
    rights
}

/// What a request takes.
fn right(request: &Request) -> Right {
    let path = request.uri.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, namespace, resource) = match parts[..] {
        ["api", "v1", "namespaces", namespace, resource, ..] => ("", namespace, resource),
        ["apis", group, "v1", "namespaces", namespace, resource, ..] => (group, namespace, resource),
        _ => panic!("not in a namespace: {request}"),
    };
    assert_eq!(namespace, NAMESPACE, "{request}");
    let verb = match request.verb {
        Verb::List => "list",
        Verb::Watch => "watch",
        Verb::Get => "get",
        Verb::Other => panic!("neither list, watch nor get: {request}"),
    };
    (group.to_owned(), resource.to_owned(), verb.to_owned())
}

/// As the manifests set the agent, and with this API.
pub(super) fn as_deployed() -> Settings {
    settings().env("AGENT_SHUTDOWN_ON_SIGTERM", "auto").env("POD_NAMESPACE", NAMESPACE)
}

/// Makes the pod of a core one of a `StatefulSet`, and puts one of another generation beside it.
pub(super) async fn two_generations(rig: &Rig, core: &str) {
    let api = rig.kubernetes();
    let pod = |name: &str, ip: IpAddr, revision| {
        let pod = PodSpec::new(NAMESPACE, name).label("app", "proxysql").label("component", "core").ip(ip);
        pod.of_stateful_set("proxysql-core", revision)
    };
    api.delete(NAMESPACE, core).await.unwrap();
    api.put(pod(core, rig.member(core).unwrap().ip(), "proxysql-core-new")).await.unwrap();
    api.put(pod("core-other", rig.address().unwrap(), "proxysql-core-old")).await.unwrap();
}

/// Tells the agent to end; waits until it has, and answers what it said.
pub(super) async fn ended(rig: &mut Rig, name: &str) -> String {
    let agent = rig.member_mut(name).unwrap().agent.as_mut().unwrap();
    agent.process.signal(Signal::TERM);
    agent.process.wait(PATIENCE).await.unwrap();
    agent.process.log().lines().iter().map(|line| line.text.clone() + "\n").collect()
}

/// From start to end, with everything between that asks the API server.
async fn life(role: Role) -> BTreeSet<Right> {
    let mut rig = Rig::start(Settings { scripted_api: true, ..as_deployed() }).await.unwrap();
    let name = if role == Role::Core { rig.add_core().await } else { rig.add_satellite().await }.unwrap();
    let KubeApi::Embedded(api) = rig.kubernetes() else { panic!("the stand-in was asked for") };
    let asked = || api.requests().iter().map(right).collect::<BTreeSet<_>>();
    let has = |resource: &str, verb: &str| asked().iter().any(|(_, r, v)| r == resource && v == verb);
    eventually("it has asked for its own pod", async || has("pods", "get")).await;
    if role == Role::Core {
        eventually("it watches", async || has("pods", "watch")).await;
        for (revision, number) in [("proxysql-core-old", 1), ("proxysql-core-new", 2)] {
            api.set_revision(NAMESPACE, revision, number);
        }
        two_generations(&rig, &name).await;
        eventually("it has asked for revisions", async || has("controllerrevisions", "get")).await;
    }
    let before = api.traffic().gets;
    ended(&mut rig, &name).await;
    let KubeApi::Embedded(api) = rig.kubernetes() else { panic!("the stand-in was asked for") };
    assert!(api.traffic().gets > before, "whether the pod is being deleted was not asked");
    api.requests().iter().map(right).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_core_may_do_what_it_does_and_no_more() {
    assert_eq!(life(Role::Core).await, allowed("proxysql-core"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_satellite_may_do_what_it_does_and_no_more() {
    assert_eq!(life(Role::Satellite).await, allowed("proxysql-satellite"));
}
