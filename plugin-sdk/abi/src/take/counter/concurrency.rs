//! Who holds how much at once.

use alloc::vec::Vec;

use super::{Standing, window_ns};
use crate::{Mode, Take};

/// Those that hold, the oldest first. One that never gives back counts for one window.
#[derive(Clone, Debug)]
pub(super) struct Holders(Vec<Hold>);

#[derive(Clone, Debug)]
struct Hold {
    /// Empty: nobody can give it back.
    holder: Vec<u8>,
    units: u64,
    /// Nanoseconds since the epoch.
    until: u64,
}

impl Holders {
    pub(super) const NEW: Self = Self(Vec::new());

    fn live(&self, now_ns: u64) -> impl Iterator<Item = &Hold> {
        self.0.iter().filter(move |hold| hold.until > now_ns)
    }

    fn held(&self, now_ns: u64) -> u64 {
        self.live(now_ns).fold(0, |sum, hold| sum.saturating_add(hold.units))
    }

    /// One that holds already takes nothing more.
    fn is_held_by(&self, take: &Take, now_ns: u64) -> bool {
        !take.holder.is_empty() && self.live(now_ns).any(|hold| hold.holder == take.holder)
    }

    pub(super) fn wait(&self, take: &Take, now_ns: u64) -> Option<u64> {
        let held = self.held(now_ns);
        if self.is_held_by(take, now_ns) || held.saturating_add(take.cost) <= take.quota {
            return None;
        }
        let mut excess = held.saturating_add(take.cost) - take.quota;
        let mut live: Vec<_> = self.live(now_ns).collect();
        live.sort_by_key(|hold| hold.until);
        let enough = live.into_iter().find(|hold| {
            excess = excess.saturating_sub(hold.units);
            excess == 0
        });
        Some(enough.map_or(0, |hold| hold.until - now_ns))
    }

    pub(super) fn apply(&mut self, take: &Take, now_ns: u64) {
        let held = self.is_held_by(take, now_ns);
        self.0.retain(|hold| hold.until > now_ns);
        match take.mode {
            Mode::Try | Mode::Force if held || take.cost == 0 => {}
            Mode::Try | Mode::Force => self.0.push(Hold {
                holder: take.holder.clone(),
                units: take.cost,
                until: now_ns.saturating_add(window_ns(take)),
            }),
            Mode::GiveBack => self.0.retain(|hold| hold.holder.is_empty() || hold.holder != take.holder),
        }
    }

    pub(super) fn standing(&self, take: &Take, now_ns: u64) -> Standing {
        let last = self.live(now_ns).map(|hold| hold.until - now_ns).max();
        let remaining = take.quota.saturating_sub(self.held(now_ns));
        Standing { remaining, reset_ns: last.unwrap_or(0) }
    }
}
