//! Every metric there is: the one definition of names, meanings and values.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Kind, Metric, Samples, View};
use crate::domain::drain::session::Activity;
use crate::domain::drain::{Ending, Stage, Step};
use crate::domain::drift::Class as Divergence;
use crate::domain::generation::Standing;
use crate::domain::health::{Contact, Probe, REASONS, Snapshot, judge};
use crate::domain::isolation;
use crate::domain::member::Member;
use crate::domain::module::Module;
use crate::domain::tally::{Class, Failure, Guard};

/// Series of one family whose labels come from outside, at most: a table that went mad must not fill a database.
const MOST_SERIES: usize = 500;

const fn gauge(name: &'static str, help: &'static str, samples: fn(&View<'_>, &mut Samples<'_>)) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: None, labels: &[], help, samples }
}

const fn counter(name: &'static str, help: &'static str, samples: fn(&View<'_>, &mut Samples<'_>)) -> Metric {
    Metric { kind: Kind::Counter, ..gauge(name, help, samples) }
}

const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: fn(&View<'_>, &mut Samples<'_>),
) -> Metric {
    Metric { kind: Kind::Info, labels, ..gauge(name, help, samples) }
}

/// Whether `ProxySQL` answers.
fn is_up(view: &View<'_>) -> bool {
    matches!(view.status.contact(view.now), Contact::Answering(silence) if silence <= view.policy.max_age)
}

/// The last look at health while it can be repeated: what a `ProxySQL` that is gone was like is nothing to draw a curve of.
fn current<'a>(view: &View<'a>) -> Option<&'a Snapshot> {
    view.status.seen.as_ref().filter(|_| is_up(view)).map(|(snapshot, _)| snapshot)
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
        self.kind = Kind::Histogram;
        self
    }
}

/// All of them. What is not known yet, or not any more, has no sample; labels of peers and of hostgroups go with them.
pub const METRICS: &[Metric] = &[
    info("build", &["version", "mode"], "The release of the agent and its run mode.", |view, out| {
        out.info(&[env!("CARGO_PKG_VERSION"), view.process.mode]);
    }),
    gauge("start_time", "When the agent started, in seconds since 1970.", |view, out| {
        out.put(&[], view.process.started);
    })
    .seconds(),
    counter("log_lines_dropped", "Log lines that were dropped because nobody read the log.", |view, out| {
        out.count(&[], view.dropped);
    }),
    gauge("phase", "1 for the phase that this node is in: running, draining, stopping or stopped.", |view, out| {
        for stage in Stage::ALL {
            out.flag(&[stage.as_str()], view.status.stage == stage);
        }
    })
    .by(&["phase"]),
    gauge("probe_ok", "Whether the probe would be answered with 200 at the moment.", |view, out| {
        let known = view.status.known(view.now);
        for probe in Probe::ALL {
            out.flag(&[probe.as_str()], judge(&known, &view.policy, probe).code == 200);
        }
    })
    .by(&["probe"]),
    gauge("not_ready", "1 for each reason why readiness is 503.", |view, out| {
        let verdict = judge(&view.status.known(view.now), &view.policy, Probe::Ready);
        for reason in REASONS {
            out.flag(&[reason], verdict.body.reasons.iter().any(|given| given.reason == reason));
        }
    })
    .by(&["reason"]),
    gauge(
        "snapshot_age",
        "Age of the last look at health; probes and GET /status have it looked again.",
        |view, out| {
            if let Some((_, at)) = &view.status.seen {
                out.put(&[], (view.now - *at).as_secs_f64());
            }
        },
    )
    .seconds(),
    gauge("observation_age", "Age of the last observation of a round.", |view, out| {
        if let Some((_, at)) = &view.status.observed {
            out.put(&[], (view.now - *at).as_secs_f64());
        }
    })
    .seconds(),
    gauge(
        "proxysql_up",
        "Whether ProxySQL answers: 0 before it has, when nobody listens, and after a silence of health.max_age.",
        |view, out| {
            out.flag(&[], is_up(view));
        },
    ),
    gauge("proxysql_silence", "For how long a question to ProxySQL has had no answer.", |view, out| {
        let silence = view.status.contact(view.now).silence().unwrap_or(Duration::ZERO);
        out.put(&[], silence.as_secs_f64());
    })
    .seconds(),
    info("proxysql", &["version"], "The release of ProxySQL.", |view, out| {
        if let Some(snapshot) = current(view).filter(|snapshot| !snapshot.version.is_empty()) {
            out.info(&[snapshot.version.as_str()]);
        }
    }),
    gauge(
        "admin_statement_duration",
        "Time to the whole answer of a statement on the admin port, by what it is for: observe, health, draft, load, mark, drain, command, peer.",
        |view, out| {
            for class in Class::ALL {
                out.latency(&[class.as_str()], view.status.tally.latency(class));
            }
        },
    )
    .by(&["class"])
    .seconds()
    .histogram(),
    counter("admin_statement_errors", "Statements that failed, by how: password, local, unreachable, login, timeout, refused, lost.", |view, out| {
        for class in Class::ALL {
            for failure in Failure::ALL {
                out.count(&[class.as_str(), failure.as_str()], view.status.tally.errors(class, failure));
            }
        }
    })
    .by(&["class", "error"]),
    counter("reconnections", "Logins to the admin port after the first.", |view, out| {
        out.count(&[], view.status.tally.connections.saturating_sub(1));
    }),
    counter("rounds", "Rounds of observing, planning and applying, by how they ended.", |view, out| {
        out.count(&["ok"], view.status.tally.rounds);
        out.count(&["failed"], view.status.tally.failed_rounds);
    })
    .by(&["result"]),
    gauge("members_desired", "Members that there should be: the cores that were found; on a core that knows of any.", |view, out| {
        if let Some(desired) = &view.status.situation.desired {
            out.count(&[], desired.len() as u64);
        }
    }),
    gauge("members_present", "Desired members that are in effect.", |view, out| {
        if let (Some(desired), Some((seen, _))) = (&view.status.situation.desired, &view.status.observed) {
            out.count(&[], desired.intersection(&seen.runtime).count() as u64);
        }
    }),
    gauge("members_listed", "Rows of proxysql_servers in effect, the bootstrap row included.", |view, out| {
        if let Some((seen, _)) = &view.status.observed {
            out.count(&[], seen.runtime.len() as u64);
        }
    }),
    gauge(
        "members_held",
        "Whether the last members stay because no core pod runs, says the API server.",
        |view, out| {
            out.flag(&[], view.status.situation.held);
        },
    ),
    gauge("discovery_up", "Whether the search for cores works: the watch on pods, the name, the list; on a core.", |view, out| {
        if let Some(discovery) = view.status.situation.discovery {
            out.flag(&[], discovery.is_up());
        }
    }),
    counter("discovery_answers", "Whole answers to the search for cores: lists of pods, looks at a name or a list; on a core.", |view, out| {
        if let Some(discovery) = view.status.situation.discovery {
            out.count(&[], discovery.answers);
        }
    }),
    counter("discovery_restarts", "How often the search for cores failed and was begun again; on a core.", |view, out| {
        if let Some(discovery) = view.status.situation.discovery {
            out.count(&[], discovery.restarts);
        }
    }),
    gauge(
        "following",
        "1 for what the list of cores can do: connected, silent, isolated, restored; on a satellite.",
        |view, out| {
            if let Some(following) = view.status.situation.following {
                for standing in isolation::Standing::ALL {
                    out.flag(&[standing.as_str()], standing == following);
                }
            }
        },
    )
    .by(&["standing"]),
    gauge(
        "generation",
        "1 for where this core's file stands: newest, older, undecided, unknown; on a core.",
        |view, out| {
            if let Some(generation) = &view.status.situation.generation {
                for word in Standing::WORDS {
                    out.flag(&[word], generation.as_str() == word);
                }
            }
        },
    )
    .by(&["standing"]),
    counter("plans", "Plans that were carried out, by module.", |view, out| {
        for module in Module::all() {
            let name = module.to_string();
            out.count(&[name.as_str()], view.status.tally.plans.get(&module).copied().unwrap_or_default());
        }
    })
    .by(&["module"]),
    counter("loads", "Modules put into effect by this agent.", |view, out| {
        for module in Module::all() {
            let name = module.to_string();
            out.count(&[name.as_str()], view.status.tally.loads.get(&module).copied().unwrap_or_default());
        }
    })
    .by(&["module"]),
    counter("refusals", "What a guard prevented: broken_file, would_empty, lockout, rejected and passed_over each time that the file is tried, older_generation and empty_list once.", |view, out| {
        for guard in Guard::ALL {
            out.count(&[guard.as_str()], view.status.tally.refusals(guard));
        }
    })
    .by(&["guard"]),
    gauge("publish_refused", "Whether the configuration file is refused at the moment.", |view, out| {
        out.flag(&[], view.status.situation.refused.is_some());
    }),
    gauge("publish_passed_over", "What the configuration file names and ProxySQL did not take, of modules that were published.", |view, out| {
        out.count(&[], view.status.situation.passed_over.len() as u64);
    }),
    gauge("publish_sections_not_published", "Sections of the configuration file that are not published.", |view, out| {
        out.count(&[], view.status.situation.not_published.len() as u64);
    }),
    gauge("module_version", "Loads of the module since ProxySQL started; nobody pulls version 1.", |view, out| {
        each_module(view, |module, version, _| out.count(&[module], version));
    })
    .by(&["module"]),
    gauge(
        "module_published",
        "Whether the module was brought in line with the configuration file; on a core.",
        |view, out| {
            if view.status.situation.generation.is_some() {
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
        "divergences",
        "Modules of peers, and peers, that differ for longer than a pull takes, by class: pending, blocked_at_version_1, equal_epochs, local_newer, clock_ahead, other_version, unreachable, not_as_published.",
        |view, out| {
            for class in Divergence::NAMES {
                let diverging = &view.status.situation.diverging;
                out.count(&[class], diverging.iter().filter(|(_, found)| found.name() == class).count() as u64);
            }
        },
    )
    .by(&["class"]),
    gauge(
        "diverging",
        "1 for each divergence; peer is self for this node, module is all for the whole peer.",
        |view, out| {
            for (subject, class) in view.status.situation.diverging.iter().take(MOST_SERIES) {
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
    gauge("peers", "Nodes that this one is told to follow, itself among them on a core.", |view, out| {
        if let Some((seen, _)) = view.status.observed.as_ref().filter(|_| is_up(view)) {
            let peers: BTreeSet<_> = seen.peers.iter().map(|peer| (&peer.hostname, peer.port)).collect();
            out.count(&[], peers.len() as u64);
        }
    }),
    gauge("backends", "Servers in effect, by hostgroup and status.", |view, out| {
        if let Some(snapshot) = current(view) {
            for ((hostgroup, status), many) in snapshot.backends.iter().take(MOST_SERIES) {
                out.count(&[hostgroup.as_str(), status.as_str()], *many);
            }
        }
    })
    .by(&["hostgroup", "status"]),
    gauge("clients", "Clients that have logged in.", |view, out| {
        if let Some(snapshot) = current(view) {
            out.count(&[], snapshot.clients);
        }
    }),
    gauge("users", "Users in effect that clients can log in as.", |view, out| {
        if let Some(snapshot) = current(view) {
            out.count(&[], snapshot.users);
        }
    }),
    gauge("listener_paused", "Whether a listener of ProxySQL is paused.", |view, out| {
        if let Some(snapshot) = current(view) {
            out.flag(&[], snapshot.paused);
        }
    }),
    gauge("drain_step", "1 for the step of the drain that is under way, or of the last one.", |view, out| {
        if let Some(drain) = &view.status.drain {
            for step in Step::ALL {
                out.flag(&[step.as_str()], drain.step == step);
            }
        }
    })
    .by(&["step"]),
    gauge(
        "drain_clients",
        "Clients of the drain that is under way, or of the last one: waiting, evicted, finished by themselves, cut.",
        |view, out| {
            if let Some(drain) = &view.status.drain {
                out.count(&["waiting"], drain.remaining);
                out.count(&["evicted"], drain.evicted);
                out.count(&["finished"], drain.finished);
                out.count(&["cut"], drain.cut);
            }
        },
    )
    .by(&["state"]),
    gauge(
        "drain_waiting",
        "Clients that the drain under way waits for, or that were there at the end of the last one, by what they are doing: idle, running, \
         in_transaction, session_state, failed_statement, slow_reader, fast_forward.",
        |view, out| {
            if let Some(drain) = &view.status.drain {
                for activity in Activity::ALL {
                    out.count(&[activity.as_str()], drain.waiting_for.get(activity.as_str()).copied().unwrap_or(0));
                }
            }
        },
    )
    .by(&["activity"]),
    gauge("drain_time", "What the steps of the drain have taken so far.", |view, out| {
        if let Some(drain) = &view.status.drain {
            out.put(&["propagation"], drain.seconds.propagation.as_secs_f64());
            out.put(&["pause"], drain.seconds.pause.as_secs_f64());
            out.put(&["drain"], drain.seconds.drain.as_secs_f64());
            out.put(&["shutdown"], drain.seconds.shutdown.as_secs_f64());
        }
    })
    .by(&["step"])
    .seconds(),
    counter("drains", "Drains that have ended, by how: empty, drain_timeout, shutdown_timeout, hurried, gone, never_reached, cancelled.", |view, out| {
        for ending in Ending::ALL {
            out.count(&[ending.as_str()], view.status.tally.drains(ending));
        }
    })
    .by(&["ended"]),
    counter("drained_clients", "Clients of drains that have ended, by how they went.", |view, out| {
        let tally = &view.status.tally;
        out.count(&["evicted"], tally.evicted);
        out.count(&["finished"], tally.finished);
        out.count(&["cut"], tally.cut);
    })
    .by(&["state"]),
    counter("reloads", "How often the configuration was read again.", |view, out| {
        out.count(&[], view.status.tally.reloads);
    }),
    counter("resyncs", "How often this node was told to follow the cores again.", |view, out| {
        out.count(&[], view.status.tally.resyncs);
    }),
];

/// Calls with the name of each module that this release has, its version, and whether it was published, if it can be.
fn each_module(view: &View<'_>, mut call: impl FnMut(&str, u64, Option<bool>)) {
    let Some((seen, _)) = &view.status.observed else { return };
    for module in Module::all() {
        if let Some(own) = seen.own(module) {
            let publishable = module != Module::ProxysqlServers;
            let published = publishable.then(|| seen.published.contains_key(&module));
            call(&module.to_string(), own.version, published);
        }
    }
}
