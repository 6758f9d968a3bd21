//! What the agent has counted since it started, for metrics. Nothing is decided by it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::drain::{Ending, Progress};
use crate::domain::proxysql::module::Module;

/// Kinds of statements that are worth telling apart: by what they are for, and so by how long they may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementClass {
    /// What a round decides on.
    Observe,
    /// What probes are answered from.
    Health,
    /// What is in memory, in the file or in effect, and what is written into memory.
    Compare,
    /// `LOAD … TO RUNTIME`.
    Load,
    /// Marks in `ProxySQL`'s own memory.
    Mark,
    /// Who is connected, and `KILL CONNECTION`.
    Drain,
    /// `PROXYSQL PAUSE`, RESUME, SHUTDOWN.
    Command,
    /// Anything that is asked of another node.
    Peer,
}

impl StatementClass {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 8] =
        [Self::Observe, Self::Health, Self::Compare, Self::Load, Self::Mark, Self::Drain, Self::Command, Self::Peer];

    /// The value of the label `class`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Health => "health",
            Self::Compare => "compare",
            Self::Load => "load",
            Self::Mark => "marker",
            Self::Drain => "drain",
            Self::Command => "lifecycle",
            Self::Peer => "peer",
        }
    }
}

/// Why a statement has no answer, or a refusal for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementFailure {
    /// The file with the password does not read.
    Password,
    /// The agent's own system: the name does not resolve, no file descriptor is left.
    Local,
    /// No connection came about.
    Unreachable,
    /// `ProxySQL` refused user and password.
    Login,
    /// No answer in time, to the login or to the statement.
    Timeout,
    /// An `ERR`.
    Refused,
    /// The connection broke.
    Lost,
}

impl StatementFailure {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 7] =
        [Self::Password, Self::Local, Self::Unreachable, Self::Login, Self::Timeout, Self::Refused, Self::Lost];

    /// The value of the label `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Local => "local",
            Self::Unreachable => "unreachable",
            Self::Login => "login",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Lost => "lost",
        }
    }
}

/// What kept the agent from doing something that could have done harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The configuration file cannot be read, or not all of it.
    BrokenFile,
    /// It would leave no users or no servers.
    WouldEmpty,
    /// It would lock the agent or the other nodes out.
    Lockout,
    /// `ProxySQL` refused a statement on the way, and memory was put back.
    Rejected,
    /// The file is that of an older generation of pods.
    OlderGeneration,
    /// No core pod runs, says who should know.
    EmptyList,
    /// `ProxySQL` passes over what the file names, and something in effect would go or stay for that.
    PassedOver,
}

impl Guard {
    /// All of them, in the order in which they are declared.
    pub const ALL: [Self; 7] = [
        Self::BrokenFile,
        Self::WouldEmpty,
        Self::Lockout,
        Self::Rejected,
        Self::OlderGeneration,
        Self::EmptyList,
        Self::PassedOver,
    ];

    /// The value of the label `guard`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BrokenFile => "broken_file",
            Self::WouldEmpty => "would_empty",
            Self::Lockout => "lockout",
            Self::Rejected => "rejected",
            Self::OlderGeneration => "older_revision",
            Self::EmptyList => "empty_list",
            Self::PassedOver => "passed_over",
        }
    }
}

/// Something that happened once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Statements that change a module were sent.
    Plan(Module),
    /// A module was put into effect.
    Load(Module),
    /// A guard said no.
    Refusal(Guard),
    /// A round ended, well or not.
    Round(bool),
    /// The configuration was read again.
    Reload,
    /// This node was told to follow the cores again.
    Resync,
}

/// Upper bounds of the buckets of [`Latency`], in seconds. `PROXYSQL PAUSE` takes a second for each worker thread.
pub const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// How long something took, as a histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Latency {
    /// How many took at most so long and longer than the bucket before; the last one is for those beyond every bound.
    pub buckets: [u64; BUCKETS.len() + 1],
    /// The sum of all, in seconds.
    pub sum: f64,
}

impl Latency {
    /// Takes one in.
    pub fn took(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        let bucket = BUCKETS.iter().position(|bound| seconds <= *bound).unwrap_or(BUCKETS.len());
        self.buckets[bucket] += 1;
        self.sum += seconds;
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// What was counted. It only grows, and its size does not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counters {
    latencies: [Latency; StatementClass::ALL.len()],
    errors: [[u64; StatementFailure::ALL.len()]; StatementClass::ALL.len()],
    /// Logins to the admin port beside this agent.
    pub connections: u64,
    /// Reconciles by result.
    pub reconciles: Reconciles,
    /// Applied plans, by module.
    pub plans: BTreeMap<Module, u64>,
    /// Modules that were put into effect.
    pub loads: BTreeMap<Module, u64>,
    refusals: [u64; Guard::ALL.len()],
    /// How often the configuration was read again.
    pub reloads: u64,
    /// How often this node was told to follow the cores again.
    pub resyncs: u64,
    /// Drains that have ended.
    pub drains: Drains,
}

/// Reconciles, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciles {
    /// Those that went well.
    pub ok: u64,
    /// Those that did not.
    pub failed: u64,
}

/// Drains that have ended, and how their clients left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drains {
    endings: [u64; Ending::ALL.len()],
    /// Clients that were evicted.
    pub evicted: u64,
    /// Clients that left by themselves.
    pub finished: u64,
    /// Clients that were terminated.
    pub terminated: u64,
}

impl Drains {
    /// How many ended so.
    pub fn ended(&self, ending: Ending) -> u64 {
        self.endings[ending as usize]
    }
}

impl Counters {
    /// A statement took so long, and failed if it did.
    pub fn statement(&mut self, class: StatementClass, took: Duration, failure: Option<StatementFailure>) {
        self.latencies[class as usize].took(took);
        if let Some(failure) = failure {
            self.errors[class as usize][failure as usize] += 1;
        }
    }

    /// Counts one more.
    pub fn count(&mut self, what: Count) {
        match what {
            Count::Plan(module) => *self.plans.entry(module).or_default() += 1,
            Count::Load(module) => *self.loads.entry(module).or_default() += 1,
            Count::Refusal(guard) => self.refusals[guard as usize] += 1,
            Count::Round(true) => self.reconciles.ok += 1,
            Count::Round(false) => self.reconciles.failed += 1,
            Count::Reload => self.reloads += 1,
            Count::Resync => self.resyncs += 1,
        }
    }

    /// A drain has ended, with this report.
    pub fn drained(&mut self, report: &Progress) {
        if let Some(ending) = report.ended {
            self.drains.endings[ending as usize] += 1;
        }
        self.drains.evicted += report.evicted;
        self.drains.finished += report.finished;
        self.drains.terminated += report.cut;
    }

    /// How long statements of a class took.
    pub fn latency(&self, class: StatementClass) -> &Latency {
        &self.latencies[class as usize]
    }

    /// How often statements of a class failed in one way.
    pub fn errors(&self, class: StatementClass, failure: StatementFailure) -> u64 {
        self.errors[class as usize][failure as usize]
    }

    /// How often a guard said no.
    pub fn refusals(&self, guard: Guard) -> u64 {
        self.refusals[guard as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_where_its_list_has_it() {
        assert!(StatementClass::ALL.iter().enumerate().all(|(at, class)| *class as usize == at));
        assert!(StatementFailure::ALL.iter().enumerate().all(|(at, failure)| *failure as usize == at));
        assert!(Guard::ALL.iter().enumerate().all(|(at, guard)| *guard as usize == at));
        assert!(Ending::ALL.iter().enumerate().all(|(at, ending)| *ending as usize == at));
    }

    #[test]
    fn a_time_is_in_the_first_bucket_that_holds_it() {
        let mut latency = Latency::default();
        for ms in [0, 1, 2, 500, 501, 60_000] {
            latency.took(Duration::from_millis(ms));
        }
        assert_eq!(latency.buckets, [2, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1]);
        assert_eq!(latency.count(), 6);
        assert!((latency.sum - 61.004).abs() < 1e-9, "{}", latency.sum);
    }

    #[test]
    fn what_fails_is_counted_as_a_statement_and_as_an_error() {
        let mut counters = Counters::default();
        counters.statement(StatementClass::Load, Duration::from_millis(3), None);
        counters.statement(StatementClass::Load, Duration::from_secs(10), Some(StatementFailure::Timeout));
        assert_eq!(
            (counters.latency(StatementClass::Load).count(), counters.latency(StatementClass::Compare).count()),
            (2, 0)
        );
        assert_eq!(
            (
                counters.errors(StatementClass::Load, StatementFailure::Timeout),
                counters.errors(StatementClass::Load, StatementFailure::Lost)
            ),
            (1, 0)
        );
    }
}
