//! The fixed window on one word: its number and its count.

use std::sync::atomic::{AtomicU64, Ordering};

use sluice_abi::Taken;

use super::limit::{Charge, RETIRED, Rule, Unless, Wanted, to_ms};
use super::tagged::{MAX_COUNT, ahead, count, newest, pack, take_back};

/// At most `quota` in each window. Windows begin at whole multiples of their length since 1970.
#[derive(Debug)]
pub(super) struct Fixed(AtomicU64);

/// One reading of the counter, in grains: one unit each, unless the quota would not fit.
#[derive(Clone, Copy, Debug)]
struct Reading {
    word: u64,
    window: u64,
    count: u64,
    /// Nanoseconds to the window's end.
    rest: u64,
    grain: u64,
    quota: u64,
}

impl Fixed {
    pub(super) const fn new(rule: &Rule, now: u64) -> Self {
        Self(AtomicU64::new(pack(now / rule.window_ns, 0)))
    }

    fn read(&self, rule: &Rule, now: u64) -> Unless<Reading> {
        let word = self.0.load(Ordering::Acquire);
        if word == RETIRED {
            return None;
        }
        let mut window = now / rule.window_ns;
        window += newest(&[word], window, rule.window_ns).unwrap_or(0);
        let end = (window + 1).saturating_mul(rule.window_ns);
        let grain = rule.quota.div_ceil(MAX_COUNT);
        Some(Reading {
            word,
            window,
            count: if ahead(word, window) == 0 { count(word) } else { 0 },
            rest: end.saturating_sub(now),
            grain,
            quota: rule.quota / grain,
        })
    }

    pub(super) fn look(&self, rule: &Rule, now: u64, wanted: Wanted) -> Unless<Taken> {
        let reading = self.read(rule, now)?;
        Some(if reading.fits(rule, wanted) { reading.answer() } else { reading.refusal(rule, wanted) })
    }

    pub(super) fn charge(
        &self,
        rule: &Rule,
        now: u64,
        wanted: Wanted,
    ) -> Unless<Result<(Taken, Charge), Taken>> {
        loop {
            let reading = self.read(rule, now)?;
            if !reading.fits(rule, wanted) {
                return Some(Err(reading.refusal(rule, wanted)));
            }
            let more = wanted.cost.div_ceil(reading.grain).min(MAX_COUNT - reading.count);
            if let Some(answer) = self.replace(reading, reading.count + more) {
                return Some(Ok((answer, Charge { cost: more, window: reading.window })));
            }
        }
    }

    pub(super) fn give_back(&self, rule: &Rule, now: u64, cost: u64) -> Unless<Taken> {
        loop {
            let reading = self.read(rule, now)?;
            let left = reading.count.saturating_sub(cost / reading.grain);
            if left == reading.count {
                return Some(reading.answer());
            }
            if let Some(answer) = self.replace(reading, left) {
                return Some(answer);
            }
        }
    }

    fn replace(&self, reading: Reading, count: u64) -> Option<Taken> {
        let word = pack(reading.window, count);
        let replaced = self.0.compare_exchange_weak(reading.word, word, Ordering::AcqRel, Ordering::Acquire);
        replaced.is_ok().then(|| Reading { count, ..reading }.answer())
    }

    pub(super) fn refund(&self, charge: Charge) {
        take_back(&self.0, charge.window, charge.cost);
    }

    pub(super) fn retire(&self, rule: &Rule, now: u64) -> bool {
        let Some(reading) = self.read(rule, now) else { return true };
        let retire = || self.0.compare_exchange(reading.word, RETIRED, Ordering::AcqRel, Ordering::Acquire);
        reading.count == 0 && retire().is_ok()
    }

    pub(super) fn is_retired(&self) -> bool {
        self.0.load(Ordering::Acquire) == RETIRED
    }
}

impl Reading {
    const fn fits(&self, rule: &Rule, wanted: Wanted) -> bool {
        wanted.force
            || (wanted.cost <= rule.quota && self.count + wanted.cost.div_ceil(self.grain) <= self.quota)
    }

    fn answer(&self) -> Taken {
        let reset = if self.count == 0 { 0 } else { self.rest };
        let remaining = self.quota.saturating_sub(self.count) * self.grain;
        Taken { allowed: true, remaining, reset_ms: to_ms(reset), retry_ms: 0 }
    }

    fn refusal(&self, rule: &Rule, wanted: Wanted) -> Taken {
        let retry_ms = if wanted.cost > rule.quota { Taken::NEVER } else { to_ms(self.rest) };
        Taken { allowed: false, retry_ms, ..self.answer() }
    }
}
