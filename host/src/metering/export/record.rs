//! An event as others are told of it: with units, decimals, and what the other system calls the consumer.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sluice_metering::event::Event;

/// How a meter counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Decimal places: values are in 10^-`decimals` units.
    pub(crate) decimals: u8,
    pub(crate) unit: Option<Arc<str>>,
}

type Lookup<T> = Arc<dyn Fn(&str) -> Option<T> + Send + Sync>;

/// What an event does not say itself. It is asked at every attempt, so that a change of the configuration counts at once.
#[derive(Clone)]
pub(crate) struct Directory {
    measure: Lookup<Measure>,
    custom_id: Lookup<Arc<str>>,
}

impl Directory {
    /// `measure` of a meter's name, `custom_id` of a consumer's.
    pub(crate) fn new(
        measure: impl Fn(&str) -> Option<Measure> + Send + Sync + 'static,
        custom_id: impl Fn(&str) -> Option<Arc<str>> + Send + Sync + 'static,
    ) -> Self {
        Self { measure: Arc::new(measure), custom_id: Arc::new(custom_id) }
    }

    /// The event with all that is told of it; none if its meter is not known, for then its value means nothing.
    pub(super) fn record<'a>(&self, event: &'a Event) -> Option<Record<'a>> {
        let Measure { decimals, unit } = (self.measure)(&event.meter)?;
        let custom_id = (!event.consumer.is_empty()).then(|| (self.custom_id)(&event.consumer)).flatten();
        let customer = custom_id.unwrap_or_else(|| Arc::clone(&event.consumer));
        Some(Record {
            id: event.id(),
            event,
            customer,
            value: Decimal { units: event.value, decimals },
            unit,
        })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Directory")
    }
}

/// An event with all that is told of it.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) id: String,
    pub(super) event: &'a Event,
    /// The consumer's `custom_id`, else its name; empty if nobody is known.
    pub(super) customer: Arc<str>,
    pub(super) value: Decimal,
    pub(super) unit: Option<Arc<str>>,
}

impl Record<'_> {
    /// Of a unique meter: what was seen, as a digest in hexadecimal.
    pub(super) fn seen(&self) -> Option<String> {
        self.event.subject.map(|digest| HEXLOWER.encode(&digest))
    }
}

/// A quantity, written exactly and without zeros that say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) units: i64,
    pub(super) decimals: u8,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(scale) = 10_u64.checked_pow(u32::from(self.decimals)) else { return Err(fmt::Error) };
        let sign = if self.units < 0 { "-" } else { "" };
        let (whole, rest) = (self.units.unsigned_abs() / scale, self.units.unsigned_abs() % scale);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let rest = format!("{rest:0width$}", width = usize::from(self.decimals));
        write!(f, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        for (units, decimals, text) in [
            (0, 0, "0"),
            (0, 6, "0"),
            (7, 0, "7"),
            (1500, 3, "1.5"),
            (1501, 3, "1.501"),
            (1, 6, "0.000001"),
            (10, 6, "0.00001"),
            (1_000_000, 6, "1"),
            (-1500, 3, "-1.5"),
            (i64::MAX, 0, "9223372036854775807"),
            (i64::MAX, 6, "9223372036854.775807"),
            (i64::MIN, 6, "-9223372036854.775808"),
        ] {
            assert_eq!(Decimal { units, decimals }.to_string(), text);
        }
    }
}
