//! Following the cores again: what is newer on this node than on any core is replaced by what a core has in effect.
//!
//! `ProxySQL` never pulls what is older than its own, and an epoch cannot be set back. So the agent does once what a pull would do:
//! afterwards the content is the core's, and the next load of a core is the newer one and is pulled.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use tracing::{info, warn};

use super::memory::{columns, lock_memory, module_checksum, reset_memory, unlock_memory};
use super::peers::cluster_login;
use super::proxysql::Tracked;
use super::round::{Next, RoundError, SPACING, Spacing};
use crate::domain::cluster::drift::{self, DriftClass};
use crate::domain::proxysql::observation::{Checksum, Observation, Peer};
use crate::domain::proxysql::statement::table_sql::{Column, is_literal};
use crate::domain::proxysql::statement::{Module, Plan, Statement, Table, Worker};
use crate::edge::admin::{AdminError, Answer, Login};

/// Rows in one statement.
const BATCH: usize = 100;
/// How often a core is read until it says the same twice.
const READS: usize = 5;

/// The modules of these classes, each with the core to take it from: the one with the newest. Where that is what this node has, there is
/// nothing to take: the other cores are the ones that are about to follow. Only what was loaded in the future is loaded again in any case.
pub(super) fn out_of_sync(seen: &Observation, stray: impl Fn(Module, &DriftClass) -> bool) -> Vec<(Module, &Peer)> {
    let found = drift::classify(seen, None, &BTreeMap::new(), None);
    let modules: BTreeSet<Module> =
        found.iter().filter_map(|(subject, class)| subject.module.filter(|module| stray(*module, class))).collect();
    let newest = |module: Module| {
        let loaded = |peer: &&Peer| peer.modules.get(module.checksum_name()).is_some_and(|theirs| theirs.version > 1);
        let silent = |peer: &&Peer| {
            found.keys().any(|s| s.module.is_none() && s.peer == Some((peer.hostname.clone(), peer.port)))
        };
        let peers = seen.peers.iter().filter(loaded).filter(|peer| !silent(peer));
        // Of several loaded in the same second, the one that this node has, if it does: cores settle that among themselves.
        let is_own = |theirs: &Checksum| seen.own(module).is_some_and(|own| own.checksum == theirs.checksum);
        peers.max_by_key(|peer| peer.modules.get(module.checksum_name()).map(|theirs| (theirs.epoch, is_own(theirs))))
    };
    let is_to_take = |(module, peer): &(Module, &Peer)| {
        let theirs = peer.modules.get(module.checksum_name());
        let both = theirs.zip(seen.own(*module));
        both.is_some_and(|(theirs, own)| theirs.checksum != own.checksum || own.epoch > seen.clock)
    };
    modules.into_iter().filter_map(|module| Some((module, newest(module)?))).filter(is_to_take).collect()
}

/// Classes of what `ProxySQL` does not pull.
pub(super) fn is_unsyncable(class: &DriftClass) -> bool {
    matches!(class, DriftClass::LocalNewer | DriftClass::EqualEpochs | DriftClass::ClockAhead)
}

/// Copies from the cores what is out of sync; what cannot be loaded yet is left for the round at the time that is returned.
pub(super) async fn resync<P: Tracked>(
    out_of_sync: Vec<(Module, &Peer)>,
    seen: &Observation,
    spacing: &mut Spacing,
    admin: &mut P,
) -> Result<Next, RoundError> {
    if out_of_sync.is_empty() {
        info!("already in sync with the cores");
    }
    let mut next = Next::Interval;
    for (module, peer) in out_of_sync {
        let load = Plan::default().then(Statement::LoadToRuntime(module));
        // A second that no load was in yet, here or on the core.
        let just_loaded = seen.own(module).is_some_and(|own| own.is_just_loaded(seen.clock));
        if just_loaded || spacing.wait_for(&load).is_some() {
            spacing.waits(module, "it was loaded in this second");
            next = next.min(Next::At(Instant::now() + SPACING));
            continue;
        }
        if !lock_memory(Worker::Agent, admin).await? {
            spacing.waits(module, "something else works on memory");
            next = next.min(Next::At(Instant::now() + SPACING));
            continue;
        }
        spacing.waits_no_more(module);
        let taken = take_over(module, peer, spacing, admin).await;
        let released = unlock_memory(admin).await;
        taken?;
        released?;
    }
    Ok(next)
}

async fn take_over<P: Tracked>(
    module: Module,
    peer: &Peer,
    spacing: &mut Spacing,
    admin: &mut P,
) -> Result<(), RoundError> {
    let tables = columns(module, admin).await?;
    let reads: Vec<Statement> =
        tables.iter().map(|(table, columns)| Statement::ReadInEffect(*table, columns.clone())).collect();
    let Some(login) = cluster_login(admin).await? else {
        warn!(%module, core = %peer.hostname, "cannot read the core's configuration: admin-cluster_username is empty here");
        return Ok(());
    };
    let answers = match read_twice(peer, &login, &reads, admin).await {
        Ok(answers) => answers,
        Err(reason) => {
            warn!(%module, core = %peer.hostname, %reason, "cannot read the core's configuration");
            return Ok(());
        }
    };
    match write(module, tables, answers, admin).await {
        Ok(()) => {}
        Err(AdminError::Refused { statement, code, .. }) => {
            // Not the text: it may repeat a part of what was written.
            reset_memory(module, admin).await?;
            warn!(%module, core = %peer.hostname, %statement, code, "ProxySQL rejected the core's configuration");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    spacing.apply(&Plan::default().then(Statement::LoadToRuntime(module)), admin).await?;
    let own = module_checksum(module, admin).await?;
    let same = peer.modules.get(module.checksum_name()).is_some_and(|theirs| theirs.checksum == own.checksum);
    if same {
        info!(%module, core = %peer.hostname, "copied the module from the core; in sync again");
    } else {
        warn!(%module, core = %peer.hostname, "copied the module from the core, but the checksums still differ");
    }
    Ok(())
}

/// Reads a core until it says the same twice in succession: one answer may come from a moment in which the tables are being filled.
async fn read_twice<P: Tracked>(
    peer: &Peer,
    login: &Login,
    reads: &[Statement],
    admin: &P,
) -> Result<Vec<Answer>, String> {
    let mut last = None;
    for _ in 0..READS {
        let answers =
            admin.ask_peer(&peer.hostname, peer.port, login, reads).await.map_err(|error| error.to_string())?;
        if !answers.iter().flat_map(|answer| &answer.rows).flatten().all(|value| is_literal(value)) {
            return Err("its answer is not made of values".to_owned());
        }
        if last.as_ref() == Some(&answers) {
            return Ok(answers);
        }
        last = Some(answers);
    }
    Err("it says something else each time".to_owned())
}

/// Makes a module in memory what was read on a core.
async fn write<P: Tracked>(
    module: Module,
    tables: BTreeMap<Table, Vec<Column>>,
    answers: Vec<Answer>,
    admin: &mut P,
) -> Result<(), AdminError> {
    for ((table, columns), answer) in tables.into_iter().zip(answers) {
        // Of variables, those that stay on their node were not read.
        if !module.is_variables() {
            admin.run(&Statement::Empty(table)).await?;
        }
        for rows in answer.rows.chunks(BATCH) {
            admin.run(&Statement::Write(table, columns.clone(), rows.to_vec())).await?;
        }
    }
    Ok(())
}
