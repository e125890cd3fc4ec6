//! Counters and values that all workers share and that outlive a snapshot. In memory; bounded; without locks.
//!
//! Time is an argument: nanoseconds since the Unix epoch, which may step back.

mod account;
mod concurrency;
mod fair;
mod fixed;
mod flight;
mod gcra;
mod key;
mod limit;
mod reclaim;
pub(crate) mod remote;
mod sliding;
mod stores;
mod table;
mod tagged;
mod taking;
mod value;

#[cfg(test)]
mod tests;

use std::hash::RandomState;
use std::sync::Arc;
use std::time::Duration;

use papaya::{Compute, Operation};

use crate::config;
use flight::Flights;
pub(crate) use flight::Lead;
use key::KeyRef;
pub(crate) use stores::{StoreFailure, Stores};
use table::{Entry, Table, bytes};
pub(crate) use value::NewValue;
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
/// that a new counter or limit takes the room of others of its namespace, and a new value that of those that may be
/// dropped; if there is not enough of them, [`set`](Self::set) refuses.
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

    /// A value, unless it has expired. A counter reads as its decimal digits.
    pub(crate) fn get(&self, now: u64, namespace: &str, key: &[u8]) -> Option<Arc<[u8]>> {
        let key = self.key(namespace, key).ok()?;
        let map = self.table.shard(key.hash()).pin();
        map.get(&key).and_then(Entry::as_value).and_then(|value| value.bytes(now))
    }

    /// Sets a value. One that may be dropped makes others of its namespace give way that may be dropped too, and
    /// nothing else.
    pub(crate) fn set(
        &self,
        now: u64,
        namespace: &str,
        key: &[u8],
        value: NewValue<'_>,
    ) -> Result<(), StoreError> {
        if value.bytes.len() > self.max_value {
            return Err(StoreError::ValueTooLarge);
        }
        let key = self.key(namespace, key)?;
        let map = self.table.shard(key.hash()).pin();
        let accounts = &self.table.accounts;
        let account = accounts.of(namespace);
        let whole = |entry: &Entry| bytes(key.weight() + entry.weight());
        let evictable = |entry: &Entry| if entry.is_evictable() { whole(entry) } else { 0 };
        let new = Entry::Value(Value::new(value, now));
        let (weight, droppable) = (whole(&new), evictable(&new));
        // What has expired may be swept any time, and then gives no room of its own.
        let old = map.get(&key).filter(|old| old.as_value().is_some_and(|old| !old.has_expired(now)));
        // Booked before it is asked for, so that those who set at the same instant do not all find room.
        let more = (weight - old.map_or(0, whole)).max(0);
        accounts.book(&account, more);
        let mut has_room = more == 0 || self.table.reclaim(&key, &account, now);
        if has_room && old.is_none() {
            if value.evictable {
                has_room = self.table.make_room_of_own(&key, &account, now);
            } else {
                self.table.make_room(key.hash(), &account, now);
            }
        }
        if !has_room {
            accounts.book(&account, -more);
            return Err(StoreError::Full);
        }
        let replaced = map.insert(key.into_key(&account), new);
        accounts.book(&account, weight - replaced.map_or(0, whole) - more);
        account.book_evictable(droppable - replaced.map_or(0, evictable));
        Ok(())
    }

    /// Removes a value; whether there was one.
    pub(crate) fn delete(&self, now: u64, namespace: &str, key: &[u8]) -> bool {
        let Ok(key) = self.key(namespace, key) else { return false };
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
        let key = self.key(namespace, key)?;
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
        if let Compute::Updated { old: (_, old), .. } = &change
            && old.is_evictable()
        {
            account.book_evictable(-bytes(key.weight() + old.weight()));
        }
        match change {
            Compute::Inserted(_, entry) | Compute::Updated { new: (_, entry), .. } => {
                entry.as_value().and_then(Value::as_number).ok_or(StoreError::NotANumber)
            }
            Compute::Removed(..) => Err(StoreError::NotANumber),
            Compute::Aborted(error) => Err(error),
        }
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

    /// A value's.
    fn key<'a>(&self, namespace: &'a str, key: &'a [u8]) -> Result<KeyRef<'a>, StoreError> {
        if key.len() > MAX_KEY {
            return Err(StoreError::KeyTooLong);
        }
        Ok(KeyRef::new(&self.hasher, namespace, key, None, &[]))
    }
}
