//! What values of several keys must be to each other.

use std::path::Path;

use super::error::{ConfigError, ValueOrigin};
use super::keys;
use super::layers::{self, ConfigLayer, Findings};
use super::sources::{Provenance, Sources};
use super::value::{DiscoveryMode, RunMode};
use super::{Config, DumpTarget};

/// A run mode must be given. Where it is not, one is made up, so that the other mistakes are found as well.
pub(super) fn run_mode(sources: &Sources, defaults: &mut ConfigLayer, others: &[ConfigLayer], findings: &mut Findings) {
    const NAME: &str = "run_mode";
    let Some(key) = keys::find(NAME) else { return };
    if defaults.entries.contains_key(NAME) || others.iter().any(|layer| layer.entries.contains_key(NAME)) {
        return;
    }
    if !findings.wrong.contains(NAME) {
        let expected = key.kind.expected();
        let problem = format!(
            "run_mode is not set, expected {expected}, as flag {}, variable {} or key {NAME} of the file",
            key.flag(),
            key.variable()
        );
        let empty = sources.environment.iter().any(|(name, text)| *name == *key.variable() && text.is_empty());
        let problem =
            if empty { format!("{problem}; the variable is empty, which counts as not set") } else { problem };
        findings.wrong.insert(NAME);
        findings.errors.push(ConfigError::new(ValueOrigin::Default, problem));
    }
    defaults.set(key, RunMode::Core.as_str(), ValueOrigin::Default, findings);
}

/// The rules between keys. A rule keeps quiet where one of its keys is wrong by itself.
pub(super) fn between_keys(config: &Config, provenance: &Provenance, temp_dir: &Path, findings: &mut Findings) {
    let mut rules = Rules { values: layers::of(config), provenance, findings };
    let shutdown = &config.shutdown;
    rules.require(
        shutdown.shutdown_timeout > shutdown.drain_timeout,
        "shutdown.shutdown_timeout",
        "greater than",
        "shutdown.drain_timeout",
    );
    rules.require(config.health.refresh < config.health.max_age, "health.refresh", "less than", "health.max_age");
    let both = !config.proxysql.password.is_empty() && config.proxysql.password_file.is_some();
    rules.exclude(both, "proxysql.password_file", "proxysql.password");
    for name in ["core.podselector.app", "core.podselector.component"] {
        let wished = rules.is_wished(name);
        rules.exclude(config.core.selector.is_some() && wished, "core.selector", name);
    }
    rules.discovery(config.core.discovery);
    rules.exclude(config.dump.output.is_some() && config.dump.directory != temp_dir, "dump.output", "dump.directory");

    if shutdown.shutdown_timeout > shutdown.drain_timeout {
        let needed = shutdown.propagation_delay + shutdown.drain_timeout;
        if needed >= shutdown.shutdown_timeout {
            findings.warnings.push(format!(
                "shutdown.propagation_delay and shutdown.drain_timeout are {} s together, which reaches shutdown.shutdown_timeout, {} s; \
                 the drain may be cut short",
                needed.as_secs_f64(),
                shutdown.shutdown_timeout.as_secs_f64()
            ));
        }
    }
    let dump = &config.dump;
    if dump.reset && (dump.min_count > 0 || dump.top > 0) {
        let warning = "dump.reset also resets the digests that dump.min_count and dump.top skip".to_owned();
        findings.warnings.push(warning);
    }
    if dump.reset && dump.target() == DumpTarget::Stdout {
        let warning = "dump.reset loses digests that the reader of standard output does not store".to_owned();
        findings.warnings.push(warning);
    }
}

struct Rules<'a> {
    values: figment::value::Value,
    provenance: &'a Provenance,
    findings: &'a mut Findings,
}

impl Rules<'_> {
    /// One value must be more or less than another.
    fn require(&mut self, holds: bool, name: &'static str, relation: &str, other: &'static str) {
        let problem = |rules: &Self| {
            format!(
                "{name} is {}{}, but must be {relation} {other}, {} ({})",
                layers::shown(name, &rules.values),
                if *rules.provenance.of(name) == ValueOrigin::Default { " (default)" } else { "" },
                layers::shown(other, &rules.values),
                rules.provenance.of(other)
            )
        };
        self.report(holds, name, other, problem);
    }

    /// Two keys must not both be set.
    fn exclude(&mut self, both: bool, name: &'static str, other: &'static str) {
        let problem = |rules: &Self| {
            format!(
                "{name} is {}, but {other} is {} ({}); they are mutually exclusive",
                layers::shown(name, &rules.values),
                layers::shown(other, &rules.values),
                rules.provenance.of(other)
            )
        };
        self.report(!both, name, other, problem);
    }

    /// Keys of one discovery mode are errors with another: whoever sets them expects an effect.
    fn discovery(&mut self, chosen: DiscoveryMode) {
        use DiscoveryMode::{Dns, Kubernetes, Static};
        const DISCOVERY: &str = "core.discovery";
        let of: [(&'static str, &[DiscoveryMode]); 10] = [
            ("core.podselector.namespace", &[Kubernetes]),
            ("core.podselector.app", &[Kubernetes]),
            ("core.podselector.component", &[Kubernetes]),
            ("core.selector", &[Kubernetes]),
            ("core.dns_name", &[Dns]),
            ("core.dns_records", &[Dns]),
            ("core.dns_interval", &[Dns]),
            ("core.dns_server", &[Dns]),
            ("core.static_members", &[Static]),
            ("core.own_address", &[Dns, Static]),
        ];
        for (name, owners) in of {
            let fits = owners.contains(&chosen) || !self.is_wished(name);
            let problem = |rules: &Self| {
                let owners = owners.iter().map(|owner| owner.as_str()).collect::<Vec<_>>().join(" or ");
                format!(
                    "{name} is {}, which is only valid with {DISCOVERY}={owners}; it is {chosen} ({})",
                    layers::shown(name, &rules.values),
                    rules.provenance.of(DISCOVERY)
                )
            };
            self.report(fits, name, DISCOVERY, problem);
        }
        let needed = match chosen {
            Kubernetes => return,
            Dns => "core.dns_name",
            Static => "core.static_members",
        };
        let problem = |_: &Self| format!("{needed} is empty, but {DISCOVERY}={chosen} requires it");
        self.report(self.is_wished(needed), needed, DISCOVERY, problem);
    }

    /// Whether a value other than the default is set. A value equal to the default does not count, because config.yaml lists every default.
    fn is_wished(&self, name: &str) -> bool {
        keys::find(name).and_then(|key| key.default) != Some(layers::text(self.values.find_ref(name)).as_str())
    }

    fn report(&mut self, holds: bool, name: &'static str, other: &'static str, problem: impl Fn(&Self) -> String) {
        if holds || self.findings.wrong.contains(name) || self.findings.wrong.contains(other) {
            return;
        }
        // Blame the value that was set explicitly.
        let origin = match self.provenance.of(name) {
            ValueOrigin::Default => self.provenance.of(other).clone(),
            origin => origin.clone(),
        };
        let problem = problem(self);
        self.findings.errors.push(ConfigError::new(origin, problem));
    }
}
