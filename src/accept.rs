//! Connections of a listener: as many as there may be, and none in the way of another. What is said over them is the handler's.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Connections at one time, for each listener. Where there are more, the oldest that is not being answered goes.
const MOST_CONNECTIONS: usize = 256;
/// Pause after the system refuses a connection: no file descriptor is left.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// A connection, as the others see it.
#[derive(Debug)]
pub struct ConnectionSlot {
    /// Its request is being answered.
    busy: AtomicBool,
    ended: AtomicBool,
    cut: CancellationToken,
    /// When it came, and then when it asked for the last time.
    asked: Mutex<Instant>,
}

impl ConnectionSlot {
    /// One that begins now.
    #[expect(clippy::new_without_default, reason = "the clock is read")]
    pub fn new() -> Self {
        Self {
            busy: AtomicBool::default(),
            ended: AtomicBool::default(),
            cut: CancellationToken::new(),
            asked: Mutex::new(Instant::now()),
        }
    }

    /// A request is there; until it [is answered](Self::answered) the connection is not one of those that make room.
    pub fn asks(&self) {
        self.busy.store(true, Ordering::Relaxed);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// The request was answered.
    pub fn answered(&self) {
        self.busy.store(false, Ordering::Relaxed);
    }

    /// Returns once its last request has had the time that there is for one, the `lifetime` by the settings. That time may change
    /// meanwhile, and so may the request.
    pub async fn is_over<T>(&self, mut settings: watch::Receiver<T>, lifetime: impl Fn(&T) -> Duration) {
        loop {
            let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let over = asked + lifetime(&settings.borrow_and_update());
            if over <= Instant::now() {
                return;
            }
            tokio::select! {
                () = sleep_until(over) => {}
                Ok(()) = settings.changed() => {}
            }
        }
    }
}

/// Hands each connection to `handle` until `stop`. What is open then is the handler's to bring to an end, within a bound: it is a task
/// of `tasks`.
pub async fn accept<H, F>(listener: TcpListener, handle: H, tasks: TaskTracker, stop: CancellationToken)
where
    H: Fn(TcpStream, SocketAddr, Arc<ConnectionSlot>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut visits: VecDeque<Arc<ConnectionSlot>> = VecDeque::new();
    let mut refused = false;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                refused = false;
                visits.retain(|visit| !visit.ended.load(Ordering::Relaxed));
                if !make_room(&mut visits) {
                    debug!(%peer, "connection limit reached");
                    continue;
                }
                let visit = Arc::new(ConnectionSlot::new());
                visits.push_back(Arc::clone(&visit));
                let handled = handle(stream, peer, Arc::clone(&visit));
                tasks.spawn(async move {
                    visit.cut.run_until_cancelled(handled).await;
                    visit.ended.store(true, Ordering::Relaxed);
                });
            }
            Err(reason) => {
                if !refused {
                    warn!(%reason, "cannot accept connections");
                }
                refused = true;
                sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Whether there is room for one more: idle and half-open connections are no reason to turn away a probe.
fn make_room(visits: &mut VecDeque<Arc<ConnectionSlot>>) -> bool {
    if visits.len() < MOST_CONNECTIONS {
        return true;
    }
    let idle = visits.iter().position(|visit| !visit.busy.load(Ordering::Relaxed));
    let Some(visit) = idle.and_then(|idle| visits.remove(idle)) else { return false };
    visit.cut.cancel();
    true
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_a_request_may_take_follows_a_reload_and_begins_with_the_request() {
        let (settings, held) = watch::channel(Duration::from_secs(18));
        let visit = ConnectionSlot::new();
        let began = Instant::now();
        let over = visit.is_over(held, |lifetime| *lifetime);
        let meanwhile = async {
            sleep(Duration::from_secs(5)).await;
            settings.send_replace(Duration::from_secs(65));
            // A connection that is kept is asked on again.
            sleep(Duration::from_secs(10)).await;
            visit.asks();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = over => {}
            () = meanwhile => {}
        }
        assert_eq!(began.elapsed(), Duration::from_secs(15 + 65));
    }

    #[tokio::test]
    async fn the_oldest_connection_that_is_not_being_answered_makes_room() {
        let mut visits: VecDeque<_> = (0..MOST_CONNECTIONS).map(|_| Arc::new(ConnectionSlot::new())).collect();
        let (first, second) = (Arc::clone(&visits[0]), Arc::clone(&visits[1]));
        first.asks();
        assert!(make_room(&mut visits));
        assert!(!first.cut.is_cancelled() && second.cut.is_cancelled());
        for visit in &visits {
            visit.asks();
        }
        visits.push_back(Arc::clone(&first));
        assert!(!make_room(&mut visits));
        first.answered();
        assert!(make_room(&mut visits) && first.cut.is_cancelled());
    }
}
