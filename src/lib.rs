//! proxysql-agent keeps a ProxySQL cluster healthy on Kubernetes while pods come and go.
//!
//! ```text
//!                   Kubernetes API, DNS         kubelet, preStop      signals
//!                             │                        │                 │
//!                   edge::kubernetes, dns         edge::http       edge::signals
//!                             │ discovered             │                 │
//!                             ▼                        ▼                 ▼
//!   main ── app ──────►  ┌─────────┐   commands   ┌─────────────────────────┐
//!                        │  agent  │ ◄─────────── │          state          │
//!                        └────┬────┘              └─────────────────────────┘
//!                  statements │ answers
//!                             ▼
//!                        edge::admin ── ProxySQL
//! ```
//!
//! What the agent knows is in `state`, too, and `edge::http` shows it: to probes, to people, as `GET /status`, and through
//! `edge::metrics` to Prometheus.
//!
//! In dump mode `dump` takes the agent's place, and `edge::dump` that of Kubernetes: digests in, a file out, and the process ends.
//!
//! `agent` alone owns the connection to ProxySQL and everything mutable. What to do is decided in `domain`, by functions without
//! I/O. `edge` has one file per neighbour and one library each. `app` constructs and spawns; nothing else does.

pub mod accept;
pub mod agent;
pub mod apart;
pub mod app;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod domain;
pub mod dump;
pub mod edge;
pub mod logging;
pub mod state;
