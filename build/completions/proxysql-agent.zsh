#compdef proxysql-agent

autoload -U is-at-least

_proxysql-agent() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--show-config=[Print the effective configuration and the source of each value]::bool:(true false)' \
'--start_delay=[Delay before the first connection. \[default\: 0\]]:seconds:' \
'--run_mode=[core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.]:word:(core satellite dump)' \
'--log.level=[Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:(TRACE DEBUG INFO WARN ERROR)' \
'--log.format=[Log format (case-insensitive). One of text, JSON. \[default\: text\]]:word:(text JSON)' \
'--log.source=[Add source file and line to each log line. \[default\: false\]]::bool:(true false)' \
'--log.probes=[Log every probe request. \[default\: false\]]::bool:(true false)' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:' \
'--proxysql.username=[User for the admin port. \[default\: radmin\]]:text:' \
'--proxysql.password=[Password of this user. Use a file or a variable to keep it out of the process list. \[default\: empty\]]:text:' \
'--proxysql.password_file=[File with the password, read at every login; replaces proxysql.password. \[default\: empty\]]:path:_files' \
'--proxysql.connect_timeout=[Timeout for connecting, including login. \[default\: 5\]]:seconds:' \
'--proxysql.statement_timeout=[Timeout for a normal statement. \[default\: 10\]]:seconds:' \
'--core.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--core.discovery=[How cores discover each other\: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. \[default\: kubernetes\]]:word:(kubernetes dns static)' \
'--core.podselector.namespace=[Namespace of the core pods. \[default\: proxysql\]]:name:' \
'--core.podselector.app=[Value of the label app of the core pods. \[default\: proxysql\]]:text:' \
'--core.podselector.component=[Value of the label component of the core pods. \[default\: core\]]:text:' \
'--core.selector=[Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:' \
'--core.dns_name=[DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. \[default\: empty\]]:name:' \
'--core.dns_records=[Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. \[default\: both\]]:word:(both A AAAA)' \
'--core.dns_interval=[Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. \[default\: 5\]]:seconds:' \
'--core.dns_server=[DNS server; empty uses /etc/resolv.conf, re-read at each lookup. \[default\: empty\]]:address:port:' \
'--core.static_members=[Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only\: a node that syncs from a name resolving to itself hangs. \[default\: empty\]]:addresses:' \
'--core.own_address=[Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. \[default\: empty\]]:address:' \
'--core.bootstrap_hostname=[Hostname in the bootstrap row of proxysql_servers. \[default\: proxysql-core\]]:host:' \
'--core.allow_empty=[Allow publishing a file that removes all users or all servers. \[default\: false\]]::bool:(true false)' \
'--core.config_file=[ProxySQL'\''s own configuration file, published whenever it changes; empty disables the watch. \[default\: empty\]]:path:_files' \
'--satellite.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--api.address=[Listen address of the HTTP server. \:\: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. \[default\: \:\:\]]:address:' \
'--api.port=[Port of the HTTP server\: probes, /shutdown, /status, metrics. \[default\: 8080\]]:port:' \
'--api.token_file=[File with the bearer token required for mutating requests; empty disables authentication. \[default\: empty\]]:path:_files' \
'--health.refresh=[Probes answer from a health snapshot younger than this without querying ProxySQL. \[default\: 1\]]:seconds:' \
'--health.max_age=[After this long without an answer ProxySQL counts as unreachable. \[default\: 10\]]:seconds:' \
'--health.require_config=[Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. \[default\: auto\]]:word:(auto true false)' \
'--health.min_online=[Minimum number of ONLINE backends for readiness. \[default\: 0\]]:number:' \
'--shutdown.draining_file=[File created while this node is draining. \[default\: /var/lib/proxysql/draining\]]:path:_files' \
'--shutdown.propagation_delay=[Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. \[default\: 5\]]:seconds:' \
'--shutdown.drain_timeout=[Maximum time to wait for clients. \[default\: 30\]]:seconds:' \
'--shutdown.shutdown_timeout=[Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. \[default\: 60\]]:seconds:' \
'--shutdown.evict_idle_after=[Minimum idle time of a session before a drain evicts it. \[default\: 200ms\]]:seconds:' \
'--shutdown.on_sigterm=[What SIGTERM does\: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:(drain detach auto)' \
'--dump.directory=[Directory for <hostname>-digests.csv; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_files -/' \
'--dump.output=[Output file, in place of dump.directory; - is standard output. \[default\: empty\]]:path:_files' \
'--dump.reset=[Reset the digests after reading them. \[default\: false\]]::bool:(true false)' \
'--dump.format=[Output format. One of csv, jsonl. \[default\: csv\]]:word:(csv jsonl)' \
'--dump.compress=[Compression of the output. One of none, gzip. \[default\: none\]]:word:(none gzip)' \
'--dump.min_count=[Skip digests with a lower count; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.top=[Dump only the N digests with the highest total time; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.source=[Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. \[default\: mysql\]]:word:(mysql pgsql both)' \
'--dump.timeout=[Timeout for the whole dump. \[default\: 10m\]]:seconds:' \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_proxysql-agent_commands" \
"*::: :->proxysql-agent" \
&& ret=0
    case $state in
    (proxysql-agent)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:proxysql-agent-command-$line[1]:"
        case $line[1] in
            (status)
_arguments "${_arguments_options[@]}" : \
'--address=[Address of the agent'\''s HTTP server \[default\: api.address and api.port\]]:host:port:_default' \
'--json=[Print as JSON]::bool:(true false)' \
'--watch=[Refresh every two seconds]::bool:(true false)' \
'--show-config=[Print the effective configuration and the source of each value]::bool:(true false)' \
'--start_delay=[Delay before the first connection. \[default\: 0\]]:seconds:' \
'--run_mode=[core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.]:word:(core satellite dump)' \
'--log.level=[Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:(TRACE DEBUG INFO WARN ERROR)' \
'--log.format=[Log format (case-insensitive). One of text, JSON. \[default\: text\]]:word:(text JSON)' \
'--log.source=[Add source file and line to each log line. \[default\: false\]]::bool:(true false)' \
'--log.probes=[Log every probe request. \[default\: false\]]::bool:(true false)' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:' \
'--proxysql.username=[User for the admin port. \[default\: radmin\]]:text:' \
'--proxysql.password=[Password of this user. Use a file or a variable to keep it out of the process list. \[default\: empty\]]:text:' \
'--proxysql.password_file=[File with the password, read at every login; replaces proxysql.password. \[default\: empty\]]:path:_files' \
'--proxysql.connect_timeout=[Timeout for connecting, including login. \[default\: 5\]]:seconds:' \
'--proxysql.statement_timeout=[Timeout for a normal statement. \[default\: 10\]]:seconds:' \
'--core.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--core.discovery=[How cores discover each other\: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. \[default\: kubernetes\]]:word:(kubernetes dns static)' \
'--core.podselector.namespace=[Namespace of the core pods. \[default\: proxysql\]]:name:' \
'--core.podselector.app=[Value of the label app of the core pods. \[default\: proxysql\]]:text:' \
'--core.podselector.component=[Value of the label component of the core pods. \[default\: core\]]:text:' \
'--core.selector=[Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:' \
'--core.dns_name=[DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. \[default\: empty\]]:name:' \
'--core.dns_records=[Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. \[default\: both\]]:word:(both A AAAA)' \
'--core.dns_interval=[Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. \[default\: 5\]]:seconds:' \
'--core.dns_server=[DNS server; empty uses /etc/resolv.conf, re-read at each lookup. \[default\: empty\]]:address:port:' \
'--core.static_members=[Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only\: a node that syncs from a name resolving to itself hangs. \[default\: empty\]]:addresses:' \
'--core.own_address=[Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. \[default\: empty\]]:address:' \
'--core.bootstrap_hostname=[Hostname in the bootstrap row of proxysql_servers. \[default\: proxysql-core\]]:host:' \
'--core.allow_empty=[Allow publishing a file that removes all users or all servers. \[default\: false\]]::bool:(true false)' \
'--core.config_file=[ProxySQL'\''s own configuration file, published whenever it changes; empty disables the watch. \[default\: empty\]]:path:_files' \
'--satellite.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--api.address=[Listen address of the HTTP server. \:\: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. \[default\: \:\:\]]:address:' \
'--api.port=[Port of the HTTP server\: probes, /shutdown, /status, metrics. \[default\: 8080\]]:port:' \
'--api.token_file=[File with the bearer token required for mutating requests; empty disables authentication. \[default\: empty\]]:path:_files' \
'--health.refresh=[Probes answer from a health snapshot younger than this without querying ProxySQL. \[default\: 1\]]:seconds:' \
'--health.max_age=[After this long without an answer ProxySQL counts as unreachable. \[default\: 10\]]:seconds:' \
'--health.require_config=[Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. \[default\: auto\]]:word:(auto true false)' \
'--health.min_online=[Minimum number of ONLINE backends for readiness. \[default\: 0\]]:number:' \
'--shutdown.draining_file=[File created while this node is draining. \[default\: /var/lib/proxysql/draining\]]:path:_files' \
'--shutdown.propagation_delay=[Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. \[default\: 5\]]:seconds:' \
'--shutdown.drain_timeout=[Maximum time to wait for clients. \[default\: 30\]]:seconds:' \
'--shutdown.shutdown_timeout=[Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. \[default\: 60\]]:seconds:' \
'--shutdown.evict_idle_after=[Minimum idle time of a session before a drain evicts it. \[default\: 200ms\]]:seconds:' \
'--shutdown.on_sigterm=[What SIGTERM does\: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:(drain detach auto)' \
'--dump.directory=[Directory for <hostname>-digests.csv; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_files -/' \
'--dump.output=[Output file, in place of dump.directory; - is standard output. \[default\: empty\]]:path:_files' \
'--dump.reset=[Reset the digests after reading them. \[default\: false\]]::bool:(true false)' \
'--dump.format=[Output format. One of csv, jsonl. \[default\: csv\]]:word:(csv jsonl)' \
'--dump.compress=[Compression of the output. One of none, gzip. \[default\: none\]]:word:(none gzip)' \
'--dump.min_count=[Skip digests with a lower count; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.top=[Dump only the N digests with the highest total time; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.source=[Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. \[default\: mysql\]]:word:(mysql pgsql both)' \
'--dump.timeout=[Timeout for the whole dump. \[default\: 10m\]]:seconds:' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--show-config=[Print the effective configuration and the source of each value]::bool:(true false)' \
'--start_delay=[Delay before the first connection. \[default\: 0\]]:seconds:' \
'--run_mode=[core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.]:word:(core satellite dump)' \
'--log.level=[Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:(TRACE DEBUG INFO WARN ERROR)' \
'--log.format=[Log format (case-insensitive). One of text, JSON. \[default\: text\]]:word:(text JSON)' \
'--log.source=[Add source file and line to each log line. \[default\: false\]]::bool:(true false)' \
'--log.probes=[Log every probe request. \[default\: false\]]::bool:(true false)' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:' \
'--proxysql.username=[User for the admin port. \[default\: radmin\]]:text:' \
'--proxysql.password=[Password of this user. Use a file or a variable to keep it out of the process list. \[default\: empty\]]:text:' \
'--proxysql.password_file=[File with the password, read at every login; replaces proxysql.password. \[default\: empty\]]:path:_files' \
'--proxysql.connect_timeout=[Timeout for connecting, including login. \[default\: 5\]]:seconds:' \
'--proxysql.statement_timeout=[Timeout for a normal statement. \[default\: 10\]]:seconds:' \
'--core.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--core.discovery=[How cores discover each other\: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. \[default\: kubernetes\]]:word:(kubernetes dns static)' \
'--core.podselector.namespace=[Namespace of the core pods. \[default\: proxysql\]]:name:' \
'--core.podselector.app=[Value of the label app of the core pods. \[default\: proxysql\]]:text:' \
'--core.podselector.component=[Value of the label component of the core pods. \[default\: core\]]:text:' \
'--core.selector=[Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:' \
'--core.dns_name=[DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. \[default\: empty\]]:name:' \
'--core.dns_records=[Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. \[default\: both\]]:word:(both A AAAA)' \
'--core.dns_interval=[Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. \[default\: 5\]]:seconds:' \
'--core.dns_server=[DNS server; empty uses /etc/resolv.conf, re-read at each lookup. \[default\: empty\]]:address:port:' \
'--core.static_members=[Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only\: a node that syncs from a name resolving to itself hangs. \[default\: empty\]]:addresses:' \
'--core.own_address=[Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. \[default\: empty\]]:address:' \
'--core.bootstrap_hostname=[Hostname in the bootstrap row of proxysql_servers. \[default\: proxysql-core\]]:host:' \
'--core.allow_empty=[Allow publishing a file that removes all users or all servers. \[default\: false\]]::bool:(true false)' \
'--core.config_file=[ProxySQL'\''s own configuration file, published whenever it changes; empty disables the watch. \[default\: empty\]]:path:_files' \
'--satellite.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--api.address=[Listen address of the HTTP server. \:\: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. \[default\: \:\:\]]:address:' \
'--api.port=[Port of the HTTP server\: probes, /shutdown, /status, metrics. \[default\: 8080\]]:port:' \
'--api.token_file=[File with the bearer token required for mutating requests; empty disables authentication. \[default\: empty\]]:path:_files' \
'--health.refresh=[Probes answer from a health snapshot younger than this without querying ProxySQL. \[default\: 1\]]:seconds:' \
'--health.max_age=[After this long without an answer ProxySQL counts as unreachable. \[default\: 10\]]:seconds:' \
'--health.require_config=[Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. \[default\: auto\]]:word:(auto true false)' \
'--health.min_online=[Minimum number of ONLINE backends for readiness. \[default\: 0\]]:number:' \
'--shutdown.draining_file=[File created while this node is draining. \[default\: /var/lib/proxysql/draining\]]:path:_files' \
'--shutdown.propagation_delay=[Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. \[default\: 5\]]:seconds:' \
'--shutdown.drain_timeout=[Maximum time to wait for clients. \[default\: 30\]]:seconds:' \
'--shutdown.shutdown_timeout=[Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. \[default\: 60\]]:seconds:' \
'--shutdown.evict_idle_after=[Minimum idle time of a session before a drain evicts it. \[default\: 200ms\]]:seconds:' \
'--shutdown.on_sigterm=[What SIGTERM does\: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:(drain detach auto)' \
'--dump.directory=[Directory for <hostname>-digests.csv; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_files -/' \
'--dump.output=[Output file, in place of dump.directory; - is standard output. \[default\: empty\]]:path:_files' \
'--dump.reset=[Reset the digests after reading them. \[default\: false\]]::bool:(true false)' \
'--dump.format=[Output format. One of csv, jsonl. \[default\: csv\]]:word:(csv jsonl)' \
'--dump.compress=[Compression of the output. One of none, gzip. \[default\: none\]]:word:(none gzip)' \
'--dump.min_count=[Skip digests with a lower count; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.top=[Dump only the N digests with the highest total time; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.source=[Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. \[default\: mysql\]]:word:(mysql pgsql both)' \
'--dump.timeout=[Timeout for the whole dump. \[default\: 10m\]]:seconds:' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(plan)
_arguments "${_arguments_options[@]}" : \
'--file=[Of this file, - for standard input \[default\: the one that ProxySQL has\]]:file:_default' \
'--json=[Print as JSON]::bool:(true false)' \
'--show-config=[Print the effective configuration and the source of each value]::bool:(true false)' \
'--start_delay=[Delay before the first connection. \[default\: 0\]]:seconds:' \
'--run_mode=[core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.]:word:(core satellite dump)' \
'--log.level=[Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:(TRACE DEBUG INFO WARN ERROR)' \
'--log.format=[Log format (case-insensitive). One of text, JSON. \[default\: text\]]:word:(text JSON)' \
'--log.source=[Add source file and line to each log line. \[default\: false\]]::bool:(true false)' \
'--log.probes=[Log every probe request. \[default\: false\]]::bool:(true false)' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:' \
'--proxysql.username=[User for the admin port. \[default\: radmin\]]:text:' \
'--proxysql.password=[Password of this user. Use a file or a variable to keep it out of the process list. \[default\: empty\]]:text:' \
'--proxysql.password_file=[File with the password, read at every login; replaces proxysql.password. \[default\: empty\]]:path:_files' \
'--proxysql.connect_timeout=[Timeout for connecting, including login. \[default\: 5\]]:seconds:' \
'--proxysql.statement_timeout=[Timeout for a normal statement. \[default\: 10\]]:seconds:' \
'--core.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--core.discovery=[How cores discover each other\: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. \[default\: kubernetes\]]:word:(kubernetes dns static)' \
'--core.podselector.namespace=[Namespace of the core pods. \[default\: proxysql\]]:name:' \
'--core.podselector.app=[Value of the label app of the core pods. \[default\: proxysql\]]:text:' \
'--core.podselector.component=[Value of the label component of the core pods. \[default\: core\]]:text:' \
'--core.selector=[Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:' \
'--core.dns_name=[DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. \[default\: empty\]]:name:' \
'--core.dns_records=[Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. \[default\: both\]]:word:(both A AAAA)' \
'--core.dns_interval=[Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. \[default\: 5\]]:seconds:' \
'--core.dns_server=[DNS server; empty uses /etc/resolv.conf, re-read at each lookup. \[default\: empty\]]:address:port:' \
'--core.static_members=[Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only\: a node that syncs from a name resolving to itself hangs. \[default\: empty\]]:addresses:' \
'--core.own_address=[Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. \[default\: empty\]]:address:' \
'--core.bootstrap_hostname=[Hostname in the bootstrap row of proxysql_servers. \[default\: proxysql-core\]]:host:' \
'--core.allow_empty=[Allow publishing a file that removes all users or all servers. \[default\: false\]]::bool:(true false)' \
'--core.config_file=[ProxySQL'\''s own configuration file, published whenever it changes; empty disables the watch. \[default\: empty\]]:path:_files' \
'--satellite.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--api.address=[Listen address of the HTTP server. \:\: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. \[default\: \:\:\]]:address:' \
'--api.port=[Port of the HTTP server\: probes, /shutdown, /status, metrics. \[default\: 8080\]]:port:' \
'--api.token_file=[File with the bearer token required for mutating requests; empty disables authentication. \[default\: empty\]]:path:_files' \
'--health.refresh=[Probes answer from a health snapshot younger than this without querying ProxySQL. \[default\: 1\]]:seconds:' \
'--health.max_age=[After this long without an answer ProxySQL counts as unreachable. \[default\: 10\]]:seconds:' \
'--health.require_config=[Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. \[default\: auto\]]:word:(auto true false)' \
'--health.min_online=[Minimum number of ONLINE backends for readiness. \[default\: 0\]]:number:' \
'--shutdown.draining_file=[File created while this node is draining. \[default\: /var/lib/proxysql/draining\]]:path:_files' \
'--shutdown.propagation_delay=[Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. \[default\: 5\]]:seconds:' \
'--shutdown.drain_timeout=[Maximum time to wait for clients. \[default\: 30\]]:seconds:' \
'--shutdown.shutdown_timeout=[Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. \[default\: 60\]]:seconds:' \
'--shutdown.evict_idle_after=[Minimum idle time of a session before a drain evicts it. \[default\: 200ms\]]:seconds:' \
'--shutdown.on_sigterm=[What SIGTERM does\: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:(drain detach auto)' \
'--dump.directory=[Directory for <hostname>-digests.csv; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_files -/' \
'--dump.output=[Output file, in place of dump.directory; - is standard output. \[default\: empty\]]:path:_files' \
'--dump.reset=[Reset the digests after reading them. \[default\: false\]]::bool:(true false)' \
'--dump.format=[Output format. One of csv, jsonl. \[default\: csv\]]:word:(csv jsonl)' \
'--dump.compress=[Compression of the output. One of none, gzip. \[default\: none\]]:word:(none gzip)' \
'--dump.min_count=[Skip digests with a lower count; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.top=[Dump only the N digests with the highest total time; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.source=[Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. \[default\: mysql\]]:word:(mysql pgsql both)' \
'--dump.timeout=[Timeout for the whole dump. \[default\: 10m\]]:seconds:' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(shutdown)
_arguments "${_arguments_options[@]}" : \
'--show-config=[Print the effective configuration and the source of each value]::bool:(true false)' \
'--start_delay=[Delay before the first connection. \[default\: 0\]]:seconds:' \
'--run_mode=[core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.]:word:(core satellite dump)' \
'--log.level=[Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:(TRACE DEBUG INFO WARN ERROR)' \
'--log.format=[Log format (case-insensitive). One of text, JSON. \[default\: text\]]:word:(text JSON)' \
'--log.source=[Add source file and line to each log line. \[default\: false\]]::bool:(true false)' \
'--log.probes=[Log every probe request. \[default\: false\]]::bool:(true false)' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:' \
'--proxysql.username=[User for the admin port. \[default\: radmin\]]:text:' \
'--proxysql.password=[Password of this user. Use a file or a variable to keep it out of the process list. \[default\: empty\]]:text:' \
'--proxysql.password_file=[File with the password, read at every login; replaces proxysql.password. \[default\: empty\]]:path:_files' \
'--proxysql.connect_timeout=[Timeout for connecting, including login. \[default\: 5\]]:seconds:' \
'--proxysql.statement_timeout=[Timeout for a normal statement. \[default\: 10\]]:seconds:' \
'--core.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--core.discovery=[How cores discover each other\: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. \[default\: kubernetes\]]:word:(kubernetes dns static)' \
'--core.podselector.namespace=[Namespace of the core pods. \[default\: proxysql\]]:name:' \
'--core.podselector.app=[Value of the label app of the core pods. \[default\: proxysql\]]:text:' \
'--core.podselector.component=[Value of the label component of the core pods. \[default\: core\]]:text:' \
'--core.selector=[Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:' \
'--core.dns_name=[DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. \[default\: empty\]]:name:' \
'--core.dns_records=[Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. \[default\: both\]]:word:(both A AAAA)' \
'--core.dns_interval=[Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. \[default\: 5\]]:seconds:' \
'--core.dns_server=[DNS server; empty uses /etc/resolv.conf, re-read at each lookup. \[default\: empty\]]:address:port:' \
'--core.static_members=[Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only\: a node that syncs from a name resolving to itself hangs. \[default\: empty\]]:addresses:' \
'--core.own_address=[Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. \[default\: empty\]]:address:' \
'--core.bootstrap_hostname=[Hostname in the bootstrap row of proxysql_servers. \[default\: proxysql-core\]]:host:' \
'--core.allow_empty=[Allow publishing a file that removes all users or all servers. \[default\: false\]]::bool:(true false)' \
'--core.config_file=[ProxySQL'\''s own configuration file, published whenever it changes; empty disables the watch. \[default\: empty\]]:path:_files' \
'--satellite.interval=[Reconcile interval; 0 means the default. \[default\: 10\]]:seconds:' \
'--api.address=[Listen address of the HTTP server. \:\: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. \[default\: \:\:\]]:address:' \
'--api.port=[Port of the HTTP server\: probes, /shutdown, /status, metrics. \[default\: 8080\]]:port:' \
'--api.token_file=[File with the bearer token required for mutating requests; empty disables authentication. \[default\: empty\]]:path:_files' \
'--health.refresh=[Probes answer from a health snapshot younger than this without querying ProxySQL. \[default\: 1\]]:seconds:' \
'--health.max_age=[After this long without an answer ProxySQL counts as unreachable. \[default\: 10\]]:seconds:' \
'--health.require_config=[Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. \[default\: auto\]]:word:(auto true false)' \
'--health.min_online=[Minimum number of ONLINE backends for readiness. \[default\: 0\]]:number:' \
'--shutdown.draining_file=[File created while this node is draining. \[default\: /var/lib/proxysql/draining\]]:path:_files' \
'--shutdown.propagation_delay=[Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. \[default\: 5\]]:seconds:' \
'--shutdown.drain_timeout=[Maximum time to wait for clients. \[default\: 30\]]:seconds:' \
'--shutdown.shutdown_timeout=[Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. \[default\: 60\]]:seconds:' \
'--shutdown.evict_idle_after=[Minimum idle time of a session before a drain evicts it. \[default\: 200ms\]]:seconds:' \
'--shutdown.on_sigterm=[What SIGTERM does\: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:(drain detach auto)' \
'--dump.directory=[Directory for <hostname>-digests.csv; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_files -/' \
'--dump.output=[Output file, in place of dump.directory; - is standard output. \[default\: empty\]]:path:_files' \
'--dump.reset=[Reset the digests after reading them. \[default\: false\]]::bool:(true false)' \
'--dump.format=[Output format. One of csv, jsonl. \[default\: csv\]]:word:(csv jsonl)' \
'--dump.compress=[Compression of the output. One of none, gzip. \[default\: none\]]:word:(none gzip)' \
'--dump.min_count=[Skip digests with a lower count; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.top=[Dump only the N digests with the highest total time; 0 dumps all. \[default\: 0\]]:number:' \
'--dump.source=[Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. \[default\: mysql\]]:word:(mysql pgsql both)' \
'--dump.timeout=[Timeout for the whole dump. \[default\: 10m\]]:seconds:' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
        esac
    ;;
esac
}

(( $+functions[_proxysql-agent_commands] )) ||
_proxysql-agent_commands() {
    local commands; commands=(
'status:Show agent status; exit 1 if unhealthy or degraded, 4 if unreachable' \
'check:Validate the configuration offline; exit 2 if invalid' \
'plan:Preview publishing (dry run); exit 3 if there are changes' \
'shutdown:Drain and stop ProxySQL via its agent (for an exec preStop hook)' \
    )
    _describe -t commands 'proxysql-agent commands' commands "$@"
}
(( $+functions[_proxysql-agent__subcmd__check_commands] )) ||
_proxysql-agent__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'proxysql-agent check commands' commands "$@"
}
(( $+functions[_proxysql-agent__subcmd__plan_commands] )) ||
_proxysql-agent__subcmd__plan_commands() {
    local commands; commands=()
    _describe -t commands 'proxysql-agent plan commands' commands "$@"
}
(( $+functions[_proxysql-agent__subcmd__shutdown_commands] )) ||
_proxysql-agent__subcmd__shutdown_commands() {
    local commands; commands=()
    _describe -t commands 'proxysql-agent shutdown commands' commands "$@"
}
(( $+functions[_proxysql-agent__subcmd__status_commands] )) ||
_proxysql-agent__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'proxysql-agent status commands' commands "$@"
}

if [ "$funcstack[1]" = "_proxysql-agent" ]; then
    _proxysql-agent "$@"
else
    compdef _proxysql-agent proxysql-agent
fi
