//! Timestamps (RFC 3339) and durations as JSON writes them.

/// Seconds and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanos: i32,
}

const SECOND: i32 = 1_000_000_000;
/// 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
const TIMESTAMPS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// Ten thousand years.
const LONGEST: u64 = 315_576_000_000;

impl Time {
    /// Appends it as a timestamp; whether it is one.
    pub(crate) fn put_timestamp(self, out: &mut Vec<u8>) -> bool {
        if !TIMESTAMPS.contains(&self.seconds) || !(0..SECOND).contains(&self.nanos) {
            return false;
        }
        let (days, second) = (self.seconds.div_euclid(86_400), self.seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        out.push(b'"');
        put_digits(out, year, 4);
        for (mark, number) in [(b'-', month), (b'-', day), (b'T', hour), (b':', minute), (b':', second)] {
            out.push(mark);
            put_digits(out, number, 2);
        }
        put_fraction(out, self.nanos.unsigned_abs());
        out.extend_from_slice(b"Z\"");
        true
    }

    /// Appends it as a duration; whether it is one.
    pub(crate) fn put_duration(self, out: &mut Vec<u8>) -> bool {
        let (seconds, nanos) = (self.seconds.signum(), i64::from(self.nanos.signum()));
        if self.seconds.unsigned_abs() > LONGEST
            || self.nanos.unsigned_abs() >= SECOND.unsigned_abs()
            || seconds * nanos < 0
        {
            return false;
        }
        out.push(b'"');
        if seconds < 0 || nanos < 0 {
            out.push(b'-');
        }
        crate::json::put_u64(out, self.seconds.unsigned_abs());
        put_fraction(out, self.nanos.unsigned_abs());
        out.extend_from_slice(b"s\"");
        true
    }

    pub(crate) fn read_timestamp(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| digits(bytes.get(from..to)?);
        let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
        if !(is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':')) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if year == 0 || hour > 23 || minute > 59 || second > 59 || !(1..=12).contains(&month) {
            return None;
        }
        let days = day_number(year, month, day);
        if date(days) != (year, month, day) {
            return None;
        }
        let (nanos, rest) = fraction(&bytes[19..])?;
        let offset = match rest {
            b"Z" => 0,
            [sign @ (b'+' | b'-'), offset @ ..] if offset.len() == 5 && offset[2] == b':' => {
                let (hours, minutes) = (digits(&offset[..2])?, digits(&offset[3..])?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let offset = hours * 3_600 + minutes * 60;
                if *sign == b'+' { offset } else { -offset }
            }
            _ => return None,
        };
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset;
        TIMESTAMPS.contains(&seconds).then_some(Self { seconds, nanos })
    }

    pub(crate) fn read_duration(text: &str) -> Option<Self> {
        let number = text.strip_suffix('s')?;
        let (negative, number) = number.strip_prefix('-').map_or((false, number), |number| (true, number));
        let whole = number.find('.').unwrap_or(number.len());
        if whole == 0 || whole > 12 {
            return None;
        }
        let seconds = digits(&number.as_bytes()[..whole])?;
        let (nanos, rest) = fraction(&number.as_bytes()[whole..])?;
        if !rest.is_empty() || seconds.unsigned_abs() > LONGEST {
            return None;
        }
        Some(if negative { Self { seconds: -seconds, nanos: -nanos } } else { Self { seconds, nanos } })
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes
        .iter()
        .try_fold(0, |number: i64, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Nanoseconds behind a point, if there is one, and what follows.
fn fraction(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let Some(rest) = bytes.strip_prefix(b".") else { return Some((0, bytes)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&length) {
        return None;
    }
    let nanos = rest[..length].iter().chain(&[b'0'; 9]).take(9);
    let nanos = nanos.fold(0, |nanos, digit| nanos * 10 + i32::from(digit - b'0'));
    Some((nanos, &rest[length..]))
}

/// None, three, six or nine digits.
fn put_fraction(out: &mut Vec<u8>, nanos: u32) {
    let (number, digits) = match nanos {
        0 => return,
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    out.push(b'.');
    put_digits(out, number.into(), digits);
}

/// Appends a number that is not negative, with zeros before it.
fn put_digits(out: &mut Vec<u8>, mut number: i64, digits: usize) {
    let start = out.len();
    out.resize(start + digits, b'0');
    for place in out[start..].iter_mut().rev() {
        *place += u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

/// Year, month and day of a day since 1970, by Howard Hinnant's `civil_from_days`.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn timestamps_read_as_they_were_written(seconds in TIMESTAMPS, nanos in 0..SECOND) {
            let time = Time { seconds, nanos };
            let mut out = Vec::new();
            prop_assert!(time.put_timestamp(&mut out));
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(Time::read_timestamp(text.trim_matches('"')), Some(time), "{}", text);
        }

        #[test]
        fn durations_read_as_they_were_written(seconds in 0..=315_576_000_000_i64, nanos in 0..SECOND, negative: bool) {
            let time = if negative { Time { seconds: -seconds, nanos: -nanos } } else { Time { seconds, nanos } };
            let mut out = Vec::new();
            prop_assert!(time.put_duration(&mut out));
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(Time::read_duration(text.trim_matches('"')), Some(time), "{}", text);
        }
    }

    #[test]
    fn timestamps_of_other_hours() {
        for (text, seconds, nanos) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1970-01-01T01:00:00.5+01:00", 0, 500_000_000),
            ("1969-12-31T16:00:00-08:00", 0, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
            ("2024-02-29T12:00:00Z", 1_709_208_000, 0),
        ] {
            assert_eq!(Time::read_timestamp(text), Some(Time { seconds, nanos }), "{text}");
        }
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01 00:00:00Z",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "2023-02-29T00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234567890Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "10000-01-01T00:00:00Z",
            "1970-01-01T00:00:00+0100",
            "1970-01-0éT00:00:00Z",
        ] {
            assert_eq!(Time::read_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration() {
        for text in
            ["", "1", "s", "-s", ".5s", "1.s", "1.0000000001s", "--1s", "+1s", "1e3s", "315576000001s"]
        {
            assert_eq!(Time::read_duration(text), None, "{text}");
        }
        assert_eq!(Time::read_duration("-0.5s"), Some(Time { seconds: 0, nanos: -500_000_000 }));
        let mixed = Time { seconds: 1, nanos: -1 };
        assert!(!mixed.put_duration(&mut Vec::new()));
    }
}
