//! Randomness fit for keys. Capability `random`.

use crate::host::{self, raw};

/// Fills the bytes.
///
/// # Panics
/// If the host has no randomness: to go on without it would be worse.
pub fn fill(bytes: &mut [u8]) {
    host::done("fill with randomness", raw::random_fill(bytes)).unwrap_or_else(|error| panic!("{error}"));
}

/// So many random bytes.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// A random number.
#[must_use]
pub fn number() -> u64 {
    u64::from_le_bytes(bytes())
}
