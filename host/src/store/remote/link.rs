//! The way to the server: a line while there is one, an error at once while there is none, and one task that
//! makes the next.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use redis::Value;
use tokio::runtime::Handle;
use tokio::time;

use super::failure::{self, Failure};
use super::line::{Dial, Line, Question};
use super::status::Status;
use super::{Budget, RemoteError};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A line that lasted so long was a good one: the next is tried for at once.
const LASTING: Duration = Duration::from_secs(1);

/// Ends with its last owner: the task that connects holds it weakly.
pub(super) struct Link {
    dial: Dial,
    on: Handle,
    status: Arc<Status>,
    line: RwLock<Option<Arc<Line>>>,
    /// Attempts and short-lived lines since the last good one.
    failures: AtomicU32,
    lines: AtomicU64,
}

impl Drop for Link {
    fn drop(&mut self) {
        // Others may hold the line for the rest of an operation.
        if let Some(line) = self.line.get_mut().unwrap_or_else(PoisonError::into_inner) {
            line.cut();
        }
    }
}

impl Link {
    pub(super) fn open(dial: Dial, on: Handle, status: Arc<Status>) -> Arc<Self> {
        let link = Arc::new(Self {
            dial,
            on,
            status,
            line: RwLock::new(None),
            failures: AtomicU32::new(0),
            lines: AtomicU64::new(0),
        });
        link.reconnect();
        link
    }

    fn line(&self) -> Option<Arc<Line>> {
        self.line.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks, and waits no longer than the timeout and what is left of the budget.
    pub(super) async fn ask(
        self: &Arc<Self>,
        budget: &Budget,
        question: Question<'_>,
    ) -> Result<Value, RemoteError> {
        let line = self.line().ok_or(RemoteError::Unavailable)?;
        let wait = self.dial.timeout.min(budget.left());
        if wait.is_zero() {
            return Err(RemoteError::Timeout);
        }
        let start = Instant::now();
        let answer = time::timeout(wait, line.ask(question)).await;
        let took = start.elapsed();
        budget.spend(took);
        match answer {
            Ok(Ok(value)) => {
                self.status.round_trip(took);
                Ok(value)
            }
            Ok(Err(error)) => match failure::read(&error) {
                Failure::Connection(reason) => {
                    self.lose(&line, &reason);
                    Err(RemoteError::Unavailable)
                }
                Failure::Operation(reason) => Err(RemoteError::Protocol(reason)),
            },
            Err(_) => {
                // Who had less time than others says nothing about the server.
                if wait == self.dial.timeout {
                    self.lose(&line, &format!("no answer within {wait:?}"));
                }
                Err(RemoteError::Timeout)
            }
        }
    }

    /// Gives up a line: from now on operations fail at once, until there is another.
    fn lose(self: &Arc<Self>, line: &Arc<Line>, reason: &str) {
        let mut current = self.line.write().unwrap_or_else(PoisonError::into_inner);
        // Many find out at the same time.
        if current.as_ref().is_none_or(|current| current.number != line.number) {
            return;
        }
        *current = None;
        self.status.disconnect();
        drop(current);
        line.cut();
        self.status.trouble(reason);
        tracing::warn!(server = %self.dial.endpoint, reason, "the counters' server is lost");
        let failures = if line.since.elapsed() >= LASTING { 0 } else { self.failures() + 1 };
        self.failures.store(failures, Ordering::Relaxed);
        self.reconnect();
    }

    fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Only whoever takes the line away calls it, so that there is one task.
    fn reconnect(self: &Arc<Self>) {
        let link = Arc::downgrade(self);
        self.on.spawn(async move {
            let mut told = None;
            while let Some(pause) = attempt(&link, &mut told).await {
                time::sleep(pause).await;
            }
        });
    }

    /// Puts the line in its place and watches it.
    fn install(self: &Arc<Self>, line: Line, driver: tokio::task::JoinHandle<()>) {
        let line = Arc::new(line);
        *self.line.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&line));
        self.status.connect();
        tracing::info!(server = %self.dial.endpoint, "connected to the counters' server");
        let (link, line) = (Arc::downgrade(self), Arc::downgrade(&line));
        self.on.spawn(async move {
            // Also when the server hangs up while nobody asks.
            let _ = driver.await;
            if let (Some(link), Some(line)) = (link.upgrade(), line.upgrade()) {
                link.lose(&line, "the server closed the connection");
            }
        });
    }
}

/// Tries once; the pause before the next time, or `None` if there is no need for one.
async fn attempt(link: &Weak<Link>, told: &mut Option<String>) -> Option<Duration> {
    let (dial, on, number) = {
        let link = link.upgrade()?;
        if told.is_none() && link.failures() > 0 {
            // The last line did not last: the server gets a pause first.
            *told = Some(String::new());
            return Some(pause(link.failures()));
        }
        (link.dial.clone(), link.on.clone(), link.lines.fetch_add(1, Ordering::Relaxed))
    };
    let outcome = dial.connect(&on, number).await;
    let link = link.upgrade()?;
    match outcome {
        Ok((line, driver)) => {
            link.install(line, driver);
            None
        }
        Err(reason) => {
            link.status.trouble(&reason);
            if told.as_ref() != Some(&reason) {
                tracing::warn!(server = %link.dial.endpoint, reason, "no connection to the counters' server");
                *told = Some(reason);
            }
            let failures = link.failures() + 1;
            link.failures.store(failures, Ordering::Relaxed);
            Some(pause(failures))
        }
    }
}

/// Longer each time, and never the same for all nodes.
fn pause(failures: u32) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    let random = RandomState::new().hash_one(failures) % 1000;
    let jitter = u32::try_from(random).expect("below 1000");
    full / 2 + full / 2 * jitter / 1000
}
