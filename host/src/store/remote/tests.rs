//! Promises of the remote store, kept on real servers.

mod access;
mod agreement;
mod fallback;
mod leases;
mod outage;
#[path = "../../../../tests/harness/ports.rs"]
mod ports;
#[path = "../../../../tests/harness/redis.rs"]
mod redis_server;
mod semantics;
mod steady;
#[path = "../../../../tests/harness/wait.rs"]
mod wait;

use std::sync::Arc;
use std::time::Duration;

use sluice_abi::{Algorithm, Mode, Take, Taken};
use tokio::runtime::{Builder, Runtime};

use super::{Budget, Clock, RemoteError, RemoteStore, Settings, parse};

pub(super) const NOW: u64 = 1_790_000_000_000_000_000;
pub(super) const MS: u64 = 1_000_000;
pub(super) const ALL: [Algorithm; 4] =
    [Algorithm::Gcra, Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::Concurrency];

/// Ten years: no test meets the end of a fixed window.
pub(super) const LONG_MS: u64 = 315_360_000_000;

/// A control runtime, and a worker's.
pub(super) struct World {
    pub(super) control: Runtime,
    worker: Runtime,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            control: Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
            worker: worker(),
        }
    }

    /// Opens a store, and waits until it is connected.
    #[track_caller]
    pub(super) fn connect(&self, settings: Settings) -> Arc<RemoteStore> {
        let store = self.open(settings);
        wait::until("the store is connected", || store.status().is_connected());
        store
    }

    pub(super) fn open(&self, settings: Settings) -> Arc<RemoteStore> {
        RemoteStore::open(settings, self.control.handle().clone())
    }

    pub(super) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.worker.block_on(future)
    }

    pub(super) fn take(
        &self,
        store: &RemoteStore,
        now: u64,
        takes: &[Take],
    ) -> Result<Vec<Taken>, RemoteError> {
        self.run(store.take(&patient(), now, "p", takes))
    }

    #[track_caller]
    pub(super) fn take_one(&self, store: &RemoteStore, now: u64, take: &Take) -> Taken {
        self.take(store, now, std::slice::from_ref(take)).unwrap()[0]
    }
}

/// As a worker's: one thread.
pub(super) fn worker() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// The tests' machine is busy; only those of timeouts are in a hurry.
pub(super) fn settings(url: &str) -> Settings {
    Settings { timeout: Duration::from_secs(10), ..Settings::new(parse(url).unwrap()) }
}

pub(super) fn with_time(url: &str) -> Settings {
    Settings { clock: Clock::Caller, ..settings(url) }
}

pub(super) fn patient() -> Budget {
    Budget::new(Duration::from_secs(60))
}

pub(super) fn take(key: &str, algorithm: Algorithm, quota: u64, window_ms: u64) -> Take {
    let holder = if algorithm == Algorithm::Concurrency { b"h".to_vec() } else { Vec::new() };
    Take { key: key.as_bytes().to_vec(), algorithm, quota, window_ms, cost: 1, mode: Mode::Try, holder }
}
