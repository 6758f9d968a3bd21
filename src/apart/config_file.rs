//! `ProxySQL`'s configuration file, read with everything that it includes.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::{CONFIGURATION, read_now, run};
use crate::domain::config_file::{Blind, Included, Reading, Source, Texts, parse};

/// A larger file is no configuration file of `ProxySQL`; nor is one that is with what it includes.
pub const LARGEST: u64 = 64 << 20;

/// The file as it is at this moment, within the bound of [`CONFIGURATION`].
pub async fn read(path: &Path) -> Reading {
    let file = path.to_owned();
    let read = run(&format!("read {}", path.display()), CONFIGURATION, move || Ok(reading_now(&file))).await;
    read.unwrap_or_else(|error| Reading::blind(unreadable(path, &error)))
}

/// As [`read`], on this thread: for those who are on one of their own.
pub fn reading_now(path: &Path) -> Reading {
    let main = match read_now(path, LARGEST) {
        Ok(main) => main,
        Err(error) => return Reading::blind(unreadable(path, &error)),
    };
    let mut left = LARGEST.saturating_sub(main.len() as u64);
    let (mut texts, mut order) = (Texts::new(), Vec::new());
    // Each turn goes one deeper, and there are not many depths.
    let parsed = loop {
        let parsed = parse(&main, &texts);
        if parsed.wanted.is_empty() {
            break parsed;
        }
        for wanted in parsed.wanted {
            let included = included(&wanted, &mut left);
            order.push(wanted.clone());
            texts.insert(wanted, included);
        }
    };
    let mut sources = vec![Source { path: path.to_owned(), text: main }];
    for path in order {
        if let Some(Included::Text(text)) = texts.remove(&path) {
            sources.push(Source { path: place(&path), text });
        }
    }
    Reading::new(parsed, sources)
}

fn unreadable(path: &Path, error: &io::Error) -> Blind {
    Blind::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

fn place(path: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path))
}

fn included(path: &[u8], left: &mut u64) -> Included {
    let path = place(path);
    if path.is_relative() {
        return Included::Unseen("ProxySQL looks for a relative path where it was started".to_owned());
    }
    match read_now(&path, *left) {
        Ok(text) => {
            *left = left.saturating_sub(text.len() as u64);
            Included::Text(text)
        }
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Included::Directory,
        Err(error) => Included::Unseen(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::proxysql::module::Module;

    #[tokio::test]
    async fn a_file_is_read_with_what_it_includes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let include = |name: &str| format!("@include \"{}\"\n", at(name).display());
        std::fs::write(at("main"), format!("datadir=\"/x\"\n{}", include("users"))).unwrap();
        std::fs::write(at("users"), format!("mysql_users = (\n{})\n", include("more"))).unwrap();
        std::fs::write(at("more"), b"{ username=\"caf\xe9\" }").unwrap();
        let reading = read(&at("main")).await;
        assert_eq!(reading.is_blind(), None);
        assert_eq!(reading.has_section(Module::MysqlUsers), Some(true));
        assert_eq!(reading.has_section(Module::MysqlServers), Some(false));
        let sources: Vec<PathBuf> = reading.sources().iter().map(|source| source.path.clone()).collect();
        assert_eq!(sources, [at("main"), at("users"), at("more")]);
        assert!(!format!("{reading:?}").contains("/x"), "a text is no word for a log");

        std::fs::remove_file(at("more")).unwrap();
        let reading = read(&at("main")).await;
        assert!(reading.is_blind().unwrap().to_string().contains("more, which it includes, cannot be read here"));
        assert_eq!(reading.has_section(Module::MysqlUsers), Some(true));
        assert_eq!(reading.has_section(Module::MysqlServers), None, "it may be in what is not seen");

        std::fs::create_dir(at("more")).unwrap();
        assert!(read(&at("main")).await.deadly(Module::MysqlUsers).unwrap().contains("is a directory"));
        std::fs::write(at("main"), "@include \"users\"\n").unwrap();
        assert!(read(&at("main")).await.is_blind().unwrap().to_string().contains("where it was started"));
        std::fs::remove_file(at("main")).unwrap();
        assert!(matches!(read(&at("main")).await.is_blind(), Some(Blind::Unreadable { .. })));
    }
}
