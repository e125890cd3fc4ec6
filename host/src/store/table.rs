//! The bounded table under the store: shards of a lock-free map, so that making room looks at a few thousand
//! entries.

use std::hash::BuildHasherDefault;

use super::key::{Carried, Key};
use super::limit::Limit;
use super::value::Value;

/// Entries of a shard: few enough that scanning them takes some tens of microseconds.
const SHARD: usize = 4096;

const MOST_SHARDS: usize = 256;

/// A full shard gives up this part of its entries at once.
const SHARE: usize = 16;

pub(super) type Map = papaya::HashMap<Key, Entry, BuildHasherDefault<Carried>>;

/// What a key stands for.
#[derive(Debug)]
pub(super) enum Entry {
    Limit(Limit),
    Value(Value),
}

impl Entry {
    pub(super) const fn as_limit(&self) -> Option<&Limit> {
        match self {
            Self::Limit(limit) => Some(limit),
            Self::Value(_) => None,
        }
    }

    pub(super) const fn as_value(&self) -> Option<&Value> {
        match self {
            Self::Limit(_) => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Whether nobody would miss it. A limit is retired by asking, so that no take is lost with it.
    fn is_done(&self, key: &Key, now: u64) -> bool {
        match (self, key.rule()) {
            (Self::Limit(limit), Some(rule)) => limit.retire(rule, now),
            (Self::Limit(_), None) => true,
            (Self::Value(value), _) => value.has_expired(now),
        }
    }
}

/// All entries.
#[derive(Debug)]
pub(super) struct Table {
    shards: Box<[Map]>,
    /// Of each shard.
    capacity: usize,
}

impl Table {
    /// At most `entries`, and one for each thread that inserts at the same instant.
    pub(super) fn new(entries: usize) -> Self {
        let entries = entries.max(1);
        let count = (entries / SHARD).clamp(1, MOST_SHARDS);
        Self { shards: (0..count).map(|_| Map::default()).collect(), capacity: entries / count }
    }

    /// The shard of a hash. The map uses the low bits and the top seven, so these come from between.
    pub(super) fn shard(&self, hash: u64) -> &Map {
        let middle = usize::from((hash >> 40) as u16);
        &self.shards[middle % self.shards.len()]
    }

    /// Makes sure that one more entry fits, that of `hash`.
    pub(super) fn make_room(&self, hash: u64, now: u64) {
        let shard = self.shard(hash);
        if shard.len() < self.capacity {
            return;
        }
        sweep(shard, now);
        // Some at once, so that the next insertions need not scan again.
        let target = self.capacity - (self.capacity / SHARE).max(1);
        let excess = shard.len().saturating_sub(target);
        if excess == 0 {
            return;
        }
        // Evenly over the table: the map resizes without end once one part of it is crowded and the rest is
        // empty.
        let step = (shard.len() / excess).max(1);
        let start = usize::from(hash as u16) % step;
        let map = shard.pin();
        for key in map.keys().skip(start).step_by(step) {
            map.remove(key);
        }
    }

    pub(super) fn sweep(&self, now: u64) -> usize {
        self.shards.iter().map(|shard| sweep(shard, now)).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(papaya::HashMap::len).sum()
    }
}

fn sweep(shard: &Map, now: u64) -> usize {
    let map = shard.pin();
    let done = map.iter().filter(|(key, entry)| entry.is_done(key, now));
    done.filter(|(key, _)| {
        // It may have been replaced since: what is there now is asked again.
        matches!(map.remove_if(*key, |key, entry| entry.is_done(key, now)), Ok(Some(_)))
    })
    .count()
}
