//! The store as plugins reach it: in memory, or on a server with a fallback for the time that it is away.

use std::sync::Arc;
use std::time::Duration;

use sluice_abi::{Algorithm, Mode, Take, Taken};
use tokio::time::Instant;

use super::flight::{Lead, MAX_FLIGHT, Turn};
use super::remote::{Budget, Fallback, RemoteError, RemoteStore};
use super::{MemoryStore, NewValue, StoreError};

/// The stores of the process. A clone is the same ones.
#[derive(Clone)]
pub(crate) struct Stores {
    memory: Arc<MemoryStore>,
    remote: Option<(Arc<RemoteStore>, Fallback)>,
    /// How long one exchange may wait for the server in all.
    patience: Duration,
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreFailure {
    #[error(transparent)]
    Refused(#[from] StoreError),
    /// The server is away, and the operator wants it told.
    #[error("the store's server is away")]
    Unavailable,
}

impl Stores {
    /// Everything in this process.
    pub(crate) const fn local(memory: Arc<MemoryStore>) -> Self {
        Self { memory, remote: None, patience: Duration::ZERO }
    }

    /// On a server, and in this process while that is away and `fallback` says so.
    pub(crate) const fn shared(
        memory: Arc<MemoryStore>,
        remote: Arc<RemoteStore>,
        fallback: Fallback,
        patience: Duration,
    ) -> Self {
        Self { memory, remote: Some((remote, fallback)), patience }
    }

    /// What an exchange may wait.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.patience)
    }

    /// What is in this process.
    pub(crate) const fn memory(&self) -> &Arc<MemoryStore> {
        &self.memory
    }

    /// What is on a server.
    pub(crate) fn remote(&self) -> Option<&Arc<RemoteStore>> {
        self.remote.as_ref().map(|(remote, _)| remote)
    }

    /// Takes from every limit, or from none of them unless all allow.
    ///
    /// While the server is away this process counts in its place, if that is wanted. What it counts then tells
    /// no time at which it is whole (`reset_ms` is 0): it is not where others are counted, and is never given
    /// back there.
    pub(crate) async fn take(
        &self,
        budget: &Budget,
        now: u64,
        namespace: &str,
        takes: &[Take],
    ) -> Result<Vec<Taken>, StoreFailure> {
        let Some((remote, fallback)) = &self.remote else {
            return Ok(self.memory.take(now, namespace, takes)?);
        };
        let answered = remote.take(budget, now, namespace, takes).await;
        let tries = || takes.iter().any(|take| take.mode == Mode::Try);
        match (answered, fallback) {
            (Ok(taken), _) => {
                self.end_holds(now, namespace, takes)?;
                Ok(taken)
            }
            (Err(RemoteError::Refused(error)), _) => Err(error.into()),
            (Err(_), Fallback::Local) => Ok(self.stand_in(now, namespace, takes)?),
            (Err(_), Fallback::Allow) if tries() => {
                let allowed =
                    |take: &Take| Taken { allowed: true, remaining: take.quota, reset_ms: 0, retry_ms: 0 };
                Ok(takes.iter().map(allowed).collect())
            }
            // That it cannot be counted is not that too much was asked for; and what has been used or is given
            // back must not seem to be settled.
            (Err(_), Fallback::Allow | Fallback::Deny) => Err(StoreFailure::Unavailable),
        }
    }

    /// Counts here. Units are not given back, because the server has them: here they would be others'. What
    /// one holder holds is nobody else's.
    fn stand_in(&self, now: u64, namespace: &str, takes: &[Take]) -> Result<Vec<Taken>, StoreError> {
        let here = takes.iter().map(|take| match (take.mode, take.algorithm) {
            (Mode::GiveBack, Algorithm::Gcra | Algorithm::SlidingWindow | Algorithm::FixedWindow) => {
                Take { cost: 0, ..take.clone() }
            }
            _ => take.clone(),
        });
        let mut taken = self.memory.take(now, namespace, &here.collect::<Vec<_>>())?;
        for taken in &mut taken {
            taken.reset_ms = 0;
        }
        Ok(taken)
    }

    /// What was held on the server may have been held here, if it was away meanwhile.
    fn end_holds(&self, now: u64, namespace: &str, takes: &[Take]) -> Result<(), StoreError> {
        let is_hold = |take: &&Take| {
            take.mode == Mode::GiveBack && take.algorithm == Algorithm::Concurrency && !take.holder.is_empty()
        };
        for take in takes.iter().filter(is_hold) {
            self.memory.take(now, namespace, std::slice::from_ref(take))?;
        }
        Ok(())
    }

    /// A value, unless it has expired.
    pub(crate) async fn get(
        &self,
        budget: &Budget,
        now: u64,
        namespace: &str,
        key: &[u8],
    ) -> Result<Option<Arc<[u8]>>, StoreFailure> {
        let Some((remote, _)) = &self.remote else { return Ok(self.memory.get(now, namespace, key)) };
        let found = remote.get(budget, namespace, key).await;
        self.or_local(found, || Ok(self.memory.get(now, namespace, key)))
    }

    /// Sets a value; whoever waits for it has it then.
    pub(crate) async fn set(
        &self,
        budget: &Budget,
        now: u64,
        namespace: &str,
        key: &[u8],
        value: NewValue<'_>,
    ) -> Result<(), StoreFailure> {
        let local = || self.memory.set(now, namespace, key, value);
        let done = match &self.remote {
            None => local().map_err(StoreFailure::from),
            Some((remote, _)) => {
                let done = remote.set(budget, namespace, key, value.bytes, value.ttl).await;
                self.or_local(done, local)
            }
        };
        self.memory.release(namespace, key);
        done
    }

    /// Removes a value; whether there was one.
    pub(crate) async fn delete(
        &self,
        budget: &Budget,
        now: u64,
        namespace: &str,
        key: &[u8],
    ) -> Result<bool, StoreFailure> {
        let Some((remote, _)) = &self.remote else { return Ok(self.memory.delete(now, namespace, key)) };
        let done = remote.delete(budget, namespace, key).await;
        self.or_local(done, || Ok(self.memory.delete(now, namespace, key)))
    }

    /// Adds to a counter and returns its new value.
    pub(crate) async fn add(
        &self,
        budget: &Budget,
        now: u64,
        namespace: &str,
        key: &[u8],
        delta: i64,
        ttl: Option<Duration>,
    ) -> Result<i64, StoreFailure> {
        let local = || self.memory.add(now, namespace, key, delta, ttl);
        let Some((remote, _)) = &self.remote else { return Ok(local()?) };
        let done = remote.add(budget, namespace, key, delta, ttl).await;
        self.or_local(done, local)
    }

    /// The value under a key, or the lead in making it among all of this process who ask for it, or neither after `wait`.
    pub(crate) async fn lead(
        &self,
        budget: &Budget,
        now: impl Fn() -> u64,
        namespace: &str,
        key: &[u8],
        lease: Duration,
        wait: Duration,
    ) -> Result<Lead<Arc<[u8]>>, StoreFailure> {
        let deadline = Instant::now() + wait.min(MAX_FLIGHT);
        loop {
            if let Some(value) = self.get(budget, now(), namespace, key).await? {
                return Ok(Lead::Value(value));
            }
            match self.memory.flights.turn(namespace, key, lease, deadline).await {
                Turn::Ended => {}
                Turn::Leader => {
                    // The one who led before may have set it since it was looked for.
                    let found = self.get(budget, now(), namespace, key).await;
                    return match found {
                        Ok(None) => Ok(Lead::Leader),
                        other => {
                            self.memory.release(namespace, key);
                            Ok(other?.map_or(Lead::Leader, Lead::Value))
                        }
                    };
                }
                Turn::Late => {
                    let found = self.get(budget, now(), namespace, key).await?;
                    return Ok(found.map_or(Lead::Late, Lead::Value));
                }
            }
        }
    }

    /// Ends a lead without a value; whether there was one.
    pub(crate) fn release(&self, namespace: &str, key: &[u8]) -> bool {
        self.memory.release(namespace, key)
    }

    /// What the server answered, or the same in this process if the server is away and that is wanted.
    fn or_local<T>(
        &self,
        answered: Result<T, RemoteError>,
        local: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreFailure> {
        let fallback = self.remote.as_ref().map(|(_, fallback)| *fallback).unwrap_or_default();
        match answered {
            Ok(value) => Ok(value),
            Err(RemoteError::Refused(error)) => Err(error.into()),
            Err(_) if fallback == Fallback::Local => Ok(local()?),
            Err(_) => Err(StoreFailure::Unavailable),
        }
    }
}
