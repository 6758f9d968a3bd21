//! Executes what the admin port understood, and encodes the answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Cause;
use super::command::{Command, Move, Verb};
use super::host::{Host, Life};
use super::log::Outcome;
use super::schema::Module;
use super::session::Session;
use super::stats;
use super::store::{Ran, Store, text_of};
use super::wire::{ColumnType, Encoder};

/// What follows from a statement.
#[derive(Debug)]
pub(crate) enum Effect {
    Answer(Outcome),
    /// Not answered; the connection closes.
    Close,
    /// Not answered; the process ends.
    Die(Cause),
}

fn ok(reply: &mut Encoder, affected: u64, info: &str) -> Outcome {
    reply.ok(affected, info);
    Outcome::Ok { affected }
}

fn error(reply: &mut Encoder, text: &str) -> Outcome {
    let text = format!("ProxySQL Admin Error: {text}");
    reply.error(1045, "28000", &text);
    Outcome::Error { code: 1045, text }
}

fn done(reply: &mut Encoder, result: Result<u64, String>) -> Outcome {
    match result {
        Ok(affected) => ok(reply, affected, ""),
        Err(text) => error(reply, &text),
    }
}

/// Executes under the admin lock.
pub(crate) async fn run(
    host: &Arc<Host>,
    life: &Arc<Life>,
    session: &mut Session,
    command: Command,
    reply: &mut Encoder,
) -> Effect {
    let _guard = life.admin.lock().await;
    if let Command::Proxysql(verb) = &command {
        return proxysql(host, life, session, verb, reply).await;
    }
    if let Some(node) = &session.node {
        seen_again(host, life, session, node);
    }
    Effect::Answer(match command {
        Command::Crash => return Effect::Die(Cause::Crash),
        Command::Proxysql(_) => unreachable!("handled above"),
        Command::Fine => ok(reply, 0, ""),
        Command::NotAllowed => error(reply, "Command not allowed"),
        Command::Unknown(name) => ok(reply, 0, &format!("ERROR: Unknown global variable: '{name}'.")),
        Command::GlobalChecksum => {
            let number = life.store().runtime.global_checksum().to_string();
            reply.columns(["CHECKSUM"].into_iter(), ColumnType::Number);
            reply.row([Some(number.into_bytes().into())].into_iter());
            reply.end();
            Outcome::Rows(1)
        }
        Command::ServersAsLoaded => {
            let rows = life.store().runtime.loaded.clone();
            reply.columns(super::monitor::COLUMNS.into_iter(), ColumnType::Text);
            for row in &rows {
                reply.row(row.iter().map(|value| value.as_deref().map(|value| value.as_bytes().into())));
            }
            reply.end();
            Outcome::Rows(rows.len() as u64)
        }
        Command::Move(module, step) => done(reply, moved(host, life, module, step)),
        Command::Kill(id) => {
            if life.kill_session(id) {
                ok(reply, 0, "")
            } else {
                error(reply, &format!("Unknown thread id: {id}"))
            }
        }
        Command::SaveConfig(path) => {
            let saved = std::fs::copy(life.store().config.clone(), &path);
            match saved {
                Ok(_) => ok(reply, 0, &format!("File {path} is saved.")),
                Err(_) => error(reply, &format!("Cannot open file {path}")),
            }
        }
        Command::Set { sql } | Command::Sql(sql) => query(host, life, session, &sql, reply),
    })
}

/// SQL, after the tables that it mentions are filled.
fn query(host: &Host, life: &Life, session: &Session, sql: &str, reply: &mut Encoder) -> Outcome {
    let role = session.role;
    let mut store = life.store();
    if let Err(text) = stats::refresh(life, &mut store, role, host.behaviour().idle_threads, sql) {
        return error(reply, &text_of(&text));
    }
    for (table, rows) in &session.torn {
        let tear = format!("DELETE FROM {table} WHERE rowid NOT IN (SELECT rowid FROM {table} LIMIT {rows})");
        if let Err(text) = store.script(&tear) {
            return error(reply, &text);
        }
    }
    if let Err(text) = super::digest::fill(&mut super::host::lock(&life.digests), &store, sql) {
        return error(reply, &text);
    }
    let ran = store.run(role, sql, reply);
    if let Err(text) = super::digest::forget(&store, sql) {
        return error(reply, &text);
    }
    match ran {
        Ok(Ran::Rows(count)) => Outcome::Rows(count),
        Ok(Ran::Done(affected)) => ok(reply, affected, ""),
        Err(text) => error(reply, &text),
    }
}

/// `LOAD` and `SAVE`.
pub(crate) fn moved(host: &Arc<Host>, life: &Arc<Life>, module: Module, step: Move) -> Result<u64, String> {
    let flat = |result: rusqlite::Result<u64>| result.map_err(|error| text_of(&error));
    match step {
        Move::ToRuntime => host.load(life, module, None),
        Move::FromConfig => life.store().load_from_config(module),
        Move::FromDisk => flat(life.store().load_from_disk(module)),
        Move::ToDisk => flat(life.store().save_to_disk(module)),
        Move::FromRuntime => flat(life.store().save_from_runtime(module)),
    }
}

#[expect(clippy::too_many_lines, reason = "an arm for each verb")]
async fn proxysql(
    host: &Arc<Host>,
    life: &Arc<Life>,
    session: &mut Session,
    verb: &Verb,
    reply: &mut Encoder,
) -> Effect {
    let behaviour = host.behaviour();
    let start = reply.sequence;
    let twice = |reply: &mut Encoder, outcome: Outcome| {
        if behaviour.double_reply {
            // Each of the two begins at the same sequence number.
            reply.sequence = start;
            match &outcome {
                Outcome::Error { .. } if *verb == Verb::Pause => {
                    error(reply, "ProxySQL PgSQL module is already paused, impossible to pause");
                }
                Outcome::Error { code, text } => reply.error(*code, "28000", text),
                _ => reply.ok(0, ""),
            }
        }
        Effect::Answer(outcome)
    };
    Effect::Answer(match verb {
        Verb::Pause if life.stopped.load(Ordering::Relaxed) => {
            error(reply, "ProxySQL MySQL module not running, impossible to pause")
        }
        Verb::Resume if life.stopped.load(Ordering::Relaxed) => {
            error(reply, "ProxySQL MySQL module not running, impossible to resume")
        }
        Verb::Pause if life.paused() => {
            let outcome = error(reply, "ProxySQL MySQL module is already paused, impossible to pause");
            return twice(reply, outcome);
        }
        Verb::Pause => {
            life.open_mysql(false).await;
            tokio::time::sleep(behaviour.pause_takes).await;
            life.set_paused(true);
            let outcome = ok(reply, 0, "");
            return twice(reply, outcome);
        }
        Verb::Resume if !life.paused() => {
            let outcome = error(reply, "ProxySQL MySQL module is not paused, impossible to resume");
            return twice(reply, outcome);
        }
        Verb::Resume => {
            life.open_mysql(true).await;
            life.set_paused(false);
            life.resumed.store(true, Ordering::Relaxed);
            let outcome = ok(reply, 0, "");
            return twice(reply, outcome);
        }
        Verb::Shutdown => return Effect::Die(Cause::Shutdown),
        Verb::ShutdownSlow => {
            tokio::time::sleep(behaviour.slow_shutdown_takes).await;
            return Effect::Die(Cause::Shutdown);
        }
        Verb::Restart => return Effect::Die(Cause::Restart),
        Verb::Stop => {
            life.open_mysql(false).await;
            life.clients().stop();
            tokio::time::sleep(behaviour.stop_takes).await;
            life.stopped.store(true, Ordering::Relaxed);
            ok(reply, 0, "")
        }
        Verb::Start if life.stopped.swap(false, Ordering::Relaxed) => {
            life.open_mysql(true).await;
            life.set_paused(false);
            ok(reply, 0, "")
        }
        Verb::Start => error(reply, "ProxySQL already started"),
        Verb::ReadOnly | Verb::ReadWrite => {
            life.store().read_only = *verb == Verb::ReadOnly;
            ok(reply, 0, "")
        }
        Verb::Nothing => ok(reply, 0, ""),
        Verb::NodeUuid(None) => {
            return Effect::Close;
        }
        Verb::NodeUuid(Some(node)) => {
            seen_again(host, life, session, node);
            session.node = Some(node.clone());
            ok(reply, 0, "")
        }
    })
}

/// Every statement of a peer that introduced itself renews its row.
fn seen_again(host: &Host, life: &Life, session: &Session, (uuid, interfaces): &(String, String)) {
    let row = [
        uuid.clone(),
        session.peer.ip().to_string(),
        session.peer.port().to_string(),
        interfaces.clone(),
        host.now().to_string(),
    ];
    // The table takes any such row.
    let _ = life.store().insert("stats.stats_proxysql_servers_clients_status", &[row.map(Some).to_vec()]);
}

impl Store {
    /// SQL of the script's own, outside of any session.
    pub(crate) fn script(&self, sql: &str) -> Result<(), String> {
        self.main.execute_batch(sql).map_err(|error| text_of(&error))
    }
}
