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

use crate::config::problem::{Place, Problem};

use super::Resolver;

pub(super) use meters::Meters;

impl Resolver<'_> {
    /// There is no ledger: reports the first of each kind of thing that is nothing without one.
    pub(super) fn needs_ledger(&mut self, meters: &Meters) {
        let mut places: Vec<(Place, String)> = Vec::new();
        places.extend(
            meters.names.iter().next().map(|(name, place)| (place.clone(), format!("meter `{name}`"))),
        );
        let mut places = places.into_iter();
        let Some((place, label)) = places.next() else { return };
        let mut problem =
            Problem::new("there is no ledger, where what is metered is kept").at(place).label(label);
        problem.related.extend(places);
        self.problems.push(problem.hint("add `[store]` with `ledger = \"sqlite:data/ledger.db\"`"));
    }
}
