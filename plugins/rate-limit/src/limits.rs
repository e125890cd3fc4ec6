//! The limits of a request: what is taken before it, and what is settled after it.

use sluice_sdk::prelude::*;

use crate::config::{Algorithm, Concurrency};
use crate::fields;
use crate::noted::{Charge, Open};

/// Structured fields have integers of at most 15 digits (RFC 9651 section 3.3.1).
pub(crate) const MAX_INTEGER: u64 = 999_999_999_999_999;

/// Each limit is work for every request.
const MAX_LIMITS: usize = 8;

/// Limits that a request has to be within all together.
#[derive(Default)]
pub(crate) struct Set {
    limits: Vec<Counted>,
    /// Its policy is the last.
    pub(crate) concurrency: Option<Limit>,
    /// As clients know them, in the order of the takes.
    pub(crate) policies: Vec<Policy>,
    /// The field `RateLimit-Policy`.
    pub(crate) field: String,
}

struct Counted {
    limit: Limit,
    algorithm: Algorithm,
    quota: u64,
    window_ms: u64,
}

/// A limit as clients know it.
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) quota: u64,
    /// `None` if requests at once are counted.
    pub(crate) window: Option<Duration>,
}

impl Policy {
    fn new(name: String, quota: u64, window: Option<Duration>) -> Result<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        ensure!(
            (1..=64).contains(&name.len()) && name.bytes().all(is_plain),
            "a limit's `name` is 1 to 64 letters, digits, `_`, `.` and `-`"
        );
        ensure!(quota <= MAX_INTEGER, "`q` is at most {MAX_INTEGER}");
        Ok(Self { name, quota, window })
    }

    /// `100 in 1m`
    pub(crate) fn rule(&self) -> String {
        match self.window {
            Some(window) => format!("{} in {window}", self.quota),
            None => format!("{} at once", self.quota),
        }
    }
}

impl Set {
    pub(crate) fn add(
        &mut self,
        algorithm: Algorithm,
        quota: u64,
        window: Duration,
        name: Option<String>,
    ) -> Result<()> {
        ensure!(self.limits.len() < MAX_LIMITS, "there are more than {MAX_LIMITS} limits for a request");
        ensure!(window.as_millis() > 0, "a window `w` is at least \"1ms\"");
        self.name(Policy::new(name.unwrap_or_else(|| window.to_string()), quota, Some(window))?)?;
        let limit = match algorithm {
            Algorithm::Gcra => Limit::gcra(quota, window.get()),
            Algorithm::SlidingWindow => Limit::sliding_window(quota, window.get()),
            Algorithm::FixedWindow => Limit::fixed_window(quota, window.get()),
        };
        self.limits.push(Counted { limit, algorithm, quota, window_ms: window.as_millis() });
        Ok(())
    }

    /// After all other limits.
    pub(crate) fn complete(&mut self, concurrency: Option<&Concurrency>) -> Result<()> {
        if let Some(Concurrency { q, hold, name }) = concurrency {
            ensure!(hold.as_millis() > 0, "`hold` is at least \"1ms\"");
            self.name(Policy::new(name.clone(), q.get(), None)?)?;
            self.concurrency = Some(Limit::concurrency(q.get(), hold.get()));
        }
        self.field = fields::policies(&self.policies);
        Ok(())
    }

    fn name(&mut self, policy: Policy) -> Result<()> {
        let is_new = self.policies.iter().all(|known| known.name != policy.name);
        ensure!(is_new, "two limits are called `{}`: give one of them another `name`", policy.name);
        self.policies.push(policy);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The smallest quota of units, and its limit's name.
    pub(crate) fn smallest(&self) -> Option<(u64, &str)> {
        self.limits.iter().zip(&self.policies).map(|(counted, policy)| (counted.quota, &*policy.name)).min()
    }

    /// All that is taken before the request.
    pub(crate) fn takes(&self, key: &[u8], cost: u64, holder: Option<u64>) -> Vec<Take> {
        let mut takes = Vec::with_capacity(self.policies.len());
        takes.extend(self.limits.iter().map(|counted| counted.limit.take_many(key, cost)));
        if let (Some(limit), Some(holder)) = (&self.concurrency, holder) {
            takes.push(limit.take(key).held_by(holder.to_le_bytes()));
        }
        takes
    }

    pub(crate) fn violated(&self, taken: &[Taken]) -> impl Iterator<Item = &Policy> {
        self.policies.iter().zip(taken).filter(|(_, taken)| !taken.allowed).map(|(policy, _)| policy)
    }

    /// What was used beyond what was taken.
    pub(crate) fn more(&self, open: &Open, units: u64) -> Vec<Take> {
        let more = open.charge.as_ref().and_then(|charge| units.checked_sub(charge.cost));
        let Some(more) = more.filter(|&more| more > 0) else { return Vec::new() };
        let key = open.key();
        self.limits.iter().map(|counted| counted.limit.force(&*key, more)).collect()
    }

    /// What is taken and given back in the end.
    pub(crate) fn settled(&self, open: &Open, outcome: &Outcome) -> Vec<Take> {
        let key = open.key();
        let mut takes = Vec::with_capacity(self.policies.len());
        if let (Some(Charge { cost, resets }), Some(units)) = (&open.charge, open.units) {
            takes.extend(self.more(open, units));
            // The exchange is older than its take: what certainly still counts is given back.
            let age_ms = outcome.duration_us.div_ceil(1000).saturating_add(1);
            let less = cost.saturating_sub(units);
            for (counted, &reset_ms) in self.limits.iter().zip(resets) {
                let back = less.min(counted.still_counts(reset_ms, age_ms));
                if back > 0 {
                    takes.push(counted.limit.give_back(&*key, back));
                }
            }
        }
        if let (Some(limit), Some(holder)) = (&self.concurrency, open.holder) {
            takes.push(limit.give_back(key, 1).held_by(holder.to_le_bytes()));
        }
        takes
    }
}

impl Counted {
    /// How many of units that were taken `age_ms` ago, when the limit was `reset_ms` from being whole, are still
    /// in the counter. Others must not be given back: they would be somebody else's. None if `reset_ms` is 0: they were not
    /// counted where the others are, because the store's server was away.
    fn still_counts(&self, reset_ms: u64, age_ms: u64) -> u64 {
        match self.algorithm {
            // The last taken are the last to leak.
            Algorithm::Gcra => {
                let rest = u128::from(reset_ms.saturating_sub(age_ms)) * u128::from(self.quota);
                u64::try_from(rest / u128::from(self.window_ms)).unwrap_or(u64::MAX)
            }
            // The window that was taken from is followed by one in which it is weighed.
            Algorithm::SlidingWindow if reset_ms.saturating_sub(self.window_ms) > age_ms => u64::MAX,
            Algorithm::FixedWindow if reset_ms > age_ms => u64::MAX,
            Algorithm::SlidingWindow | Algorithm::FixedWindow => 0,
        }
    }
}
