//! What admin and metrics may know of the connection: plain atomics.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of round trips, in microseconds; one more holds the rest.
pub(crate) const BOUNDS_US: [u64; 10] = [100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000];

/// Why an operation did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// There was no connection, or it broke.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The operation itself is not allowed: see [`StoreError`](super::super::StoreError).
    Refused,
    /// An answer that makes no sense.
    Protocol,
}

impl ErrorKind {
    pub(crate) const ALL: [Self; 4] = [Self::Unavailable, Self::Timeout, Self::Refused, Self::Protocol];

    /// The label of a metric.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Protocol => "protocol",
        }
    }
}

/// Counters since the process began.
#[derive(Debug, Default)]
pub(crate) struct Status {
    connected: AtomicBool,
    connections: AtomicU64,
    operations: AtomicU64,
    /// Of them those that a purse answered, without a round trip.
    leased: AtomicU64,
    errors: [AtomicU64; ErrorKind::ALL.len()],
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// Round trips to the server, as a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoundTrips {
    /// How many took no longer than each of [`BOUNDS_US`] and longer than the one before; the last: longer.
    pub(crate) buckets: [u64; BOUNDS_US.len() + 1],
    pub(crate) sum: Duration,
}

impl Status {
    /// Whether operations are sent to the server; else they are answered with an error at once.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// How often a connection was made.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Operations that were asked for.
    pub(crate) fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }

    /// Takes that needed no round trip.
    pub(crate) fn leased(&self) -> u64 {
        self.leased.load(Ordering::Relaxed)
    }

    pub(crate) fn errors(&self, kind: ErrorKind) -> u64 {
        self.errors[kind as usize].load(Ordering::Relaxed)
    }

    /// Why there was no connection the last time that there was none. Without secrets.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn round_trips(&self) -> RoundTrips {
        RoundTrips {
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed)),
            sum: Duration::from_micros(self.sum_us.load(Ordering::Relaxed)),
        }
    }

    pub(super) fn connect(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.connected.store(true, Ordering::Relaxed);
    }

    pub(super) fn disconnect(&self) {
        self.connected.store(false, Ordering::Relaxed);
    }

    /// Keeps a reason; whether it is another one than before.
    pub(super) fn trouble(&self, reason: &str) -> bool {
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let new = last.as_deref() != Some(reason);
        if new {
            *last = Some(reason.to_owned());
        }
        new
    }

    pub(super) fn operation(&self) {
        self.operations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn lease(&self) {
        self.leased.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn error(&self, kind: ErrorKind) {
        self.errors[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn round_trip(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}
