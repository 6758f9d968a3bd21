//! The clients of a drain, from one look to the next: who is there, who has gone, and in which way.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Sessions;
use super::report::Remaining;
use super::session::{Activity, Protocol, Session};

/// A look is not to be missed by who reads slowly: for so long after the last byte it counts as reading.
const STILL_READING: Duration = Duration::from_secs(8);
/// Sessions that the report names.
const NAMED: usize = 20;

/// The clients as the looks have shown them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Clients {
    /// Since when sessions have been watched.
    pub(super) since: Option<Duration>,
    /// The last look.
    pub(super) last: Sessions,
    /// Sessions that are there, and what is known of each.
    present: BTreeMap<(Protocol, u64), Watched>,
    /// Sessions that were there, and how they went. With idle threads one that moves from a thread to another is in no list meanwhile, and
    /// who never rests for long moves all the time: one that is found after all is taken off.
    gone: BTreeMap<(Protocol, u64), (Watched, Way)>,
    /// The first look found no client.
    began_empty: bool,
    /// The look before the last one found as well that no node syncs from this one.
    pub(super) was_private: bool,
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

impl Clients {
    /// Takes in a look: who is there, who has gone since the last one, and who is still being sent a result. `closes` is whether `ProxySQL`
    /// closes sessions that rest.
    pub(super) fn look(&mut self, mut look: Sessions, closes: bool, at: Duration) {
        let is_first = self.since.is_none();
        self.since.get_or_insert(at);
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
        let gone: Vec<_> = gone.map(|(key, watched)| (*key, (*watched, watched.way(closes)))).collect();
        self.gone.extend(gone);
        self.was_private = self.last.is_private();
        (self.present, self.last) = (present, look);
    }

    /// How many have gone, and how many of them because they rested: not those who are counted still, and in no list at the moment.
    pub(super) fn departed(&self) -> (u64, u64) {
        let moving = self.remaining().saturating_sub(self.last.sessions.len() as u64);
        let gone = (self.gone.len() as u64).saturating_sub(moving);
        let evicted = self.gone.values().filter(|(_, way)| *way == Way::Evicted).count() as u64;
        (gone, evicted.min(gone))
    }

    /// The sessions of the last look.
    pub(super) fn sessions(&self) -> &[Session] {
        &self.last.sessions
    }

    /// Clients at the last look.
    pub(super) fn remaining(&self) -> u64 {
        self.last.clients()
    }

    /// No look has found a client.
    pub(super) fn was_empty_from_the_start(&self) -> bool {
        self.began_empty && self.present.is_empty() && self.gone.is_empty()
    }

    /// Whether no node syncs from this one, by two looks in succession.
    pub(super) fn are_private(&self) -> bool {
        self.last.is_private() && (self.was_private || self.last.listed.is_none())
    }

    /// Whether sessions are looked into: the text for that is made only once the variable for it is set.
    pub(super) fn are_looked_into(&self) -> bool {
        self.last.variables.get("mysql-show_processlist_extended").is_some_and(|value| value != "0")
    }

    /// Sessions that may be killed and were not told to go before, the longest idle first.
    pub(super) fn killable(&self, idle_after: Duration, workers: u32) -> Vec<u64> {
        let moves_after = self.last.variables.get("mysql-session_idle_ms").and_then(|value| value.parse().ok());
        let moves_after = Duration::from_millis(moves_after.unwrap_or(0)) + Duration::from_millis(10);
        let told = |session: &&Session| self.present.get(&session.key()).is_some_and(|watched| watched.told);
        let sessions = self.last.sessions.iter().filter(|session| !told(session));
        sessions.filter(|s| s.is_killable(idle_after, moves_after, workers)).map(|session| session.id).collect()
    }

    /// These were told to go. They count once they are gone.
    pub(super) fn told(&mut self, sessions: Vec<u64>) {
        for id in sessions {
            if let Some(watched) = self.present.get_mut(&(Protocol::Mysql, id)) {
                watched.told = true;
            }
        }
    }

    /// How many of those who are there do what; every word is there.
    pub(super) fn waiting_for(&self) -> BTreeMap<&'static str, u64> {
        let mut many: BTreeMap<_, _> = Activity::ALL.into_iter().map(|activity| (activity.as_str(), 0)).collect();
        for session in &self.last.sessions {
            *many.entry(session.activity.as_str()).or_default() += 1;
        }
        many
    }

    /// Some of those who are there: first those who have something to lose.
    pub(super) fn left(&self) -> Vec<Remaining> {
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
}

impl Watched {
    /// How the session went, if it has: `closes` is whether `ProxySQL` closes sessions that rest.
    fn way(&self, closes: bool) -> Way {
        let rested = !matches!(self.activity, Activity::Running | Activity::InTransaction);
        if self.told || (rested && closes) { Way::Evicted } else { Way::Finished }
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
