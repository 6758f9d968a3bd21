//! The Kubernetes API as far as pods go: a stand-in within the process, with trouble to order.

mod answer;
mod api;
mod list;
mod pod;
mod query;
mod real;
mod routes;
mod selector;
mod server;
mod store;
mod trouble;
mod watch;

pub use api::KubeApi;
pub use pod::{PodKey, PodSpec, rfc3339};
pub use real::{ASSETS, ApiServer};
pub use server::{PodApi, Request, TOKEN, Traffic, Verb};
pub use trouble::{Fault, Scope};
