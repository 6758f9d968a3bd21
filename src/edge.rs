//! One file per neighbour, one library each. Edges never import each other.

pub mod admin;
pub mod dns;
pub mod dump;
pub mod file;
pub mod http;
pub mod local;
pub mod marker;
pub mod metrics;
pub mod pods;
pub mod signals;
