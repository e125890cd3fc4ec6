//! Which responses are meant, by status.

use std::ops::RangeInclusive;

use sluice_sdk::prelude::*;

/// Ranges of statuses; none for every status.
#[derive(Debug)]
pub(crate) struct Statuses(Option<Vec<RangeInclusive<u16>>>);

impl Statuses {
    pub(crate) fn new(texts: Option<Vec<String>>) -> Result<Self> {
        let Some(texts) = texts else { return Ok(Self(None)) };
        ensure!(!texts.is_empty(), "it is empty: leave it out for every status");
        Ok(Self(Some(texts.iter().map(|text| range(text)).collect::<Result<_>>()?)))
    }

    pub(crate) fn hold(&self, status: u16) -> bool {
        self.0.as_ref().is_none_or(|ranges| ranges.iter().any(|range| range.contains(&status)))
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>> {
    let range = match text.as_bytes() {
        [class @ b'2'..=b'5', b'x', b'x'] => {
            let first = u16::from(class - b'0') * 100;
            Some(first..=first + 99)
        }
        [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] => text.parse().ok().map(|status| status..=status),
        _ => None,
    };
    range.context(format_args!("`{text}` is neither a class such as `2xx` nor a status such as `404`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(texts: &[&str]) -> Result<Statuses> {
        Statuses::new(Some(texts.iter().map(|text| (*text).to_owned()).collect()))
    }

    #[test]
    fn classes_and_statuses_are_told_apart() {
        let statuses = new(&["2xx", "404"]).unwrap();
        let held: Vec<u16> =
            [199, 200, 299, 300, 403, 404].into_iter().filter(|one| statuses.hold(*one)).collect();
        assert_eq!(held, [200, 299, 404]);
        for bad in ["", "20", "2xxx", "600", "1xx", "+20"] {
            assert!(new(&[bad]).is_err(), "{bad}");
        }
    }
}
