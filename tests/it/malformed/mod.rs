//! Requests and responses that are broken, or are meant to break what reads them: each gets a clear error, and the next request is
//! served.

mod connect;
mod graphql;
mod soap;

use crate::harness::Gateway;

/// What a bomb becomes when it goes off, and more than a gateway may take for it.
const BOMB: usize = 64 << 20;

/// So many bytes of it, compressed.
fn bomb(byte: u8) -> Vec<u8> {
    crate::transforms::gzip(&["-9"], &vec![byte; BOMB])
}

/// Holds memory to a bound while this goes on.
#[track_caller]
fn within_memory(gateway: &Gateway, attempt: impl FnOnce()) {
    let before = gateway.memory();
    attempt();
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < (BOMB / 2) as u64, "{} KiB more", grown >> 10);
}
