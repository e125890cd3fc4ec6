//! Which responses count, by status.

use std::ops::RangeInclusive;

use sluice_sdk::prelude::*;

/// Ranges of statuses.
#[derive(Clone, Debug)]
pub(crate) struct Statuses(Vec<RangeInclusive<u16>>);

impl Default for Statuses {
    /// Whatever is no failure of a server.
    fn default() -> Self {
        Self(vec![200..=499])
    }
}

impl Statuses {
    pub(crate) fn new(texts: &[String]) -> Result<Self> {
        ensure!(!texts.is_empty(), "it is empty: leave it out for every status below 500");
        Ok(Self(texts.iter().map(|text| range(text)).collect::<Result<_>>()?))
    }

    pub(crate) fn hold(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

fn range(text: &str) -> Result<RangeInclusive<u16>> {
    let status = |text: &str| {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|status| digits && (200..=599).contains(status))
    };
    let range = match (text.as_bytes(), text.split_once('-')) {
        ([class @ b'2'..=b'5', b'x', b'x'], _) => {
            let first = u16::from(class - b'0') * 100;
            Some(first..=first + 99)
        }
        (_, Some((first, last))) => status(first).zip(status(last)).map(|(first, last)| first..=last),
        _ => status(text).map(|status| status..=status),
    };
    let range = range.filter(|range| !range.is_empty());
    range.context(format_args!(
        "`{text}` is no status (`404`), class (`2xx`) or range (`200-399`) of 200 to 599"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(texts: &[&str]) -> Result<Statuses> {
        Statuses::new(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn statuses_classes_and_ranges() {
        let statuses = new(&["2xx", "404", "410-412"]).unwrap();
        let all = [199, 200, 299, 300, 403, 404, 409, 410, 412, 413];
        let held: Vec<u16> = all.into_iter().filter(|one| statuses.hold(*one)).collect();
        assert_eq!(held, [200, 299, 404, 410, 412]);
        for bad in
            ["", "20", "2xxx", "600", "1xx", "+20", "300-200", "200-", "-300", "200-600", "200-300-400"]
        {
            assert!(new(&[bad]).is_err(), "{bad}");
        }
        assert!(new(&[]).is_err());
        assert!(Statuses::default().hold(499) && !Statuses::default().hold(500));
    }
}
