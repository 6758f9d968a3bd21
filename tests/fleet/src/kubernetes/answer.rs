//! Answers that are not pods: `Status` objects, and JSON with its headers.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A failure as the API server tells it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The failure that a test ordered.
    pub(super) fn ordered(code: u16) -> Self {
        let message = match code {
            401 => "Unauthorized",
            403 => {
                "pods is forbidden: User \"system:serviceaccount:proxysql:proxysql\" cannot list resource \"pods\" in API \
                 group \"\" in the namespace \"proxysql\""
            }
            410 => "The resourceVersion for the provided list is too old.",
            429 => "Too many requests, please try again later.",
            500 => "etcdserver: leader changed",
            503 => "apiserver is shutting down",
            _ => "ordered by the test",
        };
        Self::new(code, message)
    }

    /// What a watch is told that starts before the history does.
    pub(super) fn too_old(revision: u64, oldest: u64) -> Self {
        Self::new(410, format!("too old resource version: {revision} ({oldest})"))
    }

    pub(super) fn object(&self) -> Value {
        let reason = match self.code {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            410 => "Expired",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "",
        };
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": reason, "code": self.code,
        });
        if self.code == 429 {
            status["details"] = json!({"retryAfterSeconds": 1});
        }
        status
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = json_body(self.object().to_string().into());
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.code == 429 {
            response.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        response
    }
}

/// A 200 with this body.
pub(super) fn json_body(body: Body) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
