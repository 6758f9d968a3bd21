//! What a configuration is read from, and where each of its values came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::ValueOrigin;
use super::keys::{self, Key};
use super::value::RunMode;

/// All that a configuration is read from. Nothing else of the process is looked at, so tests need no process.
#[derive(Clone)]
pub struct Sources {
    /// Flags with their values, in the order of the command line.
    pub flags: Vec<(&'static Key, OsString)>,
    /// The environment; only what begins with `AGENT_` is of interest.
    pub environment: Vec<(OsString, OsString)>,
    /// Files to look for, in this order, where `AGENT_CONFIG_FILE` names none.
    pub default_files: Vec<PathBuf>,
    /// The system's temporary directory.
    pub temp_dir: PathBuf,
    /// What `run_mode` is where nobody says so: for commands that do the same in every mode. `None` makes it an error.
    pub run_mode: Option<RunMode>,
}

impl Default for Sources {
    /// Nothing given, nothing to look for.
    fn default() -> Self {
        Self {
            flags: Vec::new(),
            environment: Vec::new(),
            default_files: Vec::new(),
            temp_dir: PathBuf::from("/tmp"),
            run_mode: None,
        }
    }
}

impl Sources {
    /// A process' sources: its environment, and the files of the Go agent.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut sources = Self {
            default_files: vec!["/etc/proxysql-agent/config.yaml".into(), "config.yaml".into()],
            ..Self::default()
        };
        for (name, value) in environment {
            if name == "TMPDIR" && !value.is_empty() {
                sources.temp_dir = value.into();
            } else if name.to_string_lossy().starts_with(keys::PREFIX) {
                sources.environment.push((name, value));
            }
        }
        // An environment has no order; what is said about it has.
        sources.environment.sort();
        sources
    }

    pub(super) fn named_file(&self) -> Option<&Path> {
        let value = self.environment.iter().rev().find(|(name, _)| name == keys::FILE_VARIABLE).map(|(_, value)| value);
        value.filter(|value| !value.is_empty()).map(Path::new)
    }
}

impl fmt::Debug for Sources {
    /// Without values: a password may be among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("default_files", &self.default_files).finish_non_exhaustive()
    }
}

/// Where each value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance(pub(super) BTreeMap<&'static str, ValueOrigin>);

impl Provenance {
    /// Where the value of this key comes from.
    pub fn of(&self, key: &str) -> &ValueOrigin {
        self.0.get(key).unwrap_or(&ValueOrigin::Default)
    }

    /// Where the values of a running process come from after a reload: those of live keys from `new`.
    #[must_use]
    pub fn with_live(&self, new: &Self) -> Self {
        let of = |key: &Key| if key.live { new } else { self }.of(key.name).clone();
        Self(keys::KEYS.iter().map(|key| (key.name, of(key))).collect())
    }
}
