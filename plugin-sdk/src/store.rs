//! Counters and values that every worker, and later every node, shares. Capability `store`.
//!
//! Keys are the plugin's own: no other plugin reads or changes them.

use std::time::Duration;

pub use sluice_abi::{Algorithm, Mode, Take, Taken};

use crate::host::{self, raw};
use crate::{Code, Error, Result};

/// The value under a key.
pub fn get(key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
    host::optional("store get", host::bytes(|out| raw::store_get(key.as_ref(), out)))
}

/// Puts a value under a key, for a time or until it is deleted.
///
/// A plugin whose values fill its share of the store is refused ([`Code::TooLarge`]) until some of them end. What can be made again
/// is better set with [`set_evictable`].
pub fn set(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<()> {
    host::done("store set", raw::store_set(key.as_ref(), value.as_ref(), millis(ttl)))
}

/// Puts a value under a key that may be dropped at any time before its end: what is in a cache, but never what has to be remembered,
/// such as a nonce.
///
/// When the plugin's values fill its share of the store, or the store is full, those of its own that were set so give way, the
/// soonest to end first. Only if that is not enough is it refused ([`Code::TooLarge`]). What was [`set`] and what was [`add`]ed never gives
/// way to it. Adding to such a value makes a counter of it, which stays.
pub fn set_evictable(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<()> {
    host::done("store cache", raw::store_cache(key.as_ref(), value.as_ref(), millis(ttl)))
}

/// Takes the value away, if there is one.
pub fn delete(key: impl AsRef<[u8]>) -> Result<()> {
    match host::done("store delete", raw::store_delete(key.as_ref())) {
        Err(error) if error.code() == Some(Code::None) => Ok(()),
        other => other,
    }
}

/// Adds to a number, which begins at 0, and returns the sum. The time to live counts from the first add.
pub fn add(key: impl AsRef<[u8]>, delta: i64, ttl: Option<Duration>) -> Result<i64> {
    let mut sum = [0; 8];
    host::done("store add", raw::store_add(key.as_ref(), delta, millis(ttl), &mut sum))?;
    Ok(i64::from_le_bytes(sum))
}

/// Takes from every limit, or from none if one of them does not allow it. One [`Taken`] for each, in order.
pub fn take(takes: &[Take]) -> Result<Vec<Taken>> {
    let message = Take::encode_all(takes);
    let taken = host::look(|out| raw::store_take(&message, out), Taken::decode_all);
    let taken = taken.map_err(|code| Error::from_host("store take", code))??;
    if taken.len() == takes.len() { Ok(taken) } else { Err(Error::new("store take: an answer is missing")) }
}

/// What [`lead`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// The value under the key.
    Value(Vec<u8>),
    /// There is none, and it is yours to make: [`set`] it in one way or the other, or [`release`] the lead if it cannot be.
    Leader,
    /// There is none, and whoever is making it did not finish in time.
    Late,
}

/// The value under a key, or the lead in making it, so that what is dear to make is made once by one and not by everyone at the
/// same time. Who does not lead waits, until the value is set, the lead is released, or `wait` is over.
///
/// A lead ends by itself after `lease`: one who fails does not hold up the others for longer. In memory it is among all workers;
/// with a store that several gateways share, each of them has one who leads.
pub fn lead(key: impl AsRef<[u8]>, lease: Duration, wait: Duration) -> Result<Lead> {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let found = host::bytes(|out| raw::store_lead(key.as_ref(), millis(Some(lease)), wait, out));
    match found {
        Ok(value) => Ok(Lead::Value(value)),
        Err(Code::None) => Ok(Lead::Leader),
        Err(Code::Timeout) => Ok(Lead::Late),
        Err(code) => Err(Error::from_host("store lead", code)),
    }
}

/// Gives up a lead: the next one who waits has it.
pub fn release(key: impl AsRef<[u8]>) -> Result<()> {
    // One that has ended by itself needs no end.
    match raw::store_release(key.as_ref()) {
        none if none == Code::None.number() => Ok(()),
        returned => host::done("store release", returned),
    }
}

fn millis(ttl: Option<Duration>) -> i64 {
    // 0 means no end, so a time too short to count still counts one.
    ttl.map_or(0, |ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1))
}

/// So much in so long. Makes the [`Take`]s for [`take`].
///
/// ```
/// # use sluice_sdk::prelude::*;
/// # fn phase(ctx: &Context) -> Result<()> {
/// let per_minute = Limit::gcra(100, std::time::Duration::from_secs(60));
/// let taken = store::take(&[per_minute.take(ctx.client_address())])?;
/// # Ok(()) }
/// ```
///
/// What a limit counts is known by its key, algorithm, quota and window together: one with another quota begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    algorithm: Algorithm,
    quota: u64,
    window: Duration,
}

impl Limit {
    /// `quota` at once, refilled evenly over `window`.
    #[must_use]
    pub const fn gcra(quota: u64, window: Duration) -> Self {
        Self { algorithm: Algorithm::Gcra, quota, window }
    }

    /// At most `quota` in any `window`, counted over the running window and its weighted predecessor.
    #[must_use]
    pub const fn sliding_window(quota: u64, window: Duration) -> Self {
        Self { algorithm: Algorithm::SlidingWindow, quota, window }
    }

    /// At most `quota` in each window. They begin at whole multiples of their length since 1970, for all keys at once: up to
    /// twice the quota can pass in a short time around the end of one.
    #[must_use]
    pub const fn fixed_window(quota: u64, window: Duration) -> Self {
        Self { algorithm: Algorithm::FixedWindow, quota, window }
    }

    /// At most `quota` held at the same time. Say who holds with [`held_by`](Take::held_by), and give back when it is over:
    /// what is never given back counts for `hold`, and in the memory of a gateway for at most a third longer.
    ///
    /// ```
    /// # use sluice_sdk::prelude::*;
    /// # fn phase(ctx: &Context) -> Result<()> {
    /// let at_once = Limit::concurrency(10, std::time::Duration::from_secs(60));
    /// let taken = store::take(&[at_once.take("reports").held_by(ctx.request_id())])?;
    /// // ... and when it is done:
    /// store::take(&[at_once.give_back("reports", 1).held_by(ctx.request_id())])?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn concurrency(quota: u64, hold: Duration) -> Self {
        Self { algorithm: Algorithm::Concurrency, quota, window: hold }
    }

    /// Takes one unit for `key`.
    #[must_use]
    pub fn take(&self, key: impl Into<Vec<u8>>) -> Take {
        self.take_many(key, 1)
    }

    /// Takes `cost` units for `key`; 0 looks without taking.
    #[must_use]
    pub fn take_many(&self, key: impl Into<Vec<u8>>, cost: u64) -> Take {
        self.with(key.into(), cost, Mode::Try)
    }

    /// Takes `cost` units for `key` even beyond the quota, for what is only known once it was used. It is always allowed; what
    /// comes after it is refused until the excess has drained.
    #[must_use]
    pub fn force(&self, key: impl Into<Vec<u8>>, cost: u64) -> Take {
        self.with(key.into(), cost, Mode::Force)
    }

    /// Gives `cost` units back to `key`, never more than are taken. It is always allowed, and done after everything else in the
    /// same call.
    ///
    /// Of a window that is over, nothing is left to give back: what was taken in it must not be given to the next. Of
    /// [`concurrency`](Self::concurrency) it ends what the holder holds, whatever the cost.
    #[must_use]
    pub fn give_back(&self, key: impl Into<Vec<u8>>, cost: u64) -> Take {
        self.with(key.into(), cost, Mode::GiveBack)
    }

    fn with(&self, key: Vec<u8>, cost: u64, mode: Mode) -> Take {
        let window_ms = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX).max(1);
        Take { key, algorithm: self.algorithm, quota: self.quota, window_ms, cost, mode, holder: Vec::new() }
    }
}
