//! The fleet as a program: the demonstration of the agent, and its measurements.

mod bench;
mod demo;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand};
use proxysql_fleet::kubernetes::ASSETS;
use proxysql_fleet::node::BINARY;
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
    /// Measures the agent on the embedded cluster and holds it against its budgets.
    Bench(Bench),
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

#[derive(Args, Debug)]
struct Bench {
    /// The agent's executable.
    #[arg(long)]
    agent: PathBuf,
    /// Fewer events and a shorter idle span.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let Cli { what } = Cli::parse();
    let chosen = match &what {
        What::Demo(demo) => choose(demo.embedded, &[]),
        What::Bench(_) => choose(true, &[ASSETS]),
    };
    if let Err(error) = chosen {
        eprintln!("cannot start again with another environment: {error}");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(until_interrupted(async {
        match what {
            What::Demo(demo) => demo::run(&demo.agent, demo.plain).await,
            What::Bench(bench) => bench::run(&bench.agent, bench.quick).await,
        }
    }))
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

/// What a fleet is made of is told by variables: which ProxySQL, and whether the API is a real server. Where they are not as
/// wanted, this program starts itself again with them.
fn choose(embedded: bool, unwanted: &[&str]) -> std::io::Result<()> {
    let named = std::env::var_os(BINARY).filter(|path| !path.is_empty());
    let found = if embedded { None } else { named.clone().map(PathBuf::from).or_else(|| on_path("proxysql")) };
    let as_wanted = unwanted.iter().all(|variable| std::env::var_os(variable).is_none());
    if as_wanted && found.as_ref().map(|path| path.as_os_str()) == named.as_deref() {
        return Ok(());
    }
    let mut again = Command::new(std::env::current_exe()?);
    again.args(std::env::args_os().skip(1)).env_remove(BINARY);
    for variable in unwanted {
        again.env_remove(variable);
    }
    Err(again.envs(found.map(|path| (BINARY, path))).exec())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| Path::is_file(file))
}
