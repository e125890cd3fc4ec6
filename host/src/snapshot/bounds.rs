//! Which bound plugins are in use, so that a reload keeps what it does not change, warm instances included.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use sluice_metering::meter::Meter;
use sluice_metering::plan::Plan;

use crate::config::{self, Assets, Capability, Config, Consumer, Plugin, Problem, Problems, Secret};
use crate::consumers::Consumers;
use crate::jwks::{KeySetConfig, KeySets, KeySource};
use crate::store::Stores;
use crate::wasm::{Bound, Clock, Module, Services, sha256_hex};

/// The bound plugins in use and the services they were bound with.
pub(super) struct Bounds {
    by_key: HashMap<String, Weak<Bound>>,
    services: Option<Current>,
    store: Stores,
    clock: Clock,
}

/// Plans by name.
type Plans = BTreeMap<Arc<str>, Arc<Plan>>;

/// What the services were made from. A counter tells generations of each apart.
struct Current {
    consumers: (Vec<Consumer>, Option<Secret>, Plans, u64),
    secrets: (BTreeMap<String, Secret>, u64),
    jwks: (Vec<(Arc<str>, KeySetConfig)>, u64),
    meters: (Arc<[Arc<Meter>]>, u64),
    assets: Assets,
    services: Services,
}

impl Bounds {
    pub(super) fn new(store: Stores, clock: Clock) -> Self {
        Self { by_key: HashMap::new(), services: None, store, clock }
    }

    /// Others over the same store, for trying out what is not going to serve.
    pub(super) fn apart(&self) -> Self {
        Self::new(self.store.clone(), self.clock.clone())
    }

    /// The services for a configuration: the same ones as before where nothing they hold has changed. What is wrong with them goes
    /// to `problems`, and is then missing.
    pub(super) fn prepare(&mut self, config: &Config, problems: &mut Problems) {
        // Not taken: what is kept stays whole if making the new ones fails.
        let before = self.services.as_ref();
        let (consumers, consumers_generation) = match before {
            Some(current)
                if current.consumers.0 == config.consumers
                    && current.consumers.1 == config.pepper
                    && current.consumers.2 == config.plans =>
            {
                (Arc::clone(&current.services.consumers), current.consumers.3)
            }
            _ => {
                let consumers = Consumers::new(&config.consumers, &config.plans, config.pepper.as_ref());
                (Arc::new(consumers), before.map_or(0, |current| current.consumers.3 + 1))
            }
        };
        let (secrets, secrets_generation) = match before {
            Some(current) if current.secrets.0 == config.secrets => {
                (Arc::clone(&current.services.secrets), current.secrets.1)
            }
            _ => (Arc::new(config.secrets.clone()), before.map_or(0, |current| current.secrets.1 + 1)),
        };
        let wanted: Vec<_> = config.jwks.iter().map(|(name, set)| (Arc::clone(name), wanted(set))).collect();
        let (jwks, jwks_generation) = match before {
            Some(current) if current.jwks.0 == wanted => (current.services.jwks.clone(), current.jwks.1),
            _ => {
                let sets = KeySets::new(wanted.iter().cloned(), before.map(|current| &current.services.jwks));
                let sets = sets.unwrap_or_else(|errors| {
                    problems.extend(errors.iter().map(|(name, error)| {
                        let problem = Problem::new(format!("key set `{name}`: {error}"));
                        match config.jwks.get(name) {
                            Some(set) => problem.at(set.place.clone()),
                            None => problem,
                        }
                    }));
                    KeySets::default()
                });
                (sets, before.map_or(0, |current| current.jwks.1 + 1))
            }
        };
        let wanted_meters: Arc<[Arc<Meter>]> = config.meters.values().cloned().collect();
        let (meters, meters_generation) = match before {
            Some(current) if current.meters.0 == wanted_meters => current.meters.clone(),
            _ => (wanted_meters, before.map_or(0, |current| current.meters.1 + 1)),
        };
        self.services = Some(Current {
            meters: (Arc::clone(&meters), meters_generation),
            jwks: (wanted, jwks_generation),
            consumers: (
                config.consumers.clone(),
                config.pepper.clone(),
                config.plans.clone(),
                consumers_generation,
            ),
            secrets: (config.secrets.clone(), secrets_generation),
            assets: config.assets.clone(),
            services: Services {
                assets: Assets::default(),
                store: self.store.clone(),
                consumers,
                secrets,
                jwks,
                meters,
                clock: self.clock.clone(),
                tap: None,
            },
        });
        self.by_key.retain(|_, bound| bound.strong_count() > 0);
    }

    /// The key sets of the configuration that was prepared last.
    pub(super) fn key_sets(&self) -> KeySets {
        self.services.as_ref().map(|current| current.services.jwks.clone()).unwrap_or_default()
    }

    /// The bound plugin for these, and whether it is new.
    pub(super) fn get(
        &mut self,
        plugin: &Plugin,
        module: &Arc<Module>,
        config: &serde_json::Value,
    ) -> (Arc<Bound>, bool) {
        let current = self.services.as_ref().expect("they are prepared before anything is bound");
        let has = |wanted: fn(&Capability) -> bool| plugin.capabilities.iter().any(wanted);
        // Everything that makes instances differ. Services count only for those that were granted them.
        let key = format!(
            "{} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {config}",
            plugin.name,
            sha256_hex(&module.digest),
            plugin.capabilities,
            plugin.limits,
            plugin.isolation,
            has(|capability| matches!(capability, Capability::Consumers)).then_some(current.consumers.3),
            has(|capability| matches!(capability, Capability::Secret(_))).then_some(current.secrets.1),
            has(|capability| matches!(capability, Capability::Jwks(_))).then_some(current.jwks.1),
            has(|capability| matches!(capability, Capability::Meter)).then_some(current.meters.1),
        );
        if let Some(bound) = self.by_key.get(&key).and_then(Weak::upgrade) {
            return (bound, false);
        }
        let bound = Arc::new(Bound::new(
            Arc::clone(&plugin.name),
            Arc::clone(module),
            config,
            plugin.capabilities.clone(),
            plugin.limits,
            plugin.isolation,
            Services { assets: current.assets.of(config), ..current.services.clone() },
        ));
        self.by_key.insert(key, Arc::downgrade(&bound));
        (bound, true)
    }
}

/// A key set as it is kept.
fn wanted(set: &config::KeySet) -> KeySetConfig {
    let source = match &set.source {
        config::KeySource::Issuer(url) => KeySource::Issuer(url.clone()),
        config::KeySource::Url(url) => KeySource::Url(url.clone()),
        config::KeySource::Keys(text) => KeySource::Keys(text.clone()),
    };
    KeySetConfig {
        ca: set.ca.as_ref().map(|pem| pem.as_bytes().to_vec()),
        refresh: set.refresh,
        cooldown: set.cooldown,
        timeout: set.timeout,
        max_stale: set.max_stale,
        ..KeySetConfig::new(source)
    }
}
