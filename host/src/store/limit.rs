//! A limit: its rule, and the counter that its algorithm keeps.

use sluice_abi::{Algorithm, Take, Taken};

use super::concurrency::Concurrency;
use super::fixed::Fixed;
use super::gcra::Gcra;
use super::sliding::Sliding;

/// What a word of a counter holds once the sweep has retired it: whoever meets it begins a new counter.
pub(super) const RETIRED: u64 = u64::MAX;

/// How far apart clock readings of takes may be. Beyond it (and beyond a window) the clock was set back.
pub(super) const MAX_SKEW_NS: u64 = 10_000_000_000;

/// A hundred years: longer windows would not fit the arithmetic.
const MAX_WINDOW_MS: u64 = 3_155_760_000_000;

/// 9 · 10¹⁵: more would not fit the arithmetic, and limits nothing.
const MAX_QUOTA: u64 = 1 << 53;

/// Part of a limit's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    pub(super) algorithm: Algorithm,
    pub(super) quota: u64,
    pub(super) window_ns: u64,
}

/// What has to be known to give units back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    /// In what the counter counts: ticks, grains or units.
    pub(super) cost: u64,
    /// The window or epoch that was charged, where that matters.
    pub(super) window: u64,
}

impl Charge {
    pub(super) const NOTHING: Self = Self { cost: 0, window: 0 };
}

/// `None` of a limit's answers: it is retired, and a new one has to be begun.
pub(super) type Unless<T> = Option<T>;

impl Rule {
    pub(super) fn new(take: &Take) -> Self {
        Self {
            algorithm: take.algorithm,
            quota: take.quota.clamp(1, MAX_QUOTA),
            window_ns: take.window_ms.clamp(1, MAX_WINDOW_MS) * 1_000_000,
        }
    }

    /// What a take meets where nothing was taken yet.
    pub(super) const fn untouched(&self, wanted: Wanted) -> Taken {
        if wanted.cost > self.quota && !wanted.force {
            Taken { allowed: false, remaining: self.quota, reset_ms: 0, retry_ms: Taken::NEVER }
        } else {
            Taken { allowed: true, remaining: self.quota, reset_ms: 0, retry_ms: 0 }
        }
    }
}

/// What a take wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) cost: u64,
    /// Also beyond the quota.
    pub(super) force: bool,
}

/// The counter of a limit.
#[derive(Debug)]
pub(super) enum Limit {
    Gcra(Gcra),
    Sliding(Sliding),
    Fixed(Fixed),
    Concurrency(Concurrency),
}

impl Limit {
    pub(super) fn new(rule: &Rule, now: u64) -> Self {
        match rule.algorithm {
            Algorithm::Gcra => Self::Gcra(Gcra::new(now)),
            Algorithm::SlidingWindow => Self::Sliding(Sliding::new(now)),
            Algorithm::FixedWindow => Self::Fixed(Fixed::new(rule, now)),
            Algorithm::Concurrency => Self::Concurrency(Concurrency::new(rule, now)),
        }
    }

    /// What a take would meet.
    pub(super) fn look(&self, rule: &Rule, now: u64, wanted: Wanted) -> Unless<Taken> {
        match self {
            Self::Gcra(gcra) => gcra.look(rule, now, wanted),
            Self::Sliding(sliding) => sliding.look(rule, now, wanted),
            Self::Fixed(fixed) => fixed.look(rule, now, wanted),
            Self::Concurrency(concurrency) => concurrency.look(rule, now, wanted),
        }
    }

    /// Takes what is wanted if the rule allows.
    pub(super) fn charge(
        &self,
        rule: &Rule,
        now: u64,
        wanted: Wanted,
    ) -> Unless<Result<(Taken, Charge), Taken>> {
        match self {
            Self::Gcra(gcra) => gcra.charge(rule, now, wanted),
            Self::Sliding(sliding) => sliding.charge(rule, now, wanted),
            Self::Fixed(fixed) => fixed.charge(rule, now, wanted),
            Self::Concurrency(concurrency) => concurrency.charge(rule, now, wanted),
        }
    }

    /// Gives back what was taken some time ago. What is held is given back by its holder, with [`refund`](Self::refund).
    pub(super) fn give_back(&self, rule: &Rule, now: u64, cost: u64) -> Unless<Taken> {
        match self {
            Self::Gcra(gcra) => gcra.give_back(rule, now, cost),
            Self::Sliding(sliding) => sliding.give_back(rule, now, cost),
            Self::Fixed(fixed) => fixed.give_back(rule, now, cost),
            Self::Concurrency(concurrency) => concurrency.look(rule, now, Wanted::NOTHING),
        }
    }

    /// Gives back what this charge took.
    pub(super) fn refund(&self, charge: Charge) {
        match self {
            Self::Gcra(gcra) => gcra.refund(charge),
            Self::Sliding(sliding) => sliding.refund(charge),
            Self::Fixed(fixed) => fixed.refund(charge),
            Self::Concurrency(concurrency) => concurrency.refund(charge),
        }
    }

    /// Ends it if it is as good as new; whether it has ended.
    pub(super) fn retire(&self, rule: &Rule, now: u64) -> bool {
        match self {
            Self::Gcra(gcra) => gcra.retire(rule, now),
            Self::Sliding(sliding) => sliding.retire(rule, now),
            Self::Fixed(fixed) => fixed.retire(rule, now),
            Self::Concurrency(concurrency) => concurrency.retire(rule, now),
        }
    }

    pub(super) fn is_retired(&self) -> bool {
        match self {
            Self::Gcra(gcra) => gcra.is_retired(),
            Self::Sliding(sliding) => sliding.is_retired(),
            Self::Fixed(fixed) => fixed.is_retired(),
            Self::Concurrency(concurrency) => concurrency.is_retired(),
        }
    }
}

impl Wanted {
    /// To be told how a limit stands, and never refused.
    pub(super) const NOTHING: Self = Self { cost: 0, force: true };
}

/// `a · b / c`, rounded down. Where the product fits, which is nearly always, the division is a short one.
pub(super) fn scale_down(a: u64, b: u64, c: u64) -> u64 {
    match a.checked_mul(b) {
        Some(product) => product / c,
        None => saturate(u128::from(a) * u128::from(b) / u128::from(c)),
    }
}

/// `a · b / c`, rounded up.
pub(super) fn scale_up(a: u64, b: u64, c: u64) -> u64 {
    match a.checked_mul(b) {
        Some(product) => product.div_ceil(c),
        None => saturate((u128::from(a) * u128::from(b)).div_ceil(u128::from(c))),
    }
}

fn saturate(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Nanoseconds as whole milliseconds that are certainly over.
pub(super) const fn to_ms(ns: u64) -> u64 {
    ns.div_ceil(1_000_000)
}
