//! Packs the relocations of a position-independent binary: 24 bytes each otherwise, all of them read at each start, and so a twentieth of
//! the binary and of what it keeps in memory.
//!
//! The loader has to know the packed form, and the linker. glibc does since 2.36, and a binary asks for the glibc that it was built on in
//! any case; Rust's own musl does, and its loader is in the binary. GNU's linker and LLVM's do; Zig's, with which a release is built for
//! another C library than this machine's, ends where it is asked.

#![allow(clippy::print_stdout, reason = "that is how Cargo is spoken to")]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build/link.rs");
    let is_native = env::var("HOST").is_ok_and(|host| env::var("TARGET").is_ok_and(|target| target == host));
    let is_known = match env::var("CARGO_CFG_TARGET_ENV").as_deref() {
        Ok("gnu") => glibc().is_some_and(|version| version >= (2, 36)),
        Ok("musl") => true,
        _ => false,
    };
    if is_native && is_known && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
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
