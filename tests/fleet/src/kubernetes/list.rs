//! Lists: of the present, of an exact revision, page by page.

use std::ops::Bound;

use axum::response::Response;
use serde_json::json;

use super::answer::{Failure, json_body};
use super::pod::PodKey;
use super::query::Query;
use super::store::{Pods, Store};

/// Between the parts of a continue token; no name of an object contains it.
const SEPARATOR: char = '~';

/// Answers a list from what is stored.
pub(super) fn list(store: &Store, query: &Query) -> Result<Response, Failure> {
    let (revision, after) = start(store, query)?;
    let old;
    let pods = if revision == store.revision() {
        store.pods()
    } else {
        old = store.at(revision).map_err(|_| expired(query))?;
        &old
    };
    Ok(page(pods, revision, after, query))
}

/// A list without pods, of the present.
pub(super) fn empty(store: &Store, query: &Query) -> Response {
    page(&Pods::new(), store.revision(), None, query)
}

/// The revision to show, and the pod after which to go on.
fn start(store: &Store, query: &Query) -> Result<(u64, Option<PodKey>), Failure> {
    if let Some(token) = &query.continue_from {
        let parts = token.split(SEPARATOR).collect::<Vec<_>>();
        return match parts[..] {
            [revision, namespace, name] if query.revision.is_none() => revision
                .parse()
                .map(|revision| (revision, Some((namespace.to_owned(), name.to_owned()))))
                .map_err(|_| Failure::new(400, "continue key is not valid")),
            [_, _, _] => Err(Failure::new(400, "specifying resource version is not allowed when using continue")),
            _ => Err(Failure::new(400, "continue key is not valid")),
        };
    }
    let asked = query.revision.unwrap_or(0);
    if asked > store.revision() {
        return Err(Failure::new(504, format!("Too large resource version: {asked}, current: {}", store.revision())));
    }
    match query.revision_match.as_deref() {
        Some("Exact") if asked == 0 => Err(Failure::new(400, "resourceVersionMatch=Exact needs a resourceVersion")),
        Some("Exact") => Ok((asked, None)),
        None | Some("NotOlderThan") => Ok((store.revision(), None)),
        Some(other) => Err(Failure::new(400, format!("unknown resourceVersionMatch: {other}"))),
    }
}

fn page(pods: &Pods, revision: u64, after: Option<PodKey>, query: &Query) -> Response {
    // As a server that answers from its watch cache: a list at "0" comes whole.
    let limit = query.limit.filter(|_| query.revision != Some(0)).unwrap_or(usize::MAX);
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest =
        pods.range((from, Bound::Unbounded)).filter(|(_, stored)| query.selector.matches(&stored.pod)).peekable();
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    let (mut items, mut count) = (String::new(), 0);
    while count < limit
        && let Some((key, stored)) = rest.next()
    {
        let mut object = stored.pod.object(stored.revision);
        // The items of a typed list do not say what they are.
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|field, _| field != "kind" && field != "apiVersion");
        }
        if count > 0 {
            items.push(',');
        }
        items.push_str(&object.to_string());
        count += 1;
        if count == limit && rest.peek().is_some() {
            metadata["continue"] = json!(format!("{revision}{SEPARATOR}{}{SEPARATOR}{}", key.0, key.1));
        }
    }
    let left = rest.count();
    if left > 0 && !query.selector.is_narrow() {
        metadata["remainingItemCount"] = json!(left);
    }
    json_body(format!(r#"{{"kind":"PodList","apiVersion":"v1","metadata":{metadata},"items":[{items}]}}"#).into())
}

fn expired(query: &Query) -> Failure {
    if query.continue_from.is_some() {
        Failure::new(410, "The provided continue parameter is too old to display a consistent list result.")
    } else {
        Failure::ordered(410)
    }
}
