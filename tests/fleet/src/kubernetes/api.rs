//! The API a rig uses: the stand-in, or a real server.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::pod::PodSpec;
use super::real::{ASSETS, ApiServer};
use super::server::PodApi;
use crate::net::Block;

/// The Kubernetes API of a rig.
#[derive(Debug)]
pub enum KubeApi {
    /// The stand-in, in this process.
    Embedded(PodApi),
    /// A real kube-apiserver.
    Real(Box<ApiServer>),
}

impl fmt::Display for KubeApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(api) => write!(formatter, "the embedded Kubernetes API at {}", api.address()),
            Self::Real(api) => write!(formatter, "a real kube-apiserver at {}", api.address()),
        }
    }
}

impl KubeApi {
    /// Starts the API on an address of the block: the stand-in, or the real one where `KUBEBUILDER_ASSETS` says where it is
    /// and it need not be `scripted`.
    pub async fn start(block: &Block, dir: &Path, scripted: bool) -> io::Result<Self> {
        if let Some(assets) = std::env::var_os(ASSETS).filter(|assets| !assets.is_empty() && !scripted) {
            return ApiServer::start(Path::new(&assets), block, dir).await.map(Box::new).map(Self::Real);
        }
        let address = SocketAddr::new(IpAddr::V4(block.address()?), block.port(6443)?);
        PodApi::start(address).await.map(Self::Embedded)
    }

    /// The stand-in, if it is one, with all the trouble it can make.
    pub fn embedded(&self) -> Option<&PodApi> {
        match self {
            Self::Embedded(api) => Some(api),
            Self::Real(_) => None,
        }
    }

    /// The real server, if it is one.
    pub fn real(&self) -> Option<&ApiServer> {
        match self {
            Self::Embedded(_) => None,
            Self::Real(api) => Some(api),
        }
    }

    /// Writes a kubeconfig for it.
    pub fn kubeconfig(&self, path: &Path) -> io::Result<()> {
        match self {
            Self::Embedded(api) => api.kubeconfig(path),
            Self::Real(api) => api.kubeconfig(path),
        }
    }

    /// Puts a pod there, in the place of the one of its name if there is one.
    pub async fn put(&self, pod: PodSpec) -> io::Result<()> {
        match self {
            Self::Embedded(api) => {
                api.put(pod);
                Ok(())
            }
            Self::Real(api) => api.put(&pod).await,
        }
    }

    /// Marks a pod as terminating: it stays, Running, until it is deleted.
    pub async fn terminate(&self, namespace: &str, name: &str) -> io::Result<()> {
        match self {
            Self::Embedded(api) => {
                api.terminate(namespace, name);
                Ok(())
            }
            Self::Real(api) => api.terminate(namespace, name).await,
        }
    }

    /// Takes a pod away; one that is not there is gone already.
    pub async fn delete(&self, namespace: &str, name: &str) -> io::Result<()> {
        match self {
            Self::Embedded(api) => {
                api.delete(namespace, name);
                Ok(())
            }
            Self::Real(api) => api.delete(namespace, name).await,
        }
    }

    /// Gives a `ReplicaSet` its revision.
    pub async fn set_revision(&self, namespace: &str, name: &str, revision: i64) -> io::Result<()> {
        match self {
            Self::Embedded(api) => {
                api.set_revision(namespace, name, revision);
                Ok(())
            }
            Self::Real(api) => api.set_revision(namespace, name, revision).await,
        }
    }

    /// For the agents the server is gone, or there again; the rig can change pods all the while.
    pub async fn outage(&self, gone: bool) {
        match (self, gone) {
            (Self::Embedded(api), true) => api.refuse().await,
            (Self::Embedded(api), false) => api.heal().await,
            (Self::Real(api), true) => api.wire().close().await,
            (Self::Real(api), false) => api.wire().open().await,
        }
    }
}
