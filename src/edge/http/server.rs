//! Connections: as many as there may be, as long as they may take, and none in the way of another.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;
use tracing::{debug, warn};

use super::{Peer, Settings};

/// Connections at one time. Where there are more, the oldest that is not being answered goes.
const MOST_CONNECTIONS: usize = 256;
/// How long a client may take to send the head of a request, the next one on a connection that is kept included.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// The most bytes of a head. hyper has no less.
const LARGEST_HEAD: usize = 8192;
const MOST_HEADERS: usize = 64;
/// What open requests get to be answered once the process ends.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Pause after the system refuses a connection: no file descriptor is left.
const OUT_OF_BREATH: Duration = Duration::from_millis(50);

/// A connection, as the others see it.
#[derive(Debug)]
pub(super) struct Visit {
    /// Its request is being answered.
    busy: AtomicBool,
    ended: AtomicBool,
    cut: CancellationToken,
    /// When it came, and then when it asked for the last time.
    asked: Mutex<Instant>,
}

impl Visit {
    pub(super) fn new() -> Self {
        Self {
            busy: AtomicBool::default(),
            ended: AtomicBool::default(),
            cut: CancellationToken::new(),
            asked: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn asks(&self) {
        self.busy.store(true, Ordering::Relaxed);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns once its last request has had the time that there is for one. That time may change meanwhile, and so may the request.
    pub(super) async fn is_over(&self, mut settings: watch::Receiver<Settings>) {
        loop {
            let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let over = asked + settings.borrow_and_update().lifetime;
            if over <= Instant::now() {
                return;
            }
            tokio::select! {
                () = sleep_until(over) => {}
                Ok(()) = settings.changed() => {}
            }
        }
    }
}

/// Answers whoever comes until `stop`, then brings open requests to an end.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    settings: watch::Receiver<Settings>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let mut visits: VecDeque<Arc<Visit>> = VecDeque::new();
    let mut refused = false;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                refused = false;
                visits.retain(|visit| !visit.ended.load(Ordering::Relaxed));
                if !make_room(&mut visits) {
                    debug!(%peer, "connection limit reached");
                    continue;
                }
                let visit = Arc::new(Visit::new());
                visits.push_back(Arc::clone(&visit));
                tasks.spawn(answer(stream, peer, routes.clone(), visit, settings.clone(), stop.clone()));
            }
            Err(reason) => {
                if !refused {
                    warn!(%reason, "cannot accept connections");
                }
                refused = true;
                sleep(OUT_OF_BREATH).await;
            }
        }
    }
}

/// Whether there is room for one more: idle and half-open connections are no reason to turn away a probe.
fn make_room(visits: &mut VecDeque<Arc<Visit>>) -> bool {
    if visits.len() < MOST_CONNECTIONS {
        return true;
    }
    let idle = visits.iter().position(|visit| !visit.busy.load(Ordering::Relaxed));
    let Some(visit) = idle.and_then(|idle| visits.remove(idle)) else { return false };
    visit.cut.cancel();
    true
}

async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    visit: Arc<Visit>,
    settings: watch::Receiver<Settings>,
    stop: CancellationToken,
) {
    let watched = Arc::clone(&visit);
    let service = service_fn(move |mut request: Request<Incoming>| {
        watched.asks();
        request.extensions_mut().insert(Peer(peer));
        let answered = routes.clone().call(request.map(Body::new));
        let watched = Arc::clone(&watched);
        async move {
            let answer = answered.await;
            watched.busy.store(false, Ordering::Relaxed);
            answer.map_err(|never: Infallible| match never {})
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(LARGEST_HEAD)
        .max_headers(MOST_HEADERS)
        // Some clients close their side once they have asked.
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = &mut connection => Ok(outcome),
        () = visit.is_over(settings) => Ok(Ok(())),
        () = visit.cut.cancelled() => Ok(Ok(())),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_WORDS, &mut connection).await
        }
    };
    if let Ok(Err(reason)) = outcome {
        debug!(%peer, %reason, "a connection ended early");
    }
    visit.ended.store(true, Ordering::Relaxed);
}
