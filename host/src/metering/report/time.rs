//! Times as they are asked for: days, full hours, months. All in UTC.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sluice_metering::period::{Every, Period};

use super::{Parameters, Refused};

/// A moment at which an hour begins, in the years that the ledger can count.
pub(super) fn hour(parameters: &Parameters, name: &str) -> Result<Option<Timestamp>, Refused> {
    let Some(given) = parameters.get(name) else { return Ok(None) };
    let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let moment = if given.len() == "2026-11-01".len() {
        given.parse().ok().and_then(midnight)
    } else {
        given.parse::<Timestamp>().ok()
    };
    let full = moment.filter(|at| Every::Hour.containing(*at).start == *at && is_counted(*at));
    let expected = "a day such as 2026-11-01 or a full hour such as 2026-11-01T13:00:00Z";
    full.map(Some).ok_or_else(|| Refused::expected(name, given, expected))
}

/// The month of the parameter `period`, or this one.
pub(super) fn month(parameters: &Parameters, now: Timestamp) -> Result<Period, Refused> {
    let Some(given) = parameters.get("period") else { return Ok(Every::Month.containing(now)) };
    let date = (given.len() == "2026-11".len()).then(|| format!("{given}-01").parse::<Date>().ok()).flatten();
    let start = date.and_then(|date| date.to_zoned(TimeZone::UTC).ok()).map(|zoned| zoned.timestamp());
    let start = start.filter(|at| is_counted(*at));
    start
        .map(|start| Every::Month.containing(start))
        .ok_or_else(|| Refused::expected("period", given, "a month such as 2026-11"))
}

/// `2026-11`.
pub(super) fn name_of(month: Period) -> String {
    let first = month.start.to_zoned(TimeZone::UTC).date();
    format!("{:04}-{:02}", first.year(), first.month())
}

/// From 1970 to 9998: periods and their ends can be told.
fn is_counted(at: Timestamp) -> bool {
    (1970..=9998).contains(&at.to_zoned(TimeZone::UTC).year())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, text: &str) -> Parameters {
        Parameters::new(vec![(name.to_owned(), text.to_owned())], &[name]).unwrap()
    }

    #[test]
    fn days_and_full_hours_are_times() {
        for (text, at) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T13:00:00Z", "2026-11-01T13:00:00Z"),
            ("2026-11-01T13:00:00+02:00", "2026-11-01T11:00:00Z"),
        ] {
            assert_eq!(hour(&given("from", text), "from").unwrap(), Some(at.parse().unwrap()));
        }
        for text in [
            "yesterday",
            "2026-11",
            "2026-11-31",
            "2026-11-01T13:30:00Z",
            "2026-11-01T13:00:00",
            "1969-12-31",
            "9999-01-01",
        ] {
            assert!(hour(&given("from", text), "from").is_err(), "{text}");
        }
    }

    #[test]
    fn months_are_periods() {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let name = |text: &str| month(&given("period", text), now).map(name_of);
        assert_eq!(name("2026-02"), Ok("2026-02".to_owned()));
        for text in ["2026-13", "2026", "2026-1", "26-11", "-001-01", "2026-11-01"] {
            assert!(name(text).is_err(), "{text}");
        }
        assert_eq!(month(&Parameters::default(), now).map(name_of), Ok("2026-11".to_owned()));
    }
}
