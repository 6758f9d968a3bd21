//! A real kube-apiserver with its etcd, as children on loopback.
//!
//! Clients come in by a wire of their own that can be closed, while the rig goes on changing pods behind it.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::pod::PodSpec;
use super::server::TOKEN;
use crate::net::{Block, Forwarder};
use crate::process::{Process, Program};

/// The variable that names the directory of `kube-apiserver` and `etcd`.
pub const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// How long the server may take until it is ready.
const START: Duration = Duration::from_mins(1);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);
/// What a merge patch is sent as.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// What precedes the point in the public key of a P-256 pair, in DER: the lengths, and the names of algorithm and curve.
const PUBLIC_KEY_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A real API server. Its children end when it is dropped.
pub struct ApiServer {
    client: kube::Client,
    wire: Forwarder,
    certificate: PathBuf,
    program: Program,
    /// Empty only until the first start is over.
    server: Mutex<Option<Process>>,
    _etcd: Process,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ApiServer").field("program", &self.program).finish_non_exhaustive()
    }
}

impl ApiServer {
    /// Starts both on an address of the block; returns when the server is ready.
    pub async fn start(assets: &Path, block: &Block, dir: &Path) -> io::Result<Self> {
        let ip = block.address()?;
        let (direct, wire) =
            (SocketAddr::new(ip.into(), block.port(6444)?), SocketAddr::new(ip.into(), block.port(6443)?));
        let dir = dir.join("kubernetes");
        std::fs::create_dir_all(&dir)?;
        let etcd_url = format!("http://{ip}:{}", block.port(2379)?);
        let etcd = etcd(assets, &dir, &etcd_url, &format!("http://{ip}:{}", block.port(2380)?)).start()?;
        let program = api_server(assets, &dir, direct, &etcd_url)?;
        let mut server = program.start()?;
        let certificate = dir.join("certificates").join("apiserver.crt");
        wait_for_certificates(&certificate).await?;
        let client = client(direct, &certificate).await?;
        let forwarder = Forwarder::start(wire).await?;
        forwarder.add(direct);
        let api = Self { client, wire: forwarder, certificate, program, server: Mutex::default(), _etcd: etcd };
        api.ready(&mut server).await?;
        *api.server.lock().await = Some(server);
        Ok(api)
    }

    /// Where clients come in.
    pub fn address(&self) -> SocketAddr {
        self.wire.address()
    }

    /// Writes a kubeconfig for it.
    pub fn kubeconfig(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, kubeconfig(self.address(), &self.certificate, TOKEN))
    }

    /// Writes a kubeconfig that presents a token of this service account, as a pod of it has one.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str, path: &Path) -> io::Result<()> {
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}});
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let answer = self.send(Method::POST, &accounts, &request).await.map_err(io::Error::other)?;
        let token = answer["status"]["token"].as_str().ok_or_else(|| io::Error::other("an answer without a token"))?;
        std::fs::write(path, kubeconfig(self.address(), &self.certificate, token))
    }

    /// The way in for clients: close it, cut it, open it.
    pub fn wire(&self) -> &Forwarder {
        &self.wire
    }

    /// Stops the server in its tracks (SIGSTOP), or lets it go on.
    pub async fn freeze(&self, frozen: bool) {
        if let Some(server) = &mut *self.server.lock().await {
            server.freeze(frozen);
        }
    }

    /// Kills the server and starts it again on the same etcd; returns when it is ready.
    pub async fn restart(&self) -> io::Result<()> {
        let mut server = self.server.lock().await;
        if let Some(mut old) = server.take() {
            old.kill().await;
        }
        self.ready(server.insert(self.program.start()?)).await
    }

    /// Puts a pod there, in the place of the one of its name if there is one.
    pub async fn put(&self, pod: &PodSpec) -> io::Result<()> {
        let mut object = pod.object(0);
        let mut status = object["status"].take();
        // What the server alone may say; from 1.32 on it insists on that of the class, too.
        if let Some(status) = status.as_object_mut() {
            status.remove("qosClass");
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.retain(|key, _| {
                ["name", "namespace", "labels", "annotations", "ownerReferences"].contains(&key.as_str())
            });
        }
        let pods = format!("/api/v1/namespaces/{}/pods", pod.namespace);
        let path = format!("{pods}/{}", pod.name);
        match self.send(Method::POST, &pods, &object).await {
            Err(kube::Error::Api(answer)) if answer.code == 404 => {
                self.make_namespace(&pod.namespace).await?;
                self.send(Method::POST, &pods, &object).await
            }
            Err(kube::Error::Api(answer)) if answer.code == 409 => {
                let metadata = json!({"metadata": {"labels": pod.labels, "annotations": pod.annotations}});
                self.send(Method::PATCH, &path, &metadata).await
            }
            answer => answer,
        }
        .map_err(io::Error::other)?;
        let mut status = json!({"status": status});
        if pod.ips.is_empty() {
            status["status"]["podIP"] = Value::Null;
            status["status"]["podIPs"] = Value::Null;
        }
        self.send(Method::PATCH, &format!("{path}/status"), &status).await.map(drop).map_err(io::Error::other)
    }

    /// Marks a pod as terminating: it stays until it is deleted.
    pub async fn terminate(&self, namespace: &str, name: &str) -> io::Result<()> {
        self.remove(namespace, name, 30).await
    }

    /// Takes a pod away.
    pub async fn delete(&self, namespace: &str, name: &str) -> io::Result<()> {
        self.remove(namespace, name, 0).await
    }

    /// Gives a `ReplicaSet` its revision, as the controller of its deployment does; it is made if it is not there.
    pub async fn set_revision(&self, namespace: &str, name: &str, revision: i64) -> io::Result<()> {
        let labels = json!({"app": name});
        let annotations = json!({"deployment.kubernetes.io/revision": revision.to_string()});
        let pod = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "proxysql", "image": "proxysql"}]}});
        let object = json!({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod},
        });
        let sets = format!("/apis/apps/v1/namespaces/{namespace}/replicasets");
        let answer = match self.send(Method::POST, &sets, &object).await {
            Err(kube::Error::Api(answer)) if answer.code == 404 => {
                self.make_namespace(namespace).await?;
                self.send(Method::POST, &sets, &object).await
            }
            answer => answer,
        };
        match answer {
            Err(kube::Error::Api(answer)) if answer.code == 409 => {
                let patch = json!({"metadata": {"annotations": annotations}});
                self.send(Method::PATCH, &format!("{sets}/{name}"), &patch).await
            }
            answer => answer,
        }
        .map(drop)
        .map_err(io::Error::other)
    }

    /// Makes a namespace, unless somebody else is quicker.
    async fn make_namespace(&self, name: &str) -> io::Result<()> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        match self.send(Method::POST, "/api/v1/namespaces", &namespace).await {
            Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(()),
            answer => answer.map(drop).map_err(io::Error::other),
        }
    }

    async fn remove(&self, namespace: &str, name: &str, grace: u32) -> io::Result<()> {
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace});
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        match self.send(Method::DELETE, &path, &options).await {
            Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
            answer => answer.map(drop).map_err(io::Error::other),
        }
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> kube::Result<Value> {
        let content = if method == Method::PATCH { MERGE_PATCH } else { "application/json" };
        let request = Request::builder().method(method).uri(path).header("content-type", content);
        let request = request.body(body.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
        self.client.request(request).await
    }

    /// Waits until the server says that it is ready; an error with its last words if it ends before.
    async fn ready(&self, server: &mut Process) -> io::Result<()> {
        let began = Instant::now();
        loop {
            let request = Request::get("/readyz").body(Vec::new()).map_err(io::Error::other)?;
            match timeout(PATIENCE, self.client.request_text(request)).await {
                Ok(Ok(_)) => return Ok(()),
                _ if server.is_running() && began.elapsed() < START => sleep(POLL).await,
                answer => {
                    return Err(io::Error::other(format!(
                        "the kube-apiserver is not ready: {answer:?}; {}",
                        server.log().last()
                    )));
                }
            }
        }
    }
}

fn etcd(assets: &Path, dir: &Path, clients: &str, peers: &str) -> Program {
    Program::new(&assets.join("etcd"), &dir.join("etcd.log"))
        .arg(format!("--data-dir={}", dir.join("etcd").display()))
        .arg(format!("--listen-client-urls={clients}"))
        .arg(format!("--advertise-client-urls={clients}"))
        .arg(format!("--listen-peer-urls={peers}"))
        .arg("--unsafe-no-fsync")
}

fn api_server(assets: &Path, dir: &Path, address: SocketAddr, etcd: &str) -> io::Result<Program> {
    let ([private, public], tokens) = (signing_keys(dir)?, dir.join("tokens.csv"));
    std::fs::write(&tokens, format!("{TOKEN},fleet,fleet,system:masters\n"))?;
    let program = Program::new(&assets.join("kube-apiserver"), &dir.join("kube-apiserver.log"))
        .arg(format!("--etcd-servers={etcd}"))
        .arg(format!("--bind-address={}", address.ip()))
        .arg(format!("--advertise-address={}", address.ip()))
        .arg(format!("--secure-port={}", address.port()))
        .arg(format!("--cert-dir={}", dir.join("certificates").display()))
        .arg(format!("--token-auth-file={}", tokens.display()))
        .arg(format!("--service-account-signing-key-file={}", private.display()))
        .arg(format!("--service-account-key-file={}", public.display()))
        .arg("--service-account-issuer=https://fleet")
        .arg("--authorization-mode=RBAC")
        // No controller makes service accounts here, and nobody reaches the server by its Service.
        .arg("--disable-admission-plugins=ServiceAccount")
        .arg("--endpoint-reconciler-type=none")
        .arg("--service-cluster-ip-range=10.0.0.0/24");
    Ok(program)
}

/// Writes a fresh pair of keys, for the tokens of service accounts; answers where the private and the public one are.
fn signing_keys(dir: &Path) -> io::Result<[PathBuf; 2]> {
    let (random, failed) = (SystemRandom::new(), |_| io::Error::other("no key could be made"));
    let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).map_err(failed)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private.as_ref(), &random)
        .map_err(|error| io::Error::other(error.to_string()))?;
    let public = [PUBLIC_KEY_HEAD, pair.public_key().as_ref()].concat();
    let write = |kind: &str, der: &[u8]| {
        let path = dir.join(format!("{kind}.pem"));
        let pem = format!("-----BEGIN {kind} KEY-----\n{}\n-----END {kind} KEY-----\n", STANDARD.encode(der));
        std::fs::write(&path, pem).map(|()| path)
    };
    Ok([write("PRIVATE", private.as_ref())?, write("PUBLIC", &public)?])
}

/// Waits until the server has written its own certificate and the one that signed it, both whole.
async fn wait_for_certificates(path: &Path) -> io::Result<()> {
    let exists = async {
        while std::fs::read_to_string(path).unwrap_or_default().matches("-----END CERTIFICATE-----").count() < 2 {
            sleep(POLL).await;
        }
    };
    let late =
        |_| io::Error::new(io::ErrorKind::TimedOut, format!("the kube-apiserver has not made {}", path.display()));
    timeout(START, exists).await.map_err(late)
}

async fn client(address: SocketAddr, certificate: &Path) -> io::Result<kube::Client> {
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig(address, certificate, TOKEN)).map_err(io::Error::other)?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(io::Error::other)?;
    kube::Client::try_from(config).map_err(io::Error::other)
}

/// The server signs for itself; its certificate comes with the authority that it made up.
fn kubeconfig(address: SocketAddr, certificate: &Path, token: &str) -> String {
    super::server::kubeconfig(&format!("https://{address}"), Some(certificate), token)
}
