//! How long a call may take: `grpc-timeout` and `connect-timeout-ms`.

use std::time::Duration;

const UNITS: [(u8, Duration); 6] = [
    (b'n', Duration::from_nanos(1)),
    (b'u', Duration::from_micros(1)),
    (b'm', Duration::from_millis(1)),
    (b'S', Duration::from_secs(1)),
    (b'M', Duration::from_secs(60)),
    (b'H', Duration::from_secs(3600)),
];

/// The most that eight digits write.
const MOST: u64 = 99_999_999;

/// What `grpc-timeout` says: up to eight digits and a unit, nothing else.
#[must_use]
pub fn from_grpc(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let (_, unit) = UNITS.iter().find(|(known, _)| known == unit)?;
    let count = u32::try_from(number(digits, 8)?).ok()?;
    unit.checked_mul(count)
}

/// `grpc-timeout` for this long, in the finest unit that it fits into: rounded down, to 99,999,999 hours at most.
#[must_use]
pub fn to_grpc(timeout: Duration) -> String {
    let fitting = UNITS.iter().find_map(|(name, unit)| {
        let count = timeout.as_nanos() / unit.as_nanos();
        u64::try_from(count).ok().filter(|count| *count <= MOST).map(|count| (count, *name))
    });
    let (count, unit) = fitting.unwrap_or((MOST, b'H'));
    format!("{count}{}", char::from(unit))
}

/// What `connect-timeout-ms` says: up to ten digits.
#[must_use]
pub fn from_connect(value: &[u8]) -> Option<Duration> {
    number(value, 10).map(Duration::from_millis)
}

/// `connect-timeout-ms` for this long: rounded down, ten digits at most.
#[must_use]
pub fn to_connect(timeout: Duration) -> String {
    timeout.as_millis().min(9_999_999_999).to_string()
}

fn number(digits: &[u8], most: usize) -> Option<u64> {
    let fits = (1..=most).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| fits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_has_units() {
        for (value, timeout) in [
            ("1S", Duration::from_secs(1)),
            ("100m", Duration::from_millis(100)),
            ("0n", Duration::ZERO),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
            ("00000005M", Duration::from_secs(300)),
            ("7u", Duration::from_micros(7)),
        ] {
            assert_eq!(from_grpc(value.as_bytes()), Some(timeout), "{value}");
        }
        for value in ["", "S", "1", "1s", "1 S", "-1S", "+1S", "1.5S", "100000000n", "1SS", "٣S"] {
            assert_eq!(from_grpc(value.as_bytes()), None, "{value}");
        }
        for (timeout, value) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_millis(5000), "5000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(86_400 * 100), "8640000S"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(to_grpc(timeout), value);
        }
    }

    #[test]
    fn connect_has_milliseconds() {
        assert_eq!(from_connect(b"5000"), Some(Duration::from_secs(5)));
        assert_eq!(from_connect(b"9999999999"), Some(Duration::from_millis(9_999_999_999)));
        for value in ["", "10000000000", "-1", "1.5", "5s", " 5"] {
            assert_eq!(from_connect(value.as_bytes()), None, "{value}");
        }
        assert_eq!(to_connect(Duration::from_micros(1999)), "1");
        assert_eq!(to_connect(Duration::MAX), "9999999999");
    }
}
