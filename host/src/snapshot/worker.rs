//! A snapshot as one worker holds it: chains over its own instances, upstreams over its own connections.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use sluice_abi::Phase;

use super::{Snapshot, StepPlan};
use crate::body::Tunnel;
use crate::chain::{Chain, Circuit, FaultReports, Group, Step};
use crate::config::{Destination, OnError};
use crate::metering::{Metered, Metering, Tariff};
use crate::telemetry::{CircuitState, PluginMetrics, RouteMetrics, UpstreamMetrics, WorkerMetrics};
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
    pub(crate) destination: WorkerDestination,
    pub(crate) metrics: Arc<RouteMetrics>,
    /// Protocols that its clients' connections may go over to.
    upgrades: Arc<[Box<str>]>,
}

impl WorkerRoute {
    /// Whether every protocol that is offered is one that it takes.
    pub(crate) fn takes(&self, tunnel: &Tunnel) -> bool {
        let mut offers = tunnel.offers().peekable();
        offers.peek().is_some()
            && offers.all(|offer| self.upgrades.iter().any(|taken| taken.eq_ignore_ascii_case(offer)))
    }
}

/// What answers behind the steps of a route.
pub(crate) enum WorkerDestination {
    Upstream {
        upstream: Rc<Upstream>,
        metrics: Arc<UpstreamMetrics>,
    },
    /// The gateway itself: with what the consumer used, if anything is metered.
    Usage(Option<Arc<Metering>>),
}

/// What a worker keeps from snapshot to snapshot: connections, instances, counters.
pub(crate) struct WorkerParts {
    pub(crate) upstreams: Upstreams,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) fetch: FetchSender,
    pub(crate) reports: FaultReports,
    metering: Option<Arc<Metering>>,
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
        metering: Option<Arc<Metering>>,
    ) -> Self {
        Self { upstreams, metrics, fetch, reports, metering, pools: HashMap::new() }
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

    /// Makes a snapshot this worker's own, with an instance of every plugin ready; second, the plugins of which
    /// there is none although a step denies without. Other tasks of the worker run in between; what fails here was
    /// tried out before and will be tried again.
    pub(crate) async fn assemble(&mut self, shared: Arc<Snapshot>) -> (WorkerSnapshot, Vec<Arc<str>>) {
        // Held, because a pool that no snapshot has yet would be gone again.
        let (_warmed, cold) = self.warm_pools(&shared).await;
        // From here on nothing waits, so that a reload that is cut short leaves nothing behind.
        self.upstreams.reconcile(shared.config.upstreams.values());
        let upstreams: HashMap<_, _> = (shared.config.upstreams.keys())
            .filter_map(|name| Some((Arc::clone(name), self.upstreams.get(name)?)))
            .collect();
        let mut routes = Vec::with_capacity(shared.routes.len());
        for (route, plan) in shared.config.routes.iter().zip(&shared.routes) {
            let steps = plan.steps.iter().map(|step| self.step(&route.name, step, &shared.tariff)).collect();
            let groups = route.groups.iter().map(|alternatives| Group { alternatives: alternatives.clone() });
            let groups = groups.collect();
            // The router knows routes by their place in this list: none may be left out.
            let destination = match &route.destination {
                Destination::Upstream(upstream) => {
                    let metrics = self.metrics.upstream(&upstream.name);
                    let upstream = upstreams.get(&upstream.name);
                    let upstream = upstream.expect("a route's upstream is one of the configuration's");
                    WorkerDestination::Upstream { upstream: Rc::clone(upstream), metrics }
                }
                Destination::Usage => WorkerDestination::Usage(self.metering.clone()),
            };
            let chain = Chain::new(steps, groups);
            let upgrades = match &route.upgrades {
                Some(upgrades) => Arc::clone(upgrades),
                // A step that looks at bodies would not see what is said so.
                None if chain.has(Phase::RequestBody) || chain.has(Phase::RequestChunk) => Arc::default(),
                None => Arc::from([Box::from("websocket")]),
            };
            routes.push(WorkerRoute {
                name: Arc::clone(&route.name),
                chain: Rc::new(chain),
                destination,
                upgrades,
                metrics: self.metrics.route(&route.name),
            });
        }
        self.pools.retain(|_, pool| pool.strong_count() > 0);
        (WorkerSnapshot { shared, routes, upstreams }, cold)
    }

    /// Has an instance of every plugin that a step uses ready, and names those of which there is none although a
    /// step denies without.
    pub(crate) async fn warm(&mut self, shared: &Snapshot) -> Vec<Arc<str>> {
        self.warm_pools(shared).await.1
    }

    async fn warm_pools(&mut self, shared: &Snapshot) -> (HashMap<u64, Rc<Pool>>, Vec<Arc<str>>) {
        let mut warmed = HashMap::new();
        let mut failed = HashSet::new();
        let mut cold: Vec<Arc<str>> = Vec::new();
        for (route, plan) in shared.config.routes.iter().zip(&shared.routes) {
            for (configured, step) in route.steps.iter().zip(&plan.steps) {
                let id = step.bound.id;
                if let Entry::Vacant(slot) = warmed.entry(id) {
                    let pool = self.pool(&step.bound);
                    if let Err(fault) = pool.warm().await {
                        let fault = configured.config.redact(&fault.to_string());
                        tracing::warn!(plugin = &*step.bound.plugin, fault, "no instance yet");
                        failed.insert(id);
                    }
                    slot.insert(pool);
                    tokio::task::yield_now().await;
                }
                if failed.contains(&id)
                    && step.on_error != OnError::Allow
                    && !cold.contains(&step.bound.plugin)
                {
                    cold.push(Arc::clone(&step.bound.plugin));
                }
            }
        }
        (warmed, cold)
    }

    /// A step with a circuit of its own, which is closed.
    fn step(&mut self, route: &Arc<str>, plan: &StepPlan, tariff: &Arc<Tariff>) -> Step {
        let metrics = self.metrics.step(route, &plan.name, &plan.bound.plugin);
        // The gauge is older than this circuit: it may say what another snapshot's had come to.
        metrics.set_circuit(CircuitState::Closed);
        let meters = plan.bound.meters();
        let metering = self.metering.as_ref().filter(|_| !meters.is_empty());
        let metered = metering.map(|metering| Metered::new(metering, tariff, meters));
        Step::new(
            Arc::clone(&plan.name),
            Arc::clone(route),
            self.pool(&plan.bound),
            plan.on_error,
            plan.circuit.map(Circuit::new),
            metrics,
            self.reports.clone(),
        )
        .metering(metered)
    }
}
