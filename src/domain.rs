//! Pure decisions: what ProxySQL said, what Kubernetes or the DNS said, and what follows from it.
//!
//! Nothing in here waits, reads a clock, logs or touches a neighbour; all of it is tested without I/O.

pub mod cluster;
pub mod config_file;
pub mod counters;
pub mod discovery;
pub mod drain;
pub mod dump;
pub mod endpoint;
pub mod health;
pub mod log_throttle;
pub mod proxysql;
pub mod reconcile_report;
