//! The agent's side of the status: one way to change it for each thing that happens.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Status;
use crate::domain::counters::{Count, StatementClass, StatementFailure};
use crate::domain::drain::{Phase, Progress};
use crate::domain::health::{Obstacle, Snapshot};
use crate::domain::proxysql::module::Module;
use crate::domain::proxysql::observation::Observation;
use crate::domain::reconcile_report::ReconcileReport;

/// Changes the status. Its clones are the agent's, too; who reads holds a [`State`](super::State).
#[derive(Debug, Clone)]
pub struct StatusWriter(watch::Sender<Status>);

/// How a statement ended.
#[derive(Debug)]
pub struct StatementEnd {
    /// Its kind.
    pub class: StatementClass,
    /// The module that it puts into effect.
    pub loads: Option<Module>,
    /// When it was sent.
    pub began: Instant,
    /// How it failed, if it did; an `ERR` counts.
    pub failure: Option<StatementFailure>,
    /// What was in the way of an answer, and that in words; `None` where there is one, be it an `ERR`.
    pub obstacle: Option<(Obstacle, String)>,
    /// How often the agent has logged in by now.
    pub connections: u64,
}

impl StatusWriter {
    /// A status of which nothing is known yet.
    pub(super) fn new() -> (Self, watch::Receiver<Status>) {
        let (sender, receiver) = watch::channel(Status::default());
        (Self(sender), receiver)
    }

    /// The status as it is.
    pub fn status(&self) -> watch::Ref<'_, Status> {
        self.0.borrow()
    }

    /// The agent has started; whether nothing is asked of `ProxySQL` before `start_delay` is over.
    pub fn started(&self, delayed: bool) {
        self.publish(|status| status.asleep = delayed);
    }

    /// A round begins: if there was a delay, it is over.
    pub fn round_began(&self) {
        self.note(|status| status.asleep = false);
    }

    /// A round ended, well or not, and left things like this.
    pub fn round_ended(&self, well: bool, report: ReconcileReport) {
        self.counted(Count::Round(well));
        if *self.status().report() == report {
            return;
        }
        self.publish(|status| status.report = report);
    }

    /// A statement is about to be sent.
    pub fn statement_began(&self, now: Instant) {
        self.note(|status| status.answers.asks(now));
    }

    /// It was answered, or not.
    pub fn statement_ended(&self, end: StatementEnd) {
        let StatementEnd { class, loads, began, failure, obstacle, connections } = end;
        self.note(|status| {
            let now = Instant::now();
            match obstacle {
                None => status.answers.answers(now),
                Some((obstacle, reason)) => {
                    status.answers.fails(obstacle);
                    status.answers.trouble = Some(reason);
                }
            }
            status.counters.statement(class, now - began, failure);
            status.counters.connections = connections;
            if let (None, Some(module)) = (failure, loads) {
                status.counters.count(Count::Load(module));
            }
        });
    }

    /// Another node was asked something, which took so long, and failed if it did.
    pub fn peer_asked(&self, took: Duration, failure: Option<StatementFailure>) {
        self.note(|status| status.counters.statement(StatementClass::Peer, took, failure));
    }

    /// Something happened once more.
    pub fn counted(&self, what: Count) {
        self.note(|status| status.counters.count(what));
    }

    /// The admin tables were read.
    pub fn observed(&self, seen: Observation) {
        self.note(|status| status.observed = Some((seen, Instant::now())));
    }

    /// A look at health was answered. A `ProxySQL` that has ever served has done so even where this look does not show it.
    pub fn looked(&self, mut snapshot: Snapshot) {
        self.publish(|status| {
            snapshot.served |= status.seen().is_some_and(|(last, _)| last.served);
            status.looks.seen = Some((snapshot, Instant::now()));
        });
    }

    /// A look at health failed.
    pub fn look_failed(&self, reason: String) {
        self.publish(|status| {
            status.looks.failed_at = Some(Instant::now());
            status.answers.trouble = Some(reason);
        });
    }

    /// A look at the sessions counted this many clients.
    pub fn clients_counted(&self, clients: u64) {
        self.note(|status| {
            if let Some((snapshot, at)) = &mut status.looks.seen {
                (snapshot.clients, *at) = (clients, Instant::now());
            }
        });
    }

    /// The last look at health is of no use any more: the next probe asks.
    pub fn look_outdated(&self) {
        self.note(|status| status.looks.seen = None);
    }

    /// A drain was asked for, and begins.
    pub fn drain_began(&self) {
        self.publish(|status| status.lifecycle.stage = Phase::Draining);
    }

    /// A drain is at this stage, and so far.
    pub fn drain_progressed(&self, stage: Phase, progress: Progress) {
        self.publish(|status| {
            status.lifecycle.stage = stage;
            status.lifecycle.drain = Some(progress);
        });
    }

    /// A drain is over, with this report, and the process is at this stage: seen with the count of drains, never one without the other.
    pub fn drain_ended(&self, stage: Phase, report: Option<Progress>) {
        self.publish(|status| {
            status.lifecycle.stage = stage;
            if let Some(report) = &report {
                status.counters.drained(report);
            }
            status.lifecycle.drain = report;
            status.lifecycle.drains_ended += 1;
        });
    }

    /// Changes the status and wakes whoever waits for that.
    fn publish(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_modify(|status| {
            let before = status.stage();
            change(status);
            if status.stage() != before {
                status.lifecycle.stage_since = Some(Instant::now());
            }
        });
    }

    /// Changes what nobody waits for.
    fn note(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_if_modified(|status| {
            change(status);
            false
        });
    }
}
