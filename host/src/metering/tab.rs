//! What one exchange has used so far: what steps recorded, and what is held for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sluice_abi::Recorded;

use super::allowance::Hold;
use super::tariff::Account;

/// What one exchange has used so far. The worker that serves it is the only one to open it; the lock is there because what plugins
/// reach has to be able to move between threads.
#[derive(Debug, Default)]
pub(crate) struct Tab(Mutex<Page>);

/// The inside of a tab.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) lines: Vec<Line>,
    pub(super) admitted: Option<Admitted>,
    /// The request has gone to the upstream, or an attempt was made.
    pub(super) forwarded: bool,
    /// Nothing more is recorded: it was settled, or the request was refused.
    pub(super) closed: bool,
}

/// Who was admitted, and when.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) at: Timestamp,
    pub(super) consumer: Arc<str>,
    pub(super) account: Option<Arc<Account>>,
}

/// One meter of an exchange.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Its place among the configured meters.
    pub(super) meter: usize,
    pub(super) recorded: Recorded,
    /// What was reserved, where something was.
    pub(super) reserved: Option<i64>,
    /// Smallest units in one, where something was.
    pub(super) unit: i64,
    /// Held for it: of each quota, and of the credit.
    pub(super) quotas: Vec<Hold>,
    pub(super) credit: Option<Hold>,
}

impl Tab {
    pub(super) fn open(&self) -> MutexGuard<'_, Page> {
        // A panic of another call leaves values that are whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what is recorded of the meter at a place, or changes it.
    pub(crate) fn record<T>(&self, meter: usize, change: impl FnOnce(&mut Recorded) -> T) -> T {
        change(&mut self.open().line(meter).recorded)
    }

    /// What is recorded, by the places of the meters.
    pub(crate) fn recorded(&self) -> Vec<(usize, Recorded)> {
        self.open().lines.iter().map(|line| (line.meter, line.recorded.clone())).collect()
    }

    /// Nothing that was recorded counts.
    pub(crate) fn forget(&self) {
        for line in &mut self.open().lines {
            line.recorded.cancel();
        }
    }

    /// Whether nothing more is recorded.
    pub(crate) fn is_closed(&self) -> bool {
        self.open().closed
    }

    /// The request goes to the upstream.
    pub(crate) fn forwarded(&self) {
        self.open().forwarded = true;
    }
}

impl Page {
    pub(super) fn line(&mut self, meter: usize) -> &mut Line {
        let place = self.lines.iter().position(|line| line.meter == meter).unwrap_or_else(|| {
            self.lines.push(Line { meter, ..Line::default() });
            self.lines.len() - 1
        });
        &mut self.lines[place]
    }
}
