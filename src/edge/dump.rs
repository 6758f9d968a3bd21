//! The file of a dump: whole under its name, or not there at all.
//!
//! ```text
//! record ── encode ── chunks ── a thread ── gzip ── aside file ── rename
//! ```
//!
//! A thread of its own writes, because a disk or the reader of a pipe may take as long as it likes over a write, and a task that waits
//! in one would hear neither a deadline nor a signal. What is under way is bounded: a few chunks, whatever the size of the table.

mod aside;
mod encode;
mod progress;
mod spool;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use self::aside::Aside;
use self::encode::Encoder;
pub use self::progress::DumpProgress;
use self::spool::{Opened, Spool};
use crate::domain::dump::digest::DigestValue;

/// What the thread that writes gets at a time, more or less.
const CHUNK: usize = 64 << 10;

/// Where a dump goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Standard output.
    Stdout,
    /// A file of this name. An existing device or pipe is written to; anything else is replaced by a whole file.
    File(PathBuf),
}

/// The form of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 4180 with a header, lines ended by CR LF.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Why a dump could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is a directory of that name.
    #[error("cannot write {}: it is a directory", .0.display())]
    IsDirectory(PathBuf),
    /// The system refuses to open or to write.
    #[error("cannot write {place}: {source}")]
    Write {
        /// What was written.
        place: String,
        /// What the system said.
        source: io::Error,
    },
}

/// A dump that is being written. Until [`commit`](Self::commit) nothing is where a loader would look, and dropped before that, it
/// leaves nothing.
#[derive(Debug)]
pub struct Dump {
    place: String,
    encoder: Encoder,
    spool: Spool,
    aside: Option<Aside>,
    rows: u64,
    bytes: u64,
}

impl Dump {
    /// Opens what a dump is written to, so that what cannot be written is known before anything is read.
    ///
    /// # Errors
    /// There is a directory of that name, or the system refuses.
    pub fn open(place: &Place, form: Form, gzip: bool) -> Result<Self, WriteError> {
        let name = match place {
            Place::Stdout => "standard output".to_owned(),
            Place::File(path) => path.display().to_string(),
        };
        let refused = |source| WriteError::Write { place: name.clone(), source };
        let mut aside = None;
        let opened = match place {
            Place::Stdout => Opened::At(File::from(io::stdout().as_fd().try_clone_to_owned().map_err(refused)?)),
            Place::File(path) => match fs::metadata(path) {
                Ok(there) if there.is_dir() => return Err(WriteError::IsDirectory(path.clone())),
                // Opening a pipe waits for its reader.
                Ok(there) if !there.is_file() && is_pipe(&there) => Opened::Later(path.clone()),
                Ok(there) if !there.is_file() => {
                    Opened::At(OpenOptions::new().write(true).open(path).map_err(refused)?)
                }
                // Through links, so that the file is replaced and not the link.
                there => {
                    let path = if there.is_ok() { fs::canonicalize(path).map_err(refused)? } else { path.clone() };
                    let (kept, file) = Aside::create(&path).map_err(refused)?;
                    aside = Some(kept);
                    Opened::At(file)
                }
            },
        };
        let spool = Spool::start(opened, gzip, aside.is_some()).map_err(refused)?;
        Ok(Self { place: name, encoder: Encoder::new(form, CHUNK), spool, aside, rows: 0, bytes: 0 })
    }

    /// What is written, in words.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Records so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes so far, before compression; after [`finish`](Self::finish), the bytes that were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a record, after a header before the first. Waits where writing is slower than reading.
    pub async fn record(&mut self, values: impl Iterator<Item = DigestValue<'_>>) -> Result<(), WriteError> {
        self.encoder.record(values).map_err(|source| self.refused(source))?;
        self.rows += 1;
        if self.encoder.len() >= CHUNK { self.hand_over().await } else { Ok(()) }
    }

    /// Waits until every byte is written, and for a file until it is on the disk.
    pub async fn finish(&mut self) -> Result<(), WriteError> {
        self.hand_over().await?;
        self.bytes = self.spool.finish().await.map_err(|source| self.refused(source))?;
        Ok(())
    }

    /// Puts the finished file in its place, in one step. Without a file there is nothing to do.
    pub fn commit(&mut self) -> Result<(), WriteError> {
        match self.aside.take() {
            Some(aside) => aside.commit().map_err(|source| self.refused(source)),
            None => Ok(()),
        }
    }

    async fn hand_over(&mut self) -> Result<(), WriteError> {
        let chunk = self.encoder.take().map_err(|source| self.refused(source))?;
        self.bytes += chunk.len() as u64;
        self.spool.write(chunk).await.map_err(|source| self.refused(source))
    }

    fn refused(&self, source: io::Error) -> WriteError {
        WriteError::Write { place: self.place.clone(), source }
    }
}

/// The file of a dump in `directory`, named after a host.
pub fn file_in(directory: &Path, host: &str, form: Form, gzip: bool) -> PathBuf {
    let form = match form {
        Form::Csv => "csv",
        Form::Jsonl => "jsonl",
    };
    // Whatever the host is called, the file is in the directory.
    let mut name = OsString::from(host.replace(['/', '\0'], "_"));
    name.push(format!("-digests.{form}{}", if gzip { ".gz" } else { "" }));
    directory.join(name)
}

fn is_pipe(there: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    there.file_type().is_fifo()
}

#[cfg(test)]
mod tests;
