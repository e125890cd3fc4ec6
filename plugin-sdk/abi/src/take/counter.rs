//! The arithmetic of both algorithms, pure: time is an argument, and nothing is atomic.
//!
//! The gateway's store computes the same on atomic words. Tests count with this.

use super::{Algorithm, Take, Taken};

/// What one limit has counted. A limit is named by its key, algorithm, quota and window together.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// Nanoseconds since the epoch at the first take: windows and ticks are counted from here.
    born: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The tick at which everything has leaked.
    Gcra { empty_at: u64 },
    /// Takes in the window of this number, and in the one before it.
    Sliding { window: u64, current: u64, previous: u64 },
}

impl Counter {
    /// A counter that nothing was taken from.
    #[must_use]
    pub const fn new(algorithm: Algorithm, now_ns: u64) -> Self {
        let state = match algorithm {
            Algorithm::Gcra => State::Gcra { empty_at: 0 },
            Algorithm::SlidingWindow => State::Sliding { window: 0, current: 0, previous: 0 },
        };
        Self { born: now_ns, state }
    }

    /// What `take` would meet now.
    #[must_use]
    pub fn look(&self, take: &Take, now_ns: u64) -> Taken {
        let mut after = *self;
        let charged = after.charge(take, now_ns);
        if charged.allowed { self.answer(take, now_ns) } else { charged }
    }

    /// Takes if the limit allows.
    pub fn charge(&mut self, take: &Take, now_ns: u64) -> Taken {
        let since = now_ns.saturating_sub(self.born);
        match self.state {
            State::Gcra { empty_at } => {
                let ticks = Ticks::new(take);
                let tick = ticks.of_ns(since);
                let level = empty_at.saturating_sub(tick);
                let wanted = level.saturating_add(take.cost.saturating_mul(ticks.per_unit));
                if take.cost > take.quota || wanted > ticks.per_window {
                    return refused(
                        take,
                        self.answer(take, now_ns),
                        ticks.in_ns(wanted.saturating_sub(ticks.per_window)),
                    );
                }
                self.state = State::Gcra { empty_at: tick + wanted };
            }
            State::Sliding { .. } => {
                let reading = self.reading(take, since);
                if take.cost > take.quota || reading.used() + take.cost > take.quota {
                    return refused(take, self.answer(take, now_ns), reading.wait(take));
                }
                let Reading { window, current, previous, .. } = reading;
                self.state = State::Sliding { window, current: current + take.cost, previous };
            }
        }
        self.answer(take, now_ns)
    }

    fn answer(&self, take: &Take, now_ns: u64) -> Taken {
        let since = now_ns.saturating_sub(self.born);
        let (remaining, reset_ns) = match self.state {
            State::Gcra { empty_at } => {
                let ticks = Ticks::new(take);
                let level = empty_at.saturating_sub(ticks.of_ns(since));
                (ticks.per_window.saturating_sub(level) / ticks.per_unit, ticks.in_ns(level))
            }
            State::Sliding { .. } => {
                let reading = self.reading(take, since);
                (take.quota.saturating_sub(reading.used()), reading.reset())
            }
        };
        Taken { allowed: true, remaining, reset_ms: reset_ns.div_ceil(1_000_000), retry_ms: 0 }
    }

    fn reading(&self, take: &Take, since: u64) -> Reading {
        let length = window_ns(take);
        let now = since / length;
        let (current, previous) = match self.state {
            State::Sliding { window, current, previous } if window == now => (current, previous),
            State::Sliding { window, current, .. } if window + 1 == now => (0, current),
            _ => (0, 0),
        };
        Reading { window: now, length, elapsed: since % length, current, previous }
    }
}

fn refused(take: &Take, standing: Taken, wait_ns: u64) -> Taken {
    let retry_ms = if take.cost > take.quota { Taken::NEVER } else { wait_ns.div_ceil(1_000_000) };
    Taken { allowed: false, retry_ms, ..standing }
}

const fn window_ns(take: &Take) -> u64 {
    let length = take.window_ms.saturating_mul(1_000_000);
    if length == 0 { 1 } else { length }
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

    fn of_ns(&self, ns: u64) -> u64 {
        saturate(u128::from(ns) * u128::from(self.per_window) / u128::from(self.window_ns))
    }

    fn in_ns(&self, ticks: u64) -> u64 {
        saturate((u128::from(ticks) * u128::from(self.window_ns)).div_ceil(u128::from(self.per_window)))
    }
}

fn saturate(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A sliding window at one moment.
struct Reading {
    window: u64,
    length: u64,
    elapsed: u64,
    current: u64,
    previous: u64,
}

impl Reading {
    /// The last window counts by the part of it that still lies within a window of now.
    fn used(&self) -> u64 {
        let rest = u128::from(self.length - self.elapsed);
        self.current + saturate((u128::from(self.previous) * rest).div_ceil(u128::from(self.length)))
    }

    fn reset(&self) -> u64 {
        let rest = self.length - self.elapsed;
        match (self.current, self.previous) {
            (0, 0) => 0,
            (0, _) => rest,
            _ => rest + self.length,
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
            None => rest + when(self.current, take.quota.saturating_sub(take.cost)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const SECOND: u64 = 1_000_000_000;

    fn take(algorithm: Algorithm, quota: u64, window_ms: u64, cost: u64) -> Take {
        Take { key: Vec::new(), algorithm, quota, window_ms, cost }
    }

    #[test]
    fn gcra_gives_the_quota_at_once_and_refills_evenly() {
        let one = take(Algorithm::Gcra, 3, 60_000, 1);
        let mut counter = Counter::new(Algorithm::Gcra, 0);
        let left: Vec<u64> = (0..3).map(|_| counter.charge(&one, 0).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        assert_eq!(
            counter.charge(&one, 0),
            Taken { allowed: false, remaining: 0, reset_ms: 60_000, retry_ms: 20_000 }
        );
        assert!(!counter.charge(&one, 20 * SECOND - 1).allowed);
        assert!(counter.charge(&one, 20 * SECOND).allowed);
        assert!(!counter.charge(&one, 39 * SECOND).allowed);
        assert_eq!(counter.look(&take(Algorithm::Gcra, 3, 60_000, 0), 80 * SECOND).remaining, 3);
    }

    #[test]
    fn the_sliding_window_weighs_the_last_one() {
        let one = take(Algorithm::SlidingWindow, 4, 10_000, 1);
        let mut counter = Counter::new(Algorithm::SlidingWindow, 0);
        for _ in 0..4 {
            assert!(counter.charge(&one, 9 * SECOND).allowed);
        }
        let refused = counter.charge(&one, 9 * SECOND);
        // Three quarters of the last window may still count: 2.5 s into the next one.
        assert_eq!(refused, Taken { allowed: false, remaining: 0, reset_ms: 11_000, retry_ms: 3_500 });
        assert!(!counter.charge(&one, 12 * SECOND).allowed);
        assert!(counter.charge(&one, 12 * SECOND + SECOND / 2).allowed);
        assert!(!counter.charge(&one, 12 * SECOND + SECOND / 2).allowed);
        assert_eq!(counter.look(&one, 40 * SECOND).remaining, 4);
    }

    #[test]
    fn waiting_as_told_is_always_enough() {
        for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow] {
            for (quota, window_ms) in [(1, 1), (3, 1000), (7, 60_000), (1_000_000, 1000), (999_999, 1)] {
                let mut counter = Counter::new(algorithm, 5);
                let mut now = 5;
                for cost in [1, quota, quota / 2 + 1, 1, quota].into_iter().cycle().take(40) {
                    let wanted = take(algorithm, quota, window_ms, cost);
                    let taken = counter.charge(&wanted, now);
                    if !taken.allowed {
                        now += taken.retry_ms * 1_000_000;
                        assert!(
                            counter.charge(&wanted, now).allowed,
                            "{algorithm:?} {quota}/{window_ms} {cost}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn more_than_the_quota_never_fits() {
        for algorithm in [Algorithm::Gcra, Algorithm::SlidingWindow] {
            let taken = Counter::new(algorithm, 0).charge(&take(algorithm, 5, 1000, 6), 0);
            assert_eq!(taken, Taken { allowed: false, remaining: 5, reset_ms: 0, retry_ms: Taken::NEVER });
        }
    }
}
