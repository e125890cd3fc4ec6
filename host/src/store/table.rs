//! The bounded table under the store: shards of a lock-free map, so that making room looks at a few thousand
//! entries.

use std::hash::BuildHasherDefault;
use std::sync::Arc;

use super::account::{Account, Accounts};
use super::concurrency::Hold;
use super::fair::Shares;
use super::key::{Carried, Key};
use super::limit::Limit;
use super::value::Value;

/// Entries of a shard: few enough that scanning them takes some tens of microseconds.
const SHARD: usize = 4096;

const MOST_SHARDS: usize = 256;

/// A full shard gives up this part of its entries at once, and so does a namespace that holds too many bytes.
pub(super) const PART: usize = 16;

pub(super) type Map = papaya::HashMap<Key, Entry, BuildHasherDefault<Carried>>;

/// What a key stands for.
#[derive(Debug)]
pub(super) enum Entry {
    Limit(Limit),
    /// Units of a limit, by holder.
    Hold(Hold),
    Value(Value),
}

impl Entry {
    pub(super) const fn as_limit(&self) -> Option<&Limit> {
        match self {
            Self::Limit(limit) => Some(limit),
            Self::Hold(_) | Self::Value(_) => None,
        }
    }

    pub(super) const fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Limit(_) | Self::Hold(_) => None,
            Self::Value(value) => Some(value),
        }
    }

    pub(super) const fn as_hold(&self) -> Option<&Hold> {
        match self {
            Self::Hold(hold) => Some(hold),
            Self::Limit(_) | Self::Value(_) => None,
        }
    }

    /// Bytes beside the entry itself and its key.
    pub(super) fn weight(&self) -> usize {
        self.as_value().map_or(0, Value::weight)
    }

    pub(super) fn is_evictable(&self) -> bool {
        self.as_value().is_some_and(Value::is_evictable)
    }

    /// Whether nobody would miss it. A limit is retired by asking, so that no take is lost with it.
    fn is_done(&self, key: &Key, now: u64) -> bool {
        match (self, key.rule()) {
            (Self::Limit(limit), Some(rule)) => limit.retire(rule, now),
            (Self::Limit(_), None) => true,
            (Self::Hold(hold), _) => hold.has_ended(now),
            (Self::Value(value), _) => value.has_expired(now),
        }
    }
}

/// All entries.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) shards: Box<[Map]>,
    /// Of each shard.
    pub(super) capacity: usize,
    pub(super) accounts: Accounts,
}

impl Table {
    /// At most `entries`, and one for each thread that inserts at the same instant; their keys and values at
    /// most `bytes`.
    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let entries = entries.max(1);
        let count = (entries / SHARD).clamp(1, MOST_SHARDS);
        let shards = (0..count).map(|_| Map::default()).collect();
        Self { shards, capacity: entries / count, accounts: Accounts::new(bytes) }
    }

    /// The shard of a hash. The map uses the low bits and the top seven, so these come from between.
    pub(super) fn shard(&self, hash: u64) -> &Map {
        &self.shards[self.index(hash)]
    }

    pub(super) fn index(&self, hash: u64) -> usize {
        usize::from((hash >> 40) as u16) % self.shards.len()
    }

    /// Makes sure that one more entry fits, that of `hash`.
    ///
    /// What has expired goes first. Then those give way that hold most of the shard, where keys of all lie
    /// evenly mixed: a namespace that floods throws out its own. One that holds more bytes than its share
    /// gives way alone.
    pub(super) fn make_room(&self, hash: u64, account: &Arc<Account>, now: u64) {
        let shard = self.shard(hash);
        let keeps_to_share = self.accounts.keeps_to_share(account);
        if shard.len() < self.capacity && keeps_to_share {
            return;
        }
        self.sweep_shard(shard, now);
        // Some at once, so that the next insertions need not scan again.
        let target = self.capacity - (self.capacity / PART).max(1);
        let excess = shard.len().saturating_sub(target);
        if excess > 0 {
            self.evict(shard, |shares| shares.level(excess));
        } else if !self.accounts.keeps_to_share(account) {
            self.evict(shard, |shares| shares.thin(account, PART));
        }
    }

    fn evict(&self, shard: &Map, decide: impl FnOnce(Shares) -> Shares) {
        let map = shard.pin();
        let mut shares = decide(Shares::of(map.iter()));
        for (key, _) in map.iter().filter(|(key, entry)| shares.gives(key, entry)) {
            if let Some((key, entry)) = map.remove_entry(key) {
                self.gone(key, entry);
            }
        }
    }

    /// Books that this entry was removed.
    pub(super) fn gone(&self, key: &Key, entry: &Entry) {
        let weight = bytes(key.weight() + entry.weight());
        self.accounts.book(key.account(), -weight);
        if entry.is_evictable() {
            key.account().book_evictable(-weight);
        }
    }

    pub(super) fn sweep(&self, now: u64) -> usize {
        self.shards.iter().map(|shard| self.sweep_shard(shard, now)).sum()
    }

    pub(super) fn sweep_shard(&self, shard: &Map, now: u64) -> usize {
        let map = shard.pin();
        let done = map.iter().filter(|(key, entry)| entry.is_done(key, now));
        done.filter(|(key, _)| {
            // It may have been replaced since: what is there now is asked again.
            let Ok(Some((key, entry))) = map.remove_if(*key, |key, entry| entry.is_done(key, now)) else {
                return false;
            };
            self.gone(key, entry);
            true
        })
        .count()
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(papaya::HashMap::len).sum()
    }

    /// The bytes of what there is, and of what may be dropped of it, by account: what the books should say.
    #[cfg(test)]
    pub(super) fn weigh(&self) -> std::collections::HashMap<*const Account, (i64, i64)> {
        let mut weights = std::collections::HashMap::<_, (i64, i64)>::new();
        for shard in &self.shards {
            for (key, entry) in &shard.pin() {
                let weight = bytes(key.weight() + entry.weight());
                let known = weights.entry(Arc::as_ptr(key.account())).or_default();
                known.0 += weight;
                known.1 += if entry.is_evictable() { weight } else { 0 };
            }
        }
        weights
    }
}

/// A number of bytes as it is booked.
pub(super) fn bytes(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
