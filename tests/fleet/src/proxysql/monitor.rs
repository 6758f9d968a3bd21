//! What the monitor makes of servers, by script: it moves them at runtime, discovers others, and leaves memory as it is. As 2.7.1 does:
//! the checksum and the epoch of `mysql_servers` move with it, its version and `mysql_servers_v2` do not.

use super::Handle;
use super::host::lock;
use super::modules::checksum;
use super::store::{Store, TextRow};

/// What the monitor writes down, as far as the agent reads it.
pub(crate) const LOGS: &str = "\
CREATE TABLE monitor.mysql_server_read_only_log (hostname VARCHAR NOT NULL , port INT NOT NULL DEFAULT 3306 , \
time_start_us INT NOT NULL DEFAULT 0 , success_time_us INT DEFAULT 0 , read_only INT DEFAULT 1 , error VARCHAR , \
PRIMARY KEY (hostname, port, time_start_us));\
CREATE TABLE monitor.mysql_server_group_replication_log (hostname VARCHAR NOT NULL , port INT NOT NULL DEFAULT 3306 , \
time_start_us INT NOT NULL DEFAULT 0 , success_time_us INT DEFAULT 0 , viable_candidate VARCHAR NOT NULL DEFAULT 'NO' , \
read_only VARCHAR NOT NULL DEFAULT 'YES' , transactions_behind INT DEFAULT 0 , error VARCHAR , \
PRIMARY KEY (hostname, port, time_start_us));\
CREATE TABLE monitor.mysql_server_galera_log (hostname VARCHAR NOT NULL , port INT NOT NULL DEFAULT 3306 , \
time_start_us INT NOT NULL DEFAULT 0 , success_time_us INT DEFAULT 0 , primary_partition VARCHAR NOT NULL DEFAULT 'NO' , \
read_only VARCHAR NOT NULL DEFAULT 'YES' , wsrep_local_recv_queue INT DEFAULT 0 , wsrep_local_state INT DEFAULT 0 , \
wsrep_desync VARCHAR NOT NULL DEFAULT 'NO' , wsrep_reject_queries VARCHAR NOT NULL DEFAULT 'NO' , \
wsrep_sst_donor_rejects_queries VARCHAR NOT NULL DEFAULT 'NO' , pxc_maint_mode VARCHAR NOT NULL DEFAULT 'NO' , \
error VARCHAR , PRIMARY KEY (hostname, port, time_start_us));\
CREATE TABLE monitor.mysql_server_aws_aurora_log (hostname VARCHAR NOT NULL , port INT NOT NULL DEFAULT 3306 , \
time_start_us INT NOT NULL DEFAULT 0 , success_time_us INT DEFAULT 0 , error VARCHAR , SERVER_ID VARCHAR NOT NULL DEFAULT '' , \
SESSION_ID VARCHAR , LAST_UPDATE_TIMESTAMP VARCHAR , replica_lag_in_milliseconds INT NOT NULL DEFAULT 0 , \
estimated_lag_ms INT NOT NULL DEFAULT 0 , CPU INT NOT NULL DEFAULT 0 , \
PRIMARY KEY (hostname, port, time_start_us, SERVER_ID));";

/// The columns of a server, in the order of its table.
pub(crate) const COLUMNS: [&str; 12] = [
    "hostgroup_id",
    "hostname",
    "port",
    "gtid_port",
    "status",
    "weight",
    "compression",
    "max_connections",
    "max_replication_lag",
    "use_ssl",
    "max_latency_ms",
    "comment",
];

/// The one text by which a peer asks for the servers as they were last loaded.
pub(crate) fn asks_for_loaded() -> String {
    format!(
        "PROXY_SELECT {} FROM mysql_servers_v2 WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port",
        COLUMNS.join(", ")
    )
}

/// A server that nobody has configured.
fn discovered(host: &str, port: u16) -> TextRow {
    let port = port.to_string();
    let values = ["0", host, &port, "0", "ONLINE", "1", "0", "1000", "0", "0", "0", ""];
    values.map(|value| Some(value.to_owned())).into()
}

impl Store {
    /// The servers were loaded: whom somebody shuns is online to peers.
    pub(crate) fn servers_are_loaded(&mut self) -> rusqlite::Result<()> {
        self.runtime.loaded = self.read(&format!(
            "SELECT hostgroup_id,hostname,port,gtid_port,CASE status WHEN 'SHUNNED' THEN 'ONLINE' ELSE status END,{} \
             FROM main.mysql_servers WHERE status<>'OFFLINE_HARD' ORDER BY 1, 2, 3",
            COLUMNS[5..].join(",")
        ))?;
        Ok(())
    }

    fn place(&mut self, (host, port): (&str, u16), hostgroups: &[i64], now: i64) {
        let rows = self.runtime.rows.entry("mysql_servers").or_default();
        let text = port.to_string();
        let is_own = |row: &TextRow| row[1].as_deref() == Some(host) && row[2].as_deref() == Some(&text);
        let (own, mut others): (Vec<TextRow>, Vec<TextRow>) = std::mem::take(rows).into_iter().partition(is_own);
        for hostgroup in hostgroups {
            let hostgroup = hostgroup.to_string();
            let there = own.iter().find(|row| row[0].as_deref() == Some(&hostgroup)).or(own.first());
            let mut row = there.cloned().unwrap_or_else(|| discovered(host, port));
            row[0] = Some(hostgroup);
            others.push(row);
        }
        others.sort_by_key(|row| (row[0].as_deref().and_then(|number| number.parse::<i64>().ok()), row.clone()));
        let sum = self.runtime.sums.entry("mysql_servers").or_default();
        (sum.checksum, sum.epoch) = (checksum(&others), now);
        self.runtime.rows.insert("mysql_servers", others);
    }
}

impl Handle {
    /// The monitor has a server stand in these hostgroups at runtime, and in no other: it moves it there, or discovers it.
    pub fn place_server(&self, host: &str, port: u16, hostgroups: &[i64]) {
        let now = self.0.now();
        if let Some(life) = &*lock(&self.0.life) {
            life.store().place((host, port), hostgroups, now);
        }
    }
}
