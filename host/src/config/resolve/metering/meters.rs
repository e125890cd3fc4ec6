//! Meters.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_metering::meter::{Aggregation, Meter, Unanswered};

use super::super::at::At;
use super::super::{Entry, Input, Names, Resolver, is_name};
use crate::config::problem::Place;
use crate::config::raw::{RawAggregation, RawMeter, RawUnanswered};

const MOST: usize = 256;

/// The meters, and what plans and sinks have to know of them.
#[derive(Default)]
pub(in crate::config::resolve) struct Meters {
    /// Those that are in order.
    pub(in crate::config::resolve) all: BTreeMap<Arc<str>, Arc<Meter>>,
    pub(in crate::config::resolve) names: Names,
    /// Where it was written what a meter reserves.
    pub(super) reserves: BTreeMap<Arc<str>, Place>,
}

impl Resolver<'_> {
    pub(in crate::config::resolve) fn meters(&mut self, inputs: &[Input<'_>]) -> Meters {
        let mut meters = Meters::default();
        let entries = self.named(inputs, "meters", |raw| &raw.meters);
        self.at_most(MOST, "meters", &entries);
        for entry in entries {
            meters.names.extend(entry.at.head().map(|place| (Arc::clone(&entry.name), place)));
            let (meter, doubtful) = self.doubted(&entry.at, |resolver| resolver.meter(&entry));
            let Some(meter) = meter.filter(|_| !doubtful) else { continue };
            let reserve = entry.at.key("reserve");
            if reserve.is_written() {
                meters.reserves.extend(reserve.place().map(|place| (Arc::clone(&entry.name), place)));
            }
            meters.all.insert(entry.name, Arc::new(meter));
        }
        meters
    }

    fn meter(&mut self, entry: &Entry<'_, RawMeter>) -> Option<Meter> {
        let (at, raw) = (&entry.at, entry.raw?);
        let unit_at = at.key("unit");
        let unit = self.plain(&unit_at, &raw.unit);
        let dimensions = self.dimensions(&at.key("dimensions"), raw);
        let decimals = self.number(at, "decimals", &raw.decimals, 0_u8);
        let unanswered = match self.given(&at.key("unanswered"), &raw.unanswered) {
            Some(RawUnanswered::Reserved) => Unanswered::Reserved,
            Some(RawUnanswered::Free) | None => Unanswered::Free,
        };
        let aggregation = match self.given(&at.key("aggregation"), &raw.aggregation)? {
            RawAggregation::Count => Aggregation::Count,
            RawAggregation::Sum => Aggregation::Sum,
            RawAggregation::Max => Aggregation::Max,
            RawAggregation::Unique => Aggregation::Unique,
            RawAggregation::Latest => Aggregation::Latest,
        };
        let (kind, adds_up) = (aggregation.name(), aggregation.adds_up());
        if decimals > 0 && matches!(aggregation, Aggregation::Count | Aggregation::Unique) {
            let message = format!("a meter of `{kind}` has whole values alone");
            self.problems.push(at.key("decimals").problem(message));
        }
        if !adds_up && unanswered == Unanswered::Reserved {
            let message = format!("nothing is reserved on a meter of `{kind}`");
            self.problems.push(at.key("unanswered").problem(message).hint("`unanswered` is `free` there"));
        }
        let reserve = self.reserve(at, raw, aggregation, decimals);
        Some(Meter {
            name: Arc::clone(&entry.name),
            aggregation,
            unit,
            decimals,
            dimensions,
            reserve,
            unanswered,
        })
    }

    fn reserve(&mut self, at: &At<'_>, raw: &RawMeter, aggregation: Aggregation, decimals: u8) -> i64 {
        let at = at.key("reserve");
        let reserve = self.quantity(&at, &raw.reserve, decimals);
        match aggregation {
            Aggregation::Count => {
                if reserve.is_some_and(|reserve| reserve != 1) {
                    let message = "a meter of `count` reserves 1 for each request";
                    self.problems.push(at.problem(message).hint("leave `reserve` out, or make it a `sum`"));
                }
                1
            }
            Aggregation::Sum => reserve.unwrap_or_else(|| 10_i64.pow(u32::from(decimals.min(6)))),
            Aggregation::Max | Aggregation::Unique | Aggregation::Latest => {
                if reserve.is_some() {
                    let message = format!("nothing can be reserved on a meter of `{}`", aggregation.name());
                    self.problems.push(at.problem(message).hint("leave `reserve` out"));
                }
                0
            }
        }
    }

    fn dimensions(&mut self, at: &At<'_>, raw: &RawMeter) -> Vec<Arc<str>> {
        let mut dimensions: Vec<Arc<str>> = Vec::new();
        for (at, name) in self.list(at, &raw.dimensions) {
            if !is_name(name) {
                let expected = "the name of a dimension: up to 128 letters, digits and `-`, `_`, `.`, `@`";
                self.invalid(&at, expected, &format!("expected {expected}, found {}", at.written()), None);
            } else if dimensions.iter().any(|known| **known == **name) {
                self.problems.push(at.problem(format!("`{name}` is there twice")));
            } else {
                dimensions.push(name.as_str().into());
            }
        }
        dimensions.sort();
        dimensions
    }

    /// Reports that there are too many tables of a kind, at the first that is too much.
    pub(super) fn at_most<T>(&mut self, most: usize, kind: &str, entries: &[Entry<'_, T>]) {
        if let Some(entry) = entries.get(most) {
            let message = format!("there are {} {kind}, and {most} are the most there can be", entries.len());
            let mut problem = entry.at.problem(message);
            problem.place = entry.at.head();
            self.problems.push(problem);
        }
    }
}
