//! Adapters to external systems: one room per system, one client library per room. They never import each other.

pub mod admin;
pub mod config_watch;
pub mod dns;
pub mod draining_file;
pub mod dump;
pub mod http;
pub mod kubernetes;
pub mod metrics;
pub mod own_address;
pub mod signals;
pub mod static_list;
