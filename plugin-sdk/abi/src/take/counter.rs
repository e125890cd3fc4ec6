//! The arithmetic of the algorithms, pure: time is an argument, and nothing is atomic.
//!
//! The gateway's store computes the same on atomic words. Tests count with this.

mod concurrency;
mod fixed;
mod gcra;
mod sliding;

#[cfg(test)]
mod tests;

use super::{Algorithm, Mode, Take, Taken};
use concurrency::Holders;
use fixed::Fixed;
use gcra::Gcra;
use sliding::Sliding;

/// What one limit has counted. A limit is named by its key, algorithm, quota and window together.
#[derive(Clone, Debug)]
pub struct Counter {
    /// Nanoseconds since the epoch at the first take: ticks and sliding windows are counted from here.
    born: u64,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Gcra(Gcra),
    Sliding(Sliding),
    Fixed(Fixed),
    Concurrency(Holders),
}

/// How a limit stands.
struct Standing {
    remaining: u64,
    reset_ns: u64,
}

impl Counter {
    /// A counter that nothing was taken from.
    #[must_use]
    pub const fn new(algorithm: Algorithm, now_ns: u64) -> Self {
        let state = match algorithm {
            Algorithm::Gcra => State::Gcra(Gcra::NEW),
            Algorithm::SlidingWindow => State::Sliding(Sliding::NEW),
            Algorithm::FixedWindow => State::Fixed(Fixed::NEW),
            Algorithm::Concurrency => State::Concurrency(Holders::NEW),
        };
        Self { born: now_ns, state }
    }

    /// What `take` would meet now.
    #[must_use]
    pub fn look(&self, take: &Take, now_ns: u64) -> Taken {
        match self.wait(take, now_ns) {
            Some(wait_ns) => refused(take, self.standing(take, now_ns), wait_ns),
            None => allowed(self.standing(take, now_ns)),
        }
    }

    /// Does what `take` says, if the limit allows.
    pub fn charge(&mut self, take: &Take, now_ns: u64) -> Taken {
        if let Some(wait_ns) = self.wait(take, now_ns) {
            return refused(take, self.standing(take, now_ns), wait_ns);
        }
        let since = now_ns.saturating_sub(self.born);
        match &mut self.state {
            State::Gcra(gcra) => gcra.apply(take, since),
            State::Sliding(sliding) => sliding.apply(take, since),
            State::Fixed(fixed) => fixed.apply(take, now_ns),
            State::Concurrency(holders) => holders.apply(take, now_ns),
        }
        allowed(self.standing(take, now_ns))
    }

    /// Whether nothing is counted any more: a new counter would answer the same.
    #[must_use]
    pub fn is_whole(&self, take: &Take, now_ns: u64) -> bool {
        let Standing { remaining, reset_ns } = self.standing(take, now_ns);
        remaining == take.quota && reset_ns == 0
    }

    /// Nanoseconds to wait for, if the limit does not allow.
    fn wait(&self, take: &Take, now_ns: u64) -> Option<u64> {
        if take.mode != Mode::Try {
            return None;
        }
        if take.cost > take.quota {
            return Some(0);
        }
        let since = now_ns.saturating_sub(self.born);
        match &self.state {
            State::Gcra(gcra) => gcra.wait(take, since),
            State::Sliding(sliding) => sliding.wait(take, since),
            State::Fixed(fixed) => fixed.wait(take, now_ns),
            State::Concurrency(holders) => holders.wait(take, now_ns),
        }
    }

    fn standing(&self, take: &Take, now_ns: u64) -> Standing {
        let since = now_ns.saturating_sub(self.born);
        match &self.state {
            State::Gcra(gcra) => gcra.standing(take, since),
            State::Sliding(sliding) => sliding.standing(take, since),
            State::Fixed(fixed) => fixed.standing(take, now_ns),
            State::Concurrency(holders) => holders.standing(take, now_ns),
        }
    }
}

fn allowed(Standing { remaining, reset_ns }: Standing) -> Taken {
    Taken { allowed: true, remaining, reset_ms: reset_ns.div_ceil(1_000_000), retry_ms: 0 }
}

fn refused(take: &Take, standing: Standing, wait_ns: u64) -> Taken {
    let retry_ms = if take.cost > take.quota { Taken::NEVER } else { wait_ns.div_ceil(1_000_000) };
    Taken { allowed: false, retry_ms, ..allowed(standing) }
}

const fn window_ns(take: &Take) -> u64 {
    let length = take.window_ms.saturating_mul(1_000_000);
    if length == 0 { 1 } else { length }
}

fn saturate(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
