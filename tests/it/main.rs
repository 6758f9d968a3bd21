//! The promises of the README, one module each.

// Helpers are tests, too: the settings that allow these in tests see only functions marked as such.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod config;
