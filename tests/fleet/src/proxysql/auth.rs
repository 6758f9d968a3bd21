//! The greeting, the login packet, and the verification of passwords.

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use super::wire::Cursor;

/// What the admin port offers, without TLS and compression, which this stand-in does not speak.
pub(crate) const ADMIN_CAPABILITIES: u32 = 0x808f_f20f;
/// The port for `MySQL` clients adds `DEPRECATE_EOF`; this stand-in does not, so that it needs one encoding only.
pub(crate) const MYSQL_CAPABILITIES: u32 = ADMIN_CAPABILITIES;

const CONNECT_WITH_DB: u32 = 0x8;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x8_0000;
const PLUGIN_AUTH_LENGTH: u32 = 0x20_0000;

pub(crate) const NATIVE: &str = "mysql_native_password";
pub(crate) const CLEAR: &str = "mysql_clear_password";

/// Twenty bytes without zeros, as the protocol wants them.
pub(crate) type Salt = [u8; 20];

/// A salt nobody has to guess: it only has to differ from connection to connection.
pub(crate) fn salt(seed: u64) -> Salt {
    let mut salt = [0; 20];
    salt.copy_from_slice(&Sha1::digest(seed.to_le_bytes()));
    salt.map(|byte| byte & 0x7f | 0x01)
}

/// The first packet of a server.
pub(crate) fn greeting(version: &str, thread: u32, salt: &Salt, capabilities: u32) -> Vec<u8> {
    let flags = capabilities.to_le_bytes();
    let mut out = vec![10];
    out.extend_from_slice(version.as_bytes());
    out.push(0);
    out.extend_from_slice(&thread.to_le_bytes());
    out.extend_from_slice(&salt[..8]);
    out.push(0);
    out.extend_from_slice(&flags[..2]);
    out.push(33);
    out.extend_from_slice(&[2, 0]);
    out.extend_from_slice(&flags[2..]);
    out.push(21);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&salt[8..]);
    out.push(0);
    out.extend_from_slice(NATIVE.as_bytes());
    out.push(0);
    out
}

/// The packet that asks a client for another method.
pub(crate) fn switch_to_native(salt: &Salt) -> Vec<u8> {
    let mut out = vec![0xfe];
    out.extend_from_slice(NATIVE.as_bytes());
    out.push(0);
    out.extend_from_slice(salt);
    out.push(0);
    out
}

/// What a client answers to the greeting.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) proof: Vec<u8>,
    pub(crate) plugin: String,
}

impl Login {
    /// `None` for anything else, a request for TLS included.
    pub(crate) fn parse(packet: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(packet);
        let capabilities = u32::try_from(cursor.number(4)?).ok()?;
        cursor.take(4 + 1 + 23)?;
        if cursor.0.is_empty() {
            return None;
        }
        let user = String::from_utf8_lossy(cursor.until_zero()).into_owned();
        let proof = if capabilities & PLUGIN_AUTH_LENGTH != 0 {
            cursor.bytes()?
        } else if capabilities & SECURE_CONNECTION != 0 {
            let length = cursor.number(1)?;
            cursor.take(usize::try_from(length).ok()?)?
        } else {
            cursor.until_zero()
        };
        if capabilities & CONNECT_WITH_DB != 0 {
            // Any name will do, and none has an effect.
            cursor.until_zero();
        }
        let plugin = if capabilities & PLUGIN_AUTH != 0 { cursor.until_zero() } else { NATIVE.as_bytes() };
        Some(Self { user, proof: proof.to_vec(), plugin: String::from_utf8_lossy(plugin).into_owned() })
    }
}

/// The answer of a client that knows `password`.
pub(crate) fn native_proof(password: &str, salt: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let first = Sha1::digest(password.as_bytes());
    let second = Sha1::digest(first);
    let mask = Sha1::new().chain_update(salt).chain_update(second).finalize();
    first.iter().zip(mask).map(|(left, right)| left ^ right).collect()
}

/// Makes a password in clear text the hash that clients are held to; none stays none.
pub(crate) fn hash(password: &mut String) {
    if !password.is_empty() && !password.starts_with('*') {
        let hash = Sha1::digest(Sha1::digest(password.as_bytes()));
        *password = hash.iter().fold("*".to_owned(), |text, byte| text + &format!("{byte:02X}"));
    }
}

/// Whether `proof` shows knowledge of a password, which is kept as it is or as `*` and its double hash. Whatever else begins with `*` is
/// taken for a hash all the same, and fits no password.
pub(crate) fn proves(proof: &[u8], salt: &Salt, stored: &str) -> bool {
    let second: [u8; 20] = match stored.strip_prefix('*').map(unhex) {
        Some(Some(hash)) => hash,
        Some(None) => return false,
        None if stored.is_empty() || proof.is_empty() => return stored.is_empty() && proof.is_empty(),
        None => Sha1::digest(Sha1::digest(stored.as_bytes())).into(),
    };
    let mask = Sha1::new().chain_update(salt).chain_update(second).finalize();
    let first: Vec<u8> = proof.iter().zip(mask).map(|(left, right)| left ^ right).collect();
    proof.len() == 20 && Sha1::digest(&first)[..] == second
}

fn unhex(text: &str) -> Option<[u8; 20]> {
    let mut hash = [0; 20];
    if text.len() != 40 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(hash)
}

/// Which of the two interfaces a login reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Admin,
    Stats,
}

/// `user:password;user:password` as a variable holds it: names with their passwords. Nothing is trimmed, what is empty does not count,
/// and what follows a second `:` is dropped.
pub(crate) fn pairs(credentials: &str) -> impl Iterator<Item = (&str, &str)> {
    credentials.split(';').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.split(':').filter(|part| !part.is_empty());
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    })
}

/// The two names that may log in from 127.0.0.1 only.
pub(crate) fn local_only(user: &str, from: IpAddr) -> bool {
    matches!(user, "admin" | "stats") && from != IpAddr::from([127, 0, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_fits_the_password_and_its_hash_alone() {
        let salt = salt(7);
        let proof = native_proof("secret", &salt);
        let hash: String =
            Sha1::digest(Sha1::digest(b"secret")).iter().fold("*".to_owned(), |hash, byte| format!("{hash}{byte:02X}"));
        assert!(proves(&proof, &salt, "secret"));
        assert!(proves(&proof, &salt, &hash));
        assert!(!proves(&proof, &salt, "other"));
        assert!(!proves(&[], &salt, "secret"));
        assert!(proves(&[], &salt, ""));
        assert!(!proves(&proof, &salt, ""));
        assert!(!proves(&native_proof("*x", &salt), &salt, "*x"), "a hash that is none");
    }

    #[test]
    fn credentials_are_split_as_proxysql_splits_them() {
        let found: Vec<_> = pairs("a:b;;c:d:e; f:g;h;i::j").collect();
        assert_eq!(found, [("a", "b"), ("c", "d"), (" f", "g"), ("h", ""), ("i", "j")]);
    }
}
