//! A count in one word, with the number of the window that it belongs to.

use std::sync::atomic::{AtomicU64, Ordering};

use super::limit::{MAX_SKEW_NS, RETIRED};

/// Bits that count; the others say which window.
const COUNT_BITS: u32 = 40;
const TAG_MASK: u64 = u64::MAX >> COUNT_BITS;

/// The most that a word counts. One more than it, in the last window, would look retired.
pub(super) const MAX_COUNT: u64 = (1 << COUNT_BITS) - 2;

pub(super) const fn pack(window: u64, count: u64) -> u64 {
    (window & TAG_MASK) << COUNT_BITS | count
}

/// How many windows the word's lies after `window`; negative if before. Words are swept long before this
/// wraps.
pub(super) const fn ahead(word: u64, window: u64) -> i64 {
    let difference = (word >> COUNT_BITS).wrapping_sub(window) & TAG_MASK;
    (difference << COUNT_BITS).cast_signed() >> COUNT_BITS
}

pub(super) const fn count(word: u64) -> u64 {
    word & (u64::MAX >> (64 - COUNT_BITS))
}

/// By how many windows the newest of `words` is ahead of `window`, if the worker that wrote it may only have
/// another clock. Further than that, this one was set back and the word is void.
pub(super) fn newest(words: &[u64], window: u64, window_ns: u64) -> Option<u64> {
    let skew = i64::try_from(MAX_SKEW_NS / window_ns).unwrap_or(i64::MAX).max(1);
    let ahead = words.iter().map(|&word| ahead(word, window)).filter(|ahead| (1..=skew).contains(ahead));
    ahead.max().map(i64::unsigned_abs)
}

/// Takes `back` from what the word counts of `window`, as far as there is so much.
pub(super) fn take_back(slot: &AtomicU64, window: u64, back: u64) {
    let _ = slot.fetch_update(Ordering::SeqCst, Ordering::Acquire, |word| {
        let same = word != RETIRED && ahead(word, window) == 0;
        same.then(|| pack(window, count(word).saturating_sub(back)))
    });
}
