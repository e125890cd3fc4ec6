//! What a gateway may hand out of a pool without asking the ledger: a number that its workers take from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sluice_metering::ledger::Pool;

/// How long a pool that had too little is taken to have too little.
const REFUSED_FOR: Duration = Duration::from_millis(100);

/// What this gateway may hand out of one pool.
#[derive(Debug)]
pub(crate) struct Allowance {
    pub(super) pool: Pool,
    /// The quota that it was granted under; of credit, 0.
    pub(super) limit: i64,
    /// In microseconds since 1970: when the pool's period begins and is over.
    begins: i64,
    ends: AtomicI64,
    free: AtomicI64,
    /// What all gateways together had left when the ledger was last asked.
    left: AtomicI64,
    /// Nothing more is handed out: its period is over, or the quota is another now.
    closed: AtomicBool,
    /// What was granted is not this gateway's any more.
    lost: AtomicBool,
    /// Something was handed out since somebody last looked.
    used: AtomicBool,
    /// Until when, in milliseconds after `epoch`, there is no use in asking for `refused` or more.
    refused_until: AtomicU64,
    refused: AtomicI64,
    epoch: Instant,
}

/// A part of an allowance that is set aside for one exchange. Dropped, it goes back whole.
#[derive(Debug)]
pub(crate) struct Hold {
    allowance: Arc<Allowance>,
    amount: i64,
}

/// What an exchange used beyond what was set aside for it.
#[derive(Debug)]
pub(crate) struct Beyond {
    pub(super) allowance: Arc<Allowance>,
    /// What was taken from the allowance for it.
    pub(super) taken: i64,
}

impl Allowance {
    pub(super) fn new(pool: Pool, limit: i64) -> Self {
        let (begins, ends) = match &pool {
            Pool::Quota { period, .. } => (period.start.as_microsecond(), period.end().as_microsecond()),
            Pool::Credit { .. } => (i64::MIN, i64::MAX),
        };
        Self {
            pool,
            limit,
            begins,
            ends: AtomicI64::new(ends),
            free: AtomicI64::new(0),
            left: AtomicI64::new(0),
            closed: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            used: AtomicBool::new(true),
            refused_until: AtomicU64::new(0),
            refused: AtomicI64::new(0),
            epoch: Instant::now(),
        }
    }

    /// Whether it is for this moment, and still handed out.
    pub(super) fn is_current(&self, at: Timestamp) -> bool {
        let at = at.as_microsecond();
        self.begins <= at && at < self.ends.load(Ordering::Relaxed) && !self.closed.load(Ordering::Acquire)
    }

    /// Sets an amount aside, if there is as much.
    pub(super) fn reserve(self: &Arc<Self>, amount: i64) -> Option<Hold> {
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let take = |free: i64| (free >= amount).then(|| free - amount);
        self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        self.used.store(true, Ordering::Relaxed);
        Some(Hold { allowance: Arc::clone(self), amount })
    }

    /// What the ledger granted, and what it said is left of the pool.
    pub(super) fn granted(&self, amount: i64, left: i64) {
        self.free.fetch_add(amount, Ordering::AcqRel);
        self.left.store(left, Ordering::Relaxed);
    }

    /// A part of it is there until then and no longer.
    pub(super) fn expires(&self, at: Timestamp) {
        self.ends.fetch_min(at.as_microsecond(), Ordering::Relaxed);
    }

    /// The ledger had less than this.
    pub(super) fn refuse(&self, amount: i64) {
        self.refused.store(amount, Ordering::Relaxed);
        let until = self.epoch.elapsed() + REFUSED_FOR;
        self.refused_until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// There may be more than there was.
    pub(super) fn forget_refusal(&self) {
        self.refused_until.store(0, Ordering::Release);
    }

    /// Whether the ledger has just refused as much.
    pub(super) fn is_refused(&self, amount: i64) -> bool {
        let until = self.refused_until.load(Ordering::Acquire);
        until != 0
            && amount >= self.refused.load(Ordering::Relaxed)
            && self.epoch.elapsed().as_millis() < u128::from(until)
    }

    /// Takes as much of what is not set aside as there is, at most this.
    fn take_up_to(&self, amount: i64) -> i64 {
        let take = |free: i64| Some(free - amount.min(free.max(0)));
        let free = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        amount.min(free.unwrap_or(0).max(0))
    }

    /// Takes all that is not set aside, to give it back to the ledger.
    pub(super) fn take(&self) -> i64 {
        self.free.swap(0, Ordering::AcqRel).max(0)
    }

    /// Hands out nothing more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// The ledger has given what was granted to others.
    pub(super) fn lose(&self) {
        self.close();
        self.lost.store(true, Ordering::Release);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether something was handed out since this was last asked.
    pub(super) fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// What is left of the pool, as far as this gateway knows: exact where it is the only one.
    pub(super) fn remaining(&self) -> i64 {
        self.free.load(Ordering::Relaxed).max(0).saturating_add(self.left.load(Ordering::Relaxed).max(0))
    }

    /// Seconds until its period is over; `None` for credit.
    pub(super) fn resets(&self, at: Timestamp) -> Option<u64> {
        if matches!(self.pool, Pool::Credit { .. }) {
            return None;
        }
        let ends = self.ends.load(Ordering::Relaxed);
        let micros = u64::try_from(ends.saturating_sub(at.as_microsecond())).unwrap_or(0);
        Some(micros.div_ceil(1_000_000))
    }
}

impl Hold {
    pub(super) const fn amount(&self) -> i64 {
        self.amount
    }

    pub(super) fn allowance(&self) -> &Arc<Allowance> {
        &self.allowance
    }

    /// This much of it was used; the rest goes back.
    ///
    /// What was used beyond it is not handed out to others: it is gone from the allowance when this returns, and has to go back to the
    /// ledger, which counts it as used. Where the allowance has less, no more of it is handed out: what others give back of theirs
    /// may be gone too.
    #[must_use]
    pub(super) fn spend(mut self, used: i64) -> Option<Beyond> {
        if self.allowance.is_lost() {
            return None;
        }
        let beyond = used.saturating_sub(self.amount);
        self.amount -= used.clamp(0, self.amount);
        if beyond <= 0 {
            return None;
        }
        let taken = self.allowance.take_up_to(beyond);
        if taken < beyond {
            self.allowance.close();
        }
        (taken > 0).then(|| Beyond { allowance: Arc::clone(&self.allowance), taken })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.allowance.free.fetch_add(self.amount, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_metering::period::Every;

    fn allowance(granted: i64) -> Arc<Allowance> {
        let at: Timestamp = "2026-11-23T12:30:00Z".parse().unwrap();
        let period = Every::Hour.containing(at);
        let pool = Pool::Quota { consumer: "acme".into(), meter: "requests".into(), period };
        let allowance = Arc::new(Allowance::new(pool, 10));
        allowance.granted(granted, 0);
        allowance
    }

    #[test]
    fn what_is_set_aside_goes_back_but_for_what_was_used() {
        let allowance = allowance(5);
        let (first, second) = (allowance.reserve(3).unwrap(), allowance.reserve(2).unwrap());
        assert!(allowance.reserve(1).is_none());
        drop(second);
        assert_eq!(allowance.remaining(), 2);
        assert!(first.spend(1).is_none());
        assert_eq!(allowance.remaining(), 4);
    }

    #[test]
    fn what_was_used_beyond_what_was_set_aside_is_not_handed_out() {
        let allowance = allowance(10);
        let other = allowance.reserve(4).unwrap();
        let beyond = allowance.reserve(1).unwrap().spend(4).unwrap();
        assert_eq!((beyond.taken, allowance.remaining(), allowance.is_closed()), (3, 2, false));
        // More than there is: what another gives back is not handed out again.
        assert_eq!(allowance.reserve(1).unwrap().spend(9).map(|beyond| beyond.taken), Some(1));
        assert!(allowance.is_closed());
        drop(other);
        assert!(allowance.reserve(1).is_none());
        assert_eq!(allowance.take(), 4);
    }

    #[test]
    fn the_last_unit_is_handed_out_once() {
        let allowance = allowance(1_000);
        let taken: Vec<Vec<Hold>> = std::thread::scope(|scope| {
            let take = || std::iter::from_fn(|| allowance.reserve(1)).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(taken.iter().map(Vec::len).sum::<usize>(), 1_000);
        assert_eq!(allowance.remaining(), 0);
        drop(taken);
        assert_eq!(allowance.take(), 1_000);
    }

    #[test]
    fn it_is_for_its_period_alone() {
        let allowance = allowance(1);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert!(allowance.is_current(at("2026-11-23T12:00:00Z")));
        assert!(!allowance.is_current(at("2026-11-23T13:00:00Z")));
        assert!(!allowance.is_current(at("2026-11-23T11:59:59.999999Z")));
        assert_eq!(allowance.resets(at("2026-11-23T12:59:59.5Z")), Some(1));
        allowance.close();
        assert!(allowance.reserve(1).is_none());
    }
}
