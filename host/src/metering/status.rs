//! How metering fares: read by the request path, the admin pages and the metrics.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How metering fares.
#[derive(Debug, Default)]
pub(crate) struct Status {
    health: AtomicU8,
    unreserved: AtomicBool,
    /// Exchanges whose events wait for the ledger.
    pub(super) waiting: AtomicUsize,
    pub(super) written: AtomicU64,
    pub(super) duplicates: AtomicU64,
    /// Not recorded, and not answered either.
    pub(super) withdrawn: AtomicU64,
    /// Answered and not recorded, which `on_failure = "allow"` accepts.
    pub(super) lost: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) refused_quota: AtomicU64,
    pub(super) refused_credit: AtomicU64,
    pub(super) refused_unavailable: AtomicU64,
    /// Soft quotas that were passed, once for each period.
    pub(super) passed: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// Whether the ledger can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It has not been opened yet.
    Opening = 0,
    Well = 1,
    /// It could not be written lately; that is tried again.
    Failing = 2,
    /// It will not be written again before a restart.
    Failed = 3,
}

impl Health {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Well => "well",
            Self::Failing => "failing",
            Self::Failed => "failed",
        }
    }
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Exchanges whose events wait for the ledger.
    pub(crate) waiting: usize,
    pub(crate) written: u64,
    pub(crate) duplicates: u64,
    pub(crate) batches: u64,
    /// Not recorded, and not answered either.
    pub(crate) withdrawn: u64,
    /// Answered and not recorded.
    pub(crate) lost: u64,
    pub(crate) refused_quota: u64,
    pub(crate) refused_credit: u64,
    pub(crate) refused_unavailable: u64,
    /// Soft quotas that were passed.
    pub(crate) passed: u64,
}

impl Status {
    /// What was counted.
    pub(crate) fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            waiting: self.waiting.load(Ordering::Relaxed),
            written: count(&self.written),
            duplicates: count(&self.duplicates),
            batches: count(&self.batches),
            withdrawn: count(&self.withdrawn),
            lost: count(&self.lost),
            refused_quota: count(&self.refused_quota),
            refused_credit: count(&self.refused_credit),
            refused_unavailable: count(&self.refused_unavailable),
            passed: count(&self.passed),
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self.health.load(Ordering::Acquire) {
            1 => Health::Well,
            2 => Health::Failing,
            3 => Health::Failed,
            _ => Health::Opening,
        }
    }

    pub(super) fn set(&self, health: Health, error: Option<String>) {
        self.health.store(health as u8, Ordering::Release);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Why the ledger cannot be written.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A batch is in the ledger.
    pub(super) fn wrote(&self, done: &super::clerk::Done) {
        self.waiting.fetch_sub(done.exchanges, Ordering::Relaxed);
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.written.fetch_add(done.fresh, Ordering::Relaxed);
        self.duplicates.fetch_add(done.duplicates, Ordering::Relaxed);
    }

    /// Exchanges will not be in the ledger.
    pub(super) fn gave_up(&self, given: &super::clerk::GivenUp) {
        let exchanges = usize::try_from(given.withdrawn + given.lost).unwrap_or(usize::MAX);
        self.waiting.fetch_sub(exchanges, Ordering::Relaxed);
        self.withdrawn.fetch_add(given.withdrawn, Ordering::Relaxed);
        self.lost.fetch_add(given.lost, Ordering::Relaxed);
    }

    /// A request went on without anything being set aside.
    pub(super) fn unreserved(&self) {
        self.unreserved.store(true, Ordering::Release);
    }

    /// Whether one did since this was last asked.
    pub(super) fn take_unreserved(&self) -> bool {
        self.unreserved.swap(false, Ordering::AcqRel)
    }

    /// A request was refused.
    pub(super) fn refused(&self, refusal: &super::Refusal) {
        let counter = match refusal {
            super::Refusal::Unavailable => &self.refused_unavailable,
            super::Refusal::Exhausted(super::Exhausted { what: super::Spent::Credit { .. }, .. }) => {
                &self.refused_credit
            }
            super::Refusal::Exhausted(_) => &self.refused_quota,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
