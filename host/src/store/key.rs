//! Names of entries: hashed once, and looked up without being copied.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use papaya::Equivalent;

use super::account::Account;
use super::limit::Rule;

/// The name of an entry. Values have no rule, and only what is held has a holder.
#[derive(Debug)]
pub(super) struct Key {
    hash: u64,
    /// Namespace, key and holder, one after the other.
    bytes: Box<[u8]>,
    /// Bytes of the namespace, and of the holder.
    split: (u32, u32),
    rule: Option<Rule>,
    /// The namespace's.
    account: Arc<Account>,
}

/// A [`Key`] that borrows.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRef<'a> {
    hash: u64,
    namespace: &'a str,
    key: &'a [u8],
    rule: Option<Rule>,
    holder: &'a [u8],
}

impl<'a> KeyRef<'a> {
    /// Hashes with a secret, because clients choose keys.
    pub(super) fn new(
        hasher: &RandomState,
        namespace: &'a str,
        key: &'a [u8],
        rule: Option<Rule>,
        holder: &'a [u8],
    ) -> Self {
        Self { hash: hasher.hash_one((namespace, key, rule, holder)), namespace, key, rule, holder }
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) const fn namespace(&self) -> &'a str {
        self.namespace
    }

    /// Bytes of the key that it becomes.
    pub(super) const fn weight(&self) -> usize {
        self.namespace.len() + self.key.len() + self.holder.len()
    }

    fn split(&self) -> (u32, u32) {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        (length(self.namespace.as_bytes()), length(self.holder))
    }

    /// `account` is the namespace's.
    pub(super) fn into_key(self, account: &Arc<Account>) -> Key {
        let bytes = [self.namespace.as_bytes(), self.key, self.holder].concat().into();
        let account = Arc::clone(account);
        Key { hash: self.hash, bytes, split: self.split(), rule: self.rule, account }
    }
}

impl Key {
    pub(super) const fn rule(&self) -> Option<&Rule> {
        self.rule.as_ref()
    }

    pub(super) const fn weight(&self) -> usize {
        self.bytes.len()
    }

    pub(super) const fn account(&self) -> &Arc<Account> {
        &self.account
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        (self.hash, self.split, self.rule) == (other.hash, other.split, other.rule)
            && self.bytes == other.bytes
    }
}

impl Eq for Key {}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        let rest = key.bytes.strip_prefix(self.namespace.as_bytes());
        self.hash == key.hash
            && self.rule == key.rule
            && self.split() == key.split
            && rest.and_then(|rest| rest.strip_suffix(self.holder)) == Some(self.key)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Passes on the hash that a key carries.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Carried(u64);

impl Hasher for Carried {
    fn write(&mut self, bytes: &[u8]) {
        // Keys write one `u64`; this is for completeness.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
