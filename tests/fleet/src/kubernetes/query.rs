//! What a request for pods asks for.

use std::time::Duration;

use serde::Deserialize;

use super::answer::Failure;
use super::selector::Selector;

/// The query as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Raw {
    label_selector: String,
    field_selector: String,
    limit: String,
    r#continue: String,
    resource_version: String,
    resource_version_match: String,
    watch: String,
    timeout_seconds: String,
    allow_watch_bookmarks: String,
    send_initial_events: String,
}

/// The query as it is meant.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) selector: Selector,
    pub(super) limit: Option<usize>,
    pub(super) continue_from: Option<String>,
    pub(super) revision: Option<u64>,
    pub(super) revision_match: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) bookmarks: bool,
    pub(super) initial_events: Option<bool>,
}

impl Raw {
    pub(super) fn is_watch(&self) -> bool {
        truth(&self.watch).unwrap_or(false)
    }

    pub(super) fn read(self, namespace: Option<String>) -> Result<Query, Failure> {
        let bad = |message| Failure::new(400, message);
        Ok(Query {
            selector: Selector::parse(namespace, &self.label_selector, &self.field_selector).map_err(bad)?,
            limit: number(&self.limit).map_err(bad)?.filter(|limit| *limit > 0),
            continue_from: text(self.r#continue),
            revision: number(&self.resource_version).map_err(|_| bad("Invalid value: resourceVersion".to_owned()))?,
            revision_match: text(self.resource_version_match),
            timeout: number(&self.timeout_seconds).map_err(bad)?.map(Duration::from_secs),
            bookmarks: truth(&self.allow_watch_bookmarks).unwrap_or(false),
            initial_events: truth(&self.send_initial_events),
        })
    }
}

fn text(value: String) -> Option<String> {
    Some(value).filter(|value| !value.is_empty())
}

fn truth(value: &str) -> Option<bool> {
    (!value.is_empty()).then_some(value == "true" || value == "1")
}

fn number<T: std::str::FromStr>(value: &str) -> Result<Option<T>, String> {
    if value.is_empty() { Ok(None) } else { value.parse().map(Some).map_err(|_| format!("not a number: {value}")) }
}
