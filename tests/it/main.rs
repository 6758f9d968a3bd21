//! The promises of the README, one module each.

mod config;
