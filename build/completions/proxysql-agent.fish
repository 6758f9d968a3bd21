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

complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l show-config -d 'Print the effective configuration, and where each value comes from' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l start_delay -d 'Sleep before the first connection. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l run_mode -d 'core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.level -d 'The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.format -d 'Form of a log line, in any case. One of text, JSON. [default: text]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.source -d 'Add file and line of the source to each log line. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l log.probes -d 'Log each answered probe. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.username -d 'Admin user. [default: radmin]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.password -d 'Its password. A file or a variable keeps it out of the process list. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.password_file -d 'A file with the password, read at every login; instead of proxysql.password. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.connect_timeout -d 'Bound of one connection attempt, login included. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l proxysql.statement_timeout -d 'Bound of one ordinary statement. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.interval -d 'Time between two passes over members and configuration; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.discovery -d 'How a core finds the others: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. [default: kubernetes]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.podselector.namespace -d 'Namespace of the cores\' pods. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.podselector.app -d 'Value of their label app. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.podselector.component -d 'Value of their label component. [default: core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.selector -d 'A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_name -d 'The name whose A and AAAA records are the cores; resolv.conf\'s search list applies unless it ends with a dot. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_records -d 'Records to ask for. A core with both kinds would be two members: choose one. One of both, A, AAAA. [default: both]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_interval -d 'Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.dns_server -d 'The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.static_members -d 'The cores\' addresses, with commas between them; without a port it is that of proxysql.address. No names: a node that pulls through a name that leads to itself hangs. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.own_address -d 'This core\'s address among those of dns or static. Empty finds it: the host of proxysql.address, or one that is local. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.bootstrap_hostname -d 'Hostname of the row of proxysql_servers that a node boots with. [default: proxysql-core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.allow_empty -d 'Publish a file even if it empties users or servers while runtime holds rows. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l core.config_file -d 'ProxySQL\'s own configuration file, to publish it again whenever it changes; empty is no watch. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l satellite.interval -d 'Time between two looks at the cores; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l api.address -d 'Address to listen on. :: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. [default: ::]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l api.port -d 'Port for probes, /shutdown and metrics. [default: 8080]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l api.token_file -d 'A file with the token that every request that changes something must carry; empty is no token. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.refresh -d 'A snapshot younger than this answers a probe without asking ProxySQL. [default: 1]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.max_age -d 'A snapshot older than this counts as ProxySQL\'s silence. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.require_config -d 'Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. [default: auto]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l health.min_online -d 'Ready only with so many backends ONLINE. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.draining_file -d 'The file that says that this node drains. [default: /var/lib/proxysql/draining]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.propagation_delay -d 'What endpoints get to stop routing here before the listener closes; skipped where no client ever came. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.drain_timeout -d 'What clients get to finish. [default: 30]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.shutdown_timeout -d 'Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. [default: 60]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.evict_idle_after -d 'How long a session must be idle to be evicted by a drain. [default: 200ms]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l shutdown.on_sigterm -d 'drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.directory -d 'Where <hostname>-digests.csv goes; empty is the system\'s temporary directory. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.output -d 'A file instead of dump.directory; - is standard output. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.reset -d 'Reset the digests by reading them. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.format -d 'Form of the dump. One of csv, jsonl. [default: csv]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.compress -d 'Compression of the dump. One of none, gzip. [default: none]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.min_count -d 'Only digests seen at least so often; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.top -d 'Only so many digests, by total time; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.source -d 'Whose digests, MySQL\'s or PostgreSQL\'s. One of mysql, pgsql, both. [default: mysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -l dump.timeout -d 'Bound of the whole dump. [default: 10m]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -s V -l version -d 'Print version'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "status" -d 'Print how an agent is; exit 1 if not well, 4 if nobody answers'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "check" -d 'Check the configuration and contact nobody; exit 2 if it is wrong'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "plan" -d 'Print what publishing would change; exit 3 if there is something'
complete -c proxysql-agent -n "__fish_proxysql_agent_needs_command" -f -a "shutdown" -d 'Drain and stop ProxySQL through its agent; for an exec preStop'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l address -d 'Where its HTTP port is [default: api.address and api.port]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l json -d 'Print it as JSON' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l watch -d 'Print it again every two seconds' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l show-config -d 'Print the effective configuration, and where each value comes from' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l start_delay -d 'Sleep before the first connection. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l run_mode -d 'core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.level -d 'The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.format -d 'Form of a log line, in any case. One of text, JSON. [default: text]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.source -d 'Add file and line of the source to each log line. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l log.probes -d 'Log each answered probe. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.username -d 'Admin user. [default: radmin]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.password -d 'Its password. A file or a variable keeps it out of the process list. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.password_file -d 'A file with the password, read at every login; instead of proxysql.password. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.connect_timeout -d 'Bound of one connection attempt, login included. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l proxysql.statement_timeout -d 'Bound of one ordinary statement. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.interval -d 'Time between two passes over members and configuration; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.discovery -d 'How a core finds the others: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. [default: kubernetes]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.podselector.namespace -d 'Namespace of the cores\' pods. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.podselector.app -d 'Value of their label app. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.podselector.component -d 'Value of their label component. [default: core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.selector -d 'A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_name -d 'The name whose A and AAAA records are the cores; resolv.conf\'s search list applies unless it ends with a dot. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_records -d 'Records to ask for. A core with both kinds would be two members: choose one. One of both, A, AAAA. [default: both]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_interval -d 'Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.dns_server -d 'The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.static_members -d 'The cores\' addresses, with commas between them; without a port it is that of proxysql.address. No names: a node that pulls through a name that leads to itself hangs. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.own_address -d 'This core\'s address among those of dns or static. Empty finds it: the host of proxysql.address, or one that is local. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.bootstrap_hostname -d 'Hostname of the row of proxysql_servers that a node boots with. [default: proxysql-core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.allow_empty -d 'Publish a file even if it empties users or servers while runtime holds rows. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l core.config_file -d 'ProxySQL\'s own configuration file, to publish it again whenever it changes; empty is no watch. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l satellite.interval -d 'Time between two looks at the cores; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l api.address -d 'Address to listen on. :: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. [default: ::]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l api.port -d 'Port for probes, /shutdown and metrics. [default: 8080]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l api.token_file -d 'A file with the token that every request that changes something must carry; empty is no token. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.refresh -d 'A snapshot younger than this answers a probe without asking ProxySQL. [default: 1]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.max_age -d 'A snapshot older than this counts as ProxySQL\'s silence. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.require_config -d 'Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. [default: auto]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l health.min_online -d 'Ready only with so many backends ONLINE. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.draining_file -d 'The file that says that this node drains. [default: /var/lib/proxysql/draining]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.propagation_delay -d 'What endpoints get to stop routing here before the listener closes; skipped where no client ever came. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.drain_timeout -d 'What clients get to finish. [default: 30]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.shutdown_timeout -d 'Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. [default: 60]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.evict_idle_after -d 'How long a session must be idle to be evicted by a drain. [default: 200ms]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l shutdown.on_sigterm -d 'drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.directory -d 'Where <hostname>-digests.csv goes; empty is the system\'s temporary directory. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.output -d 'A file instead of dump.directory; - is standard output. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.reset -d 'Reset the digests by reading them. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.format -d 'Form of the dump. One of csv, jsonl. [default: csv]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.compress -d 'Compression of the dump. One of none, gzip. [default: none]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.min_count -d 'Only digests seen at least so often; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.top -d 'Only so many digests, by total time; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.source -d 'Whose digests, MySQL\'s or PostgreSQL\'s. One of mysql, pgsql, both. [default: mysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -l dump.timeout -d 'Bound of the whole dump. [default: 10m]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand status" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l show-config -d 'Print the effective configuration, and where each value comes from' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l start_delay -d 'Sleep before the first connection. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l run_mode -d 'core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.level -d 'The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.format -d 'Form of a log line, in any case. One of text, JSON. [default: text]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.source -d 'Add file and line of the source to each log line. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l log.probes -d 'Log each answered probe. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.username -d 'Admin user. [default: radmin]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.password -d 'Its password. A file or a variable keeps it out of the process list. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.password_file -d 'A file with the password, read at every login; instead of proxysql.password. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.connect_timeout -d 'Bound of one connection attempt, login included. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l proxysql.statement_timeout -d 'Bound of one ordinary statement. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.interval -d 'Time between two passes over members and configuration; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.discovery -d 'How a core finds the others: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. [default: kubernetes]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.podselector.namespace -d 'Namespace of the cores\' pods. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.podselector.app -d 'Value of their label app. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.podselector.component -d 'Value of their label component. [default: core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.selector -d 'A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_name -d 'The name whose A and AAAA records are the cores; resolv.conf\'s search list applies unless it ends with a dot. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_records -d 'Records to ask for. A core with both kinds would be two members: choose one. One of both, A, AAAA. [default: both]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_interval -d 'Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.dns_server -d 'The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.static_members -d 'The cores\' addresses, with commas between them; without a port it is that of proxysql.address. No names: a node that pulls through a name that leads to itself hangs. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.own_address -d 'This core\'s address among those of dns or static. Empty finds it: the host of proxysql.address, or one that is local. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.bootstrap_hostname -d 'Hostname of the row of proxysql_servers that a node boots with. [default: proxysql-core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.allow_empty -d 'Publish a file even if it empties users or servers while runtime holds rows. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l core.config_file -d 'ProxySQL\'s own configuration file, to publish it again whenever it changes; empty is no watch. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l satellite.interval -d 'Time between two looks at the cores; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l api.address -d 'Address to listen on. :: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. [default: ::]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l api.port -d 'Port for probes, /shutdown and metrics. [default: 8080]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l api.token_file -d 'A file with the token that every request that changes something must carry; empty is no token. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.refresh -d 'A snapshot younger than this answers a probe without asking ProxySQL. [default: 1]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.max_age -d 'A snapshot older than this counts as ProxySQL\'s silence. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.require_config -d 'Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. [default: auto]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l health.min_online -d 'Ready only with so many backends ONLINE. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.draining_file -d 'The file that says that this node drains. [default: /var/lib/proxysql/draining]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.propagation_delay -d 'What endpoints get to stop routing here before the listener closes; skipped where no client ever came. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.drain_timeout -d 'What clients get to finish. [default: 30]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.shutdown_timeout -d 'Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. [default: 60]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.evict_idle_after -d 'How long a session must be idle to be evicted by a drain. [default: 200ms]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l shutdown.on_sigterm -d 'drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.directory -d 'Where <hostname>-digests.csv goes; empty is the system\'s temporary directory. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.output -d 'A file instead of dump.directory; - is standard output. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.reset -d 'Reset the digests by reading them. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.format -d 'Form of the dump. One of csv, jsonl. [default: csv]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.compress -d 'Compression of the dump. One of none, gzip. [default: none]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.min_count -d 'Only digests seen at least so often; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.top -d 'Only so many digests, by total time; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.source -d 'Whose digests, MySQL\'s or PostgreSQL\'s. One of mysql, pgsql, both. [default: mysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -l dump.timeout -d 'Bound of the whole dump. [default: 10m]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand check" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l json -d 'Print it as JSON' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l show-config -d 'Print the effective configuration, and where each value comes from' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l start_delay -d 'Sleep before the first connection. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l run_mode -d 'core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.level -d 'The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.format -d 'Form of a log line, in any case. One of text, JSON. [default: text]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.source -d 'Add file and line of the source to each log line. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l log.probes -d 'Log each answered probe. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.username -d 'Admin user. [default: radmin]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.password -d 'Its password. A file or a variable keeps it out of the process list. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.password_file -d 'A file with the password, read at every login; instead of proxysql.password. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.connect_timeout -d 'Bound of one connection attempt, login included. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l proxysql.statement_timeout -d 'Bound of one ordinary statement. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.interval -d 'Time between two passes over members and configuration; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.discovery -d 'How a core finds the others: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. [default: kubernetes]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.podselector.namespace -d 'Namespace of the cores\' pods. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.podselector.app -d 'Value of their label app. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.podselector.component -d 'Value of their label component. [default: core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.selector -d 'A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_name -d 'The name whose A and AAAA records are the cores; resolv.conf\'s search list applies unless it ends with a dot. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_records -d 'Records to ask for. A core with both kinds would be two members: choose one. One of both, A, AAAA. [default: both]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_interval -d 'Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.dns_server -d 'The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.static_members -d 'The cores\' addresses, with commas between them; without a port it is that of proxysql.address. No names: a node that pulls through a name that leads to itself hangs. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.own_address -d 'This core\'s address among those of dns or static. Empty finds it: the host of proxysql.address, or one that is local. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.bootstrap_hostname -d 'Hostname of the row of proxysql_servers that a node boots with. [default: proxysql-core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.allow_empty -d 'Publish a file even if it empties users or servers while runtime holds rows. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l core.config_file -d 'ProxySQL\'s own configuration file, to publish it again whenever it changes; empty is no watch. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l satellite.interval -d 'Time between two looks at the cores; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l api.address -d 'Address to listen on. :: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. [default: ::]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l api.port -d 'Port for probes, /shutdown and metrics. [default: 8080]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l api.token_file -d 'A file with the token that every request that changes something must carry; empty is no token. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.refresh -d 'A snapshot younger than this answers a probe without asking ProxySQL. [default: 1]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.max_age -d 'A snapshot older than this counts as ProxySQL\'s silence. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.require_config -d 'Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. [default: auto]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l health.min_online -d 'Ready only with so many backends ONLINE. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.draining_file -d 'The file that says that this node drains. [default: /var/lib/proxysql/draining]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.propagation_delay -d 'What endpoints get to stop routing here before the listener closes; skipped where no client ever came. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.drain_timeout -d 'What clients get to finish. [default: 30]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.shutdown_timeout -d 'Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. [default: 60]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.evict_idle_after -d 'How long a session must be idle to be evicted by a drain. [default: 200ms]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l shutdown.on_sigterm -d 'drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.directory -d 'Where <hostname>-digests.csv goes; empty is the system\'s temporary directory. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.output -d 'A file instead of dump.directory; - is standard output. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.reset -d 'Reset the digests by reading them. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.format -d 'Form of the dump. One of csv, jsonl. [default: csv]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.compress -d 'Compression of the dump. One of none, gzip. [default: none]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.min_count -d 'Only digests seen at least so often; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.top -d 'Only so many digests, by total time; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.source -d 'Whose digests, MySQL\'s or PostgreSQL\'s. One of mysql, pgsql, both. [default: mysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -l dump.timeout -d 'Bound of the whole dump. [default: 10m]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand plan" -s h -l help -d 'Print help'
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l show-config -d 'Print the effective configuration, and where each value comes from' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l start_delay -d 'Sleep before the first connection. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l run_mode -d 'core keeps the list of members and publishes configuration; satellite follows the cores; dump writes the query digests once and ends. Required.' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.level -d 'The least severe line that is logged, in any case. One of TRACE, DEBUG, INFO, WARN, ERROR. [default: INFO]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.format -d 'Form of a log line, in any case. One of text, JSON. [default: text]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.source -d 'Add file and line of the source to each log line. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l log.probes -d 'Log each answered probe. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.address -d 'ProxySQL\'s admin port: host:port or [v6]:port. [default: 127.0.0.1:6032]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.username -d 'Admin user. [default: radmin]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.password -d 'Its password. A file or a variable keeps it out of the process list. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.password_file -d 'A file with the password, read at every login; instead of proxysql.password. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.connect_timeout -d 'Bound of one connection attempt, login included. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l proxysql.statement_timeout -d 'Bound of one ordinary statement. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.interval -d 'Time between two passes over members and configuration; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.discovery -d 'How a core finds the others: kubernetes watches pods; dns follows the addresses of core.dns_name; static takes core.static_members. [default: kubernetes]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.podselector.namespace -d 'Namespace of the cores\' pods. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.podselector.app -d 'Value of their label app. [default: proxysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.podselector.component -d 'Value of their label component. [default: core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.selector -d 'A Kubernetes label selector, such as role=core,tier in (db); replaces core.podselector.app and .component. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_name -d 'The name whose A and AAAA records are the cores; resolv.conf\'s search list applies unless it ends with a dot. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_records -d 'Records to ask for. A core with both kinds would be two members: choose one. One of both, A, AAAA. [default: both]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_interval -d 'Time between two looks at core.dns_name; a shorter TTL shortens it, to no less than 1 s. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.dns_server -d 'The server to ask; empty asks those of /etc/resolv.conf, which is read at each look. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.static_members -d 'The cores\' addresses, with commas between them; without a port it is that of proxysql.address. No names: a node that pulls through a name that leads to itself hangs. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.own_address -d 'This core\'s address among those of dns or static. Empty finds it: the host of proxysql.address, or one that is local. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.bootstrap_hostname -d 'Hostname of the row of proxysql_servers that a node boots with. [default: proxysql-core]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.allow_empty -d 'Publish a file even if it empties users or servers while runtime holds rows. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l core.config_file -d 'ProxySQL\'s own configuration file, to publish it again whenever it changes; empty is no watch. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l satellite.interval -d 'Time between two looks at the cores; 0 is the default. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l api.address -d 'Address to listen on. :: is every address, IPv4 too, and 0.0.0.0 where the kernel has no IPv6. [default: ::]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l api.port -d 'Port for probes, /shutdown and metrics. [default: 8080]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l api.token_file -d 'A file with the token that every request that changes something must carry; empty is no token. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.refresh -d 'A snapshot younger than this answers a probe without asking ProxySQL. [default: 1]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.max_age -d 'A snapshot older than this counts as ProxySQL\'s silence. [default: 10]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.require_config -d 'Ready only with a user and a server in runtime; auto is true on a satellite, false on a core. [default: auto]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l health.min_online -d 'Ready only with so many backends ONLINE. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.draining_file -d 'The file that says that this node drains. [default: /var/lib/proxysql/draining]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.propagation_delay -d 'What endpoints get to stop routing here before the listener closes; skipped where no client ever came. [default: 5]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.drain_timeout -d 'What clients get to finish. [default: 30]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.shutdown_timeout -d 'Bound of the whole way down, whatever hangs; more than shutdown.drain_timeout. [default: 60]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.evict_idle_after -d 'How long a session must be idle to be evicted by a drain. [default: 200ms]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l shutdown.on_sigterm -d 'drain stops ProxySQL too; detach leaves it running; auto drains if this pod is being deleted. [default: drain]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.directory -d 'Where <hostname>-digests.csv goes; empty is the system\'s temporary directory. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.output -d 'A file instead of dump.directory; - is standard output. [default: empty]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.reset -d 'Reset the digests by reading them. [default: false]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.format -d 'Form of the dump. One of csv, jsonl. [default: csv]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.compress -d 'Compression of the dump. One of none, gzip. [default: none]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.min_count -d 'Only digests seen at least so often; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.top -d 'Only so many digests, by total time; 0 is all. [default: 0]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.source -d 'Whose digests, MySQL\'s or PostgreSQL\'s. One of mysql, pgsql, both. [default: mysql]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -l dump.timeout -d 'Bound of the whole dump. [default: 10m]' -r
complete -c proxysql-agent -n "__fish_proxysql_agent_using_subcommand shutdown" -s h -l help -d 'Print help'
