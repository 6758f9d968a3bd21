//! Follows the objects of one kind: a list, a watch from there on, and after each error again a list.

use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use kube::runtime::watcher::{self, Event};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::client::with_causes;
use crate::backoff::Backoff;
use crate::domain::log_throttle::LogThrottle;

/// The API server ends a watch after this long and it is resumed where it stood; a connection that died without a word is
/// noticed five seconds later.
pub(super) const WATCH_SECONDS: u32 = 60;
/// Bound of one page of a list.
const LIST_DEADLINE: Duration = Duration::from_secs(15);
/// Pause after the first failure; doubled, with jitter, up to the next.
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest pause between two tries, before jitter, which may double it: so much can a change be late after the API server is
/// back.
pub(super) const LAST_RETRY: Duration = Duration::from_millis(1500);

/// What becomes of the objects that are followed.
pub(super) trait Index<K> {
    /// The objects, as log lines name them: `pod`.
    const WHAT: &'static str;

    /// Something is known of the objects, or a list of them has ended, which `is_answer` to who asked for one.
    fn event(&self, event: Event<K>, is_answer: bool);

    /// The watch failed: what is known stays, and may be outdated until there is a complete list again.
    fn failed(&self);
}

/// Feeds the index from watches that `start` begins: another one, with a list before it, after each error and whenever `recheck` asks for
/// one. It never ends.
pub(super) async fn follow<K, S, I: Index<K>>(start: impl Fn() -> S, index: &I, recheck: &Notify)
where
    S: Stream<Item = watcher::Result<Event<K>>>,
{
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    let began = Instant::now();
    let mut trouble = LogThrottle::default();
    let mut asked = false;
    loop {
        let mut events = pin!(start());
        // An idle watch is silent by right and the watcher itself ends one that stays mute for too long; a list is not.
        let mut listing = true;
        loop {
            let next = tokio::select! {
                biased;
                next = events.next() => Ok(next),
                // A list that is under way may have begun before the asker saw what it asks for.
                () = recheck.notified() => {
                    asked = true;
                    break;
                }
                () = sleep(LIST_DEADLINE), if listing => Err(()),
            };
            let reason = match next {
                Ok(Some(Ok(event))) => {
                    listing = matches!(event, Event::Init | Event::InitApply(_));
                    if !listing {
                        if trouble.clear() {
                            info!("{} watch works again", I::WHAT);
                        }
                        backoff.reset();
                    }
                    let is_answer = matches!(event, Event::InitDone) && std::mem::take(&mut asked);
                    index.event(event, is_answer);
                    continue;
                }
                Ok(Some(Err(error))) => reason(&error),
                Ok(None) => "the watch ended".to_owned(),
                Err(()) => format!("no answer to a list within {} s", LIST_DEADLINE.as_secs()),
            };
            index.failed();
            if trouble.should_log(&reason, began.elapsed()) {
                warn!(%reason, "{} watch failed; keeping the current members", I::WHAT);
            } else {
                debug!(%reason, "{} watch still failing", I::WHAT);
            }
            sleep(backoff.pause()).await;
            // Something may have been lost: only a list tells.
            break;
        }
    }
}

/// What is wrong, in the API server's own words where it said some, else the error with its causes.
fn reason(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    let status = match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => status,
        other => return with_causes(other),
    };
    format!("the API server answers {}: {}", status.code, status.message)
}
