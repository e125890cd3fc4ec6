//! Lengths of time as configuration writes them.

use std::fmt;
use std::str::FromStr;
use std::time;

use super::{InvalidValue, text_value};

/// A length of time: `"250ms"`, `"5s"`, `"1h"`. Units are `us`, `ms`, `s`, `m`, `h` and `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(time::Duration);

const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

impl Duration {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(time::Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(time::Duration::from_millis(milliseconds))
    }

    /// As the standard library's.
    #[must_use]
    pub const fn get(self) -> time::Duration {
        self.0
    }

    /// In whole milliseconds.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// In whole seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// Whether it is no time at all.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).filter(|digits| (1..=12).contains(digits))?;
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

impl FromStr for Duration {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let micros = parse(text)
            .ok_or_else(|| InvalidValue::new(text, "a duration such as \"250ms\", \"5s\" or \"1h\""))?;
        Ok(Self(time::Duration::from_micros(micros)))
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl From<time::Duration> for Duration {
    fn from(duration: time::Duration) -> Self {
        Self(duration)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = u64::try_from(self.0.as_micros()).unwrap_or(u64::MAX);
        let (unit, factor) =
            UNITS.iter().rev().find(|(_, factor)| micros.is_multiple_of(*factor)).unwrap_or(&UNITS[0]);
        if micros == 0 { f.write_str("0s") } else { write!(f, "{}{unit}", micros / factor) }
    }
}

text_value!(
    Duration,
    "A length of time such as \"250ms\", \"5s\" or \"1h\".",
    "^[0-9]{1,12}(us|ms|s|m|h|d)$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write() {
        for (text, micros, again) in [
            ("5s", 5_000_000, "5s"),
            ("90m", 5_400_000_000, "90m"),
            ("250ms", 250_000, "250ms"),
            ("0s", 0, "0s"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.get(), time::Duration::from_micros(micros));
            assert_eq!(duration.to_string(), again);
        }
        for bad in ["", "5", "s", "5 s", "-5s", "5x", "1h30m", "9999999999999s"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad:?}");
        }
    }
}
