//! The API a rig uses: the stand-in, or a real server.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::pod::PodSpec;
use super::server::PodApi;
use crate::net::Block;

/// The Kubernetes API of a rig.
#[derive(Debug)]
pub enum KubeApi {
    /// The stand-in, in this process.
    Embedded(PodApi),
}

impl fmt::Display for KubeApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Embedded(api) = self;
        write!(formatter, "the embedded Kubernetes API at {}", api.address())
    }
}

impl KubeApi {
    /// Starts the API on an address of the block.
    pub async fn start(block: &Block, _dir: &Path) -> io::Result<Self> {
        let address = SocketAddr::new(IpAddr::V4(block.address()?), block.port(6443)?);
        PodApi::start(address).await.map(Self::Embedded)
    }

    /// The stand-in, if it is one.
    pub fn embedded(&self) -> Option<&PodApi> {
        let Self::Embedded(api) = self;
        Some(api)
    }

    /// Writes a kubeconfig for it.
    pub fn kubeconfig(&self, path: &Path) -> io::Result<()> {
        let Self::Embedded(api) = self;
        api.kubeconfig(path)
    }

    /// Puts a pod there, in the place of the one of its name if there is one.
    pub async fn put(&self, pod: PodSpec) -> io::Result<()> {
        let Self::Embedded(api) = self;
        api.put(pod);
        Ok(())
    }

    /// Marks a pod as terminating.
    pub async fn terminate(&self, namespace: &str, name: &str) -> io::Result<()> {
        let Self::Embedded(api) = self;
        api.terminate(namespace, name);
        Ok(())
    }

    /// Takes a pod away.
    pub async fn delete(&self, namespace: &str, name: &str) -> io::Result<()> {
        let Self::Embedded(api) = self;
        api.delete(namespace, name);
        Ok(())
    }

    /// The server is gone, or there again.
    pub async fn outage(&self, gone: bool) -> io::Result<()> {
        let Self::Embedded(api) = self;
        if gone {
            api.refuse().await;
        } else {
            api.heal().await;
        }
        Ok(())
    }
}
