//! What may be wrong with the API server, switched on and off while it runs.

use std::time::Duration;

/// What becomes of a request in place of its proper answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is answered, and watches that are open fall silent, until the fault is gone.
    Hang,
    /// A `Status` of this code; 410 is what an expired revision gets, 429 carries `Retry-After`.
    Status(u16),
    /// A 200 whose body is no JSON.
    Garbage,
    /// A list without pods; a watch that starts without them.
    Empty,
    /// Watches answer 200 with an `ERROR` event of code 410 in the stream; lists answer 410.
    Expired,
}

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Lists, watches and reads of one pod.
    All,
    /// Lists.
    Lists,
    /// Watches.
    Watches,
    /// Reads of one object.
    Gets,
}

/// All that is wrong at present. Watches subscribe to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    pub(super) lists: Option<Fault>,
    pub(super) watches: Option<Fault>,
    pub(super) gets: Option<Fault>,
    /// Before every answer.
    pub(super) delay: Duration,
    /// After which a watch breaks off.
    pub(super) watch_life: Option<Duration>,
    /// Watches older than the latest cut break off.
    pub(super) cuts: u64,
    /// Watches older than the latest stranding say nothing any more, for ever.
    pub(super) strandings: u64,
}

impl Trouble {
    pub(super) fn set(&mut self, scope: Scope, fault: Option<&Fault>) {
        let (all, fault) = (scope == Scope::All, fault.cloned());
        if all || scope == Scope::Lists {
            self.lists.clone_from(&fault);
        }
        if all || scope == Scope::Watches {
            self.watches.clone_from(&fault);
        }
        if all || scope == Scope::Gets {
            self.gets = fault;
        }
    }

    pub(super) fn of(&self, scope: Scope) -> Option<&Fault> {
        match scope {
            Scope::Lists | Scope::All => self.lists.as_ref(),
            Scope::Watches => self.watches.as_ref(),
            Scope::Gets => self.gets.as_ref(),
        }
    }

    /// Everything that passes is over; cuts and strandings that happened have happened.
    pub(super) fn heal(&mut self) {
        *self = Self { cuts: self.cuts, strandings: self.strandings, ..Self::default() };
    }
}
