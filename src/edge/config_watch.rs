//! A file that is followed, be it written in place, replaced, or swapped behind a symbolic link as a `ConfigMap` is.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::apart;
use crate::state::{Command, State};

/// Between two looks. Notification by the kernel follows inodes, and a `ConfigMap` that changes is another directory each time.
const EVERY: Duration = Duration::from_millis(500);

/// Asks for a reload whenever the content of the file, or of one that it includes, has changed and is not being written any more, until `stop`.
///
/// A file that goes away is no change: there is nothing to read, and it may be about to come back.
pub async fn follow(path: PathBuf, state: State, stop: CancellationToken) {
    let look = async {
        let mut known = content(&path).await;
        let mut last = known;
        loop {
            sleep(EVERY).await;
            let now = content(&path).await;
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

/// What stands for the content; `None` where it cannot be read, or not in time.
async fn content(path: &Path) -> Option<u64> {
    let file = path.to_owned();
    // Hashed where it was read: it need not be in the memory of two threads.
    let hash = move || {
        let mut hasher = DefaultHasher::new();
        let reading = apart::config_file::reading_now(&file);
        if reading.sources().is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        for source in reading.sources() {
            (&source.path, &source.text).hash(&mut hasher);
        }
        Ok(hasher.finish())
    };
    apart::run(&format!("follow {}", path.display()), apart::CONFIGURATION, hash).await.ok()
}
