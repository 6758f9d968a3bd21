//! Every key with three values, one for each layer, and what reads it from the typed configuration.

use std::path::PathBuf;

use proxysql_agent::config::Config;

/// A key, a good value for the file, the environment and the flags, and the typed value as text.
pub(super) struct Sample {
    pub(super) key: &'static str,
    pub(super) values: [&'static str; 3],
    pub(super) read: fn(&Config) -> String,
}

const fn sample(key: &'static str, values: [&'static str; 3], read: fn(&Config) -> String) -> Sample {
    Sample { key, values, read }
}

fn path(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}

fn seconds(duration: std::time::Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// All keys. Values are written so that reading gives the same text back.
pub(super) const SAMPLES: &[Sample] = &[
    sample("start_delay", ["1", "2", "3"], |c| seconds(c.start_delay)),
    sample("run_mode", ["core", "satellite", "dump"], |c| c.run_mode.to_string()),
    sample("log.level", ["DEBUG", "WARN", "ERROR"], |c| c.log.level.to_string()),
    sample("log.format", ["JSON", "text", "JSON"], |c| c.log.format.to_string()),
    sample("log.source", ["true", "false", "true"], |c| c.log.source.to_string()),
    sample("log.probes", ["true", "false", "true"], |c| c.log.probes.to_string()),
    sample("proxysql.address", ["a:1", "10.0.0.1:65535", "[::1]:6032"], |c| c.proxysql.address.to_string()),
    sample("proxysql.username", ["alice", "12345", "tr ue"], |c| c.proxysql.username.clone()),
    sample("proxysql.password", ["12345", "0123", "-x y"], |c| c.proxysql.password.expose().to_owned()),
    sample("proxysql.password_file", ["/a", "/b", "c"], |c| path(c.proxysql.password_file.as_ref())),
    sample("proxysql.connect_timeout", ["1", "2", "0.5"], |c| seconds(c.proxysql.connect_timeout)),
    sample("proxysql.statement_timeout", ["1", "2", "0.5"], |c| seconds(c.proxysql.statement_timeout)),
    sample("core.interval", ["1", "2", "3"], |c| seconds(c.core.interval)),
    // The other words ask for other keys; see `mistakes`.
    sample("core.discovery", ["kubernetes", "kubernetes", "kubernetes"], |c| c.core.discovery.to_string()),
    sample("core.podselector.namespace", ["a", "b-c", "3"], |c| c.core.podselector.namespace.clone()),
    sample("core.podselector.app", ["a", "b.c", "C_3"], |c| c.core.podselector.app.clone()),
    sample("core.podselector.component", ["a", "b.c", "C_3"], |c| c.core.podselector.component.clone()),
    sample("core.selector", ["a=b", "x in (y, z)", "!a"], |c| c.core.selector.clone().unwrap_or_default()),
    sample("core.dns_name", ["a", "b.c.", "_x.Y-1"], |c| c.core.dns_name.clone().unwrap_or_default()),
    sample("core.dns_records", ["A", "AAAA", "both"], |c| c.core.dns_records.to_string()),
    sample("core.dns_interval", ["1", "2", "0.5"], |c| seconds(c.core.dns_interval)),
    sample("core.dns_server", ["10.0.0.1:53", "127.0.0.1:65535", "[::1]:6032"], |c| {
        c.core.dns_server.map_or_else(String::new, |at| at.to_string())
    }),
    sample("core.static_members", ["10.0.0.1", "10.0.0.1,fd00::1", "[::1]:6032"], |c| {
        c.core.static_members.as_ref().map_or_else(String::new, ToString::to_string)
    }),
    sample("core.own_address", ["10.0.0.1", "fd00::1", "10.0.0.3"], |c| {
        c.core.own_address.map_or_else(String::new, |at| at.to_string())
    }),
    sample("core.bootstrap_hostname", ["a", "b.c", "10.0.0.1"], |c| c.core.bootstrap_hostname.clone()),
    sample("core.allow_empty", ["true", "false", "true"], |c| c.core.allow_empty.to_string()),
    sample("core.config_file", ["/a", "/b", "c"], |c| path(c.core.config_file.as_ref())),
    sample("satellite.interval", ["1", "2", "3"], |c| seconds(c.satellite.interval)),
    sample("api.address", ["127.0.0.1", "::1", "0.0.0.0"], |c| c.api.address.to_string()),
    sample("api.port", ["1", "65535", "8081"], |c| c.api.port.to_string()),
    sample("api.token_file", ["/a", "/b", "c"], |c| path(c.api.token_file.as_ref())),
    sample("health.refresh", ["2", "3", "0"], |c| seconds(c.health.refresh)),
    sample("health.max_age", ["20", "30", "40"], |c| seconds(c.health.max_age)),
    sample("health.require_config", ["true", "false", "auto"], |c| c.health.require_config.to_string()),
    sample("health.min_online", ["1", "2", "3"], |c| c.health.min_online.to_string()),
    sample("shutdown.draining_file", ["/a", "/b", "c"], |c| path(Some(&c.shutdown.draining_file))),
    sample("shutdown.propagation_delay", ["1", "2", "0"], |c| seconds(c.shutdown.propagation_delay)),
    sample("shutdown.drain_timeout", ["1", "2", "0"], |c| seconds(c.shutdown.drain_timeout)),
    sample("shutdown.shutdown_timeout", ["61", "62", "63"], |c| seconds(c.shutdown.shutdown_timeout)),
    sample("shutdown.evict_idle_after", ["1", "2", "0.001"], |c| seconds(c.shutdown.evict_idle_after)),
    sample("shutdown.on_sigterm", ["detach", "auto", "drain"], |c| c.shutdown.on_sigterm.to_string()),
    sample("dump.directory", ["/a", "/b", "c"], |c| path(Some(&c.dump.directory))),
    sample("dump.output", ["/a", "-", "c"], |c| path(c.dump.output.as_ref())),
    sample("dump.reset", ["true", "false", "true"], |c| c.dump.reset.to_string()),
    sample("dump.format", ["jsonl", "csv", "jsonl"], |c| c.dump.format.to_string()),
    sample("dump.compress", ["gzip", "none", "gzip"], |c| c.dump.compress.to_string()),
    sample("dump.min_count", ["1", "18446744073709551615", "3"], |c| c.dump.min_count.to_string()),
    sample("dump.top", ["1", "2", "3"], |c| c.dump.top.to_string()),
    sample("dump.source", ["pgsql", "both", "mysql"], |c| c.dump.source.to_string()),
    sample("dump.timeout", ["1", "2", "3"], |c| seconds(c.dump.timeout)),
];
