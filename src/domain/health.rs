//! What a probe is told: one look at `ProxySQL`'s health, and what follows from it.

mod contact;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

pub use self::contact::{Contact, Obstacle};
use crate::domain::drain::{Phase, Progress};
use crate::domain::endpoint::Endpoint;
use crate::domain::proxysql::observation::{Unreadable, number};

/// One answer to [`crate::domain::proxysql::statement::Statement::Health`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, as ProxySQL says it")]
pub struct Snapshot {
    /// Users in effect that clients can log in as, `MySQL`'s and `PostgreSQL`'s.
    pub users: u64,
    /// Logged-in clients, `MySQL`'s and `PostgreSQL`'s. A TCP connection that never logs in is none.
    pub clients: u64,
    /// Whether a client has ever run anything in this `ProxySQL` process.
    pub served: bool,
    /// Servers in effect, by hostgroup and status.
    pub backends: BTreeMap<(String, String), u64>,
    /// Whether a listener is paused. Releases before 2.6.1 do not say.
    pub paused: bool,
    /// Worker threads, `MySQL`'s and `PostgreSQL`'s: `PROXYSQL PAUSE` takes about a second for each.
    pub threads: u32,
    /// Worker threads of `MySQL` alone. Idle threads, where there are any, have the numbers after them.
    pub workers: u32,
    /// Whether idle sessions are listed, `mysql-session_idle_show_processlist`.
    pub lists_idle: bool,
    /// Whether this `ProxySQL` has the tables of `PostgreSQL`.
    pub pgsql: bool,
    /// Rows of `proxysql_servers` in effect: address with port, one of IPv6 in brackets, and comment.
    pub members: Vec<(String, String)>,
    /// The release, as `ProxySQL` names it; empty where it does not.
    pub version: String,
    /// For how many seconds this `ProxySQL` process has run; `None` where it does not say.
    pub uptime: Option<u64>,
}

impl Snapshot {
    /// Reads the rows of an answer.
    ///
    /// # Errors
    /// A value that is not of the type that its column has.
    pub fn read(rows: &[Vec<String>]) -> Result<Self, Unreadable> {
        let mut seen = Self { lists_idle: true, ..Self::default() };
        for row in rows {
            let column = |i: usize| row.get(i).map_or("", String::as_str);
            match column(0) {
                "users" => {
                    seen.users += number::<u64>("a number of users", column(1))?;
                    seen.clients += number::<u64>("a number of clients", column(2))?;
                }
                "backends" => {
                    let many: u64 = number("a number of backends", column(3))?;
                    *seen.backends.entry((column(1).to_owned(), column(2).to_owned())).or_default() += many;
                }
                "global" => match column(1) {
                    "mysql_listener_paused" | "pgsql_listener_paused" => seen.paused |= column(2) == "true",
                    "ProxySQL_Uptime" => seen.uptime = column(2).parse().ok(),
                    "Questions" => seen.served |= number::<u64>("Questions", column(2))? > 0,
                    _ => {}
                },
                "variable" => match column(1) {
                    "admin-version" => column(2).clone_into(&mut seen.version),
                    "mysql-threads" => {
                        seen.workers = number("mysql-threads", column(2))?;
                        seen.threads += seen.workers;
                    }
                    "pgsql-threads" => seen.threads += number::<u32>("pgsql-threads", column(2))?,
                    "mysql-session_idle_show_processlist" => seen.lists_idle = column(2) == "true",
                    _ => {}
                },
                "member" => {
                    let address = Endpoint::new(column(1), column(2)).to_string();
                    seen.members.push((address, column(3).to_owned()));
                }
                "pgsql" => seen.pgsql = column(1) != "0",
                other => return Err(Unreadable::new("a row's kind", other)),
            }
        }
        seen.served |= seen.clients > 0;
        Ok(seen)
    }

    /// How many servers there are, and how they are.
    pub fn counts(&self) -> BackendCounts {
        let mut counts = BackendCounts::default();
        for ((_, status), many) in &self.backends {
            counts.total += many;
            match status.as_str() {
                "ONLINE" => counts.online += many,
                // Also SHUNNED_REPLICATION_LAG.
                status if status.starts_with("SHUNNED") => counts.shunned += many,
                _ => {}
            }
        }
        counts
    }
}

/// Servers in effect, as the probes show them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BackendCounts {
    /// All of them, whatever their status.
    pub total: u64,
    /// Those that take queries.
    pub online: u64,
    /// Those that `ProxySQL` itself has taken out for a while.
    pub shunned: u64,
}

/// Which question a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Has `ProxySQL` come up?
    Started,
    /// Should clients be sent here?
    Ready,
    /// Should `ProxySQL` be left running?
    Live,
}

impl Probe {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Started, Self::Ready, Self::Live];

    /// Kubernetes' word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "startup",
            Self::Ready => "readiness",
            Self::Live => "liveness",
        }
    }
}

/// What the configuration asks of health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A longer silence counts as `ProxySQL`'s.
    pub max_age: Duration,
    /// Whether readiness asks for a user and a server in effect.
    pub require_config: bool,
    /// How many servers must be ONLINE for readiness.
    pub min_online: u64,
}

/// Every word that [`Reason::reason`] can be.
pub const REASONS: [&str; 7] =
    ["draining", "unreachable", "login_refused", "agent_error", "paused", "unconfigured", "too_few_online"];

/// Why a probe says no. The word is stable, for machines; the sentence is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// One of [`REASONS`].
    pub reason: &'static str,
    /// What is the matter.
    pub message: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.message)
    }
}

/// Whether a probe says yes, and if not why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Yes.
    pub ok: bool,
    /// Why the answer is no; empty where it is yes.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// Whether the answer is no because this node is shutting down.
    pub fn is_draining(&self) -> bool {
        self.reasons.iter().any(|reason| reason.reason == "draining")
    }
}

/// What is known when a probe asks.
#[derive(Debug, Clone, Copy)]
pub struct HealthInput<'a> {
    /// The last snapshot, if there is one.
    pub snapshot: Option<&'a Snapshot>,
    /// Its age.
    pub age: Option<Duration>,
    /// How `ProxySQL` answers.
    pub contact: Contact,
    /// For how long `ProxySQL` has met questions with silence; zero where it gave any sign, or was not asked.
    pub silence: Duration,
    /// What the last failure was, in words.
    pub trouble: Option<&'a str>,
    /// How far down the way.
    pub stage: Phase,
    /// The drain that is under way, or the last one.
    pub drain: Option<&'a Progress>,
}

impl HealthInput<'_> {
    /// Whether this node is shutting down.
    pub fn is_draining(&self) -> bool {
        self.stage != Phase::Running
    }

    /// Logged-in clients, as of the snapshot.
    pub fn clients(&self) -> u64 {
        self.snapshot.map_or(0, |snapshot| snapshot.clients)
    }

    /// Servers, as of the snapshot.
    pub fn backends(&self) -> BackendCounts {
        self.snapshot.map(Snapshot::counts).unwrap_or_default()
    }

    /// How old the snapshot is, in ms.
    pub fn age_ms(&self) -> Option<u64> {
        self.age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Answers a probe from what is known.
pub fn probe_verdict(known: &HealthInput<'_>, policy: &Policy, probe: Probe) -> Verdict {
    let reasons = reasons(known, policy, probe);
    Verdict { ok: reasons.is_empty(), reasons }
}

fn reasons(known: &HealthInput<'_>, policy: &Policy, probe: Probe) -> Vec<Reason> {
    let draining = known.is_draining();
    match probe {
        // Never restarted on its way down.
        Probe::Started | Probe::Live if draining => Vec::new(),
        // A login that is refused is an answer, and what the agent cannot find out is not `ProxySQL`'s fault: a restart mends neither.
        Probe::Started if matches!(known.contact, Contact::Barred(_) | Contact::Unable(_)) => Vec::new(),
        Probe::Started => unreachable(known, policy.max_age).into_iter().collect(),
        // Nor before it was up: that is the startup probe's to judge.
        Probe::Live if known.contact == Contact::Never => Vec::new(),
        // A process that is gone is being restarted already.
        Probe::Live => silent(known.silence, policy.max_age).into_iter().collect(),
        Probe::Ready if draining => {
            vec![Reason { reason: "draining", message: "this node is shutting down".to_owned() }]
        }
        Probe::Ready => {
            let mut reasons: Vec<Reason> = unreachable(known, policy.max_age).into_iter().collect();
            reasons.extend(known.snapshot.into_iter().flat_map(|snapshot| shortcomings(snapshot, policy)));
            if reasons.is_empty() && known.snapshot.is_none() {
                reasons.push(Reason { reason: "unreachable", message: "no health snapshot yet".to_owned() });
            }
            reasons
        }
    }
}

/// Why nothing is known of `ProxySQL`, if that is so.
fn unreachable(known: &HealthInput<'_>, max_age: Duration) -> Option<Reason> {
    let because = |reason, message: &str| Some(Reason { reason, message: message.to_owned() });
    let is_stale = |silence: Duration| silence > max_age || known.snapshot.is_none();
    match known.contact {
        Contact::Never => because("unreachable", "ProxySQL has not answered yet"),
        Contact::Gone(_) => because("unreachable", "ProxySQL's admin port refuses connections"),
        Contact::Answering(silence) => silent(silence, max_age),
        Contact::Barred(silence) if is_stale(silence) => {
            because("login_refused", known.trouble.unwrap_or("ProxySQL refused the agent's login"))
        }
        Contact::Unable(silence) if is_stale(silence) => {
            because("agent_error", known.trouble.unwrap_or("the agent cannot query ProxySQL"))
        }
        Contact::Barred(_) | Contact::Unable(_) => None,
    }
}

fn silent(silence: Duration, max_age: Duration) -> Option<Reason> {
    let message = format!("ProxySQL has not answered for {:.1} s", silence.as_secs_f64());
    (silence > max_age).then_some(Reason { reason: "unreachable", message })
}

fn shortcomings(snapshot: &Snapshot, policy: &Policy) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut because = |reason: &'static str, message: String| reasons.push(Reason { reason, message });
    let backends = snapshot.counts();
    if snapshot.paused {
        because("paused", "ProxySQL's listener is paused".to_owned());
    }
    if policy.require_config && (snapshot.users == 0 || backends.total == 0) {
        let missing = match (snapshot.users, backends.total) {
            (0, 0) => "user and no server",
            (0, _) => "user",
            _ => "server",
        };
        because("unconfigured", format!("ProxySQL has no {missing} at runtime"));
    }
    if backends.online < policy.min_online {
        let (online, wanted) = (backends.online, policy.min_online);
        because("too_few_online", format!("{online} of {wanted} required backends are online"));
    }
    reasons
}
