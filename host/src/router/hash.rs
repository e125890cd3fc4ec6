//! A hash for tables that only the configuration fills.
//!
//! A client chooses what is looked up, never what is stored, so it cannot make entries collide and a keyed
//! hash would only cost time.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map from texts of the configuration.
pub(super) type TextMap<V> = HashMap<Box<str>, V, BuildHasherDefault<TextHasher>>;

/// Multiply and fold, eight bytes at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TextHasher(u64);

/// 2^64 divided by the golden ratio: odd, and without a pattern in its bits.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

impl TextHasher {
    fn mix(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word) * u128::from(FACTOR);
        let folded = (wide as u64) ^ ((wide >> 64) as u64);
        self.0 = folded;
    }
}

impl Hasher for TextHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length keeps `a` and `a\0` apart, and never leaves the word at zero, where mixing would stand
        // still.
        self.mix(u64::from_le_bytes(last) ^ ((bytes.len() as u64 + 1) << 56));
    }

    /// `str` writes this after its bytes, which matters to composed keys alone.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::TextMap;

    #[test]
    fn numbered_names_spread_over_both_ends_of_the_hash() {
        let map = TextMap::<()>::default();
        let hashes: Vec<u64> = (0..10_000).map(|n| map.hasher().hash_one(&*format!("service-{n}"))).collect();
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xFFFF).collect();
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert_eq!(hashes.iter().collect::<HashSet<_>>().len(), 10_000);
        assert!(low.len() > 9_000, "{} low halves", low.len());
        assert_eq!(high.len(), 128);
    }
}
