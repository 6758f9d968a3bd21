//! From a request to its answer, by way of whatever trouble there is.

use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::json;

use super::answer::{Failure, json_body};
use super::query::Raw;
use super::server::{Shared, Verb};
use super::trouble::{Fault, Scope};
use super::{list, watch};

type Answer = Result<Response, Failure>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/v1/pods", get(pods_everywhere))
        .route("/api/v1/namespaces/{namespace}/pods", get(pods_of_namespace))
        .route("/api/v1/namespaces/{namespace}/pods/{name}", get(one_pod))
        .route("/apis/apps/v1/namespaces/{namespace}/replicasets/{name}", get(replica_set))
        .route("/apis/apps/v1/namespaces/{namespace}/controllerrevisions/{name}", get(controller_revision))
        .route("/version", get(version))
        .fallback(unknown)
        .layer(middleware::from_fn_with_state(shared.clone(), enter))
        .with_state(shared)
}

/// Who comes in: written down, delayed, and turned away without the token.
async fn enter(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let uri = request.uri().to_string();
    let verb = verb_of(request.uri().path(), request.uri().query().unwrap_or_default());
    let forbidden = forbidden(&shared, request.uri().path(), verb);
    let number = shared.came(verb, &uri);
    let delay = shared.trouble.borrow().delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let expected =
        shared.token.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|token| format!("Bearer {token}"));
    let presented = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let response = if expected.is_some() && expected.as_deref() != presented {
        Failure::ordered(401).into_response()
    } else if let Some(forbidden) = forbidden {
        forbidden.into_response()
    } else {
        next.run(request).await
    };
    shared.answered(number, response.status().as_u16());
    response
}

/// The answer to what the Role does not allow.
fn forbidden(shared: &Shared, path: &str, verb: Verb) -> Option<Failure> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (["api", "v1", "namespaces", _, resource, ..]
    | ["apis", _, _, "namespaces", _, resource, ..]
    | ["api", "v1", resource]) = parts[..]
    else {
        return None;
    };
    let verb = match verb {
        Verb::List => "list",
        Verb::Watch => "watch",
        Verb::Get => "get",
        Verb::Other => "other",
    };
    let message = || {
        format!(
            "{resource} is forbidden: User \"system:serviceaccount:proxysql:proxysql\" cannot {verb} resource \"{resource}\""
        )
    };
    (!shared.allows(resource, verb)).then(|| Failure::new(403, message()))
}

async fn pods_everywhere(State(shared): State<Arc<Shared>>, Query(raw): Query<Raw>) -> Answer {
    pods(&shared, raw, None).await
}

async fn pods_of_namespace(
    State(shared): State<Arc<Shared>>,
    Path(namespace): Path<String>,
    Query(raw): Query<Raw>,
) -> Answer {
    pods(&shared, raw, Some(namespace)).await
}

async fn pods(shared: &Arc<Shared>, raw: Raw, namespace: Option<String>) -> Answer {
    let watching = raw.is_watch();
    let query = raw.read(namespace)?;
    let fault = pass(shared, if watching { Scope::Watches } else { Scope::Lists }).await?;
    match fault {
        _ if watching => watch::watch(shared, query),
        Some(Fault::Garbage) => Ok(garbage()),
        Some(Fault::Empty) => Ok(list::empty(&shared.store(), &query)),
        _ => list::list(&shared.store(), &query),
    }
}

async fn one_pod(State(shared): State<Arc<Shared>>, Path((namespace, name)): Path<(String, String)>) -> Answer {
    let fault = pass(&shared, Scope::Gets).await?;
    if fault == Some(Fault::Garbage) {
        return Ok(garbage());
    }
    let key = (namespace, name);
    match shared.store().pods().get(&key) {
        Some(stored) if fault != Some(Fault::Empty) => {
            Ok(json_body(stored.pod.object(stored.revision).to_string().into()))
        }
        _ => Err(Failure::new(404, format!("pods \"{}\" not found", key.1))),
    }
}

async fn replica_set(State(shared): State<Arc<Shared>>, Path((namespace, name)): Path<(String, String)>) -> Answer {
    let revision = revision(&shared, "replicasets", &namespace, &name).await?;
    let object = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": namespace,
        "annotations": {"deployment.kubernetes.io/revision": revision.to_string()}}});
    Ok(json_body(object.to_string().into()))
}

async fn controller_revision(
    State(shared): State<Arc<Shared>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Answer {
    let revision = revision(&shared, "controllerrevisions", &namespace, &name).await?;
    let object = json!({"apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {"name": name, "namespace": namespace}, "revision": revision});
    Ok(json_body(object.to_string().into()))
}

/// The revision that a test gave the object; none may be read until it gave one.
async fn revision(shared: &Shared, kind: &str, namespace: &str, name: &str) -> Result<i64, Failure> {
    pass(shared, Scope::Gets).await?;
    let revisions = shared.owner_revisions.lock().unwrap_or_else(PoisonError::into_inner);
    if revisions.is_empty() {
        let message = format!(
            "{kind}.apps \"{name}\" is forbidden: User \"system:serviceaccount:proxysql:proxysql\" cannot get resource \
             \"{kind}\" in API group \"apps\" in the namespace \"{namespace}\""
        );
        return Err(Failure::new(403, message));
    }
    let found = revisions.get(&(namespace.to_owned(), name.to_owned())).copied();
    found.ok_or_else(|| Failure::new(404, format!("{kind}.apps \"{name}\" not found")))
}

async fn version() -> Response {
    json_body(
        json!({"major": "1", "minor": "31", "gitVersion": "v1.31.0", "platform": "linux/amd64"}).to_string().into(),
    )
}

async fn unknown() -> Failure {
    Failure::new(404, "the server could not find the requested resource")
}

/// Waits while requests of this scope hang, fails where they are to fail, and answers with the fault that is left.
async fn pass(shared: &Shared, scope: Scope) -> Result<Option<Fault>, Failure> {
    let mut trouble = shared.trouble.subscribe();
    // The sender lives as long as `shared`.
    let fault = match trouble.wait_for(|trouble| trouble.of(scope) != Some(&Fault::Hang)).await {
        Ok(trouble) => trouble.of(scope).cloned(),
        Err(_) => None,
    };
    match fault {
        Some(Fault::Status(code)) => Err(Failure::ordered(code)),
        Some(Fault::Expired) if scope == Scope::Lists => Err(Failure::ordered(410)),
        fault => Ok(fault),
    }
}

fn garbage() -> Response {
    json_body("<html><body>Service Unavailable</body></html>".into())
}

fn verb_of(path: &str, query: &str) -> Verb {
    let watching = query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"));
    match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
        ["api", "v1", "pods"] | ["api", "v1", "namespaces", _, "pods"] => {
            if watching {
                Verb::Watch
            } else {
                Verb::List
            }
        }
        ["api", "v1", "namespaces", _, "pods", _] | ["apis", "apps", "v1", "namespaces", _, _, _] => Verb::Get,
        _ => Verb::Other,
    }
}
