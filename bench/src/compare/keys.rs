//! The 1,000 API keys: the same in every run, so that runs compare.

use sha2::{Digest as _, Sha256};

/// So many consumers with a key each.
pub(crate) const COUNT: usize = 1000;

/// `key-` and 32 hexadecimal digits.
pub(crate) fn key(number: usize) -> String {
    let digest = Sha256::digest(format!("bench key {number}"));
    format!("key-{}", hex(&digest[..16]))
}

/// All of them, in order.
pub(crate) fn all() -> impl Iterator<Item = String> {
    (0..COUNT).map(key)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest that Sluice knows a key by.
pub(crate) fn digest(key: &str) -> String {
    hex(&Sha256::digest(key))
}
