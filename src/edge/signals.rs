//! Unix signals, as commands.

mod watchdog;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::StreamExt as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook_tokio::Signals;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::watchdog::Watchdog;
use crate::domain::health::{Policy, Probe, probe_verdict};
use crate::domain::reconcile_report;
use crate::state::{Command, State};

/// The signals that the process hears, from the moment this exists.
pub struct SignalStream(Signals);

/// Starts to listen. To be called before anything waits, so that no signal finds the default action.
///
/// # Errors
/// The system refuses to install a handler.
pub fn listen() -> io::Result<SignalStream> {
    // A file that must not grow any more is an error for who writes it, and not the end.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP]).map(SignalStream)
}

/// From now on a signal that ends a process ends this one again, whatever it is in the middle of.
///
/// # Errors
/// The system refuses to install a handler.
pub fn end_by_default() -> io::Result<()> {
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_default(signal, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// Turns signals into commands until `stop`: SIGTERM and SIGINT into what `on_term` says, SIGUSR1 into a line with the status,
/// SIGUSR2 and SIGHUP into a reload.
///
/// A second signal stops waiting for clients; a third exits the process at once: `at_once` is how.
pub async fn follow<F>(
    SignalStream(mut signals): SignalStream,
    state: State,
    policy: impl Fn() -> Policy,
    on_term: impl Fn() -> F,
    at_once: fn(),
    stop: CancellationToken,
) where
    F: Future<Output = Command>,
{
    let mut asked = Asked::default();
    while let Some(Some(signal)) = stop.run_until_cancelled(signals.next()).await {
        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
        if signal == SIGUSR1 {
            say_status(&state, &policy());
            continue;
        }
        if matches!(signal, SIGUSR2 | SIGHUP) {
            info!(signal = name, "reload requested");
            state.ask(Command::Reload);
            continue;
        }
        // A drain that was cancelled since has answered the request before this one.
        let drains = state.status().drains_ended();
        match asked.again(drains) {
            0 => {
                let command = on_term().await;
                let detach = command == Command::Detach;
                info!(signal = name, detach, "received signal, shutting down");
                state.ask(command);
                asked = Asked { drains: Some(drains), times: if detach { 2 } else { 1 } };
            }
            1 => {
                warn!(signal = name, "second signal: stopping without waiting for clients");
                state.ask(Command::ForceStop);
            }
            _ => {
                warn!(signal = name, "third signal: exiting immediately");
                at_once();
            }
        }
    }
}

/// How often the process was asked to end, and how many drains had ended then.
#[derive(Debug, Default)]
struct Asked {
    drains: Option<u64>,
    times: u32,
}

impl Asked {
    /// How often it was asked before, in the same drain.
    fn again(&mut self, drains: u64) -> u32 {
        if self.drains != Some(drains) {
            *self = Self::default();
        }
        let before = self.times;
        self.times += 1;
        before
    }
}

fn say_status(state: &State, policy: &Policy) {
    let (status, now) = (state.status(), Instant::now());
    let known = status.known(now);
    let ms = |age: Duration| u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let ready = probe_verdict(&known, policy, Probe::Ready);
    let live = probe_verdict(&known, policy, Probe::Live);
    let listed = status.observed().map(|(seen, _)| &seen.runtime);
    let (health, problems) = reconcile_report::overall_health(&ready, &live, status.report(), listed);
    let backends = known.backends();
    let list = |items: Vec<String>| items.join(", ");
    let members = known.snapshot.map(|snapshot| {
        let member = |(address, comment): &(String, String)| format!("{address} {comment}");
        list(snapshot.members.iter().map(member).collect())
    });
    let groups = known.snapshot.map(|snapshot| {
        let group = |((group, status), many): (&(String, String), &u64)| format!("{group} {status} {many}");
        list(snapshot.backends.iter().map(group).collect())
    });
    info!(
        status = health.as_str(),
        phase = status.stage().as_str(),
        ready = ready.ok,
        live = live.ok,
        reasons = list(ready.reasons.iter().map(ToString::to_string).collect()),
        problems = list(problems.iter().map(|problem| problem.problem.to_owned()).collect()),
        clients = known.clients(),
        backends = backends.total,
        online = backends.online,
        shunned = backends.shunned,
        hostgroups = groups.unwrap_or_default(),
        members = members.unwrap_or_default(),
        // Of all that is above from `clients` on, and of what is below.
        age_ms = known.age_ms(),
        connection = known.contact.as_str(),
        unanswered_ms = known.contact.silence().map(ms),
        observed_age_ms = status.observed().map(|(_, at)| ms(now - *at)),
        drift =
            list(status.report().drift.iter().map(|(subject, class)| format!("{subject} {}", class.name())).collect()),
        refused = status.report().refused.as_deref().unwrap_or_default(),
        last_error = status.trouble().unwrap_or_default(),
        drain = status.drain().map(|drain| format!("{drain:?}")).unwrap_or_default(),
        "status"
    );
}
