//! What is counted elsewhere and looked at when metrics are asked for.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The connection to the store's server, as it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct StoreSample {
    pub(crate) connected: bool,
    pub(crate) connections: u64,
    pub(crate) operations: u64,
    /// Of these, those that needed no round trip.
    pub(crate) leased: u64,
    /// Kinds of errors, and how many of each.
    pub(crate) errors: Vec<(&'static str, u64)>,
    pub(crate) round_trips: u64,
    pub(crate) round_trip_time: Duration,
}

/// A key set, as it stands.
#[derive(Clone, Debug)]
pub(crate) struct KeySetSample {
    pub(crate) name: std::sync::Arc<str>,
    /// Keys that can be used; none while the set cannot.
    pub(crate) keys: Option<usize>,
    pub(crate) fetches: u64,
    pub(crate) failures: u64,
}

/// The certificate of a listener that ends first.
#[derive(Clone, Debug)]
pub(crate) struct CertificateSample {
    pub(crate) listener: std::sync::Arc<str>,
    pub(crate) not_after: std::time::SystemTime,
}

/// Metering, as it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct MeteringSample {
    /// `opening`, `well`, `failing` or `failed`.
    pub(crate) state: &'static str,
    pub(crate) waiting: usize,
    pub(crate) written: u64,
    pub(crate) duplicates: u64,
    pub(crate) batches: u64,
    /// Exchanges that will not be recorded and were not answered.
    pub(crate) withdrawn: u64,
    /// Exchanges that will not be recorded and were answered.
    pub(crate) lost: u64,
    /// Reasons, and how many requests were refused for each.
    pub(crate) refused: Vec<(&'static str, u64)>,
    /// Once for each consumer, quota and period.
    pub(crate) soft_quotas_passed: u64,
    pub(crate) sinks: Vec<SinkSample>,
}

/// A sink of usage events, as it stands.
#[derive(Clone, Debug)]
pub(crate) struct SinkSample {
    pub(crate) name: std::sync::Arc<str>,
    pub(crate) lag_events: u64,
    pub(crate) lag_seconds: f64,
    /// The lag is beyond the sink's alarm.
    pub(crate) late: bool,
    /// What became of events, and of how many.
    pub(crate) events: Vec<(&'static str, u64)>,
}

type Look<T> = Box<dyn Fn() -> T + Send + Sync>;

/// Something to look at, once somebody has said how.
pub(crate) struct Probe<T>(Mutex<Option<Look<T>>>);

impl<T> Default for Probe<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Probe<T> {
    pub(super) fn set(&self, look: impl Fn() -> T + Send + Sync + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(look));
    }

    pub(super) fn look(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|look| look())
    }
}

impl<T> fmt::Debug for Probe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}
