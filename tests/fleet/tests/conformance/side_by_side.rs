//! The same statements to both at once; whole answers are compared. Nothing to do without a real binary.

use proxysql_fleet::client::{Client, Reply};
use proxysql_fleet::node::{Cnf, Node};

use crate::conformance::bench::{Bench, kinds};

const SECTIONS: &str = r#"
mysql_servers=
(
  { address="127.0.0.31", port=3306, hostgroup=1, max_connections=200, weight=5 },
  { hostname="127.0.0.32", hostgroup_id=2, status="OFFLINE_SOFT", comment="a 'quoted' one" }
)
mysql_replication_hostgroups=( { writer_hostgroup=1, reader_hostgroup=2, comment="pair" } )
mysql_users=
(
  { username="app", password="app", default_hostgroup=2, active=1, max_connections=50 },
  { username="off", password="x", active=0 }
)
mysql_query_rules=
(
  { rule_id=20, active=1, match_digest="^SELECT", destination_hostgroup=2, apply=1 },
  { rule_id=10, active=0, match_pattern="x" }
)
scheduler=( { id=1, interval_ms=1000, filename="/bin/true" } )
"#;

/// In this order, on one connection.
const STATEMENTS: &str = r"
SELECT * FROM mysql_servers ORDER BY 1
SELECT * FROM runtime_mysql_servers ORDER BY 1
SELECT * FROM mysql_users ORDER BY 1
SELECT * FROM runtime_mysql_users ORDER BY username, backend
SELECT * FROM mysql_query_rules
SELECT * FROM runtime_mysql_query_rules
SELECT * FROM mysql_replication_hostgroups
SELECT * FROM runtime_mysql_replication_hostgroups
SELECT id, active, interval_ms, filename FROM runtime_scheduler
SELECT hostname, port, weight, comment FROM proxysql_servers WHERE comment<>'seed'
SELECT * FROM global_variables WHERE variable_name NOT IN ('admin-mysql_ifaces','mysql-interfaces') ORDER BY 1
SELECT variable_name FROM global_variables
SELECT variable_name FROM runtime_global_variables ORDER BY variable_name
SELECT * FROM global_variables WHERE variable_name LIKE 'admin-cluster%' ORDER BY 1
SELECT * FROM runtime_global_variables WHERE variable_name LIKE 'mysql-%timeout%' ORDER BY 1
SELECT variable_name, variable_value FROM global_variables WHERE variable_name IN ('mysql-threads','pgsql-threads')
SELECT Variable_Name FROM stats_mysql_global ORDER BY 1
SELECT name, version FROM runtime_checksums_values
SELECT name FROM stats_proxysql_servers_checksums
SELECT hostgroup, srv_host, srv_port, status, ConnUsed, ConnFree FROM stats_mysql_connection_pool ORDER BY 1, 2
SELECT * FROM stats_mysql_users
SELECT * FROM stats_mysql_query_digest
SELECT * FROM stats_mysql_query_rules
SELECT * FROM stats_proxysql_servers_status
SELECT * FROM stats_mysql_errors
SELECT * FROM stats_mysql_free_connections
SHOW TABLES
SHOW TABLES FROM stats
SHOW TABLES FROM disk
SHOW FIELDS FROM proxysql_servers
SHOW MYSQL USERS
SHOW MYSQL SERVERS
PRAGMA table_info(mysql_query_rules)
PRAGMA table_info(mysql_hostgroup_attributes)
PRAGMA table_info(stats_mysql_processlist)
UPDATE mysql_users SET password='changed' WHERE username='app'
LOAD MYSQL USERS TO RUNTIME
SELECT username, password, backend, frontend FROM runtime_mysql_users ORDER BY 1, 3
UPDATE mysql_users SET password='again' WHERE username='app'
SAVE MYSQL USERS TO MEMORY
SELECT username, password, active, backend, frontend FROM mysql_users ORDER BY 1, 4
DELETE FROM mysql_users
LOAD MYSQL USERS FROM CONFIG
SELECT username, password, active, backend, frontend FROM mysql_users ORDER BY 1, 4
INSERT INTO mysql_users (username,password,backend,frontend) VALUES ('half','p',1,0),('other',NULL,0,1)
LOAD MYSQL USERS TO RUNTIME
SELECT * FROM runtime_mysql_users ORDER BY username, backend
SELECT username, default_schema FROM mysql_users ORDER BY 1
SELECT * FROM stats_mysql_users ORDER BY 1
INSERT INTO mysql_servers (hostgroup_id,hostname,status) VALUES (9,'127.0.0.33','online'),(9,'127.0.0.34','OFFLINE_HARD')
LOAD MYSQL SERVERS TO RUNTIME
SELECT * FROM runtime_mysql_servers ORDER BY 1, 2
SELECT hostgroup, srv_host, status FROM stats_mysql_connection_pool ORDER BY 1, 2
INSERT INTO mysql_query_rules (active,match_pattern) VALUES (1,'^auto')
LOAD MYSQL QUERY RULES TO RUNTIME
SELECT * FROM runtime_mysql_query_rules
SELECT * FROM stats_mysql_query_rules
INSERT INTO mysql_query_rules_fast_routing VALUES ('u','s',0,1,'')
LOAD MYSQL QUERY RULES TO RUNTIME
SELECT * FROM runtime_mysql_query_rules_fast_routing
SELECT COUNT(*) FROM runtime_mysql_query_rules_fast_routing
INSERT INTO mysql_hostgroup_attributes (hostgroup_id) VALUES (1)
INSERT INTO mysql_galera_hostgroups (writer_hostgroup,backup_writer_hostgroup,reader_hostgroup,offline_hostgroup) VALUES (31,32,33,34)
LOAD MYSQL SERVERS TO RUNTIME
SELECT * FROM runtime_mysql_hostgroup_attributes
SELECT writer_hostgroup, reader_hostgroup FROM runtime_mysql_galera_hostgroups
DELETE FROM mysql_servers
SAVE MYSQL SERVERS TO MEMORY
SELECT hostgroup_id, hostname, status FROM mysql_servers ORDER BY 1
DELETE FROM mysql_query_rules
SAVE MYSQL QUERY RULES FROM RUNTIME
SELECT rule_id FROM mysql_query_rules
LOAD MYSQL QUERY RULES FROM DISK
SELECT rule_id, active FROM mysql_query_rules
SET mysql-wait_timeout='abc'
LOAD MYSQL VARIABLES TO RUNTIME
SELECT @@mysql-wait_timeout
SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-wait_timeout'
SET admin-cluster_check_interval_ms=1
LOAD ADMIN VARIABLES TO RUNTIME
SELECT @@admin-cluster_check_interval_ms
SET mysql-monitor_enabled=maybe
SET mysql-monitor_enabled='maybe'
LOAD MYSQL VARIABLES TO RUNTIME
SELECT @@mysql-monitor_enabled
INSERT INTO global_variables VALUES ('mysql-nonsense','1')
LOAD MYSQL VARIABLES TO RUNTIME
SELECT COUNT(*) FROM global_variables WHERE variable_name='mysql-nonsense'
SET mysql-max_connections=77
LOAD MYSQL VARIABLES TO RUNTIME
SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-max_connections'
SET mysql-threads=3
LOAD MYSQL VARIABLES TO RUNTIME
SELECT @@mysql-threads
SET admin-cluster_check_interval_ms=250
SELECT variable_value FROM runtime_global_variables WHERE variable_name='admin-cluster_check_interval_ms'
LOAD ADMIN VARIABLES TO RUNTIME
SELECT variable_value FROM runtime_global_variables WHERE variable_name='admin-cluster_check_interval_ms'
UPDATE global_variables SET variable_value='100' WHERE variable_name='admin-cluster_check_interval_ms'
SAVE ADMIN VARIABLES FROM RUNTIME
SELECT @@admin-cluster_check_interval_ms
SELECT name, version FROM runtime_checksums_values
INSERT INTO proxysql_servers VALUES ('127.0.0.99',6032,0,'it''s')
SELECT comment FROM proxysql_servers WHERE hostname='127.0.0.99'
INSERT INTO proxysql_servers (hostname,port,weight) VALUES ('127.0.0.99',6032,0),('127.0.0.98',6032,0)
SELECT COUNT(*) FROM proxysql_servers WHERE hostname='127.0.0.98'
INSERT OR REPLACE INTO proxysql_servers (hostname,port,weight,comment) VALUES ('127.0.0.99',6032,0,'x'),('127.0.0.98',6032,0,'y')
DELETE FROM proxysql_servers WHERE (hostname='127.0.0.99' AND port=6032) OR (hostname='127.0.0.98' AND port=6032)
DELETE FROM proxysql_servers WHERE hostname NOT IN ('127.0.0.1') AND port=1
INSERT INTO mysql_users (username,password,active) VALUES ('n',NULL,2)
INSERT INTO mysql_servers (hostname) VALUES (NULL)
INSERT INTO mysql_query_rules (active,flagIN,re_modifiers) VALUES (1,0,'WRONG')
SELECT json_extract('{}','$.a'), strftime('%Y',0,'unixepoch'), typeof(1.0), 1e3, 10/4, 'x''y', X'41', NULL, 1.0/3
SELECT MAX(updated_at) FROM stats_proxysql_servers_checksums WHERE hostname='nobody'
SELECT a FROM (SELECT 1 a UNION ALL SELECT 2) ORDER BY a DESC
SELECT 'it' AS `x`; DELETE FROM mysql_users
SELECT * FROM stats.stats_mysql_global WHERE Variable_Name='mysql_listener_paused'
SELECT count(*), sum(ConnUsed), max(status) FROM stats.stats_mysql_connection_pool
EXPLAIN SELECT 1 FROM nowhere
VACUUM nowhere
DROP TABLE nosuch
ALTER TABLE nosuch ADD x
CREATE TABLE proxysql_servers (x)
DELETE FROM disk.proxysql_servers
SAVE PROXYSQL SERVERS TO DISK
SELECT weight FROM disk.proxysql_servers
LOAD RESTAPI TO RUNTIME
LOAD MYSQL FIREWALL TO RUNTIME
SAVE SCHEDULER TO DISK
LOAD PGSQL USERS TO RUNTIME
PROXYSQL FLUSH QUERY CACHE
PROXYSQL FLUSH MYSQL CLIENT HOSTS
PROXYSQL START
PROXYSQL CLUSTER_NODE_UUID short
";

async fn answers(node: &Node) -> Vec<Result<Reply, (u16, String)>> {
    let mut client = Client::connect(node.spec().admin(), "radmin", "radmin").await.expect("a login");
    let mut answers = Vec::new();
    for sql in STATEMENTS.lines().filter(|line| !line.is_empty()) {
        answers.push(client.query(sql).await.map_err(|error| (error.code, error.text)));
    }
    answers
}

#[tokio::test]
async fn whole_answers_are_the_same() {
    let [stand_in, real @ ..] = &kinds()[..] else { return };
    let Some(real) = real.first() else { return };
    let mut all = Vec::new();
    for kind in [stand_in, real] {
        let bench = Bench::new(kind.clone());
        let spec = bench.spec("core");
        let seeds = vec![(spec.ip.to_string(), spec.admin_port)];
        let node = bench.node(spec, &Cnf { seeds, extra: SECTIONS.to_owned(), ..Cnf::default() }).await;
        all.push(answers(&node).await);
    }
    let mut unlike = Vec::new();
    for (number, sql) in STATEMENTS.lines().filter(|line| !line.is_empty()).enumerate() {
        if all[0][number] != all[1][number] {
            unlike.push(format!("{sql}\n  stand-in {:?}\n  real     {:?}", all[0][number], all[1][number]));
        }
    }
    assert!(unlike.is_empty(), "\n{}", unlike.join("\n"));
}
