//! One line: JSON written by hand, because it is written once per exchange.

use std::io::Write;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// An exchange, as the access log tells it. What is `None` is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// When the exchange began.
    pub(crate) time: SystemTime,
    pub(crate) request_id: &'a str,
    pub(crate) client: IpAddr,
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    /// Without the query, which may hold secrets.
    pub(crate) path: &'a str,
    pub(crate) route: Option<&'a str>,
    pub(crate) upstream: Option<&'a str>,
    /// 0 if the client was sent none.
    pub(crate) status: u16,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) duration: Duration,
    pub(crate) failure: Option<&'a str>,
    pub(crate) step: Option<&'a str>,
    pub(crate) consumer: Option<&'a str>,
}

impl Entry<'_> {
    /// Appends the line with its end.
    pub(super) fn write_to(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"time\":\"");
        push_time(line, self.time);
        line.push(b'"');
        push_text(line, "request_id", self.request_id);
        push_key(line, "client");
        // An address needs no escaping, and writing into memory does not fail.
        let _ = write!(line, "\"{}\"", self.client);
        push_text(line, "method", self.method);
        push_text(line, "host", self.host);
        push_text(line, "path", self.path);
        push_optional(line, "route", self.route);
        push_optional(line, "upstream", self.upstream);
        push_number(line, "status", u64::from(self.status));
        push_number(line, "request_bytes", self.request_bytes);
        push_number(line, "response_bytes", self.response_bytes);
        push_milliseconds(line, "duration_ms", self.duration);
        push_optional(line, "failure", self.failure);
        push_optional(line, "step", self.step);
        push_optional(line, "consumer", self.consumer);
        line.extend_from_slice(b"}\n");
    }
}

fn push_key(line: &mut Vec<u8>, key: &str) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"\":");
}

fn push_optional(line: &mut Vec<u8>, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        push_text(line, key, text);
    }
}

fn push_text(line: &mut Vec<u8>, key: &str, text: &str) {
    push_key(line, key);
    line.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        line.extend_from_slice(&rest[..at]);
        push_escape(line, rest[at]);
        rest = &rest[at + 1..];
    }
    line.extend_from_slice(rest);
    line.push(b'"');
}

fn push_escape(line: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => line.extend_from_slice(b"\\\""),
        b'\\' => line.extend_from_slice(b"\\\\"),
        b'\n' => line.extend_from_slice(b"\\n"),
        b'\r' => line.extend_from_slice(b"\\r"),
        b'\t' => line.extend_from_slice(b"\\t"),
        other => {
            line.extend_from_slice(b"\\u00");
            line.extend_from_slice(&[HEX[usize::from(other >> 4)], HEX[usize::from(other & 15)]]);
        }
    }
}

fn push_number(line: &mut Vec<u8>, key: &str, number: u64) {
    push_key(line, key);
    push_digits(line, number, 1);
}

/// To the microsecond.
fn push_milliseconds(line: &mut Vec<u8>, key: &str, duration: Duration) {
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    push_number(line, key, microseconds / 1000);
    line.push(b'.');
    push_digits(line, microseconds % 1000, 3);
}

/// At least `width` digits.
fn push_digits(line: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    while number > 0 || first > digits.len() - width {
        first -= 1;
        digits[first] += u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
    line.extend_from_slice(&digits[first..]);
}

/// RFC 3339 with milliseconds, in UTC.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let mut text = Vec::new();
    push_time(&mut text, time);
    String::from_utf8(text).expect("digits and punctuation")
}

/// RFC 3339 with milliseconds, in UTC.
fn push_time(line: &mut Vec<u8>, time: SystemTime) {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    for (number, width, end) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (seconds / 3600 % 24, 2, b':'),
        (seconds / 60 % 60, 2, b':'),
        (seconds % 60, 2, b'.'),
        (u64::from(since.subsec_millis()), 3, b'Z'),
    ] {
        push_digits(line, number, width);
        line.push(end);
    }
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// Years are taken to begin in March, so that the day that comes and goes is the last one, and are counted in
/// eras of 400, which are all alike.
const fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468; // from 0000-03-01
    let of_era = days % ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = days / ERA * 400 + year_of_era + (month <= 2) as u64;
    (year, month, day)
}
