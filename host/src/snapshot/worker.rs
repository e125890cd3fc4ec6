//! A snapshot as one worker holds it: chains over its own instances, upstreams over its own connections.

use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::Snapshot;
use crate::chain::{Chain, Circuit, FaultReports, Step};
use crate::telemetry::{PluginMetrics, RouteMetrics, UpstreamMetrics, WorkerMetrics};
use crate::upstream::{Upstream, Upstreams};
use crate::wasm::{Bound, FetchSender, Pool, PoolMetrics};

/// A snapshot on one worker. An exchange holds one from its first byte to its last.
pub(crate) struct WorkerSnapshot {
    pub(crate) shared: Arc<Snapshot>,
    /// In the order of the configuration.
    pub(crate) routes: Vec<WorkerRoute>,
    /// By name: for fetches, which may go where no route does.
    pub(crate) upstreams: HashMap<Arc<str>, Rc<Upstream>>,
}

/// A route on one worker.
pub(crate) struct WorkerRoute {
    pub(crate) name: Arc<str>,
    pub(crate) chain: Rc<Chain>,
    pub(crate) upstream: Rc<Upstream>,
    pub(crate) metrics: Arc<RouteMetrics>,
    pub(crate) upstream_metrics: Arc<UpstreamMetrics>,
}

/// What a worker keeps from snapshot to snapshot: connections, instances, counters.
pub(crate) struct WorkerParts {
    pub(crate) upstreams: Upstreams,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) fetch: FetchSender,
    pub(crate) reports: FaultReports,
    pools: HashMap<u64, Weak<Pool>>,
}

struct PluginCensus(Arc<PluginMetrics>);

impl PoolMetrics for PluginCensus {
    fn created(&self) {
        self.0.instance_created();
    }

    fn changed(&self, instances: isize, memory: isize) {
        self.0.instances_changed(instances as i64, memory as i64);
    }
}

impl WorkerParts {
    /// A worker without anything yet.
    pub(crate) fn new(
        upstreams: Upstreams,
        metrics: Arc<WorkerMetrics>,
        fetch: FetchSender,
        reports: FaultReports,
    ) -> Self {
        Self { upstreams, metrics, fetch, reports, pools: HashMap::new() }
    }

    fn pool(&mut self, bound: &Arc<Bound>) -> Rc<Pool> {
        if let Some(pool) = self.pools.get(&bound.id).and_then(Weak::upgrade) {
            return pool;
        }
        let metrics = PluginCensus(self.metrics.plugin(&bound.plugin));
        let pool = Rc::new(Pool::new(Arc::clone(bound), self.fetch.clone(), Rc::new(metrics)));
        self.pools.insert(bound.id, Rc::downgrade(&pool));
        pool
    }

    /// Makes a snapshot this worker's own, with an instance of every plugin ready. Other tasks of the worker
    /// run in between; what fails here was tried out before and will be tried again by the first call.
    pub(crate) async fn assemble(&mut self, shared: Arc<Snapshot>) -> WorkerSnapshot {
        self.upstreams.reconcile(shared.config.upstreams.values());
        let mut routes = Vec::with_capacity(shared.routes.len());
        for (route, plan) in shared.config.routes.iter().zip(&shared.routes) {
            let mut steps = Vec::with_capacity(plan.steps.len());
            for step in &plan.steps {
                let pool = self.pool(&step.bound);
                if let Err(fault) = pool.warm().await {
                    tracing::warn!(plugin = &*step.bound.plugin, %fault, "no instance yet");
                }
                steps.push(Step::new(
                    Arc::clone(&step.name),
                    Arc::clone(&route.name),
                    pool,
                    step.on_error,
                    step.circuit.map(Circuit::new),
                    self.metrics.step(&route.name, &step.name, &step.bound.plugin),
                    self.reports.clone(),
                ));
                tokio::task::yield_now().await;
            }
            let Some(upstream) = self.upstreams.get(&route.upstream.name) else { continue };
            routes.push(WorkerRoute {
                name: Arc::clone(&route.name),
                chain: Rc::new(Chain::new(steps)),
                upstream,
                metrics: self.metrics.route(&route.name),
                upstream_metrics: self.metrics.upstream(&route.upstream.name),
            });
        }
        self.pools.retain(|_, pool| pool.strong_count() > 0);
        let upstreams = shared.config.upstreams.keys();
        let upstreams =
            upstreams.filter_map(|name| Some((Arc::clone(name), self.upstreams.get(name)?))).collect();
        WorkerSnapshot { shared, routes, upstreams }
    }
}
