//! Packs the relocations of a position-independent binary, 24 bytes each otherwise, and all of them read at each start: a
//! twentieth of the binary and of what it keeps in memory.
//!
//! The loader has to know the packed form. glibc does since 2.36, and a binary asks for the glibc that it was built on in any case.

#![allow(clippy::print_stdout, reason = "that is how Cargo is spoken to")]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build/link.rs");
    let is_set = |name: &str, value: &str| env::var(name).is_ok_and(|set| set == value);
    let is_native = env::var("HOST").is_ok_and(|host| is_set("TARGET", &host));
    if is_native && is_set("CARGO_CFG_TARGET_ENV", "gnu") && glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Version of the C library of this machine, if it is glibc.
fn glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    let (major, minor) = said.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
