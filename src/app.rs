//! The only place that constructs and spawns: joins the parts in order, and takes them down in order.

pub mod commands;
mod discovery;
mod grace;
mod reload;

use std::env;
use std::fs;
use std::future::{pending, ready};
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use self::reload::Listeners;
use crate::agent::{self, Agent, Core, IsLeaving, Live, Mode, Publishing, Satellite, Surroundings};
use crate::config::{Config, Loaded, OnSigterm, Provenance, RunMode, Shutdown, reference};
use crate::domain::drain::{Limits, Phase};
use crate::domain::health::Policy;
use crate::dump::{self, DumpError};
use crate::edge::admin::{Admin, Password, Target};
use crate::edge::draining_file::Marker;
use crate::edge::kubernetes::{self, pods};
use crate::edge::signals::Watchdog;
use crate::edge::{config_watch, http, metrics, signals};
use crate::logging::{self, Handle};
use crate::state::{self, Command, Mailbox, State, StatusWriter};

/// Time limit for tasks to stop after the agent has stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// What a connection may last beyond the longest answer.
const RESPONSE_MARGIN: Duration = Duration::from_secs(15);
/// What the process gets to end by itself once `shutdown.shutdown_timeout` is over: last answers and last lines.
const BY_ITSELF: Duration = Duration::from_secs(3);
/// Calls of the system that hang at one time, at most. Each is a thread until it returns.
const HANGING: usize = 32;
/// How long SIGTERM waits for the API server to say whether this pod is being deleted.
const POD_LOOK: Duration = Duration::from_secs(1);

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The system refuses what a runtime needs.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
    /// The system refuses a signal handler.
    #[error("cannot listen for signals: {0}")]
    Signals(#[source] io::Error),
    /// Probes cannot be answered.
    #[error(transparent)]
    Bind(#[from] http::BindError),
    /// A core cannot know its pods.
    #[error("{0}; core.discovery says kubernetes: with dns or static no API server is needed")]
    Kubernetes(#[from] kubernetes::ApiError),
    /// There is no dump, or not as it should be.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// A part ended that nobody asked to end.
    #[error("{0} stopped unexpectedly")]
    Part(&'static str),
}

/// Runs the process on one thread, and makes its end an exit code: 0 asked for, 1 not.
pub fn main(loaded: Loaded, log: Handle) -> ExitCode {
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let own_pod = ["POD_NAME", "HOSTNAME"].into_iter().find_map(|name| env::var(name).ok().filter(|v| !v.is_empty()));
    let ended = block_on(run(loaded, own_pod, log)).map_err(AppError::Runtime).flatten();
    let code = match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            error!(%reason, "exiting on error");
            ExitCode::FAILURE
        }
    };
    logging::flush(logging::LAST_LINES);
    code
}

/// Does this on one thread. Calls of the system that hang are left behind: nobody waits for them at the end.
fn block_on<F: Future>(work: F) -> io::Result<F::Output> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(HANGING).build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// The bound of everything once the process is to end.
fn end_within(config: &Config) -> Duration {
    config.shutdown.shutdown_timeout.saturating_add(BY_ITSELF)
}

/// Ends the process on the spot. Nobody waits for anything but the last lines.
fn end_at_once() {
    logging::flush(logging::LAST_LINES);
    std::process::exit(1);
}

/// Has the process end within its bound from when it is on its way down, whatever hangs then.
async fn guard(state: State, watchdog: Arc<Watchdog>) {
    let is_running = |stage: Phase| stage == Phase::Running;
    loop {
        state.until(|status| !is_running(status.stage())).await;
        if is_running(state.status().stage()) {
            // The agent has ended without.
            return;
        }
        watchdog.arm();
        state.until(|status| is_running(status.stage())).await;
        if !is_running(state.status().stage()) {
            return;
        }
        watchdog.disarm();
    }
}

/// Runs the agent until it is asked to end. `own_pod` is the name of the pod that this process is in.
///
/// # Errors
/// See [`AppError`]; the process then ends with 1.
pub async fn run(loaded: Loaded, own_pod: Option<String>, log: Handle) -> Result<(), AppError> {
    let heard = signals::listen().map_err(AppError::Signals)?;
    let Loaded { config, provenance, .. } = &loaded;
    let watchdog = Watchdog::start(end_within(config), || {
        error!("shutdown timed out; exiting immediately");
        end_at_once();
    });
    let watchdog = Arc::new(watchdog.map_err(AppError::Signals)?);
    let listener = match config.run_mode {
        RunMode::Core | RunMode::Satellite => Some(http::bind(&config.api.listen_on())?),
        // A job answers no probes, and may run beside an agent that does.
        RunMode::Dump => None,
    };
    info!(version = env!("CARGO_PKG_VERSION"), mode = %config.run_mode, proxysql = %config.proxysql.address, "starting");
    let (state, mailbox, writer) = state::channel();
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();

    let identity = Identity::new(config, own_pod.clone());
    let (http_tx, http_rx) = watch::channel(http_settings(config, provenance, own_pod.clone()));
    let (term, wanted) = watch::channel(config.shutdown.on_sigterm);
    let on_term = on_term(wanted, identity.clone());
    let policy = {
        let http_rx = http_rx.clone();
        move || http_rx.borrow().policy
    };
    let metrics = metrics::renderer(state.clone(), config.run_mode.as_str(), policy.clone(), logging::dropped);
    let watching = tasks.spawn(signals::follow(heard, state.clone(), policy, on_term, end_at_once, stop.clone()));
    let guarded = guard(state.clone(), Arc::clone(&watchdog));
    let until = stop.clone();
    tasks.spawn(async move { until.run_until_cancelled(guarded).await.unwrap_or_default() });
    if let Some(path) = config.core.config_file.clone().filter(|_| config.run_mode == RunMode::Core) {
        tasks.spawn(config_watch::follow(path, state.clone(), stop.clone()));
    }
    let listeners = Listeners { log, http_tx, term, watchdog: Arc::clone(&watchdog) };
    let reload = reload::reload(loaded.clone(), listeners);
    let serving = listener.map(|listener| {
        let routes = http::routes(state.clone(), http_rx.clone(), Box::new(metrics));
        let said = grace::check(state.clone(), config.shutdown.clone(), identity.clone());
        let until = stop.clone();
        tasks.spawn(async move { until.run_until_cancelled(said).await.unwrap_or_default() });
        tasks.spawn(http::serve(listener, routes, http_rx, tasks.clone(), stop.clone()))
    });
    let serving = async { if let Some(serving) = serving { drop(serving.await) } else { pending().await } };

    let marker = Marker::new(config.shutdown.draining_file.clone());
    let surroundings = Surroundings { marker, reload, is_leaving: is_leaving(identity) };
    let ended = tokio::select! {
        ended = work(config, own_pod, mailbox, writer, surroundings, &stop, &tasks) => ended,
        () = serving => Err(AppError::Part("the HTTP server")),
    };
    // However it came to this: it must not hang now.
    watchdog.arm();
    stop.cancel();
    tasks.close();
    if timeout(STOP_TIMEOUT, tasks.wait()).await.is_err() {
        warn!(tasks = tasks.len(), signals = !watching.is_finished(), "some tasks did not stop in time");
    }
    ended
}

async fn work(
    config: &Config,
    own_pod: Option<String>,
    mailbox: Mailbox,
    writer: StatusWriter,
    surroundings: Surroundings,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> Result<(), AppError> {
    let admin = Admin::new(target(config));
    let Live { settings, publishing } = live(config);
    match config.run_mode {
        RunMode::Core => {
            let (found, followed) = discovery::follow(config, own_pod, stop, tasks).await?;
            let core = Mode::Core(Box::new(Core::new(found, publishing)));
            let agent = Agent::new(admin, core, settings, surroundings, mailbox, writer);
            tokio::select! {
                () = agent.run() => Ok(()),
                _ = followed => Err(AppError::Part("core discovery")),
            }
        }
        RunMode::Satellite => {
            let satellite = Mode::Satellite(Box::new(Satellite::new(config.core.bootstrap_hostname.clone())));
            Agent::new(admin, satellite, settings, surroundings, mailbox, writer).run().await;
            Ok(())
        }
        RunMode::Dump => Ok(dump::run(config, own_pod, &host(), admin, mailbox).await?),
    }
}

/// What the agent takes over at a reload, and begins with.
fn live(config: &Config) -> Live {
    Live {
        settings: agent::AgentSettings {
            interval: if config.run_mode == RunMode::Core { config.core.interval } else { config.satellite.interval },
            start_delay: config.start_delay,
            limits: limits(&config.shutdown),
        },
        publishing: Publishing { allow_empty: config.core.allow_empty, file: config.core.config_file.clone() },
    }
}

/// What the HTTP server takes over at a reload, and begins with.
fn http_settings(config: &Config, provenance: &Provenance, pod: Option<String>) -> http::Settings {
    let settings = reference::settings(config, provenance);
    let told = http::NodeInfo {
        mode: config.run_mode.as_str(),
        pod,
        proxysql: config.proxysql.address.to_string(),
        configuration: settings
            .map(|(key, value, source)| http::EffectiveSetting { key: key.name, value, source })
            .collect(),
    };
    http::Settings {
        told: Arc::new(told),
        policy: policy(config),
        refresh: config.health.refresh,
        token_file: config.api.token_file.clone(),
        log_probes: config.log.probes,
        follows: config.run_mode == RunMode::Satellite,
        lifetime: config.shutdown.shutdown_timeout.saturating_add(RESPONSE_MARGIN),
    }
}

/// The name of this host; in a pod it is the pod's.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname"));
    let name = name.unwrap_or_default().trim().to_owned();
    if name.is_empty() { env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned()) } else { name }
}

/// What SIGTERM asks for, found out when it comes.
fn on_term(wanted: watch::Receiver<OnSigterm>, identity: Identity) -> impl Fn() -> BoxFuture<'static, Command> {
    move || match *wanted.borrow() {
        OnSigterm::Drain => Box::pin(ready(Command::Drain)),
        OnSigterm::Detach => Box::pin(ready(Command::Detach)),
        OnSigterm::Auto => {
            let identity = identity.clone();
            Box::pin(async move {
                match identity.look(POD_LOOK).await {
                    Ok(pod) if !pod.deleted => Command::Detach,
                    Ok(_) => Command::Drain,
                    Err(reason) => {
                        warn!(%reason, "cannot read own pod; assuming deletion and draining");
                        Command::Drain
                    }
                }
            })
        }
    }
}

/// Whether the API server says that this pod is being deleted; where there is none to ask, it is not known to be.
fn is_leaving(identity: Identity) -> IsLeaving {
    Box::new(move || {
        let identity = identity.clone();
        Box::pin(async move {
            let in_cluster = env::var_os("KUBERNETES_SERVICE_HOST").is_some() || env::var_os("KUBECONFIG").is_some();
            in_cluster && identity.look(POD_LOOK).await.is_ok_and(|pod| pod.deleted)
        })
    })
}

/// Which pod this process is in.
#[derive(Debug, Clone)]
struct Identity {
    name: Option<String>,
    namespace: Option<String>,
    fallback: String,
}

impl Identity {
    fn new(config: &Config, name: Option<String>) -> Self {
        let namespace = env::var("POD_NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
        Self { name, namespace, fallback: config.core.podselector.namespace.clone() }
    }

    /// Asks the API server for the pod, within a bound.
    async fn look(&self, within: Duration) -> Result<pods::OwnPod, String> {
        let name = self.name.as_deref().ok_or("neither POD_NAME nor HOSTNAME is set")?;
        match timeout(within, pods::own(name, self.namespace.as_deref(), &self.fallback)).await {
            Ok(Ok(pod)) => Ok(pod),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer from the Kubernetes API within {} s", within.as_secs_f32())),
        }
    }
}

fn policy(config: &Config) -> Policy {
    Policy {
        max_age: config.health.max_age,
        require_config: config.requires_config(),
        min_online: config.health.min_online,
    }
}

fn limits(shutdown: &Shutdown) -> Limits {
    Limits {
        propagation_delay: shutdown.propagation_delay,
        drain_timeout: shutdown.drain_timeout,
        shutdown_timeout: shutdown.shutdown_timeout,
        evict_idle_after: shutdown.evict_idle_after,
    }
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
