//! Keeps a ProxySQL cluster healthy on Kubernetes while pods come and go.

pub mod config;
