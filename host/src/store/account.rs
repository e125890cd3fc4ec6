//! Who holds how many bytes: each namespace has an account, and all share one budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What one namespace holds.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Booked before or after the entry itself changes, so for an instant it may be below nothing.
    held: AtomicI64,
    /// So many bytes of it are of values that may be dropped.
    evictable: AtomicI64,
}

/// Every namespace's account. A namespace is a plugin's name, so they stay: there are only as many as were
/// ever configured.
#[derive(Debug)]
pub(super) struct Accounts {
    budget: i64,
    held: AtomicI64,
    by_namespace: papaya::HashMap<Box<str>, Arc<Account>>,
}

impl Accounts {
    pub(super) fn new(budget: usize) -> Self {
        let budget = i64::try_from(budget).unwrap_or(i64::MAX);
        Self { budget, held: AtomicI64::new(0), by_namespace: papaya::HashMap::new() }
    }

    pub(super) fn of(&self, namespace: &str) -> Arc<Account> {
        let accounts = self.by_namespace.pin();
        if let Some(account) = accounts.get(namespace) {
            return Arc::clone(account);
        }
        Arc::clone(accounts.get_or_insert_with(namespace.into(), Arc::default))
    }

    /// So many bytes more, or fewer.
    pub(super) fn book(&self, account: &Account, bytes: i64) {
        if bytes != 0 {
            account.held.fetch_add(bytes, Ordering::Relaxed);
            self.held.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Whether a namespace keeps to its share: no more than all of them leave free. One that floods stops
    /// at half of the budget, a second one at a third, and others still find room.
    pub(super) fn keeps_to_share(&self, account: &Account) -> bool {
        self.excess(account) == 0
    }

    /// How many bytes a namespace has to give up so that it keeps to its share.
    pub(super) fn excess(&self, account: &Account) -> i64 {
        let free = self.budget - self.held.load(Ordering::Relaxed);
        let over = account.held.load(Ordering::Relaxed) - free;
        // Each that goes is held less, and is free.
        (over + 1).max(0) / 2
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> i64 {
        self.held.load(Ordering::Relaxed)
    }
}

impl Account {
    /// So many bytes more, or fewer, of what is booked may be dropped.
    pub(super) fn book_evictable(&self, bytes: i64) {
        if bytes != 0 {
            self.evictable.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn evictable(&self) -> i64 {
        self.evictable.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> i64 {
        self.held.load(Ordering::Relaxed)
    }
}
