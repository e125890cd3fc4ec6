//! The sliding window: the running window's count, and the last one's by the part that still lies within a
//! window of now.

use super::{Standing, saturate, window_ns};
use crate::{Mode, Take};

#[derive(Clone, Copy, Debug)]
pub(super) struct Sliding {
    window: u64,
    /// Taken in that window, and in the one before it.
    current: u64,
    previous: u64,
}

impl Sliding {
    pub(super) const NEW: Self = Self { window: 0, current: 0, previous: 0 };

    fn read(self, take: &Take, since: u64) -> Reading {
        let length = window_ns(take);
        let now = since / length;
        let (current, previous) = if self.window == now {
            (self.current, self.previous)
        } else if self.window + 1 == now {
            (0, self.current)
        } else {
            (0, 0)
        };
        Reading { window: now, length, elapsed: since % length, current, previous }
    }

    pub(super) fn wait(self, take: &Take, since: u64) -> Option<u64> {
        let reading = self.read(take, since);
        (reading.used().saturating_add(take.cost) > take.quota).then(|| reading.wait(take))
    }

    pub(super) fn apply(&mut self, take: &Take, since: u64) {
        let Reading { window, current, previous, .. } = self.read(take, since);
        let current = match take.mode {
            Mode::Try | Mode::Force => current.saturating_add(take.cost),
            Mode::GiveBack => current.saturating_sub(take.cost),
        };
        *self = Self { window, current, previous };
    }

    pub(super) fn standing(self, take: &Take, since: u64) -> Standing {
        let reading = self.read(take, since);
        Standing { remaining: take.quota.saturating_sub(reading.used()), reset_ns: reading.reset() }
    }
}

/// The window at one moment.
struct Reading {
    window: u64,
    length: u64,
    elapsed: u64,
    current: u64,
    previous: u64,
}

impl Reading {
    fn used(&self) -> u64 {
        let rest = u128::from(self.length - self.elapsed);
        let weighed = (u128::from(self.previous) * rest).div_ceil(u128::from(self.length));
        self.current.saturating_add(saturate(weighed))
    }

    fn reset(&self) -> u64 {
        let rest = self.length - self.elapsed;
        match (self.current, self.previous) {
            (0, 0) => 0,
            (0, _) => rest,
            _ => rest.saturating_add(self.length),
        }
    }

    /// Until `cost` fits, if nobody else takes.
    fn wait(&self, take: &Take) -> u64 {
        // At which part of a window the one before it weighs no more than `room`.
        let when = |weight: u64, room: u64| match weight {
            0 => 0,
            weight => self
                .length
                .saturating_sub(saturate(u128::from(room) * u128::from(self.length) / u128::from(weight))),
        };
        let rest = self.length - self.elapsed;
        match take.quota.checked_sub(self.current.saturating_add(take.cost)) {
            Some(room) => when(self.previous, room).saturating_sub(self.elapsed),
            None => rest.saturating_add(when(self.current, take.quota.saturating_sub(take.cost))),
        }
    }
}
