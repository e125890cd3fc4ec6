//! The fixed window: one count, which begins anew at every whole multiple of the window since 1970.

use super::{Standing, window_ns};
use crate::{Mode, Take};

#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed {
    window: u64,
    count: u64,
}

impl Fixed {
    pub(super) const NEW: Self = Self { window: 0, count: 0 };

    /// The running window's number, its count, and nanoseconds to its end.
    fn read(self, take: &Take, now_ns: u64) -> (u64, u64, u64) {
        let length = window_ns(take);
        let window = now_ns / length;
        let count = if self.window == window { self.count } else { 0 };
        (window, count, length - now_ns % length)
    }

    pub(super) fn wait(self, take: &Take, now_ns: u64) -> Option<u64> {
        let (_, count, rest) = self.read(take, now_ns);
        (count.saturating_add(take.cost) > take.quota).then_some(rest)
    }

    pub(super) fn apply(&mut self, take: &Take, now_ns: u64) {
        let (window, count, _) = self.read(take, now_ns);
        let count = match take.mode {
            Mode::Try | Mode::Force => count.saturating_add(take.cost),
            Mode::GiveBack => count.saturating_sub(take.cost),
        };
        *self = Self { window, count };
    }

    pub(super) fn standing(self, take: &Take, now_ns: u64) -> Standing {
        let (_, count, rest) = self.read(take, now_ns);
        let reset_ns = if count == 0 { 0 } else { rest };
        Standing { remaining: take.quota.saturating_sub(count), reset_ns }
    }
}
