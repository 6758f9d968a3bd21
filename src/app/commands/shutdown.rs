//! The subcommand `shutdown`: what a preStop of kind `exec` runs, so that the HTTP port can stay on loopback.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::app::{RESPONSE_MARGIN, block_on};
use crate::config::{Config, Loaded};
use crate::edge::http::{self, Answered};

/// Asks the agent that goes by the same configuration to drain, and waits for the end. Its answer goes to standard output; 0 if the
/// drain has ended, 1 if it was refused or cancelled, if `ProxySQL` was not stopped in time, or if the agent is unreachable.
pub fn main(loaded: &Loaded) -> ExitCode {
    let ended = block_on(ask(&loaded.config)).flatten();
    // A closed stdout is not an error; callers may only want the exit code.
    match ended {
        Ok(Answered { code, body }) => {
            let _ = writeln!(io::stdout(), "{body}");
            if code == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(reason) => {
            let _ = writeln!(io::stderr(), "cannot reach the agent on port {}: {reason}", loaded.config.api.port);
            ExitCode::FAILURE
        }
    }
}

async fn ask(config: &Config) -> io::Result<Answered> {
    let patience = config.shutdown.shutdown_timeout + RESPONSE_MARGIN;
    let mut last = Err(io::ErrorKind::AddrNotAvailable.into());
    // The agent listens on the first of these that its system has.
    for address in config.api.listen_on() {
        last = http::ask_shutdown(address, config.api.token_file.as_deref(), patience).await;
        // Only where no connection came about is there another one to try.
        if !matches!(&last, Err(error) if !matches!(error.kind(), io::ErrorKind::Other | io::ErrorKind::TimedOut)) {
            break;
        }
    }
    last
}
