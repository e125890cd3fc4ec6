//! Counters and values that all workers share and that outlive a snapshot. In memory; bounded; without locks.
//!
//! Time is an argument: nanoseconds since the Unix epoch, which may step back.

mod account;
mod fair;
mod flight;
mod gcra;
mod key;
mod limit;
mod sliding;
mod table;
mod value;

#[cfg(test)]
mod tests;

use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use papaya::{Compute, Operation};
use sluice_abi::{Take, Taken};

use crate::config;
use flight::Flights;
pub(crate) use flight::{Lead, MAX_FLIGHT};
use key::KeyRef;
use limit::{Charge, Limit, Rule};
use table::{Entry, Table, bytes};
use value::Value;

/// The longest key: long enough for any identifier, short enough to bound memory.
pub(crate) const MAX_KEY: usize = 1024;

/// Bytes of keys and values: so many for each entry that there may be ...
const BYTES_PER_ENTRY: usize = 256;

/// ... but not fewer than this, nor than some of the largest values.
const LEAST_BYTES: usize = 64 << 20;
const LEAST_VALUES: usize = 16;

/// Why the store refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the key is longer than {MAX_KEY} bytes")]
    KeyTooLong,
    #[error("the value is longer than the store's `max_value`")]
    ValueTooLarge,
    #[error("the value is not a number that can be added to")]
    NotANumber,
    #[error("the plugin's values take all the room in the store that it may have")]
    Full,
}

/// The store in this process's memory.
///
/// Each plugin has a namespace of its own, and limits and values of one name do not meet. When the store is
/// full, what has expired makes room first, then some of what the namespace holds that holds most. Keys and
/// values have a budget of bytes, of which a namespace may fill as much as all of them leave free: beyond
/// that [`set`](Self::set) refuses, and a new counter or limit takes the room of others of its namespace.
#[derive(Debug)]
pub(crate) struct MemoryStore {
    table: Table,
    hasher: RandomState,
    max_value: usize,
    flights: Flights,
}

impl MemoryStore {
    pub(crate) fn new(settings: &config::Store) -> Self {
        let least = LEAST_BYTES.max(settings.value.saturating_mul(LEAST_VALUES));
        Self::with_budget(settings, settings.entries.saturating_mul(BYTES_PER_ENTRY).max(least))
    }

    fn with_budget(settings: &config::Store, bytes: usize) -> Self {
        let table = Table::new(settings.entries, bytes);
        Self { table, hasher: RandomState::new(), max_value: settings.value, flights: Flights::default() }
    }

    /// Takes from every limit, or from none of them unless all allow.
    ///
    /// A limit is named by its key *and* its algorithm, quota and window: one that is configured anew starts
    /// afresh. When takes from several limits race for the last unit of one of them, a loser may hold units
    /// of the others for an instant before it gives them back. Nobody gets more than the quota by it, unless
    /// the loser's thread is suspended in that instant for longer than those units take to come back.
    pub(crate) fn take(&self, now: u64, namespace: &str, takes: &[Take]) -> Result<Vec<Taken>, StoreError> {
        let names: Vec<(KeyRef<'_>, Rule)> = takes
            .iter()
            .map(|take| {
                let rule = Rule::new(take);
                Ok((self.key(namespace, &take.key, Some(rule))?, rule))
            })
            .collect::<Result<_, StoreError>>()?;
        if let ([(key, rule)], [take]) = (&names[..], takes) {
            let outcome = self.charge(key, rule, now, take.cost);
            return Ok(vec![outcome.map_or_else(|refused| refused, |(taken, _)| taken)]);
        }
        let all = || names.iter().zip(takes);
        let looks: Vec<Taken> =
            all().map(|((key, rule), take)| self.look(key, rule, now, take.cost)).collect();
        if looks.iter().any(|taken| !taken.allowed) {
            return Ok(looks);
        }
        let mut charged: Vec<(Taken, Charge)> = Vec::with_capacity(takes.len());
        for ((key, rule), take) in all() {
            match self.charge(key, rule, now, take.cost) {
                Ok(one) => charged.push(one),
                Err(refused) => {
                    for ((key, rule), (_, charge)) in names.iter().zip(&charged) {
                        self.refund(key, rule, *charge);
                    }
                    let mut looks: Vec<Taken> =
                        all().map(|((key, rule), take)| self.look(key, rule, now, take.cost)).collect();
                    looks[charged.len()] = refused;
                    return Ok(looks);
                }
            }
        }
        Ok(charged.into_iter().map(|(taken, _)| taken).collect())
    }

    /// What a take would meet, without taking.
    fn look(&self, key: &KeyRef<'_>, rule: &Rule, now: u64, cost: u64) -> Taken {
        let map = self.table.shard(key.hash()).pin();
        let known = map.get(key).and_then(Entry::as_limit).and_then(|limit| limit.look(rule, now, cost));
        known.unwrap_or_else(|| rule.untouched(cost))
    }

    /// Takes from one limit, or says why not.
    fn charge(&self, key: &KeyRef<'_>, rule: &Rule, now: u64, cost: u64) -> Result<(Taken, Charge), Taken> {
        // What takes nothing, or can never pass, leaves no trace.
        if cost == 0 || cost > rule.quota {
            let taken = self.look(key, rule, now, cost);
            return if taken.allowed { Ok((taken, Charge::NOTHING)) } else { Err(taken) };
        }
        let map = self.table.shard(key.hash()).pin();
        loop {
            let entry = map.get(key).unwrap_or_else(|| {
                let account = self.table.accounts.of(key.namespace());
                self.table.make_room(key.hash(), &account, now);
                match map.try_insert_with(key.into_key(&account), || Entry::Limit(Limit::new(rule, now))) {
                    Ok(entry) => {
                        self.table.accounts.book(&account, bytes(key.weight()));
                        entry
                    }
                    Err(entry) => entry,
                }
            });
            if let Some(outcome) = entry.as_limit().and_then(|limit| limit.charge(rule, now, cost)) {
                return outcome;
            }
            // The sweep has retired it, and may not yet have come to removing it.
            let removed = map.remove_if(key, |_, entry| entry.as_limit().is_none_or(Limit::is_retired));
            if let Ok(Some((key, entry))) = removed {
                self.table.gone(key, entry);
            }
        }
    }

    fn refund(&self, key: &KeyRef<'_>, rule: &Rule, charge: Charge) {
        let map = self.table.shard(key.hash()).pin();
        if let Some(limit) = map.get(key).and_then(Entry::as_limit) {
            limit.refund(rule, charge);
        }
    }

    /// A value, unless it has expired. A counter reads as its decimal digits.
    pub(crate) fn get(&self, now: u64, namespace: &str, key: &[u8]) -> Option<Arc<[u8]>> {
        let key = self.key(namespace, key, None).ok()?;
        let map = self.table.shard(key.hash()).pin();
        map.get(&key).and_then(Entry::as_value).and_then(|value| value.bytes(now))
    }

    /// Sets a value, for good or for `ttl`.
    pub(crate) fn set(
        &self,
        now: u64,
        namespace: &str,
        key: &[u8],
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), StoreError> {
        if value.len() > self.max_value {
            return Err(StoreError::ValueTooLarge);
        }
        let key = self.key(namespace, key, None)?;
        let map = self.table.shard(key.hash()).pin();
        let accounts = &self.table.accounts;
        let account = accounts.of(namespace);
        let whole = |entry: &Entry| bytes(key.weight() + entry.weight());
        let new = Entry::Value(Value::text(value, now, ttl));
        let weight = whole(&new);
        let old = map.get(&key);
        // Booked before it is asked for, so that those who set at the same instant do not all find room.
        let more = (weight - old.map_or(0, whole)).max(0);
        accounts.book(&account, more);
        if more > 0 && !accounts.keeps_to_share(&account) {
            accounts.book(&account, -more);
            return Err(StoreError::Full);
        }
        if old.is_none() {
            self.table.make_room(key.hash(), &account, now);
        }
        let replaced = map.insert(key.into_key(&account), new).map_or(0, whole);
        accounts.book(&account, weight - replaced - more);
        Ok(())
    }

    /// Removes a value; whether there was one.
    pub(crate) fn delete(&self, now: u64, namespace: &str, key: &[u8]) -> bool {
        let Ok(key) = self.key(namespace, key, None) else { return false };
        let map = self.table.shard(key.hash()).pin();
        let Some((key, entry)) = map.remove_entry(&key) else { return false };
        self.table.gone(key, entry);
        entry.as_value().is_some_and(|value| !value.has_expired(now))
    }

    /// Adds to a counter and returns its new value, held at the ends of `i64`.
    ///
    /// A counter that does not exist begins at 0 and gets `ttl`; later additions do not prolong it.
    pub(crate) fn add(
        &self,
        now: u64,
        namespace: &str,
        key: &[u8],
        delta: i64,
        ttl: Option<Duration>,
    ) -> Result<i64, StoreError> {
        let key = self.key(namespace, key, None)?;
        let map = self.table.shard(key.hash()).pin();
        let account = self.table.accounts.of(namespace);
        if !map.contains_key(&key) {
            self.table.make_room(key.hash(), &account, now);
        }
        let change = map.compute(key.into_key(&account), |entry| {
            let value = entry.and_then(|(_, entry)| entry.as_value());
            match value.filter(|value| !value.has_expired(now)) {
                None => Operation::Insert(Entry::Value(Value::number(delta, now, ttl))),
                Some(value) => match value.plus(delta) {
                    Some(sum) => Operation::Insert(Entry::Value(sum)),
                    None => Operation::Abort(StoreError::NotANumber),
                },
            }
        });
        let more = match &change {
            Compute::Inserted(_, entry) => bytes(key.weight() + entry.weight()),
            Compute::Updated { old: (_, old), new: (_, new) } => bytes(new.weight()) - bytes(old.weight()),
            Compute::Removed(..) | Compute::Aborted(_) => 0,
        };
        self.table.accounts.book(&account, more);
        match change {
            Compute::Inserted(_, entry) | Compute::Updated { new: (_, entry), .. } => {
                entry.as_value().and_then(Value::as_number).ok_or(StoreError::NotANumber)
            }
            Compute::Removed(..) => Err(StoreError::NotANumber),
            Compute::Aborted(error) => Err(error),
        }
    }

    /// The value under a key, or the lead in making it among all who ask for it, or neither after `wait`.
    pub(crate) async fn lead(
        &self,
        now: impl Fn() -> u64,
        namespace: &str,
        key: &[u8],
        lease: Duration,
        wait: Duration,
    ) -> Lead<Arc<[u8]>> {
        let deadline = tokio::time::Instant::now() + wait.min(MAX_FLIGHT);
        self.flights.lead(namespace, key, lease, deadline, || self.get(now(), namespace, key)).await
    }

    /// Ends a lead, with a value under the key or without; whether there was one.
    pub(crate) fn release(&self, namespace: &str, key: &[u8]) -> bool {
        self.flights.end(namespace, key)
    }

    /// Removes what has expired and returns how much that was. To be called every few seconds, off the
    /// workers.
    pub(crate) fn sweep(&self, now: u64) -> usize {
        self.flights.sweep();
        self.table.sweep(now)
    }

    /// Entries held, expired ones included.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    fn key<'a>(
        &self,
        namespace: &'a str,
        key: &'a [u8],
        rule: Option<Rule>,
    ) -> Result<KeyRef<'a>, StoreError> {
        if key.len() > MAX_KEY {
            return Err(StoreError::KeyTooLong);
        }
        Ok(KeyRef::new(&self.hasher, namespace, key, rule))
    }
}
