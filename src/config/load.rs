//! From flags, variables and a file to a configuration, or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::error::{ConfigErrors, Origin};
use super::keys::{self, Key};
use super::layers::{self, Findings};
use super::value::RunMode;
use super::{Config, file, rules};

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

    fn named_file(&self) -> Option<&Path> {
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
pub struct Provenance(BTreeMap<&'static str, Origin>);

impl Provenance {
    /// Where the value of this key comes from.
    pub fn of(&self, key: &str) -> &Origin {
        self.0.get(key).unwrap_or(&Origin::Default)
    }

    /// Where the values of a running process come from after a reload: those of live keys from `new`.
    #[must_use]
    pub fn with_live(&self, new: &Self) -> Self {
        let of = |key: &Key| if key.live { new } else { self }.of(key.name).clone();
        Self(keys::KEYS.iter().map(|key| (key.name, of(key))).collect())
    }
}

/// A configuration that was read and found good.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Where they come from.
    pub provenance: Provenance,
    /// What deserves a line in the log, and stops nothing.
    pub warnings: Vec<String>,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    sources: Sources,
}

impl Loaded {
    /// Reads the same sources again: the file may have changed.
    pub fn reload(&self) -> Result<Self, ConfigErrors> {
        load(&self.sources)
    }
}

/// Reads the configuration: defaults, then the file, the environment and the flags, each over the one before.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigErrors> {
    let mut findings = Findings::default();
    let mut defaults = layers::defaults(sources, &mut findings);
    let (in_file, file) = file::read(sources.named_file(), &sources.default_files, &mut findings);
    let others =
        [in_file, layers::variables(&sources.environment, &mut findings), layers::flags(&sources.flags, &mut findings)];
    rules::run_mode(sources, &mut defaults, &others, &mut findings);

    let [in_file, in_environment, in_flags] = others;
    match layers::merge(&[defaults, in_file, in_environment, in_flags]) {
        Ok((config, origins)) => {
            let provenance = Provenance(origins);
            rules::between_keys(&config, &provenance, &sources.temp_dir, &mut findings);
            if findings.errors.is_empty() {
                return Ok(Loaded { config, provenance, warnings: findings.warnings, file, sources: sources.clone() });
            }
        }
        Err(error) => findings.errors.push(error),
    }
    // What is missing may be what a misspelt variable was to say.
    findings.errors.extend(findings.suspects);
    Err(ConfigErrors(findings.errors))
}
