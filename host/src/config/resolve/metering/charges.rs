//! What a plan charges: fees, and what is paid for what is used.

use std::sync::Arc;

use sluice_metering::meter::Meter;
use sluice_metering::period::Every;
use sluice_metering::plan::{Charge, Fee};

use super::super::Resolver;
use super::super::at::At;
use super::Meters;
use super::quotas::NotedQuota;
use crate::config::field::Field;
use crate::config::raw::{RawCharge, RawFeePeriod, RawModel};

/// What belongs to the charge of a meter.
const OF_METERS: [&str; 9] =
    ["model", "included", "unit", "tiers", "size", "price", "hard_quota", "soft_quota", "per"];
/// What belongs to a fee.
const OF_FEES: [&str; 2] = ["every", "prorate"];
/// What belongs to a price.
const OF_PRICES: [&str; 5] = ["unit", "tiers", "size", "price", "included"];

/// What came of a plan's charges so far.
pub(super) struct Terms<'d, 'a> {
    plan: &'a Arc<str>,
    /// Where the plan says that it is paid ahead.
    prepaid: Option<At<'d>>,
    pub(super) meters: &'a Meters,
    /// Each with where it was written.
    pub(super) fees: Vec<(At<'d>, Fee)>,
    pub(super) charges: Vec<(At<'d>, Charge)>,
    /// Where the price of each meter was written that has one.
    priced: Vec<(Arc<str>, At<'d>)>,
    pub(super) quotas: Vec<NotedQuota<'d>>,
    /// The first price there is.
    pub(super) price: Option<At<'d>>,
}

impl<'d, 'a> Terms<'d, 'a> {
    pub(super) fn new(plan: &'a Arc<str>, prepaid: Option<At<'d>>, meters: &'a Meters) -> Self {
        Self {
            plan,
            prepaid,
            meters,
            fees: Vec::new(),
            charges: Vec::new(),
            priced: Vec::new(),
            quotas: Vec::new(),
            price: None,
        }
    }

    pub(super) fn note_price(&mut self, at: &At<'d>) {
        self.price.get_or_insert_with(|| at.clone());
    }
}

impl Resolver<'_> {
    /// A fee, or the charge of a meter.
    pub(super) fn term<'d>(&mut self, at: &At<'d>, raw: &RawCharge, terms: &mut Terms<'d, '_>) {
        let (fee_at, meter_at) = (at.key("fee"), at.key("meter"));
        match (fee_at.is_written(), meter_at.is_written()) {
            (true, true) => {
                let message = "an entry is either a `fee` or the charge of a `meter`";
                self.problems.push(meter_at.problem(message).hint("write two entries"));
            }
            (true, false) => self.fee(at, raw, terms),
            (false, true) => self.charge(at, raw, terms),
            (false, false) => {
                if !self.is_lost(&fee_at) {
                    let hint = "write `fee = \"49.00\"`, or `meter = \"NAME\"`";
                    self.problems.push(at.problem("this charge is for nothing").hint(hint));
                }
            }
        }
    }

    fn fee<'d>(&mut self, at: &At<'d>, raw: &RawCharge, terms: &mut Terms<'d, '_>) {
        for key in OF_METERS.map(|key| (key, at.key(key))) {
            if key.1.is_written() {
                let message = format!("`{}` belongs to the charge of a meter, and this is a fee", key.0);
                self.problems.push(key.1.problem(message));
            }
        }
        let fee_at = at.key("fee");
        let every = match self.given(&at.key("every"), &raw.every) {
            Some(RawFeePeriod::Year) => Every::Year,
            Some(RawFeePeriod::Month) | None => Every::Month,
        };
        let prorate = self.given(&at.key("prorate"), &raw.prorate).copied().unwrap_or(true);
        let name = self.plain(&at.key("name"), &raw.name).unwrap_or_else(|| terms.plan.to_string());
        let Some(amount) = self.amount(&fee_at, &raw.fee) else { return };
        terms.note_price(&fee_at);
        terms.fees.push((at.clone(), Fee { name, amount, every, prorate }));
    }

    fn charge<'d>(&mut self, at: &At<'d>, raw: &RawCharge, terms: &mut Terms<'d, '_>) {
        for key in OF_FEES.map(|key| (key, at.key(key))) {
            if key.1.is_written() {
                let mut problem = key.1.problem(format!("`{}` belongs to a fee", key.0));
                if key.0 == "every" {
                    problem = problem.hint("charges are by the month; `per` is what quotas have");
                }
                self.problems.push(problem);
            }
        }
        let meter_at = at.key("meter");
        let name = self.plain(&at.key("name"), &raw.name);
        let Some(meter) = self.given(&meter_at, &raw.meter) else { return };
        if !terms.meters.names.contains_key(meter.as_str()) {
            let names = terms.meters.names.keys().map(|name| &**name);
            self.unknown(&meter_at, "meter", meter, names, "declare it as `[meters.NAME]`");
        }
        let meter = terms.meters.all.get(meter.as_str()).map(Arc::clone);
        let meter = meter.as_deref();
        let quotas = self.quotas(at, raw, meter, terms);
        match (self.given(&at.key("model"), &raw.model), meter) {
            (Some(&model), meter) => self.priced(at, raw, (model, name), meter, terms),
            (None, _) if !matches!(raw.model, Field::Absent) || self.is_lost(&at.key("model")) => {}
            (None, _) => self.without_model(at, quotas),
        }
    }

    fn priced<'d>(
        &mut self,
        at: &At<'d>,
        raw: &RawCharge,
        (model, name): (RawModel, Option<String>),
        meter: Option<&Meter>,
        terms: &mut Terms<'d, '_>,
    ) {
        let model_at = at.key("model");
        terms.note_price(&model_at);
        let decimals = meter.map(|meter| meter.decimals);
        let included_at = at.key("included");
        let included = decimals.and_then(|decimals| self.quantity(&included_at, &raw.included, decimals));
        let price = self.price(at, raw, model, decimals);
        if let Some(prepaid) = &terms.prepaid {
            self.check_prepaid(&model_at, model, meter, prepaid);
        }
        let Some(meter) = meter else { return };
        if let Some((_, first)) = terms.priced.iter().find(|(name, _)| *name == meter.name) {
            let mut problem = model_at.problem(format!("`{}` has a price in this plan already", meter.name));
            if let Some(place) = first.place() {
                problem = problem.related(place, "the first one");
            }
            self.problems.push(problem);
        }
        terms.priced.push((Arc::clone(&meter.name), model_at));
        let Some(price) = price else { return };
        let charge = Charge {
            meter: Arc::clone(&meter.name),
            aggregation: meter.aggregation,
            decimals: meter.decimals,
            name: name.unwrap_or_else(|| meter.name.to_string()),
            included: included.unwrap_or(0),
            price,
        };
        terms.charges.push((at.clone(), charge));
    }

    /// Credit is drawn while requests are answered, so what was drawn has to stand.
    fn check_prepaid(&mut self, at: &At<'_>, model: RawModel, meter: Option<&Meter>, prepaid: &At<'_>) {
        let adds_up = meter.is_none_or(|meter| meter.aggregation.adds_up());
        let (message, hint) = match model {
            RawModel::Volume => (
                "with `volume` a request changes the price of those before it, which credit has paid",
                "use `graduated`, or a plan without `prepaid`",
            ),
            _ if !adds_up => {
                ("credit is drawn by what adds up alone, `count` or `sum`", "use a plan without `prepaid`")
            }
            _ => return,
        };
        let mut problem = at.problem(message).hint(hint);
        if let Some(place) = prepaid.place() {
            problem = problem.related(place, "this plan is paid ahead");
        }
        self.problems.push(problem);
    }

    /// A charge that says nothing of prices has quotas.
    fn without_model(&mut self, at: &At<'_>, quotas: bool) {
        let written = OF_PRICES.iter().find(|key| at.key(key).is_written());
        if let Some(key) = written {
            let model = match *key {
                "unit" => "write `model = \"per_unit\"`",
                "tiers" => "write `model = \"graduated\"` or `model = \"volume\"`",
                "size" => "write `model = \"package\"`",
                _ => "one of `per_unit`, `graduated`, `volume`, `package` and `flat`",
            };
            self.problems.push(at.key(key).problem("a price needs a `model`").hint(model));
        } else if !quotas {
            let hint = "add `model = \"per_unit\"` with `unit = \"0.001\"`, or `hard_quota = 1000`";
            self.problems.push(at.problem("this charge has neither a price nor a quota").hint(hint));
        }
    }
}
