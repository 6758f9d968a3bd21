//! The token that guards what changes something.

use std::fmt;
use std::hint::black_box;
use std::io;
use std::path::Path;

use axum::http::{HeaderMap, header};

use crate::apart;

/// A longer file is no token.
const LONGEST: u64 = 4096;

/// Why a request is refused. Says nothing of what was sent or expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The request carries none.
    Missing,
    /// It carries another one.
    Wrong,
    /// There is none to compare with: nobody may, rather than everybody.
    Unreadable(io::ErrorKind),
    /// The file is empty.
    Empty,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no bearer token"),
            Self::Wrong => f.write_str("wrong token"),
            Self::Unreadable(kind) => write!(f, "api.token_file cannot be read: {kind}"),
            Self::Empty => f.write_str("api.token_file is empty"),
        }
    }
}

/// Compares the header `Authorization: Bearer` with the file, which is read anew each time: a token that was exchanged holds at
/// once.
pub(super) async fn check(file: &Path, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else { return Err(Refusal::Missing) };
    let given = given.as_bytes();
    let scheme = b"Bearer ";
    let Some((start, token)) = given.split_at_checked(scheme.len()) else { return Err(Refusal::Missing) };
    if !start.eq_ignore_ascii_case(scheme) {
        return Err(Refusal::Missing);
    }
    let wanted = read(file).await?;
    if is_same(token.trim_ascii(), &wanted) { Ok(()) } else { Err(Refusal::Wrong) }
}

/// The token in a file, without white space around it.
pub(super) async fn read(file: &Path) -> Result<Vec<u8>, Refusal> {
    let wanted = apart::read(file, LONGEST, apart::SOON).await.map_err(|error| Refusal::Unreadable(error.kind()))?;
    let wanted = wanted.trim_ascii();
    if wanted.is_empty() { Err(Refusal::Empty) } else { Ok(wanted.to_vec()) }
}

/// Takes as long for a token that differs in its first byte as for one that differs in its last.
fn is_same(left: &[u8], right: &[u8]) -> bool {
    let differences = left.iter().zip(right).fold(0, |seen, (left, right)| black_box(seen | (left ^ right)));
    left.len() == right.len() && black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn only_the_one_token_opens() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "s3cret\n").unwrap();
        let ask = async |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            }
            check(&file, &headers).await
        };
        assert_eq!(ask(&["Bearer s3cret"]).await, Ok(()));
        assert_eq!(ask(&["bearer  s3cret "]).await, Ok(()));
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Bearer S3cret", "Bearer ", "Bearer s3cret x"] {
            assert_eq!(ask(&[wrong]).await, Err(Refusal::Wrong), "{wrong}");
        }
        for missing in [&[][..], &["s3cret"], &["Basic s3cret"], &["Bearer s3cret", "Bearer s3cret"]] {
            assert_eq!(ask(missing).await, Err(Refusal::Missing), "{missing:?}");
        }
        std::fs::write(&file, "other").unwrap();
        assert_eq!((ask(&["Bearer s3cret"]).await, ask(&["Bearer other"]).await), (Err(Refusal::Wrong), Ok(())));
        std::fs::write(&file, " \n").unwrap();
        assert_eq!(ask(&["Bearer "]).await, Err(Refusal::Empty));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(ask(&["Bearer other"]).await, Err(Refusal::Unreadable(io::ErrorKind::NotFound)));
    }
}
