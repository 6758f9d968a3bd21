//! The nodes of a cluster: who is a member, who acts for all, and where they differ.

pub mod core_pod;
pub mod drift;
pub mod election;
pub mod hearing;
pub mod member;
pub mod membership;
pub mod rollout;
pub mod satellite_connections;
pub mod sync_state;
