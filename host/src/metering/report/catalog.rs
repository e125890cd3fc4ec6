//! What is configured of what is reported: meters, plans, and who is on which.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use sluice_metering::meter::Meter;
use sluice_metering::money::written;
use sluice_metering::plan::Plan;

use crate::config::Config;

/// What is configured of what is reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    pub(super) meters: BTreeMap<Arc<str>, Arc<Meter>>,
    pub(super) plans: BTreeMap<Arc<str>, Arc<Plan>>,
    /// All consumers, with their plans.
    consumers: HashMap<Arc<str>, Option<Arc<Plan>>>,
}

impl Catalog {
    /// Of a configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let plan = |name: &Option<Arc<str>>| name.as_ref().and_then(|name| config.plans.get(name)).cloned();
        let consumers = config.consumers.iter();
        Self {
            meters: config.meters.clone(),
            plans: config.plans.clone(),
            consumers: consumers.map(|it| (Arc::clone(&it.name), plan(&it.plan))).collect(),
        }
    }

    #[cfg(test)]
    pub(super) fn of(meters: Vec<Meter>, plans: Vec<Plan>, consumers: &[(&str, &str)]) -> Self {
        let plans: BTreeMap<_, _> =
            plans.into_iter().map(|plan| (Arc::clone(&plan.name), Arc::new(plan))).collect();
        let consumers = consumers.iter().map(|(name, plan)| (Arc::from(*name), plans.get(*plan).cloned()));
        Self {
            consumers: consumers.collect(),
            meters: meters.into_iter().map(|meter| (Arc::clone(&meter.name), Arc::new(meter))).collect(),
            plans,
        }
    }

    /// Whether a consumer of this name is configured.
    pub(crate) fn knows(&self, consumer: &str) -> bool {
        self.consumers.contains_key(consumer)
    }

    /// The currency of the plan that a consumer is on.
    pub(crate) fn currency_of(&self, consumer: &str) -> Option<&str> {
        self.plan_of(consumer).map(|plan| plan.currency.code())
    }

    /// The plan that a consumer is on now.
    pub(super) fn plan_of(&self, consumer: &str) -> Option<&Arc<Plan>> {
        self.consumers.get(consumer)?.as_ref()
    }

    /// Its name.
    pub(super) fn plan_name(&self, consumer: &str) -> Option<String> {
        self.plan_of(consumer).map(|plan| plan.name.to_string())
    }

    pub(super) fn meter_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.meters.keys().map(|name| &**name)
    }

    pub(super) fn plan_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.plans.keys().map(|name| &**name)
    }

    pub(super) fn consumer_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.consumers.keys().map(|name| &**name)
    }

    /// The names of the dimensions of a meter, or of all.
    pub(super) fn dimensions(&self, meter: Option<&str>) -> Vec<&str> {
        let meters = self.meters.values().filter(|known| meter.is_none_or(|meter| *known.name == *meter));
        let mut names: Vec<&str> = meters.flat_map(|meter| &meter.dimensions).map(|name| &**name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A quantity in smallest units as units, exact and without needless digits.
pub(super) fn units(smallest: i128, decimals: u8) -> String {
    let unit = 10_u128.pow(u32::from(decimals.min(6)));
    let (sign, size) = (if smallest < 0 { "-" } else { "" }, smallest.unsigned_abs());
    let (whole, part) = (size / unit, size % unit);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let part = format!("{part:0width$}", width = usize::from(decimals));
    format!("{sign}{whole}.{}", part.trim_end_matches('0'))
}

/// Nanos of a currency of so many places, exact.
pub(super) fn amount(nanos: sluice_metering::Nanos, places: u8) -> String {
    written(sluice_metering::money::from_nanos(nanos), places)
}

/// The time of a document, to the second.
pub(super) fn second(now: Timestamp) -> String {
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// A moment as documents have it.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::units;

    #[test]
    fn quantities_are_exact() {
        for (smallest, decimals, text) in [
            (0, 0, "0"),
            (1_234, 0, "1234"),
            (1_500, 3, "1.5"),
            (1_005, 3, "1.005"),
            (-50, 3, "-0.05"),
            (5_000, 3, "5"),
            (i128::MAX, 6, "170141183460469231731687303715884.105727"),
        ] {
            assert_eq!(units(smallest, decimals), text);
        }
    }
}
