//! Numbers as they were written. They are compared by exact value, so none is ever rounded.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Exponents of more digits than this count as this many nines: they still order, but no longer tell apart.
const MAX_EXPONENT_DIGITS: usize = 15;

/// The text of a number that RFC 8259 allows.
#[derive(Clone, Debug)]
pub(crate) struct Number<'a>(Cow<'a, str>);

/// A number's value: `0.d₁d₂d₃… × 10^place`, d₁ not being 0; no digits for zero.
struct Decimal<'t> {
    negative: bool,
    digits: [&'t [u8]; 2],
    place: i64,
}

impl<'a> Number<'a> {
    /// What the parser has read.
    pub(crate) fn trusted(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    pub(crate) fn from_count(count: usize) -> Self {
        Self(Cow::Owned(count.to_string()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn borrowed(&self) -> Number<'_> {
        Number(Cow::Borrowed(&self.0))
    }

    pub(crate) fn into_owned(self) -> Number<'static> {
        Number(Cow::Owned(self.0.into_owned()))
    }

    fn decimal(&self) -> Decimal<'_> {
        let (negative, text) = match self.0.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, &*self.0),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0').as_bytes();
        let (fraction, place) = if whole.is_empty() {
            let significant = fraction.trim_start_matches('0');
            (significant, -length(fraction.len() - significant.len()))
        } else {
            (fraction, length(whole.len()))
        };
        Decimal { negative, digits: [whole, fraction.as_bytes()], place: place + read_exponent(exponent) }
    }
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX / 4)
}

fn read_exponent(text: &str) -> i64 {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.trim_start_matches('0');
    let size = if digits.len() > MAX_EXPONENT_DIGITS {
        10_i64.pow(15) - 1
    } else {
        // Nothing but zeros leaves nothing to read.
        digits.parse().unwrap_or(0)
    };
    if negative { -size } else { size }
}

impl Decimal<'_> {
    fn significant(&self) -> impl Iterator<Item = u8> {
        self.digits.iter().flat_map(|part| part.iter().copied())
    }

    fn sign(&self) -> i8 {
        match (self.significant().any(|digit| digit != b'0'), self.negative) {
            (false, _) => 0,
            (true, true) => -1,
            (true, false) => 1,
        }
    }

    /// Compares what both are without their signs; neither is zero.
    fn compare_size(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place).then_with(|| {
            let (mut one, mut other) = (self.significant(), other.significant());
            loop {
                // Where one has no more digits, zeros follow.
                let order = match (one.next(), other.next()) {
                    (None, None) => return Ordering::Equal,
                    (one, other) => one.unwrap_or(b'0').cmp(&other.unwrap_or(b'0')),
                };
                if order.is_ne() {
                    return order;
                }
            }
        })
    }
}

impl PartialEq for Number<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.cmp(other).is_eq()
    }
}

impl Eq for Number<'_> {}

impl PartialOrd for Number<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, other) = (self.decimal(), other.decimal());
        let sign = one.sign();
        sign.cmp(&other.sign()).then_with(|| match sign {
            0 => Ordering::Equal,
            1 => one.compare_size(&other),
            _ => other.compare_size(&one),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compare(one: &str, other: &str) -> Ordering {
        Number::trusted(one).cmp(&Number::trusted(other))
    }

    #[test]
    fn numbers_compare_by_exact_value() {
        for (one, other, order) in [
            ("1", "1.0", Ordering::Equal),
            ("100", "1e2", Ordering::Equal),
            ("0.001", "1E-3", Ordering::Equal),
            ("-0", "0.0e7", Ordering::Equal),
            ("1.10", "11e-1", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("0.1", "0.10000000000000000000001", Ordering::Less),
            ("-2", "-1", Ordering::Less),
            ("-1", "1", Ordering::Less),
            ("1e400", "1e401", Ordering::Less),
            ("1e99999999999999999999", "2", Ordering::Greater),
            ("1e-99999999999999999999", "0", Ordering::Greater),
            ("10", "9", Ordering::Greater),
        ] {
            assert_eq!(compare(one, other), order, "{one} {other}");
            assert_eq!(compare(other, one), order.reverse(), "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn integers_compare_as_integers(one: i128, other: i128) {
            prop_assert_eq!(compare(&one.to_string(), &other.to_string()), one.cmp(&other));
        }

        #[test]
        fn moving_the_point_changes_nothing(digits in 1..1_000_000_000_u64, shift in 0_usize..20) {
            let zeros = "0".repeat(shift);
            let moved = format!("{digits}{zeros}e-{shift}");
            prop_assert_eq!(compare(&digits.to_string(), &moved), Ordering::Equal);
            let fraction = format!("0.{zeros}{digits}");
            let whole = format!("{digits}e-{}", shift + digits.to_string().len());
            prop_assert_eq!(compare(&fraction, &whole), Ordering::Equal);
        }
    }
}
