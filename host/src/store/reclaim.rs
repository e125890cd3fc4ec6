//! Making room among the values of one namespace that may be dropped at any time.

use std::sync::Arc;

use papaya::Equivalent as _;

use super::account::Account;
use super::key::KeyRef;
use super::table::{Entry, Map, PART, Table, bytes};
use super::value::Value;

/// How often room is made for one value. Others may have taken it before it is looked at, where the thread was not running meanwhile.
const ROUNDS: usize = 16;

impl Table {
    /// Makes a namespace keep to its share of bytes; whether it does then.
    ///
    /// What has expired goes first, then what it may lose. Nothing goes if all of that is not enough. The value of
    /// `own`, which is about to be replaced, stays.
    pub(super) fn reclaim(&self, own: &KeyRef<'_>, account: &Arc<Account>, now: u64) -> bool {
        if self.accounts.keeps_to_share(account) {
            return true;
        }
        // Keys choose where it begins, so that every part of the table has its turn.
        let (before, from) = self.shards.split_at(self.index(own.hash()));
        let shards = from.iter().chain(before);
        for shard in std::iter::repeat_n(shards, ROUNDS).flatten() {
            self.sweep_shard(shard, now);
            let excess = self.accounts.excess(account);
            if excess == 0 {
                return true;
            }
            if account.evictable() < excess {
                return false;
            }
            self.drop_some(shard, own, account, excess, 0);
        }
        self.accounts.keeps_to_share(account)
    }

    /// Makes sure that one more entry fits, that of `own`, at nobody else's cost; whether it does then.
    pub(super) fn make_room_of_own(&self, own: &KeyRef<'_>, account: &Arc<Account>, now: u64) -> bool {
        let shard = self.shard(own.hash());
        for _ in 0..ROUNDS {
            if shard.len() < self.capacity {
                return true;
            }
            self.sweep_shard(shard, now);
            let excess = (shard.len() + 1).saturating_sub(self.capacity);
            if excess > 0 && (account.evictable() <= 0 || !self.drop_some(shard, own, account, 0, excess)) {
                break;
            }
        }
        shard.len() < self.capacity
    }

    /// Drops some of what a namespace may lose in a shard, those that end soonest: so many bytes, so many entries and
    /// a part of all of them at least, so that the next that are set need not look again. Whether there was any.
    fn drop_some(
        &self,
        shard: &Map,
        own: &KeyRef<'_>,
        account: &Arc<Account>,
        size: i64,
        count: usize,
    ) -> bool {
        let map = shard.pin();
        let mut found: Vec<_> = map
            .iter()
            .filter(|(key, _)| Arc::ptr_eq(key.account(), account) && !own.equivalent(key))
            .filter(|(_, entry)| entry.is_evictable())
            .map(|(key, entry)| (entry.as_value().map_or(0, Value::end), key))
            .collect();
        found.sort_unstable_by_key(|(end, _)| *end);
        let is_any = !found.is_empty();
        let least = count.max(found.len().div_ceil(PART));
        let (mut dropped, mut freed) = (0, 0);
        for (_, key) in found {
            if dropped >= least && freed >= size {
                break;
            }
            // What has been set in its place meanwhile may be to stay.
            if let Ok(Some((key, entry))) = map.remove_if(key, |_, entry| Entry::is_evictable(entry)) {
                dropped += 1;
                freed += bytes(key.weight() + entry.weight());
                self.gone(key, entry);
            }
        }
        is_any
    }
}
