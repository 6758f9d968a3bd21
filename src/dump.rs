//! Dump mode: the query digests, once, to a file or a pipe; then the process ends.
//!
//! Without `dump.reset` this reads and writes. With it, what is read is forgotten by `ProxySQL`, and so it is first moved to a table of our
//! own there (see [`crate::domain::dump::staging_table`]), read from that, and the table goes when the file is in its place. A dump that fails at any
//! moment leaves the digests to the next one.

use std::process;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::backoff::Backoff;
use crate::config::{Compression, Config, DumpFormat, DumpSource, DumpTarget};
use crate::domain::dump::digest::{DigestSource, Layout, MissingColumn};
use crate::domain::dump::staging_table::{StagingTable, found};
use crate::domain::proxysql::statement::{Digests, Filter, Statement};
use crate::edge::admin::{Admin, AdminError, Answer, Rows};
use crate::edge::dump::{Dump, DumpProgress, Form, Place, WriteError, file_in};
use crate::state::{Command, Mailbox};

/// How long `ProxySQL` may take to come up beside a dump that is there first. A job that is started again by its schedule waits no
/// longer for a wrong address.
const CONNECT: Duration = Duration::from_secs(30);
/// Bound of what tells `ProxySQL` that the file is in its place, or that the digests are the next dump's.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after the first failed try; doubled, with jitter, up to the next.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest pause between two tries.
const LAST_RETRY: Duration = Duration::from_secs(1);

/// Why there is no dump, or one that `ProxySQL` was not told of.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// `ProxySQL`.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The table is not what it seems.
    #[error(transparent)]
    Table(#[from] MissingColumn),
    /// PostgreSQL's digests were asked for.
    #[error("this ProxySQL version has no PostgreSQL query digests (3.0 or later required)")]
    NoSuchSource,
    /// `ProxySQL` does not tell its time.
    #[error("cannot read ProxySQL's clock")]
    Unreadable,
    /// `dump.timeout`.
    #[error("the dump did not end within {} s (dump.timeout)", .0.as_secs_f64())]
    Deadline(Duration),
    /// A signal.
    #[error("interrupted before the dump was complete")]
    Stopped,
    /// The file is in its place, and the next one will have the same digests once more.
    #[error(
        "the dump is written to {place}, but the temporary digest table could not be dropped; the next dump will repeat these digests: {source}"
    )]
    Untold {
        /// Where it is.
        place: String,
        /// Why.
        source: AdminError,
    },
}

/// Writes one dump. `pod` is the name of this process's pod, `host` that of its host.
///
/// # Errors
/// See [`DumpError`]. But for [`DumpError::Untold`], nothing is in the place of the file that was not there before.
pub async fn run(
    config: &Config,
    pod: Option<String>,
    host: &str,
    admin: Admin,
    mut mailbox: Mailbox,
) -> Result<(), DumpError> {
    if timeout(config.start_delay, end(&mut mailbox)).await.is_ok() {
        // A job that did not do its work has failed.
        return Err(DumpError::Stopped);
    }
    let progress = DumpProgress::new();
    let deadline = Instant::now() + config.dump.timeout;
    let (form, gzip) = (form(config.dump.format), config.dump.compress == Compression::Gzip);
    let place = match config.dump.target() {
        DumpTarget::Stdout => Place::Stdout,
        DumpTarget::File(path) => Place::File(path),
        DumpTarget::Directory(directory) => Place::File(file_in(&directory, host, form, gzip)),
    };
    let mut job = DumpJob {
        config,
        pod: pod.unwrap_or_else(|| host.to_owned()),
        admin,
        dump: Dump::open(&place, form, gzip)?,
        holds: Vec::new(),
        progress,
    };
    let read = tokio::select! {
        biased;
        () = end(&mut mailbox) => Err(DumpError::Stopped),
        read = timeout_at(deadline, job.read(host)) => {
            read.unwrap_or(Err(DumpError::Deadline(config.dump.timeout)))
        }
    };
    // From here on nothing interrupts; every step is bounded.
    match read {
        Ok(()) => job.commit().await,
        Err(error) => {
            job.give_up().await;
            Err(error)
        }
    }
}

async fn end(mailbox: &mut Mailbox) {
    while !matches!(mailbox.next().await, None | Some(Command::Drain | Command::ForceStop | Command::Detach)) {}
}

struct DumpJob<'a> {
    config: &'a Config,
    pod: String,
    admin: Admin,
    dump: Dump,
    /// The tables that keep what was reset.
    holds: Vec<StagingTable>,
    progress: DumpProgress,
}

impl DumpJob<'_> {
    /// Reads everything and writes everything, but does not put it in its place.
    async fn read(&mut self, host: &str) -> Result<(), DumpError> {
        self.connect().await?;
        let sources: &[DigestSource] = match self.config.dump.source {
            DumpSource::Mysql => &[DigestSource::Mysql],
            DumpSource::Pgsql => &[DigestSource::Pgsql],
            DumpSource::Both => &[DigestSource::Mysql, DigestSource::Pgsql],
        };
        let filter = Filter { min_count: self.config.dump.min_count, top: self.config.dump.top };
        if self.config.dump.reset {
            self.hold(sources, host).await?;
        }
        for source in sources {
            let statement = if self.config.dump.reset {
                let holds: Vec<_> = self.holds.iter().filter(|hold| hold.source == *source).cloned().collect();
                if holds.is_empty() {
                    continue;
                }
                Digests::ReadHeld(holds, filter)
            } else {
                Digests::Read(*source, filter)
            };
            match self.admin.rows(&Statement::Digests(statement), self.config.dump.timeout).await {
                Ok(rows) => self.copy(rows).await?,
                Err(error) => self.is_absent(error)?,
            }
        }
        Ok(self.dump.finish().await?)
    }

    /// Connects, for some time in vain.
    async fn connect(&mut self) -> Result<(), DumpError> {
        let until = Instant::now() + CONNECT;
        let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
        let mut said = false;
        loop {
            match self.admin.ready().await {
                Ok(()) => return Ok(()),
                Err(error) if error.may_pass() && Instant::now() < until => {
                    if !said {
                        info!(reason = %error, within = CONNECT.as_secs(), "waiting for ProxySQL");
                        said = true;
                    }
                    sleep(backoff.pause()).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Moves the digests to tables of our own, and takes over those that earlier dumps have left.
    async fn hold(&mut self, sources: &[DigestSource], host: &str) -> Result<(), DumpError> {
        let answer = self.ask(Digests::FindHolds).await?;
        let (now, left) = found(&answer.rows).ok_or(DumpError::Unreadable)?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let token = format!("{host}{:x}p{:x}", since.as_nanos(), process::id());
        for source in sources {
            let own = StagingTable::new(*source, now, self.config.dump.timeout, &token);
            if let Err(error) = self.ask(Digests::CreateHold(own.clone())).await {
                self.is_absent(error)?;
                continue;
            }
            // Kept track of before it is filled: what is interrupted is given up, not forgotten.
            self.holds.push(own.clone());
            let held = self.ask(Digests::FillHold(own.clone())).await?.affected;
            debug!(source = source.word(), held, "digests moved aside");
            for (number, other) in
                left.iter().filter(|hold| hold.source == *source && hold.is_abandoned(now)).enumerate()
            {
                let adopted = other.adopted_by(&own, number);
                match self.ask(Digests::RenameHold(other.clone(), adopted.clone())).await {
                    Ok(_) => {
                        info!(source = source.word(), "including digests left over from a failed dump");
                        self.holds.push(adopted);
                    }
                    // Another dump was faster.
                    Err(error) if error.names_no_such_table() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// A statement with no bound but that of the dump, which ends earlier: `ProxySQL` does one at a time, and gathers the whole answer
    /// before it sends a row, which at a million digests takes it seconds.
    async fn ask(&mut self, statement: Digests) -> Result<Answer, AdminError> {
        self.admin.run_within(&Statement::Digests(statement), self.config.dump.timeout).await
    }

    async fn copy(&mut self, mut rows: Rows) -> Result<(), DumpError> {
        let layout = Layout::of(rows.columns())?;
        let within = self.config.proxysql.statement_timeout;
        while let Some(row) = rows.next(within).await? {
            self.dump.record(layout.record(&self.pod, |column| row.get(column))).await?;
            self.progress.at(self.dump.rows(), self.dump.bytes());
        }
        Ok(())
    }

    /// Lets pass that there are no digests of PostgreSQL, unless they are all that was asked for.
    fn is_absent(&self, error: AdminError) -> Result<(), DumpError> {
        match self.config.dump.source {
            DumpSource::Both if error.names_no_such_table() => {
                debug!("no query digests of PostgreSQL here");
                Ok(())
            }
            DumpSource::Pgsql if error.names_no_such_table() => Err(DumpError::NoSuchSource),
            _ => Err(error.into()),
        }
    }

    /// Puts the file in its place, and lets `ProxySQL` forget. Without a row there is no file.
    async fn commit(mut self) -> Result<(), DumpError> {
        let (rows, bytes) = (self.dump.rows(), self.dump.bytes());
        if rows > 0
            && let Err(error) = self.dump.commit()
        {
            self.give_up().await;
            return Err(error.into());
        }
        let Self { mut admin, holds, dump, progress, .. } = self;
        let (place, seconds) = (dump.place().to_owned(), (progress.elapsed().as_secs_f64() * 1e3).round() / 1e3);
        drop((dump, progress));
        if rows > 0 {
            info!(rows, bytes, seconds, place, "dumped the query digests");
        } else {
            info!(rows, bytes = 0_u64, seconds, "no query digests; no file written");
        }
        let told = farewell(&mut admin, holds, Digests::DropHold, true).await;
        told.map_err(|source| DumpError::Untold { place, source })
    }

    /// Leaves nothing, and leaves what was reset to the next dump.
    async fn give_up(self) {
        let Self { mut admin, holds, dump, progress, .. } = self;
        drop((dump, progress));
        let rename = |hold: StagingTable| Digests::RenameHold(hold.clone(), hold.given_up());
        if let Err(error) = farewell(&mut admin, holds, rename, false).await {
            let after = self.config.dump.timeout.as_secs();
            warn!(reason = %error, after, "reset digests are kept in ProxySQL; a dump started after `after` seconds picks them up");
        }
    }
}

/// A last statement about every table, over a new connection where that is needed. With `patience`, also for a `ProxySQL` that is
/// not there at the moment.
async fn farewell(
    admin: &mut Admin,
    mut holds: Vec<StagingTable>,
    statement: impl Fn(StagingTable) -> Digests,
    patience: bool,
) -> Result<(), AdminError> {
    let until = Instant::now() + CLEANUP_TIMEOUT;
    while let Some(hold) = holds.pop() {
        let statement = Statement::Digests(statement(hold.clone()));
        let left = until.saturating_duration_since(Instant::now());
        let said = timeout(left, admin.run(&statement)).await;
        let late = || Err(AdminError::Deadline { statement: statement.name(), after: CLEANUP_TIMEOUT });
        match said.unwrap_or_else(|_| late()) {
            Ok(_) => {}
            // An answer was lost on its way here, or this is another `ProxySQL` process.
            Err(error) if error.names_no_such_table() => {}
            Err(error) => {
                let gone = matches!(error, AdminError::Unreachable { .. });
                if Instant::now() >= until || error.is_refusal() || gone && !patience {
                    return Err(error);
                }
                holds.push(hold);
                sleep(FIRST_RETRY).await;
            }
        }
    }
    Ok(())
}

fn form(format: DumpFormat) -> Form {
    match format {
        DumpFormat::Csv => Form::Csv,
        DumpFormat::Jsonl => Form::Jsonl,
    }
}
