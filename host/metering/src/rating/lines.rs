//! How an amount comes about, step by step, for who has to pay it.

use rust_decimal::Decimal;

use super::exact::Exact;
use super::{RatingError, packages, rest, tiers};
use crate::plan::{Charge, Price};

/// A piece of what a quantity costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is priced.
    pub step: Step,
    /// How much of it, in smallest units; of a flat amount, 0.
    pub quantity: i64,
    /// Of a unit, of a package, or the flat amount itself.
    pub price: Decimal,
    /// What it comes to, exact.
    pub amount: Decimal,
}

/// What a part prices. Bounds are in smallest units and count what goes beyond what is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Free in every month.
    Included,
    /// The same, however much.
    Flat,
    /// Each unit the same.
    Units,
    /// Units of a tier: of those after this quantity, up to that one.
    Tier {
        /// The last quantity before the tier.
        after: i64,
        /// The last quantity in it; `None` for the last tier.
        up_to: Option<i64>,
    },
    /// What a tier asks once.
    TierFlat {
        /// The last quantity before the tier.
        after: i64,
        /// The last quantity in it; `None` for the last tier.
        up_to: Option<i64>,
    },
    /// All units, at the price of this tier.
    Volume {
        /// The last quantity before the tier.
        after: i64,
        /// The last quantity in it; `None` for the last tier.
        up_to: Option<i64>,
    },
    /// Packages that were begun.
    Packages {
        /// How many.
        count: i64,
        /// How much is in one.
        size: i64,
    },
}

/// How [`super::total`] comes about. The amounts add up to it; the quantities that are not flat add up to the quantity.
///
/// # Errors
/// As [`super::total`].
pub fn lines(charge: &Charge, quantity: i64) -> Result<Vec<Part>, RatingError> {
    if quantity < 0 {
        return Err(RatingError::Negative);
    }
    let rest = rest(charge, quantity);
    let mut parts = Vec::new();
    if quantity > rest {
        let (price, amount) = (Decimal::ZERO, Decimal::ZERO);
        parts.push(Part { step: Step::Included, quantity: quantity - rest, price, amount });
    }
    if rest == 0 {
        return Ok(parts);
    }
    match &charge.price {
        Price::Flat { amount } => {
            parts.push(part(Step::Flat, rest, *amount, Exact::of(*amount)?)?);
        }
        Price::PerUnit { unit } => {
            parts.push(part(Step::Units, rest, *unit, Exact::units(*unit, rest, charge.decimals)?)?);
        }
        Price::Graduated { tiers } => graduated(&mut parts, tiers, rest, charge.decimals)?,
        Price::Volume { tiers } => {
            let range = tiers::containing(tiers, rest)?;
            let (after, up_to) = (range.after, range.tier.up_to);
            let units = range.units(rest, charge.decimals)?;
            parts.push(part(Step::Volume { after, up_to }, rest, range.tier.unit, units)?);
            flat(&mut parts, &range)?;
        }
        Price::Package { size, price } => {
            let count = packages(rest, *size)?;
            let step = Step::Packages { count, size: *size };
            parts.push(part(step, rest, *price, Exact::times(*price, count)?)?);
        }
    }
    Ok(parts)
}

fn part(step: Step, quantity: i64, price: Decimal, amount: Exact) -> Result<Part, RatingError> {
    Ok(Part { step, quantity, price: price.normalize(), amount: amount.decimal()? })
}

fn graduated(
    parts: &mut Vec<Part>,
    all: &[crate::plan::Tier],
    rest: i64,
    decimals: u8,
) -> Result<(), RatingError> {
    // Whether the tiers reach so far.
    tiers::containing(all, rest)?;
    for range in tiers::ranges(all) {
        let range = range?;
        let within = range.within(0, rest);
        if within == 0 {
            break;
        }
        let step = Step::Tier { after: range.after, up_to: range.tier.up_to };
        parts.push(part(step, within, range.tier.unit, range.units(within, decimals)?)?);
        flat(parts, &range)?;
    }
    Ok(())
}

fn flat(parts: &mut Vec<Part>, range: &tiers::Range<'_>) -> Result<(), RatingError> {
    let amount = range.tier.flat;
    if !amount.is_zero() {
        let step = Step::TierFlat { after: range.after, up_to: range.tier.up_to };
        parts.push(part(step, 0, amount, Exact::of(amount)?)?);
    }
    Ok(())
}
