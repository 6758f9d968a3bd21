# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_proxysql_agent_global_optspecs
    string join \n show-config= start_delay= run_mode= log.level= log.format= log.source= log.probes= proxysql.address= proxysql.username= proxysql.password= proxysql.password_file= proxysql.connect_timeout= proxysql.statement_timeout= core.interval= core.discovery= core.podselector.namespace= core.podselector.app= core.podselector.component= core.selector= core.dns_name= core.dns_records= core.dns_interval= core.dns_server= core.static_members= core.own_address= core.bootstrap_hostname= core.allow_empty= core.config_file= satellite.interval= api.address= api.port= api.token_file= health.refresh= health.max_age= health.require_config= health.min_online= shutdown.draining_file= shutdown.propagation_delay= shutdown.drain_timeout= shutdown.shutdown_timeout= shutdown.evict_idle_after= shutdown.on_sigterm= dump.directory= dump.output= dump.reset= dump.format= dump.compress= dump.min_count= dump.top= dump.source= dump.timeout= h/help V/version
end

function __fish_proxysql_agent_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_proxysql_agent_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_proxysql_agent_using_subcommand
    set -l cmd (__fish_proxysql_agent_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l show-config -d 'Print the effective configuration and the source of each value' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l start_delay -d 'Delay before the first connection. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l run_mode -d 'core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.' -r -f -a "core\t''
satellite\t''
dump\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.level -d 'Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r -f -a "TRACE\t''
DEBUG\t''
INFO\t''
WARN\t''
ERROR\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.format -d 'Log format (case-insensitive). One of text, JSON. [default: text]' -r -f -a "text\t''
JSON\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.source -d 'Add source file and line to each log line. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.probes -d 'Log every probe request. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.username -d 'User for the admin port. [default: radmin]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.password -d 'Password of this user. Use a file or a variable to keep it out of the process list. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.password_file -d 'File with the password, read at every login; replaces proxysql.password. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.connect_timeout -d 'Timeout for connecting, including login. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.statement_timeout -d 'Timeout for a normal statement. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.discovery -d 'How cores discover each other: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. [default: kubernetes]' -r -f -a "kubernetes\t''
dns\t''
static\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.podselector.namespace -d 'Namespace of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.podselector.app -d 'Value of the label app of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.podselector.component -d 'Value of the label component of the core pods. [default: core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.selector -d 'Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_name -d 'DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_records -d 'Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. [default: both]' -r -f -a "both\t''
A\t''
AAAA\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_interval -d 'Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_server -d 'DNS server; empty uses /etc/resolv.conf, re-read at each lookup. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.static_members -d 'Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only: a node that syncs from a name resolving to itself hangs. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.own_address -d 'Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.bootstrap_hostname -d 'Hostname in the bootstrap row of proxysql_servers. [default: proxysql-core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.allow_empty -d 'Allow publishing a file that removes all users or all servers. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.config_file -d 'ProxySQL\'s own configuration file, published whenever it changes; empty disables the watch. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l satellite.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l api.address -d 'Listen address of the HTTP server. :: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. [default: ::]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l api.port -d 'Port of the HTTP server: probes, /shutdown, /status, metrics. [default: 8080]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l api.token_file -d 'File with the bearer token required for mutating requests; empty disables authentication. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.refresh -d 'Probes answer from a health snapshot younger than this without querying ProxySQL. [default: 1]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.max_age -d 'After this long without an answer ProxySQL counts as unreachable. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.require_config -d 'Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. [default: auto]' -r -f -a "auto\t''
true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.min_online -d 'Minimum number of ONLINE backends for readiness. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.draining_file -d 'File created while this node is draining. [default: /var/lib/proxysql/draining]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.propagation_delay -d 'Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.drain_timeout -d 'Maximum time to wait for clients. [default: 30]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.shutdown_timeout -d 'Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. [default: 60]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.evict_idle_after -d 'Minimum idle time of a session before a drain evicts it. [default: 200ms]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.on_sigterm -d 'What SIGTERM does: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r -f -a "drain\t''
detach\t''
auto\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.directory -d 'Directory for <hostname>-digests.csv; empty is the system\'s temporary directory. [default: empty]' -r -f -a "(__fish_complete_directories)"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.output -d 'Output file, in place of dump.directory; - is standard output. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.reset -d 'Reset the digests after reading them. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.format -d 'Output format. One of csv, jsonl. [default: csv]' -r -f -a "csv\t''
jsonl\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.compress -d 'Compression of the output. One of none, gzip. [default: none]' -r -f -a "none\t''
gzip\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.min_count -d 'Skip digests with a lower count; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.top -d 'Dump only the N digests with the highest total time; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.source -d 'Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. [default: mysql]' -r -f -a "mysql\t''
pgsql\t''
both\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.timeout -d 'Timeout for the whole dump. [default: 10m]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -s V -l version -d 'Print version'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "status" -d 'Show agent status; exit 1 if unhealthy or degraded, 4 if unreachable'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "check" -d 'Validate the configuration offline; exit 2 if invalid'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "plan" -d 'Preview publishing (dry run); exit 3 if there are changes'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "shutdown" -d 'Drain and stop ProxySQL via its agent (for an exec preStop hook)'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l address -d 'Address of the agent\'s HTTP server [default: api.address and api.port]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l json -d 'Print as JSON' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l watch -d 'Refresh every two seconds' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l show-config -d 'Print the effective configuration and the source of each value' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l start_delay -d 'Delay before the first connection. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l run_mode -d 'core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.' -r -f -a "core\t''
satellite\t''
dump\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.level -d 'Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r -f -a "TRACE\t''
DEBUG\t''
INFO\t''
WARN\t''
ERROR\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.format -d 'Log format (case-insensitive). One of text, JSON. [default: text]' -r -f -a "text\t''
JSON\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.source -d 'Add source file and line to each log line. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.probes -d 'Log every probe request. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.username -d 'User for the admin port. [default: radmin]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.password -d 'Password of this user. Use a file or a variable to keep it out of the process list. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.password_file -d 'File with the password, read at every login; replaces proxysql.password. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.connect_timeout -d 'Timeout for connecting, including login. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.statement_timeout -d 'Timeout for a normal statement. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.discovery -d 'How cores discover each other: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. [default: kubernetes]' -r -f -a "kubernetes\t''
dns\t''
static\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.podselector.namespace -d 'Namespace of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.podselector.app -d 'Value of the label app of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.podselector.component -d 'Value of the label component of the core pods. [default: core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.selector -d 'Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_name -d 'DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_records -d 'Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. [default: both]' -r -f -a "both\t''
A\t''
AAAA\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_interval -d 'Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_server -d 'DNS server; empty uses /etc/resolv.conf, re-read at each lookup. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.static_members -d 'Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only: a node that syncs from a name resolving to itself hangs. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.own_address -d 'Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.bootstrap_hostname -d 'Hostname in the bootstrap row of proxysql_servers. [default: proxysql-core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.allow_empty -d 'Allow publishing a file that removes all users or all servers. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.config_file -d 'ProxySQL\'s own configuration file, published whenever it changes; empty disables the watch. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l satellite.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l api.address -d 'Listen address of the HTTP server. :: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. [default: ::]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l api.port -d 'Port of the HTTP server: probes, /shutdown, /status, metrics. [default: 8080]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l api.token_file -d 'File with the bearer token required for mutating requests; empty disables authentication. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.refresh -d 'Probes answer from a health snapshot younger than this without querying ProxySQL. [default: 1]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.max_age -d 'After this long without an answer ProxySQL counts as unreachable. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.require_config -d 'Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. [default: auto]' -r -f -a "auto\t''
true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.min_online -d 'Minimum number of ONLINE backends for readiness. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.draining_file -d 'File created while this node is draining. [default: /var/lib/proxysql/draining]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.propagation_delay -d 'Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.drain_timeout -d 'Maximum time to wait for clients. [default: 30]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.shutdown_timeout -d 'Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. [default: 60]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.evict_idle_after -d 'Minimum idle time of a session before a drain evicts it. [default: 200ms]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.on_sigterm -d 'What SIGTERM does: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r -f -a "drain\t''
detach\t''
auto\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.directory -d 'Directory for <hostname>-digests.csv; empty is the system\'s temporary directory. [default: empty]' -r -f -a "(__fish_complete_directories)"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.output -d 'Output file, in place of dump.directory; - is standard output. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.reset -d 'Reset the digests after reading them. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.format -d 'Output format. One of csv, jsonl. [default: csv]' -r -f -a "csv\t''
jsonl\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.compress -d 'Compression of the output. One of none, gzip. [default: none]' -r -f -a "none\t''
gzip\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.min_count -d 'Skip digests with a lower count; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.top -d 'Dump only the N digests with the highest total time; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.source -d 'Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. [default: mysql]' -r -f -a "mysql\t''
pgsql\t''
both\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.timeout -d 'Timeout for the whole dump. [default: 10m]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l show-config -d 'Print the effective configuration and the source of each value' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l start_delay -d 'Delay before the first connection. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l run_mode -d 'core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.' -r -f -a "core\t''
satellite\t''
dump\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.level -d 'Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r -f -a "TRACE\t''
DEBUG\t''
INFO\t''
WARN\t''
ERROR\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.format -d 'Log format (case-insensitive). One of text, JSON. [default: text]' -r -f -a "text\t''
JSON\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.source -d 'Add source file and line to each log line. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.probes -d 'Log every probe request. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.username -d 'User for the admin port. [default: radmin]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.password -d 'Password of this user. Use a file or a variable to keep it out of the process list. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.password_file -d 'File with the password, read at every login; replaces proxysql.password. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.connect_timeout -d 'Timeout for connecting, including login. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.statement_timeout -d 'Timeout for a normal statement. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.discovery -d 'How cores discover each other: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. [default: kubernetes]' -r -f -a "kubernetes\t''
dns\t''
static\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.podselector.namespace -d 'Namespace of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.podselector.app -d 'Value of the label app of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.podselector.component -d 'Value of the label component of the core pods. [default: core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.selector -d 'Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_name -d 'DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_records -d 'Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. [default: both]' -r -f -a "both\t''
A\t''
AAAA\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_interval -d 'Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_server -d 'DNS server; empty uses /etc/resolv.conf, re-read at each lookup. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.static_members -d 'Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only: a node that syncs from a name resolving to itself hangs. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.own_address -d 'Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.bootstrap_hostname -d 'Hostname in the bootstrap row of proxysql_servers. [default: proxysql-core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.allow_empty -d 'Allow publishing a file that removes all users or all servers. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.config_file -d 'ProxySQL\'s own configuration file, published whenever it changes; empty disables the watch. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l satellite.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l api.address -d 'Listen address of the HTTP server. :: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. [default: ::]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l api.port -d 'Port of the HTTP server: probes, /shutdown, /status, metrics. [default: 8080]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l api.token_file -d 'File with the bearer token required for mutating requests; empty disables authentication. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.refresh -d 'Probes answer from a health snapshot younger than this without querying ProxySQL. [default: 1]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.max_age -d 'After this long without an answer ProxySQL counts as unreachable. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.require_config -d 'Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. [default: auto]' -r -f -a "auto\t''
true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.min_online -d 'Minimum number of ONLINE backends for readiness. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.draining_file -d 'File created while this node is draining. [default: /var/lib/proxysql/draining]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.propagation_delay -d 'Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.drain_timeout -d 'Maximum time to wait for clients. [default: 30]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.shutdown_timeout -d 'Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. [default: 60]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.evict_idle_after -d 'Minimum idle time of a session before a drain evicts it. [default: 200ms]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.on_sigterm -d 'What SIGTERM does: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r -f -a "drain\t''
detach\t''
auto\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.directory -d 'Directory for <hostname>-digests.csv; empty is the system\'s temporary directory. [default: empty]' -r -f -a "(__fish_complete_directories)"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.output -d 'Output file, in place of dump.directory; - is standard output. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.reset -d 'Reset the digests after reading them. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.format -d 'Output format. One of csv, jsonl. [default: csv]' -r -f -a "csv\t''
jsonl\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.compress -d 'Compression of the output. One of none, gzip. [default: none]' -r -f -a "none\t''
gzip\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.min_count -d 'Skip digests with a lower count; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.top -d 'Dump only the N digests with the highest total time; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.source -d 'Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. [default: mysql]' -r -f -a "mysql\t''
pgsql\t''
both\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.timeout -d 'Timeout for the whole dump. [default: 10m]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l file -d 'Of this file, - for standard input [default: the one that ProxySQL has]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l json -d 'Print as JSON' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l show-config -d 'Print the effective configuration and the source of each value' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l start_delay -d 'Delay before the first connection. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l run_mode -d 'core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.' -r -f -a "core\t''
satellite\t''
dump\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.level -d 'Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r -f -a "TRACE\t''
DEBUG\t''
INFO\t''
WARN\t''
ERROR\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.format -d 'Log format (case-insensitive). One of text, JSON. [default: text]' -r -f -a "text\t''
JSON\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.source -d 'Add source file and line to each log line. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.probes -d 'Log every probe request. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.username -d 'User for the admin port. [default: radmin]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.password -d 'Password of this user. Use a file or a variable to keep it out of the process list. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.password_file -d 'File with the password, read at every login; replaces proxysql.password. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.connect_timeout -d 'Timeout for connecting, including login. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.statement_timeout -d 'Timeout for a normal statement. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.discovery -d 'How cores discover each other: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. [default: kubernetes]' -r -f -a "kubernetes\t''
dns\t''
static\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.podselector.namespace -d 'Namespace of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.podselector.app -d 'Value of the label app of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.podselector.component -d 'Value of the label component of the core pods. [default: core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.selector -d 'Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_name -d 'DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_records -d 'Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. [default: both]' -r -f -a "both\t''
A\t''
AAAA\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_interval -d 'Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_server -d 'DNS server; empty uses /etc/resolv.conf, re-read at each lookup. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.static_members -d 'Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only: a node that syncs from a name resolving to itself hangs. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.own_address -d 'Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.bootstrap_hostname -d 'Hostname in the bootstrap row of proxysql_servers. [default: proxysql-core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.allow_empty -d 'Allow publishing a file that removes all users or all servers. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.config_file -d 'ProxySQL\'s own configuration file, published whenever it changes; empty disables the watch. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l satellite.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l api.address -d 'Listen address of the HTTP server. :: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. [default: ::]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l api.port -d 'Port of the HTTP server: probes, /shutdown, /status, metrics. [default: 8080]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l api.token_file -d 'File with the bearer token required for mutating requests; empty disables authentication. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.refresh -d 'Probes answer from a health snapshot younger than this without querying ProxySQL. [default: 1]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.max_age -d 'After this long without an answer ProxySQL counts as unreachable. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.require_config -d 'Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. [default: auto]' -r -f -a "auto\t''
true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.min_online -d 'Minimum number of ONLINE backends for readiness. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.draining_file -d 'File created while this node is draining. [default: /var/lib/proxysql/draining]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.propagation_delay -d 'Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.drain_timeout -d 'Maximum time to wait for clients. [default: 30]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.shutdown_timeout -d 'Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. [default: 60]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.evict_idle_after -d 'Minimum idle time of a session before a drain evicts it. [default: 200ms]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.on_sigterm -d 'What SIGTERM does: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r -f -a "drain\t''
detach\t''
auto\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.directory -d 'Directory for <hostname>-digests.csv; empty is the system\'s temporary directory. [default: empty]' -r -f -a "(__fish_complete_directories)"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.output -d 'Output file, in place of dump.directory; - is standard output. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.reset -d 'Reset the digests after reading them. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.format -d 'Output format. One of csv, jsonl. [default: csv]' -r -f -a "csv\t''
jsonl\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.compress -d 'Compression of the output. One of none, gzip. [default: none]' -r -f -a "none\t''
gzip\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.min_count -d 'Skip digests with a lower count; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.top -d 'Dump only the N digests with the highest total time; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.source -d 'Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. [default: mysql]' -r -f -a "mysql\t''
pgsql\t''
both\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.timeout -d 'Timeout for the whole dump. [default: 10m]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l show-config -d 'Print the effective configuration and the source of each value' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l start_delay -d 'Delay before the first connection. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l run_mode -d 'core maintains the cluster member list and publishes the configuration; satellite syncs from the cores; dump writes the query digests once and exits. Required.' -r -f -a "core\t''
satellite\t''
dump\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.level -d 'Minimum log level (case-insensitive). One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r -f -a "TRACE\t''
DEBUG\t''
INFO\t''
WARN\t''
ERROR\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.format -d 'Log format (case-insensitive). One of text, JSON. [default: text]' -r -f -a "text\t''
JSON\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.source -d 'Add source file and line to each log line. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.probes -d 'Log every probe request. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.username -d 'User for the admin port. [default: radmin]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.password -d 'Password of this user. Use a file or a variable to keep it out of the process list. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.password_file -d 'File with the password, read at every login; replaces proxysql.password. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.connect_timeout -d 'Timeout for connecting, including login. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.statement_timeout -d 'Timeout for a normal statement. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.discovery -d 'How cores discover each other: kubernetes watches pods; dns resolves core.dns_name; static uses core.static_members. [default: kubernetes]' -r -f -a "kubernetes\t''
dns\t''
static\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.podselector.namespace -d 'Namespace of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.podselector.app -d 'Value of the label app of the core pods. [default: proxysql]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.podselector.component -d 'Value of the label component of the core pods. [default: core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.selector -d 'Label selector of the core pods, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_name -d 'DNS name whose A and AAAA records are the cores; the search list of resolv.conf applies unless it ends with a dot. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_records -d 'Record types to query. If cores have both, choose one, or each core is listed twice. One of both, A, AAAA. [default: both]' -r -f -a "both\t''
A\t''
AAAA\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_interval -d 'Interval between lookups of core.dns_name; a shorter TTL shortens it, to at least 1 s. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_server -d 'DNS server; empty uses /etc/resolv.conf, re-read at each lookup. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.static_members -d 'Addresses of the cores, comma-separated; the port defaults to that of proxysql.address. IP addresses only: a node that syncs from a name resolving to itself hangs. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.own_address -d 'Own address of this core, with dns or static. If empty, detected from proxysql.address or the local interfaces. [default: empty]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.bootstrap_hostname -d 'Hostname in the bootstrap row of proxysql_servers. [default: proxysql-core]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.allow_empty -d 'Allow publishing a file that removes all users or all servers. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.config_file -d 'ProxySQL\'s own configuration file, published whenever it changes; empty disables the watch. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l satellite.interval -d 'Reconcile interval; 0 means the default. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l api.address -d 'Listen address of the HTTP server. :: is every address, IPv4 included, and 0.0.0.0 if the kernel has no IPv6. [default: ::]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l api.port -d 'Port of the HTTP server: probes, /shutdown, /status, metrics. [default: 8080]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l api.token_file -d 'File with the bearer token required for mutating requests; empty disables authentication. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.refresh -d 'Probes answer from a health snapshot younger than this without querying ProxySQL. [default: 1]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.max_age -d 'After this long without an answer ProxySQL counts as unreachable. [default: 10]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.require_config -d 'Require a user and a server in runtime for readiness; auto is true on a satellite, false on a core. [default: auto]' -r -f -a "auto\t''
true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.min_online -d 'Minimum number of ONLINE backends for readiness. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.draining_file -d 'File created while this node is draining. [default: /var/lib/proxysql/draining]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.propagation_delay -d 'Time for endpoints to propagate before the listener is paused; skipped if no client ever connected. [default: 5]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.drain_timeout -d 'Maximum time to wait for clients. [default: 30]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.shutdown_timeout -d 'Hard limit for the whole shutdown; must be greater than shutdown.drain_timeout. [default: 60]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.evict_idle_after -d 'Minimum idle time of a session before a drain evicts it. [default: 200ms]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.on_sigterm -d 'What SIGTERM does: drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r -f -a "drain\t''
detach\t''
auto\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.directory -d 'Directory for <hostname>-digests.csv; empty is the system\'s temporary directory. [default: empty]' -r -f -a "(__fish_complete_directories)"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.output -d 'Output file, in place of dump.directory; - is standard output. [default: empty]' -r -F
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.reset -d 'Reset the digests after reading them. [default: false]' -r -f -a "true\t''
false\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.format -d 'Output format. One of csv, jsonl. [default: csv]' -r -f -a "csv\t''
jsonl\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.compress -d 'Compression of the output. One of none, gzip. [default: none]' -r -f -a "none\t''
gzip\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.min_count -d 'Skip digests with a lower count; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.top -d 'Dump only the N digests with the highest total time; 0 dumps all. [default: 0]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.source -d 'Source of the digests, MySQL or PostgreSQL. One of mysql, pgsql, both. [default: mysql]' -r -f -a "mysql\t''
pgsql\t''
both\t''"
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.timeout -d 'Timeout for the whole dump. [default: 10m]' -r -f
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -s h -l help -d 'Print help'
