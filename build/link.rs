//! Packs the relocations of the binary. Unpacked they take 24 bytes each, a twentieth of the file, and all are read at each start.
//!
//! The loader has to know the packed form: glibc does since 2.36 (a binary needs at least the glibc that it was linked with anyway), and Rust's
//! musl does, whose loader is in the binary, as in the image of `build/Dockerfile`. GNU ld and LLVM's linker know it; Zig's, which links a
//! release for another C library than this machine's, rejects the option, so only a native build gets it.

#![allow(clippy::print_stdout, reason = "Cargo reads the output of a build script")]

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
