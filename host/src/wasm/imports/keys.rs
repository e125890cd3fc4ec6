//! Keys behind handles: what a plugin imported or was granted.

use std::sync::Arc;

use sluice_keys::PublicKey;

/// A key that a handle stands for.
pub(in crate::wasm) enum Key {
    /// A shared secret for HMAC.
    Secret(Vec<u8>),
    /// A public key for verifying.
    Public(Arc<PublicKey>),
}

/// The keys of one instance, by handle.
#[derive(Default)]
pub(in crate::wasm) struct Keys {
    keys: Vec<Key>,
    /// So many belong to the configuration.
    kept: usize,
}

/// Keys that one instance can hold.
const MAX_KEYS: usize = 1024;

/// Bytes that they can have together.
const MAX_BYTES: usize = 1 << 20;

impl Keys {
    /// The handle of a new key, unless there are too many.
    pub(super) fn add(&mut self, key: Key) -> Option<i32> {
        let bytes: usize = self.keys.iter().map(Key::bytes).sum();
        if self.keys.len() >= MAX_KEYS || bytes + key.bytes() > MAX_BYTES {
            return None;
        }
        self.keys.push(key);
        i32::try_from(self.keys.len() - 1).ok()
    }

    /// The key of a handle.
    pub(super) fn get(&self, handle: i32) -> Option<&Key> {
        self.keys.get(usize::try_from(handle).ok()?)
    }

    /// Those that there are belong to the configuration.
    pub(in crate::wasm) fn keep(&mut self) {
        self.kept = self.keys.len();
    }

    /// A call has ended: those that it added go.
    pub(in crate::wasm) fn forget_later(&mut self) {
        self.keys.truncate(self.kept);
    }
}

impl Key {
    fn bytes(&self) -> usize {
        match self {
            Self::Secret(bytes) => bytes.len(),
            Self::Public(key) => key.size(),
        }
    }
}
