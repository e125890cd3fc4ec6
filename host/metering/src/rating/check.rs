//! What a plan has to be for its amounts to be exact. Whoever reads plans asks this, and says where in the file it is.

use std::time::Duration;

use rust_decimal::Decimal;

use super::exact::{METER_PLACES, PRICE_PLACES};
use crate::period::Every;
use crate::plan::{Charge, Fee, Plan, Price, Tier};

/// Prices of units, packages and flat amounts are below this.
const PRICE_LIMIT: i64 = 1_000_000_000;
/// Fees and minimums are below this.
const FEE_LIMIT: i64 = 1_000_000_000_000;
/// A nano's.
const NANO_PLACES: u32 = 9;
/// The most tiers of a charge.
const TIERS: usize = 100;
/// The longest trial and the longest life of granted credit: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// What is wrong with a plan, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PlanProblem {
    /// Which piece of the plan.
    pub place: Place,
    /// What is wrong with it.
    pub reason: Reason,
}

/// A piece of a plan. Indices are those of `Plan::fees`, `Plan::charges` and `Plan::quotas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A fee.
    Fee(usize, FeeField),
    /// A charge.
    Charge(usize, ChargeField),
    /// The limit of a quota.
    Quota(usize),
    /// The minimum.
    Minimum,
    /// The trial.
    Trial,
    /// What is granted of a prepaid plan.
    Grant,
    /// How long that lasts.
    GrantExpires,
    /// The status.
    Exhausted,
}

/// A field of a fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeField {
    /// `fee`.
    Amount,
    /// `every`.
    Every,
}

/// What is wrong with a charge, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ChargeProblem {
    /// Which of its fields.
    pub field: ChargeField,
    /// What is wrong with it.
    pub reason: Reason,
}

/// A field of a charge. Indices are those of its tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeField {
    /// The meter: its decimals or its aggregation.
    Meter,
    /// `model`.
    Model,
    /// `included`.
    Included,
    /// `price` of a flat charge.
    Amount,
    /// `unit` of a charge by unit.
    Unit,
    /// `size` of a package.
    Size,
    /// `price` of a package.
    Price,
    /// All `tiers`.
    Tiers,
    /// `up_to` of a tier.
    TierUpTo(usize),
    /// `unit` of a tier.
    TierUnit(usize),
    /// `flat` of a tier.
    TierFlat(usize),
}

/// Why a piece of a plan is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// An amount or a quantity.
    #[error("must not be negative")]
    Negative,
    /// An amount.
    #[error("has {places} decimals; {most} are the most")]
    TooFine {
        /// How many it has.
        places: u32,
        /// How many it may have.
        most: u32,
    },
    /// An amount of a prepaid plan.
    #[error(
        "has {places} decimals and its meter {decimals}; in a prepaid plan they may be {NANO_PLACES} together"
    )]
    FinerThanCredit {
        /// Of the price.
        places: u32,
        /// Of the meter.
        decimals: u8,
    },
    /// An amount.
    #[error("must be below {limit}")]
    TooGreat {
        /// What it has to be below.
        limit: i64,
    },
    /// A meter's decimals.
    #[error("a meter has at most {METER_PLACES} decimals, not {0}")]
    Decimals(u8),
    /// There are none.
    #[error("there has to be a tier")]
    NoTiers,
    /// There are too many.
    #[error("at most {TIERS} tiers")]
    TooManyTiers,
    /// A tier's end.
    #[error("must be more than {0}, where the tier before it ends")]
    NotAscending(i64),
    /// A tier's end.
    #[error("the last tier must be without `up_to`: it takes all that the others do not")]
    LastEnds,
    /// A tier's end.
    #[error("only the last tier may be without `up_to`")]
    Endless,
    /// A package's size.
    #[error("must be more than 0")]
    Empty,
    /// A model of a prepaid plan.
    #[error(
        "`volume` cannot be drawn from credit: with one more unit, all that were drawn before have another price"
    )]
    PrepaidVolume,
    /// A meter of a prepaid plan.
    #[error(
        "only what adds up, `count` or `sum`, can be drawn from credit while it is used: the meter is `{0}`"
    )]
    PrepaidMeter(&'static str),
    /// How often a fee is due.
    #[error("a fee is due every `month` or every `year`")]
    Every,
    /// A duration.
    #[error("at most a hundred years")]
    TooLong,
    /// The status of a denial.
    #[error("402 or 429, not {0}")]
    Status(u16),
}

impl Charge {
    /// What keeps this charge from being rated; nothing if all is well. Whether it can be drawn from credit is [`Plan::check`]'s to say.
    #[must_use]
    pub fn check(&self) -> Vec<ChargeProblem> {
        let mut problems = Vec::new();
        if u32::from(self.decimals) > METER_PLACES {
            problems.push((ChargeField::Meter, Reason::Decimals(self.decimals)));
        }
        if self.included < 0 {
            problems.push((ChargeField::Included, Reason::Negative));
        }
        for (field, price, _) in prices(self) {
            problems.extend(amount(price, PRICE_LIMIT).map(|reason| (field, reason)));
        }
        match &self.price {
            Price::Graduated { tiers } | Price::Volume { tiers } => problems.extend(bounds(tiers)),
            Price::Package { size, .. } if *size <= 0 => problems.push((ChargeField::Size, Reason::Empty)),
            _ => {}
        }
        problems.into_iter().map(|(field, reason)| ChargeProblem { field, reason }).collect()
    }

    /// What keeps this charge from being drawn from credit.
    fn check_prepaid(&self) -> Vec<ChargeProblem> {
        let mut problems = Vec::new();
        if matches!(self.price, Price::Volume { .. }) {
            problems.push((ChargeField::Model, Reason::PrepaidVolume));
        }
        if !self.aggregation.adds_up() {
            problems.push((ChargeField::Meter, Reason::PrepaidMeter(self.aggregation.name())));
        }
        for (field, price, by_unit) in prices(self) {
            let decimals = if by_unit { self.decimals } else { 0 };
            let places = price.normalize().scale();
            if places + u32::from(decimals) > NANO_PLACES {
                problems.push((field, Reason::FinerThanCredit { places, decimals }));
            }
        }
        problems.into_iter().map(|(field, reason)| ChargeProblem { field, reason }).collect()
    }
}

impl Plan {
    /// What keeps this plan from being rated, in the order of its pieces; nothing if all is well.
    #[must_use]
    pub fn check(&self) -> Vec<PlanProblem> {
        let mut problems = Vec::new();
        for (index, fee) in self.fees.iter().enumerate() {
            problems.extend(check_fee(fee).map(|(field, reason)| (Place::Fee(index, field), reason)));
        }
        for (index, charge) in self.charges.iter().enumerate() {
            let mut found = charge.check();
            if self.prepaid.is_some() && found.is_empty() {
                found = charge.check_prepaid();
            }
            problems.extend(found.into_iter().map(|it| (Place::Charge(index, it.field), it.reason)));
        }
        for (index, quota) in self.quotas.iter().enumerate() {
            if quota.limit < 0 {
                problems.push((Place::Quota(index), Reason::Negative));
            }
        }
        let minimum = self.minimum.and_then(|it| amount(it, FEE_LIMIT));
        problems.extend(minimum.map(|reason| (Place::Minimum, reason)));
        if self.trial.is_some_and(|it| it > LONGEST) {
            problems.push((Place::Trial, Reason::TooLong));
        }
        if let Some(prepaid) = &self.prepaid {
            let grant = prepaid.grant.and_then(|it| places(it, NANO_PLACES).or(amount(it, PRICE_LIMIT)));
            problems.extend(grant.map(|reason| (Place::Grant, reason)));
            if prepaid.expires.is_some_and(|it| it > LONGEST) {
                problems.push((Place::GrantExpires, Reason::TooLong));
            }
        }
        if !matches!(self.exhausted, 402 | 429) {
            problems.push((Place::Exhausted, Reason::Status(self.exhausted)));
        }
        problems.into_iter().map(|(place, reason)| PlanProblem { place, reason }).collect()
    }
}

/// All amounts of a charge, and whether they are of a unit.
fn prices(charge: &Charge) -> Vec<(ChargeField, Decimal, bool)> {
    match &charge.price {
        Price::Flat { amount } => vec![(ChargeField::Amount, *amount, false)],
        Price::PerUnit { unit } => vec![(ChargeField::Unit, *unit, true)],
        Price::Package { price, .. } => vec![(ChargeField::Price, *price, false)],
        Price::Graduated { tiers } | Price::Volume { tiers } => {
            let both = |(index, tier): (usize, &Tier)| {
                let unit = (ChargeField::TierUnit(index), tier.unit, true);
                [unit, (ChargeField::TierFlat(index), tier.flat, false)]
            };
            tiers.iter().enumerate().flat_map(both).collect()
        }
    }
}

fn bounds(tiers: &[Tier]) -> Vec<(ChargeField, Reason)> {
    if tiers.is_empty() {
        return vec![(ChargeField::Tiers, Reason::NoTiers)];
    }
    if tiers.len() > TIERS {
        return vec![(ChargeField::Tiers, Reason::TooManyTiers)];
    }
    let mut problems = Vec::new();
    let mut before = 0;
    for (index, tier) in tiers.iter().enumerate() {
        let reason = match tier.up_to {
            Some(_) if index + 1 == tiers.len() => Some(Reason::LastEnds),
            Some(up_to) if up_to <= before => Some(Reason::NotAscending(before)),
            None if index + 1 < tiers.len() => Some(Reason::Endless),
            _ => None,
        };
        problems.extend(reason.map(|reason| (ChargeField::TierUpTo(index), reason)));
        before = tier.up_to.unwrap_or(before).max(before);
    }
    problems
}

fn check_fee(fee: &Fee) -> impl Iterator<Item = (FeeField, Reason)> {
    let every = (!matches!(fee.every, Every::Month | Every::Year)).then_some(Reason::Every);
    let amount = amount(fee.amount, FEE_LIMIT).map(|reason| (FeeField::Amount, reason));
    amount.into_iter().chain(every.map(|reason| (FeeField::Every, reason)))
}

fn amount(amount: Decimal, limit: i64) -> Option<Reason> {
    if amount < Decimal::ZERO {
        return Some(Reason::Negative);
    }
    if amount >= Decimal::from(limit) {
        return Some(Reason::TooGreat { limit });
    }
    places(amount, PRICE_PLACES)
}

fn places(amount: Decimal, most: u32) -> Option<Reason> {
    let places = amount.normalize().scale();
    (places > most).then_some(Reason::TooFine { places, most })
}
