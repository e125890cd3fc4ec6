//! The sliding window on two words: this window's count, and the last one's.

use std::sync::atomic::{AtomicU64, Ordering};

use sluice_abi::Taken;

use super::limit::{Charge, RETIRED, Rule, Unless, Wanted, scale_down, scale_up, to_ms};
use super::tagged::{MAX_COUNT, ahead, count, newest, pack, take_back};

/// Windows begin at 2, so that an untouched slot never looks like a current one.
const FIRST_WINDOW: u64 = 2;

/// At most `quota` in a window, counting the last window by the part of it that still lies within a window of
/// now.
///
/// Windows are counted from the first take. Each one uses the slot of its parity.
#[derive(Debug)]
pub(super) struct Sliding {
    /// Nanoseconds since the epoch.
    born: u64,
    slots: [AtomicU64; 2],
}

/// One reading of the counter.
#[derive(Clone, Copy, Debug)]
struct Reading {
    window: u64,
    /// Nanoseconds of it that are over.
    elapsed: u64,
    /// The slot's word, and that of the other.
    word: u64,
    other: u64,
    current: u64,
    previous: u64,
}

/// A rule in the grains that slots count: one unit each, unless the quota would not fit.
#[derive(Clone, Copy, Debug)]
struct Grains {
    units: u64,
    quota: u64,
    window_ns: u64,
}

impl Grains {
    const fn new(rule: &Rule) -> Self {
        let units = rule.quota.div_ceil(MAX_COUNT);
        Self { units, quota: rule.quota / units, window_ns: rule.window_ns }
    }

    /// What `reading` has used up.
    fn used(&self, reading: &Reading) -> u64 {
        reading.current + scale_up(reading.previous, self.window_ns - reading.elapsed, self.window_ns)
    }

    fn fit(&self, rule: &Rule, reading: &Reading, wanted: Wanted) -> bool {
        let fits = || self.used(reading) + wanted.cost.div_ceil(self.units) <= self.quota;
        wanted.force || (wanted.cost <= rule.quota && fits())
    }
}

impl Sliding {
    pub(super) const fn new(now: u64) -> Self {
        Self { born: now, slots: [AtomicU64::new(pack(0, 0)), AtomicU64::new(pack(1, 0))] }
    }

    const fn slot(&self, window: u64) -> &AtomicU64 {
        &self.slots[(window & 1) as usize]
    }

    fn read(&self, grains: &Grains, now: u64) -> Unless<Reading> {
        let since = now.saturating_sub(self.born);
        let mut window = since / grains.window_ns + FIRST_WINDOW;
        let mut elapsed = since % grains.window_ns;
        let words = self.slots.each_ref().map(|slot| slot.load(Ordering::SeqCst));
        if words.contains(&RETIRED) {
            return None;
        }
        if let Some(ahead) = newest(&words, window, grains.window_ns) {
            window += ahead;
            elapsed = 0;
        }
        let of = |window: u64| {
            let word = words[(window & 1) as usize];
            if ahead(word, window) == 0 { count(word) } else { 0 }
        };
        let (word, other) = (words[(window & 1) as usize], words[(!window & 1) as usize]);
        Some(Reading { window, elapsed, word, other, current: of(window), previous: of(window - 1) })
    }

    pub(super) fn look(&self, rule: &Rule, now: u64, wanted: Wanted) -> Unless<Taken> {
        let grains = Grains::new(rule);
        let reading = self.read(&grains, now)?;
        let fits = grains.fit(rule, &reading, wanted);
        Some(if fits { answer(&grains, &reading) } else { refusal(&grains, rule, &reading, wanted.cost) })
    }

    pub(super) fn charge(
        &self,
        rule: &Rule,
        now: u64,
        wanted: Wanted,
    ) -> Unless<Result<(Taken, Charge), Taken>> {
        let grains = Grains::new(rule);
        loop {
            let reading = self.read(&grains, now)?;
            if !grains.fit(rule, &reading, wanted) {
                return Some(Err(refusal(&grains, rule, &reading, wanted.cost)));
            }
            let more = wanted.cost.div_ceil(grains.units).min(MAX_COUNT - reading.current);
            let Some(answer) = self.replace(&grains, reading, reading.current + more) else { continue };
            let charge = Charge { cost: more, window: reading.window };
            // Only one slot was compared. A worker whose clock lags may have taken in the other at the same
            // instant, or the sweep retired it: then whoever sees both gives way and asks again.
            if self.slot(reading.window + 1).load(Ordering::SeqCst) == reading.other {
                return Some(Ok((answer, charge)));
            }
            self.refund(charge);
        }
    }

    /// Of the running window alone: nobody may have more of this one because of what was taken in the last.
    pub(super) fn give_back(&self, rule: &Rule, now: u64, cost: u64) -> Unless<Taken> {
        let grains = Grains::new(rule);
        loop {
            let reading = self.read(&grains, now)?;
            let left = reading.current.saturating_sub(cost / grains.units);
            if left == reading.current {
                return Some(answer(&grains, &reading));
            }
            if let Some(answer) = self.replace(&grains, reading, left) {
                return Some(answer);
            }
        }
    }

    fn replace(&self, grains: &Grains, reading: Reading, current: u64) -> Option<Taken> {
        let (slot, word) = (self.slot(reading.window), pack(reading.window, current));
        let replaced = slot.compare_exchange_weak(reading.word, word, Ordering::SeqCst, Ordering::Acquire);
        replaced.is_ok().then(|| answer(grains, &Reading { current, ..reading }))
    }

    pub(super) fn refund(&self, charge: Charge) {
        take_back(self.slot(charge.window), charge.window, charge.cost);
    }

    /// One word is enough, because takes read both, before and after.
    pub(super) fn retire(&self, rule: &Rule, now: u64) -> bool {
        let Some(reading) = self.read(&Grains::new(rule), now) else { return true };
        let unused = reading.current == 0 && reading.previous == 0;
        let slot = self.slot(reading.window);
        unused && slot.compare_exchange(reading.word, RETIRED, Ordering::SeqCst, Ordering::Acquire).is_ok()
    }

    pub(super) fn is_retired(&self) -> bool {
        self.slots.iter().any(|slot| slot.load(Ordering::Acquire) == RETIRED)
    }
}

fn answer(grains: &Grains, reading: &Reading) -> Taken {
    let left = grains.quota.saturating_sub(grains.used(reading)) * grains.units;
    let rest = grains.window_ns - reading.elapsed;
    let reset = match (reading.current, reading.previous) {
        (0, 0) => 0,
        (0, _) => rest,
        _ => rest + grains.window_ns,
    };
    Taken { allowed: true, remaining: left, reset_ms: to_ms(reset), retry_ms: 0 }
}

fn refusal(grains: &Grains, rule: &Rule, reading: &Reading, cost: u64) -> Taken {
    let retry_ms = if cost > rule.quota {
        Taken::NEVER
    } else {
        to_ms(wait(grains, reading, cost.div_ceil(grains.units)))
    };
    Taken { allowed: false, retry_ms, ..answer(grains, reading) }
}

/// Nanoseconds until `cost` grains fit, if nobody else takes.
fn wait(grains: &Grains, reading: &Reading, cost: u64) -> u64 {
    // At which part of a window the one before it weighs no more than `room`.
    let when = |weight: u64, room: u64| match weight {
        0 => 0,
        weight => grains.window_ns.saturating_sub(scale_down(room, grains.window_ns, weight)),
    };
    match grains.quota.checked_sub(reading.current + cost) {
        Some(room) => when(reading.previous, room).saturating_sub(reading.elapsed),
        None => {
            let room = grains.quota - cost;
            grains.window_ns - reading.elapsed + when(reading.current, room)
        }
    }
}
