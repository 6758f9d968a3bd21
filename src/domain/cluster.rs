//! The nodes of a cluster: who is a member, who acts for all, and where they differ.

pub mod core_pod;
pub mod drift;
pub mod election;
pub mod followers;
pub mod hearing;
pub mod member;
pub mod membership;
pub mod rollout;
pub mod sync_state;
