//! Who gives way when a shard is full.

use std::collections::HashMap;
use std::sync::Arc;

use super::account::Account;
use super::key::Key;

/// How many entries of a shard each namespace holds, and gives up.
#[derive(Debug, Default)]
pub(super) struct Shares(HashMap<*const Account, Share>);

#[derive(Debug, Default)]
struct Share {
    holds: usize,
    gives: usize,
    /// Between two that are given up.
    passed: usize,
}

impl Shares {
    pub(super) fn of<'a>(keys: impl Iterator<Item = &'a Key>) -> Self {
        let mut shares: HashMap<_, Share> = HashMap::new();
        for key in keys {
            shares.entry(Arc::as_ptr(key.account())).or_default().holds += 1;
        }
        Self(shares)
    }

    /// Those that hold most give up `excess` entries together: none gets below what it would leave another.
    pub(super) fn level(mut self, excess: usize) -> Self {
        let level = level(self.0.values().map(|share| share.holds).collect(), excess);
        for share in self.0.values_mut() {
            share.gives = share.holds.saturating_sub(level);
        }
        self
    }

    /// One alone gives up a part of what it holds.
    pub(super) fn thin(mut self, account: &Arc<Account>, part: usize) -> Self {
        if let Some(share) = self.0.get_mut(&Arc::as_ptr(account)) {
            share.gives = share.holds.div_ceil(part);
        }
        self
    }

    /// Whether this one goes, asked of each key in the table's order. What a namespace gives is spread evenly
    /// over the table: the map resizes without end once one part of it is crowded and the rest is empty.
    pub(super) fn gives(&mut self, key: &Key) -> bool {
        let Some(share) = self.0.get_mut(&Arc::as_ptr(key.account())) else { return false };
        share.passed += share.gives;
        let goes = share.gives > 0 && share.passed >= share.holds;
        if goes {
            share.passed -= share.holds;
        }
        goes
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
