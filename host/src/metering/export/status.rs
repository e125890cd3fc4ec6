//! How a sink is doing, for metrics and the admin pages.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::source::Lag;

/// Shared by a sink's pump and those who look at it. It outlives reloads that change the sink.
#[derive(Debug, Default)]
pub(crate) struct Status {
    sent: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    skipped: AtomicU64,
    late: AtomicBool,
    moments: Mutex<Moments>,
}

#[derive(Clone, Debug, Default)]
struct Moments {
    last_success: Option<Timestamp>,
    last_error: Option<(Timestamp, String)>,
    lag: Option<(Lag, Duration)>,
    /// The last thing that happened was an error.
    in_trouble: bool,
}

/// How a sink was doing at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Events that the sink has acknowledged.
    pub(crate) sent: u64,
    /// Attempts that were answered with an error, or not at all.
    pub(crate) failed: u64,
    /// Events that the sink refuses for good.
    pub(crate) dead: u64,
    /// Events that it does not get because nobody is known who used it.
    pub(crate) skipped: u64,
    /// The lag is beyond `lag_alarm`.
    pub(crate) late: bool,
    pub(crate) last_success: Option<Timestamp>,
    pub(crate) last_error: Option<(Timestamp, String)>,
    /// Events that it has not had, of any meter; none as long as nobody has counted.
    pub(crate) lag_events: Option<u64>,
    /// The age of the oldest of them.
    pub(crate) lag: Option<Duration>,
}

impl Status {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let Moments { last_success, last_error, lag, .. } = self.moments().clone();
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Snapshot {
            sent: count(&self.sent),
            failed: count(&self.failed),
            dead: count(&self.dead),
            skipped: count(&self.skipped),
            late: self.late.load(Ordering::Relaxed),
            last_success,
            last_error,
            lag_events: lag.map(|(lag, _)| lag.events),
            lag: lag.map(|(_, age)| age),
        }
    }

    pub(super) fn accepted(&self, events: usize, now: Timestamp) {
        self.sent.fetch_add(events as u64, Ordering::Relaxed);
        let mut moments = self.moments();
        moments.last_success = Some(now);
        moments.in_trouble = false;
    }

    /// Keeps a reason; whether it is news, which it is not if the last thing that happened was the same.
    pub(super) fn failed(&self, reason: &str, now: Timestamp) -> bool {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut moments = self.moments();
        let again = moments.in_trouble && moments.last_error.as_ref().is_some_and(|(_, last)| last == reason);
        moments.in_trouble = true;
        moments.last_error = Some((now, reason.to_owned()));
        !again
    }

    /// It is no failure of the sink's, but it is worth showing.
    pub(super) fn dead(&self, reason: &str, now: Timestamp) {
        self.dead.fetch_add(1, Ordering::Relaxed);
        self.moments().last_error = Some((now, reason.to_owned()));
    }

    pub(super) fn skipped(&self, events: usize) {
        self.skipped.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Whether `late` is news.
    pub(super) fn lag(&self, lag: Lag, age: Duration, late: bool) -> bool {
        self.moments().lag = Some((lag, age));
        self.late.swap(late, Ordering::Relaxed) != late
    }

    fn moments(&self) -> MutexGuard<'_, Moments> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
