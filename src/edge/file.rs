//! A file that is followed, be it written in place, replaced, or swapped behind a symbolic link as a `ConfigMap` is.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::state::{Command, State};

/// Between two looks. Notification by the kernel follows inodes, and a `ConfigMap` that changes is another directory each time.
const EVERY: Duration = Duration::from_millis(500);

/// Asks for a reload whenever the content of the file has changed and is not being written any more, until `stop`.
///
/// A file that goes away is no change: there is nothing to read, and it may be about to come back.
pub async fn follow(path: PathBuf, state: State, stop: CancellationToken) {
    let mut known = content(&path);
    let mut last = known;
    let look = async {
        loop {
            sleep(EVERY).await;
            let now = content(&path);
            // The same in two looks: whoever writes it has come to an end.
            if now.is_some() && now != known && now == last {
                info!(path = %path.display(), "the configuration file of ProxySQL has changed");
                known = now;
                state.ask(Command::Reload);
            }
            last = now;
        }
    };
    let _: Option<()> = stop.run_until_cancelled(look).await;
}

fn content(path: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    std::fs::read(path).ok()?.hash(&mut hasher);
    Some(hasher.finish())
}
