//! The file that says that this node drains, for scripts beside it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::warn;

use crate::apart;

/// A volume that hangs must not hold up a drain.
const DEADLINE: Duration = Duration::from_secs(1);

/// The file, or its absence. Nothing depends on it: what fails is logged.
#[derive(Debug, Clone)]
pub struct Marker {
    path: PathBuf,
}

impl Marker {
    /// At this path, whose folder must be there.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Creates the file.
    pub async fn set(&self) {
        let done = self.within("write", |path| std::fs::write(path, b"draining\n")).await;
        if let Err(reason) = done {
            warn!(file = %self.path.display(), %reason, "cannot write the draining file; continuing to drain");
        }
    }

    /// Removes the file. Whether it was there.
    pub async fn clear(&self) -> bool {
        match self.within("remove", |path| std::fs::remove_file(path)).await {
            Ok(()) => true,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => false,
            Err(reason) => {
                warn!(file = %self.path.display(), %reason, "cannot remove the draining file");
                false
            }
        }
    }

    async fn within(&self, what: &str, act: fn(&Path) -> io::Result<()>) -> io::Result<()> {
        let path = self.path.clone();
        apart::run(&format!("{what} {}", path.display()), DEADLINE, move || act(&path)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_file_comes_and_goes_and_trouble_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("draining");
        let marker = Marker::new(path.clone());
        assert!(!marker.clear().await);
        marker.set().await;
        assert!(path.is_file());
        marker.set().await;
        assert!(marker.clear().await && !path.exists());
        // Not even its folder is there; a folder is in its place.
        Marker::new(dir.path().join("no/such")).set().await;
        let folder = Marker::new(dir.path().to_owned());
        folder.set().await;
        assert!(!folder.clear().await);
    }
}
