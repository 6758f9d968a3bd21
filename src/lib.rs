//! Keeps a ProxySQL cluster healthy on Kubernetes while pods come and go.

pub mod cli;
pub mod config;
pub mod logging;
