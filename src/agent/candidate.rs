//! The file that is to be published, or that a plan is asked about, and who reads it into memory.

use std::path::PathBuf;

use super::Proxysql;
use crate::apart::config_file;
use crate::domain::config_file::{Blind, Reading, publish};
use crate::domain::proxysql::statement::{Module, Statement};
use crate::edge::admin::AdminError;

/// What publishing goes by.
#[derive(Debug, Clone, Default)]
pub struct Publishing {
    /// Whether a file may empty users or servers while there are some in effect.
    pub allow_empty: bool,
    /// `ProxySQL`'s configuration file, if the agent sees it too. `ProxySQL` does not tell a section without entries from none; the
    /// file does.
    pub file: Option<PathBuf>,
}

impl Publishing {
    /// What to call the file.
    pub fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "ProxySQL's configuration file".to_owned(), |path| path.display().to_string())
    }

    /// The file as the agent sees it now, with what it includes.
    pub async fn reading(&self) -> Reading {
        match &self.file {
            Some(file) => config_file::read(file).await,
            None => Reading::blind(Blind::Untold),
        }
    }
}

/// A file that may be published.
pub(super) struct Candidate {
    /// The file as the agent sees it.
    pub(super) reading: Reading,
    /// Whether it may empty users or servers while there are some in effect.
    pub(super) allow_empty: bool,
    from: From,
}

/// Where it comes from.
enum From {
    /// It is `ProxySQL`'s own file, which `ProxySQL` reads.
    Proxysql(Publishing),
    /// Another one, which only the agent sees.
    Elsewhere,
}

impl Candidate {
    /// `ProxySQL`'s own file, as it is now.
    pub(super) async fn of(publishing: &Publishing) -> Self {
        let (reading, allow_empty) = (publishing.reading().await, publishing.allow_empty);
        Self { reading, allow_empty, from: From::Proxysql(publishing.clone()) }
    }

    /// A file that `ProxySQL` does not see.
    pub(super) fn elsewhere(reading: Reading, allow_empty: bool) -> Self {
        Self { reading, allow_empty, from: From::Elsewhere }
    }

    /// Adds to memory what the file has of a module. Gives the number of entries.
    pub(super) async fn fill<P: Proxysql>(&self, module: Module, admin: &mut P) -> Result<u64, AdminError> {
        match self.from {
            From::Proxysql(_) => Ok(admin.run(&Statement::LoadFromConfig(module)).await?.affected),
            From::Elsewhere => super::write::write(module, &self.reading, admin).await,
        }
    }

    /// Whether it was written since it was read: `ProxySQL` and the agent may have read different files.
    pub(super) async fn has_changed(&self) -> bool {
        match &self.from {
            From::Proxysql(publishing) => publishing.reading().await != self.reading,
            From::Elsewhere => false,
        }
    }

    /// What stands for its content, what it includes among it; `None` where that cannot be seen.
    pub(super) fn hash(&self) -> Option<String> {
        hash(&self.reading)
    }
}

/// What stands for the content of a file and of what it includes.
pub(super) fn hash(reading: &Reading) -> Option<String> {
    let sources = reading.sources();
    let parts = sources.iter().flat_map(|source| [source.path.as_os_str().as_encoded_bytes(), source.text.as_slice()]);
    (!sources.is_empty()).then(|| publish::digest(parts))
}
