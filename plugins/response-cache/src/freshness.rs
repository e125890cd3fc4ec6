//! How long a response may be used, and how old it is (RFC 9111 section 4.2). Times are milliseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::directives::{Directives, delta_seconds, members};

/// The value of a field of a response, in order of its lines.
pub(crate) type Fields = [(String, Vec<u8>)];

/// When a request went out and its response came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Times {
    pub(crate) request: u64,
    pub(crate) response: u64,
}

/// The texts of a field; one that is not UTF-8 is none.
pub(crate) fn texts<'a>(fields: &'a Fields, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = fields.iter().filter(move |(known, _)| known == name);
    lines.filter_map(|(_, value)| std::str::from_utf8(value).ok())
}

/// A date of HTTP (RFC 9110 section 5.6.7).
pub(crate) fn date(text: &str) -> Option<u64> {
    let date: SystemTime = httpdate::parse_http_date(text).ok()?;
    u64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// How long the response is fresh, counted from when it was made; none if nothing says so.
pub(crate) fn lifetime(fields: &Fields, control: &Directives, response: u64) -> Option<u64> {
    if let Some(seconds) = control.seconds("s-maxage").or_else(|| control.seconds("max-age")) {
        return Some(seconds.saturating_mul(1000));
    }
    let mut expires = texts(fields, "expires");
    let first = expires.next()?;
    // One that is no date, such as `0`, is in the past; so are two that contradict each other.
    let end = date(first).filter(|_| expires.all(|other| other == first));
    let made = texts(fields, "date").next().and_then(date).unwrap_or(response);
    Some(end.map_or(0, |end| end.saturating_sub(made)))
}

/// How old the response was when it came (RFC 9111 section 4.2.3).
pub(crate) fn initial_age(fields: &Fields, times: Times) -> u64 {
    let stated = texts(fields, "age").next().and_then(|line| members(line).first().copied());
    let stated = stated.and_then(delta_seconds).unwrap_or(0).saturating_mul(1000);
    let corrected = stated.saturating_add(times.response.saturating_sub(times.request));
    let made = texts(fields, "date").next().and_then(date).unwrap_or(times.response);
    // A date has whole seconds: less than one is no age.
    let apparent = times.response.saturating_sub(made);
    corrected.max(if apparent < 1000 { 0 } else { apparent })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_767_225_600_000;
    const DATE: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const LATER: &str = "Thu, 01 Jan 2026 00:01:00 GMT";

    fn fields(lines: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
    }

    fn life(lines: &[(&str, &str)]) -> Option<u64> {
        let fields = fields(lines);
        let control: Vec<_> = texts(&fields, "cache-control").collect();
        lifetime(&fields, &Directives::read(&control), NOW).map(|ms| ms / 1000)
    }

    #[test]
    fn the_lifetime_comes_from_the_first_that_says_it() {
        for (lines, seconds) in [
            (&[][..], None),
            (&[("cache-control", "max-age=5, s-maxage=7")], Some(7)),
            (&[("cache-control", "max-age=5"), ("expires", LATER)], Some(5)),
            (&[("cache-control", "max-age=x"), ("expires", LATER)], Some(0)),
            (&[("expires", LATER), ("date", DATE)], Some(60)),
            (&[("expires", LATER)], Some(60)),
            (&[("expires", "0")], Some(0)),
            (&[("expires", DATE), ("date", LATER)], Some(0)),
            (&[("expires", LATER), ("expires", DATE)], Some(0)),
            (&[("expires", "Thursday, 01-Jan-26 00:01:00 GMT")], Some(60)),
            (&[("expires", "Thu Jan  1 00:01:00 2026")], Some(60)),
        ] {
            assert_eq!(life(lines), seconds, "{lines:?}");
        }
    }

    #[test]
    fn the_age_is_the_greater_of_what_is_stated_and_what_is_seen() {
        let times = Times { request: NOW - 500, response: NOW };
        let age = |lines: &[(&str, &str)]| initial_age(&fields(lines), times);
        assert_eq!(age(&[]), 500);
        assert_eq!(age(&[("age", "7")]), 7500);
        assert_eq!(age(&[("age", "7, 9")]), 7500);
        for ignored in ["-7", "7.0", "x", ""] {
            assert_eq!(age(&[("age", ignored)]), 500, "{ignored}");
        }
        assert_eq!(age(&[("date", "Wed, 31 Dec 2025 23:59:00 GMT"), ("age", "7")]), 60_000);
        assert_eq!(age(&[("date", LATER)]), 500);
    }

    proptest! {
        /// No field and no clock makes the arithmetic fail.
        #[test]
        fn arithmetic_never_overflows(
            control in "[a-z0-9=,\" -]{0,40}|max-age=[0-9]{1,30}",
            age in "\\PC{0,10}|[0-9]{1,30}",
            day in "\\PC{0,30}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT",
            request: u64,
            response: u64,
        ) {
            let fields = fields(&[("cache-control", &control), ("age", &age), ("date", &day), ("expires", &day)]);
            let _ = lifetime(&fields, &Directives::read(&[control]), response);
            let age = initial_age(&fields, Times { request, response });
            prop_assert!(age >= response.saturating_sub(request));
        }
    }
}
