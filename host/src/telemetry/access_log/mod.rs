//! The access log: a line of JSON for each exchange, formatted on the worker, written by one thread of its
//! own.
//!
//! A worker never waits for the disk: it hands full buffers over through a bounded channel, and counts the
//! lines that find no room.

mod line;
mod writer;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Metrics;
use crate::config;
pub(crate) use line::{Entry, rfc3339};
use writer::Writer;

/// A buffer is handed over once it holds so many bytes ...
const FULL: usize = 64 << 10;

/// ... or once its lines are as old as this.
const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// Buffers that may wait for the writer: 8 MiB.
const WAITING: usize = 128;

/// What the writer is sent: whole lines.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

/// The access log of the process.
#[derive(Debug)]
pub(crate) struct AccessLog {
    running: Option<Running>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Running {
    sender: SyncSender<Lines>,
    /// Closed when the writer has ended.
    ended: Mutex<Receiver<Infallible>>,
}

impl AccessLog {
    /// Opens the file and starts the writer, unless the log is off.
    pub(crate) fn start(settings: &config::AccessLog, metrics: &Metrics) -> io::Result<Self> {
        let writer = match settings {
            config::AccessLog::Off => return Ok(Self { running: None, metrics: metrics.clone() }),
            config::AccessLog::Stdout => Writer::stdout(),
            config::AccessLog::File(path) => Writer::file(path)?,
        };
        Self::start_with(writer, metrics)
    }

    fn start_with(mut writer: Writer, metrics: &Metrics) -> io::Result<Self> {
        let (sender, receiver) = sync_channel::<Lines>(WAITING);
        let (ending, ended) = channel::<Infallible>();
        let lost = metrics.clone();
        thread::Builder::new().name("access-log".to_owned()).spawn(move || {
            let _ending = ending;
            for lines in receiver {
                if !writer.write(&lines.bytes, Instant::now()) {
                    lost.access_log_dropped(lines.count);
                }
            }
        })?;
        Ok(Self { running: Some(Running { sender, ended: Mutex::new(ended) }), metrics: metrics.clone() })
    }

    /// What a worker writes into.
    pub(crate) fn worker(&self) -> AccessLogBuffer {
        AccessLogBuffer {
            sender: self.running.as_ref().map(|running| running.sender.clone()),
            lines: RefCell::default(),
            metrics: self.metrics.clone(),
        }
    }

    /// Waits until everything is written, but no longer than `within`: whoever reads standard output may have
    /// stopped. To be called once the workers have dropped their buffers; it blocks.
    pub(crate) fn finish(self, within: Duration) {
        let Some(Running { sender, ended }) = self.running else { return };
        drop(sender);
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the access log did not take its last lines in time");
        }
    }
}

/// A worker's end of the access log. Dropping it hands over what it holds.
#[derive(Debug)]
pub(crate) struct AccessLogBuffer {
    sender: Option<SyncSender<Lines>>,
    lines: RefCell<Lines>,
    metrics: Metrics,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} lines", self.count)
    }
}

impl AccessLogBuffer {
    /// Whether lines go anywhere: if not, nothing needs to be gathered for them.
    pub(crate) fn is_on(&self) -> bool {
        self.sender.is_some()
    }

    pub(crate) fn write(&self, entry: &Entry<'_>) {
        if self.sender.is_none() {
            return;
        }
        let full = {
            let mut lines = self.lines.borrow_mut();
            entry.write_to(&mut lines.bytes);
            lines.count += 1;
            lines.bytes.len() >= FULL
        };
        if full {
            self.flush();
        }
    }

    /// Hands over what there is.
    pub(crate) fn flush(&self) {
        let Some(sender) = &self.sender else { return };
        let mut held = self.lines.borrow_mut();
        if held.count == 0 {
            return;
        }
        let next = Lines { bytes: Vec::with_capacity(held.bytes.len()), count: 0 };
        let lines = std::mem::replace(&mut *held, next);
        if let Err(TrySendError::Full(lines) | TrySendError::Disconnected(lines)) = sender.try_send(lines) {
            self.metrics.access_log_dropped(lines.count);
        }
    }

    /// Flushes every 200 ms, for ever: a task beside the worker's others.
    pub(crate) async fn keep_flushed(self: Rc<Self>) {
        if !self.is_on() {
            return;
        }
        let mut ticks = tokio::time::interval(FLUSH_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.flush();
        }
    }
}

impl Drop for AccessLogBuffer {
    fn drop(&mut self) {
        self.flush();
    }
}
