//! What one object says of another is true, and the settings of a pod fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

use proxysql_agent::config::{Config, OnSigterm, RunMode, Sources, load};
use proxysql_agent::domain::drain::budget::Budget;
use serde_json::{Value, json};

use super::typed::{name, text};
use super::{container, containers, file, list, object, of_kind, secret, variants, workloads};
use crate::release::container::IMAGE_CONFIG;

fn labels(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

/// The workloads whose pods a set of labels selects.
fn selected<'a>(objects: &'a [Value], selector: &Value) -> Vec<&'a Value> {
    let selector = labels(selector);
    assert!(!selector.is_empty());
    let fits = |workload: &&Value| {
        let own = labels(&workload["spec"]["template"]["metadata"]["labels"]);
        selector.iter().all(|(key, value)| own.get(key) == Some(value))
    };
    workloads(objects).filter(fits).collect()
}

fn ports(workload: &Value) -> BTreeMap<&str, u64> {
    let ports = containers(workload).flat_map(|container| list(&container["ports"]));
    ports.map(|port| (text(&port["name"]), port["containerPort"].as_u64().unwrap())).collect()
}

/// The agent's settings, as it reads them itself; nothing it would warn of.
fn settings(workload: &Value) -> Config {
    let value = |variable: &Value| match text(&variable["valueFrom"]["fieldRef"]["fieldPath"]) {
        "metadata.namespace" => "proxysql".to_owned(),
        "metadata.name" => "proxysql-core-0".to_owned(),
        "" => text(&variable["value"]).to_owned(),
        other => panic!("{other} is not a field that is known here"),
    };
    let agent = container(workload, "agent");
    assert!(agent["args"].is_null() && agent["command"].is_null(), "arguments are not read here");
    let environment = list(&agent["env"]).map(|v| (OsString::from(text(&v["name"])), OsString::from(value(v))));
    // What the image brings is in effect where the pod says nothing.
    let image = super::repository().join(IMAGE_CONFIG);
    let sources = Sources { default_files: vec![image], ..Sources::new(environment) };
    let loaded = load(&sources).unwrap_or_else(|errors| panic!("{}: {errors}", name(workload)));
    assert_eq!(loaded.warnings, [""; 0], "{}", name(workload));
    loaded.config
}

#[test]
fn selectors_ports_and_names_are_of_something() {
    for (variant, objects) in variants() {
        for workload in workloads(&objects) {
            assert_eq!(selected(&objects, &workload["spec"]["selector"]["matchLabels"]), [workload], "{variant}");
            let spec = &workload["spec"]["template"]["spec"];
            object(&objects, "ServiceAccount", text(&spec["serviceAccountName"]));
            for spread in list(&spec["topologySpreadConstraints"]) {
                assert_eq!(selected(&objects, &spread["labelSelector"]["matchLabels"]), [workload], "{variant}");
            }
        }
        for service in of_kind(&objects, "Service") {
            let [workload] = selected(&objects, &service["spec"]["selector"])[..] else { panic!("{}", name(service)) };
            for port in list(&service["spec"]["ports"]) {
                assert!(ports(workload).contains_key(text(&port["targetPort"])), "{}", name(service));
            }
        }
        for budget in of_kind(&objects, "PodDisruptionBudget") {
            assert_eq!(selected(&objects, &budget["spec"]["selector"]["matchLabels"]).len(), 1, "{}", name(budget));
        }
        for policy in of_kind(&objects, "NetworkPolicy") {
            let spec = &policy["spec"];
            let [workload] = selected(&objects, &spec["podSelector"]["matchLabels"])[..] else {
                panic!("{}", name(policy))
            };
            for rule in list(&spec["ingress"]) {
                assert!(list(&rule["from"]).next().is_some(), "{}: for everybody", name(policy));
                for port in list(&rule["ports"]) {
                    assert!(ports(workload).contains_key(text(&port["port"])), "{}", name(policy));
                }
            }
        }
        for binding in of_kind(&objects, "RoleBinding") {
            object(&objects, text(&binding["roleRef"]["kind"]), text(&binding["roleRef"]["name"]));
            for subject in list(&binding["subjects"]) {
                object(&objects, "ServiceAccount", text(&subject["name"]));
                assert_eq!(subject["namespace"], "proxysql");
            }
        }
        for scaler in of_kind(&objects, "HorizontalPodAutoscaler") {
            let target = &scaler["spec"]["scaleTargetRef"];
            let workload = object(&objects, text(&target["kind"]), text(&target["name"]));
            assert!(workload["spec"]["replicas"].is_null(), "{variant}: each apply would put the number back");
            for metric in list(&scaler["spec"]["metrics"]) {
                // Only a container of the main list serves clients.
                let called = &metric["containerResource"]["container"];
                let main = &workload["spec"]["template"]["spec"]["containers"];
                let container = list(main).find(|container| &container["name"] == called).unwrap();
                let resource = text(&metric["containerResource"]["name"]);
                assert!(!container["resources"]["requests"][resource].is_null(), "{variant}: a share of nothing");
            }
        }
    }
}

/// The keys that a pod finds in a volume, by path.
fn files(objects: &[Value], volume: &Value) -> BTreeSet<String> {
    let (secret, mut files) = (secret(), BTreeSet::new());
    for source in list(&volume["projected"]["sources"]) {
        let keys =
            |of: &Value| of.as_object().into_iter().flat_map(|data| data.keys().cloned()).collect::<BTreeSet<_>>();
        let (there, from) = if source["configMap"]["name"] == "kube-root-ca.crt" {
            // Kubernetes puts it in every namespace.
            (BTreeSet::from(["ca.crt".to_owned()]), &source["configMap"])
        } else if source["configMap"].is_object() {
            let map = object(objects, "ConfigMap", text(&source["configMap"]["name"]));
            (keys(&map["data"]), &source["configMap"])
        } else if source["secret"].is_object() {
            assert_eq!(source["secret"]["name"], secret["metadata"]["name"]);
            (keys(&secret["stringData"]), &source["secret"])
        } else {
            continue;
        };
        if from["items"].is_null() {
            files.extend(there);
            continue;
        }
        for item in list(&from["items"]) {
            assert!(there.contains(text(&item["key"])), "{item} is not in {from}");
            files.insert(text(&item["path"]).to_owned());
        }
    }
    files
}

#[test]
fn every_volume_is_there_and_used_and_has_the_files() {
    for (variant, objects) in variants() {
        for workload in workloads(&objects) {
            let spec = &workload["spec"]["template"]["spec"];
            let there: BTreeSet<&str> = list(&spec["volumes"]).map(|volume| text(&volume["name"])).collect();
            let mounts: Vec<_> = containers(workload).flat_map(|container| list(&container["volumeMounts"])).collect();
            let mounted: BTreeSet<&str> = mounts.iter().map(|mount| text(&mount["name"])).collect();
            assert_eq!(there, mounted, "{variant}: {}", name(workload));
            // A subPath never changes after the start.
            assert!(mounts.iter().all(|mount| mount["subPath"].is_null()));
            let config = list(&spec["volumes"]).find(|volume| volume["name"] == "config").unwrap();
            let (files, settings) = (files(&objects, config), settings(workload));
            let path = |file: &str| format!("/etc/proxysql/{file}");
            for container in ["agent", "proxysql"] {
                let mount =
                    list(&super::container(workload, container)["volumeMounts"]).find(|m| m["name"] == "config");
                assert_eq!(mount.unwrap()["mountPath"], "/etc/proxysql");
            }
            let there: BTreeSet<String> = files.iter().map(|file| path(file)).collect();
            let command: Vec<&str> = list(&container(workload, "proxysql")["command"]).map(text).collect();
            let mut needed: BTreeSet<String> = BTreeSet::from([path("proxysql.cnf")]);
            assert!(command.windows(2).any(|pair| pair == ["-c", &path("proxysql.cnf")]), "{command:?}");
            needed.extend(settings.proxysql.password_file.iter().map(|path| path.display().to_string()));
            needed.extend(settings.core.config_file.iter().map(|path| path.display().to_string()));
            needed.extend(file::includes(&file::text(text(&workload["metadata"]["labels"]["component"]))));
            assert_eq!(there, needed, "{variant}: {}: files and who reads them", name(workload));
        }
    }
}

#[test]
fn the_agents_settings_are_settings_and_fit_the_pods() {
    for (variant, objects) in variants() {
        for workload in workloads(&objects) {
            let settings = settings(workload);
            let component = text(&workload["spec"]["template"]["metadata"]["labels"]["component"]);
            assert_eq!(settings.run_mode.to_string(), component);
            assert_eq!(settings.shutdown.on_sigterm, OnSigterm::Auto, "a sidecar that restarts leaves ProxySQL alone");
            let ports = ports(workload);
            assert_eq!(u64::from(settings.api.port), ports["http"]);
            assert_eq!(u64::from(settings.proxysql.address.port), ports["admin"]);
            if settings.run_mode == RunMode::Core {
                assert_eq!(settings.core.config_file.as_deref().unwrap().to_str(), Some("/etc/proxysql/proxysql.cnf"));
                // The cores find themselves, and nobody else.
                let selector = settings.core.label_selector();
                let pairs = selector.split(',').map(|pair| pair.split_once('=').unwrap());
                let pairs: BTreeMap<&str, &str> = pairs.collect();
                assert_eq!(selected(&objects, &json!(pairs)), [workload], "{variant}: {selector}");
            }
            let identity: BTreeMap<&str, &str> = list(&container(workload, "agent")["env"])
                .map(|variable| (text(&variable["name"]), text(&variable["valueFrom"]["fieldRef"]["fieldPath"])))
                .collect();
            assert_eq!(identity["POD_NAME"], "metadata.name");
            assert_eq!(identity["POD_NAMESPACE"], "metadata.namespace");
        }
    }
}

/// The bootstrap row is the name of a Service that only leads to cores that are ready.
#[test]
fn the_bootstrap_row_leads_to_ready_cores() {
    for (variant, objects) in variants() {
        let core = object(&objects, "StatefulSet", "proxysql-core");
        let bootstrap = settings(core).core.bootstrap_hostname;
        let service = object(&objects, "Service", &bootstrap);
        assert_eq!(selected(&objects, &service["spec"]["selector"]), [core], "{variant}");
        assert_eq!(service["spec"]["clusterIP"], "None", "{variant}");
        assert!(service["spec"]["publishNotReadyAddresses"].is_null(), "{variant}: a node would pull from itself");
        assert_eq!(core["spec"]["serviceName"], bootstrap, "{variant}");
        for role in ["core", "satellite"] {
            let row = format!("{{ hostname=\"{bootstrap}\", port=6032, weight=0, comment=\"bootstrap\" }}");
            assert!(file::text(role).contains(&row), "{role}");
        }
        // Clients come to satellites alone.
        let traffic = object(&objects, "Service", "proxysql");
        assert_eq!(selected(&objects, &traffic["spec"]["selector"])[0]["metadata"]["name"], "proxysql-satellite");
    }
}

#[test]
fn probes_and_pre_stop_ask_the_agent_and_the_time_suffices() {
    for (variant, objects) in variants() {
        for workload in workloads(&objects) {
            let what = format!("{variant}: {}", name(workload));
            let (proxysql, settings) = (container(workload, "proxysql"), settings(workload));
            for (probe, path) in [("startupProbe", "started"), ("readinessProbe", "ready"), ("livenessProbe", "live")] {
                let probe = &proxysql[probe];
                assert_eq!(probe["httpGet"]["path"], format!("/healthz/{path}"), "{what}");
                // A name would be looked for among ProxySQL's own ports.
                assert_eq!(probe["httpGet"]["port"], json!(settings.api.port), "{what}");
                assert!(probe["timeoutSeconds"].as_u64().unwrap() >= 1, "{what}");
            }
            // Where ProxySQL is: who has no preStop gets SIGTERM at once, and cuts everybody.
            assert_eq!(
                proxysql["lifecycle"]["preStop"]["httpGet"],
                json!({"path": "/shutdown", "port": 8080}),
                "{what}"
            );
            let agent = container(workload, "agent");
            // ProxySQL is not started before a sidecar's start-up probe is content, and this one would wait for ProxySQL.
            assert!(agent["startupProbe"].is_null() && agent["readinessProbe"].is_null(), "{what}");
            assert!(!text(&agent["livenessProbe"]["httpGet"]["path"]).starts_with("/healthz/"), "{what}");
            let sidecar = workload["spec"]["template"]["spec"]["initContainers"].is_array();
            assert_eq!(agent["restartPolicy"] == "Always", sidecar, "{what}: an init container that never ends");

            let spec = &workload["spec"]["template"]["spec"];
            let grace = Duration::from_secs(spec["terminationGracePeriodSeconds"].as_u64().unwrap());
            let threads: u32 = file::variable(&settings.run_mode.to_string(), "threads").parse().unwrap();
            let budget = Budget::new(settings.shutdown.propagation_delay, threads, settings.shutdown.drain_timeout);
            for given in [settings.shutdown.shutdown_timeout, grace] {
                assert_eq!(budget.falls_short_of(given), None, "{what}: {budget}");
            }
            assert!(grace > settings.shutdown.shutdown_timeout, "{what}: the kubelet must not be quicker");
        }
    }
}

/// For how long at least, and at most, a probe has to fail until something comes of it, where a failure is known at once.
fn bears(probe: &Value) -> (u64, u64) {
    let number = |field: &str| probe[field].as_u64().unwrap_or_else(|| panic!("{field} is not set: {probe}"));
    let (period, failures) = (number("periodSeconds"), number("failureThreshold"));
    assert_eq!(probe["successThreshold"].as_u64().unwrap_or(1), 1, "one success makes good for all failures");
    ((failures - 1) * period, failures * period)
}

/// A probe that finds no agent fails ProxySQL. So it has to fail for long, before anything comes of it.
#[test]
fn an_agent_that_is_away_costs_its_proxysql_nothing_for_a_while() {
    let readme = crate::support::document("docs/getting-started.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (variant, objects) in variants() {
        for workload in workloads(&objects) {
            let what = format!("{variant}: {}", name(workload));
            let proxysql = container(workload, "proxysql");
            let [ready, live, started] =
                ["readinessProbe", "livenessProbe", "startupProbe"].map(|probe| &proxysql[probe]);
            // Unready after no less than 15 s, and for its own reasons after no more than 20; killed after no less than five minutes,
            // also before it was up for the first time, and not much later where it hangs.
            assert!(bears(ready).0 >= 15 && bears(ready).1 <= 20, "{what}: {:?}", bears(ready));
            for probe in [live, started] {
                assert!(bears(probe).0 >= 300 && bears(probe).1 <= 330, "{what}: {:?}", bears(probe));
            }
            // The kubelet asks the next time when the last answer is there or late.
            for probe in [ready, live, started] {
                assert!(
                    probe["timeoutSeconds"].as_u64().unwrap() <= probe["periodSeconds"].as_u64().unwrap(),
                    "{what}"
                );
            }
            let figures = |name: &str, probe: &Value| {
                format!("{name}: {} failures, {} s apart", probe["failureThreshold"], probe["periodSeconds"])
            };
            for statement in [
                format!("for {} s ({})", bears(ready).0, figures("readiness", ready)),
                format!("for {} s ({}; {})", bears(live).0, figures("liveness", live), figures("startup", started)),
            ] {
                assert!(readme.contains(&statement), "{what}: docs/getting-started.md does not say {statement:?}");
            }
            // The agent's own probe ends nobody but the agent, and is no reason to call the pod unready.
            let agent = container(workload, "agent");
            assert!(agent["readinessProbe"].is_null(), "{what}");
        }
    }
}

#[test]
fn nobody_has_more_rights_on_the_machine_than_it_needs() {
    for (variant, objects) in variants() {
        for workload in workloads(&objects) {
            let what = format!("{variant}: {}", name(workload));
            let spec = &workload["spec"]["template"]["spec"];
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{what}");
            assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{what}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{what}");
            for container in containers(workload) {
                let expected = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": {"drop": ["ALL"]}});
                assert_eq!(container["securityContext"], expected, "{what}");
                assert!(!container["resources"]["limits"]["memory"].is_null(), "{what}");
                let token = list(&container["volumeMounts"]).any(|mount| mount["name"] == "api-access");
                assert_eq!(token, container["name"] == "agent", "{what}: the token is the agent's alone");
            }
        }
        for account in of_kind(&objects, "ServiceAccount") {
            assert_eq!(account["automountServiceAccountToken"], false, "{variant}");
        }
    }
}
