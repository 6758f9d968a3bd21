//! The page for people.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use tokio::time::Instant;

use super::answer::reply;
use crate::domain::health::Policy;
use crate::state::Status;

/// The page as of `now`.
pub(super) fn render(_status: &Status, _policy: &Policy, _now: Instant) -> Response {
    let mut page = reply(StatusCode::OK, "text/html; charset=utf-8", Vec::new());
    let nothing_else = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, nothing_else);
    page
}
