//! The Kubernetes API.

pub mod pods;
