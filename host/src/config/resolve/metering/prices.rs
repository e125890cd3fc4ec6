//! Prices.

use sluice_metering::Decimal;
use sluice_metering::plan::{Price, Tier};

use super::super::Resolver;
use super::super::at::At;
use crate::config::amount::{AMOUNT, QUANTITY};
use crate::config::raw::{RawCharge, RawModel, RawTier};

/// The keys that say what is paid; each model has its own.
const KEYS: [&str; 4] = ["unit", "tiers", "size", "price"];

impl Resolver<'_> {
    /// How a model prices. Without `decimals` the meter is not known, and quantities mean nothing.
    pub(super) fn price(
        &mut self,
        at: &At<'_>,
        raw: &RawCharge,
        model: RawModel,
        decimals: Option<u8>,
    ) -> Option<Price> {
        let (name, needed): (_, &[&str]) = match model {
            RawModel::PerUnit => ("per_unit", &["unit"]),
            RawModel::Graduated => ("graduated", &["tiers"]),
            RawModel::Volume => ("volume", &["tiers"]),
            RawModel::Package => ("package", &["size", "price"]),
            RawModel::Flat => ("flat", &["price"]),
        };
        for key in KEYS {
            let (key_at, needed) = (at.key(key), needed.contains(&key));
            if key_at.is_written() && !needed {
                let message = format!("`{key}` means nothing with `model = \"{name}\"`");
                self.problems.push(key_at.problem(message));
            } else if needed && !key_at.is_written() && !self.is_lost(&key_at) {
                let what = match key {
                    "size" => QUANTITY,
                    "tiers" => "an array such as [{ up_to = 1000, unit = \"0\" }, { unit = \"0.001\" }]",
                    _ => AMOUNT,
                };
                let message = format!("`{key}` is missing in `{}`", at.path());
                self.problems.push(at.problem(message).hint(format!("`{key}` is {what}")));
            }
        }
        match model {
            RawModel::PerUnit => Some(Price::PerUnit { unit: self.amount(&at.key("unit"), &raw.unit)? }),
            RawModel::Flat => Some(Price::Flat { amount: self.amount(&at.key("price"), &raw.price)? }),
            RawModel::Package => {
                let size_at = at.key("size");
                let size = decimals.and_then(|decimals| self.quantity(&size_at, &raw.size, decimals));
                if size == Some(0) {
                    self.problems.push(size_at.problem("there is nothing in a package of this size"));
                }
                let price = self.amount(&at.key("price"), &raw.price)?;
                Some(Price::Package { size: size?, price })
            }
            RawModel::Graduated => Some(Price::Graduated { tiers: self.tiers(at, raw, decimals)? }),
            RawModel::Volume => Some(Price::Volume { tiers: self.tiers(at, raw, decimals)? }),
        }
    }

    fn tiers(&mut self, at: &At<'_>, raw: &RawCharge, decimals: Option<u8>) -> Option<Vec<Tier>> {
        let list = self.list(&at.key("tiers"), &raw.tiers);
        let last = list.len().checked_sub(1)?;
        let mut tiers: Vec<Tier> = Vec::new();
        let mut before: Option<(i64, At<'_>)> = None;
        for (index, (at, raw)) in list.into_iter().enumerate() {
            let end_at = at.key("up_to");
            let up_to = decimals.and_then(|decimals| self.quantity(&end_at, &raw.up_to, decimals));
            if index == last && end_at.is_written() {
                let message = "the last tier has no end, so that every quantity has a price";
                self.problems
                    .push(end_at.problem(message).hint("leave `up_to` out, or add a tier without it"));
            } else if index != last && !end_at.is_written() && !self.is_lost(&end_at) {
                let message = "only the last tier has no end";
                self.problems
                    .push(at.problem(message).hint("add `up_to = 1000`, the last unit that is in it"));
            }
            if let Some(end) = up_to {
                self.ascending(&end_at, end, before.as_ref());
                before = Some((end, end_at));
            }
            let (unit, flat) = self.tier_price(&at, raw);
            tiers.push(Tier { up_to, unit, flat });
        }
        Some(tiers)
    }

    fn ascending(&mut self, at: &At<'_>, end: i64, before: Option<&(i64, At<'_>)>) {
        match before {
            None if end == 0 => {
                self.problems.push(at.problem("there is nothing in a tier up to 0"));
            }
            Some((last, last_at)) if end <= *last => {
                let mut problem = at.problem("tiers ascend, and this one ends before it begins");
                if let Some(place) = last_at.place() {
                    problem = problem.related(place, "the one before it goes up to here");
                }
                self.problems.push(problem);
            }
            _ => {}
        }
    }

    fn tier_price(&mut self, at: &At<'_>, raw: &RawTier) -> (Decimal, Decimal) {
        let (unit_at, flat_at) = (at.key("unit"), at.key("flat"));
        let unit = self.amount(&unit_at, &raw.unit);
        let flat = self.amount(&flat_at, &raw.flat);
        if !unit_at.is_written() && !flat_at.is_written() && !self.is_lost(&unit_at) {
            let hint = "write `unit = \"0\"` if it is free";
            self.problems.push(at.problem("this tier has no price").hint(hint));
        }
        (unit.unwrap_or_default(), flat.unwrap_or_default())
    }
}
