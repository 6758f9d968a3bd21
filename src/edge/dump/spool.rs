//! The thread that writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::{mpsc, oneshot};

/// Chunks on their way. Together with the one that is being filled and the one that is being written, all that is in memory.
const QUEUE: usize = 2;

/// What to write to.
#[derive(Debug)]
pub(super) enum Opened {
    /// This.
    At(File),
    /// A pipe, to be opened by the thread: that waits for a reader.
    Later(PathBuf),
}

enum SpoolPart {
    Bytes(Vec<u8>),
    End,
}

/// The near end of the thread. The thread ends with it; one that hangs in a write ends with the process.
#[derive(Debug)]
pub(super) struct Spool {
    parts: mpsc::Sender<SpoolPart>,
    ended: oneshot::Receiver<io::Result<u64>>,
}

impl Spool {
    /// Starts to write, with `to_disk` for a file whose bytes must outlive the machine.
    pub(super) fn start(opened: Opened, gzip: bool, to_disk: bool) -> io::Result<Self> {
        let (parts, received) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("dump".to_owned()).spawn(move || {
            // Nobody listens any more if the dump was given up.
            let _ = end.send(write(opened, gzip, to_disk, received));
        })?;
        Ok(Self { parts, ended })
    }

    /// Hands over a chunk, as soon as there is room for it.
    pub(super) async fn write(&mut self, chunk: Vec<u8>) -> io::Result<()> {
        match self.parts.send(SpoolPart::Bytes(chunk)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.reason().await),
        }
    }

    /// Waits until everything is written; how many bytes that were.
    pub(super) async fn finish(&mut self) -> io::Result<u64> {
        match self.parts.send(SpoolPart::End).await {
            Ok(()) => (&mut self.ended).await.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err(self.reason().await),
        }
    }

    async fn reason(&mut self) -> io::Error {
        match (&mut self.ended).await {
            Ok(Err(error)) => error,
            _ => gone(),
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the writing thread ended before its time")
}

fn write(opened: Opened, gzip: bool, to_disk: bool, parts: mpsc::Receiver<SpoolPart>) -> io::Result<u64> {
    let file = match opened {
        Opened::At(file) => file,
        Opened::Later(path) => OpenOptions::new().write(true).open(path)?,
    };
    let counted = Counted { file, bytes: 0 };
    let counted = if gzip {
        let mut encoder = GzEncoder::new(counted, Compression::default());
        copy(parts, &mut encoder)?;
        encoder.finish()?
    } else {
        let mut counted = counted;
        copy(parts, &mut counted)?;
        counted
    };
    if to_disk {
        counted.file.sync_all()?;
    }
    Ok(counted.bytes)
}

fn copy(mut parts: mpsc::Receiver<SpoolPart>, out: &mut impl Write) -> io::Result<()> {
    loop {
        match parts.blocking_recv() {
            Some(SpoolPart::Bytes(chunk)) => out.write_all(&chunk)?,
            Some(SpoolPart::End) => return out.flush(),
            None => return Err(io::Error::other("the dump was given up")),
        }
    }
}

/// A file that counts what goes into it.
struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
