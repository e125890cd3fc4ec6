//! Log lines: `tracing` to standard error, as text for people or as JSON for machines.
//!
//! Nobody who logs waits for whoever reads standard error: lines go through a bounded queue to a thread of
//! their own, and those that find no room are counted. Panics take the same way.

mod line;
mod panics;
mod queue;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config;
use crate::config::LogFormat;
use queue::Queue;

/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Lines that were lost. Of the process, as the log itself is.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Why there are no log lines.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("`{filter}` is not a log filter: {source}")]
    Filter { filter: String, source: tracing_subscriber::filter::ParseError },
    #[error("log lines already go elsewhere")]
    AlreadySet,
    #[error("cannot start the thread that writes log lines: {0}")]
    Thread(#[source] io::Error),
}

/// Keeps the log's last lines from being lost: dropping it waits until they are written, but no longer than
/// two seconds, because whoever reads standard error may have stopped.
#[derive(Debug)]
#[must_use = "dropped at once, it does not wait for the last lines"]
pub(crate) struct LogGuard(Queue);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.finish(LAST_LINES);
    }
}

/// Sets up log lines for the whole process, once. What it gives is to be held as long as anything may log.
pub(crate) fn init(settings: &config::Telemetry) -> Result<LogGuard, LogError> {
    let queue = Queue::start(settings.format, io::stderr(), &LOST).map_err(LogError::Thread)?;
    let subscriber = subscriber(settings, queue.clone())?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::AlreadySet)?;
    panics::into(queue.clone());
    Ok(LogGuard(queue))
}

/// How many lines were lost so far.
pub(super) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

fn subscriber<W>(
    settings: &config::Telemetry,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.log)
        .map_err(|source| LogError::Filter { filter: settings.log.clone(), source })?;
    // Its own complaints would go to standard error past the queue.
    let lines = fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    Ok(match settings.format {
        LogFormat::Text => Box::new(lines.with_ansi(false).with_target(false).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_current_span(false).finish()),
    })
}
