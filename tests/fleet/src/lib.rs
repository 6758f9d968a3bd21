//! A `ProxySQL` cluster and a Kubernetes API on loopback, for the tests and the demonstration of `proxysql-agent`.

pub mod client;
pub mod database;
pub mod dns;
pub mod http;
pub mod kubernetes;
pub mod net;
pub mod node;
pub mod process;
pub mod proxysql;
pub mod rig;
