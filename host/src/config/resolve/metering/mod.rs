//! What is metered, what it costs, and where that is kept.

mod charges;
mod check;
mod decimals;
mod gateway;
mod ledger;
mod meters;
mod plans;
mod prices;
mod quotas;
mod sink_rules;
mod sinks;

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_metering::plan::Plan;

use super::at::At;
use super::{Input, Names, Resolver};
use crate::config::field::Field;
use crate::config::problem::{Place, Problem};

pub(super) use meters::Meters;

impl Resolver<'_> {
    /// There is no ledger: reports the first of each kind of thing that is nothing without one, as one problem.
    pub(super) fn needs_ledger(&mut self, inputs: &[Input<'_>], kinds: [(&str, &Names); 3]) {
        let mut places: Vec<(Place, String)> = Vec::new();
        for (kind, names) in kinds {
            let first = names.iter().next();
            places.extend(first.map(|(name, place)| (place.clone(), format!("{kind} `{name}`"))));
        }
        places.extend(inputs.iter().find_map(serves_usage));
        places.extend(inputs.iter().find_map(|input| {
            let at = At::root(input.document).key("ledger");
            at.is_written().then(|| Some((at.place()?, "its settings".to_owned()))).flatten()
        }));
        let mut places = places.into_iter();
        let Some((place, label)) = places.next() else { return };
        let mut problem =
            Problem::new("there is no ledger, where what is metered is kept").at(place).label(label);
        problem.related.extend(places);
        self.problems.push(problem.hint("add `[store]` with `ledger = \"sqlite:data/ledger.db\"`"));
    }
}

/// The plans on which anything is paid.
pub(super) fn paid(plans: &BTreeMap<Arc<str>, Arc<Plan>>, names: &Names) -> Names {
    let is_paid = |plan: &&Arc<Plan>| {
        !plan.fees.is_empty() || !plan.charges.is_empty() || plan.minimum.is_some() || plan.prepaid.is_some()
    };
    let paid = plans.values().filter(is_paid);
    paid.filter_map(|plan| names.get_key_value(&plan.name))
        .map(|(name, place)| (Arc::clone(name), place.clone()))
        .collect()
}

/// The first route of a file that tells what was used.
fn serves_usage(input: &Input<'_>) -> Option<(Place, String)> {
    let Field::Given(routes) = &input.raw.routes else { return None };
    routes.iter().find_map(|(name, route)| {
        let Field::Given(route) = route else { return None };
        let Field::Given(_) = route.serve else { return None };
        let at = At::root(input.document).key("routes").key(name).key("serve");
        Some((at.place()?, format!("`{}`", at.path())))
    })
}
