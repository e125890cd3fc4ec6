//! The tables of all that is counted: one set per worker, summed at scrape.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::cell::{Gauge, Kinds};
use super::collect::Scrape;
use super::probe::{CertificateSample, KeySetSample, MeteringSample, Probe, StoreSample};
use super::series::{ListenerMetrics, PluginMetrics, RouteMetrics, StepMetrics, UpstreamMetrics};

/// All metrics of the process. A clone is the same metrics.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    shared: Arc<Shared>,
    scrape: Scrape,
}

/// What is not counted on the request path, and the workers' own tables.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) workers: Mutex<Vec<Arc<WorkerMetrics>>>,
    pub(super) started: SystemTime,
    pub(super) generation: AtomicU64,
    pub(super) applied: AtomicU64,
    pub(super) unchanged: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) last_refused: AtomicBool,
    pub(super) store_entries: AtomicU64,
    pub(super) access_log_dropped: AtomicU64,
    pub(super) store: Probe<StoreSample>,
    pub(super) key_sets: Probe<Vec<KeySetSample>>,
    pub(super) certificates: Probe<Vec<CertificateSample>>,
    pub(super) metering: Probe<MeteringSample>,
}

/// What came of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReloadResult {
    Applied,
    /// Nothing had changed.
    Unchanged,
    Refused,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let shared = Arc::new(Shared {
            workers: Mutex::default(),
            started: SystemTime::now(),
            generation: AtomicU64::default(),
            applied: AtomicU64::default(),
            unchanged: AtomicU64::default(),
            refused: AtomicU64::default(),
            last_refused: AtomicBool::default(),
            store_entries: AtomicU64::default(),
            access_log_dropped: AtomicU64::default(),
            store: Probe::default(),
            key_sets: Probe::default(),
            certificates: Probe::default(),
            metering: Probe::default(),
        });
        Self { scrape: Scrape::new(Arc::clone(&shared)), shared }
    }

    /// The table of a new worker. Only that worker's thread may count in it.
    pub(crate) fn worker(&self) -> Arc<WorkerMetrics> {
        let worker = Arc::new(WorkerMetrics::default());
        lock(&self.shared.workers).push(Arc::clone(&worker));
        worker
    }

    pub(crate) fn reloaded(&self, result: ReloadResult) {
        let counter = match result {
            ReloadResult::Applied => &self.shared.applied,
            ReloadResult::Unchanged => &self.shared.unchanged,
            ReloadResult::Refused => &self.shared.refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.shared.last_refused.store(result == ReloadResult::Refused, Ordering::Relaxed);
    }

    /// The generation of the snapshot that new requests get.
    pub(crate) fn set_generation(&self, generation: u64) {
        self.shared.generation.store(generation, Ordering::Relaxed);
    }

    pub(crate) fn set_store_entries(&self, entries: usize) {
        self.shared.store_entries.store(entries as u64, Ordering::Relaxed);
    }

    /// How to look at the store's server.
    pub(crate) fn watch_store(&self, look: impl Fn() -> StoreSample + Send + Sync + 'static) {
        self.shared.store.set(look);
    }

    /// How to look at metering.
    pub(crate) fn watch_metering(&self, look: impl Fn() -> MeteringSample + Send + Sync + 'static) {
        self.shared.metering.set(look);
    }

    /// How to look at the key sets; those of an earlier snapshot are no longer shown.
    pub(crate) fn watch_key_sets(&self, look: impl Fn() -> Vec<KeySetSample> + Send + Sync + 'static) {
        self.shared.key_sets.set(look);
    }

    /// How to look at the certificates of listeners.
    pub(crate) fn watch_certificates(
        &self,
        look: impl Fn() -> Vec<CertificateSample> + Send + Sync + 'static,
    ) {
        self.shared.certificates.set(look);
    }

    /// Lines of the access log that found no room.
    pub(super) fn access_log_dropped(&self, lines: u64) {
        self.shared.access_log_dropped.fetch_add(lines, Ordering::Relaxed);
    }

    /// Everything as Prometheus text, version 0.0.4. What no snapshot holds any more is shown for the last
    /// time.
    pub(crate) fn render(&self) -> String {
        let text = self.scrape.text();
        for worker in self.shared.workers() {
            worker.forget_unused();
        }
        text
    }
}

impl Shared {
    pub(super) fn workers(&self) -> Vec<Arc<WorkerMetrics>> {
        lock(&self.workers).clone()
    }
}

/// What one worker counts, by name. Looking a name up takes a lock, so whoever counts keeps what it was
/// given: a snapshot its routes' and steps', a pool its upstream's.
#[derive(Debug, Default)]
pub(crate) struct WorkerMetrics {
    pub(super) listeners: Table<Arc<str>, ListenerMetrics>,
    pub(super) routes: Table<Arc<str>, RouteMetrics>,
    pub(super) upstreams: Table<Arc<str>, UpstreamMetrics>,
    pub(super) steps: Table<StepName, StepMetrics>,
    pub(super) plugins: Table<Arc<str>, PluginMetrics>,
    pub(super) failures: Kinds,
    pub(super) exchanges: Gauge,
}

/// Route, step and plugin.
pub(super) type StepName = (Arc<str>, Arc<str>, Arc<str>);

impl WorkerMetrics {
    pub(crate) fn listener(&self, name: &Arc<str>) -> Arc<ListenerMetrics> {
        self.listeners.obtain(Arc::clone(name))
    }

    /// Also of [`NO_ROUTE`](super::NO_ROUTE).
    pub(crate) fn route(&self, name: &Arc<str>) -> Arc<RouteMetrics> {
        self.routes.obtain(Arc::clone(name))
    }

    pub(crate) fn upstream(&self, name: &Arc<str>) -> Arc<UpstreamMetrics> {
        self.upstreams.obtain(Arc::clone(name))
    }

    pub(crate) fn step(&self, route: &Arc<str>, step: &Arc<str>, plugin: &Arc<str>) -> Arc<StepMetrics> {
        self.steps.obtain((Arc::clone(route), Arc::clone(step), Arc::clone(plugin)))
    }

    pub(crate) fn plugin(&self, name: &Arc<str>) -> Arc<PluginMetrics> {
        self.plugins.obtain(Arc::clone(name))
    }

    /// An exchange failed: the client got the gateway's own answer, or none.
    pub(crate) fn failed(&self, kind: &'static str) {
        self.failures.add(kind);
    }

    pub(crate) fn exchange_started(&self) {
        self.exchanges.add(1);
    }

    pub(crate) fn exchange_ended(&self) {
        self.exchanges.add(-1);
    }

    fn forget_unused(&self) {
        self.listeners.forget_unused();
        self.routes.forget_unused();
        self.upstreams.forget_unused();
        self.steps.forget_unused();
        self.plugins.forget_unused();
    }
}

/// Cells by name. Between reloads and scrapes nobody locks it.
#[derive(Debug)]
pub(super) struct Table<K, M>(Mutex<BTreeMap<K, Arc<M>>>);

impl<K, M> Default for Table<K, M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone, M: Default> Table<K, M> {
    fn obtain(&self, name: K) -> Arc<M> {
        Arc::clone(lock(&self.0).entry(name).or_default())
    }

    pub(super) fn all(&self) -> Vec<(K, Arc<M>)> {
        lock(&self.0).iter().map(|(name, cells)| (name.clone(), Arc::clone(cells))).collect()
    }

    fn forget_unused(&self) {
        lock(&self.0).retain(|_, cells| Arc::strong_count(cells) > 1);
    }
}

/// A panic while a table was locked leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
