//! Fills the tables that are computed when a statement mentions them.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::auth::Role;
use super::clients::{Client, ClientSpec, ClientState, Place, Protocol};
use super::host::Life;
use super::schema::{self, Module, SUM_NAMES};
use super::store::{Store, TextRow};

/// A value in a row.
#[allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)] // so that rows read as lists of values
fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

/// Refreshes what `sql` mentions; names are matched as they are written, in lower case, anywhere in the text.
pub(crate) fn refresh(
    life: &Life,
    store: &mut Store,
    role: Role,
    idle_threads: bool,
    sql: &str,
) -> rusqlite::Result<()> {
    let mentions = |name: &str| sql.contains(name);
    let wanted = mentions("runtime_") || mentions("stats_") || mentions("global_variables") || mentions("@@");
    let processes = sql.to_ascii_lowercase().contains("processlist");
    if !wanted && !processes {
        return Ok(());
    }
    store.main.execute_batch("BEGIN")?;
    let filled = fill(life, store, role, (processes, idle_threads), mentions);
    store.main.execute_batch("COMMIT")?;
    filled
}

#[expect(clippy::too_many_lines, reason = "a table after the other")]
fn fill(
    life: &Life,
    store: &mut Store,
    role: Role,
    (processes, idle_threads): (bool, bool),
    mentions: impl Fn(&str) -> bool,
) -> rusqlite::Result<()> {
    if processes {
        store.replace("stats.stats_mysql_processlist", &process_rows(life, store, Protocol::Mysql))?;
        if store.postgres {
            store.replace("stats.stats_pgsql_processlist", &process_rows(life, store, Protocol::Postgres))?;
        }
    }
    if mentions("stats_mysql_global") || mentions("@@") {
        store.replace("stats.stats_mysql_global", &status_rows(life, store))?;
    }
    if mentions("stats_memory_metrics") {
        store.replace("stats.stats_memory_metrics", &memory_rows(life, store, idle_threads))?;
    }
    if mentions("stats_mysql_users") {
        store.replace("stats.stats_mysql_users", &user_rows(life, store, Protocol::Mysql))?;
    }
    if store.postgres {
        if mentions("stats_pgsql_global") {
            store.replace("stats.stats_pgsql_global", &postgres_status_rows(life))?;
        }
        if mentions("stats_pgsql_users") {
            store.replace("stats.stats_pgsql_users", &user_rows(life, store, Protocol::Postgres))?;
        }
        if mentions("stats_pgsql_connection_pool") {
            let mut rows = pool_rows(life, store, Protocol::Postgres);
            for row in &mut rows {
                row.truncate(13);
            }
            store.replace("stats.stats_pgsql_connection_pool", &rows)?;
        }
    }
    if mentions("stats_mysql_connection_pool") {
        let rows = pool_rows(life, store, Protocol::Mysql);
        store.replace("stats.stats_mysql_connection_pool", &rows)?;
        store.replace("stats.stats_mysql_connection_pool_reset", &rows)?;
    }
    if mentions("stats_mysql_query_rules") {
        let rules = store.runtime.rows.get("mysql_query_rules").map_or(&[][..], Vec::as_slice);
        let rows: Vec<TextRow> = rules.iter().map(|rule| vec![rule[0].clone(), text(0)]).collect();
        store.replace("stats.stats_mysql_query_rules", &rows)?;
    }
    if mentions("stats_proxysql_servers_metrics") {
        store.replace("stats.stats_proxysql_servers_metrics", &metric_rows(life))?;
    }
    if mentions("stats_proxysql_servers_checksums") {
        store.replace("stats.stats_proxysql_servers_checksums", &seen_rows(life))?;
    }
    if role == Role::Stats {
        return Ok(());
    }
    if mentions("global_variables") {
        let rows: Vec<TextRow> = schema::DEFAULTS
            .iter()
            .chain(schema::POSTGRES_DEFAULTS.iter())
            .filter_map(|(name, _)| Some(vec![text(name), Some(store.runtime.variables.get(*name)?.clone())]))
            .collect();
        store.replace("main.runtime_global_variables", &rows)?;
    }
    if mentions("runtime_checksums_values") {
        store.replace("main.runtime_checksums_values", &store.checksum_rows())?;
    }
    for module in Module::known(store.postgres) {
        // All tables of a module are refreshed together.
        if module.tables().iter().any(|table| mentions(&format!("runtime_{table}"))) {
            for table in module.tables() {
                let rows = store.runtime.rows.get(table).map_or(&[][..], Vec::as_slice);
                store.replace(&format!("main.runtime_{table}"), rows)?;
            }
        }
    }
    Ok(())
}

fn command(state: &ClientState) -> (&'static str, Option<String>) {
    match state {
        ClientState::Connecting => ("Connecting client", None),
        ClientState::Running(sql) => ("Query", Some(sql.clone())),
        ClientState::FastForward => ("Fast forward", None),
        _ => ("Sleep", None),
    }
}

/// The age of a session is told by the clock of its thread, which a quiet thread sets once in `tick`, and a turn late.
fn told_age(age: Duration, tick: u64) -> u128 {
    let tick = u128::from(tick.max(1));
    (age.as_millis() / tick).saturating_sub(1) * tick
}

/// Of what the real one tells with `mysql-show_processlist_extended`, what tells sessions apart.
fn extended_info(id: u32, client: &Client) -> String {
    let state = &client.spec.state;
    let status = match state {
        ClientState::Connecting => 0,
        ClientState::Running(_) => 6,
        ClientState::FastForward => 20,
        _ => 4,
    };
    let active = u8::from(client.open || state.counts_as_transaction() || matches!(state, ClientState::Running(_)));
    let backends = if state.holds_backend() {
        let holding = *state == ClientState::Holding;
        let errno = if *state == ClientState::Failed { 1146 } else { 0 };
        format!(
            "[{{\"conn\":{{\"MultiplexDisabled\":{holding},\"MultiplexDisabled_ext\":{},\"mysql\":{{\"net\":{{\"last_errno\":{errno}}},\
             \"server_status\":{}}},\"status\":{{\"get_lock\":false,\"temporary_table\":false,\"user_variable\":{holding}}}}},\
             \"hostgroup_id\":{}}}]",
            holding || state.counts_as_transaction(),
            2 + u8::from(client.open),
            client.spec.hostgroup
        )
    } else {
        "null".to_owned()
    };
    format!(
        "{{\"active_transactions\":{active},\"autocommit\":true,\"backends\":{backends},\"status\":{status},\"thread_session_id\":{id}}}"
    )
}

fn process_rows(life: &Life, store: &Store, protocol: Protocol) -> Vec<TextRow> {
    let extended = store.runtime.number("mysql-show_processlist_extended") > 0;
    let shows_idle = store.runtime.variable("mysql-session_idle_show_processlist") != "false";
    let tick = store.runtime.number("mysql-poll_timeout");
    let threads = store.runtime.number("mysql-threads").max(1);
    let clients = life.clients();
    let row = |(id, client): (u32, &Client)| {
        let spec = &client.spec;
        let connecting = spec.state == ClientState::Connecting;
        let held = spec.state.holds_backend();
        let backend = |value: String| held.then_some(value);
        let (command, info) = command(&spec.state);
        let thread = match client.place {
            Place::Idle(thread) => threads + thread as u64,
            _ => u64::from(id) % threads,
        };
        vec![
            text(thread),
            text(id),
            Some(if connecting { "unauthenticated user".to_owned() } else { spec.user.clone() }),
            (!connecting).then(|| spec.db.clone()),
            Some(spec.host.clone()),
            text(spec.port),
            text(if connecting { -1 } else { spec.hostgroup }),
            backend("127.0.0.1".to_owned()),
            backend((50_000 + id % 10_000).to_string()),
            backend(spec.backend.0.clone()),
            backend(spec.backend.1.to_string()),
            text(command),
            text(told_age(client.active.elapsed(), tick)),
            info,
            backend(if spec.state == ClientState::Holding { "4" } else { "0" }.to_owned()),
            extended.then(|| extended_info(id, client)),
        ]
    };
    let listed = |client: &Client| match client.place {
        Place::Worker => true,
        Place::Idle(_) => shows_idle,
        // In neither thread's list.
        Place::HandedOver => false,
    };
    clients.speaking(protocol).filter(|(_, client)| listed(client)).map(row).collect()
}

/// What a thread takes for its stack, whether it needs it or not.
const STACK: u64 = 8 << 20;

/// The threads, by the memory of their stacks, which is the only place where idle threads show.
fn memory_rows(life: &Life, store: &Store, idle_threads: bool) -> Vec<TextRow> {
    let workers = store.runtime.number("mysql-threads") * if idle_threads { 2 } else { 1 };
    let admin = life.admin_threads.load(Ordering::Relaxed);
    let cluster = life.peers().0.len() as u64;
    let value = |name: &str| match name {
        "SQLite3_memory_bytes" => 2_878_352,
        "jemalloc_resident" => 20_299_776,
        "jemalloc_active" => 15_216_640,
        "jemalloc_allocated" => 11_904_800,
        "jemalloc_mapped" => 34_766_848,
        "jemalloc_metadata" => 2_759_672,
        "jemalloc_retained" => 15_040_512,
        "stack_memory_mysql_threads" => workers * STACK,
        "stack_memory_admin_threads" => admin * STACK,
        "stack_memory_cluster_threads" => cluster * STACK,
        _ => 0,
    };
    MEMORY_NAMES.iter().map(|name| vec![text(name), text(value(name))]).collect()
}

const MEMORY_NAMES: [&str; 19] = [
    "SQLite3_memory_bytes",
    "jemalloc_resident",
    "jemalloc_active",
    "jemalloc_allocated",
    "jemalloc_mapped",
    "jemalloc_metadata",
    "jemalloc_retained",
    "Auth_memory",
    "query_digest_memory",
    "mysql_query_rules_memory",
    "prepare_statement_metadata_memory",
    "prepare_statement_backend_memory",
    "mysql_firewall_users_table",
    "mysql_firewall_users_config",
    "mysql_firewall_rules_table",
    "mysql_firewall_rules_config",
    "stack_memory_mysql_threads",
    "stack_memory_admin_threads",
    "stack_memory_cluster_threads",
];

fn status_rows(life: &Life, store: &Store) -> Vec<TextRow> {
    let mut clients = life.clients();
    let transactions = clients.active_transactions();
    let held = clients.speaking(Protocol::Mysql).filter(|(_, client)| client.spec.state.holds_backend()).count();
    let value = |name: &str| match name {
        "ProxySQL_Uptime" => life.started.elapsed().as_secs().to_string(),
        "Active_Transactions" => transactions.to_string(),
        "Client_Connections_connected" => clients.connected(Protocol::Mysql).to_string(),
        "Client_Connections_created" => clients.created.to_string(),
        "Questions" => clients.questions.to_string(),
        "Client_Connections_non_idle" => clients.not_idle().to_string(),
        "Server_Connections_connected" => held.to_string(),
        "Access_Denied_Wrong_Password" => clients.denied.to_string(),
        "MySQL_Thread_Workers" => store.runtime.variable("mysql-threads").to_owned(),
        "Servers_table_version" => store.runtime.sums.get("mysql_servers").map_or(0, |sum| sum.version).to_string(),
        "SQLite3_memory_bytes" => "2878352".to_owned(),
        "mysql_session_internal_bytes" => (10_240 * (1 + clients.connected(Protocol::Mysql))).to_string(),
        "Stmt_Max_Stmt_id" => "1".to_owned(),
        "mysql_listener_paused" => life.paused().to_string(),
        _ => "0".to_owned(),
    };
    schema::status_names().map(|name| vec![text(name), Some(value(name))]).collect()
}

fn postgres_status_rows(life: &Life) -> Vec<TextRow> {
    let clients = life.clients();
    let connected = clients.connected(Protocol::Postgres);
    let held = clients.speaking(Protocol::Postgres).filter(|(_, client)| client.spec.state.holds_backend()).count();
    vec![
        vec![text("ProxySQL_Uptime"), text(life.started.elapsed().as_secs())],
        vec![text("Active_Transactions"), text(held)],
        vec![text("Client_Connections_connected"), text(connected)],
        vec![text("Server_Connections_connected"), text(held)],
        vec![text("pgsql_listener_paused"), text(life.paused())],
    ]
}

fn user_rows(life: &Life, store: &Store, protocol: Protocol) -> Vec<TextRow> {
    // The two tables differ in their columns before these.
    let (table, frontend) = match protocol {
        Protocol::Mysql => ("mysql_users", 10),
        Protocol::Postgres => ("pgsql_users", 8),
    };
    let clients = life.clients();
    let count = |user: &str| {
        clients
            .speaking(protocol)
            .filter(|(_, client)| client.spec.user == user && client.spec.state != ClientState::Connecting)
            .count()
    };
    let users = store.runtime.rows.get(table).map_or(&[][..], Vec::as_slice);
    // A user who is not in effect any more is not here either, while sessions of that name go on.
    users
        .iter()
        .filter(|user| user[frontend].as_deref() == Some("1"))
        .map(|user| {
            vec![user[0].clone(), text(count(user[0].as_deref().unwrap_or_default())), user[frontend + 1].clone()]
        })
        .collect()
}

fn pool_rows(life: &Life, store: &Store, protocol: Protocol) -> Vec<TextRow> {
    let (table, status) = match protocol {
        Protocol::Mysql => ("mysql_servers", 4),
        Protocol::Postgres => ("pgsql_servers", 3),
    };
    let clients = life.clients();
    let mut unclaimed: Vec<&ClientSpec> =
        clients.speaking(protocol).map(|(_, client)| &client.spec).filter(|spec| spec.state.holds_backend()).collect();
    let servers = store.runtime.rows.get(table).map_or(&[][..], Vec::as_slice);
    let row =
        |hostgroup: Option<String>, host: Option<String>, port: Option<String>, status: Option<String>, used: usize| {
            let mut row = vec![hostgroup, host, port, status, text(used), text(0), text(used), text(0), text(used)];
            row.extend(std::iter::repeat_n(text(0), 5));
            row
        };
    let mut rows: Vec<TextRow> = Vec::new();
    for server in servers {
        let before = unclaimed.len();
        unclaimed.retain(|spec| {
            let here = [text(spec.hostgroup), text(&spec.backend.0), text(spec.backend.1)];
            here != server[..3]
        });
        let used = before - unclaimed.len();
        rows.push(row(server[0].clone(), server[1].clone(), server[2].clone(), server[status].clone(), used));
    }
    // Backends that a scripted client names and no server stands for.
    while let Some(spec) = unclaimed.pop() {
        let before = unclaimed.len();
        unclaimed.retain(|other| (other.hostgroup, &other.backend) != (spec.hostgroup, &spec.backend));
        let used = 1 + before - unclaimed.len();
        rows.push(row(text(spec.hostgroup), text(&spec.backend.0), text(spec.backend.1), text("ONLINE"), used));
    }
    rows
}

fn metric_rows(life: &Life) -> Vec<TextRow> {
    let peers = life.peers();
    let row = |((host, port), peer): (&super::peers::PeerName, &super::peers::Peer)| {
        let mut row = vec![text(host), text(port), text(&peer.weight), text(&peer.comment)];
        row.extend(match &peer.figures {
            Some(seen) => [
                text(seen.response_ms),
                text(seen.uptime),
                text(seen.read_at.elapsed().as_millis()),
                text(seen.queries),
                text(seen.connected),
                text(seen.created),
            ],
            // Never read: the age is that of the machine.
            None => [text(0), text(0), text(machine_uptime_ms()), text(0), text(0), text(0)],
        });
        row
    };
    peers.0.iter().map(row).collect()
}

fn seen_rows(life: &Life) -> Vec<TextRow> {
    let peers = life.peers();
    let mut rows = Vec::new();
    for ((host, port), peer) in &peers.0 {
        for name in SUM_NAMES {
            let seen = peer.modules.get(name).cloned().unwrap_or_default();
            rows.push(vec![
                text(host),
                text(port),
                text(name),
                text(seen.sum.version),
                text(seen.sum.epoch),
                text(&seen.sum.checksum),
                text(seen.changed_at),
                text(seen.updated_at),
                text(seen.differing),
            ]);
        }
    }
    rows
}

fn machine_uptime_ms() -> i64 {
    let below_a_second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::from(now.subsec_millis()));
    rustix::system::sysinfo().uptime * 1000 + below_a_second
}
