//! Chains, and the steps of chains and routes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::at::At;
use super::{Input, Names, Resolver};
use crate::config::field::Field;
use crate::config::model::{OnError, Plugin, Step};
use crate::config::problem::{Place, Problem};
use crate::config::raw::{List, RawStep, RawStepTable};

/// The steps of a chain, or of a route.
#[derive(Clone, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Planned>,
    /// Groups met so far.
    groups: usize,
    /// Some entry could not be read, so a step that seems to be missing may be there.
    incomplete: bool,
}

impl Plan {
    /// A plan of which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { incomplete: true, ..Self::default() }
    }

    /// The places of the steps of each alternative, group by group.
    pub(super) fn groups(&self) -> Vec<Vec<Range<usize>>> {
        let mut groups: Vec<(usize, Vec<Range<usize>>)> = Vec::new();
        let mut last = None;
        for (place, step) in self.steps.iter().enumerate() {
            if let Some((group, alternative)) = step.group {
                let of = match groups.last_mut().filter(|(known, _)| *known == group) {
                    Some((_, alternatives)) => alternatives,
                    None => &mut groups.push_mut((group, Vec::new())).1,
                };
                match of.last_mut().filter(|_| last == Some((group, alternative))) {
                    Some(steps) => steps.end = place + 1,
                    None => of.push(place..place + 1),
                }
            }
            last = step.group;
        }
        groups.into_iter().map(|(_, alternatives)| alternatives).collect()
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
    /// Which alternative of which group of the plan it belongs to.
    group: Option<(usize, usize)>,
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
                RawStep::Table(table) if table.is_group() => self.group(&at, table, usable, plan),
                RawStep::Table(table) => self.table_step(&at, table, usable, plan),
            }
        }
    }

    /// Steps that stand for each other, or belong together.
    fn group(&mut self, at: &At<'_>, raw: &RawStepTable, usable: Usable<'_>, plan: &mut Plan) {
        for (key, written) in raw.written_beside_a_group() {
            if written {
                let message = format!("`{key}` belongs to a single step, and this is a group of them");
                self.problems.push(at.key(key).problem(message));
            }
        }
        let (any_at, all_at) = (at.key("any_of"), at.key("all_of"));
        if any_at.is_written() && all_at.is_written() {
            let message =
                "a group is either `any_of` or `all_of`: write `any_of = [{ all_of = [...] }, ...]`";
            self.problems.push(all_at.problem(message));
            return;
        }
        let number = plan.groups;
        plan.groups += 1;
        let mut inner = Plan::default();
        if all_at.is_written() {
            self.alternative(&all_at, &raw.all_of, (number, 0), usable, &mut inner);
        }
        for (alternative, (at, raw)) in self.list(&any_at, &raw.any_of).into_iter().enumerate() {
            let place = (number, alternative);
            match raw {
                RawStep::Table(table) if at.key("all_of").is_written() => {
                    self.alternative(&at.key("all_of"), &table.all_of, place, usable, &mut inner);
                }
                single => self.member(&at, single, place, usable, &mut inner),
            }
        }
        plan.incomplete |= inner.incomplete;
        for planned in inner.steps {
            let place = planned.place.clone();
            if self.is_new(place, &planned.name, plan) {
                plan.steps.push(planned);
            }
        }
    }

    fn alternative(
        &mut self,
        at: &At<'_>,
        raw: &List<RawStep>,
        place: (usize, usize),
        usable: Usable<'_>,
        plan: &mut Plan,
    ) {
        for (at, raw) in self.list(at, raw) {
            self.member(&at, raw, place, usable, plan);
        }
    }

    fn member(
        &mut self,
        at: &At<'_>,
        raw: &RawStep,
        place: (usize, usize),
        usable: Usable<'_>,
        plan: &mut Plan,
    ) {
        let first = plan.steps.len();
        match raw {
            RawStep::Plugin(name) => {
                let step = self.step(at, at, name, None, usable);
                self.append(at, name.as_str().into(), step, plan);
            }
            RawStep::Table(table) if table.is_group() => {
                let message = "groups go no deeper than `any_of = [{ all_of = [...] }]`";
                self.problems.push(at.problem(message));
            }
            RawStep::Table(table) => {
                for key in ["after", "before"].map(|key| at.key(key)) {
                    if key.is_written() {
                        let message = "a step of a group has its place in it";
                        self.problems.push(key.problem(message));
                    }
                }
                self.table_step(at, table, usable, plan);
            }
        }
        for planned in &mut plan.steps[first..] {
            planned.group = Some(place);
            if planned.step.as_ref().is_some_and(|step| step.on_error == OnError::Allow) {
                let message =
                    format!("`{}` allows on error, so that a fault of it would let anybody in", planned.name);
                let hint = "in `any_of` and `all_of` a step denies on error";
                self.problems.push(at.problem(message).hint(hint));
            }
        }
    }

    fn table_step(&mut self, at: &At<'_>, raw: &RawStepTable, usable: Usable<'_>, plan: &mut Plan) {
        let plugin_at = at.key("use");
        let plugin = self.given(&plugin_at, &raw.plugin);
        if matches!(raw.plugin, Field::Absent) && !self.is_lost(&plugin_at) {
            let hint = "write `use = \"PLUGIN\"`, or a group: `any_of = [...]`";
            let message = format!("`use` is missing in `{}`", at.path());
            self.problems.push(at.problem(message).hint(hint));
        }
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
        let mut planned = Planned { name, place: at.place(), step, after: None, group: None };
        // a step of a group stands for all of it
        let group = plan.steps[found].group.map(|(group, _)| group);
        let same = |step: &Planned| group.is_some() && step.group.map(|(group, _)| group) == group;
        if after.is_some() {
            let first = plan.steps.iter().position(same).unwrap_or(found);
            let anchor = Arc::clone(&plan.steps[first].name);
            index += 1;
            while plan.steps.get(index).is_some_and(same) {
                index += 1;
            }
            // several steps after the same one keep the order in which they were written
            while plan.steps.get(index).is_some_and(|other| other.after.as_ref() == Some(&anchor)) {
                index += 1;
            }
            planned.after = Some(anchor);
        } else {
            while index > 0 && same(&plan.steps[index - 1]) {
                index -= 1;
            }
        }
        if self.is_new(at.place(), &planned.name, plan) {
            plan.steps.insert(index, planned);
        }
    }

    fn append(&mut self, at: &At<'_>, name: Arc<str>, step: Option<Step>, plan: &mut Plan) {
        if self.is_new(at.place(), &name, plan) {
            plan.steps.push(Planned { name, place: at.place(), step, after: None, group: None });
        }
    }

    fn is_new(&mut self, place: Option<Place>, name: &str, plan: &Plan) -> bool {
        let Some(first) = plan.steps.iter().find(|other| *other.name == *name) else {
            return true;
        };
        let mut problem = Problem::new(format!("two steps are named `{}`", name.escape_debug()));
        problem.place = place;
        problem.label = Some("the second one".to_owned());
        problem.hint = Some("give one of them another name: `{ use = \"...\", name = \"...\" }`".to_owned());
        if let Some(place) = &first.place {
            problem = problem.related(place.clone(), "the first one");
        }
        self.problems.push(problem);
        false
    }
}
