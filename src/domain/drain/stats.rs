//! The account of one shutdown: who was there, how they went, and how long each step took.

use std::collections::BTreeMap;
use std::time::Duration;

use super::closing::{Closing, Variables};
use super::emptying::is_killable;
use super::report::{Ending, Progress, Remaining, Seconds, Step};
use super::session::{Activity, Protocol, Session};
use super::{Before, Limits, Marked, Sessions};

/// The bound of everything once it was asked for twice.
pub(super) const HURRY: Duration = Duration::from_secs(1);

/// A look is not to be missed by who reads slowly: for so long after the last byte it counts as reading.
const STILL_READING: Duration = Duration::from_secs(8);
/// How often in a row variables are set that `ProxySQL` then shows otherwise.
const SETS: u32 = 3;
/// How often a listener that was found open is paused again.
const PAUSES: u32 = 2;
/// Sessions that the report names.
const NAMED: usize = 20;

/// What the shutdown remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, seen at another moment")]
pub struct DrainStats {
    /// Whether `ProxySQL` had answered before.
    pub(super) reached: bool,
    /// What was known of clients at the start.
    pub(super) before: Before,
    /// What was there before the drain, once that is remembered in `ProxySQL`.
    pub(super) marked: Option<Marked>,
    /// Since when sessions have been watched.
    pub(super) watched_since: Option<Duration>,
    /// Whether sessions are looked into.
    pub(super) looks_into: bool,
    /// The last look.
    last: Sessions,
    /// Sessions that are there, and what is known of each.
    present: BTreeMap<(Protocol, u64), Watched>,
    /// Sessions that were there, and how they went. With idle threads one that moves from a thread to another is in no list meanwhile, and
    /// who never rests for long moves all the time: one that is found after all is taken off.
    gone: BTreeMap<(Protocol, u64), (Watched, Way)>,
    /// Nobody was there at the first look.
    began_empty: bool,
    /// The look before the last one found, too, that nobody syncs from here.
    was_private: bool,
    /// Variables were set, and what was asked for last, so often in a row.
    set: Option<(Variables, u32)>,
    /// `ProxySQL` refuses to have variables set.
    cannot_set: bool,
    pauses: u32,
    /// When all of it is over, whatever hangs.
    pub(super) over_at: Duration,
    pub(super) hurried: bool,
    /// It cannot be cancelled any more: the node would not serve again.
    pub(super) goes_on: bool,
    pub(super) ending: Option<Ending>,
    notes: Vec<&'static str>,
    step: Step,
    since: Duration,
    spent: Seconds,
}

/// What is remembered of a session between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watched {
    activity: Activity,
    traffic: Option<(u64, u64)>,
    /// When it was last sent a part of a result without having asked for anything since.
    reading_at: Option<Duration>,
    /// It rests, and is to go for that.
    told: bool,
}

/// How a session went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Because it rested.
    Evicted,
    /// By itself.
    Finished,
}

impl DrainStats {
    pub(super) fn open(at: Duration, limits: &Limits, reached: bool, known: Option<Before>) -> Self {
        let mut account = Self {
            reached,
            before: Before { lists_idle: true, ..Before::default() },
            marked: None,
            watched_since: None,
            looks_into: false,
            last: Sessions::default(),
            present: BTreeMap::new(),
            gone: BTreeMap::new(),
            began_empty: false,
            was_private: false,
            set: None,
            cannot_set: false,
            pauses: 0,
            over_at: at + limits.shutdown_timeout,
            hurried: false,
            goes_on: false,
            ending: None,
            notes: Vec::new(),
            step: Step::Looking,
            since: at,
            spent: Seconds::default(),
        };
        if let Some(before) = known {
            account.learn(before);
        }
        account
    }

    pub(super) fn learn(&mut self, before: Before) {
        self.before = Before { served: self.before.served || before.served, ..before };
    }

    /// Takes in a look: who is there, who has gone since the last one, and who is still being sent a result.
    pub(super) fn look(&mut self, mut look: Sessions, at: Duration) {
        let is_first = self.watched_since.is_none();
        self.watched_since.get_or_insert(at);
        self.began_empty = if is_first { look.clients() == 0 } else { self.began_empty };
        let mut present = BTreeMap::new();
        for session in &mut look.sessions {
            let key = session.key();
            let back = self.gone.remove(&key).map(|(watched, _)| watched);
            let before = self.present.get(&key).or(back.as_ref());
            let reading_at = reading(session, before, at);
            if session.activity == Activity::Idle && reading_at.is_some() {
                session.activity = Activity::SlowReader;
            }
            let (activity, traffic) = (session.activity, session.traffic);
            let told = before.is_some_and(|before| before.told);
            present.insert(key, Watched { activity, traffic, reading_at, told });
        }
        let gone = self.present.iter().filter(|(key, _)| !present.contains_key(key));
        let gone: Vec<_> = gone.map(|(key, watched)| (*key, (*watched, self.way(watched)))).collect();
        self.gone.extend(gone);
        self.was_private = self.last.is_private();
        (self.present, self.last) = (present, look);
        // The text that is looked into is made only once the variable for that is set.
        self.looks_into = self.last.variables.get("mysql-show_processlist_extended").is_some_and(|value| value != "0");
        if self.last.paused == Some(false) && self.step == Step::Emptying {
            self.add_note("could not confirm that the listener is paused");
        }
        if !self.before.lists_idle && self.last.clients() > self.last.sessions.len() as u64 && !self.may_set() {
            self.add_note(
                "idle sessions are not listed, so none is evicted: mysql-session_idle_show_processlist is off",
            );
        }
    }

    /// How a session went that was last seen so.
    fn way(&self, watched: &Watched) -> Way {
        let rested = !matches!(watched.activity, Activity::Running | Activity::InTransaction);
        if watched.told || (rested && self.closes()) { Way::Evicted } else { Way::Finished }
    }

    /// How many have gone, and how many of them because they rested: not those who are counted still, and in no list at the moment.
    fn departed(&self) -> (u64, u64) {
        let moving = self.remaining().saturating_sub(self.last.sessions.len() as u64);
        let gone = (self.gone.len() as u64).saturating_sub(moving);
        let evicted = self.gone.values().filter(|(_, way)| *way == Way::Evicted).count() as u64;
        (gone, evicted.min(gone))
    }

    /// Whether sessions that rest are being closed by `ProxySQL`.
    fn closes(&self) -> bool {
        let own = self.marked.as_ref().and_then(|marked| marked.own.get("mysql-wait_timeout"));
        let set = self.set.as_ref().and_then(|(variables, _)| variables.get("mysql-wait_timeout"));
        set.is_some() && set != own
    }

    /// The sessions of the last look.
    pub(super) fn sessions(&self) -> &[Session] {
        &self.last.sessions
    }

    /// Clients at the last look.
    pub(super) fn remaining(&self) -> u64 {
        self.last.clients()
    }

    /// Nobody has been seen at all.
    pub(super) fn was_empty_from_the_start(&self) -> bool {
        self.began_empty && self.present.is_empty() && self.gone.is_empty()
    }

    /// Whether variables may be set: they are remembered, and no other node would take them over. Two looks have to agree on that.
    pub(super) fn may_set(&self) -> bool {
        let is_private = self.last.is_private() && (self.was_private || self.last.listed.is_none());
        self.marked.is_some() && !self.cannot_set && (is_private || self.set.is_some())
    }

    /// The variables that have to be set for this; `None` where all of them are so already, or may not be set.
    pub(super) fn wants_set(&mut self, closing: &Closing) -> Option<Variables> {
        if !self.may_set() {
            return None;
        }
        let wanted = closing.variables(&self.marked.as_ref()?.own);
        if wanted.iter().all(|(name, value)| self.last.variables.get(name) == Some(value)) {
            return None;
        }
        let tries = match &self.set {
            Some((before, tries)) if *before == wanted => tries + 1,
            _ => 1,
        };
        self.set = Some((wanted.clone(), tries));
        if tries > SETS {
            self.add_note("ProxySQL shows variables otherwise than the drain has set them");
            return None;
        }
        Some(wanted)
    }

    /// `ProxySQL` refuses to have variables set.
    pub(super) fn refused(&mut self) {
        self.cannot_set = true;
        self.add_note("ProxySQL rejected the variables of the drain, so it closes no sessions by itself");
    }

    /// Sessions that may be killed and were not told to go before, the longest idle first.
    pub(super) fn killable(&self, idle_after: Duration) -> Vec<u64> {
        let moves_after = self.last.variables.get("mysql-session_idle_ms").and_then(|value| value.parse().ok());
        let moves_after = Duration::from_millis(moves_after.unwrap_or(0)) + Duration::from_millis(10);
        let told = |session: &&Session| self.present.get(&session.key()).is_some_and(|watched| watched.told);
        let sessions = self.last.sessions.iter().filter(|session| !told(session));
        let workers = self.before.workers;
        sessions.filter(|s| is_killable(s, idle_after, moves_after, workers)).map(|session| session.id).collect()
    }

    /// These were told to go. They count once they are gone.
    pub(super) fn told(&mut self, sessions: Vec<u64>) {
        for id in sessions {
            if let Some(watched) = self.present.get_mut(&(Protocol::Mysql, id)) {
                watched.told = true;
            }
        }
    }

    /// Whether a listener that was found open is to be paused once more.
    pub(super) fn may_pause_again(&mut self) -> bool {
        self.pauses += 1;
        self.pauses <= PAUSES
    }

    pub(super) fn hurry(self, at: Duration) -> Self {
        self.hurry_after(at, at)
    }

    /// In a hurry, but not before what is under way has its answer.
    pub(super) fn hurry_after(mut self, by: Duration, at: Duration) -> Self {
        self.hurried = true;
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
        self.spent.add(self.step, at.saturating_sub(self.since));
        self.step = step;
        self.since = at;
        self
    }

    /// Whether variables were set that are to be put back.
    pub fn has_set(&self) -> bool {
        self.set.is_some()
    }

    /// The report as of `at`, for the log and for answers.
    pub fn progress(&self, at: Duration) -> Progress {
        let mut seconds = self.spent;
        seconds.add(self.step, at.saturating_sub(self.since));
        let present = if self.watched_since.is_none() { self.before.clients } else { self.remaining() };
        let (gone, evicted) = self.departed();
        let clients = self.before.clients.max(gone + present);
        let evicted = evicted.min(clients - present.min(clients));
        let cuts = self.cuts();
        Progress {
            step: self.step,
            ended: (self.step == Step::Over).then_some(self.ending).flatten(),
            clients,
            remaining: if cuts { 0 } else { present },
            evicted,
            finished: clients.saturating_sub(present).saturating_sub(evicted),
            cut: if cuts { present } else { 0 },
            left: self.left(),
            waiting_for: self.waiting_for(),
            seconds,
            notes: self.notes.clone(),
        }
    }

    /// How many of those who are there do what; every word is there.
    fn waiting_for(&self) -> BTreeMap<&'static str, u64> {
        let mut many: BTreeMap<_, _> = Activity::ALL.into_iter().map(|activity| (activity.as_str(), 0)).collect();
        for session in &self.last.sessions {
            *many.entry(session.activity.as_str()).or_default() += 1;
        }
        many
    }

    /// Some of those who are there: first those who have something to lose.
    fn left(&self) -> Vec<Remaining> {
        let mut sessions: Vec<&Session> = self.last.sessions.iter().collect();
        sessions.sort_by_key(|session| session.activity == Activity::Idle);
        let name = |session: &&Session| Remaining {
            user: session.client.user.clone(),
            client: session.client.address.clone(),
            why: session.activity,
            idle_seconds: session.idle,
        };
        sessions.iter().take(NAMED).map(name).collect()
    }

    /// Whether those who remain are not waited for any more.
    fn cuts(&self) -> bool {
        matches!(self.step, Step::ShuttingDown | Step::Over) && self.ending != Some(Ending::Cancelled)
    }
}

/// When a session was last seen to be sent something that it had asked for earlier.
fn reading(session: &Session, before: Option<&Watched>, at: Duration) -> Option<Duration> {
    let before = before?;
    let (Some((sent, received)), Some((sent_before, received_before))) = (session.traffic, before.traffic) else {
        return None;
    };
    match () {
        () if received != received_before || session.activity != Activity::Idle => None,
        () if sent > sent_before => Some(at),
        () => before.reading_at.filter(|reading_at| at.saturating_sub(*reading_at) < STILL_READING),
    }
}
