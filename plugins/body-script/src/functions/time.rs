//! Points in time: seconds since 1970 and broken down times, always in UTC, since filters know no zone and no clock.

use jaq_core::native::{Fun, bome, run, unary, v};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};

use super::Data;
use crate::value::{Error, Val, ValR, fail};

pub(super) fn natives() -> [Fun<Data>; 4] {
    [
        run(("gmtime", v(0), |cv| bome(break_down(&cv.1)))),
        run(("mktime", v(0), |cv| {
            bome(put_together(&cv.1, "mktime").map(|at| Val::from(at.as_second() as f64)))
        })),
        run(("strftime", v(1), |cv| unary(cv, |time, format| write(&time, &format)))),
        run(("strptime", v(1), |cv| unary(cv, |text, format| read(&text, &format)))),
    ]
}

/// The point in time, and the fraction of a second that it is past it.
#[expect(clippy::cast_possible_truncation, reason = "what is out of range is refused by the timestamp")]
fn timestamp(seconds: f64) -> Result<(Timestamp, f64), Error> {
    let whole = seconds.floor();
    let at = Timestamp::from_second(whole as i64).ok().filter(|_| seconds.is_finite());
    let at = at.ok_or_else(|| Error::str("error converting number of seconds since epoch to datetime"))?;
    Ok((at, seconds - whole))
}

fn break_down(value: &Val) -> ValR {
    let Val::Num(number) = value else { return fail("gmtime() requires a number") };
    let (at, fraction) = timestamp(number.float())?;
    Ok(broken_down(Offset::UTC.to_datetime(at), fraction))
}

/// Year, month from 0, day, hour, minute, second, day of the week from Sunday as 0, day of the year from 0.
fn broken_down(time: DateTime, fraction: f64) -> Val {
    let elements = [
        f64::from(time.year()),
        f64::from(time.month() - 1),
        f64::from(time.day()),
        f64::from(time.hour()),
        f64::from(time.minute()),
        f64::from(time.second()) + fraction,
        f64::from(time.weekday().to_sunday_zero_offset()),
        f64::from(time.day_of_year() - 1),
    ];
    elements.into_iter().map(Val::from).collect()
}

/// The point in time of a broken down one. What is past its range counts on, as `timegm` of C has it; what is missing is zero.
#[expect(clippy::cast_possible_truncation, reason = "clamped to what years and their seconds may be")]
fn put_together(value: &Val, name: &str) -> Result<Timestamp, Error> {
    let Val::Arr(elements) = value else { return fail(format_args!("{name} requires array of 6 numbers")) };
    let mut fields = [0_i64; 6];
    for (field, element) in fields.iter_mut().zip(elements.iter()) {
        let Val::Num(number) = element else {
            return fail(format_args!("{name} requires parsed datetime inputs"));
        };
        *field = number.float().clamp(-1e12, 1e12) as i64;
    }
    let [year, month, day, hour, minute, second] = fields;
    let wrong = |_| Error::str("invalid gmtime representation");
    let year = i16::try_from(year + month.div_euclid(12))
        .map_err(|_| Error::str("invalid gmtime representation"))?;
    // Both lie between 0 and 11.
    let month = i8::try_from(month.rem_euclid(12) + 1).unwrap_or(1);
    let first = Date::new(year, month, 1).map_err(wrong)?.to_datetime(jiff::civil::Time::midnight());
    let first = Offset::UTC.to_timestamp(first).map_err(wrong)?;
    let seconds = (day - 1) * 86_400 + hour * 3600 + minute * 60 + second;
    Timestamp::from_second(first.as_second().saturating_add(seconds)).map_err(wrong)
}

fn write(value: &Val, format: &Val) -> ValR {
    let at = match value {
        Val::Num(number) => timestamp(number.float())?.0,
        Val::Arr(_) => put_together(value, "strftime/1")?,
        _ => return fail("strftime/1 requires parsed datetime inputs"),
    };
    let Val::Str(format) = format else { return fail("strftime/1 requires a string format") };
    let text = strtime::format(format.as_bytes(), &at.to_zoned(TimeZone::UTC));
    text.map(Val::from).map_err(|error| Error::str(format_args!("strftime/1: {error}")))
}

fn read(value: &Val, format: &Val) -> ValR {
    let Val::Str(text) = value else {
        return fail(format_args!("strptime/1 requires string inputs and arguments, not {}", value.shown()));
    };
    let Val::Str(format) = format else { return fail("strptime/1 requires string inputs and arguments") };
    let mut parsed = BrokenDownTime::parse(format.as_bytes(), text.as_bytes())
        .map_err(|_| Error::str(format_args!("date \"{text}\" does not match format \"{format}\"")))?;
    // A day without a time is its midnight.
    if parsed.hour().is_none() {
        parsed.set_hour(Some(0)).map_err(Error::str)?;
    }
    let time = match parsed.to_datetime() {
        Ok(time) => time,
        // Seconds since 1970 (`%s`) are a whole time by themselves.
        Err(error) => Offset::UTC.to_datetime(parsed.to_timestamp().map_err(|_| Error::str(error))?),
    };
    let fraction = f64::from(time.subsec_nanosecond()) / 1e9;
    Ok(broken_down(time, fraction))
}
