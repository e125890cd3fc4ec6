//! How much is held at once: a count for each of four epochs, and an entry of the table for each holder.

use std::sync::atomic::{AtomicU64, Ordering};

use sluice_abi::Taken;

use super::limit::{Charge, RETIRED, Rule, Unless, Wanted, to_ms};
use super::tagged::{MAX_COUNT, ahead, count, newest, pack, take_back};

/// An epoch is a third of a window and counts for three more: what is never given back counts for at least a
/// window, and at most a third longer.
const SLOTS: u64 = 4;

/// At most `quota` held at once.
///
/// Each epoch, counted since 1970, has the slot of its number. What is given back is taken from the epoch that
/// it was taken in: the holder's [`Hold`] knows which.
#[derive(Debug)]
pub(super) struct Concurrency {
    slots: [AtomicU64; SLOTS as usize],
}

/// What one holder holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) charge: Charge,
    /// Nanoseconds since the epoch, when it counts no longer.
    until: u64,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    now: u64,
    epoch: u64,
    epoch_ns: u64,
    words: [u64; SLOTS as usize],
    quota: u64,
}

const fn epoch_ns(rule: &Rule) -> u64 {
    rule.window_ns.div_ceil(SLOTS - 1)
}

/// When an epoch no longer counts.
const fn end_of(epoch: u64, epoch_ns: u64) -> u64 {
    (epoch + SLOTS).saturating_mul(epoch_ns)
}

const fn slot_of(epoch: u64) -> usize {
    (epoch % SLOTS) as usize
}

impl Hold {
    pub(super) const fn new(rule: &Rule, charge: Charge) -> Self {
        Self { charge, until: end_of(charge.window, epoch_ns(rule)) }
    }

    pub(super) const fn has_ended(&self, now: u64) -> bool {
        self.until <= now
    }
}

impl Concurrency {
    pub(super) fn new(rule: &Rule, now: u64) -> Self {
        let epoch = now / epoch_ns(rule);
        let slot = |slot: u64| {
            // The latest epoch of this slot that is not to come.
            let back = (epoch % SLOTS + SLOTS - slot) % SLOTS;
            AtomicU64::new(pack(epoch.saturating_sub(back), 0))
        };
        Self { slots: [slot(0), slot(1), slot(2), slot(3)] }
    }

    fn read(&self, rule: &Rule, now: u64) -> Unless<Reading> {
        let words = self.slots.each_ref().map(|slot| slot.load(Ordering::SeqCst));
        if words.contains(&RETIRED) {
            return None;
        }
        let epoch_ns = epoch_ns(rule);
        let epoch = now / epoch_ns;
        let epoch = epoch + newest(&words, epoch, epoch_ns).unwrap_or(0);
        Some(Reading { now, epoch, epoch_ns, words, quota: rule.quota.min(MAX_COUNT) })
    }

    pub(super) fn look(&self, rule: &Rule, now: u64, wanted: Wanted) -> Unless<Taken> {
        let reading = self.read(rule, now)?;
        Some(if reading.fits(wanted) { reading.answer() } else { reading.refusal(rule, wanted) })
    }

    pub(super) fn charge(
        &self,
        rule: &Rule,
        now: u64,
        wanted: Wanted,
    ) -> Unless<Result<(Taken, Charge), Taken>> {
        loop {
            let reading = self.read(rule, now)?;
            if !reading.fits(wanted) {
                return Some(Err(reading.refusal(rule, wanted)));
            }
            let Reading { epoch, words, .. } = reading;
            let (held, word) = (reading.count(epoch), words[slot_of(epoch)]);
            let charge = Charge { cost: wanted.cost.min(MAX_COUNT - held), window: epoch };
            let charged = pack(epoch, held + charge.cost);
            let slot = &self.slots[slot_of(epoch)];
            if slot.compare_exchange_weak(word, charged, Ordering::SeqCst, Ordering::Acquire).is_err() {
                continue;
            }
            // Only this epoch's slot was compared. A worker whose clock lags may have taken in another one at
            // the same instant: then whoever sees both gives way and asks again. Likewise the sweep may have
            // retired the counter by another slot.
            let after = self.read(rule, now)?;
            if wanted.force || after.held() <= after.quota {
                return Some(Ok((after.answer(), charge)));
            }
            self.refund(charge);
        }
    }

    pub(super) fn refund(&self, charge: Charge) {
        take_back(&self.slots[slot_of(charge.window)], charge.window, charge.cost);
    }

    pub(super) fn retire(&self, rule: &Rule, now: u64) -> bool {
        let Some(reading) = self.read(rule, now) else { return true };
        let slot = slot_of(reading.epoch);
        let retire = || {
            let word = reading.words[slot];
            self.slots[slot].compare_exchange(word, RETIRED, Ordering::SeqCst, Ordering::Acquire)
        };
        reading.held() == 0 && retire().is_ok()
    }

    pub(super) fn is_retired(&self) -> bool {
        self.slots.iter().any(|slot| slot.load(Ordering::SeqCst) == RETIRED)
    }
}

impl Reading {
    /// What was taken in that epoch and is still held.
    const fn count(&self, epoch: u64) -> u64 {
        let word = self.words[slot_of(epoch)];
        if ahead(word, epoch) == 0 { count(word) } else { 0 }
    }

    /// The epochs that count, the oldest first, and their counts.
    fn epochs(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        let oldest = self.epoch.saturating_sub(SLOTS - 1);
        (oldest..=self.epoch).map(|epoch| (epoch, self.count(epoch))).filter(|&(_, count)| count > 0)
    }

    fn held(&self) -> u64 {
        self.epochs().map(|(_, count)| count).sum()
    }

    fn fits(&self, wanted: Wanted) -> bool {
        wanted.force || (wanted.cost <= self.quota && self.held() + wanted.cost <= self.quota)
    }

    const fn until_end_of(&self, epoch: u64) -> u64 {
        end_of(epoch, self.epoch_ns).saturating_sub(self.now)
    }

    fn answer(&self) -> Taken {
        let reset = self.epochs().next_back().map_or(0, |(epoch, _)| self.until_end_of(epoch));
        let remaining = self.quota.saturating_sub(self.held());
        Taken { allowed: true, remaining, reset_ms: to_ms(reset), retry_ms: 0 }
    }

    /// As if nobody gave anything back.
    fn refusal(&self, rule: &Rule, wanted: Wanted) -> Taken {
        if wanted.cost > rule.quota.min(self.quota) {
            return Taken { allowed: false, retry_ms: Taken::NEVER, ..self.answer() };
        }
        let mut excess = (self.held() + wanted.cost).saturating_sub(self.quota);
        let enough = self.epochs().find(|&(_, count)| {
            excess = excess.saturating_sub(count);
            excess == 0
        });
        let wait = enough.map_or(0, |(epoch, _)| self.until_end_of(epoch));
        Taken { allowed: false, retry_ms: to_ms(wait), ..self.answer() }
    }
}
