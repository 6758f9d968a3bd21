//! The Kubernetes API: the client, the loop that follows a resource through lists and watches, and what is read of each.

mod client;
pub mod pods;
mod watching;

pub use self::client::{ApiError, client};
