//! `ProxySQL`'s configuration file, read as `ProxySQL` reads it: libconfig's grammar in the version that it is built with (1.7.3), with
//! what is included, and with its quirks. What is refused there is refused here, and what is taken there is taken here.
//!
//! Nothing is read from a disk in here: whoever calls hands the texts in, and is told which more are wanted.

pub mod credentials;
mod entries;
pub mod ownership;
mod parse;
mod passed_over;
pub mod placement;
pub mod publish;
mod scan;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use self::entries::kills;
pub use self::entries::{Entry, entries};
pub use self::parse::parse;
pub use self::passed_over::{
    NamedRow, PassedOver, Seen, What, names_variable, passed_over, passed_over_variables, unnamed, wanted,
};
pub use self::written::{Written, written, written_variables};
use crate::domain::proxysql::module::{Module, Shape};

/// A value in the file. Texts are bytes: nothing says in which encoding they are.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `true` or `false`, in any case.
    Bool(bool),
    /// A number that fits 32 bits.
    Int(i32),
    /// A larger number, or one with `L`. `ProxySQL` takes it for no number where it wants one.
    Int64(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// A string.
    Text(Vec<u8>),
    /// `[ … ]`.
    Array(Vec<Self>),
    /// `( … )`.
    List(Vec<Self>),
    /// `{ … }`.
    Group(Vec<Setting>),
}

/// Without texts: one may be a secret.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Int64(value) => write!(f, "{value}L"),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
            Self::Array(values) | Self::List(values) => f.debug_list().entries(values).finish(),
            Self::Group(settings) => {
                f.debug_map().entries(settings.iter().map(|setting| (&setting.name, &setting.value))).finish()
            }
        }
    }
}

impl Value {
    /// What it is made of, as `ProxySQL` walks through it; nothing for a value that is not made of others.
    pub fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Array(values) | Self::List(values) => values.iter().collect(),
            Self::Group(settings) => settings.iter().map(|setting| &setting.value).collect(),
            _ => Vec::new(),
        }
    }

    /// Its settings; none if it is no group.
    pub fn settings(&self) -> &[Setting] {
        if let Self::Group(settings) = self { settings } else { &[] }
    }
}

/// A name with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Value,
}

/// A text that another one includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Included {
    /// Its content.
    Text(Vec<u8>),
    /// It cannot be read here, and why. `ProxySQL` may see another file there.
    Unseen(String),
    /// It is a directory. `ProxySQL` ends when it reads one.
    Directory,
}

/// Included texts, by the path that stands in the file.
pub type Texts = BTreeMap<Vec<u8>, Included>;

/// What came of reading a text and what it includes.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The settings, or why there are none.
    pub settings: Result<Vec<Setting>, Fault>,
    /// What is included and was not handed in. The settings are without it.
    pub wanted: BTreeSet<Vec<u8>>,
    /// What is included and cannot be read here, with the reason. The settings are without it.
    pub unseen: BTreeMap<Vec<u8>, String>,
    /// A directory is included.
    pub directory: Option<Vec<u8>>,
}

/// Why a text is not in the language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {reason}", in_included(.file))]
pub struct Fault {
    /// The included file, empty for the file itself.
    pub file: String,
    /// The line in it.
    pub line: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

fn in_included(file: &str) -> String {
    if file.is_empty() { String::new() } else { format!(" of {file}") }
}

/// Why it cannot be known what is in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Blind {
    /// The agent was not told of it.
    #[error("core.config_file is not set")]
    Untold,
    /// It does not read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something that it includes does not read.
    #[error("{path}, which it includes, cannot be read here: {reason}")]
    Unseen {
        /// As it stands in the file.
        path: String,
        /// Why.
        reason: String,
    },
    /// It is not in the language.
    #[error("not a configuration file of ProxySQL: {0}")]
    Fault(#[from] Fault),
}

/// A text that was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is; of an included one what stands in the file.
    pub path: PathBuf,
    /// Its content, secrets included.
    pub text: Vec<u8>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.path.display(), self.text.len())
    }
}

/// The file as the agent sees it at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    settings: Vec<Setting>,
    blind: Option<Blind>,
    directory: Option<Vec<u8>>,
    sources: Vec<Source>,
}

impl Reading {
    /// Nothing is seen.
    pub fn blind(blind: Blind) -> Self {
        Self { settings: Vec::new(), blind: Some(blind), directory: None, sources: Vec::new() }
    }

    /// What came of reading these texts, the file itself first.
    pub fn new(parsed: Parsed, sources: Vec<Source>) -> Self {
        let unseen = parsed.unseen.into_iter().next();
        let unseen =
            unseen.map(|(path, reason)| Blind::Unseen { path: String::from_utf8_lossy(&path).into_owned(), reason });
        let (settings, fault) = match parsed.settings {
            Ok(settings) => (settings, None),
            Err(fault) => (Vec::new(), Some(Blind::Fault(fault))),
        };
        // Where something is missing, it may be what makes a fault.
        Self { settings, blind: unseen.or(fault), directory: parsed.directory, sources }
    }

    /// The texts that were read, the file itself first: what a hash of them covers is everything that publishing goes by.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Why the agent does not know everything that is in the file, if it does not.
    pub fn is_blind(&self) -> Option<&Blind> {
        self.blind.as_ref()
    }

    /// The top of the file.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Whether the file has a section for the module; `None` where that cannot be known. A section that not every release reads says
    /// nothing about the module's other tables: a file of 3.x must not empty those of 2.7.
    pub fn has_section(&self, module: Module) -> Option<bool> {
        let is_read_everywhere = |name: &&str| {
            !module.tables().iter().any(|table| table.shape == Shape::NotInConfigFile && table.section() == *name)
        };
        if module.sections().filter(is_read_everywhere).any(|name| self.section(name).is_some()) {
            return Some(true);
        }
        self.blind.is_none().then_some(false)
    }

    /// A section.
    pub fn section(&self, name: &str) -> Option<&Value> {
        self.settings.iter().find(|setting| setting.name == name).map(|setting| &setting.value)
    }

    /// What `ProxySQL` would end of if it read the module from this file; it must not be asked to.
    pub fn deadly(&self, module: Module) -> Option<String> {
        if let Some(path) = &self.directory {
            let path = String::from_utf8_lossy(path);
            return Some(format!("it includes {path}, which is a directory: ProxySQL ends when it reads one"));
        }
        let name = module.sections().next().filter(|_| module.is_variables())?;
        kills(self.section(name)?)
            .then(|| format!("{name} in it is a list of values without names: ProxySQL ends when it reads that"))
    }

    /// The sections that none of these modules speaks of, in the order of the file: nobody reads them, or `ProxySQL` does when it
    /// starts. Settings that are no sections (`datadir`, `errorlog`) are not among them, nor is the list of members.
    pub fn others(&self, modules: &[Module]) -> Vec<&str> {
        // A section that not every release reads is the module's own affair once the file speaks of the module.
        let is_spoken_of = |module: &Module| self.has_section(*module) != Some(false);
        let spoken_of = modules.iter().copied().filter(is_spoken_of).chain([Module::ProxysqlServers]);
        let known: BTreeSet<&str> = spoken_of.flat_map(Module::sections).collect();
        let is_section =
            |setting: &&Setting| matches!(setting.value, Value::Group(_) | Value::List(_) | Value::Array(_));
        let sections = self.settings.iter().filter(is_section).map(|setting| setting.name.as_str());
        sections.filter(|name| !known.contains(name)).collect()
    }
}

#[cfg(test)]
mod tests;
