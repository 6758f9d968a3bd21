//! Answers: one schema for all of them.

use axum::body::Body as Bytes;
use axum::http::{HeaderValue, Response as Reply, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use tokio::time::Instant;

use super::body::Body;
use crate::state::State;

/// A body, as JSON.
pub(super) fn json(code: StatusCode, body: &impl Serialize) -> Response {
    // It has string keys and plain numbers only: it always turns into JSON.
    let text = serde_json::to_vec(body).unwrap_or_default();
    reply(code, "application/json", text)
}

/// How things are, with a message.
pub(super) fn with(state: &State, code: StatusCode, status: &'static str, message: &str) -> Response {
    let mut body = Body::new(&state.status().known(Instant::now()));
    body.status = status;
    message.clone_into(&mut body.message);
    json(code, &body)
}

/// How things are, and what is wrong with the request.
pub(super) fn error(state: &State, code: StatusCode, message: &str) -> Response {
    with(state, code, "error", message)
}

/// Anything else.
pub(super) fn reply(code: StatusCode, kind: &'static str, text: Vec<u8>) -> Response {
    let mut reply = Reply::new(Bytes::from(text));
    *reply.status_mut() = code;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}
