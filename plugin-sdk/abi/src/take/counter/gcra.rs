//! The generic cell rate algorithm: a bucket that leaks evenly.

use super::{Standing, saturate, window_ns};
use crate::{Mode, Take};

#[derive(Clone, Copy, Debug)]
pub(super) struct Gcra {
    /// The tick at which everything has leaked.
    empty_at: u64,
}

impl Gcra {
    pub(super) const NEW: Self = Self { empty_at: 0 };

    fn level(self, ticks: &Ticks, since: u64) -> u64 {
        self.empty_at.saturating_sub(ticks.of_ns(since))
    }

    pub(super) fn wait(self, take: &Take, since: u64) -> Option<u64> {
        let ticks = Ticks::new(take);
        let wanted = self.level(&ticks, since).saturating_add(ticks.of_units(take.cost));
        (wanted > ticks.per_window).then(|| ticks.in_ns(wanted - ticks.per_window))
    }

    pub(super) fn apply(&mut self, take: &Take, since: u64) {
        let ticks = Ticks::new(take);
        let (level, units) = (self.level(&ticks, since), ticks.of_units(take.cost));
        let level = match take.mode {
            Mode::Try | Mode::Force => level.saturating_add(units),
            Mode::GiveBack => level.saturating_sub(units),
        };
        self.empty_at = ticks.of_ns(since).saturating_add(level);
    }

    pub(super) fn standing(self, take: &Take, since: u64) -> Standing {
        let ticks = Ticks::new(take);
        let level = self.level(&ticks, since);
        let remaining = ticks.per_window.saturating_sub(level) / ticks.per_unit;
        Standing { remaining, reset_ns: ticks.in_ns(level) }
    }
}

/// Time in ticks of the limit's own: a window is a whole number of them, and so is a unit, so that neither
/// the burst nor the rate is ever rounded.
struct Ticks {
    per_unit: u64,
    per_window: u64,
    window_ns: u64,
}

impl Ticks {
    fn new(take: &Take) -> Self {
        let (quota, window_ns) = (take.quota.max(1), window_ns(take));
        // About a microsecond each; one alone if units come faster.
        let per_unit = (window_ns / 1000 / quota).max(1);
        Self { per_unit, per_window: per_unit.saturating_mul(quota), window_ns }
    }

    fn of_units(&self, units: u64) -> u64 {
        units.saturating_mul(self.per_unit)
    }

    fn of_ns(&self, ns: u64) -> u64 {
        saturate(u128::from(ns) * u128::from(self.per_window) / u128::from(self.window_ns))
    }

    fn in_ns(&self, ticks: u64) -> u64 {
        saturate((u128::from(ticks) * u128::from(self.window_ns)).div_ceil(u128::from(self.per_window)))
    }
}
