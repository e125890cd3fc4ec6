//! The generic cell rate algorithm on one word: the time at which the limit is whole again.

use std::sync::atomic::{AtomicU64, Ordering};

use sluice_abi::Taken;

use super::limit::{Charge, MAX_SKEW_NS, RETIRED, Rule, Unless, Wanted, scale_down, scale_up, to_ms};

/// Beyond this a counter is begun anew. At a billion units a second that is after a hundred years.
const LAST: u64 = 1 << 62;

/// A bucket that leaks evenly and holds `quota` units.
///
/// Time runs in ticks of the rule's own: a window is a whole number of ticks, and so is a unit, so that
/// neither the burst nor the rate is ever rounded.
#[derive(Debug)]
pub(super) struct Gcra {
    /// Tick 0, in nanoseconds since the epoch.
    born: u64,
    /// The tick at which everything has leaked.
    empty_at: AtomicU64,
    /// The most that was ever taken by force, in ticks; 0 if within the quota. So much is no error of a clock.
    deepest: AtomicU64,
}

/// A rule in ticks.
#[derive(Clone, Copy, Debug)]
struct Ticks {
    /// In one unit: about a microsecond each, or one alone if units come faster.
    per_unit: u64,
    /// In a window, which is `quota` units.
    per_window: u64,
    window_ns: u64,
}

impl Ticks {
    fn new(rule: &Rule) -> Self {
        let per_unit = (rule.window_ns / 1000 / rule.quota).max(1);
        Self { per_unit, per_window: per_unit * rule.quota, window_ns: rule.window_ns }
    }

    fn of_ns(&self, ns: u64) -> u64 {
        scale_down(ns, self.per_window, self.window_ns)
    }

    fn in_ns(&self, ticks: u64) -> u64 {
        scale_up(ticks, self.window_ns, self.per_window)
    }

    fn in_ms(&self, ticks: u64) -> u64 {
        to_ms(self.in_ns(ticks))
    }

    /// The level after what is wanted; `None` if that is not allowed.
    fn charged(&self, rule: &Rule, level: u64, wanted: Wanted) -> Option<u64> {
        if wanted.force {
            return Some(
                level.saturating_add(wanted.cost.saturating_mul(self.per_unit)).min(LAST.max(level)),
            );
        }
        let charged = level + cost_in_ticks(self, rule, wanted.cost)?;
        (charged <= self.per_window).then_some(charged)
    }
}

impl Gcra {
    pub(super) const fn new(now: u64) -> Self {
        Self { born: now, empty_at: AtomicU64::new(0), deepest: AtomicU64::new(0) }
    }

    /// The tick of `now`; `None` if they have run out, in which case the counter has ended.
    fn tick(&self, ticks: &Ticks, now: u64) -> Unless<u64> {
        let tick = ticks.of_ns(now.saturating_sub(self.born));
        if tick >= LAST {
            self.empty_at.store(RETIRED, Ordering::Release);
            return None;
        }
        Some(tick)
    }

    /// How many ticks are taken at `tick`.
    fn level(&self, ticks: &Ticks, empty_at: u64, tick: u64) -> Unless<u64> {
        if empty_at == RETIRED {
            return None;
        }
        let level = empty_at.saturating_sub(tick);
        if level <= ticks.per_window {
            return Some(level);
        }
        // More than full by more than clocks differ: the clock was set back, and waiting for it could take for
        // ever.
        let most = ticks.per_window.max(self.deepest.load(Ordering::Acquire));
        let skew = ticks.per_window.max(ticks.of_ns(MAX_SKEW_NS));
        Some(if level > most.saturating_add(skew) { 0 } else { level })
    }

    pub(super) fn look(&self, rule: &Rule, now: u64, wanted: Wanted) -> Unless<Taken> {
        let ticks = Ticks::new(rule);
        let tick = self.tick(&ticks, now)?;
        let level = self.level(&ticks, self.empty_at.load(Ordering::Acquire), tick)?;
        Some(match ticks.charged(rule, level, wanted) {
            Some(_) => answer(&ticks, level),
            None => refusal(&ticks, rule, level, wanted.cost),
        })
    }

    pub(super) fn charge(
        &self,
        rule: &Rule,
        now: u64,
        wanted: Wanted,
    ) -> Unless<Result<(Taken, Charge), Taken>> {
        let ticks = Ticks::new(rule);
        let tick = self.tick(&ticks, now)?;
        let mut empty_at = self.empty_at.load(Ordering::Acquire);
        loop {
            let level = self.level(&ticks, empty_at, tick)?;
            let Some(charged) = ticks.charged(rule, level, wanted) else {
                return Some(Err(refusal(&ticks, rule, level, wanted.cost)));
            };
            if charged > ticks.per_window {
                // First, so that nobody takes the level for an error.
                self.deepest.fetch_max(charged, Ordering::AcqRel);
            }
            match self.replace(empty_at, tick + charged) {
                Ok(_) => {
                    let charge = Charge { cost: charged - level, window: 0 };
                    return Some(Ok((answer(&ticks, charged), charge)));
                }
                Err(newer) => empty_at = newer,
            }
        }
    }

    pub(super) fn give_back(&self, rule: &Rule, now: u64, cost: u64) -> Unless<Taken> {
        let ticks = Ticks::new(rule);
        let tick = self.tick(&ticks, now)?;
        let mut empty_at = self.empty_at.load(Ordering::Acquire);
        loop {
            let level = self.level(&ticks, empty_at, tick)?;
            let left = level.saturating_sub(cost.saturating_mul(ticks.per_unit));
            match self.replace(empty_at, tick + left) {
                Ok(_) => return Some(answer(&ticks, left)),
                Err(newer) => empty_at = newer,
            }
        }
    }

    fn replace(&self, empty_at: u64, new: u64) -> Result<u64, u64> {
        self.empty_at.compare_exchange_weak(empty_at, new, Ordering::AcqRel, Ordering::Acquire)
    }

    pub(super) fn refund(&self, charge: Charge) {
        let _ = self.empty_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |empty_at| {
            (empty_at != RETIRED).then(|| empty_at.saturating_sub(charge.cost))
        });
    }

    pub(super) fn retire(&self, rule: &Rule, now: u64) -> bool {
        let ticks = Ticks::new(rule);
        let Some(tick) = self.tick(&ticks, now) else { return true };
        let empty_at = self.empty_at.load(Ordering::Acquire);
        match self.level(&ticks, empty_at, tick) {
            None => true,
            Some(0) => {
                self.empty_at.compare_exchange(empty_at, RETIRED, Ordering::AcqRel, Ordering::Acquire).is_ok()
            }
            Some(_) => false,
        }
    }

    pub(super) fn is_retired(&self) -> bool {
        self.empty_at.load(Ordering::Acquire) == RETIRED
    }
}

/// `None` if more than the quota.
fn cost_in_ticks(ticks: &Ticks, rule: &Rule, cost: u64) -> Option<u64> {
    (cost <= rule.quota).then(|| cost * ticks.per_unit)
}

fn answer(ticks: &Ticks, level: u64) -> Taken {
    let remaining = (ticks.per_window - level.min(ticks.per_window)) / ticks.per_unit;
    Taken { allowed: true, remaining, reset_ms: ticks.in_ms(level), retry_ms: 0 }
}

fn refusal(ticks: &Ticks, rule: &Rule, level: u64, cost: u64) -> Taken {
    let retry_ms = cost_in_ticks(ticks, rule, cost)
        .map_or(Taken::NEVER, |cost| ticks.in_ms((level + cost).saturating_sub(ticks.per_window)));
    Taken { allowed: false, retry_ms, ..answer(ticks, level) }
}
