//! How the threads of a node end sessions: what `MySQL_Thread.cpp` of 2.7.1 does in its loop, for all threads in one task.
//!
//! A worker's loop turns when anything happens, and after `mysql-poll_timeout` otherwise; in a turn that comes more than a
//! second after the last pass, and in one that a `KILL CONNECTION` of any number calls for, it ends its sessions that are
//! idle for too long. An idle thread does so each two seconds, whatever calls, and hands those sessions to a worker first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clients::{Client, ClientEnd, ClientState, Clients, Place, Protocol};
use super::host::{Behaviour, Host, Life};
use super::modules::Runtime;

/// How many sessions an idle thread looks at in one pass.
const SCANNED: usize = 128;
/// How often a worker's loop turns at least while `mysql-wait_timeout` is 0.
const PAUSING: Duration = Duration::from_millis(100);

/// The variables that the threads go by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tuning {
    threads: usize,
    poll_timeout: Duration,
    session_idle: Duration,
    wait_timeout: Duration,
    transaction_idle: Duration,
    /// That of `PostgreSQL` clients.
    postgres_wait_timeout: Duration,
}

impl Tuning {
    pub(crate) fn of(runtime: &Runtime) -> Self {
        let time = |name: &str| Duration::from_millis(runtime.number(name));
        Self {
            threads: usize::try_from(runtime.number("mysql-threads")).unwrap_or(1).max(1),
            poll_timeout: time("mysql-poll_timeout").max(Duration::from_millis(1)),
            session_idle: time("mysql-session_idle_ms"),
            wait_timeout: time("mysql-wait_timeout"),
            transaction_idle: time("mysql-max_transaction_idle_time"),
            postgres_wait_timeout: time("pgsql-wait_timeout"),
        }
    }
}

/// The sessions of an idle thread.
#[derive(Debug, Default)]
pub(crate) struct IdleThread {
    sessions: Vec<u32>,
    next: usize,
}

impl IdleThread {
    /// One pass. The session that takes the place of one that is taken out is passed over: of many that are due, each pass
    /// takes about half.
    fn take(&mut self, due: impl Fn(u32) -> bool) -> Vec<u32> {
        if self.next + SCANNED > self.sessions.len() {
            self.next = 0;
        }
        let mut taken = Vec::new();
        for _ in 0..SCANNED {
            let Some(id) = self.sessions.get(self.next) else { break };
            if due(*id) {
                taken.push(self.sessions.swap_remove(self.next));
            }
            self.next += 1;
        }
        taken
    }
}

/// When the threads did last what they do once in a while.
#[derive(Clone, Copy, Debug)]
struct Clock {
    pass: Instant,
    idle_pass: Instant,
    moved: Instant,
}

/// The loop of the threads of one life.
pub(crate) async fn run(host: Arc<Host>, life: Arc<Life>) {
    let now = Instant::now();
    let mut clock = Clock { pass: now, idle_pass: now, moved: now };
    loop {
        host.trouble.thaw().await;
        let (tuning, behaviour) = (life.tuning(), host.behaviour());
        let wait = turn(&mut life.clients(), &mut clock, tuning, &behaviour);
        tokio::select! {
            () = life.turn.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// One turn of all loops; how long the next one may be in coming.
fn turn(clients: &mut Clients, clock: &mut Clock, tuning: Tuning, behaviour: &Behaviour) -> Duration {
    let now = Instant::now();
    if behaviour.idle_threads && now > clock.moved + tuning.session_idle {
        clock.moved = now;
        clients.move_to_idle_threads(now, tuning);
    }
    clients.end_handed_over(now, behaviour.hand_over);
    if now > clock.pass + behaviour.worker_pass {
        clock.pass = now;
        clients.pass(now, tuning);
    }
    let mut wait = tuning.poll_timeout;
    if tuning.wait_timeout.is_zero() {
        wait = wait.min(PAUSING);
    }
    if behaviour.idle_threads {
        if now >= clock.idle_pass + behaviour.idle_pass {
            clock.idle_pass = now;
            clients.idle_pass(now, tuning);
        }
        wait = wait.min((clock.idle_pass + behaviour.idle_pass).saturating_duration_since(now));
        if let Some(next) = clients.next_handed_over(behaviour.hand_over) {
            wait = wait.min(next.saturating_duration_since(now));
        }
    }
    wait
}

impl Client {
    /// Whether a worker ends it in a pass.
    fn is_due(&self, now: Instant, tuning: Tuning) -> bool {
        if self.place != Place::Worker || self.answering || !self.spec.state.waits() {
            return false;
        }
        let limit = match self.spec.protocol {
            Protocol::Mysql => tuning.wait_timeout,
            Protocol::Postgres => tuning.postgres_wait_timeout,
        };
        let limit = if self.spec.state.counts_as_transaction() { tuning.transaction_idle } else { limit };
        // Whole milliseconds, as there.
        now.saturating_duration_since(self.active).as_millis() > limit.as_millis()
    }
}

impl Clients {
    /// The maintenance pass of the workers.
    pub(crate) fn pass(&mut self, now: Instant, tuning: Tuning) {
        let due = self.live.iter().filter(|(_, client)| client.is_due(now, tuning));
        let due: Vec<u32> = due.map(|(id, _)| *id).collect();
        for id in due {
            self.end(id, ClientEnd::TimedOut);
        }
    }

    fn move_to_idle_threads(&mut self, now: Instant, tuning: Tuning) {
        self.idle.resize_with(tuning.threads, IdleThread::default);
        for (id, client) in &mut self.live {
            let idle = client.spec.protocol == Protocol::Mysql
                && client.place == Place::Worker
                && client.spec.state == ClientState::Idle
                && !client.answering
                && client.active + tuning.session_idle < now;
            if idle {
                let thread = *id as usize % tuning.threads;
                client.place = Place::Idle(thread);
                client.idle_since = client.active;
                client.active = now;
                self.idle[thread].sessions.push(*id);
            }
        }
    }

    pub(crate) fn leave_idle_thread(&mut self, thread: usize, id: u32) {
        if let Some(thread) = self.idle.get_mut(thread)
            && let Some(position) = thread.sessions.iter().position(|session| *session == id)
        {
            thread.sessions.swap_remove(position);
        }
    }

    /// The pass of the idle threads: those that are due, or killed, go to a worker that will end them.
    fn idle_pass(&mut self, now: Instant, tuning: Tuning) {
        for thread in &mut self.idle {
            let live = &self.live;
            let due = |id: u32| {
                live.get(&id).is_some_and(|client| {
                    client.doomed.is_some() || now.saturating_duration_since(client.idle_since) > tuning.wait_timeout
                })
            };
            for id in thread.take(due) {
                if let Some(client) = self.live.get_mut(&id) {
                    client.doomed.get_or_insert(ClientEnd::TimedOut);
                    client.place = Place::HandedOver;
                    self.handed_over.push((id, now));
                }
            }
        }
    }

    fn next_handed_over(&self, takes: Duration) -> Option<Instant> {
        self.handed_over.first().map(|(_, since)| *since + takes)
    }

    fn end_handed_over(&mut self, now: Instant, takes: Duration) {
        let ready = self.handed_over.iter().take_while(|(_, since)| *since + takes <= now).count();
        let ready: Vec<(u32, Instant)> = self.handed_over.drain(..ready).collect();
        for (id, _) in ready {
            if let Some(end) = self.live.get(&id).and_then(|client| client.doomed) {
                self.end(id, end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_of_an_idle_thread_takes_about_half() {
        let mut thread = IdleThread { sessions: (0..20).collect(), next: 0 };
        let passes: Vec<usize> = (0..6).map(|_| thread.take(|_| true).len()).collect();
        assert_eq!(passes, [10, 5, 3, 1, 1, 0]);
    }

    #[test]
    fn a_pass_of_an_idle_thread_ends_after_so_many() {
        let mut thread = IdleThread { sessions: (0..1000).collect(), next: 0 };
        assert_eq!(thread.take(|_| false).len(), 0);
        assert_eq!(thread.take(|id| id < 200), (128..200).step_by(1).collect::<Vec<_>>());
    }
}
