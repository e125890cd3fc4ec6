//! Who gives way when a shard is full.

use std::collections::HashMap;
use std::sync::Arc;

use super::account::Account;
use super::key::Key;
use super::table::Entry;

/// How many entries of a shard each namespace holds, and gives up.
#[derive(Debug, Default)]
pub(super) struct Shares(HashMap<*const Account, Share>);

/// What may be dropped at any time goes before what is to stay.
#[derive(Debug, Default)]
struct Share {
    evictable: Part,
    staying: Part,
}

#[derive(Debug, Default)]
struct Part {
    holds: usize,
    gives: usize,
    /// Between two that are given up.
    passed: usize,
}

impl Shares {
    pub(super) fn of<'a>(entries: impl Iterator<Item = (&'a Key, &'a Entry)>) -> Self {
        let mut shares: HashMap<_, Share> = HashMap::new();
        for (key, entry) in entries {
            shares.entry(Arc::as_ptr(key.account())).or_default().part(entry).holds += 1;
        }
        Self(shares)
    }

    /// Those that hold most give up `excess` entries together: none gets below what it would leave another.
    pub(super) fn level(mut self, excess: usize) -> Self {
        let level = level(self.0.values().map(Share::holds).collect(), excess);
        for share in self.0.values_mut() {
            share.give(share.holds().saturating_sub(level));
        }
        self
    }

    /// One alone gives up a part of what it holds.
    pub(super) fn thin(mut self, account: &Arc<Account>, part: usize) -> Self {
        if let Some(share) = self.0.get_mut(&Arc::as_ptr(account)) {
            share.give(share.holds().div_ceil(part));
        }
        self
    }

    /// Whether this one goes, asked of each entry in the table's order. What a namespace gives is spread
    /// evenly over the table: the map resizes without end once one part of it is crowded and the rest is empty.
    pub(super) fn gives(&mut self, key: &Key, entry: &Entry) -> bool {
        let Some(share) = self.0.get_mut(&Arc::as_ptr(key.account())) else { return false };
        let part = share.part(entry);
        part.passed += part.gives;
        let goes = part.gives > 0 && part.passed >= part.holds;
        if goes {
            part.passed -= part.holds;
        }
        goes
    }
}

impl Share {
    const fn holds(&self) -> usize {
        self.evictable.holds + self.staying.holds
    }

    fn part(&mut self, entry: &Entry) -> &mut Part {
        if entry.is_evictable() { &mut self.evictable } else { &mut self.staying }
    }

    fn give(&mut self, count: usize) {
        self.evictable.gives = count.min(self.evictable.holds);
        self.staying.gives = count - self.evictable.gives;
    }
}

/// The height that the highest are cut down to, so that `excess` goes.
fn level(mut heights: Vec<usize>, excess: usize) -> usize {
    heights.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0;
    for (index, height) in heights.iter().enumerate() {
        let count = index + 1;
        sum += height;
        let next = heights.get(count).copied().unwrap_or(0);
        if sum - count * next >= excess {
            return (sum - excess) / count;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;
    use proptest::{collection, prop_assert};

    use super::level;

    proptest! {
        #[test]
        fn enough_is_cut_from_the_highest_and_hardly_more(
            heights in collection::vec(0_usize..500, 1..20),
            excess in 1_usize..3000,
        ) {
            let all: usize = heights.iter().sum();
            let level = level(heights.clone(), excess);
            let cut: usize = heights.iter().map(|height| height.saturating_sub(level)).sum();
            prop_assert!(cut >= excess.min(all), "{cut} at {level}");
            prop_assert!(cut < excess + heights.len(), "{cut} at {level}");
        }
    }
}
