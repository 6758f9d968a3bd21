//! The agent's process: reads what it was told, does it, and says so with its exit code.

use std::io::{self, Write as _};
use std::process::ExitCode;

use proxysql_agent::cli::{self, Invocation};
use proxysql_agent::{app, logging};

/// Exit code for an invalid configuration.
const EXIT_INVALID_CONFIG: u8 = 2;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os(), std::env::vars_os()) {
        Ok(Invocation::Run(loaded)) => {
            let log = logging::init(&loaded.config);
            app::main(*loaded, log)
        }
        Ok(Invocation::Plan(loaded, planned)) => app::commands::plan::main(&loaded, &planned),
        Ok(Invocation::Shutdown(loaded)) => app::commands::shutdown::main(&loaded),
        Ok(Invocation::Status(loaded, wanted)) => app::commands::status::main(&loaded, &wanted),
        Ok(Invocation::Check(loaded)) => app::commands::check::main(&loaded),
        Ok(Invocation::ShowConfig(text) | Invocation::Help(text)) => {
            // A reader that closed the pipe has read enough.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(errors) => {
            let _ = writeln!(io::stderr(), "{errors}");
            ExitCode::from(EXIT_INVALID_CONFIG)
        }
    }
}
