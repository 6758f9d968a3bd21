//! HTTP over a connection: heads of a bounded size, in a bounded time, and an end to what is open.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
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
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;
use tracing::debug;

use super::{HttpPeer, Settings};
use crate::accept::{ConnectionSlot, accept};

/// How long a client may take to send the head of a request, the next one on a connection that is kept included.
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// The most bytes of a head. hyper has no less.
const LARGEST_HEAD: usize = 8192;
const MOST_HEADERS: usize = 64;
/// What open requests get to be answered once the process ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers whoever comes until `stop`, then brings open requests to an end.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    settings: watch::Receiver<Settings>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let until = stop.clone();
    let handle =
        move |stream, peer, visit| answer(stream, peer, routes.clone(), visit, settings.clone(), until.clone());
    accept(listener, handle, tasks, stop).await;
}

async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    visit: Arc<ConnectionSlot>,
    settings: watch::Receiver<Settings>,
    stop: CancellationToken,
) {
    let watched = Arc::clone(&visit);
    let service = service_fn(move |mut request: Request<Incoming>| {
        watched.asks();
        request.extensions_mut().insert(HttpPeer(peer));
        let answered = routes.clone().call(request.map(Body::new));
        let watched = Arc::clone(&watched);
        async move {
            let answer = answered.await;
            watched.answered();
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
        () = visit.is_over(settings, |settings| settings.lifetime) => Ok(Ok(())),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(CLOSE_TIMEOUT, &mut connection).await
        }
    };
    if let Ok(Err(reason)) = outcome {
        debug!(%peer, %reason, "a connection ended early");
    }
}
