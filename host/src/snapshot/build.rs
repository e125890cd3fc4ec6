//! Config -> Snapshot: loads, checks and tries out everything, and reports every problem at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::bounds::Bounds;
use super::{PluginPlan, RoutePlan, Snapshot, StepPlan};
use crate::config::{Config, ConfigValue, Place, Plugin, Problem, Problems};
use crate::router::Router;
use crate::store::MemoryStore;
use crate::wasm::{BindError, Bound, Clock, LoadError, Loader, Module, missing_capabilities};

/// Builds snapshots. Start-up is a reload from nothing: this is the one way to get one.
pub(crate) struct Builder {
    loader: Loader,
    bounds: Bounds,
}

/// Plugins by name, those that loaded.
type Modules = BTreeMap<Arc<str>, Arc<Module>>;

impl Builder {
    /// A builder whose snapshots share `store`.
    pub(crate) fn new(loader: Loader, store: Arc<MemoryStore>, clock: Clock) -> Self {
        Self { loader, bounds: Bounds::new(store, clock) }
    }

    /// Builds a generation from `config`, or says everything that is wrong with it.
    pub(crate) async fn build(&mut self, config: Config, generation: u64) -> Result<Snapshot, Problems> {
        let mut problems = Problems::default();
        let modules = self.load_all(&config, &mut problems).await;
        self.bounds.prepare(&config);
        // Keeps what was tried out alive until the snapshot is whole, and tells what was seen already.
        let mut tried = Tried::default();
        let mut routes = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            let mut steps = Vec::with_capacity(route.steps.len());
            for step in &route.steps {
                let Some(module) = modules.get(&step.plugin.name) else { continue };
                if let Some(bound) =
                    self.bind(&step.plugin, module, &step.config, &mut tried, &mut problems).await
                {
                    steps.push(StepPlan {
                        name: Arc::clone(&step.name),
                        bound,
                        on_error: step.on_error,
                        circuit: step.plugin.circuit,
                    });
                }
            }
            routes.push(RoutePlan { steps });
        }
        let used: BTreeSet<_> = config
            .routes
            .iter()
            .flat_map(|route| &route.steps)
            .map(|step| Arc::clone(&step.plugin.name))
            .collect();
        for plugin in config.plugins.values().filter(|plugin| !used.contains(&plugin.name)) {
            if let Some(module) = modules.get(&plugin.name) {
                self.bind(plugin, module, &plugin.config, &mut tried, &mut problems).await;
            }
        }
        let router = self.route(&config, &mut problems);
        match router {
            Some(router) if problems.is_empty() => {
                let plugins = modules.into_iter().map(|(name, module)| PluginPlan { name, module }).collect();
                Ok(Snapshot { generation, config, router, routes, plugins })
            }
            _ => Err(problems),
        }
    }

    async fn load_all(&self, config: &Config, problems: &mut Problems) -> Modules {
        let mut modules = Modules::new();
        for (name, plugin) in &config.plugins {
            let module = match self.loader.load(&plugin.module, plugin.sha256, &plugin.limits).await {
                Ok(module) => module,
                Err(error) => {
                    problems.push(load_problem(plugin, &error));
                    continue;
                }
            };
            let missing =
                missing_capabilities(&module.imports, &module.descriptor.capabilities, &plugin.capabilities);
            if missing.is_empty() {
                modules.insert(Arc::clone(name), module);
            }
            problems
                .extend(missing.into_iter().map(|(kind, import)| capability_problem(plugin, &kind, import)));
        }
        modules
    }

    async fn bind(
        &mut self,
        plugin: &Plugin,
        module: &Arc<Module>,
        config: &ConfigValue,
        tried: &mut Tried,
        problems: &mut Problems,
    ) -> Option<Arc<Bound>> {
        let what = format!("the configuration of plugin `{}`", plugin.name);
        let key = (Arc::clone(&plugin.name), config.json().to_string());
        if let Some(known) = tried.outcomes.get(&key) {
            return known.clone();
        }
        let found = config.check(&module.descriptor.config_schema, &what);
        let outcome = if found.is_empty() {
            self.try_out(plugin, module, config, problems).await
        } else {
            problems.extend(found);
            None
        };
        tried.outcomes.insert(key, outcome.clone());
        outcome
    }

    async fn try_out(
        &mut self,
        plugin: &Plugin,
        module: &Arc<Module>,
        config: &ConfigValue,
        problems: &mut Problems,
    ) -> Option<Arc<Bound>> {
        let (bound, new) = self.bounds.get(plugin, module, config.json())?;
        if !new {
            return Some(bound);
        }
        match bound.try_out().await {
            Ok(()) => Some(bound),
            Err(error) => {
                problems.push(bind_problem(plugin, config, &error));
                None
            }
        }
    }

    fn route(&self, config: &Config, problems: &mut Problems) -> Option<Router> {
        let matches: Vec<_> = config.routes.iter().map(|route| route.matches.clone()).collect();
        match Router::new(&matches) {
            Ok(router) => Some(router),
            Err(ties) => {
                for tie in ties {
                    let (first, second) = (&config.routes[tie.first], &config.routes[tie.second]);
                    let message =
                        format!("routes `{}` and `{}` match the same requests", first.name, second.name);
                    problems.push(
                        Problem::new(message)
                            .at(second.place.clone())
                            .hint("give one of them a condition that the other does not have"),
                    );
                }
                None
            }
        }
    }
}

/// What became of each configured use of a plugin in one build.
#[derive(Default)]
struct Tried {
    outcomes: BTreeMap<(Arc<str>, String), Option<Arc<Bound>>>,
}

fn load_problem(plugin: &Plugin, error: &LoadError) -> Problem {
    let problem = Problem::new(format!("plugin `{}` cannot be loaded: {error}", plugin.name))
        .at(plugin.module_place.clone());
    match error {
        LoadError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => problem.hint(
            "`cargo xtask plugins` builds the plugins of this repository, `sluice plugin build` any other",
        ),
        LoadError::Seal(crate::wasm::SealError::Missing) => {
            problem.hint("seal it with `sluice plugin seal FILE`, or pin it with `sha256 = \"...\"`")
        }
        LoadError::UnknownImport { .. } => {
            problem.hint("plugins are built for `wasm32-wasip1` against `sluice-sdk`")
        }
        LoadError::Abi(_) => problem.hint("rebuild it with this version of `sluice-sdk`"),
        _ => problem,
    }
}

fn capability_problem(plugin: &Plugin, kind: &str, import: Option<String>) -> Problem {
    let needs = match import {
        Some(import) => {
            format!("plugin `{}` imports `{import}`, which needs the capability `{kind}`", plugin.name)
        }
        None => format!("plugin `{}` wants the capability `{kind}`", plugin.name),
    };
    let grant = match kind {
        "fetch" => "fetch:<upstream>",
        "secret" => "secret:<name>",
        kind => kind,
    };
    let place: Place = plugin.capability_place.clone().unwrap_or_else(|| plugin.module_place.clone());
    Problem::new(format!("{needs}, which is not granted"))
        .at(place)
        .hint(format!("grant it with `capabilities = [.., \"{grant}\"]` if you trust the plugin with it"))
}

fn bind_problem(plugin: &Plugin, config: &ConfigValue, error: &BindError) -> Problem {
    let message = match error {
        BindError::Refused(reason) => format!("plugin `{}` refuses its configuration: {reason}", plugin.name),
        BindError::Fault(fault) => format!("plugin `{}` cannot start: {fault}", plugin.name),
    };
    let place = match error {
        BindError::Refused(_) => config.whole(),
        BindError::Fault(_) => None,
    };
    Problem::new(message).at(place.unwrap_or_else(|| plugin.module_place.clone()))
}
