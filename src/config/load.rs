//! From flags, variables and a file to a configuration, or to everything that is wrong with them.

use std::path::PathBuf;

use super::error::ConfigErrors;
use super::layers::{self, Findings};
use super::sources::{Provenance, Sources};
use super::{Config, file, rules};

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
