//! A `ProxySQL` cluster and a Kubernetes API on loopback, for the tests and the demonstration of `proxysql-agent`.

pub mod client;
pub mod node;
pub mod proxysql;
