//! The configuration: every key in every layer, every mistake, no secret anywhere, and documents that cannot lie.

mod keys;
mod layers;
mod mistakes;
mod reference;
mod secrets;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use proxysql_agent::cli::{self, Invocation};
use proxysql_agent::config::{ConfigErrors, Loaded, Sources};
use tempfile::TempDir;

/// What a process is given: a file, variables, flags.
struct Given {
    directory: TempDir,
    environment: Vec<(OsString, OsString)>,
    args: Vec<OsString>,
}

impl Given {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let args = vec!["proxysql-agent".into()];
        Self { directory, environment: Vec::new(), args }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("agent.yaml")
    }

    /// A file with this text, named by the variable.
    fn file(mut self, text: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(), text).expect("a file");
        self.environment.push(("AGENT_CONFIG_FILE".into(), self.path().into()));
        self
    }

    fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    fn parse(&self) -> Result<Invocation, ConfigErrors> {
        let sources = Sources { default_files: Vec::new(), ..Sources::new(self.environment.clone()) };
        cli::parse_from(self.args.clone(), sources)
    }

    fn load(&self) -> Loaded {
        match self.parse() {
            Ok(Invocation::Run(loaded)) => *loaded,
            Ok(other) => panic!("{other:?}"),
            Err(errors) => panic!("{errors}"),
        }
    }

    fn errors(&self) -> String {
        match self.parse() {
            Err(errors) => errors.to_string(),
            Ok(other) => panic!("no mistake was found: {other:?}"),
        }
    }

    /// What `--show-config` prints.
    fn shown(&self) -> String {
        let args = [self.args.clone(), vec!["--show-config".into()]].concat();
        let sources = Sources { default_files: Vec::new(), ..Sources::new(self.environment.clone()) };
        match cli::parse_from(args, sources) {
            Ok(Invocation::ShowConfig(text)) => text,
            other => panic!("{other:?}"),
        }
    }
}
