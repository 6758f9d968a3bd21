//! Pure decisions: what ProxySQL said, what Kubernetes or the DNS said, and what follows from it.
//!
//! Nothing in here waits, reads a clock, logs or touches a neighbour; all of it is tested without I/O.

pub mod addresses;
pub mod budget;
pub mod config_file;
pub mod credentials;
pub mod digest;
pub mod drain;
pub mod drift;
pub mod followers;
pub mod generation;
pub mod health;
pub mod hearing;
pub mod hold;
pub mod isolation;
pub mod member;
pub mod membership;
pub mod module;
pub mod observation;
pub mod publish;
pub mod resolution;
pub mod roster;
pub mod situation;
pub mod spacing;
pub mod statement;
pub mod tally;
pub mod trouble;
pub mod unlock;
