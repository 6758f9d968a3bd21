//! The end of the process, whatever hangs: a thread of its own, for the one thread may be what hangs.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::time::Instant;

/// What a signal writes, by itself.
const SIGNAL: u8 = b'X';
const ARM: u8 = b'A';
const DISARM: u8 = b'D';
/// Signals after which the process is meant to end at once.
const AT_ONCE: u32 = 3;
/// What it gets to do that by itself.
const BY_ITSELF: Duration = Duration::from_secs(1);

/// Ends the process once it had its time to end by itself.
#[derive(Debug)]
pub struct Watchdog {
    told: UnixStream,
    /// In ms.
    bound: Arc<AtomicU64>,
}

impl Watchdog {
    /// Starts to watch. A request to end by a signal arms it, also where nobody gets to hear the signal; `end` is how it ends the
    /// process, and does not return then.
    ///
    /// # Errors
    /// The system has no thread, no socket or no handler.
    pub fn start(bound: Duration, end: impl Fn() + Send + 'static) -> io::Result<Self> {
        let (told, hears) = UnixStream::pair()?;
        // Whoever arms it must not wait for it.
        told.set_nonblocking(true)?;
        for signal in [SIGTERM, SIGINT] {
            signal_hook::low_level::pipe::register(signal, told.try_clone()?)?;
        }
        let watchdog = Self { told, bound: Arc::new(AtomicU64::new(millis(bound))) };
        let bound = Arc::clone(&watchdog.bound);
        thread::Builder::new().name("watchdog".to_owned()).spawn(move || watch(hears, &bound, end))?;
        Ok(watchdog)
    }

    /// How long the process gets from when it is armed. What is running already keeps its bound.
    pub fn set_bound(&self, bound: Duration) {
        self.bound.store(millis(bound), Ordering::Relaxed);
    }

    /// The process is to end, within the bound.
    pub fn arm(&self) {
        self.tell(ARM);
    }

    /// It is not to end any more.
    pub fn disarm(&self) {
        self.tell(DISARM);
    }

    fn tell(&self, what: u8) {
        // The thread does nothing but read: there is room.
        let _ = (&self.told).write(&[what]);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// When the process has to be over.
#[derive(Debug, Default)]
struct Deadline {
    at: Option<Instant>,
    signals: u32,
}

impl Deadline {
    fn hear(&mut self, what: u8, now: Instant, bound: Duration) {
        match what {
            DISARM => *self = Self::default(),
            ARM => drop(self.at.get_or_insert(now + bound)),
            SIGNAL => {
                self.signals += 1;
                let at = *self.at.get_or_insert(now + bound);
                if self.signals >= AT_ONCE {
                    self.at = Some(at.min(now + BY_ITSELF));
                }
            }
            _ => {}
        }
    }
}

fn watch(mut hears: UnixStream, bound: &AtomicU64, end: impl Fn()) {
    let mut deadline = Deadline::default();
    let mut words = [0; 64];
    loop {
        let left = deadline.at.map(|at| at.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            end();
            return;
        }
        // Without a deadline it sleeps until it is told something.
        if hears.set_read_timeout(left).is_err() {
            return;
        }
        match hears.read(&mut words) {
            Ok(0) => return,
            Ok(many) => {
                let bound = Duration::from_millis(bound.load(Ordering::Relaxed));
                for word in &words[..many] {
                    deadline.hear(*word, Instant::now(), bound);
                }
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn it_ends_the_process_once_it_is_armed_and_the_time_is_over() {
        let (ends, ended) = channel();
        let watchdog = Watchdog::start(Duration::from_millis(300), move || ends.send(()).unwrap()).unwrap();
        watchdog.arm();
        watchdog.disarm();
        assert!(ended.recv_timeout(Duration::from_millis(600)).is_err(), "it was called off");
        watchdog.set_bound(Duration::from_millis(50));
        watchdog.arm();
        ended.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn the_first_request_counts_and_a_third_signal_leaves_it_a_second() {
        let now = Instant::now();
        let (bound, second) = (LONG, Duration::from_secs(1));
        let mut deadline = Deadline::default();
        deadline.hear(SIGNAL, now, bound);
        deadline.hear(ARM, now + second, bound);
        deadline.hear(SIGNAL, now + second, bound);
        assert_eq!(deadline.at, Some(now + bound));
        deadline.hear(SIGNAL, now + second, bound);
        assert_eq!(deadline.at, Some(now + second + BY_ITSELF));
        deadline.hear(DISARM, now, bound);
        deadline.hear(SIGNAL, now, bound);
        assert_eq!((deadline.at, deadline.signals), (Some(now + bound), 1));
    }
}
