//! One immutable generation of everything configured: built whole or not at all, then published to workers.

mod bounds;
mod build;
mod view;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use build::Builder;
pub(crate) use worker::{WorkerDestination, WorkerParts, WorkerRoute, WorkerSnapshot};

use crate::config::{CircuitSettings, Config, OnError, Problem};
use crate::jwks::KeySets;
use crate::metering::Tariff;
use crate::router::Router;
use crate::tls::Acceptor;
use crate::wasm::Bound;

/// One generation of everything configured, shared by all workers.
pub(crate) struct Snapshot {
    /// Counts from 1; each successful reload makes one more.
    pub(crate) generation: u64,
    pub(crate) config: Config,
    pub(crate) router: Router,
    /// In the order of `config.routes`.
    pub(crate) routes: Vec<RoutePlan>,
    /// Every plugin's module, in use or not.
    pub(crate) plugins: Vec<PluginPlan>,
    pub(crate) key_sets: KeySets,
    /// Of the listeners that speak TLS.
    pub(crate) acceptors: BTreeMap<Arc<str>, Arc<Acceptor>>,
    /// What may become a problem.
    pub(crate) warnings: Vec<Problem>,
    pub(crate) tariff: Arc<Tariff>,
}

impl Snapshot {
    /// Whether another would serve exactly the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let digests = |snapshot: &Self| -> Vec<[u8; 32]> {
            snapshot.plugins.iter().map(|plugin| plugin.module.digest).collect()
        };
        self.config.digest == other.config.digest
            && self.config == other.config
            && digests(self) == digests(other)
    }
}

/// The steps of a route.
pub(crate) struct RoutePlan {
    pub(crate) steps: Vec<StepPlan>,
}

/// A step: a plugin bound to its configuration, and what a fault of it means.
pub(crate) struct StepPlan {
    pub(crate) name: Arc<str>,
    pub(crate) bound: Arc<Bound>,
    pub(crate) on_error: OnError,
    pub(crate) circuit: Option<CircuitSettings>,
}

/// A configured plugin.
pub(crate) struct PluginPlan {
    pub(crate) name: Arc<str>,
    pub(crate) module: Arc<crate::wasm::Module>,
}
