//! Where values come from, and what is wrong with them.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueOrigin {
    /// The definition of the key.
    Default,
    /// A line of the file; line 0 is the file as a whole.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A flag, with its dashes.
    Flag(String),
}

impl fmt::Display for ValueOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, 0) => write!(f, "{}", path.display()),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One mistake: where, and what is wrong with which key. Never the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it was made; the default where something is missing.
    pub origin: ValueOrigin,
    /// Key, value and what was expected.
    pub problem: String,
}

impl ConfigError {
    /// A mistake made there.
    pub fn new(origin: ValueOrigin, problem: impl Into<String>) -> Self {
        Self { origin, problem: problem.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name may hold what a terminal would obey.
        let line = match &self.origin {
            ValueOrigin::Default => self.problem.clone(),
            origin => format!("{origin}: {}", self.problem),
        };
        line.chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

/// Every mistake that was found. Its text is a header and a line for each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "proxysql-agent: invalid configuration (1 error); not started")?,
            many => write!(f, "proxysql-agent: invalid configuration ({many} errors); not started")?,
        }
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

impl std::error::Error for ConfigErrors {}

/// Appends the nearest known name, if one is near.
pub(super) fn with_hint(problem: String, nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!("{problem}; did you mean {name}?"),
        None => problem,
    }
}
