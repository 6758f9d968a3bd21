//! The subcommand `status`: the status of an agent as a table, as JSON, and as an exit code.

mod table;

use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use tokio::net::lookup_host;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::app::block_on;
use crate::cli::StatusRequest;
use crate::config::{Config, Loaded};
use crate::edge::http::{self, Answered};

/// Limit for an answer: more than the agent allows a health check.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between two answers that are printed.
const EVERY: Duration = Duration::from_secs(2);

/// The node is degraded, unhealthy or shutting down.
const EXIT_UNHEALTHY: u8 = 1;
/// No agent answers.
const EXIT_UNREACHABLE: u8 = 4;

/// Prints the status of the agent with the same configuration, or of the one at another address; 0 if healthy, 1 if not, 4 if
/// unreachable. With `watch` it goes on until its reader closes the pipe or it is interrupted.
pub fn main(loaded: &Loaded, wanted: &StatusRequest) -> ExitCode {
    match block_on(run(&loaded.config, wanted)) {
        Ok(code) => ExitCode::from(code),
        Err(reason) => {
            let _ = writeln!(io::stderr(), "cannot start: {reason}");
            ExitCode::from(EXIT_UNREACHABLE)
        }
    }
}

async fn run(config: &Config, wanted: &StatusRequest) -> u8 {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let clears = wanted.watch && !wanted.json && io::stdout().is_terminal();
    loop {
        ticks.tick().await;
        let (code, text) = look(config, wanted).await;
        let text = if clears { format!("\x1b[H\x1b[2J{text}") } else { text };
        let is_read = match code {
            EXIT_UNREACHABLE if !wanted.watch => io::stderr().write_all(text.as_bytes()).is_ok(),
            _ => io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()).is_ok(),
        };
        if !wanted.watch || !is_read {
            return code;
        }
    }
}

/// Asks once; the exit code and what to print.
async fn look(config: &Config, wanted: &StatusRequest) -> (u8, String) {
    let whom = wanted.address.as_ref().map_or_else(|| format!("on port {}", config.api.port), |at| format!("at {at}"));
    let document = match ask(config, wanted).await {
        Ok(Answered { code: 200, body }) => serde_json::from_str::<Value>(&body).ok(),
        Ok(_) => None,
        Err(reason) => return (EXIT_UNREACHABLE, format!("cannot reach the agent {whom}: {reason}\n")),
    };
    let Some((document, status)) = document.and_then(|document| {
        let status = document.get("status")?.as_str()?.to_owned();
        Some((document, status))
    }) else {
        return (EXIT_UNREACHABLE, format!("the server {whom} is not a compatible proxysql-agent\n"));
    };
    let text = match (wanted.json, wanted.watch) {
        (true, true) => format!("{document}\n"),
        (true, false) => format!("{document:#}\n"),
        (false, _) => table::render(&document),
    };
    (if status == "ok" { 0 } else { EXIT_UNHEALTHY }, text)
}

async fn ask(config: &Config, wanted: &StatusRequest) -> io::Result<Answered> {
    let addresses: Vec<SocketAddr> = match &wanted.address {
        Some(address) => {
            timeout(RESPONSE_TIMEOUT, lookup_host((address.host.as_str(), address.port))).await??.collect()
        }
        // The agent listens on the first of these that its system has.
        None => config.api.listen_on(),
    };
    let mut last = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        last = http::ask_status(address, RESPONSE_TIMEOUT).await;
        if last.is_ok() {
            break;
        }
    }
    last
}
