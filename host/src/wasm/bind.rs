//! A module joined with a configuration, its grants and limits: what a pool makes instances of.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sluice_abi::Phase;

use super::fault::Fault;
use super::instance::{Instance, reusable_memory};
use super::load::{CONFIGURE_EARNING, CONFIGURE_TIME, Module};
use super::state::Services;
use crate::config::{Capability, Isolation, Limits};

/// Numbers every [`Bound`], so that a worker can tell whether it already has a pool for it.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A module with its configuration, grants and limits. Steps that agree on all of them share it.
pub(crate) struct Bound {
    pub(crate) id: u64,
    /// The plugin's name in the configuration; its values in the store are kept under it.
    pub(crate) plugin: Arc<str>,
    pub(crate) module: Arc<Module>,
    pub(crate) limits: Limits,
    pub(crate) isolation: Isolation,
    pub(super) config: Vec<u8>,
    pub(super) grants: BTreeSet<Capability>,
    pub(super) services: Services,
    /// The phases it skips, once it was tried out.
    skipped: AtomicI32,
    /// The meters it feeds, once it was tried out.
    meters: OnceLock<Arc<[usize]>>,
}

/// Why a module cannot serve with a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// `new` refused the configuration, in the plugin's words.
    #[error("{0}")]
    Refused(String),
    /// Once configured it has so many bytes of memory that it could serve no second call.
    #[error("it holds {held} bytes of memory once it is configured, of the {limit} of `limits.memory`")]
    Memory { held: usize, limit: usize },
    /// It faulted while it started, was configured or tested itself.
    #[error("{0}")]
    Fault(#[from] Fault),
}

impl Bound {
    /// Joins them. [`try_out`](Self::try_out) tells whether the plugin agrees.
    pub(crate) fn new(
        plugin: Arc<str>,
        module: Arc<Module>,
        config: &serde_json::Value,
        grants: BTreeSet<Capability>,
        limits: Limits,
        isolation: Isolation,
        services: Services,
    ) -> Self {
        let alone = module.descriptor.isolation == sluice_abi::Isolation::Exchange;
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            plugin,
            module,
            limits,
            isolation: if alone { Isolation::Exchange } else { isolation },
            config: config.to_string().into_bytes(),
            grants,
            services,
            skipped: AtomicI32::new(0),
            meters: OnceLock::new(),
        }
    }

    /// Makes one instance, configures it and lets it test itself, off the request path.
    pub(crate) async fn try_out(self: &Arc<Self>) -> Result<(), BindError> {
        let place = self.module.place();
        let _call = place.call();
        let mut instance = Instance::create(self, None).await?;
        self.skipped.store(instance.skipped().await?, Ordering::Relaxed);
        let _ = self.meters.set(instance.meters().into());
        if self.isolation == Isolation::Shared && instance.memory() > reusable_memory(&self.limits) {
            return Err(BindError::Memory { held: instance.memory(), limit: self.limits.memory });
        }
        instance.self_test().await.map_err(BindError::from)
    }

    /// CPU time for starting and configuring an instance.
    pub(super) fn configure_time(&self) -> Duration {
        let earned = u32::try_from(self.services.assets.size() / CONFIGURE_EARNING).unwrap_or(u32::MAX);
        CONFIGURE_TIME.saturating_mul(earned.saturating_add(1))
    }

    /// The phases that are called: those of the plugin that its configuration leaves something to do.
    pub(crate) fn phases(&self) -> impl Iterator<Item = Phase> + '_ {
        let skipped = self.skipped.load(Ordering::Relaxed);
        self.module.descriptor.phases.iter().copied().filter(move |phase| skipped & phase.bit() == 0)
    }

    /// The places of the meters that it feeds.
    pub(crate) fn meters(&self) -> Arc<[usize]> {
        self.meters.get().cloned().unwrap_or_default()
    }

    /// Whether `fetch:<upstream>` was granted.
    pub(super) fn may_fetch(&self, upstream: &str) -> bool {
        self.grants.iter().any(|grant| matches!(grant, Capability::Fetch(name) if **name == *upstream))
    }

    /// Whether `secret:<name>` was granted.
    pub(super) fn may_use_secret(&self, name: &str) -> bool {
        self.grants.iter().any(|grant| matches!(grant, Capability::Secret(granted) if **granted == *name))
    }

    /// Whether a capability without a name was granted.
    pub(super) fn may(&self, capability: &Capability) -> bool {
        self.grants.contains(capability)
    }

    /// Whether `jwks:<name>` was granted.
    pub(super) fn may_verify_with(&self, name: &str) -> bool {
        self.grants.iter().any(|grant| matches!(grant, Capability::Jwks(granted) if **granted == *name))
    }
}
