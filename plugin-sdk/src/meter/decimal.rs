//! Decimal numbers, read exactly.

use sluice_abi::Code;

/// A number of units in 10^-`decimals` of one: digits, with a fraction, with an exponent. More places are rounded, half up.
pub(super) fn units(text: &str, decimals: u8) -> Result<i64, Code> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, read_exponent(exponent).ok_or(Code::Invalid)?),
        None => (text, 0),
    };
    let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return Err(Code::Invalid),
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.is_empty() || !digits().all(|byte| byte.is_ascii_digit()) {
        return Err(Code::Invalid);
    }
    // That of the digits so many from the left are whole smallest units.
    let places = i64::try_from(fraction.len()).map_err(|_| Code::TooLarge)?;
    let zeros = i64::try_from(digits().take_while(|digit| *digit == b'0').count()).unwrap_or(i64::MAX);
    let length = i64::try_from(whole.len()).map_err(|_| Code::TooLarge)?.saturating_add(places);
    if zeros == length {
        return Ok(0);
    }
    if is_negative {
        return Err(Code::Invalid);
    }
    let significant = length - zeros;
    let kept =
        exponent.saturating_add(i64::from(decimals)).saturating_sub(places).saturating_add(significant);
    if kept < 0 {
        return Ok(0);
    }
    // The largest value has 19 digits.
    let kept = usize::try_from(kept).ok().filter(|kept| *kept <= 19).ok_or(Code::TooLarge)?;
    let mut significant = digits().skip_while(|digit| *digit == b'0').map(|digit| i64::from(digit - b'0'));
    let mut value = 0_i64;
    for _ in 0..kept {
        let digit = significant.next().unwrap_or(0);
        value = value.checked_mul(10).and_then(|value| value.checked_add(digit)).ok_or(Code::TooLarge)?;
    }
    let rounds_up = significant.next().is_some_and(|digit| digit >= 5);
    value.checked_add(i64::from(rounds_up)).ok_or(Code::TooLarge)
}

/// A power of ten; beyond any that matters they are all the same.
fn read_exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits
        .iter()
        .fold(0_i64, |power, digit| power.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    // So that sums with it stay far from the ends.
    let power = power.min(1 << 60);
    Some(if is_negative { -power } else { power })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, decimals, expected) in [
            ("0.25", 6, 250_000),
            ("0.1", 1, 1),
            ("7", 0, 7),
            ("007.50", 2, 750),
            ("1.5e3", 0, 1500),
            ("15E-1", 1, 15),
            ("1e+2", 0, 100),
            ("9007199254740993", 0, 9_007_199_254_740_993),
            ("9223372036854775807", 0, i64::MAX),
            ("9223372036854.775807", 6, i64::MAX),
            ("922337203685477580700e-2", 0, i64::MAX),
            ("0", 6, 0),
            ("-0.0", 6, 0),
            ("0e999999999999999999999999", 6, 0),
            ("1e-999999999999999999999999", 6, 0),
        ] {
            assert_eq!(units(text, decimals), Ok(expected), "{text}");
        }
    }

    #[test]
    fn more_places_are_rounded_half_up() {
        for (text, expected) in [
            ("0.004", 0),
            ("0.005", 1),
            ("0.0049999", 0),
            ("1.995", 200),
            ("0.0005", 0),
            ("5e-3", 1),
            ("9e-3", 1),
        ] {
            assert_eq!(units(text, 2), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "", "-", "1.", ".5", "1..2", "1e", "1e+", "e5", "+1", " 1", "1 ", "0x1", "1,5", "NaN", "1e5.0",
            "--1",
        ] {
            assert_eq!(units(text, 2), Err(Code::Invalid), "{text:?}");
        }
        for text in ["-1", "-0.001", "-1e-9"] {
            assert_eq!(units(text, 2), Err(Code::Invalid), "{text:?}");
        }
        for text in ["9223372036854775808", "1e19", "1e999999999999999999999", "9223372036854775807.5"] {
            assert_eq!(units(text, 0), Err(Code::TooLarge), "{text:?}");
        }
    }

    proptest! {
        /// However it is written.
        #[test]
        fn the_place_of_the_point_changes_nothing(value in 0..i64::MAX, decimals in 0_u8..7, shift in 0_usize..25, zeros in 0_usize..4) {
            let digits = format!("{value:0>width$}", width = shift + 1);
            let (whole, fraction) = digits.split_at(digits.len() - shift);
            let point = if shift == 0 { "" } else { "." };
            let exponent = i64::try_from(shift).unwrap() - i64::from(decimals);
            let text = format!("{}{whole}{point}{fraction}e{exponent}", "0".repeat(zeros));
            prop_assert_eq!(units(&text, decimals), Ok(value), "{}", text);
        }
    }
}
