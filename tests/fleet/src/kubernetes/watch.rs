//! One watch: what changed for its selector, event by event, until its time is over or trouble ends it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, Interval};

use super::answer::{Failure, json_body};
use super::query::Query;
use super::selector::Selector;
use super::server::Shared;
use super::store::Change;
use super::trouble::{Fault, Trouble};

/// How long a watch lasts that says nothing about it.
const DEFAULT_TIMEOUT: Duration = Duration::from_mins(30);

struct Watch {
    shared: Arc<Shared>,
    query: Query,
    /// Everything up to this revision was sent, or was not for this watch.
    cursor: u64,
    ready: VecDeque<Bytes>,
    /// The stream ends when what is ready was sent.
    last: bool,
    revisions: watch::Receiver<u64>,
    trouble: watch::Receiver<Trouble>,
    /// Cuts and strandings that had happened when the watch began.
    born: (u64, u64),
    began: Instant,
    ends: Instant,
    bookmarks: Interval,
}

/// Answers a watch; fails where the server refuses it before a stream begins.
pub(super) fn watch(shared: &Arc<Shared>, query: Query) -> Result<Response, Failure> {
    let trouble = shared.trouble.subscribe();
    let (born, fault) = {
        let trouble = trouble.borrow();
        ((trouble.cuts, trouble.strandings), trouble.watches.clone())
    };
    match fault {
        Some(Fault::Expired) => return Ok(json_body(event("ERROR", &Failure::too_old(1, 2).object()).into())),
        Some(Fault::Garbage) => return Ok(json_body("{\"type\":\"ADDED\",\"object\":{\"kind\":,}}\n<html>\n".into())),
        _ => {}
    }
    let streaming = query.initial_events == Some(true);
    if query.initial_events.is_some() && !shared.streams_lists() {
        let gate = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
        return Err(Failure::new(
            422,
            format!("ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: {gate}"),
        ));
    }
    if streaming && query.revision_match.as_deref() != Some("NotOlderThan") {
        let rule = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        return Err(Failure::new(
            422,
            format!("ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: {rule}"),
        ));
    }
    let began = Instant::now();
    let every = shared.bookmark_interval();
    let mut watch = Watch {
        revisions: shared.revisions.subscribe(),
        shared: shared.clone(),
        cursor: 0,
        ready: VecDeque::new(),
        last: false,
        trouble,
        born,
        began,
        ends: began + query.timeout.unwrap_or(DEFAULT_TIMEOUT),
        bookmarks: tokio::time::interval_at(began + every, every),
        query,
    };
    watch.begin(streaming, fault == Some(Fault::Empty));
    let events = stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) });
    Ok(json_body(Body::from_stream(events)).into_response())
}

impl Watch {
    /// Sets the cursor, and gets the present state ready where the watch asks for it.
    fn begin(&mut self, streaming: bool, empty: bool) {
        let shared = self.shared.clone();
        let store = shared.store();
        let asked = self.query.revision.unwrap_or(0);
        if asked > store.revision() {
            let message = format!("Too large resource version: {asked}, current: {}", store.revision());
            return self.end_with(&Failure::new(504, message));
        }
        if asked > 0 && !streaming {
            self.cursor = asked;
            return;
        }
        self.cursor = store.revision();
        if self.query.initial_events != Some(false) && !empty {
            let selected = store.pods().values().filter(|stored| self.query.selector.matches(&stored.pod));
            self.ready.extend(selected.map(|stored| event("ADDED", &stored.pod.object(stored.revision))));
        }
        if streaming {
            self.ready.push_back(bookmark(self.cursor, true));
        }
    }

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            let (silent, cut, life) = {
                let trouble = self.trouble.borrow_and_update();
                let stranded = trouble.strandings != self.born.1;
                (stranded || trouble.watches == Some(Fault::Hang), trouble.cuts != self.born.0, trouble.watch_life)
            };
            if cut {
                return Some(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            if silent {
                self.trouble.changed().await.ok()?;
                continue;
            }
            if let Some(bytes) = self.ready.pop_front() {
                return Some(Ok(bytes));
            }
            if self.last {
                return None;
            }
            self.revisions.borrow_and_update();
            self.collect();
            if !self.ready.is_empty() {
                continue;
            }
            let breaks = life.map(|life| self.began + life);
            tokio::select! {
                changed = self.revisions.changed() => changed.ok()?,
                changed = self.trouble.changed() => changed.ok()?,
                _ = self.bookmarks.tick(), if self.query.bookmarks => self.ready.push_back(bookmark(self.cursor, false)),
                () = tokio::time::sleep_until(self.ends) => return None,
                () = tokio::time::sleep_until(breaks.unwrap_or(self.ends)), if breaks.is_some() => {
                    return Some(Err(io::ErrorKind::ConnectionAborted.into()));
                }
            }
        }
    }

    /// Gets ready what happened since the cursor.
    fn collect(&mut self) {
        let shared = self.shared.clone();
        let store = shared.store();
        match store.since(self.cursor) {
            Ok(changes) => self.ready.extend(changes.filter_map(|change| seen(change, &self.query.selector))),
            Err(too_old) => return self.end_with(&Failure::too_old(self.cursor, too_old.oldest)),
        }
        self.cursor = store.revision();
    }

    fn end_with(&mut self, failure: &Failure) {
        self.ready.push_back(event("ERROR", &failure.object()));
        self.last = true;
    }
}

/// The change as this watch's selector sees it.
fn seen(change: &Change, selector: &Selector) -> Option<Bytes> {
    let before = change.before.as_ref().filter(|stored| selector.matches(&stored.pod));
    let after = change.after.as_ref().filter(|pod| selector.matches(pod));
    let (kind, pod) = match (before, after) {
        (None, None) => return None,
        (None, Some(pod)) => ("ADDED", pod),
        (Some(_), Some(pod)) => ("MODIFIED", pod),
        // What leaves is shown as it last belonged here, at the revision of its leaving.
        (Some(stored), None) => ("DELETED", &stored.pod),
    };
    Some(event(kind, &pod.object(change.revision)))
}

fn event(kind: &str, object: &Value) -> Bytes {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").into()
}

fn bookmark(revision: u64, initial_events_end: bool) -> Bytes {
    let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
    if initial_events_end {
        metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    // A pod of nothing but a revision, as Go writes one.
    event(
        "BOOKMARK",
        &json!({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": null}, "status": {}}),
    )
}
