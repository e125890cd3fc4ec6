//! Periods in UTC: whole hours, days, months and years.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// How long a quota counts before it begins anew, and how often a fee is due. All in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Every {
    /// From minute 0 to minute 0.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    Month,
    /// From the first of January to the first of the next.
    Year,
}

/// A whole hour, day, month or year: from its start, to before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// Of what kind.
    pub every: Every,
    /// Its first moment.
    pub start: Timestamp,
}

impl Every {
    /// As the configuration writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The period of this kind that a moment falls in.
    #[must_use]
    pub fn containing(self, at: Timestamp) -> Period {
        let seconds = at.as_second();
        let start = match self {
            Self::Hour => moment(seconds - seconds.rem_euclid(3_600)),
            Self::Day => moment(seconds - seconds.rem_euclid(86_400)),
            Self::Month => midnight(date(at).first_of_month()),
            Self::Year => midnight(date(at).first_of_year()),
        };
        Period { every: self, start }
    }
}

impl Period {
    /// The first moment that is no longer in it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        let first = date(self.start);
        match self.every {
            Every::Hour => moment(self.start.as_second() + 3_600),
            Every::Day => moment(self.start.as_second() + 86_400),
            Every::Month => midnight(first.last_of_month().tomorrow().unwrap_or(Date::MAX)),
            Every::Year => midnight(first.last_of_year().tomorrow().unwrap_or(Date::MAX)),
        }
    }

    /// Whether a moment falls in it.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.every.containing(at) == self
    }
}

fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

fn midnight(date: Date) -> Timestamp {
    date.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn periods_begin_and_end_where_the_calendar_says() {
        for (every, moment, start, end) in [
            (Every::Hour, "2026-11-23T17:59:59.9Z", "2026-11-23T17:00:00Z", "2026-11-23T18:00:00Z"),
            (Every::Day, "2026-12-31T23:59:59Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Every::Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            (Every::Month, "2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Every::Year, "2026-11-23T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Every::Hour, "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            let period = every.containing(at(moment));
            assert_eq!((period.start, period.end()), (at(start), at(end)), "{moment}");
            assert!(period.contains(at(moment)));
            assert!(!period.contains(period.end()));
        }
    }
}
