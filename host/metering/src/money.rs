//! Money: an amount with its currency, rounded and written as people do.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::Nanos;
use crate::plan::{Currency, Rounding};

/// The most digits that a configured amount may have, before and after its point together.
const DIGITS: usize = 27;
/// Decimal places of a nano.
const NANO_PLACES: u32 = 9;

/// An amount with its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// How much; not necessarily of whole smallest units.
    pub amount: Decimal,
    /// Of what.
    pub currency: Currency,
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is not of the form `12` or `12.50`.
    #[error(
        "an amount is digits with at most one `.` between them, such as `49.00`: no sign, exponent or separator"
    )]
    Form,
    /// It has more than 27 digits.
    #[error("an amount has at most {DIGITS} digits")]
    TooLong,
}

impl Money {
    /// So much of a currency.
    #[must_use]
    pub const fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// To the currency's smallest unit.
    #[must_use]
    pub fn rounded(self, rounding: Rounding) -> Self {
        Self { amount: round(self.amount, self.currency.places(), rounding), ..self }
    }
}

/// `49.00 EUR`: with at least the currency's places, and more where the amount has more.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", written(self.amount, self.currency.places()), self.currency.code())
    }
}

/// An amount as the configuration writes it: `49.00`, `0.0000015`. Digits and at most one point, with digits on both of its sides.
///
/// # Errors
/// Any other text, or one of more than 27 digits.
pub fn parse(text: &str) -> Result<Decimal, ParseError> {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if !digits(whole) || !digits(part) {
        return Err(ParseError::Form);
    }
    if whole.len() + part.len() > DIGITS {
        return Err(ParseError::TooLong);
    }
    Decimal::from_str_exact(text).map_err(|_| ParseError::TooLong)
}

/// To so many decimal places.
#[must_use]
pub fn round(amount: Decimal, places: u8, rounding: Rounding) -> Decimal {
    let strategy = match rounding {
        Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
        Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
    };
    amount.round_dp_with_strategy(places.into(), strategy).normalize()
}

/// An amount in digits: with at least so many decimal places, and more where it has more.
#[must_use]
pub fn written(amount: Decimal, places: u8) -> String {
    let mut text = amount.normalize().to_string();
    let has = text.split_once('.').map_or(0, |(_, part)| part.len());
    if has == 0 && places > 0 {
        text.push('.');
    }
    text.extend(std::iter::repeat_n('0', usize::from(places).saturating_sub(has)));
    text
}

/// A quantity in smallest units, in units: 1500 with three decimals is `1.5`.
#[must_use]
pub fn quantity(smallest: i64, decimals: u8) -> Decimal {
    // A meter has at most 6 decimals.
    Decimal::new(smallest, decimals.min(6).into()).normalize()
}

/// `amount × part / of`, rounded once; `None` if `of` is 0 or there are too many digits to be exact.
#[must_use]
pub fn share(amount: Decimal, part: u32, of: u32, places: u8, rounding: Rounding) -> Option<Decimal> {
    let amount = amount.normalize();
    // All in whole numbers: amount = mantissa / 10^scale, wanted are 10^-places.
    let top = amount.mantissa().checked_mul(part.into())?.checked_mul(10_i128.checked_pow(places.into())?)?;
    let bottom = 10_i128.checked_pow(amount.scale())?.checked_mul(of.into())?;
    let (down, left) = (top.checked_div_euclid(bottom)?, top.checked_rem_euclid(bottom)?);
    let up = match (left.checked_mul(2)?.cmp(&bottom), rounding) {
        (std::cmp::Ordering::Greater, _) => true,
        (std::cmp::Ordering::Less, _) => false,
        (std::cmp::Ordering::Equal, Rounding::HalfEven) => down % 2 != 0,
        // `down` is towards negative infinity: away from zero is up for what is not negative.
        (std::cmp::Ordering::Equal, Rounding::HalfUp) => top >= 0,
    };
    Decimal::try_from_i128_with_scale(down + i128::from(up), places.into()).ok().map(|it| it.normalize())
}

/// An amount in nanos; `None` if it is finer than that or beyond 9.2 × 10^9.
#[must_use]
pub fn to_nanos(amount: Decimal) -> Option<Nanos> {
    let amount = amount.normalize();
    let finer = NANO_PLACES.checked_sub(amount.scale())?;
    amount.mantissa().checked_mul(10_i128.pow(finer))?.try_into().ok()
}

/// So many nanos, exactly.
#[must_use]
pub fn from_nanos(nanos: Nanos) -> Decimal {
    Decimal::new(nanos, NANO_PLACES).normalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_read_as_they_are_configured() {
        let long = "12345678901234567.1234567890";
        for text in ["0", "0.0", "49.00", "0.0000015", "007", "999999999.999999999999", long] {
            assert_eq!(parse(text), Ok(decimal(text)), "{text}");
        }
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1_000", "1,50", "1.2.3", " 1", "1 ", "0x1", "٣", "NaN",
            "1.٣",
        ] {
            assert_eq!(parse(text), Err(ParseError::Form), "{text:?}");
        }
        assert_eq!(parse(&"9".repeat(27)), Err(ParseError::TooLong));
        assert_eq!(parse("0.0000000000000000000000000001"), Err(ParseError::TooLong));
    }

    #[test]
    fn halves_go_where_the_plan_says() {
        for (amount, up, even) in [
            ("0.005", "0.01", "0"),
            ("0.015", "0.02", "0.02"),
            ("0.025", "0.03", "0.02"),
            ("-0.025", "-0.03", "-0.02"),
            ("0.0249999", "0.02", "0.02"),
            ("0.0250001", "0.03", "0.03"),
            ("-0.001", "0", "0"),
        ] {
            let rounded = |rounding| round(decimal(amount), 2, rounding).to_string();
            assert_eq!(
                (rounded(Rounding::HalfUp), rounded(Rounding::HalfEven)),
                (up.to_owned(), even.to_owned())
            );
        }
    }

    #[test]
    fn money_is_written_with_its_places() {
        for (amount, code, text) in [
            ("49", "EUR", "49.00 EUR"),
            ("49.5", "EUR", "49.50 EUR"),
            ("0.0000015", "USD", "0.0000015 USD"),
            ("-3.10", "EUR", "-3.10 EUR"),
            ("0", "JPY", "0 JPY"),
            ("1200", "JPY", "1200 JPY"),
            ("1.5", "KWD", "1.500 KWD"),
            ("79228162514264337593543950335", "EUR", "79228162514264337593543950335.00 EUR"),
        ] {
            assert_eq!(Money::new(decimal(amount), Currency::new(code).unwrap()).to_string(), text);
        }
        let money = Money::new(decimal("0.125"), Currency::new("EUR").unwrap());
        assert_eq!(money.rounded(Rounding::HalfEven).to_string(), "0.12 EUR");
        assert_eq!(quantity(1_500, 3).to_string(), "1.5");
    }

    #[test]
    fn shares_are_rounded_once() {
        // 49 × 12 / 30 = 19.6; 49 × 10 / 31 = 15.806..; 10 × 1 / 3 = 3.33..; 0.01 × 1 / 2 = 0.005; 0.05 × 1 / 2 = 0.025.
        for (amount, part, of, up, even) in [
            ("49.00", 12, 30, "19.6", "19.6"),
            ("49.00", 10, 31, "15.81", "15.81"),
            ("10", 1, 3, "3.33", "3.33"),
            ("0.01", 1, 2, "0.01", "0"),
            ("0.05", 1, 2, "0.03", "0.02"),
            ("-0.05", 1, 2, "-0.03", "-0.02"),
            ("49", 0, 30, "0", "0"),
        ] {
            let share = |rounding| share(decimal(amount), part, of, 2, rounding).unwrap().to_string();
            assert_eq!(
                (share(Rounding::HalfUp), share(Rounding::HalfEven)),
                (up.to_owned(), even.to_owned())
            );
        }
        assert_eq!(share(Decimal::ONE, 1, 0, 2, Rounding::HalfUp), None);
        assert_eq!(share(Decimal::MAX, 31, 31, 0, Rounding::HalfUp), Some(Decimal::MAX));
        assert_eq!(share(Decimal::MAX, u32::MAX, 1, 4, Rounding::HalfUp), None);
    }

    #[test]
    fn nanos_are_exact() {
        assert_eq!(to_nanos(decimal("5.00")), Some(5_000_000_000));
        assert_eq!(to_nanos(decimal("0.000000001")), Some(1));
        assert_eq!(to_nanos(decimal("0.0000000001")), None);
        assert_eq!(to_nanos(decimal("9223372036.854775807")), Some(i64::MAX));
        assert_eq!(to_nanos(decimal("9223372036.854775808")), None);
    }

    /// Rounding as a person would: by the digits of a whole number.
    fn model(mantissa: i64, drop: u32, rounding: Rounding) -> i64 {
        let unit = 10_i64.pow(drop);
        let (size, sign) = (mantissa.unsigned_abs() as i64, mantissa.signum());
        let (whole, left) = (size / unit, size % unit);
        let up = match rounding {
            Rounding::HalfUp => 2 * left >= unit,
            Rounding::HalfEven => 2 * left > unit || 2 * left == unit && whole % 2 == 1,
        };
        sign * (whole + i64::from(up))
    }

    proptest! {
        #[test]
        fn rounding_is_the_models(mantissa in -1_000_000_i64..1_000_000, drop in 1_u32..5, places in 0_u8..=4) {
            for rounding in [Rounding::HalfUp, Rounding::HalfEven] {
                let amount = Decimal::new(mantissa, drop + u32::from(places));
                let expected = Decimal::new(model(mantissa, drop, rounding), places.into());
                prop_assert_eq!(round(amount, places, rounding), expected);
                prop_assert_eq!(share(amount, 1, 1, places, rounding), Some(expected));
                prop_assert_eq!(share(amount, 7, 7, places, rounding), Some(expected));
            }
        }

        #[test]
        fn parts_of_a_month_come_to_the_whole(cents in 0_i64..10_000_000, days in 28_u32..=31, cuts in proptest::collection::btree_set(1_u32..28, 0..5)) {
            let amount = Decimal::new(cents, 2);
            for rounding in [Rounding::HalfUp, Rounding::HalfEven] {
                let ends: Vec<u32> = cuts.iter().copied().chain([days]).collect();
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let parts: Decimal =
                    starts.zip(&ends).map(|(from, to)| share(amount, to - from, days, 2, rounding).unwrap()).sum();
                // Each part is off by at most half a cent.
                let off = Decimal::new(5 * ends.len() as i64, 3);
                prop_assert!((parts - amount).abs() <= off, "{} for {}", parts, amount);
            }
            prop_assert_eq!(share(amount, days, days, 2, Rounding::HalfEven), Some(amount));
        }

        #[test]
        fn nanos_go_there_and_back(nanos in any::<i64>()) {
            prop_assert_eq!(to_nanos(from_nanos(nanos)), Some(nanos));
        }

        #[test]
        fn what_is_written_is_read(mantissa in 0_i64..=i64::MAX, scale in 0_u32..=18, places in 0_u8..=4) {
            let amount = Decimal::new(mantissa, scale);
            prop_assert_eq!(parse(&written(amount, places)), Ok(amount));
        }
    }
}
