//! In which hostgroups the servers of a file are to stand, given what `ProxySQL` has made of them since.
//!
//! Within a replication pair, a Galera cluster, a group of Group Replication or an Aurora cluster the databases decide where a server
//! stands: `ProxySQL`'s monitor asks them, moves servers in what is in effect, adds those it discovers, and leaves memory as it was. A
//! load puts every server back where memory has it: after a failover the old writer is writer again until the next check. So memory is
//! made, before it is compared or loaded, what `ProxySQL` would have made of the file by now: where the file says nothing new of a
//! server, that is what is in effect; where it does, its rows go through what the monitor does with a writer or a reader.

use std::collections::{BTreeMap, BTreeSet};

/// A server, wherever it stands: host name and port, as SQL literals.
pub type Server = (String, String);

/// A server in a hostgroup. Values are SQL literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRow {
    /// The hostgroup.
    pub hostgroup: i64,
    /// The server.
    pub server: Server,
    /// Its status.
    pub status: String,
    /// The values of the other columns, in order.
    pub rest: Vec<String>,
}

impl ServerRow {
    /// Reads a row of literals with the columns of these names.
    pub fn read(names: &[&str], literals: &[String]) -> Option<Self> {
        let mut values: BTreeMap<&str, &String> = names.iter().copied().zip(literals).collect();
        let rest = names.iter().zip(literals).filter(|(name, _)| !OWN.contains(name));
        let rest = rest.map(|(_, literal)| literal.clone()).collect();
        Some(Self {
            hostgroup: values.remove("hostgroup_id")?.parse().ok()?,
            server: (values.remove("hostname")?.clone(), values.remove("port")?.clone()),
            status: values.remove("status")?.clone(),
            rest,
        })
    }

    /// The literals of the columns of these names.
    pub fn literals(&self, names: &[&str]) -> Vec<String> {
        let mut rest = self.rest.iter();
        let value = |name: &&str| match *name {
            "hostgroup_id" => Some(self.hostgroup.to_string()),
            "hostname" => Some(self.server.0.clone()),
            "port" => Some(self.server.1.clone()),
            "status" => Some(self.status.clone()),
            _ => rest.next().cloned(),
        };
        names.iter().filter_map(value).collect()
    }

    fn at(&self, hostgroup: i64) -> Self {
        Self { hostgroup, ..self.clone() }
    }

    fn is(&self, status: &str) -> bool {
        self.status.trim_matches('\'').eq_ignore_ascii_case(status)
    }

    /// Whether both are the same to `ProxySQL`. Whom it shuns is online by its configuration.
    fn same(&self, other: &Self) -> bool {
        let status = |row: &Self| match row.status.trim_matches('\'').to_ascii_uppercase() {
            shunned if shunned.starts_with("SHUNNED") => "ONLINE".to_owned(),
            status => status,
        };
        self.hostgroup == other.hostgroup && status(self) == status(other) && self.rest == other.rest
    }
}

/// Columns that a row has by name.
const OWN: [&str; 4] = ["hostgroup_id", "hostname", "port", "status"];

/// Hostgroups between which the monitor moves servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostgroupSet {
    /// Where writers stand.
    pub writer: i64,
    /// The other hostgroups: the readers', and those that only some groups have.
    pub others: Vec<i64>,
    /// Whether it is a replication pair: a server is moved by its `read_only` alone.
    pub is_pair: bool,
    /// Whether it exists at runtime, too. If not, the monitor has not moved any server in it yet.
    pub is_known: bool,
}

impl HostgroupSet {
    fn has(&self, hostgroup: i64) -> bool {
        self.writer == hostgroup || self.others.contains(&hostgroup)
    }
}

/// What `ProxySQL`'s monitor is told to do, and has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Monitor {
    /// Whether it is to work.
    pub enabled: bool,
    /// Whether it leaves whom it makes a writer among the readers of a pair.
    pub writer_is_also_reader: bool,
    /// Servers that answered it, and whether with `read_only`, as they did last; of other groups than pairs only that they did.
    pub answered: BTreeMap<Server, bool>,
    /// Servers that it would discover anew at a fresh start, for the others of their group name them.
    pub members: BTreeSet<Server>,
}

/// Servers of a module in several places.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// In the file.
    pub file: Vec<ServerRow>,
    /// In effect, without those that are `OFFLINE_HARD`.
    pub runtime: Vec<ServerRow>,
    /// As they were last loaded, before the monitor moved any; `None` where the release does not say.
    pub loaded: Option<Vec<ServerRow>>,
    /// What the file said when servers were loaded otherwise by [`place`], and as what they were loaded.
    pub instead: (Vec<ServerRow>, Vec<ServerRow>),
    /// The groups, as the file has them.
    pub groups: Vec<HostgroupSet>,
    /// The monitor.
    pub monitor: Monitor,
}

/// What is to become of the file's servers in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// These rows of the file go.
    pub remove: Vec<ServerRow>,
    /// These come, or replace one of the same hostgroup.
    pub write: Vec<ServerRow>,
    /// To be remembered with a load: what the file says of servers that are loaded otherwise, and as what they are.
    pub instead: (Vec<ServerRow>, Vec<ServerRow>),
}

/// Where servers are to stand; see the [module](self).
pub fn place(sight: &Sight) -> Placed {
    let mut placed = Placed::default();
    for group in &sight.groups {
        let within = |rows: &[ServerRow]| -> BTreeMap<Server, Vec<ServerRow>> {
            let mut found: BTreeMap<Server, Vec<ServerRow>> = BTreeMap::new();
            for row in rows.iter().filter(|row| group.has(row.hostgroup)) {
                found.entry(row.server.clone()).or_default().push(row.clone());
            }
            found
        };
        let (file, runtime) = (within(&sight.file), within(&sight.runtime));
        if file.is_empty() {
            // Without a server in it nothing would be discovered either.
            continue;
        }
        let loaded = sight.loaded.as_deref().map(within);
        let (said, instead) = (within(&sight.instead.0), within(&sight.instead.1));
        let servers: BTreeSet<&Server> = file.keys().chain(runtime.keys()).collect();
        for server in servers {
            let of = |rows: &BTreeMap<Server, Vec<ServerRow>>| rows.get(server).cloned().unwrap_or_default();
            let loaded = loaded.as_ref().map(of).map(|loaded| {
                let is_instead = !loaded.is_empty() && same_rows(&loaded, &of(&instead));
                if is_instead { of(&said) } else { loaded }
            });
            let (file, runtime) = (of(&file), of(&runtime));
            let wanted = wanted(group, &file, &runtime, loaded.as_deref(), &sight.monitor);
            if same_rows(&wanted, &file) {
                continue;
            }
            placed.remove.extend(file.iter().filter(|row| !has(&wanted, row.hostgroup)).cloned());
            placed.write.extend(wanted.iter().filter(|row| !file.iter().any(|own| own.same(row))).cloned());
            placed.instead.0.extend(file);
            placed.instead.1.extend(wanted);
        }
    }
    placed
}

/// The rows of one server in a group that are to be in effect.
fn wanted(
    group: &HostgroupSet,
    file: &[ServerRow],
    runtime: &[ServerRow],
    loaded: Option<&[ServerRow]>,
    monitor: &Monitor,
) -> Vec<ServerRow> {
    let Some(first) = file.first() else {
        let is_discovered = loaded.is_some_and(<[ServerRow]>::is_empty)
            || runtime.first().is_some_and(|row| monitor.enabled && monitor.members.contains(&row.server));
        return if is_discovered { runtime.to_vec() } else { Vec::new() };
    };
    if file.iter().any(|row| row.is("OFFLINE_HARD")) {
        return file.to_vec();
    }
    if loaded.is_some_and(|loaded| same_rows(loaded, file)) && !runtime.is_empty() {
        // What is in effect is what ProxySQL has made of just these rows.
        return runtime.to_vec();
    }
    let is_moved = !runtime.is_empty() && loaded.is_some_and(|loaded| hostgroups(loaded) != hostgroups(runtime));
    let answered = monitor.answered.get(&first.server);
    if !monitor.enabled || !(is_moved || answered.is_some()) {
        return file.to_vec();
    }
    if group.is_pair {
        // Whom somebody takes out of service is out of the monitor's sight.
        let is_watched = runtime.iter().any(|row| !row.is("OFFLINE_SOFT"));
        let is_writer = match answered {
            _ if is_watched && group.is_known => has(runtime, group.writer),
            Some(read_only) => !read_only,
            None if runtime.is_empty() || !group.is_known => return file.to_vec(),
            None => has(runtime, group.writer),
        };
        return in_pair(group, is_writer, file, runtime, loaded, monitor);
    }
    if runtime.is_empty() || !group.is_known {
        return file.to_vec();
    }
    let of_file = |row: &ServerRow| at(file, row.hostgroup).cloned().unwrap_or_else(|| first.at(row.hostgroup));
    runtime.iter().map(of_file).collect()
}

/// What the monitor makes of the rows of a writer or a reader of a pair.
fn in_pair(
    group: &HostgroupSet,
    is_writer: bool,
    file: &[ServerRow],
    runtime: &[ServerRow],
    loaded: Option<&[ServerRow]>,
    monitor: &Monitor,
) -> Vec<ServerRow> {
    let Some(reader) = group.others.first().copied() else { return file.to_vec() };
    let (writing, reading) = (at(file, group.writer), at(file, reader));
    let both = writing.or(reading).zip(reading.or(writing));
    let Some((as_writer, as_reader)) = both else { return file.to_vec() };
    if !is_writer {
        return vec![as_reader.at(reader)];
    }
    let stays = match (writing, reading) {
        (Some(_), Some(_)) => true,
        (None, Some(_)) => monitor.writer_is_also_reader,
        // Who was a reader for a while has stayed among them; nobody has loaded that row.
        _ => {
            has(runtime, reader) && monitor.writer_is_also_reader && {
                let copied = at(runtime, reader).zip(at(runtime, group.writer));
                loaded.map_or_else(
                    || copied.is_some_and(|(one, other)| one.rest == other.rest),
                    |loaded| !has(loaded, reader),
                )
            }
        }
    };
    let mut rows = vec![as_writer.at(group.writer)];
    rows.extend(stays.then(|| as_reader.at(reader)));
    rows
}

fn at(rows: &[ServerRow], hostgroup: i64) -> Option<&ServerRow> {
    rows.iter().find(|row| row.hostgroup == hostgroup)
}

fn has(rows: &[ServerRow], hostgroup: i64) -> bool {
    at(rows, hostgroup).is_some()
}

fn hostgroups(rows: &[ServerRow]) -> BTreeSet<i64> {
    rows.iter().map(|row| row.hostgroup).collect()
}

/// Whether two sets of rows of one server are the same to `ProxySQL`.
fn same_rows(one: &[ServerRow], other: &[ServerRow]) -> bool {
    one.len() == other.len() && one.iter().all(|row| other.iter().any(|other| other.same(row)))
}

#[cfg(test)]
mod tests;
