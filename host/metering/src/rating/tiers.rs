//! Tiers: which a quantity falls in, and what a range of quantities comes to.

use super::RatingError;
use super::exact::Exact;
use crate::plan::Tier;

/// A tier with the quantity that it begins after.
#[derive(Clone, Copy)]
pub(super) struct Range<'a> {
    pub(super) tier: &'a Tier,
    /// The last quantity of the tier before it.
    pub(super) after: i64,
    /// The last quantity that is in it.
    pub(super) last: i64,
}

/// The tiers with where they begin. Stops with `Tiers` where they do not ascend.
pub(super) fn ranges(tiers: &[Tier]) -> impl Iterator<Item = Result<Range<'_>, RatingError>> {
    let mut after = 0;
    tiers.iter().map(move |tier| {
        let last = tier.up_to.unwrap_or(i64::MAX);
        let range = Range { tier, after, last };
        (last > after).then_some(range).ok_or(RatingError::Tiers).inspect(|_| after = last)
    })
}

impl Range<'_> {
    /// How much of what lies beyond `from`, up to `to`, is in it.
    pub(super) fn within(&self, from: i64, to: i64) -> i64 {
        self.last.min(to).saturating_sub(self.after.max(from)).max(0)
    }

    /// What so much in it costs, without the flat part.
    pub(super) fn units(&self, quantity: i64, decimals: u8) -> Result<Exact, RatingError> {
        Exact::units(self.tier.unit, quantity, decimals)
    }
}

/// What a graduated price asks when usage goes from `from` to `to`. The flat part of a tier is asked with its first unit.
pub(super) fn graduated(tiers: &[Tier], from: i64, to: i64, decimals: u8) -> Result<Exact, RatingError> {
    let mut sum = Exact::ZERO;
    for range in ranges(tiers) {
        let range = range?;
        let within = range.within(from, to);
        if within > 0 {
            sum = sum.plus(range.units(within, decimals)?)?;
            if from <= range.after {
                sum = sum.plus(Exact::of(range.tier.flat)?)?;
            }
        }
        if to <= range.last {
            return Ok(sum);
        }
    }
    Err(RatingError::Tiers)
}

/// The tier that a quantity falls in.
pub(super) fn containing(tiers: &[Tier], quantity: i64) -> Result<Range<'_>, RatingError> {
    for range in ranges(tiers) {
        let range = range?;
        if quantity <= range.last {
            return Ok(range);
        }
    }
    Err(RatingError::Tiers)
}

/// What a volume price asks for so much, which is more than nothing.
pub(super) fn volume(tiers: &[Tier], quantity: i64, decimals: u8) -> Result<Exact, RatingError> {
    let range = containing(tiers, quantity)?;
    range.units(quantity, decimals)?.plus(Exact::of(range.tier.flat)?)
}

/// The most that a graduated price asks for so much more, wherever usage stands.
///
/// As a function of where usage stands, what is asked is a straight line between the points at which either end of the range
/// enters or leaves a tier. So it is greatest at one of these points.
pub(super) fn dearest(tiers: &[Tier], added: i64, decimals: u8) -> Result<Exact, RatingError> {
    let furthest = i64::MAX - added;
    let mut most = graduated(tiers, 0, added, decimals)?;
    for range in ranges(tiers) {
        let after = range?.after;
        for edge in [after, after.saturating_add(1)] {
            for from in [edge, edge - added] {
                let from = from.clamp(0, furthest);
                most = most.max(graduated(tiers, from, from + added, decimals)?);
            }
        }
    }
    Ok(most)
}
