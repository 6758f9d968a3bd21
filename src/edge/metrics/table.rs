//! Every metric there is: the one definition of names, meanings and values.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Metric, MetricKind, Samples, View};
use crate::domain::cluster::drift::DriftClass as Divergence;
use crate::domain::cluster::member::Member;
use crate::domain::cluster::rollout::RolloutState;
use crate::domain::cluster::sync_state;
use crate::domain::counters::{Guard, StatementClass, StatementFailure};
use crate::domain::drain::session::Activity;
use crate::domain::drain::{Ending, Phase, Step};
use crate::domain::health::{Contact, Probe, REASONS, Snapshot, probe_verdict};
use crate::domain::proxysql::module::Module;

/// Series of one family whose labels come from outside, at most: a table that went mad must not fill a database.
const MOST_SERIES: usize = 500;

const fn gauge(name: &'static str, help: &'static str, samples: fn(&View<'_>, &mut Samples<'_>)) -> Metric {
    Metric { name, kind: MetricKind::Gauge, unit: None, labels: &[], help, samples }
}

const fn counter(name: &'static str, help: &'static str, samples: fn(&View<'_>, &mut Samples<'_>)) -> Metric {
    Metric { kind: MetricKind::Counter, ..gauge(name, help, samples) }
}

const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: fn(&View<'_>, &mut Samples<'_>),
) -> Metric {
    Metric { kind: MetricKind::Info, labels, ..gauge(name, help, samples) }
}

/// Whether `ProxySQL` answers.
fn is_up(view: &View<'_>) -> bool {
    matches!(view.status.contact(view.now), Contact::Answering(silence) if silence <= view.policy.max_age)
}

/// The last health snapshot while `ProxySQL` answers: the past of a `ProxySQL` that is down is nothing to draw a curve of.
fn current<'a>(view: &View<'a>) -> Option<&'a Snapshot> {
    view.status.seen().filter(|_| is_up(view)).map(|(snapshot, _)| snapshot)
}

impl Metric {
    const fn by(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    const fn seconds(mut self) -> Self {
        self.unit = Some("seconds");
        self
    }

    const fn histogram(mut self) -> Self {
        self.kind = MetricKind::Histogram;
        self
    }
}

/// All of them. What is not known yet, or no longer, has no sample; series of removed peers and hostgroups disappear.
pub const METRICS: &[Metric] = &[
    info("build", &["version", "mode"], "Version and run mode of the agent.", |view, out| {
        out.info(&[env!("CARGO_PKG_VERSION"), view.process.mode]);
    }),
    gauge("start_time", "Start time of the agent, in seconds since the Unix epoch.", |view, out| {
        out.put(&[], view.process.started);
    })
    .seconds(),
    counter("log_lines_dropped", "Log lines dropped because the reader of the log was too slow.", |view, out| {
        out.count(&[], view.dropped);
    }),
    gauge("phase", "1 for the current phase of this node: running, draining, stopping or stopped.", |view, out| {
        for stage in Phase::ALL {
            out.flag(&[stage.as_str()], view.status.stage() == stage);
        }
    })
    .by(&["phase"]),
    gauge("probe_ok", "1 if the probe currently succeeds.", |view, out| {
        let known = view.status.known(view.now);
        for probe in Probe::ALL {
            out.flag(&[probe.as_str()], probe_verdict(&known, &view.policy, probe).ok);
        }
    })
    .by(&["probe"]),
    gauge("not_ready", "1 for each reason why the readiness probe fails.", |view, out| {
        let verdict = probe_verdict(&view.status.known(view.now), &view.policy, Probe::Ready);
        for reason in REASONS {
            out.flag(&[reason], verdict.reasons.iter().any(|given| given.reason == reason));
        }
    })
    .by(&["reason"]),
    gauge(
        "snapshot_age",
        "Age of the last health snapshot; refreshed by probes and GET /status.",
        |view, out| {
            if let Some((_, at)) = view.status.seen() {
                out.put(&[], (view.now - *at).as_secs_f64());
            }
        },
    )
    .seconds(),
    gauge("observation_age", "Age of the last reconcile's view of ProxySQL.", |view, out| {
        if let Some((_, at)) = view.status.observed() {
            out.put(&[], (view.now - *at).as_secs_f64());
        }
    })
    .seconds(),
    gauge(
        "proxysql_up",
        "1 if ProxySQL has answered within health.max_age, otherwise 0.",
        |view, out| {
            out.flag(&[], is_up(view));
        },
    ),
    gauge("proxysql_unanswered", "Age of the oldest unanswered query to ProxySQL; 0 if there is none.", |view, out| {
        let silence = view.status.contact(view.now).silence().unwrap_or(Duration::ZERO);
        out.put(&[], silence.as_secs_f64());
    })
    .seconds(),
    info("proxysql", &["version"], "Version of ProxySQL.", |view, out| {
        if let Some(snapshot) = current(view).filter(|snapshot| !snapshot.version.is_empty()) {
            out.info(&[snapshot.version.as_str()]);
        }
    }),
    gauge(
        "admin_statement_duration",
        "Latency of statements on the admin port, by purpose: observe, health, compare, load, marker, drain, lifecycle, peer.",
        |view, out| {
            for class in StatementClass::ALL {
                out.latency(&[class.as_str()], view.status.counters().latency(class));
            }
        },
    )
    .by(&["class"])
    .seconds()
    .histogram(),
    counter("admin_statement_errors", "Failed statements on the admin port, by error: password, local, unreachable, login, timeout, refused, lost.", |view, out| {
        for class in StatementClass::ALL {
            for failure in StatementFailure::ALL {
                out.count(&[class.as_str(), failure.as_str()], view.status.counters().errors(class, failure));
            }
        }
    })
    .by(&["class", "error"]),
    counter("reconnections", "Logins to the admin port after the first.", |view, out| {
        out.count(&[], view.status.counters().connections.saturating_sub(1));
    }),
    counter("reconciles", "Reconcile passes by result: ok, failed.", |view, out| {
        out.count(&["ok"], view.status.counters().reconciles.ok);
        out.count(&["failed"], view.status.counters().reconciles.failed);
    })
    .by(&["result"]),
    gauge("members_desired", "Cores found by discovery (cores only; no sample until discovery has found one).", |view, out| {
        if let Some(desired) = &view.status.report().desired {
            out.count(&[], desired.len() as u64);
        }
    }),
    gauge("members_present", "Desired members present in runtime.", |view, out| {
        if let (Some(desired), Some((seen, _))) = (&view.status.report().desired, view.status.observed()) {
            out.count(&[], desired.intersection(&seen.runtime).count() as u64);
        }
    }),
    gauge("members_listed", "Rows of proxysql_servers in runtime, including the bootstrap row.", |view, out| {
        if let Some((seen, _)) = view.status.observed() {
            out.count(&[], seen.runtime.len() as u64);
        }
    }),
    gauge(
        "members_frozen",
        "1 if discovery reports no running core and the last known members are kept.",
        |view, out| {
            out.flag(&[], view.status.report().held);
        },
    ),
    gauge("discovery_up", "1 if core discovery is working (cores only).", |view, out| {
        if let Some(discovery) = view.status.report().discovery {
            out.flag(&[], discovery.is_up());
        }
    }),
    counter("discovery_updates", "Complete discovery results: pod lists, DNS lookups, or the static list (cores only).", |view, out| {
        if let Some(discovery) = view.status.report().discovery {
            out.count(&[], discovery.answers);
        }
    }),
    counter("discovery_restarts", "Failures of core discovery after which it was restarted (cores only).", |view, out| {
        if let Some(discovery) = view.status.report().discovery {
            out.count(&[], discovery.restarts);
        }
    }),
    gauge(
        "sync_state",
        "1 for the sync state of the satellite: connected, silent, isolated, restored (satellites only).",
        |view, out| {
            if let Some(following) = view.status.report().following {
                for rollout in sync_state::SyncState::ALL {
                    out.flag(&[rollout.as_str()], rollout == following);
                }
            }
        },
    )
    .by(&["state"]),
    gauge(
        "rollout_state",
        "1 for the rollout state of this core: newest, older, undecided, unknown (cores only).",
        |view, out| {
            if let Some(rollout) = &view.status.report().rollout {
                for word in RolloutState::WORDS {
                    out.flag(&[word], rollout.as_str() == word);
                }
            }
        },
    )
    .by(&["state"]),
    counter("plans", "Applied plans, by module.", |view, out| {
        for module in Module::all() {
            let name = module.to_string();
            out.count(&[name.as_str()], view.status.counters().plans.get(&module).copied().unwrap_or_default());
        }
    })
    .by(&["module"]),
    counter("loads", "Modules loaded to runtime by this agent, by module.", |view, out| {
        for module in Module::all() {
            let name = module.to_string();
            out.count(&[name.as_str()], view.status.counters().loads.get(&module).copied().unwrap_or_default());
        }
    })
    .by(&["module"]),
    counter("refusals", "Actions blocked by a safety check, by check: broken_file, would_empty, lockout, rejected and passed_over count each attempt; older_revision and empty_list count once.", |view, out| {
        for guard in Guard::ALL {
            out.count(&[guard.as_str()], view.status.counters().refusals(guard));
        }
    })
    .by(&["guard"]),
    gauge("publish_refused", "1 if the agent currently refuses to publish the configuration file.", |view, out| {
        out.flag(&[], view.status.report().refused.is_some());
    }),
    gauge("publish_passed_over", "What the configuration file names and ProxySQL did not take, of modules that were published.", |view, out| {
        out.count(&[], view.status.report().passed_over.len() as u64);
    }),
    gauge("publish_sections_not_published", "Sections of the configuration file that are not published.", |view, out| {
        out.count(&[], view.status.report().not_published.len() as u64);
    }),
    gauge("module_version", "Version of the module: loads since ProxySQL started. Peers never sync version 1.", |view, out| {
        each_module(view, |module, version, _| out.count(&[module], version));
    })
    .by(&["module"]),
    gauge(
        "module_published",
        "1 if the module matches the published configuration file (cores only).",
        |view, out| {
            if view.status.report().rollout.is_some() {
                each_module(view, |module, _, published| {
                    if let Some(published) = published {
                        out.flag(&[module], published);
                    }
                });
            }
        },
    )
    .by(&["module"]),
    gauge(
        "drift_modules",
        "Drifted modules of peers, by class: pending, never_loaded, epoch_conflict, local_newer, clock_ahead, version_mismatch, unreachable, not_as_published. A peer as a whole counts as one.",
        |view, out| {
            for class in Divergence::NAMES {
                let drift = &view.status.report().drift;
                out.count(&[class], drift.iter().filter(|(_, found)| found.name() == class).count() as u64);
            }
        },
    )
    .by(&["class"]),
    gauge(
        "drift",
        "1 for each drifted module; peer is self for this node, module is all for a peer as a whole.",
        |view, out| {
            for (subject, class) in view.status.report().drift.iter().take(MOST_SERIES) {
                let peer = subject
                    .peer
                    .as_ref()
                    .map_or("self".to_owned(), |(host, port)| Member::of_pod(host, *port, "").to_string());
                let module = subject.module.map_or("all".to_owned(), |module| module.to_string());
                out.flag(&[peer.as_str(), module.as_str(), class.name()], true);
            }
        },
    )
    .by(&["peer", "module", "class"]),
    gauge("peers", "Cluster peers known to this node, including itself on a core.", |view, out| {
        if let Some((seen, _)) = view.status.observed().filter(|_| is_up(view)) {
            let peers: BTreeSet<_> = seen.peers.iter().map(|peer| (&peer.hostname, peer.port)).collect();
            out.count(&[], peers.len() as u64);
        }
    }),
    gauge("backends", "Servers in runtime, by hostgroup and status.", |view, out| {
        if let Some(snapshot) = current(view) {
            for ((hostgroup, status), many) in snapshot.backends.iter().take(MOST_SERIES) {
                out.count(&[hostgroup.as_str(), status.as_str()], *many);
            }
        }
    })
    .by(&["hostgroup", "status"]),
    gauge("clients", "Connected clients that have logged in.", |view, out| {
        if let Some(snapshot) = current(view) {
            out.count(&[], snapshot.clients);
        }
    }),
    gauge("users", "Users in runtime that clients can log in as.", |view, out| {
        if let Some(snapshot) = current(view) {
            out.count(&[], snapshot.users);
        }
    }),
    gauge("listener_paused", "1 if a listener of ProxySQL is paused.", |view, out| {
        if let Some(snapshot) = current(view) {
            out.flag(&[], snapshot.paused);
        }
    }),
    gauge("drain_step", "1 for the step of the current drain, or of the last one.", |view, out| {
        if let Some(drain) = view.status.drain() {
            for step in Step::ALL {
                out.flag(&[step.as_str()], drain.step == step);
            }
        }
    })
    .by(&["step"]),
    gauge(
        "drain_clients",
        "Clients of the current drain, or of the last one: remaining, evicted, finished, terminated.",
        |view, out| {
            if let Some(drain) = view.status.drain() {
                out.count(&["remaining"], drain.remaining);
                out.count(&["evicted"], drain.evicted);
                out.count(&["finished"], drain.finished);
                out.count(&["terminated"], drain.cut);
            }
        },
    )
    .by(&["state"]),
    gauge(
        "drain_waiting",
        "Clients that the current drain waits for, or that were left at the end of the last one, by activity: idle, running, in_transaction, \
         session_state, failed_statement, slow_reader, fast_forward.",
        |view, out| {
            if let Some(drain) = view.status.drain() {
                for activity in Activity::ALL {
                    out.count(&[activity.as_str()], drain.waiting_for.get(activity.as_str()).copied().unwrap_or(0));
                }
            }
        },
    )
    .by(&["activity"]),
    gauge("drain_time", "Time spent in each part of the current drain, or of the last one: propagation, pause, drain, shutdown.", |view, out| {
        if let Some(drain) = view.status.drain() {
            out.put(&["propagation"], drain.seconds.propagation.as_secs_f64());
            out.put(&["pause"], drain.seconds.pause.as_secs_f64());
            out.put(&["drain"], drain.seconds.drain.as_secs_f64());
            out.put(&["shutdown"], drain.seconds.shutdown.as_secs_f64());
        }
    })
    .by(&["part"])
    .seconds(),
    counter("drains", "Finished drains, by ending: completed, drain_timeout, shutdown_timeout, forced, proxysql_exited, never_connected, cancelled.", |view, out| {
        for ending in Ending::ALL {
            out.count(&[ending.as_str()], view.status.counters().drains.ended(ending));
        }
    })
    .by(&["ended"]),
    counter("drained_clients", "Clients of finished drains, by state: evicted, finished, terminated.", |view, out| {
        let drains = view.status.counters().drains;
        out.count(&["evicted"], drains.evicted);
        out.count(&["finished"], drains.finished);
        out.count(&["terminated"], drains.terminated);
    })
    .by(&["state"]),
    counter("reloads", "Reloads of the configuration.", |view, out| {
        out.count(&[], view.status.counters().reloads);
    }),
    counter("resyncs", "Requests to sync this satellite with the cores again.", |view, out| {
        out.count(&[], view.status.counters().resyncs);
    }),
];

/// Calls with the name of each module that this version has, its version, and whether it was published, if it can be.
fn each_module(view: &View<'_>, mut call: impl FnMut(&str, u64, Option<bool>)) {
    let Some((seen, _)) = view.status.observed() else { return };
    for module in Module::all() {
        if let Some(own) = seen.own(module) {
            let publishable = module != Module::ProxysqlServers;
            let published = publishable.then(|| seen.published.contains_key(&module));
            call(&module.to_string(), own.version, published);
        }
    }
}
