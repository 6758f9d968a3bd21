//! What a child says, line by line: the latest lines in memory, all of them in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::sync::watch;

/// How many lines are kept in memory.
const KEPT: usize = 5_000;

/// One line, whichever stream it came by.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// Counts from 0.
    pub number: u64,
    /// When it was read.
    pub at: SystemTime,
    /// The line without its end.
    pub text: String,
}

impl LogLine {
    /// The line as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.text).ok()
    }
}

/// The lines of one child. Clones show the same.
#[derive(Clone, Debug)]
pub struct Log {
    lines: Arc<Mutex<VecDeque<LogLine>>>,
    /// How many lines there have been.
    count: Arc<watch::Sender<u64>>,
}

impl Log {
    pub(super) fn create(
        path: &Path,
        stdout: Option<impl AsyncRead + Send + Unpin + 'static>,
        stderr: Option<impl AsyncRead + Send + Unpin + 'static>,
    ) -> io::Result<Self> {
        let file = Arc::new(File::options().create(true).append(true).open(path)?);
        let log = Self { lines: Arc::default(), count: Arc::default() };
        if let Some(stdout) = stdout {
            tokio::spawn(log.clone().read(stdout, file.clone()));
        }
        if let Some(stderr) = stderr {
            tokio::spawn(log.clone().read(stderr, file));
        }
        Ok(log)
    }

    /// The number of the next line: what comes from here on is [`Self::since`] it.
    pub fn mark(&self) -> u64 {
        *self.count.borrow()
    }

    /// The lines kept, from a mark on.
    pub fn since(&self, mark: u64) -> Vec<LogLine> {
        self.lock().iter().filter(|line| line.number >= mark).cloned().collect()
    }

    /// All the lines kept.
    pub fn lines(&self) -> Vec<LogLine> {
        self.since(0)
    }

    /// The latest lines, for a report on what ended or does not answer.
    pub fn last(&self) -> String {
        let lines = self.lock();
        lines.iter().skip(lines.len().saturating_sub(3)).map(|line| line.text.as_str()).collect::<Vec<_>>().join(" | ")
    }

    /// The first line kept or to come that is as wanted; an error of kind `TimedOut` if there is none in time.
    pub async fn wait_for(&self, limit: Duration, wanted: impl Fn(&LogLine) -> bool) -> io::Result<LogLine> {
        let mut count = self.count.subscribe();
        let mut seen = 0;
        let search = async {
            loop {
                let now = *count.borrow_and_update();
                if let Some(line) = self.since(seen).into_iter().find(|line| wanted(line)) {
                    return Ok(line);
                }
                seen = now;
                count.changed().await.map_err(io::Error::other)?;
            }
        };
        tokio::time::timeout(limit, search).await?
    }

    async fn read(self, stream: impl AsyncRead + Unpin, file: Arc<File>) {
        let mut lines = BufReader::new(stream).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            // The file is for people to read afterwards; a full disk does not stop a test.
            drop(writeln!(&*file, "{text}"));
            self.push(text);
        }
    }

    fn push(&self, text: String) {
        let mut lines = self.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        self.count.send_modify(|count| {
            lines.push_back(LogLine { number: *count, at: SystemTime::now(), text });
            *count += 1;
        });
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<LogLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
