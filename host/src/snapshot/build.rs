//! Config -> Snapshot: loads, checks and tries out everything, and reports every problem at once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use sluice_abi::Phase;

use super::bounds::Bounds;
use super::{PluginPlan, RoutePlan, Snapshot, StepPlan};
use crate::config::{
    Config, ConfigValue, Doubts, Partial, Place, Plugin, Problem, Problems, Route, RouteMatch,
};
use crate::metering::Tariff;
use crate::router::Router;
use crate::store::Stores;
use crate::tls::{Acceptor, Sessions};
use crate::wasm::{BindError, Bound, Clock, LoadError, Loader, Module, missing_capabilities};

/// Builds snapshots. Start-up is a reload from nothing: this is the one way to get one.
pub(crate) struct Builder {
    loader: Loader,
    bounds: Bounds,
    /// Outlive snapshots, so that clients need not shake hands anew.
    sessions: Sessions,
}

/// Plugins by name, those that loaded.
type Modules = BTreeMap<Arc<str>, Arc<Module>>;

impl Builder {
    /// A builder whose snapshots share `store`.
    pub(crate) fn new(loader: Loader, store: Stores, clock: Clock) -> Self {
        Self { loader, bounds: Bounds::new(store, clock), sessions: Sessions::default() }
    }

    /// Builds a generation from `config`, or says everything that is wrong with it.
    pub(crate) async fn build(&mut self, config: Config, generation: u64) -> Result<Snapshot, Problems> {
        let mut problems = Problems::default();
        let modules = load_all(&self.loader, &config, &BTreeMap::new(), &mut problems).await;
        let (acceptors, warnings) = acceptors(&config, &mut self.sessions, &mut problems);
        self.bounds.prepare(&config, &mut problems);
        let mut trials = Trials::new(&mut self.bounds, &mut problems);
        let mut routes = Vec::with_capacity(config.routes.len());
        for route in &config.routes {
            let mut steps = Vec::with_capacity(route.steps.len());
            for step in &route.steps {
                let Some(module) = modules.get(&step.plugin.name) else { continue };
                if let Some(bound) = trials.bind(&step.plugin, module, &step.config).await {
                    steps.push(StepPlan {
                        name: Arc::clone(&step.name),
                        bound,
                        on_error: step.on_error,
                        circuit: step.plugin.circuit,
                    });
                }
            }
            trials.check_groups(route, &steps);
            routes.push(RoutePlan { steps });
        }
        let used: BTreeSet<_> =
            config.routes.iter().flat_map(|route| &route.steps).map(|step| &*step.plugin.name).collect();
        for plugin in config.plugins.values().filter(|plugin| !used.contains(&*plugin.name)) {
            if let Some(module) = modules.get(&plugin.name) {
                trials.bind(plugin, module, &plugin.config).await;
            }
        }
        let routed: Vec<_> =
            config.routes.iter().map(|route| (&route.name, &route.place, &route.matches)).collect();
        let router = route(&routed, &mut problems);
        match router {
            Some(router) if problems.is_empty() => {
                let whole = |(plan, route): (&RoutePlan, &Route)| plan.steps.len() == route.steps.len();
                assert!(
                    routes.len() == config.routes.len() && routes.iter().zip(&config.routes).all(whole),
                    "a step that was left out has a problem"
                );
                let plugins = modules.into_iter().map(|(name, module)| PluginPlan { name, module }).collect();
                let key_sets = self.bounds.key_sets();
                let tariff = Arc::new(Tariff::new(&config));
                Ok(Snapshot {
                    generation,
                    config,
                    router,
                    routes,
                    plugins,
                    key_sets,
                    acceptors,
                    warnings,
                    tariff,
                })
            }
            _ => Err(problems),
        }
    }

    /// Everything that is wrong with a configuration of which only a part could be read. Nothing comes of it but
    /// problems, and no instance that serves is touched.
    pub(crate) async fn examine(&self, partial: Box<Partial>) -> Problems {
        let Partial { mut problems, config, known } = *partial;
        let Some(config) = config else { return problems };
        let modules = load_all(&self.loader, &config, &known.doubts, &mut problems).await;
        acceptors(&config, &mut Sessions::default(), &mut problems);
        let mut bounds = self.bounds.apart();
        bounds.prepare(&config, &mut problems);
        let mut trials = Trials::new(&mut bounds, &mut problems);
        trials.doubts = known.doubts;
        for step in &known.steps {
            if let Some(module) = modules.get(&step.plugin.name) {
                trials.bind(&step.plugin, module, &step.config).await;
            }
        }
        // What a step lays over a plugin's configuration may be what it lacks.
        let unused = |plugin: &&Arc<Plugin>| !known.incomplete && !known.used.contains(&plugin.name);
        for plugin in config.plugins.values().filter(unused) {
            if let Some(module) = modules.get(&plugin.name) {
                trials.bind(plugin, module, &plugin.config).await;
            }
        }
        let routed: Vec<_> =
            known.matches.iter().map(|(name, place, matches)| (name, place, matches)).collect();
        route(&routed, &mut problems);
        problems
    }
}

/// What shakes hands for the listeners that speak TLS, and what there is to warn of.
fn acceptors(
    config: &Config,
    sessions: &mut Sessions,
    problems: &mut Problems,
) -> (BTreeMap<Arc<str>, Arc<Acceptor>>, Vec<Problem>) {
    let (mut acceptors, mut warnings, now) = (BTreeMap::new(), Vec::new(), SystemTime::now());
    for listener in &config.listeners {
        let Some(tls) = &listener.tls else { continue };
        match Acceptor::new(tls, listener.protocols, sessions, now) {
            Ok((acceptor, doubts)) => {
                acceptors.insert(Arc::clone(&listener.name), Arc::new(acceptor));
                warnings.extend(doubts);
            }
            Err(found) => problems.extend(found),
        }
    }
    (acceptors, warnings)
}

async fn load_all(
    loader: &Loader,
    config: &Config,
    doubts: &BTreeMap<Arc<str>, Doubts>,
    problems: &mut Problems,
) -> Modules {
    let mut modules = Modules::new();
    for (name, plugin) in &config.plugins {
        let doubts = doubts.get(name).copied().unwrap_or_default();
        let module = match loader.load(&plugin.module, plugin.sha256, &plugin.limits).await {
            Ok(module) => module,
            Err(error) => {
                if !follows(&error, doubts) {
                    problems.push(load_problem(plugin, &error));
                }
                continue;
            }
        };
        let missing = missing_capabilities(&module.imports, &module.descriptor, &plugin.capabilities);
        if !doubts.capabilities {
            problems
                .extend(missing.into_iter().map(|(kind, import)| capability_problem(plugin, &kind, import)));
        }
        modules.insert(Arc::clone(name), module);
    }
    modules
}

/// Whether a file may well be in order, had the plugin's other settings been.
fn follows(error: &LoadError, doubts: Doubts) -> bool {
    match error {
        LoadError::Seal(_) | LoadError::Pin { .. } => doubts.pin,
        LoadError::Fault(_) | LoadError::Engine(_) => doubts.limits,
        _ => false,
    }
}

/// Trying out what is configured, each use of a plugin once.
struct Trials<'a> {
    bounds: &'a mut Bounds,
    problems: &'a mut Problems,
    doubts: BTreeMap<Arc<str>, Doubts>,
    /// What became of each use. Keeps what was tried out alive until the snapshot is whole.
    outcomes: BTreeMap<(Arc<str>, String), Option<Arc<Bound>>>,
}

impl<'a> Trials<'a> {
    fn new(bounds: &'a mut Bounds, problems: &'a mut Problems) -> Self {
        Self { bounds, problems, doubts: BTreeMap::new(), outcomes: BTreeMap::new() }
    }

    /// The plugin with this configuration, unless that has a problem.
    async fn bind(
        &mut self,
        plugin: &Plugin,
        module: &Arc<Module>,
        config: &ConfigValue,
    ) -> Option<Arc<Bound>> {
        let key = (Arc::clone(&plugin.name), config.json().to_string());
        if let Some(known) = self.outcomes.get(&key) {
            return known.clone();
        }
        let what = format!("plugin `{}`", plugin.name);
        let found = config.check(&module.descriptor.config_schema, &what);
        let ungranted =
            !missing_capabilities(&module.imports, &module.descriptor, &plugin.capabilities).is_empty();
        let doubtful = ungranted
            || config.is_doubtful()
            || self.doubts.get(&plugin.name).is_some_and(|doubts| *doubts != Doubts::default());
        let outcome =
            if found.is_empty() && !doubtful { self.try_out(plugin, module, config).await } else { None };
        self.problems.extend(found);
        self.outcomes.insert(key, outcome.clone());
        outcome
    }

    /// Reports steps of groups that would let every request pass, because they do not look at its head.
    fn check_groups(&mut self, route: &Route, plans: &[StepPlan]) {
        if plans.len() != route.steps.len() {
            return;
        }
        for place in route.groups.iter().flatten().flat_map(Range::clone) {
            let (step, plan) = (&route.steps[place], &plans[place]);
            if !plan.bound.phases().any(|phase| phase == Phase::Request) {
                let message = format!(
                    "step `{}` has no `request` phase: in a group it would let every request pass",
                    step.name
                );
                self.problems.push(Problem::new(message).at(step.place.clone()));
            }
        }
    }

    async fn try_out(
        &mut self,
        plugin: &Plugin,
        module: &Arc<Module>,
        config: &ConfigValue,
    ) -> Option<Arc<Bound>> {
        let (bound, new) = self.bounds.get(plugin, module, config.json());
        if !new {
            return Some(bound);
        }
        match bound.try_out().await {
            Ok(()) => Some(bound),
            Err(error) => {
                self.problems.push(bind_problem(plugin, config, &error));
                None
            }
        }
    }
}

fn route(routed: &[(&Arc<str>, &Place, &RouteMatch)], problems: &mut Problems) -> Option<Router> {
    let matches: Vec<_> = routed.iter().map(|(_, _, matches)| RouteMatch::clone(matches)).collect();
    match Router::new(&matches) {
        Ok(router) => Some(router),
        Err(ties) => {
            for tie in ties {
                let ((first, ..), (second, place, _)) = (routed[tie.first], routed[tie.second]);
                let message = format!("routes `{first}` and `{second}` match the same requests");
                problems.push(
                    Problem::new(message)
                        .at(place.clone())
                        .hint("give one of them a condition that the other does not have"),
                );
            }
            None
        }
    }
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
        "jwks" => "jwks:<name>",
        kind => kind,
    };
    let place: Place = plugin.capability_place.clone().unwrap_or_else(|| plugin.module_place.clone());
    Problem::new(format!("{needs}, which is not granted"))
        .at(place)
        .hint(format!("grant it with `capabilities = [.., \"{grant}\"]` if you trust the plugin with it"))
}

fn bind_problem(plugin: &Plugin, config: &ConfigValue, error: &BindError) -> Problem {
    let message = match error {
        BindError::Refused(reason) => {
            format!("plugin `{}` refuses its configuration: {}", plugin.name, config.redact(reason))
        }
        BindError::Fault(fault) => {
            format!("plugin `{}` cannot start: {}", plugin.name, config.redact(&fault.to_string()))
        }
        BindError::Memory { .. } => format!("plugin `{}` has no room for its calls: {error}", plugin.name),
    };
    let place = match error {
        BindError::Refused(_) | BindError::Memory { .. } => config.whole(),
        BindError::Fault(_) => None,
    };
    let problem = Problem::new(message).at(place.unwrap_or_else(|| plugin.module_place.clone()));
    match error {
        BindError::Memory { held, .. } => {
            let enough = ((held / 3 * 4) >> 20) + 1;
            problem.hint(format!(
                "a quarter is for the calls: `limits = {{ memory = \"{enough}MiB\" }}` is the least"
            ))
        }
        _ => problem,
    }
}
