//! The 1,000 API keys: the same in every run, so that runs compare.

use aws_lc_rs::hmac;
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

/// What Sluice keeps its credentials under, as in `bench/peers/sluice/`.
pub(crate) const PEPPER: &str = "pepper-of-the-benchmark";

/// The digest that Sluice knows a credential by.
pub(crate) fn digest(credential: &str) -> String {
    let pepper = hmac::Key::new(hmac::HMAC_SHA256, PEPPER.as_bytes());
    hex(hmac::sign(&pepper, credential.as_bytes()).as_ref())
}
