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
'--show-config=[Print the effective configuration, and where each value comes from]::bool:_default' \
'--start_delay=[Sleep before the first connection. \[default\: 0\]]:seconds:_default' \
'--run_mode=[core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.]:word:_default' \
'--log.level=[The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:_default' \
'--log.format=[Form of a log line, in any case. One of text, JSON. \[default\: text\]]:word:_default' \
'--log.source=[Add file and line of the source to each log line. \[default\: false\]]::bool:_default' \
'--log.probes=[Log each answered probe. \[default\: false\]]::bool:_default' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:_default' \
'--proxysql.username=[Admin user. \[default\: radmin\]]:text:_default' \
'--proxysql.password=[Its password. A file or a variable keeps it out of the process list. \[default\: empty\]]:text:_default' \
'--proxysql.password_file=[A file with the password, read at every login; instead of proxysql.password. \[default\: empty\]]:path:_default' \
'--proxysql.connect_timeout=[Bound of one connection attempt, login included. \[default\: 5\]]:seconds:_default' \
'--proxysql.statement_timeout=[Bound of one ordinary statement. \[default\: 10\]]:seconds:_default' \
'--core.interval=[Time between two passes over members and configuration; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--core.discovery=[How a core finds the others\: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. \[default\: kubernetes\]]:word:_default' \
'--core.podselector.namespace=[Namespace of the cores'\'' pods. \[default\: proxysql\]]:name:_default' \
'--core.podselector.app=[Value of their label app. \[default\: proxysql\]]:text:_default' \
'--core.podselector.component=[Value of their label component. \[default\: core\]]:text:_default' \
'--core.selector=[A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:_default' \
'--core.dns_name=[The name whose A and AAAA records are the cores; resolv.conf'\''s search list applies unless it ends with a dot. \[default\: empty\]]:name:_default' \
'--core.dns_records=[Records to ask for. A core with both kinds would be two members\: choose one. One of both, A, AAAA. \[default\: both\]]:word:_default' \
'--core.dns_interval=[Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. \[default\: 5\]]:seconds:_default' \
'--core.dns_server=[The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. \[default\: empty\]]:address:port:_default' \
'--core.static_members=[The cores'\'' addresses, with commas between them; without a port it is that of proxysql.address. No names\: a node that pulls through a name that leads to itself hangs. \[default\: empty\]]:addresses:_default' \
'--core.own_address=[This core'\''s address among those of dns or static. Empty finds it\: the host of proxysql.address, or one that is local. \[default\: empty\]]:address:_default' \
'--core.bootstrap_hostname=[Hostname of the row of proxysql_servers that a node boots with. \[default\: proxysql-core\]]:host:_default' \
'--core.allow_empty=[Publish a file even if it empties users or servers while runtime holds rows. \[default\: false\]]::bool:_default' \
'--core.config_file=[ProxySQL'\''s own configuration file, to publish it again whenever it changes; empty is no watch. \[default\: empty\]]:path:_default' \
'--satellite.interval=[Time between two looks at the cores; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--api.address=[Address to listen on. \:\: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. \[default\: \:\:\]]:address:_default' \
'--api.port=[Port for probes, /shutdown and metrics. \[default\: 8080\]]:port:_default' \
'--api.token_file=[A file with the token that every request that changes something must carry; empty is no token. \[default\: empty\]]:path:_default' \
'--health.refresh=[A snapshot younger than this answers a probe without asking ProxySQL. \[default\: 1\]]:seconds:_default' \
'--health.max_age=[A snapshot older than this counts as ProxySQL'\''s silence. \[default\: 10\]]:seconds:_default' \
'--health.require_config=[Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. \[default\: auto\]]:word:_default' \
'--health.min_online=[Ready only with so many backends ONLINE. \[default\: 0\]]:number:_default' \
'--shutdown.draining_file=[The file that says that this node drains. \[default\: /var/lib/proxysql/draining\]]:path:_default' \
'--shutdown.propagation_delay=[What endpoints get to stop routing here before the listener closes; skipped where no client ever came. \[default\: 5\]]:seconds:_default' \
'--shutdown.drain_timeout=[What clients get to finish. \[default\: 30\]]:seconds:_default' \
'--shutdown.shutdown_timeout=[Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. \[default\: 60\]]:seconds:_default' \
'--shutdown.evict_idle_after=[How long a session must be idle to be evicted by a drain. \[default\: 200ms\]]:seconds:_default' \
'--shutdown.on_sigterm=[drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:_default' \
'--dump.directory=[Where <hostname>-digests.csv goes; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_default' \
'--dump.output=[A file instead of dump.directory; - is standard output. \[default\: empty\]]:path:_default' \
'--dump.reset=[Reset the digests by reading them. \[default\: false\]]::bool:_default' \
'--dump.format=[Form of the dump. One of csv, jsonl. \[default\: csv\]]:word:_default' \
'--dump.compress=[Compression of the dump. One of none, gzip. \[default\: none\]]:word:_default' \
'--dump.min_count=[Only digests seen at least so often; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.top=[Only so many digests, by total time; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.source=[Whose digests, MySQL'\''s or PostgreSQL'\''s. One of mysql, pgsql, both. \[default\: mysql\]]:word:_default' \
'--dump.timeout=[Bound of the whole dump. \[default\: 10m\]]:seconds:_default' \
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
'--address=[Where its HTTP port is \[default\: api.address and api.port\]]:host:port:_default' \
'--json=[Print it as JSON]::bool:_default' \
'--watch=[Print it again every two seconds]::bool:_default' \
'--show-config=[Print the effective configuration, and where each value comes from]::bool:_default' \
'--start_delay=[Sleep before the first connection. \[default\: 0\]]:seconds:_default' \
'--run_mode=[core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.]:word:_default' \
'--log.level=[The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:_default' \
'--log.format=[Form of a log line, in any case. One of text, JSON. \[default\: text\]]:word:_default' \
'--log.source=[Add file and line of the source to each log line. \[default\: false\]]::bool:_default' \
'--log.probes=[Log each answered probe. \[default\: false\]]::bool:_default' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:_default' \
'--proxysql.username=[Admin user. \[default\: radmin\]]:text:_default' \
'--proxysql.password=[Its password. A file or a variable keeps it out of the process list. \[default\: empty\]]:text:_default' \
'--proxysql.password_file=[A file with the password, read at every login; instead of proxysql.password. \[default\: empty\]]:path:_default' \
'--proxysql.connect_timeout=[Bound of one connection attempt, login included. \[default\: 5\]]:seconds:_default' \
'--proxysql.statement_timeout=[Bound of one ordinary statement. \[default\: 10\]]:seconds:_default' \
'--core.interval=[Time between two passes over members and configuration; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--core.discovery=[How a core finds the others\: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. \[default\: kubernetes\]]:word:_default' \
'--core.podselector.namespace=[Namespace of the cores'\'' pods. \[default\: proxysql\]]:name:_default' \
'--core.podselector.app=[Value of their label app. \[default\: proxysql\]]:text:_default' \
'--core.podselector.component=[Value of their label component. \[default\: core\]]:text:_default' \
'--core.selector=[A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:_default' \
'--core.dns_name=[The name whose A and AAAA records are the cores; resolv.conf'\''s search list applies unless it ends with a dot. \[default\: empty\]]:name:_default' \
'--core.dns_records=[Records to ask for. A core with both kinds would be two members\: choose one. One of both, A, AAAA. \[default\: both\]]:word:_default' \
'--core.dns_interval=[Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. \[default\: 5\]]:seconds:_default' \
'--core.dns_server=[The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. \[default\: empty\]]:address:port:_default' \
'--core.static_members=[The cores'\'' addresses, with commas between them; without a port it is that of proxysql.address. No names\: a node that pulls through a name that leads to itself hangs. \[default\: empty\]]:addresses:_default' \
'--core.own_address=[This core'\''s address among those of dns or static. Empty finds it\: the host of proxysql.address, or one that is local. \[default\: empty\]]:address:_default' \
'--core.bootstrap_hostname=[Hostname of the row of proxysql_servers that a node boots with. \[default\: proxysql-core\]]:host:_default' \
'--core.allow_empty=[Publish a file even if it empties users or servers while runtime holds rows. \[default\: false\]]::bool:_default' \
'--core.config_file=[ProxySQL'\''s own configuration file, to publish it again whenever it changes; empty is no watch. \[default\: empty\]]:path:_default' \
'--satellite.interval=[Time between two looks at the cores; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--api.address=[Address to listen on. \:\: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. \[default\: \:\:\]]:address:_default' \
'--api.port=[Port for probes, /shutdown and metrics. \[default\: 8080\]]:port:_default' \
'--api.token_file=[A file with the token that every request that changes something must carry; empty is no token. \[default\: empty\]]:path:_default' \
'--health.refresh=[A snapshot younger than this answers a probe without asking ProxySQL. \[default\: 1\]]:seconds:_default' \
'--health.max_age=[A snapshot older than this counts as ProxySQL'\''s silence. \[default\: 10\]]:seconds:_default' \
'--health.require_config=[Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. \[default\: auto\]]:word:_default' \
'--health.min_online=[Ready only with so many backends ONLINE. \[default\: 0\]]:number:_default' \
'--shutdown.draining_file=[The file that says that this node drains. \[default\: /var/lib/proxysql/draining\]]:path:_default' \
'--shutdown.propagation_delay=[What endpoints get to stop routing here before the listener closes; skipped where no client ever came. \[default\: 5\]]:seconds:_default' \
'--shutdown.drain_timeout=[What clients get to finish. \[default\: 30\]]:seconds:_default' \
'--shutdown.shutdown_timeout=[Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. \[default\: 60\]]:seconds:_default' \
'--shutdown.evict_idle_after=[How long a session must be idle to be evicted by a drain. \[default\: 200ms\]]:seconds:_default' \
'--shutdown.on_sigterm=[drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:_default' \
'--dump.directory=[Where <hostname>-digests.csv goes; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_default' \
'--dump.output=[A file instead of dump.directory; - is standard output. \[default\: empty\]]:path:_default' \
'--dump.reset=[Reset the digests by reading them. \[default\: false\]]::bool:_default' \
'--dump.format=[Form of the dump. One of csv, jsonl. \[default\: csv\]]:word:_default' \
'--dump.compress=[Compression of the dump. One of none, gzip. \[default\: none\]]:word:_default' \
'--dump.min_count=[Only digests seen at least so often; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.top=[Only so many digests, by total time; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.source=[Whose digests, MySQL'\''s or PostgreSQL'\''s. One of mysql, pgsql, both. \[default\: mysql\]]:word:_default' \
'--dump.timeout=[Bound of the whole dump. \[default\: 10m\]]:seconds:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--show-config=[Print the effective configuration, and where each value comes from]::bool:_default' \
'--start_delay=[Sleep before the first connection. \[default\: 0\]]:seconds:_default' \
'--run_mode=[core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.]:word:_default' \
'--log.level=[The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:_default' \
'--log.format=[Form of a log line, in any case. One of text, JSON. \[default\: text\]]:word:_default' \
'--log.source=[Add file and line of the source to each log line. \[default\: false\]]::bool:_default' \
'--log.probes=[Log each answered probe. \[default\: false\]]::bool:_default' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:_default' \
'--proxysql.username=[Admin user. \[default\: radmin\]]:text:_default' \
'--proxysql.password=[Its password. A file or a variable keeps it out of the process list. \[default\: empty\]]:text:_default' \
'--proxysql.password_file=[A file with the password, read at every login; instead of proxysql.password. \[default\: empty\]]:path:_default' \
'--proxysql.connect_timeout=[Bound of one connection attempt, login included. \[default\: 5\]]:seconds:_default' \
'--proxysql.statement_timeout=[Bound of one ordinary statement. \[default\: 10\]]:seconds:_default' \
'--core.interval=[Time between two passes over members and configuration; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--core.discovery=[How a core finds the others\: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. \[default\: kubernetes\]]:word:_default' \
'--core.podselector.namespace=[Namespace of the cores'\'' pods. \[default\: proxysql\]]:name:_default' \
'--core.podselector.app=[Value of their label app. \[default\: proxysql\]]:text:_default' \
'--core.podselector.component=[Value of their label component. \[default\: core\]]:text:_default' \
'--core.selector=[A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:_default' \
'--core.dns_name=[The name whose A and AAAA records are the cores; resolv.conf'\''s search list applies unless it ends with a dot. \[default\: empty\]]:name:_default' \
'--core.dns_records=[Records to ask for. A core with both kinds would be two members\: choose one. One of both, A, AAAA. \[default\: both\]]:word:_default' \
'--core.dns_interval=[Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. \[default\: 5\]]:seconds:_default' \
'--core.dns_server=[The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. \[default\: empty\]]:address:port:_default' \
'--core.static_members=[The cores'\'' addresses, with commas between them; without a port it is that of proxysql.address. No names\: a node that pulls through a name that leads to itself hangs. \[default\: empty\]]:addresses:_default' \
'--core.own_address=[This core'\''s address among those of dns or static. Empty finds it\: the host of proxysql.address, or one that is local. \[default\: empty\]]:address:_default' \
'--core.bootstrap_hostname=[Hostname of the row of proxysql_servers that a node boots with. \[default\: proxysql-core\]]:host:_default' \
'--core.allow_empty=[Publish a file even if it empties users or servers while runtime holds rows. \[default\: false\]]::bool:_default' \
'--core.config_file=[ProxySQL'\''s own configuration file, to publish it again whenever it changes; empty is no watch. \[default\: empty\]]:path:_default' \
'--satellite.interval=[Time between two looks at the cores; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--api.address=[Address to listen on. \:\: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. \[default\: \:\:\]]:address:_default' \
'--api.port=[Port for probes, /shutdown and metrics. \[default\: 8080\]]:port:_default' \
'--api.token_file=[A file with the token that every request that changes something must carry; empty is no token. \[default\: empty\]]:path:_default' \
'--health.refresh=[A snapshot younger than this answers a probe without asking ProxySQL. \[default\: 1\]]:seconds:_default' \
'--health.max_age=[A snapshot older than this counts as ProxySQL'\''s silence. \[default\: 10\]]:seconds:_default' \
'--health.require_config=[Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. \[default\: auto\]]:word:_default' \
'--health.min_online=[Ready only with so many backends ONLINE. \[default\: 0\]]:number:_default' \
'--shutdown.draining_file=[The file that says that this node drains. \[default\: /var/lib/proxysql/draining\]]:path:_default' \
'--shutdown.propagation_delay=[What endpoints get to stop routing here before the listener closes; skipped where no client ever came. \[default\: 5\]]:seconds:_default' \
'--shutdown.drain_timeout=[What clients get to finish. \[default\: 30\]]:seconds:_default' \
'--shutdown.shutdown_timeout=[Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. \[default\: 60\]]:seconds:_default' \
'--shutdown.evict_idle_after=[How long a session must be idle to be evicted by a drain. \[default\: 200ms\]]:seconds:_default' \
'--shutdown.on_sigterm=[drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:_default' \
'--dump.directory=[Where <hostname>-digests.csv goes; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_default' \
'--dump.output=[A file instead of dump.directory; - is standard output. \[default\: empty\]]:path:_default' \
'--dump.reset=[Reset the digests by reading them. \[default\: false\]]::bool:_default' \
'--dump.format=[Form of the dump. One of csv, jsonl. \[default\: csv\]]:word:_default' \
'--dump.compress=[Compression of the dump. One of none, gzip. \[default\: none\]]:word:_default' \
'--dump.min_count=[Only digests seen at least so often; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.top=[Only so many digests, by total time; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.source=[Whose digests, MySQL'\''s or PostgreSQL'\''s. One of mysql, pgsql, both. \[default\: mysql\]]:word:_default' \
'--dump.timeout=[Bound of the whole dump. \[default\: 10m\]]:seconds:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(plan)
_arguments "${_arguments_options[@]}" : \
'--json=[Print it as JSON]::bool:_default' \
'--show-config=[Print the effective configuration, and where each value comes from]::bool:_default' \
'--start_delay=[Sleep before the first connection. \[default\: 0\]]:seconds:_default' \
'--run_mode=[core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.]:word:_default' \
'--log.level=[The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:_default' \
'--log.format=[Form of a log line, in any case. One of text, JSON. \[default\: text\]]:word:_default' \
'--log.source=[Add file and line of the source to each log line. \[default\: false\]]::bool:_default' \
'--log.probes=[Log each answered probe. \[default\: false\]]::bool:_default' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:_default' \
'--proxysql.username=[Admin user. \[default\: radmin\]]:text:_default' \
'--proxysql.password=[Its password. A file or a variable keeps it out of the process list. \[default\: empty\]]:text:_default' \
'--proxysql.password_file=[A file with the password, read at every login; instead of proxysql.password. \[default\: empty\]]:path:_default' \
'--proxysql.connect_timeout=[Bound of one connection attempt, login included. \[default\: 5\]]:seconds:_default' \
'--proxysql.statement_timeout=[Bound of one ordinary statement. \[default\: 10\]]:seconds:_default' \
'--core.interval=[Time between two passes over members and configuration; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--core.discovery=[How a core finds the others\: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. \[default\: kubernetes\]]:word:_default' \
'--core.podselector.namespace=[Namespace of the cores'\'' pods. \[default\: proxysql\]]:name:_default' \
'--core.podselector.app=[Value of their label app. \[default\: proxysql\]]:text:_default' \
'--core.podselector.component=[Value of their label component. \[default\: core\]]:text:_default' \
'--core.selector=[A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:_default' \
'--core.dns_name=[The name whose A and AAAA records are the cores; resolv.conf'\''s search list applies unless it ends with a dot. \[default\: empty\]]:name:_default' \
'--core.dns_records=[Records to ask for. A core with both kinds would be two members\: choose one. One of both, A, AAAA. \[default\: both\]]:word:_default' \
'--core.dns_interval=[Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. \[default\: 5\]]:seconds:_default' \
'--core.dns_server=[The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. \[default\: empty\]]:address:port:_default' \
'--core.static_members=[The cores'\'' addresses, with commas between them; without a port it is that of proxysql.address. No names\: a node that pulls through a name that leads to itself hangs. \[default\: empty\]]:addresses:_default' \
'--core.own_address=[This core'\''s address among those of dns or static. Empty finds it\: the host of proxysql.address, or one that is local. \[default\: empty\]]:address:_default' \
'--core.bootstrap_hostname=[Hostname of the row of proxysql_servers that a node boots with. \[default\: proxysql-core\]]:host:_default' \
'--core.allow_empty=[Publish a file even if it empties users or servers while runtime holds rows. \[default\: false\]]::bool:_default' \
'--core.config_file=[ProxySQL'\''s own configuration file, to publish it again whenever it changes; empty is no watch. \[default\: empty\]]:path:_default' \
'--satellite.interval=[Time between two looks at the cores; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--api.address=[Address to listen on. \:\: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. \[default\: \:\:\]]:address:_default' \
'--api.port=[Port for probes, /shutdown and metrics. \[default\: 8080\]]:port:_default' \
'--api.token_file=[A file with the token that every request that changes something must carry; empty is no token. \[default\: empty\]]:path:_default' \
'--health.refresh=[A snapshot younger than this answers a probe without asking ProxySQL. \[default\: 1\]]:seconds:_default' \
'--health.max_age=[A snapshot older than this counts as ProxySQL'\''s silence. \[default\: 10\]]:seconds:_default' \
'--health.require_config=[Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. \[default\: auto\]]:word:_default' \
'--health.min_online=[Ready only with so many backends ONLINE. \[default\: 0\]]:number:_default' \
'--shutdown.draining_file=[The file that says that this node drains. \[default\: /var/lib/proxysql/draining\]]:path:_default' \
'--shutdown.propagation_delay=[What endpoints get to stop routing here before the listener closes; skipped where no client ever came. \[default\: 5\]]:seconds:_default' \
'--shutdown.drain_timeout=[What clients get to finish. \[default\: 30\]]:seconds:_default' \
'--shutdown.shutdown_timeout=[Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. \[default\: 60\]]:seconds:_default' \
'--shutdown.evict_idle_after=[How long a session must be idle to be evicted by a drain. \[default\: 200ms\]]:seconds:_default' \
'--shutdown.on_sigterm=[drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:_default' \
'--dump.directory=[Where <hostname>-digests.csv goes; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_default' \
'--dump.output=[A file instead of dump.directory; - is standard output. \[default\: empty\]]:path:_default' \
'--dump.reset=[Reset the digests by reading them. \[default\: false\]]::bool:_default' \
'--dump.format=[Form of the dump. One of csv, jsonl. \[default\: csv\]]:word:_default' \
'--dump.compress=[Compression of the dump. One of none, gzip. \[default\: none\]]:word:_default' \
'--dump.min_count=[Only digests seen at least so often; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.top=[Only so many digests, by total time; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.source=[Whose digests, MySQL'\''s or PostgreSQL'\''s. One of mysql, pgsql, both. \[default\: mysql\]]:word:_default' \
'--dump.timeout=[Bound of the whole dump. \[default\: 10m\]]:seconds:_default' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(shutdown)
_arguments "${_arguments_options[@]}" : \
'--show-config=[Print the effective configuration, and where each value comes from]::bool:_default' \
'--start_delay=[Sleep before the first connection. \[default\: 0\]]:seconds:_default' \
'--run_mode=[core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.]:word:_default' \
'--log.level=[The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. \[default\: INFO\]]:word:_default' \
'--log.format=[Form of a log line, in any case. One of text, JSON. \[default\: text\]]:word:_default' \
'--log.source=[Add file and line of the source to each log line. \[default\: false\]]::bool:_default' \
'--log.probes=[Log each answered probe. \[default\: false\]]::bool:_default' \
'--proxysql.address=[ProxySQL'\''s admin port\: host\:port or \[v6\]\:port. \[default\: 127.0.0.1\:6032\]]:host:port:_default' \
'--proxysql.username=[Admin user. \[default\: radmin\]]:text:_default' \
'--proxysql.password=[Its password. A file or a variable keeps it out of the process list. \[default\: empty\]]:text:_default' \
'--proxysql.password_file=[A file with the password, read at every login; instead of proxysql.password. \[default\: empty\]]:path:_default' \
'--proxysql.connect_timeout=[Bound of one connection attempt, login included. \[default\: 5\]]:seconds:_default' \
'--proxysql.statement_timeout=[Bound of one ordinary statement. \[default\: 10\]]:seconds:_default' \
'--core.interval=[Time between two passes over members and configuration; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--core.discovery=[How a core finds the others\: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. \[default\: kubernetes\]]:word:_default' \
'--core.podselector.namespace=[Namespace of the cores'\'' pods. \[default\: proxysql\]]:name:_default' \
'--core.podselector.app=[Value of their label app. \[default\: proxysql\]]:text:_default' \
'--core.podselector.component=[Value of their label component. \[default\: core\]]:text:_default' \
'--core.selector=[A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. \[default\: empty\]]:selector:_default' \
'--core.dns_name=[The name whose A and AAAA records are the cores; resolv.conf'\''s search list applies unless it ends with a dot. \[default\: empty\]]:name:_default' \
'--core.dns_records=[Records to ask for. A core with both kinds would be two members\: choose one. One of both, A, AAAA. \[default\: both\]]:word:_default' \
'--core.dns_interval=[Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. \[default\: 5\]]:seconds:_default' \
'--core.dns_server=[The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. \[default\: empty\]]:address:port:_default' \
'--core.static_members=[The cores'\'' addresses, with commas between them; without a port it is that of proxysql.address. No names\: a node that pulls through a name that leads to itself hangs. \[default\: empty\]]:addresses:_default' \
'--core.own_address=[This core'\''s address among those of dns or static. Empty finds it\: the host of proxysql.address, or one that is local. \[default\: empty\]]:address:_default' \
'--core.bootstrap_hostname=[Hostname of the row of proxysql_servers that a node boots with. \[default\: proxysql-core\]]:host:_default' \
'--core.allow_empty=[Publish a file even if it empties users or servers while runtime holds rows. \[default\: false\]]::bool:_default' \
'--core.config_file=[ProxySQL'\''s own configuration file, to publish it again whenever it changes; empty is no watch. \[default\: empty\]]:path:_default' \
'--satellite.interval=[Time between two looks at the cores; 0 is the default. \[default\: 10\]]:seconds:_default' \
'--api.address=[Address to listen on. \:\: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. \[default\: \:\:\]]:address:_default' \
'--api.port=[Port for probes, /shutdown and metrics. \[default\: 8080\]]:port:_default' \
'--api.token_file=[A file with the token that every request that changes something must carry; empty is no token. \[default\: empty\]]:path:_default' \
'--health.refresh=[A snapshot younger than this answers a probe without asking ProxySQL. \[default\: 1\]]:seconds:_default' \
'--health.max_age=[A snapshot older than this counts as ProxySQL'\''s silence. \[default\: 10\]]:seconds:_default' \
'--health.require_config=[Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. \[default\: auto\]]:word:_default' \
'--health.min_online=[Ready only with so many backends ONLINE. \[default\: 0\]]:number:_default' \
'--shutdown.draining_file=[The file that says that this node drains. \[default\: /var/lib/proxysql/draining\]]:path:_default' \
'--shutdown.propagation_delay=[What endpoints get to stop routing here before the listener closes; skipped where no client ever came. \[default\: 5\]]:seconds:_default' \
'--shutdown.drain_timeout=[What clients get to finish. \[default\: 30\]]:seconds:_default' \
'--shutdown.shutdown_timeout=[Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. \[default\: 60\]]:seconds:_default' \
'--shutdown.evict_idle_after=[How long a session must be idle to be evicted by a drain. \[default\: 200ms\]]:seconds:_default' \
'--shutdown.on_sigterm=[drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. \[default\: drain\]]:word:_default' \
'--dump.directory=[Where <hostname>-digests.csv goes; empty is the system'\''s temporary directory. \[default\: empty\]]:path:_default' \
'--dump.output=[A file instead of dump.directory; - is standard output. \[default\: empty\]]:path:_default' \
'--dump.reset=[Reset the digests by reading them. \[default\: false\]]::bool:_default' \
'--dump.format=[Form of the dump. One of csv, jsonl. \[default\: csv\]]:word:_default' \
'--dump.compress=[Compression of the dump. One of none, gzip. \[default\: none\]]:word:_default' \
'--dump.min_count=[Only digests seen at least so often; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.top=[Only so many digests, by total time; 0 is all. \[default\: 0\]]:number:_default' \
'--dump.source=[Whose digests, MySQL'\''s or PostgreSQL'\''s. One of mysql, pgsql, both. \[default\: mysql\]]:word:_default' \
'--dump.timeout=[Bound of the whole dump. \[default\: 10m\]]:seconds:_default' \
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
'status:Print how an agent is; exit 1 if not well, 4 if nobody answers' \
'check:Check the configuration and contact nobody; exit 2 if it is wrong' \
'plan:Print what publishing would change; exit 3 if there is something' \
'shutdown:Drain and stop ProxySQL through its agent; for an exec preStop' \
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
