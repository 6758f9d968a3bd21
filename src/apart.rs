//! Calls of the system that may hang, apart from the one thread and within a bound: files on a volume that does not answer, a pipe in
//! the place of a file, a resolver that is gone.
//!
//! Such a call cannot be called off. So there is never more than one at a time for a thing: whoever comes meanwhile waits for it to
//! return, within its own bound, and threads do not pile up.

pub mod config_file;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Bound of reading a small file: a password, a token, what the system says of itself.
pub const SOON: Duration = Duration::from_secs(1);
/// Bound of reading a configuration file.
pub const CONFIGURATION: Duration = Duration::from_secs(5);

/// Whose turn it is, by thing. What nobody is at is taken out at the next call.
static TURNS: Mutex<BTreeMap<String, Weak<Semaphore>>> = Mutex::new(BTreeMap::new());

fn turn(thing: &str) -> Arc<Semaphore> {
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.retain(|_, turn| turn.strong_count() > 0);
    if let Some(turn) = turns.get(thing).and_then(Weak::upgrade) {
        return turn;
    }
    let turn = Arc::new(Semaphore::new(1));
    turns.insert(thing.to_owned(), Arc::downgrade(&turn));
    turn
}

/// Does something on a thread of its own, and waits for it at most so long; `thing` is what it is done to.
///
/// # Errors
/// Its own, or `TimedOut`; it may still be carried out then.
pub async fn run<T, F>(thing: &str, within: Duration, act: F) -> io::Result<T>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    let turn = turn(thing);
    let done = async {
        let permit = turn.acquire_owned().await.map_err(io::Error::other)?;
        let call = move || {
            let done = act();
            drop(permit);
            done
        };
        spawn_blocking(call).await.map_err(io::Error::other)?
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", within.as_secs_f32()));
    timeout(within, done).await.unwrap_or_else(|_| Err(late()))
}

/// Reads a whole file of at most so many bytes.
///
/// # Errors
/// It does not read, within the bound, or is larger.
pub async fn read(path: &Path, most: u64, within: Duration) -> io::Result<Vec<u8>> {
    let file = path.to_owned();
    run(&format!("read {}", path.display()), within, move || read_now(&file, most)).await
}

/// As [`read`], on this thread: for those who are on one of their own.
pub fn read_now(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_file_is_read_up_to_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5, CONFIGURATION).await.unwrap(), b"12345");
        assert_eq!(read(&path, 4, CONFIGURATION).await.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let missing = read(&dir.path().join("none"), 5, CONFIGURATION).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_hangs_is_waited_for_within_the_bound_and_is_not_begun_twice() {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (free, freed) = mpsc::channel::<()>();
        let freed = Arc::new(Mutex::new(freed));
        let hang = || {
            let freed = Arc::clone(&freed);
            run("a thing", Duration::from_millis(20), move || {
                BEGUN.fetch_add(1, Ordering::SeqCst);
                freed.lock().unwrap().recv().map_err(io::Error::other)
            })
        };
        for _ in 0..10 {
            assert_eq!(runtime.block_on(hang()).unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert_eq!(BEGUN.load(Ordering::SeqCst), 1);
        // Another thing is not held up.
        assert_eq!(runtime.block_on(run("another", CONFIGURATION, || Ok(7))).unwrap(), 7);
        free.send(()).unwrap();
        assert_eq!(runtime.block_on(run("a thing", CONFIGURATION, || Ok(8))).unwrap(), 8);
        runtime.shutdown_background();
    }
}
