//! Lines on their way out: a bounded queue and a thread of its own that writes, so that a reader who does not read holds up nobody.
//!
//! What does not fit is dropped and counted, and the count is said as soon as something could be written again.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes that wait, at most; as many again are being written.
const MOST_BYTES: usize = 128 << 10;
/// Lines that wait, at most.
const MOST_LINES: usize = 1024;
/// Pause where a non-blocking output takes no more at the moment.
const FULL: Duration = Duration::from_millis(20);

/// Both ends of the queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written, or was dropped.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: Vec<u8>,
    lines: usize,
    /// The thread has taken lines out and is not done with them.
    writing: bool,
    /// Lines that were dropped and not spoken of yet.
    unsaid: u64,
    /// Lines that were dropped since the start.
    dropped: u64,
}

impl QueueState {
    fn drop_lines(&mut self, lines: u64) {
        self.unsaid += lines;
        self.dropped += lines;
    }
}

/// Takes lines in: each write is one line, and none of them waits.
#[derive(Debug, Clone)]
pub(super) struct QueuedLine(Arc<Queue>);

impl Write for QueuedLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Queue {
    /// Starts the thread, which writes to `output` and says through `say` how many lines were dropped.
    ///
    /// # Errors
    /// The system has no thread.
    pub(super) fn start(
        output: impl Write + Send + 'static,
        say: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self::default());
        let written = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || written.write(output, &say))?;
        Ok(queue)
    }

    pub(super) fn entry(self: &Arc<Self>) -> QueuedLine {
        QueuedLine(Arc::clone(self))
    }

    /// Lines that were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Waits until everything is written, at most so long. Whether it is.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let is_busy = |state: &mut QueueState| state.writing || !state.waiting.is_empty();
        let waited = self.emptied.wait_timeout_while(self.lock(), within, is_busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn put(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines >= MOST_LINES || state.waiting.len() + line.len() > MOST_BYTES {
            state.drop_lines(1);
            return;
        }
        state.waiting.extend_from_slice(line);
        state.lines += 1;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // Counts and whole lines: nothing in it can be half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the thread does, for as long as the process lives.
    fn write(&self, mut output: impl Write, say: &impl Fn(u64)) {
        let mut batch = Vec::new();
        loop {
            let lines = self.take(&mut batch);
            let written = write_all(&mut output, &batch);
            batch.clear();
            // One flood is no reason to keep the memory for ever.
            batch.shrink_to(MOST_BYTES / 8);
            let unsaid = self.count(lines, written.is_ok());
            if unsaid > 0 {
                say(unsaid);
            }
            self.rest();
        }
    }

    /// Waits for lines, and takes all that are there.
    fn take(&self, batch: &mut Vec<u8>) -> u64 {
        let nothing = |state: &mut QueueState| state.waiting.is_empty();
        let mut state = self.filled.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut state.waiting, batch);
        state.writing = true;
        mem::take(&mut state.lines) as u64
    }

    /// What is to be said of lines that were dropped. Nothing is, where nobody would hear it.
    fn count(&self, lines: u64, written: bool) -> u64 {
        let mut state = self.lock();
        if written {
            return mem::take(&mut state.unsaid);
        }
        state.drop_lines(lines);
        0
    }

    /// Everything that was taken is done with.
    fn rest(&self) {
        let mut state = self.lock();
        state.writing = false;
        if state.waiting.is_empty() {
            self.emptied.notify_all();
        }
    }
}

/// As the standard library's, and patient with an output that somebody has made non-blocking.
fn write_all(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(FULL),
            Err(error) => return Err(error),
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// An output that takes a batch only when it is let.
    struct Gate {
        taken: Sender<Vec<u8>>,
        may: Receiver<io::Result<()>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().unwrap_or(Ok(()))?;
            let _ = self.taken.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Held = (Arc<Queue>, Sender<io::Result<()>>, Receiver<Vec<u8>>, Receiver<u64>);

    fn held() -> Held {
        let ((taken, read), (may, let_through), (said, heard)) = (channel(), channel(), channel());
        let queue = Queue::start(Gate { taken, may: let_through }, move |lines| said.send(lines).unwrap()).unwrap();
        (queue, may, read, heard)
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (queue, may, read, _) = held();
        drop(may);
        let mut expected = String::new();
        for number in 0..500 {
            let line = format!("line {number}\n");
            queue.entry().write_all(line.as_bytes()).unwrap();
            expected.push_str(&line);
        }
        assert!(queue.flush(LONG));
        assert_eq!(read.try_iter().flatten().collect::<Vec<_>>(), expected.as_bytes());
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn nobody_waits_for_a_reader_who_does_not_read_and_what_is_lost_is_said() {
        let (queue, may, read, heard) = held();
        queue.entry().write_all(b"first\n").unwrap();
        for number in 0..100_000_u32 {
            queue.entry().write_all(format!("line {number}\n").as_bytes()).unwrap();
            assert!(queue.lock().waiting.len() <= MOST_BYTES);
        }
        let lost = queue.dropped();
        assert!(lost > 90_000, "{lost}");
        // The end of the process does not wait for it either.
        assert!(!queue.flush(Duration::from_millis(10)));
        drop(may);
        assert!(queue.flush(LONG));
        assert_eq!(heard.recv_timeout(LONG).unwrap(), lost);
        let text = String::from_utf8(read.try_iter().flatten().collect()).unwrap();
        assert_eq!(text.lines().count() as u64, 100_001 - lost);
        assert!(text.starts_with("first\nline 0\nline 1\n") && text.ends_with('\n'));
    }

    #[test]
    fn an_output_that_is_gone_is_not_told_what_it_lost_until_it_is_back() {
        let (queue, may, _read, heard) = held();
        may.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        queue.entry().write_all(b"into the void\n").unwrap();
        assert!(queue.flush(LONG));
        assert_eq!((queue.dropped(), heard.try_recv().is_err()), (1, true));
        may.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        may.send(Ok(())).unwrap();
        queue.entry().write_all(b"back\n").unwrap();
        assert_eq!(heard.recv_timeout(LONG).unwrap(), 1);
    }
}
