//! The account of one shutdown: who was there, how they went, and how long each step took.

use std::time::Duration;

use super::clients::Clients;
use super::closing::{Closing, Variables};
use super::report::{Ending, Progress, Seconds, Step};
use super::{Before, Limits, Marked, Sessions};

/// The bound of everything once it was asked for twice.
pub(super) const HURRY: Duration = Duration::from_secs(1);

/// How often in a row variables are set that `ProxySQL` then shows otherwise.
const SETS: u32 = 3;
/// How often a listener that was found open is paused again.
const PAUSES: u32 = 2;

/// What the shutdown remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainStats {
    /// Whether `ProxySQL` had answered before.
    pub(super) reached: bool,
    /// What was known of clients at the start.
    pub(super) before: Before,
    /// What was there before the drain, once that is remembered in `ProxySQL`.
    pub(super) marked: Option<Marked>,
    /// Who was there, who is, and how the others went.
    pub(super) clients: Clients,
    tries: Tries,
    /// When all of it is over, whatever hangs.
    pub(super) over_at: Duration,
    pub(super) urgency: Urgency,
    pub(super) ending: Option<Ending>,
    notes: Vec<&'static str>,
    timeline: Timeline,
}

/// What was tried, and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Tries {
    /// Variables were set, and what was asked for last, so often in a row.
    set: Option<(Variables, u32)>,
    /// `ProxySQL` refuses to have variables set.
    cannot_set: bool,
    pauses: u32,
}

/// What a drain cannot do any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Urgency {
    /// It does not wait for clients any more: it was asked for twice.
    pub(super) forced: bool,
    /// It cannot be cancelled any more: the node would not serve again.
    pub(super) goes_on: bool,
}

/// The step that the drain is at, since when, and how long the others took.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Timeline {
    step: Step,
    since: Duration,
    spent: Seconds,
}

impl DrainStats {
    pub(super) fn open(at: Duration, limits: &Limits, reached: bool, known: Option<Before>) -> Self {
        let mut stats = Self {
            reached,
            before: Before { lists_idle: true, ..Before::default() },
            marked: None,
            clients: Clients::default(),
            tries: Tries::default(),
            over_at: at + limits.shutdown_timeout,
            urgency: Urgency::default(),
            ending: None,
            notes: Vec::new(),
            timeline: Timeline { step: Step::Looking, since: at, spent: Seconds::default() },
        };
        if let Some(before) = known {
            stats.learn(before);
        }
        stats
    }

    pub(super) fn learn(&mut self, before: Before) {
        self.before = Before { served: self.before.served || before.served, ..before };
    }

    /// Records the result of one look at the client sessions.
    pub(super) fn look(&mut self, look: Sessions, at: Duration) {
        self.clients.look(look, self.closes(), at);
        let last = &self.clients.last;
        let idle_ones_are_missing = !self.before.lists_idle && last.clients() > last.sessions.len() as u64;
        if last.paused == Some(false) && self.timeline.step == Step::Emptying {
            self.add_note("could not confirm that the listener is paused");
        }
        if idle_ones_are_missing && !self.may_set() {
            self.add_note(
                "idle sessions are not listed, so none is evicted: mysql-session_idle_show_processlist is off",
            );
        }
    }

    /// Whether sessions that rest are being closed by `ProxySQL`.
    fn closes(&self) -> bool {
        let own = self.marked.as_ref().and_then(|marked| marked.own.get("mysql-wait_timeout"));
        let set = self.tries.set.as_ref().and_then(|(variables, _)| variables.get("mysql-wait_timeout"));
        set.is_some() && set != own
    }

    /// Whether variables may be set: they are remembered, and no other node would take them over. Two looks have to agree on that.
    pub(super) fn may_set(&self) -> bool {
        self.marked.is_some() && !self.tries.cannot_set && (self.clients.are_private() || self.tries.set.is_some())
    }

    /// The variables that have to be set for this; `None` where all of them are so already, or may not be set.
    pub(super) fn wants_set(&mut self, closing: &Closing) -> Option<Variables> {
        if !self.may_set() {
            return None;
        }
        let wanted = closing.variables(&self.marked.as_ref()?.own);
        if wanted.iter().all(|(name, value)| self.clients.last.variables.get(name) == Some(value)) {
            return None;
        }
        let tries = match &self.tries.set {
            Some((before, tries)) if *before == wanted => tries + 1,
            _ => 1,
        };
        self.tries.set = Some((wanted.clone(), tries));
        if tries > SETS {
            self.add_note("ProxySQL shows variables otherwise than the drain has set them");
            return None;
        }
        Some(wanted)
    }

    /// `ProxySQL` refuses to have variables set.
    pub(super) fn refused(&mut self) {
        self.tries.cannot_set = true;
        self.add_note("ProxySQL rejected the variables of the drain, so it closes no sessions by itself");
    }

    /// Whether a listener that was found open is to be paused once more.
    pub(super) fn may_pause_again(&mut self) -> bool {
        self.tries.pauses += 1;
        self.tries.pauses <= PAUSES
    }

    pub(super) fn hurry(self, at: Duration) -> Self {
        self.hurry_after(at, at)
    }

    /// In a hurry, but not before what is under way has its answer.
    pub(super) fn hurry_after(mut self, by: Duration, at: Duration) -> Self {
        self.urgency.forced = true;
        self.over_at = self.over_at.min(by.max(at) + HURRY);
        self
    }

    pub(super) fn close(&mut self, ending: Ending) {
        self.ending = Some(ending);
    }

    pub(super) fn note(mut self, note: &'static str) -> Self {
        self.add_note(note);
        self
    }

    pub(super) fn add_note(&mut self, note: &'static str) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn enter(mut self, step: Step, at: Duration) -> Self {
        self.timeline.spent.add(self.timeline.step, at.saturating_sub(self.timeline.since));
        self.timeline.step = step;
        self.timeline.since = at;
        self
    }

    /// Whether variables were set that are to be put back.
    pub fn has_set(&self) -> bool {
        self.tries.set.is_some()
    }

    /// The report as of `at`, for the log and for answers.
    pub fn progress(&self, at: Duration) -> Progress {
        let mut seconds = self.timeline.spent;
        seconds.add(self.timeline.step, at.saturating_sub(self.timeline.since));
        let present = if self.clients.since.is_none() { self.before.clients } else { self.clients.remaining() };
        let (gone, evicted) = self.clients.departed();
        let clients = self.before.clients.max(gone + present);
        let evicted = evicted.min(clients - present.min(clients));
        let cuts = self.cuts();
        Progress {
            step: self.timeline.step,
            ended: (self.timeline.step == Step::Over).then_some(self.ending).flatten(),
            clients,
            remaining: if cuts { 0 } else { present },
            evicted,
            finished: clients.saturating_sub(present).saturating_sub(evicted),
            cut: if cuts { present } else { 0 },
            left: self.clients.left(),
            waiting_for: self.clients.waiting_for(),
            seconds,
            notes: self.notes.clone(),
        }
    }

    /// Whether those who remain are not waited for any more.
    fn cuts(&self) -> bool {
        matches!(self.timeline.step, Step::ShuttingDown | Step::Over) && self.ending != Some(Ending::Cancelled)
    }
}
