//! Amounts as whole numbers of 10^-18, so that a product of a price and a quantity is exact or refused.

use rust_decimal::Decimal;

use super::RatingError;
use crate::Nanos;

/// The most decimal places of a price.
pub(super) const PRICE_PLACES: u32 = 12;
/// The most decimal places of a meter.
pub(super) const METER_PLACES: u32 = 6;
/// Of an amount: a price's and a quantity's together.
const PLACES: u32 = PRICE_PLACES + METER_PLACES;
/// How many of them a nano is.
const PER_NANO: i128 = 10_i128.pow(PLACES - 9);

/// An amount in 10^-18. `Decimal` would round a product that has too many digits; this tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Exact(i128);

impl Exact {
    pub(super) const ZERO: Self = Self(0);

    /// An amount as it was configured.
    pub(super) fn of(amount: Decimal) -> Result<Self, RatingError> {
        Self::times(amount, 1)
    }

    /// So many of what costs this.
    pub(super) fn times(price: Decimal, count: i64) -> Result<Self, RatingError> {
        Self::units(price, count, 0)
    }

    /// So many smallest units, each 10^-`decimals` of what costs this.
    pub(super) fn units(price: Decimal, quantity: i64, decimals: u8) -> Result<Self, RatingError> {
        let price = price.normalize();
        if price.scale() > PRICE_PLACES || price.is_sign_negative() && !price.is_zero() {
            return Err(RatingError::Price(price));
        }
        let finer = METER_PLACES.checked_sub(decimals.into()).ok_or(RatingError::Decimals(decimals))?;
        // Both exponents are at most 12 and 6.
        let scale = 10_i128.pow(PRICE_PLACES - price.scale() + finer);
        let product = price.mantissa().checked_mul(quantity.into()).and_then(|it| it.checked_mul(scale));
        product.map(Self).ok_or(RatingError::Overflow)
    }

    pub(super) fn plus(self, other: Self) -> Result<Self, RatingError> {
        self.0.checked_add(other.0).map(Self).ok_or(RatingError::Overflow)
    }

    /// With no more digits than it needs; `Overflow` if a `Decimal` has not so many.
    pub(super) fn decimal(self) -> Result<Decimal, RatingError> {
        let (mut mantissa, mut scale) = (self.0, PLACES);
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| RatingError::Overflow)
    }

    /// In nanos, a part of one rounded up. Of what is not negative.
    pub(super) fn nanos_up(self) -> i128 {
        self.0.div_euclid(PER_NANO) + i128::from(self.0.rem_euclid(PER_NANO) > 0)
    }

    /// As `nanos_up`, if there is room for it.
    pub(super) fn nanos(self) -> Result<Nanos, RatingError> {
        Nanos::try_from(self.nanos_up()).map_err(|_| RatingError::Overflow)
    }
}
