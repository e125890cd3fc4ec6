//! Chains, and the steps of chains and routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::at::At;
use super::{Input, Names, Resolver};
use crate::config::field::Field;
use crate::config::model::{Plugin, Step};
use crate::config::problem::{Place, Problem};
use crate::config::raw::{List, RawStep, RawStepTable};

/// The steps of a chain, or of a route.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Planned>,
    /// Some entry could not be read, so a step that seems to be missing may be there.
    incomplete: bool,
}

impl Plan {
    /// A plan of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { steps: Vec::new(), incomplete: true }
    }
}

/// A step that has its place; `step` is `None` if it is broken, which was reported.
#[derive(Clone)]
pub(super) struct Planned {
    name: Arc<str>,
    place: Option<Place>,
    pub(super) step: Option<Step>,
    /// The step that it was put after.
    after: Option<Arc<str>>,
}

/// The plugins that steps may use.
#[derive(Clone, Copy)]
pub(super) struct Usable<'a> {
    pub(super) plugins: &'a BTreeMap<Arc<str>, Arc<Plugin>>,
    pub(super) names: &'a Names,
}

impl Resolver<'_> {
    pub(super) fn chains(
        &mut self,
        inputs: &[Input<'_>],
        plugins: &BTreeMap<Arc<str>, Arc<Plugin>>,
        names: &Names,
    ) -> BTreeMap<Arc<str>, Plan> {
        let mut chains = BTreeMap::new();
        for entry in self.named(inputs, "chains", |raw| &raw.chains) {
            let mut plan = Plan { incomplete: entry.raw.is_none(), ..Plan::default() };
            self.known.incomplete |= plan.incomplete;
            if let Some(raw) = entry.raw {
                let usable = Usable { plugins, names };
                self.add_steps(&entry.at.key("steps"), &raw.steps, usable, &mut plan);
            }
            chains.insert(entry.name, plan);
        }
        chains
    }

    pub(super) fn add_steps(
        &mut self,
        at: &At<'_>,
        raw: &List<RawStep>,
        usable: Usable<'_>,
        plan: &mut Plan,
    ) {
        let written = match raw {
            Field::Given(list) => list.len(),
            Field::Absent => 0,
            Field::Broken => 1,
        };
        let list = self.list(at, raw);
        plan.incomplete |= list.len() < written;
        self.known.incomplete |= plan.incomplete;
        for (at, raw) in list {
            match raw {
                RawStep::Plugin(name) => {
                    let step = self.step(&at, &at, name, None, usable);
                    self.append(&at, name.as_str().into(), step, plan);
                }
                RawStep::Table(table) => self.table_step(&at, table, usable, plan),
            }
        }
    }

    fn table_step(&mut self, at: &At<'_>, raw: &RawStepTable, usable: Usable<'_>, plan: &mut Plan) {
        let plugin_at = at.key("use");
        let plugin = self.given(&plugin_at, &raw.plugin);
        let name_at = at.key("name");
        let own_name = self.given(&name_at, &raw.name);
        if let Some(name) = own_name {
            self.check_name(&name_at, name);
        }
        let Some(name) = own_name.or(plugin) else {
            plan.incomplete = true;
            self.known.incomplete = true;
            return;
        };
        let name: Arc<str> = name.as_str().into();
        self.known.incomplete |= plugin.is_none();
        let step = match plugin {
            Some(plugin) => self.step(at, &plugin_at, plugin, Some(raw), usable),
            None => None,
        };
        let step = step.map(|step| Step { name: Arc::clone(&name), ..step });
        self.place_step(at, raw, name, step, plan);
    }

    fn step(
        &mut self,
        at: &At<'_>,
        plugin_at: &At<'_>,
        plugin: &str,
        raw: Option<&RawStepTable>,
        usable: Usable<'_>,
    ) -> Option<Step> {
        let config = raw.and_then(|raw| self.config(&at.key("config"), &raw.config));
        let on_error = raw.and_then(|raw| self.on_error(&at.key("on_error"), &raw.on_error));
        if !usable.names.contains_key(plugin) {
            let names = usable.names.keys().map(|name| &**name);
            self.known.incomplete = true;
            self.unknown(plugin_at, "plugin", plugin, names, "declare it as `[plugins.NAME]`");
            return None;
        }
        self.known.used.insert(plugin.into());
        let plugin = usable.plugins.get(plugin)?;
        Some(Step {
            name: Arc::clone(&plugin.name),
            config: match config {
                Some(own) => plugin.config.overlaid(&own),
                None => plugin
                    .config
                    .clone()
                    .incomplete(raw.is_some_and(|raw| matches!(raw.config, Field::Broken)))
                    .incomplete(raw.is_some() && self.is_lost(&at.key("config"))),
            },
            on_error: on_error.unwrap_or(plugin.on_error),
            plugin: Arc::clone(plugin),
            place: at.place()?,
        })
    }

    fn place_step(
        &mut self,
        at: &At<'_>,
        raw: &RawStepTable,
        name: Arc<str>,
        step: Option<Step>,
        plan: &mut Plan,
    ) {
        let (after_at, before_at) = (at.key("after"), at.key("before"));
        let after = self.given(&after_at, &raw.after);
        let before = self.given(&before_at, &raw.before);
        let (anchor_at, anchor) = match (after, before) {
            (None, None) => return self.append(at, name, step, plan),
            (Some(_), Some(_)) => {
                let message = "a step stands either `after` or `before` another one";
                self.problems.push(before_at.problem(message));
                return self.append(at, name, step, plan);
            }
            (Some(anchor), None) => (after_at, anchor),
            (None, Some(anchor)) => (before_at, anchor),
        };
        let Some(found) = plan.steps.iter().position(|other| *other.name == **anchor) else {
            if !plan.incomplete {
                let names = plan.steps.iter().map(|step| &*step.name);
                let hint = "there are no steps before this one";
                self.unknown(&anchor_at, "step", anchor, names, hint);
            }
            return self.append(at, name, step, plan);
        };
        let mut index = found;
        let mut planned = Planned { name, place: at.place(), step, after: None };
        if after.is_some() {
            let anchor = Arc::clone(&plan.steps[found].name);
            index += 1;
            // several steps after the same one keep the order in which they were written
            while plan.steps.get(index).is_some_and(|other| other.after.as_ref() == Some(&anchor)) {
                index += 1;
            }
            planned.after = Some(anchor);
        }
        if self.is_new(at, &planned.name, plan) {
            plan.steps.insert(index, planned);
        }
    }

    fn append(&mut self, at: &At<'_>, name: Arc<str>, step: Option<Step>, plan: &mut Plan) {
        if self.is_new(at, &name, plan) {
            plan.steps.push(Planned { name, place: at.place(), step, after: None });
        }
    }

    fn is_new(&mut self, at: &At<'_>, name: &str, plan: &Plan) -> bool {
        let Some(first) = plan.steps.iter().find(|other| *other.name == *name) else {
            return true;
        };
        let mut problem = Problem::new(format!("two steps are named `{}`", name.escape_debug()));
        problem.place = at.place();
        problem.label = Some("the second one".to_owned());
        problem.hint = Some("give one of them another name: `{ use = \"...\", name = \"...\" }`".to_owned());
        if let Some(place) = &first.place {
            problem = problem.related(place.clone(), "the first one");
        }
        self.problems.push(problem);
        false
    }
}
