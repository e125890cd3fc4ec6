//! Amounts and quantities: from what was written to what is computed with.

use std::ops::RangeInclusive;
use std::time::Duration;

use sluice_metering::Decimal;

use super::super::Resolver;
use super::super::at::At;
use crate::config::amount::{AMOUNT, QUANTITY, mend};
use crate::config::field::{AmountText, DurationText, Field, QuantityText};

impl Resolver<'_> {
    pub(super) fn amount(&mut self, at: &At<'_>, field: &Field<AmountText>) -> Option<Decimal> {
        self.decimal(at, field, AMOUNT).map(|AmountText(amount)| *amount)
    }

    /// A quantity in the smallest units of a meter that has so many decimal places.
    pub(super) fn quantity(&mut self, at: &At<'_>, field: &Field<QuantityText>, decimals: u8) -> Option<i64> {
        let QuantityText(units) = *self.decimal(at, field, QUANTITY)?;
        match smallest(units, decimals) {
            Some(quantity) => Some(quantity),
            None => {
                let found = at.written();
                let units = units.normalize();
                let (expected, hint) = if units.scale() <= u32::from(decimals) {
                    (format!("at most {}", most(decimals)), None)
                } else if decimals == 0 {
                    (
                        "a whole number".to_owned(),
                        Some("the meter's `decimals` say how many places its values have"),
                    )
                } else {
                    (format!("at most {decimals} decimal places"), Some("as many as the meter's `decimals`"))
                };
                let message = format!("expected {expected}, found {found}");
                self.invalid(at, &expected, &message, hint.map(str::to_owned));
                None
            }
        }
    }

    /// A decimal number. To JSON Schema `49.0` is an integer, so that it was not refused by it.
    fn decimal<'f, T>(&mut self, at: &At<'_>, field: &'f Field<T>, words: &str) -> Option<&'f T> {
        if matches!(field, Field::Broken) && !at.document.is_faulty(&at.pointer) {
            let written = at.written();
            let hint = mend(words, written).map(|meant| format!("write {meant}"));
            self.invalid(at, words, &format!("expected {words}, found float `{written}`"), hint);
            return None;
        }
        self.given(at, field)
    }

    /// A duration that need not be there.
    pub(super) fn some_duration(
        &mut self,
        table: &At<'_>,
        key: &str,
        field: &Field<DurationText>,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let default = *range.start();
        let given = matches!(field, Field::Given(_));
        let duration = self.duration(table, key, field, default, range);
        given.then_some(duration)
    }
}

fn smallest(units: Decimal, decimals: u8) -> Option<i64> {
    let scale = Decimal::from(10_i64.checked_pow(u32::from(decimals))?);
    let quantity = units.checked_mul(scale)?;
    quantity.is_integer().then(|| i64::try_from(quantity).ok()).flatten()
}

/// The most units whose smallest ones can be counted.
fn most(decimals: u8) -> i64 {
    10_i64.checked_pow(u32::from(decimals)).map_or(i64::MAX, |scale| i64::MAX / scale)
}

#[cfg(test)]
mod tests {
    use super::{most, smallest};
    use sluice_metering::Decimal;

    #[test]
    fn quantities_are_counted_in_smallest_units() {
        let units = |text: &str| Decimal::from_str_exact(text).unwrap();
        assert_eq!(smallest(units("1000"), 0), Some(1000));
        assert_eq!(smallest(units("0.25"), 2), Some(25));
        assert_eq!(smallest(units("0.250"), 2), Some(25));
        assert_eq!(smallest(units("0.25"), 1), None);
        assert_eq!(smallest(units("9223372036854"), 6), Some(9_223_372_036_854_000_000));
        assert_eq!(smallest(units("9223372036855"), 6), None);
        assert_eq!(most(6), 9_223_372_036_854);
    }
}
