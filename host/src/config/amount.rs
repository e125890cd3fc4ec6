//! Amounts of money such as `"0.0015"` and quantities such as `1000` or `"0.25"`: decimal, as they were written.

use sluice_metering::Decimal;

/// What an amount looks like as text, for the schema. [`parse_amount`] takes exactly this.
pub(super) const AMOUNT_PATTERN: &str = "^[0-9]{1,12}([.][0-9]{1,12})?$";
/// What a quantity looks like as text, for the schema. [`parse_quantity`] takes exactly this.
pub(super) const QUANTITY_PATTERN: &str = "^[0-9]{1,18}([.][0-9]{1,6})?$";
/// The most that an amount can be as a whole number.
pub(super) const MOST_AMOUNT: u64 = 999_999_999_999;
/// The most that a quantity can be as a whole number.
pub(super) const MOST_QUANTITY: u64 = 999_999_999_999_999_999;

/// The kinds of decimal number, as messages call them.
pub(super) const AMOUNT: &str = "an amount in quotes such as \"0.0015\"";
pub(super) const QUANTITY: &str = "a quantity such as 1000 or \"0.25\"";

pub(super) fn parse_amount(text: &str) -> Option<Decimal> {
    parse(text, 12, 12)
}

pub(super) fn parse_quantity(text: &str) -> Option<Decimal> {
    parse(text, 18, 6)
}

/// Digits, and perhaps a point and more of them: at most so many before and behind it.
fn parse(text: &str, before: usize, behind: usize) -> Option<Decimal> {
    let digits =
        |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let fits = match text.split_once('.') {
        Some((whole, fraction)) => digits(whole, before) && digits(fraction, behind),
        None => digits(text, before),
    };
    fits.then(|| Decimal::from_str_exact(text).ok()).flatten()
}

/// How one would have written a text or a float that is almost an amount or a quantity; in quotes where it needs them.
pub(super) fn mend(words: &str, written: &str) -> Option<String> {
    let plain: String = written.chars().filter(|c| !matches!(c, '_' | ' ')).collect();
    let number = Decimal::from_str_exact(&plain).or_else(|_| Decimal::from_scientific(&plain)).ok()?;
    if words == AMOUNT {
        let mended = number.to_string();
        return parse_amount(&mended).map(|_| format!("\"{mended}\""));
    }
    let mended = number.normalize().to_string();
    let parsed = parse_quantity(&mended)?;
    Some(if parsed.is_integer() { mended } else { format!("\"{mended}\"") })
}

#[cfg(test)]
mod tests {
    use super::{AMOUNT, QUANTITY, mend, parse_amount, parse_quantity};

    #[test]
    fn decimals_are_what_was_written() {
        for (text, shown) in [
            ("0", Some("0")),
            ("49.00", Some("49.00")),
            ("0.0000015", Some("0.0000015")),
            ("999999999999.999999999999", Some("999999999999.999999999999")),
            ("", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            ("1_000", None),
            ("1.0000000000001", None),
            ("1000000000000", None),
        ] {
            assert_eq!(parse_amount(text).map(|amount| amount.to_string()).as_deref(), shown, "{text}");
        }
        assert!(parse_quantity("999999999999999999.999999").is_some());
        assert!(parse_quantity("0.1234567").is_none());
    }

    #[test]
    fn what_is_almost_right_is_mended() {
        for (words, written, mended) in [
            (AMOUNT, "49.0", Some("\"49.0\"")),
            (AMOUNT, "1.5e-6", Some("\"0.0000015\"")),
            (AMOUNT, "1_000.50", Some("\"1000.50\"")),
            (AMOUNT, "-1.5", None),
            (AMOUNT, "much", None),
            (QUANTITY, "0.25", Some("\"0.25\"")),
            (QUANTITY, "1e6", Some("1000000")),
            (QUANTITY, "2.0", Some("2")),
        ] {
            assert_eq!(mend(words, written).as_deref(), mended, "{written}");
        }
    }
}
