//! The layers and what moves between them: file, disk, memory, runtime; versions, epochs and checksums.

use std::collections::{BTreeMap, HashMap};

use sha1::{Digest, Sha1};

use super::auth;
use super::config_file::ConfigFile;
use super::entries;
use super::logins::Logins;
use super::schema::{self, Module, SUM_NAMES};
use super::store::{Store, TextRow};
use super::variables;

/// One row of `runtime_checksums_values`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// Counts the loads of this process.
    pub version: u64,
    /// The second of the load, on the clock of whoever loaded first.
    pub epoch: i64,
    /// A function of the content alone; empty where nothing was ever seen.
    pub checksum: String,
}

/// A user of the port for clients.
#[derive(Debug)]
pub(crate) struct FrontendUser {
    pub(crate) password: String,
    pub(crate) hostgroup: i64,
    pub(crate) fast_forward: bool,
}

/// The runtime layer.
#[derive(Debug, Default)]
pub(crate) struct Runtime {
    pub(crate) rows: HashMap<&'static str, Vec<TextRow>>,
    /// Servers as they were loaded, before any monitor moved one.
    pub(crate) loaded: Vec<TextRow>,
    pub(crate) variables: HashMap<String, String>,
    pub(crate) logins: Logins,
    pub(crate) sums: BTreeMap<&'static str, Checksum>,
}

impl Runtime {
    /// The value of a variable; empty if it is unknown.
    pub(crate) fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// A variable that is a number.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.variable(name).parse().unwrap_or_default()
    }

    /// Covers versions as well, so that a load without a change moves it.
    pub(crate) fn global_checksum(&self) -> u64 {
        let mut hash = Sha1::new();
        for (name, sum) in &self.sums {
            hash.update(format!("{name} {} {};", sum.version, sum.checksum));
        }
        first_bytes(&hash.finalize())
    }
}

/// A pull: the epoch is the peer's if the content turned out to be the peer's.
#[derive(Clone, Debug)]
pub(crate) struct Adopted {
    pub(crate) sums: HashMap<String, (i64, String)>,
}

/// `0x...` of some rows; zero for none at all.
pub(crate) fn checksum<'a>(rows: impl IntoIterator<Item = &'a TextRow>) -> String {
    let mut hash = Sha1::new();
    let mut empty = true;
    for row in rows {
        empty = false;
        for value in row {
            match value {
                Some(text) => hash.update(format!("{}:{text}", text.len())),
                None => hash.update("-"),
            }
        }
        hash.update(";");
    }
    let number = if empty { 0 } else { first_bytes(&hash.finalize()) };
    format!("0x{number:016X}")
}

fn first_bytes(hash: &[u8]) -> u64 {
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The rows of a module of variables that its checksum covers, in order.
pub(crate) fn synced_variables(rows: impl IntoIterator<Item = (String, String)>) -> Vec<TextRow> {
    let mut rows: Vec<TextRow> = rows
        .into_iter()
        .filter(|(name, _)| !schema::LOCAL_VARIABLES.contains(&name.as_str()))
        .map(|(name, value)| vec![Some(name), Some(value)])
        .collect();
    rows.sort();
    rows
}

impl Store {
    /// First values of all variables into memory.
    pub(crate) fn set_defaults(&self, version: &str) -> rusqlite::Result<()> {
        let mut insert = self.main.prepare("INSERT OR IGNORE INTO main.global_variables VALUES (?,?)")?;
        let beside = if self.postgres { &schema::POSTGRES_DEFAULTS[..] } else { &[] };
        for (name, value) in schema::DEFAULTS.iter().chain(beside) {
            insert.execute([*name, if *name == "admin-version" { version } else { *value }])?;
        }
        Ok(())
    }

    /// `LOAD ... TO RUNTIME`.
    pub(crate) fn load_to_runtime(
        &mut self,
        module: Module,
        now: i64,
        adopted: Option<&Adopted>,
    ) -> rusqlite::Result<u64> {
        if let Some(prefix) = module.prefix() {
            self.load_variables(prefix)?;
        }
        for table in module.tables() {
            let mut rows = self.rows_for_runtime(table)?;
            if self.hash_passwords && *table == "mysql_users" {
                rows.iter_mut().filter_map(|row| row[1].as_mut()).for_each(auth::hash);
            }
            self.runtime.rows.insert(table, rows);
        }
        if module == Module::MysqlServers {
            self.servers_are_loaded()?;
        }
        if module.tables().contains(&"mysql_users") {
            self.runtime.make_logins();
        }
        for (name, tables) in module.sums() {
            let checksum = match module.prefix() {
                Some(prefix) => checksum(&self.own_synced_variables(prefix)),
                None => checksum(tables.iter().flat_map(|table| match (*name, *table) {
                    ("mysql_servers_v2", "mysql_servers") => &self.runtime.loaded[..],
                    (_, table) => self.runtime.rows.get(table).map_or(&[][..], Vec::as_slice),
                })),
            };
            let epoch = match adopted.and_then(|adopted| adopted.sums.get(*name)) {
                Some((epoch, expected)) if *expected == checksum => *epoch,
                _ => now,
            };
            let sum = self.runtime.sums.entry(name).or_default();
            *sum = Checksum { version: sum.version + 1, epoch, checksum };
        }
        Ok(0)
    }

    fn own_synced_variables(&self, prefix: &str) -> Vec<TextRow> {
        let own = self.runtime.variables.iter().filter(|(name, _)| name.starts_with(prefix));
        synced_variables(own.map(|(name, value)| (name.clone(), value.clone())))
    }

    /// Only what is active reaches runtime; a user becomes one row for each side.
    fn rows_for_runtime(&self, table: &str) -> rusqlite::Result<Vec<TextRow>> {
        match table {
            "mysql_users" => {
                let side = |backend: u8, frontend: u8| {
                    format!(
                        "SELECT username,IFNULL(password,''),1,use_ssl,default_hostgroup,IFNULL(default_schema,''),\
                         schema_locked,transaction_persistent,fast_forward,{backend},{frontend},max_connections,\
                         attributes,comment FROM main.mysql_users WHERE active=1 AND default_hostgroup>=0 AND backend>={backend} AND frontend>={frontend}"
                    )
                };
                self.read(&format!("SELECT * FROM ({} UNION ALL {}) ORDER BY 11 DESC, 1", side(0, 1), side(1, 0)))
            }
            "mysql_servers" => self.read(
                "SELECT hostgroup_id,hostname,port,gtid_port,UPPER(status),weight,compression,max_connections,\
                 max_replication_lag,use_ssl,max_latency_ms,comment FROM main.mysql_servers \
                 WHERE UPPER(status)<>'OFFLINE_HARD' ORDER BY 1, 2, 3",
            ),
            "pgsql_users" => self.read(
                "SELECT * FROM (SELECT username,password,1,use_ssl,default_hostgroup,transaction_persistent,fast_forward,\
                 0,1,max_connections,attributes,comment FROM main.pgsql_users WHERE active=1 AND frontend=1 UNION ALL \
                 SELECT username,password,1,use_ssl,default_hostgroup,transaction_persistent,fast_forward,1,0,\
                 max_connections,attributes,comment FROM main.pgsql_users WHERE active=1 AND backend=1) ORDER BY 9 DESC, 1",
            ),
            // A wildcard in a client's address is the last of it.
            "mysql_query_rules" => self.read(&format!(
                "SELECT {} FROM main.mysql_query_rules WHERE active=1 AND IFNULL(length(client_addr)<46 AND \
                 instr(client_addr,'%') IN (0,length(client_addr)),1) ORDER BY rule_id",
                self.columns_of_rules()?
            )),
            "pgsql_query_rules" => {
                self.read("SELECT * FROM main.pgsql_query_rules WHERE active=1 ORDER BY rule_id")
            }
            "mysql_firewall_whitelist_sqli_fingerprints" => self.read(&format!("SELECT * FROM main.{table} ORDER BY 2")),
            // The first argument that is none is the last of them.
            "scheduler" => self.read(
                "SELECT id,active,interval_ms,filename,arg1,iif(arg1 IS NULL,NULL,arg2),iif(arg1||arg2 IS NULL,NULL,arg3),\
                 iif(arg1||arg2||arg3 IS NULL,NULL,arg4),iif(arg1||arg2||arg3||arg4 IS NULL,NULL,arg5),comment \
                 FROM main.scheduler ORDER BY 1",
            ),
            _ => self.read(&format!("SELECT * FROM main.{table} ORDER BY 1, 2, 3")),
        }
    }

    /// The columns of rules as they are in effect: digests in full, modifiers in their order and in capitals.
    fn columns_of_rules(&self) -> rusqlite::Result<String> {
        let columns = self.read("SELECT name FROM pragma_table_info('mysql_query_rules')")?;
        let shown = columns.iter().filter_map(|row| row[0].as_deref()).map(|column| match column {
            // Another text is the number 0 there, and that is none.
            "digest" => {
                "CASE WHEN digest LIKE '0x_%' THEN '0x' || upper(substr('0000000000000000' || substr(digest, 3), -16)) END"
            }
            "re_modifiers" => {
                "trim(CASE WHEN ',' || re_modifiers LIKE '%,CASELESS%' THEN 'CASELESS' ELSE '' END || \
                 CASE WHEN ',' || re_modifiers LIKE '%,GLOBAL%' THEN ',GLOBAL' ELSE '' END, ',')"
            }
            column => column,
        });
        Ok(shown.collect::<Vec<_>>().join(","))
    }

    /// Takes over the values that are fit for it; the others spring back in memory.
    fn load_variables(&mut self, prefix: &str) -> rusqlite::Result<()> {
        let rows = self.read(&format!("SELECT * FROM main.global_variables WHERE variable_name LIKE '{prefix}%'"))?;
        let text = |runtime: &Runtime| {
            let own = |name| runtime.variable(name).to_owned();
            (own("mysql-default_charset"), own("mysql-default_collation_connection"))
        };
        let texts = text(&self.runtime);
        let is_first = !self.runtime.variables.keys().any(|name| name.starts_with(prefix));
        for row in rows {
            let [Some(given), Some(value)] = &row[..] else { continue };
            // Names are known in any case of their letters.
            let known = schema::KNOWN.iter().find(|known| known.eq_ignore_ascii_case(given));
            let name = known.map_or(given.as_str(), |known| *known);
            // What it has by itself is in effect before anything is loaded.
            let before = self.runtime.variables.get(name).map(String::as_str);
            let fixed = !is_first && schema::FIXED_VARIABLES.contains(&name);
            let kind = before.or_else(|| default_of(name)).unwrap_or_default();
            let taken = if fixed || known.is_none() { None } else { variables::understood(name, kind, value) };
            if let Some(taken) = taken {
                let also = variables::also(name, &taken, &self.runtime.variables);
                let before = self.runtime.variables.insert(name.to_owned(), taken).unwrap_or_default();
                self.runtime.change_logins(name, &before, value);
                if let Some((other, value)) = also {
                    self.runtime.variables.insert(other.to_owned(), value);
                }
            } else if let Some(before) = before.or_else(|| default_of(name)) {
                self.main.execute(
                    "UPDATE main.global_variables SET variable_value=? WHERE variable_name=?",
                    [before, given.as_str()],
                )?;
                let before = before.to_owned();
                self.runtime.variables.entry(name.to_owned()).or_insert(before);
            } else {
                self.main.execute("DELETE FROM main.global_variables WHERE variable_name=?", [given])?;
            }
        }
        let now = text(&self.runtime);
        let start = ("utf8".to_owned(), "utf8_general_ci".to_owned());
        let before = if texts.0.is_empty() { &start } else { &texts };
        if let Some((charset, collation)) = variables::collation((&before.0, &before.1), (&now.0, &now.1)) {
            for (name, value) in [("mysql-default_charset", charset), ("mysql-default_collation_connection", collation)]
            {
                self.main
                    .execute("INSERT OR REPLACE INTO main.global_variables VALUES (?,?)", [name, value.as_str()])?;
                self.runtime.variables.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// `SAVE ... FROM RUNTIME`.
    pub(crate) fn save_from_runtime(&self, module: Module) -> rusqlite::Result<u64> {
        // A slip of the real one.
        let module = if module == Module::Restapi { Module::Scheduler } else { module };
        self.transaction(|| {
            if let Some(prefix) = module.prefix() {
                let own = self.runtime.variables.iter().filter(|(name, _)| name.starts_with(prefix));
                // In the order of the names, which a load goes by.
                let own: BTreeMap<usize, (&String, &String)> =
                    own.map(|(name, value)| (schema::place(name), (name, value))).collect();
                let rows: Vec<TextRow> =
                    own.into_values().map(|(name, value)| vec![Some(name.clone()), Some(value.clone())]).collect();
                self.insert("main.global_variables", &rows)?;
            }
            for table in module.tables() {
                let rows = self.runtime.rows.get(table).map_or(&[][..], Vec::as_slice);
                if matches!(*table, "mysql_users" | "pgsql_users") {
                    // Inactive users are not in runtime: they stay, and so do the rows of both sides side by side.
                    self.main.execute(&format!("UPDATE main.{table} SET active=0"), [])?;
                    self.insert(&format!("main.{table}"), rows)?;
                } else {
                    self.replace(&format!("main.{table}"), rows)?;
                }
            }
            Ok(0)
        })
    }

    /// `LOAD ... FROM DISK`.
    pub(crate) fn load_from_disk(&self, module: Module) -> rusqlite::Result<u64> {
        self.copy(module, "disk", "main")
    }

    /// `SAVE ... TO DISK`.
    pub(crate) fn save_to_disk(&self, module: Module) -> rusqlite::Result<u64> {
        self.copy(module, "main", "disk")
    }

    fn copy(&self, module: Module, from: &str, to: &str) -> rusqlite::Result<u64> {
        self.transaction(|| {
            for table in module.tables() {
                self.main.execute(&format!("DELETE FROM {to}.{table}"), [])?;
                self.main.execute(&format!("INSERT INTO {to}.{table} SELECT * FROM {from}.{table}"), [])?;
            }
            let Some(prefix) = module.prefix() else { return Ok(0) };
            let copied = self.main.execute(
                &format!(
                    "INSERT OR REPLACE INTO {to}.global_variables SELECT * FROM {from}.global_variables \
                     WHERE variable_name LIKE '{prefix}%'"
                ),
                [],
            )?;
            Ok(copied as u64)
        })
    }

    /// `LOAD ... FROM CONFIG`: adds and replaces, deletes nothing. The error is the text of the answer.
    pub(crate) fn load_from_config(&self, module: Module) -> Result<u64, String> {
        let refused = || format!("Unable to open or parse config file {}", self.config.display());
        let file = ConfigFile::read(&self.config).ok_or_else(refused)?;
        self.transaction(|| Ok(self.take_from(&file, module))).map_err(|error| super::store::text_of(&error))
    }

    /// The number of entries that were tried. What SQL does not make sense of, and what a constraint forbids, is counted and lost.
    fn take_from(&self, file: &ConfigFile, module: Module) -> u64 {
        let mut tried = 0;
        let columns = |table: &str| {
            let rows = self.read(&format!("SELECT name FROM pragma_table_info('{table}')"));
            rows.unwrap_or_default().into_iter().filter_map(|row| row.into_iter().next()?).collect()
        };
        for statement in entries::statements(file, module, columns) {
            // All of a text with several statements, as there; and the error stays in the log there.
            drop(self.main.execute_batch(&statement));
            tried += 1;
        }
        tried
    }

    /// A user who may log in as a client.
    pub(crate) fn frontend_user(&self, name: &str) -> Option<FrontendUser> {
        let users = self.runtime.rows.get("mysql_users")?;
        let user = users.iter().find(|user| user[0].as_deref() == Some(name) && user[10].as_deref() == Some("1"))?;
        Some(FrontendUser {
            password: user[1].clone().unwrap_or_default(),
            hostgroup: user[4].as_deref()?.parse().ok()?,
            fast_forward: user[8].as_deref() == Some("1"),
        })
    }

    /// The first server of a hostgroup.
    pub(crate) fn backend_of(&self, hostgroup: i64) -> Option<(String, u16)> {
        let servers = self.runtime.rows.get("mysql_servers")?;
        let server = servers.iter().find(|server| server[0].as_deref() == Some(&hostgroup.to_string()))?;
        Some((server[1].clone()?, server[2].as_deref()?.parse().ok()?))
    }

    /// The rows of `runtime_checksums_values`, in `ProxySQL`'s order.
    pub(crate) fn checksum_rows(&self) -> Vec<TextRow> {
        let row = |name: &&'static str| {
            let sum = self.runtime.sums.get(name).cloned().unwrap_or_default();
            vec![
                Some((*name).to_owned()),
                Some(sum.version.to_string()),
                Some(sum.epoch.to_string()),
                Some(sum.checksum),
            ]
        };
        let beside = if self.postgres { &schema::POSTGRES_SUM_NAMES[..] } else { &[] };
        SUM_NAMES.iter().chain(beside).map(row).collect()
    }
}

fn default_of(name: &str) -> Option<&'static str> {
    schema::DEFAULTS
        .iter()
        .chain(schema::POSTGRES_DEFAULTS.iter())
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}
