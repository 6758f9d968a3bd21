//! The only place that constructs and spawns: joins the parts in order, and takes them down in order.

use std::env;
use std::fs;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::agent::{Agent, Core, Mode, Satellite};
use crate::config::{Config, Loaded, RunMode};
use crate::domain::roster::Roster;
use crate::dump::{self, DumpError};
use crate::edge::admin::{Admin, Password, Target};
use crate::edge::{pods, signals};
use crate::state::{self, Mailbox};

/// How long tasks get to end after the agent has.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The system refuses what a runtime needs.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
    /// The system refuses a signal handler.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    /// A core cannot know its pods.
    #[error(transparent)]
    Pods(#[from] pods::PodsError),
    /// There is no dump, or not as it should be.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// A part ended that nobody asked to end.
    #[error("{0} ended unasked")]
    Part(&'static str),
}

/// Runs the process on one thread, and makes its end an exit code: 0 asked for, 1 not.
pub fn main(loaded: Loaded) -> ExitCode {
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let own_pod = ["POD_NAME", "HOSTNAME"].into_iter().find_map(|name| env::var(name).ok().filter(|v| !v.is_empty()));
    let ended = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(AppError::Runtime)
        .and_then(|runtime| runtime.block_on(run(loaded.config, own_pod)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            error!(%reason, "exiting");
            ExitCode::FAILURE
        }
    }
}

/// Runs the agent until it is asked to end. `own_pod` is the name of the pod that this process is in.
///
/// # Errors
/// See [`AppError`]; the process then ends with 1.
pub async fn run(config: Config, own_pod: Option<String>) -> Result<(), AppError> {
    let heard = signals::listen().map_err(AppError::Signals)?;
    let (state, mailbox) = state::channel();
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();

    let watching = tasks.spawn(signals::follow(heard, state.clone(), stop.clone()));
    let ended = serve(&config, own_pod, mailbox, &stop, &tasks).await;
    stop.cancel();
    tasks.close();
    if timeout(LAST_WORDS, tasks.wait()).await.is_err() {
        warn!(tasks = tasks.len(), signals = !watching.is_finished(), "some tasks did not end in time");
    }
    ended
}

async fn serve(
    config: &Config,
    own_pod: Option<String>,
    mut mailbox: Mailbox,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), AppError> {
    info!(version = env!("CARGO_PKG_VERSION"), mode = %config.run_mode, proxysql = %config.proxysql.address, "starting");
    if timeout(config.start_delay, mailbox.next()).await.is_ok() {
        // A job that did not do its work has failed.
        return if config.run_mode == RunMode::Dump { Err(DumpError::Stopped.into()) } else { Ok(()) };
    }
    let admin = Admin::new(target(config));
    match config.run_mode {
        RunMode::Core => {
            if own_pod.is_none() {
                warn!("neither POD_NAME nor HOSTNAME is set; this agent cannot find its own pod");
            }
            let (sender, roster) = watch::channel(Roster::default());
            let selection = pods::Selection {
                namespace: config.core.podselector.namespace.clone(),
                labels: config.core.label_selector(),
            };
            let watched = tasks.spawn(pods::follow(pods::client().await?, selection, sender, stop.clone()));
            let core = Core::new(config.proxysql.address.port, own_pod, roster);
            let agent = Agent::new(admin, Mode::Core(core), config.core.interval, mailbox);
            tokio::select! {
                () = agent.run() => Ok(()),
                _ = watched => Err(AppError::Part("the watch on pods")),
            }
        }
        RunMode::Satellite => {
            let satellite = Satellite::new(config.core.bootstrap_hostname.clone());
            Agent::new(admin, Mode::Satellite(satellite), config.satellite.interval, mailbox).run().await;
            Ok(())
        }
        RunMode::Dump => Ok(dump::run(config, own_pod, &host(), admin, mailbox).await?),
    }
}

/// The name of this host; in a pod it is the pod's.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    let name = name.unwrap_or_default().trim().to_owned();
    if name.is_empty() { env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned()) } else { name }
}

fn target(config: &Config) -> Target {
    let proxysql = &config.proxysql;
    Target {
        host: proxysql.address.host.clone(),
        port: proxysql.address.port,
        username: proxysql.username.clone(),
        password: match &proxysql.password_file {
            Some(path) => Password::File(path.clone()),
            None => Password::Text(proxysql.password.expose().to_owned()),
        },
        connect_timeout: proxysql.connect_timeout,
        statement_timeout: proxysql.statement_timeout,
    }
}
