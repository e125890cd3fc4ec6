//! What one exchange records on one meter, and which calls are refused: the same in the gateway and in a plugin's tests.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{Aggregation, Code, Measure};

/// The most decimal places of a meter.
const MAX_DECIMALS: u8 = 6;

/// What a plugin has to know of a meter: what `describe` gives, and the dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterKind {
    /// How values become one.
    pub aggregation: Aggregation,
    /// Decimal places, 0 to 6: values are in 10^-`decimals` of the meter's unit.
    #[serde(default)]
    pub decimals: u8,
    /// The names of its dimensions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<String>,
}

impl MeterKind {
    /// A meter of whole units without dimensions.
    #[must_use]
    pub const fn new(aggregation: Aggregation) -> Self {
        Self { aggregation, decimals: 0, dimensions: Vec::new() }
    }

    /// As `describe` returns it: decimals in bits 0 to 7, the aggregation in bits 8 to 15.
    #[must_use]
    pub fn describe(aggregation: Aggregation, decimals: u8) -> i32 {
        aggregation.number() << 8 | i32::from(decimals)
    }

    /// The reverse of [`describe`](Self::describe); `None` if that is no meter.
    #[must_use]
    pub fn read(described: i32) -> Option<(Aggregation, u8)> {
        let decimals = u8::try_from(described & 0xff).ok().filter(|decimals| *decimals <= MAX_DECIMALS)?;
        Some((Aggregation::from_number(described >> 8)?, decimals))
    }
}

/// What one exchange has recorded on one meter so far.
///
/// A call that is refused changes nothing. Which phase it came in is for the caller to check: `expect` belongs to the phases of the
/// request's head and whole body, everything else to all phases but `complete`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// What was added, in smallest units; `None` if nothing was, which is not the same as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
    /// What was seen, on a meter of unique texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What the host is to measure and add at the end, each once, in the order of their numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
    /// What to reserve, in smallest units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<i64>,
    /// Names and values of dimensions, in the order in which they were first given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<(String, String)>,
}

/// What the host has measured of an exchange that has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// From the request's head to the response's last byte, in microseconds.
    pub duration_us: u64,
}

impl Recorded {
    /// The longest text that can be seen, in bytes.
    pub const MAX_SUBJECT: usize = 1024;
    /// The longest value of a dimension, in bytes.
    pub const MAX_DIMENSION: usize = 256;

    /// Adds a value, as the meter aggregates: what is counted or summed comes on top, of the greatest the greater one stays, the
    /// latest replaces. Invalid: a negative value, or a meter of unique texts. Too large: the sum is none any more.
    pub fn add(&mut self, aggregation: Aggregation, value: i64) -> Result<(), Code> {
        if value < 0 {
            return Err(Code::Invalid);
        }
        let before = self.value;
        self.value = Some(match aggregation {
            Aggregation::Count | Aggregation::Sum => {
                before.unwrap_or(0).checked_add(value).ok_or(Code::TooLarge)?
            }
            Aggregation::Max => before.unwrap_or(0).max(value),
            Aggregation::Latest => value,
            Aggregation::Unique => return Err(Code::Invalid),
        });
        Ok(())
    }

    /// Notes what was seen; the last one counts. Invalid: another meter than one of unique texts, nothing at all, no UTF-8, or a
    /// control character, which not every ledger can keep.
    pub fn seen(&mut self, aggregation: Aggregation, subject: &[u8]) -> Result<(), Code> {
        if aggregation != Aggregation::Unique || subject.is_empty() {
            return Err(Code::Invalid);
        }
        self.subject = Some(text(subject, Self::MAX_SUBJECT)?);
        Ok(())
    }

    /// Has the host measure at the end. Invalid: a meter of unique texts.
    pub fn measure(&mut self, aggregation: Aggregation, what: Measure) -> Result<(), Code> {
        if aggregation == Aggregation::Unique {
            return Err(Code::Invalid);
        }
        if let Err(place) = self.measures.binary_search(&what) {
            self.measures.insert(place, what);
        }
        Ok(())
    }

    /// Says what to reserve; the last one counts. Invalid: a negative value, or a meter that nothing can be reserved from, since its
    /// values do not add up.
    pub fn expect(&mut self, aggregation: Aggregation, value: i64) -> Result<(), Code> {
        if value < 0 || !matches!(aggregation, Aggregation::Count | Aggregation::Sum) {
            return Err(Code::Invalid);
        }
        self.expected = Some(value);
        Ok(())
    }

    /// Sets a dimension; the last value counts. None: the meter has no dimension of this name. Invalid: no UTF-8, or a control
    /// character.
    pub fn dimension<N: AsRef<str>>(&mut self, known: &[N], name: &[u8], value: &[u8]) -> Result<(), Code> {
        let name = known.iter().map(AsRef::as_ref).find(|known| known.as_bytes() == name);
        let name = name.ok_or(Code::None)?;
        let value = text(value, Self::MAX_DIMENSION)?;
        match self.dimensions.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.dimensions.push((name.to_string(), value)),
        }
        Ok(())
    }

    /// Forgets what was added, seen and is to be measured. What is reserved and the dimensions stay.
    pub fn cancel(&mut self) {
        (self.value, self.subject) = (None, None);
        self.measures.clear();
    }

    /// Whether something of the exchange counts on this meter.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.value.is_some() || self.subject.is_some() || !self.measures.is_empty()
    }

    /// Whether it is as if nothing had been said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The exchange's value on a meter that is not one of unique texts, with what was measured; `None` if nothing counts. What is
    /// too large for a number is the largest one.
    #[must_use]
    pub fn total(&self, aggregation: Aggregation, decimals: u8, measured: &Measured) -> Option<i64> {
        let values = self.measures.iter().map(|what| measured.get(*what, decimals));
        self.value.into_iter().chain(values).reduce(|before, value| match aggregation {
            Aggregation::Count | Aggregation::Sum => before.saturating_add(value),
            Aggregation::Max => before.max(value),
            Aggregation::Latest | Aggregation::Unique => value,
        })
    }
}

impl Measured {
    /// In smallest units of a meter with so many decimal places: what is a number of units is scaled, a duration is in milliseconds,
    /// which 3 places keep exactly; with fewer it is rounded, half up.
    #[must_use]
    pub fn get(&self, what: Measure, decimals: u8) -> i64 {
        let scale = 10_u128.pow(u32::from(decimals.min(MAX_DECIMALS)));
        let scaled = match what {
            Measure::One => scale,
            Measure::RequestBytes => u128::from(self.request_bytes) * scale,
            Measure::ResponseBytes => u128::from(self.response_bytes) * scale,
            Measure::Duration => (u128::from(self.duration_us) * scale + 500) / 1000,
        };
        i64::try_from(scaled).unwrap_or(i64::MAX)
    }
}

/// Text without control characters: one server or another of those that are given it refuses them, and with it everything else.
fn text(bytes: &[u8], most: usize) -> Result<String, Code> {
    if bytes.len() > most {
        return Err(Code::TooLarge);
    }
    let text = core::str::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control));
    text.map(ToString::to_string).ok_or(Code::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_is_described_and_read() {
        for aggregation in Aggregation::ALL {
            let described = MeterKind::describe(*aggregation, 6);
            assert_eq!(MeterKind::read(described), Some((*aggregation, 6)));
        }
        assert_eq!(MeterKind::describe(Aggregation::Latest, 3), 0x403);
        for none in [-1, 5 << 8, 7, 1 << 24] {
            assert_eq!(MeterKind::read(none), None, "{none}");
        }
    }

    #[test]
    fn values_of_an_exchange_become_one() {
        let after = |aggregation, values: &[i64]| {
            let mut recorded = Recorded::default();
            values.iter().for_each(|value| recorded.add(aggregation, *value).unwrap());
            recorded.value
        };
        assert_eq!(after(Aggregation::Count, &[1, 1, 3]), Some(5));
        assert_eq!(after(Aggregation::Sum, &[7, 0, 2]), Some(9));
        assert_eq!(after(Aggregation::Max, &[7, 9, 2]), Some(9));
        assert_eq!(after(Aggregation::Latest, &[7, 9, 2]), Some(2));
        assert_eq!(after(Aggregation::Sum, &[]), None);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut recorded = Recorded::default();
        recorded.add(Aggregation::Sum, i64::MAX).unwrap();
        let before = recorded.clone();
        assert_eq!(recorded.add(Aggregation::Sum, 1), Err(Code::TooLarge));
        assert_eq!(recorded.add(Aggregation::Sum, -1), Err(Code::Invalid));
        assert_eq!(recorded.add(Aggregation::Unique, 1), Err(Code::Invalid));
        assert_eq!(recorded.measure(Aggregation::Unique, Measure::One), Err(Code::Invalid));
        assert_eq!(recorded.expect(Aggregation::Sum, -1), Err(Code::Invalid));
        for aggregation in [Aggregation::Max, Aggregation::Unique, Aggregation::Latest] {
            assert_eq!(recorded.expect(aggregation, 1), Err(Code::Invalid));
        }
        assert_eq!(recorded.seen(Aggregation::Sum, b"a"), Err(Code::Invalid));
        for bad in [&b""[..], b"\xff", b"a\0", b"a\nb"] {
            assert_eq!(recorded.seen(Aggregation::Unique, bad), Err(Code::Invalid), "{bad:?}");
        }
        assert_eq!(recorded.seen(Aggregation::Unique, &[b'a'; 1025]), Err(Code::TooLarge));
        assert_eq!(recorded.dimension(&["model"], b"mode", b"a"), Err(Code::None));
        assert_eq!(recorded.dimension(&["model"], b"model", &[b'a'; 257]), Err(Code::TooLarge));
        assert_eq!(recorded.dimension(&["model"], b"model", b"\x1b"), Err(Code::Invalid));
        assert_eq!(recorded, before);
    }

    #[test]
    fn cancelled_is_as_if_nothing_had_been_added() {
        let mut recorded = Recorded::default();
        recorded.add(Aggregation::Sum, 5).unwrap();
        recorded.measure(Aggregation::Sum, Measure::RequestBytes).unwrap();
        recorded.expect(Aggregation::Sum, 9).unwrap();
        assert!(recorded.counts());
        recorded.cancel();
        assert!(!recorded.counts() && !recorded.is_empty(), "the reservation stands");
        assert_eq!(recorded.total(Aggregation::Sum, 0, &Measured::default()), None);
        recorded.add(Aggregation::Sum, 2).unwrap();
        assert_eq!(recorded.total(Aggregation::Sum, 0, &Measured::default()), Some(2));
    }

    #[test]
    fn the_last_dimension_and_the_last_subject_count() {
        let mut recorded = Recorded::default();
        for (name, value) in [("b", "1"), ("a", "2"), ("b", "3")] {
            recorded.dimension(&["a", "b"], name.as_bytes(), value.as_bytes()).unwrap();
            recorded.seen(Aggregation::Unique, value.as_bytes()).unwrap();
        }
        let pairs: Vec<_> = recorded.dimensions.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!((pairs, recorded.subject.as_deref()), ([("b", "3"), ("a", "2")].to_vec(), Some("3")));
    }

    #[test]
    fn what_is_measured_comes_in_the_units_of_the_meter() {
        let measured = Measured { request_bytes: 7, response_bytes: u64::MAX, duration_us: 1_234_500 };
        let get = |what, decimals| measured.get(what, decimals);
        assert_eq!((get(Measure::One, 0), get(Measure::One, 2)), (1, 100));
        assert_eq!((get(Measure::RequestBytes, 1), get(Measure::ResponseBytes, 6)), (70, i64::MAX));
        let durations = [0, 2, 3, 6].map(|decimals| get(Measure::Duration, decimals));
        assert_eq!(durations, [1235, 123_450, 1_234_500, 1_234_500_000]);
        let mut recorded = Recorded::default();
        for what in [Measure::Duration, Measure::RequestBytes, Measure::Duration] {
            recorded.measure(Aggregation::Sum, what).unwrap();
        }
        assert_eq!(recorded.measures, [Measure::RequestBytes, Measure::Duration]);
        recorded.add(Aggregation::Sum, 1).unwrap();
        let total = |aggregation| recorded.total(aggregation, 0, &measured);
        assert_eq!(total(Aggregation::Sum), Some(1243));
        assert_eq!((total(Aggregation::Max), total(Aggregation::Latest)), (Some(1235), Some(1235)));
    }
}
