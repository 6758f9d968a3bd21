//! The window for clients: who is still there, and by which means those go who rest between two statements.

use std::time::Duration;

use super::closing::{Closing, Span};
use super::report::{Ending, Step};
use super::session::DETAILED;
use super::state::{DrainState, Draining, Means, NextStep, RETRY, Window, pause, shut_down, stopped, wait};
use super::stats::DrainStats;
use super::{Effect, Failure, Input, Limits};

/// Between two looks at who is still connected.
pub const TICK: Duration = Duration::from_millis(200);
/// Before it is believed that nobody is left: a session that just moves between threads is in no list.
const CONFIRM: Duration = Duration::from_millis(50);
/// Between two maintenance passes that worker threads are made to do.
const PASS: Duration = Duration::from_millis(20);
/// Passes one right after the other, where clients rest for less than a millisecond. A pass takes a thread a millisecond, so that in the
/// second of two a client that was answered in the first has rested for one; and before it has answered.
const BURST: u32 = 12;
/// Between two such bursts. Who commits after eight seconds and begins again at once can be caught a few times in a whole window: it must
/// not fall between two bursts.
const BREATH: Duration = Duration::from_millis(2);
/// How long sessions are watched before any is closed that rested for less than seconds: who reads slowly shows only over time.
const WATCHED: Duration = Duration::from_secs(2);
/// The least share of the kills of one tick, where so many are idle.
const LEAST_SHARE: u64 = 10;
/// What is left of `shutdown_timeout` for `PROXYSQL SHUTDOWN` when clients get no more time.
const LAST: Duration = Duration::from_secs(1);

/// The listener is paused.
pub(super) fn begin(stats: DrainStats, at: Duration, limits: &Limits) -> NextStep {
    let until = (at + limits.drain_timeout).min(stats.over_at.saturating_sub(LAST)).max(at);
    let span = Span { from: at, until };
    let watched = stats.clients.since.map_or(at + WATCHED, |since| (since + WATCHED).max(at));
    let window = Window {
        span,
        // A short window leaves no time to watch.
        closing_since: watched.min(at + until.saturating_sub(at) / 4),
        next_look: at,
        empty: false,
        next_share: at,
        share: 0,
        means: Means::Kill,
    };
    let detailed = stats.clients.are_looked_into();
    let stats = stats.enter(Step::Emptying, at);
    (DrainState::Draining(Draining::Emptying(window), stats), Some(Effect::Sessions { detailed }))
}

pub(super) fn step(mut window: Window, mut stats: DrainStats, input: Input, at: Duration, limits: &Limits) -> NextStep {
    let here = Draining::Emptying(window);
    match input {
        Input::Failed(Failure::Gone) => stopped(stats, Ending::Gone, at),
        Input::Failed(Failure::Refused) => {
            stats.refused();
            go_on(window, stats, at)
        }
        Input::Failed(_) if at >= window.span.until => shut_down(stats, Ending::DrainTimeout, at),
        Input::Failed(_) => wait(here, stats, at + RETRY),
        Input::Due if at >= window.next_look => {
            let detailed = stats.clients.are_looked_into();
            (DrainState::Draining(here, stats), Some(Effect::Sessions { detailed }))
        }
        Input::Due => (DrainState::Draining(here, stats), Some(Effect::Tick(passes(&window)))),
        Input::Answered => go_on(window, stats, at),
        Input::Looked(look) => {
            let paused = look.paused;
            stats.look(look, at);
            window.next_look = at + TICK;
            if stats.clients.remaining() == 0 && (window.empty || stats.clients.was_empty_from_the_start()) {
                return shut_down(stats, Ending::Empty, at);
            }
            window.empty = stats.clients.remaining() == 0;
            if at >= window.span.until {
                return shut_down(stats, Ending::DrainTimeout, at);
            }
            if window.empty {
                window.next_look = at + CONFIRM;
                return wait(Draining::Emptying(window), stats, at + CONFIRM);
            }
            // A ProxySQL that was started again meanwhile, or RESUME by hand.
            if paused == Some(false) && stats.may_pause_again() {
                return pause(stats, at);
            }
            act(window, stats, at, limits)
        }
        Input::Killed(killed, failure) => {
            stats.clients.told(killed);
            match failure {
                None => {
                    let detailed = stats.clients.are_looked_into();
                    (DrainState::Draining(here, stats), Some(Effect::Sessions { detailed }))
                }
                Some(failure) => step(window, stats, Input::Failed(failure), at, limits),
            }
        }
        _ => (DrainState::Draining(here, stats), None),
    }
}

/// What follows from a look.
fn act(mut window: Window, mut stats: DrainStats, at: Duration, limits: &Limits) -> NextStep {
    if !stats.may_set() {
        window.means = Means::Kill;
        return kill(window, stats, at, limits);
    }
    let sessions = stats.clients.sessions();
    let closing = Closing::at(at, window.closing_since, &window.span, sessions, stats.before.workers);
    if closing.holds() && at > window.closing_since {
        window.closing_since = at;
    }
    window.means = Means::Close(closing);
    match stats.wants_set(&closing) {
        Some(variables) => (DrainState::Draining(Draining::Emptying(window), stats), Some(Effect::Set(variables))),
        None => go_on(window, stats, at),
    }
}

/// Until the next look: a pass now and then.
fn go_on(window: Window, stats: DrainStats, at: Duration) -> NextStep {
    let next_look = window.next_look.min(window.span.until);
    let until = match window.means {
        Means::Close(closing) if closing.is_last_step() && stats.clients.remaining() <= DETAILED => {
            next_look.min(at + BREATH)
        }
        Means::Close(closing) if !closing.holds() && stats.clients.remaining() <= DETAILED => next_look.min(at + PASS),
        _ => next_look,
    };
    wait(Draining::Emptying(window), stats, until.max(at))
}

fn passes(window: &Window) -> u32 {
    match window.means {
        Means::Close(closing) if closing.is_last_step() => BURST,
        _ => 1,
    }
}

/// Kills in shares, one a tick: ten at least, and no more than it takes to be through by half of the window. Thousands of
/// clients that come back elsewhere do so one after the other.
fn kill(mut window: Window, stats: DrainStats, at: Duration, limits: &Limits) -> NextStep {
    let idle = stats.clients.killable(limits.evict_idle_after, stats.before.workers);
    if at >= window.next_share {
        let by = window.span.from + window.span.until.saturating_sub(window.span.from) / 2;
        let ticks = by.saturating_sub(at).as_millis().div_ceil(TICK.as_millis()).max(1);
        let even = idle.len().div_ceil(usize::try_from(ticks).unwrap_or(usize::MAX)) as u64;
        window.share = even.max(LEAST_SHARE);
        window.next_share = at + TICK;
    }
    let most = usize::try_from(window.share).unwrap_or(super::BATCH).min(super::BATCH);
    let batch: Vec<u64> = idle.into_iter().take(most).collect();
    window.share -= batch.len() as u64;
    if batch.is_empty() {
        window.next_look = window.next_share;
        let until = window.next_share.min(window.span.until);
        return wait(Draining::Emptying(window), stats, until);
    }
    (DrainState::Draining(Draining::Emptying(window), stats), Some(Effect::Kill(batch)))
}
