//! The way from whoever logs to standard error: a bounded queue, and one thread that writes.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use super::line;
use crate::config::LogFormat;

/// Lines that may wait for the writer. A plugin's are at most some 4 KiB long, so they take no more than
/// some 16 MiB.
pub(super) const WAITING: usize = 4096;

/// Lines are written together while they are shorter than this.
const TOGETHER: usize = 64 << 10;

/// Bytes of panics that may wait.
const PANICS: usize = 64 << 10;

/// Where lines are handed over. A clone is the same queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// Whole lines. An empty one only wakes the writer.
    sender: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    format: LogFormat,
    lost: &'static AtomicU64,
    /// Locked by panics, by the end, and by the writer once a round: never by those who merely log.
    urgent: Mutex<Urgent>,
}

/// What must not be lost because the queue is full.
#[derive(Debug, Default)]
struct Urgent {
    panics: Vec<u8>,
    /// Those who wait until everything is written: dropped when it is.
    waiting: Vec<Sender<Infallible>>,
}

impl Queue {
    /// Starts the writer. It ends when the last queue is dropped.
    pub(super) fn start(
        format: LogFormat,
        to: impl Write + Send + 'static,
        lost: &'static AtomicU64,
    ) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let shared = Arc::new(Shared { format, lost, urgent: Mutex::default() });
        let writer = Writer { to, shared: Arc::clone(&shared), told: 0, waiting: Vec::new() };
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok(Self { sender, shared })
    }

    pub(super) fn format(&self) -> LogFormat {
        self.shared.format
    }

    /// Hands a line over, or counts it as lost.
    fn give(&self, line: Vec<u8>) {
        if self.sender.try_send(line).is_err() {
            self.shared.lost(1);
        }
    }

    /// Hands a panic's line over, whether or not the queue is full.
    pub(super) fn give_panic(&self, line: &[u8]) {
        let mut urgent = self.shared.urgent();
        if urgent.panics.len() + line.len() > PANICS {
            return self.shared.lost(1);
        }
        urgent.panics.extend_from_slice(line);
        drop(urgent);
        self.wake();
    }

    /// Waits until everything is written, but no longer than `within`; whether it is.
    pub(super) fn finish(&self, within: Duration) -> bool {
        let (waiting, written) = channel();
        self.shared.urgent().waiting.push(waiting);
        self.wake();
        written.recv_timeout(within) == Err(RecvTimeoutError::Disconnected)
    }

    /// A writer whose queue is full looks for what is urgent anyway.
    fn wake(&self) {
        let _ = self.sender.try_send(Vec::new());
    }
}

impl Shared {
    fn lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    fn urgent(&self) -> MutexGuard<'_, Urgent> {
        self.urgent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `tracing` formats an event into a buffer of the thread's own and writes it at once.
impl Write for &Queue {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.give(line::shielded(self.shared.format, event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

/// The writer's thread.
struct Writer<W> {
    to: W,
    shared: Arc<Shared>,
    /// How many lost lines the log has told of.
    told: u64,
    waiting: Vec<Sender<Infallible>>,
}

impl<W: Write> Writer<W> {
    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        while let Ok(first) = lines.recv() {
            // Before the queue is emptied, so that whoever waits knows the lines before to be written.
            let urgent = std::mem::take(&mut *self.shared.urgent());
            self.waiting.extend(urgent.waiting);
            let mut together = urgent.panics;
            let mut count = u64::from(!together.is_empty()) + u64::from(!first.is_empty());
            together.extend(first);
            let mut all = false;
            while together.len() < TOGETHER && !all {
                match lines.try_recv() {
                    Ok(line) => {
                        count += u64::from(!line.is_empty());
                        together.extend(line);
                    }
                    Err(_) => all = true,
                }
            }
            self.write(&together, count);
            if all {
                self.waiting.clear();
            }
        }
    }

    fn write(&mut self, lines: &[u8], count: u64) {
        if self.put(lines).is_err() {
            return self.shared.lost(count);
        }
        let lost = self.shared.lost.load(Ordering::Relaxed);
        let untold = lost - self.told;
        if untold > 0 {
            let message = "log lines were lost: standard error takes them too slowly";
            let line = line::own(self.shared.format, "WARN", message, &[("lost", untold.into())]);
            if self.put(&line).is_ok() {
                self.told = lost;
            }
        }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)?;
        self.to.flush()
    }
}
