//! HTTP: probes, shutdown and drain, status and page. Requests are answered from the status: nothing in this module can reach
//! `ProxySQL`, and a client that disconnects never interrupts the agent.

mod answer;
mod bind;
mod body;
mod client;
mod page;
mod server;
mod status;
#[cfg(test)]
mod tests;
mod token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, RawQuery, Request, State as Held};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use self::answer::{error, json, reply, with};
pub use self::bind::{BindError, bind};
use self::body::Body;
pub use self::client::{Answered, ask_shutdown, ask_status};
pub use self::server::serve;
use self::status::Document;
pub use self::status::{EffectiveSetting, NodeInfo};
use crate::domain::cluster::rollout::RolloutState;
use crate::domain::drain::{Ending, Phase};
use crate::domain::health::{Policy, Probe, probe_verdict};
use crate::state::{Command, PROBE_PATIENCE, State};

/// How long a request to cancel a drain waits for the listener to be open again.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// What the answers go by. All of it may change while the process runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What health asks for.
    pub policy: Policy,
    /// A snapshot younger than this answers a probe.
    pub refresh: Duration,
    /// The file with the token that guards what changes something.
    pub token_file: Option<PathBuf>,
    /// Whether each answered probe is logged.
    pub log_probes: bool,
    /// Whether this node is one that follows cores.
    pub follows: bool,
    /// How long a request may take: longer than the longest answer.
    pub lifetime: Duration,
    /// What the status shows of the configuration.
    pub told: Arc<NodeInfo>,
}

/// What the handlers share.
struct Shared {
    state: State,
    settings: watch::Receiver<Settings>,
    metrics: Metrics,
    began: Instant,
}

/// Answers a scrape at once: from the value of the header `Accept` to the type and the text of the answer.
pub type Metrics = Box<dyn Fn(&str) -> (&'static str, String) + Send + Sync>;

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct HttpPeer(SocketAddr);

/// Every path there is.
pub fn routes(state: State, settings: watch::Receiver<Settings>, metrics: Metrics) -> Router {
    let shared = Arc::new(Shared { state, settings, metrics, began: Instant::now() });
    let authorised = from_fn_with_state(Arc::clone(&shared), authorise);
    // What stands after the layer, or is no such method, goes past it. HEAD must change nothing.
    let shutdown = get(shutdown).post(shutdown).route_layer(authorised.clone()).head(wrong_method);
    let drain = delete(cancel).route_layer(authorised.clone()).get(drain);
    Router::new()
        .route("/", get(page))
        .route("/metrics", get(scrape))
        .route("/status", get(status))
        .route("/healthz/started", probe(Probe::Started))
        .route("/healthz/ready", probe(Probe::Ready))
        .route("/healthz/live", probe(Probe::Live))
        .route("/shutdown", shutdown)
        .route("/drain", drain)
        .route("/reload", post(reload).route_layer(authorised.clone()))
        .route("/resync", post(resync).route_layer(authorised))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .with_state(shared)
}

fn probe(probe: Probe) -> MethodRouter<Arc<Shared>> {
    get(async move |Held(shared): Held<Arc<Shared>>| {
        let state = &shared.state;
        let settings = shared.settings.borrow().clone();
        state.refreshed(settings.refresh).await;
        let status = state.status();
        let known = status.known(Instant::now());
        let verdict = probe_verdict(&known, &settings.policy, probe);
        let code = body::code(&verdict);
        if settings.log_probes {
            let reasons = verdict.reasons.iter().map(|reason| reason.reason).collect::<Vec<_>>().join(" ");
            info!(probe = probe.as_str(), code = code.as_u16(), age_ms = known.age_ms(), %reasons, "probe");
        } else {
            debug!(probe = probe.as_str(), code = code.as_u16(), "probe");
        }
        json(code, &Body::of_probe(&known, probe, verdict))
    })
}

async fn page(Held(shared): Held<Arc<Shared>>) -> Response {
    let state = &shared.state;
    let settings = shared.settings.borrow().clone();
    state.refreshed(settings.refresh).await;
    page::render(&state.status(), &settings.policy, Instant::now())
}

async fn status(Held(shared): Held<Arc<Shared>>) -> Response {
    let state = &shared.state;
    let settings = shared.settings.borrow().clone();
    state.refreshed(settings.refresh).await;
    json(StatusCode::OK, &Document::new(&state.status(), &settings, shared.began, Instant::now()))
}

async fn scrape(Held(shared): Held<Arc<Shared>>, headers: HeaderMap) -> Response {
    let accept: Vec<&str> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let (kind, text) = (shared.metrics)(&accept.join(","));
    reply(StatusCode::OK, kind, text.into_bytes())
}

async fn shutdown(
    Held(shared): Held<Arc<Shared>>,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    RawQuery(query): RawQuery,
) -> Response {
    let Shared { state, .. } = &*shared;
    let waits = !query.as_deref().unwrap_or_default().split('&').any(|pair| matches!(pair, "wait=false" | "wait=0"));
    info!(%peer, waits, "drain requested");
    let before = state.status().drains_ended();
    state.ask(Command::Drain);
    if !waits {
        // For the answer to say so; the command is on its way in any case.
        let _ = timeout(PROBE_PATIENCE, state.until(|status| status.stage() != Phase::Running)).await;
        return with(state, StatusCode::ACCEPTED, "ok", "shutdown initiated");
    }
    state.until(|status| status.drains_ended() > before || status.stage() == Phase::Stopped).await;
    let status = state.status();
    let ending = status.drain().and_then(|drain| drain.ended);
    let cancelled = ending == Some(Ending::Cancelled);
    let (stage, ended) = (status.stage(), status.drains_ended() > before);
    drop(status);
    match stage {
        Phase::Stopped if ending == Some(Ending::ShutdownTimeout) => {
            error(state, StatusCode::GATEWAY_TIMEOUT, "ProxySQL was not stopped within shutdown.shutdown_timeout")
        }
        Phase::Stopped => with(state, StatusCode::OK, "ok", "shutdown initiated"),
        _ if ended && cancelled => error(state, StatusCode::CONFLICT, "the drain was cancelled"),
        _ => error(state, StatusCode::SERVICE_UNAVAILABLE, "the agent exited without stopping ProxySQL"),
    }
}

async fn drain(Held(shared): Held<Arc<Shared>>) -> Response {
    let state = &shared.state;
    let (stage, message) = {
        let status = state.status();
        let step = status.drain().map_or("checking_clients", |drain| drain.step.as_str());
        (status.stage(), if status.stage() == Phase::Running { "no drain is under way" } else { step })
    };
    with(state, StatusCode::OK, if stage == Phase::Running { "ok" } else { "draining" }, message)
}

async fn cancel(Held(shared): Held<Arc<Shared>>, Extension(HttpPeer(peer)): Extension<HttpPeer>) -> Response {
    let state = &shared.state;
    let (stage, before) = {
        let status = state.status();
        (status.stage(), status.drains_ended())
    };
    if stage == Phase::Running {
        return error(state, StatusCode::CONFLICT, "no drain is under way");
    }
    info!(%peer, "drain cancellation requested");
    state.ask(Command::Cancel);
    let over = state.until(|status| status.drains_ended() > before || status.stage() > Phase::Draining);
    let _ = timeout(CANCEL_PATIENCE, over).await;
    let (stage, after) = {
        let status = state.status();
        (status.stage(), status.drains_ended())
    };
    match stage {
        _ if after > before && stage < Phase::Stopping => with(state, StatusCode::OK, "ok", "the drain was cancelled"),
        Phase::Running | Phase::Draining => with(state, StatusCode::ACCEPTED, "draining", "cancelling the drain"),
        Phase::Stopping | Phase::Stopped => error(state, StatusCode::CONFLICT, "too late: ProxySQL is being stopped"),
    }
}

async fn reload(Held(shared): Held<Arc<Shared>>, Extension(HttpPeer(peer)): Extension<HttpPeer>) -> Response {
    info!(%peer, "reload requested");
    shared.state.ask(Command::Reload);
    let publishes_not = match &shared.state.status().report().rollout {
        Some(RolloutState::Older { newer, .. }) => {
            Some(format!("this core does not publish: {newer} has a newer rollout revision"))
        }
        Some(RolloutState::Undecided | RolloutState::Unknown) => {
            Some("the newest rollout revision is not known yet".to_owned())
        }
        Some(RolloutState::Newest { .. }) | None => None,
    };
    let message = publishes_not.map_or("reload initiated".to_owned(), |reason| format!("reload initiated; {reason}"));
    with(&shared.state, StatusCode::ACCEPTED, "ok", &message)
}

async fn resync(Held(shared): Held<Arc<Shared>>, Extension(HttpPeer(peer)): Extension<HttpPeer>) -> Response {
    if !shared.settings.borrow().follows {
        return error(&shared.state, StatusCode::CONFLICT, "resync is for satellites; use POST /reload on a core");
    }
    info!(%peer, "resync requested");
    shared.state.ask(Command::Resync);
    with(&shared.state, StatusCode::ACCEPTED, "ok", "resync initiated")
}

/// Answers a request that would change something and does not carry what that takes; any other goes on.
async fn authorise(
    Held(shared): Held<Arc<Shared>>,
    Extension(HttpPeer(peer)): Extension<HttpPeer>,
    request: Request,
    next: Next,
) -> Response {
    let file = shared.settings.borrow().token_file.clone();
    let Some(file) = file else { return next.run(request).await };
    let Err(reason) = token::check(&file, request.headers()).await else { return next.run(request).await };
    warn!(%peer, file = %file.display(), %reason, "unauthorized request rejected");
    let refusal = error(&shared.state, StatusCode::UNAUTHORIZED, "bearer token required (api.token_file)");
    ([(header::WWW_AUTHENTICATE, "Bearer")], refusal).into_response()
}

async fn no_such_path(Held(shared): Held<Arc<Shared>>, uri: Uri) -> Response {
    let path: String = uri.path().chars().take(100).collect();
    error(&shared.state, StatusCode::NOT_FOUND, &format!("not found: {path}"))
}

async fn wrong_method(Held(shared): Held<Arc<Shared>>, method: Method, uri: Uri) -> Response {
    let allowed = match uri.path() {
        "/shutdown" => "GET, POST",
        "/drain" => "GET, HEAD, DELETE",
        "/reload" | "/resync" => "POST",
        _ => "GET, HEAD",
    };
    let method: String = method.as_str().chars().take(20).collect();
    let message = format!("method {method} not allowed for {}; allowed: {allowed}", uri.path());
    let answer = error(&shared.state, StatusCode::METHOD_NOT_ALLOWED, &message);
    ([(header::ALLOW, allowed)], answer).into_response()
}
