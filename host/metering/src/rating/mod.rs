//! Rating: what a quantity costs. Exact, or an error; never nearly right.
//!
//! Quantities are in a meter's smallest unit, 10^-`decimals` of its unit; prices are of a unit, so a part of a unit costs that part of
//! the price. Included units come first and cost nothing; what goes beyond them is the *rest*, and tiers and packages count the rest:
//! with 1,000 included and a first tier up to 5,000, that tier ends at a usage of 6,000. A rest of 0 costs 0, whatever the price.
//!
//! # Bounds
//! Prices have at most 12 decimals, meters at most 6, so amounts have at most 18. Every amount below 7.9 × 10^10 is exact, whatever
//! its digits. A greater one is exact as long as it is below 1.7 × 10^20 and has no more than 28 digits (trailing zeros not counted).
//! Beyond that the answer is [`RatingError::Overflow`].

mod check;
mod exact;
mod lines;
mod tiers;
mod trial;

#[cfg(test)]
mod check_tests;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use rust_decimal::Decimal;

pub use self::check::{ChargeField, ChargeProblem, FeeField, Place, PlanProblem, Reason};
pub use self::lines::{Part, Step, lines};
pub use self::trial::free_until;
use crate::Nanos;
use crate::plan::{Charge, Price};
use exact::Exact;

/// Why there is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RatingError {
    /// A quantity is below 0.
    #[error("a quantity is negative")]
    Negative,
    /// The exact amount has more digits than there is room for; of [`cost`] and [`ceiling`]: it is beyond 9.2 × 10^9.
    #[error("the amount is too great to be exact")]
    Overflow,
    /// [`Charge::check`] would have refused it.
    #[error("the price {0} is negative or has more than 12 decimals")]
    Price(Decimal),
    /// [`Charge::check`] would have refused it.
    #[error("a meter has at most 6 decimals, not {0}")]
    Decimals(u8),
    /// [`Charge::check`] would have refused them.
    #[error("tiers have to ascend and the last has to be without end")]
    Tiers,
    /// [`Charge::check`] would have refused it.
    #[error("the size of a package has to be more than 0")]
    Size,
    /// A volume price changes what was used before, so one more unit has no cost of its own.
    #[error("a volume price cannot be drawn from credit")]
    Volume,
}

/// What a month's usage of a charge costs, exact and not rounded.
///
/// With more usage it never costs less, but for [`Price::Volume`]: there one more unit may move all units to a cheaper tier.
///
/// # Errors
/// A negative quantity, an amount beyond the bounds above, or a charge that [`Charge::check`] refuses.
pub fn total(charge: &Charge, quantity: i64) -> Result<Decimal, RatingError> {
    exact(charge, quantity)?.decimal()
}

/// What `added` more units cost after `before` ones in the same month, in nanos: what is drawn from credit.
///
/// It is `total(before + added)` less `total(before)`, each rounded up to a nano. Prices of prepaid plans are refused if they are finer
/// than nanos ([`crate::plan::Plan::check`]), so nothing is rounded there. If prices were finer, then what the steps of a month cost
/// would still add up: to the month's total rounded up to a nano, however many steps there were. Never negative.
///
/// # Errors
/// As [`total`]; a cost beyond 9.2 × 10^9 (there is no room for it in nanos); a volume price.
pub fn cost(charge: &Charge, before: i64, added: i64) -> Result<Nanos, RatingError> {
    if added < 0 {
        return Err(RatingError::Negative);
    }
    if matches!(charge.price, Price::Volume { .. }) {
        return Err(RatingError::Volume);
    }
    let after = before.checked_add(added).ok_or(RatingError::Overflow)?;
    let cost = exact(charge, after)?.nanos_up() - exact(charge, before)?.nanos_up();
    Nanos::try_from(cost).map_err(|_| RatingError::Overflow)
}

/// The most that `added` more units may cost, wherever in a month usage stands, in nanos: what is reserved for them.
///
/// Not less than any [`cost`] of so many, and attained by one. Graduated: the dearest place, with the flat parts of all tiers that
/// are entered there. Package: the packages that so many begin. Flat: the whole amount.
///
/// # Errors
/// As [`cost`].
pub fn ceiling(charge: &Charge, added: i64) -> Result<Nanos, RatingError> {
    if added < 0 {
        return Err(RatingError::Negative);
    }
    match &charge.price {
        Price::Volume { .. } => Err(RatingError::Volume),
        Price::Graduated { tiers } => tiers::dearest(tiers, added, charge.decimals)?.nanos(),
        // So many never cost more than as the first beyond what is included: a package that is begun serves those behind it.
        _ => priced(charge, added)?.nanos(),
    }
}

fn exact(charge: &Charge, quantity: i64) -> Result<Exact, RatingError> {
    if quantity < 0 {
        return Err(RatingError::Negative);
    }
    priced(charge, rest(charge, quantity))
}

/// What of a quantity goes beyond what is included.
fn rest(charge: &Charge, quantity: i64) -> i64 {
    quantity.saturating_sub(charge.included).clamp(0, quantity)
}

fn priced(charge: &Charge, rest: i64) -> Result<Exact, RatingError> {
    if rest == 0 {
        return Ok(Exact::ZERO);
    }
    match &charge.price {
        Price::Flat { amount } => Exact::of(*amount),
        Price::PerUnit { unit } => Exact::units(*unit, rest, charge.decimals),
        Price::Graduated { tiers } => tiers::graduated(tiers, 0, rest, charge.decimals),
        Price::Volume { tiers } => tiers::volume(tiers, rest, charge.decimals),
        Price::Package { size, price } => Exact::times(*price, packages(rest, *size)?),
    }
}

/// How many packages so much begins.
fn packages(rest: i64, size: i64) -> Result<i64, RatingError> {
    if size <= 0 {
        return Err(RatingError::Size);
    }
    Ok(rest / size + i64::from(rest % size > 0))
}
