//! What the documentation promises, a module for each promise. Every scenario runs the real binary.

#![allow(clippy::print_stderr, reason = "the figures of a run")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

mod alerts;
mod architecture;
mod blind;
mod compose;
mod config;
mod config_file;
mod discovered;
mod discovery;
mod drain;
mod drift;
mod dump;
mod generation;
mod hangs;
mod harness;
mod health;
mod http;
mod kubernetes;
mod lockout;
mod manifests;
mod membership;
mod metrics;
mod oracle;
mod page;
mod plan;
mod private;
mod publish;
mod publish_absent;
mod publish_exact;
mod publish_hashed;
mod publish_known;
mod publish_pgsql;
mod readme;
mod release;
mod reload;
mod rogue;
mod rolling;
mod satellite;
mod session;
mod shell;
mod signals;
mod static_binary;
mod status;
mod stillness;
mod traffic;

use self::harness::{life, scene, support};
