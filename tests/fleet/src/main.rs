//! The fleet as a program: the demonstration of the agent, and its measurements.

mod demo;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

/// A ProxySQL fleet on loopback, with the real agent beside each node.
#[derive(Debug, Parser)]
#[command(name = "proxysql-fleet")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Shows the agents at work: a fleet through scale-out, crashes, replaced addresses and an API outage.
    Demo(Demo),
}

#[derive(Args, Debug)]
struct Demo {
    /// The agent's executable.
    #[arg(long)]
    agent: PathBuf,
    /// Use the embedded ProxySQL even where a real one is there.
    #[arg(long)]
    embedded: bool,
    /// Plain lines even on a terminal.
    #[arg(long)]
    plain: bool,
}

/// Names the real ProxySQL to use, for this program and its tests.
const PROXYSQL_BIN: &str = "PROXYSQL_BIN";

fn main() -> ExitCode {
    let Cli { what: What::Demo(options) } = Cli::parse();
    if let Err(error) = choose_proxysql(options.embedded) {
        eprintln!("cannot start again with another environment: {error}");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(until_interrupted(demo::run(&options.agent, options.plain))),
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is running ends, with everything it started, at the first signal.
async fn until_interrupted(work: impl Future<Output = bool>) -> ExitCode {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        eprintln!("cannot listen for signals");
        return ExitCode::FAILURE;
    };
    tokio::select! {
        good = work => if good { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        _ = interrupt.recv() => ExitCode::from(130),
        _ = terminate.recv() => ExitCode::from(143),
    }
}

/// Which ProxySQL is used is told by a variable. Where it is not as wanted, this program starts itself again with it.
fn choose_proxysql(embedded: bool) -> std::io::Result<()> {
    let named = std::env::var_os(PROXYSQL_BIN).filter(|path| !path.is_empty());
    let found = if embedded { None } else { named.clone().map(PathBuf::from).or_else(|| on_path("proxysql")) };
    if found.as_ref().map(|path| path.as_os_str()) == named.as_deref() {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1)).env_remove(PROXYSQL_BIN);
    Err(again.envs(found.map(|path| (PROXYSQL_BIN, path))).exec())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| Path::is_file(file))
}
