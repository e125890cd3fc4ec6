//! Takes from a limit, without a plugin around them.

use sluice_abi::Take;

use crate::config;
use crate::store::MemoryStore;
use crate::wasm::Clock;

/// A store and what is taken from it.
pub struct Takes {
    store: MemoryStore,
    clock: Clock,
    take: Take,
}

impl Takes {
    /// An empty store, and one limit to take from.
    pub fn new(take: Take) -> Self {
        Self { store: MemoryStore::new(&config::Store::default()), clock: Clock::System, take }
    }

    /// Takes once. The time is read for it, as for a plugin.
    pub fn take(&self) {
        let taken = self.store.take(self.clock.now_ns(), "guest", std::slice::from_ref(&self.take));
        assert!(taken.is_ok_and(|taken| taken[0].allowed), "the limit is larger than any run");
    }
}
