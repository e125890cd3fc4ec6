//! Consumers and their keys.

use std::collections::HashMap;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use toml::value::{Datetime, Offset};

use super::at::At;
use super::plugins::from_hex;
use super::{Entry, Input, Resolver};
use crate::config::model::{Consumer, Key, KeyHash};
use crate::config::raw::{RawConsumer, RawKey};

impl Resolver<'_> {
    pub(super) fn consumers(&mut self, inputs: &[Input<'_>], pepper: bool) -> Vec<Consumer> {
        let mut consumers = Vec::new();
        let mut seen: HashMap<KeyHash, At<'_>> = HashMap::new();
        for entry in self.named(inputs, "consumers", |raw| &raw.consumers) {
            consumers.extend(self.consumer(&entry, pepper, &mut seen));
        }
        consumers
    }

    fn consumer<'d>(
        &mut self,
        entry: &Entry<'d, RawConsumer>,
        pepper: bool,
        seen: &mut HashMap<KeyHash, At<'d>>,
    ) -> Option<Consumer> {
        let (at, raw) = (&entry.at, entry.raw?);
        let groups = self.list(&at.key("groups"), &raw.groups);
        let groups = groups.into_iter().map(|(_, group)| group.clone()).collect();
        let mut keys = Vec::new();
        for (at, raw) in self.list(&at.key("keys"), &raw.keys) {
            let Some(key) = self.key(&at, raw, pepper) else { continue };
            let at = at.key("hash");
            if let Some(first) = seen.insert(key.hash, at.clone()) {
                let mut problem = at.problem("two keys are the same, so nobody can tell whose it is");
                if let Some(place) = first.place() {
                    problem = problem.related(place, format!("`{}`", first.path()));
                }
                self.problems.push(problem);
            }
            keys.push(key);
        }
        let custom_id = self.given(&at.key("custom_id"), &raw.custom_id).cloned();
        Some(Consumer { name: entry.name.clone(), custom_id, groups, keys })
    }

    fn key(&mut self, at: &At<'_>, raw: &RawKey, pepper: bool) -> Option<Key> {
        let expires_at = at.key("expires");
        let mut expires = None;
        if let Some(text) = self.given(&expires_at, &raw.expires) {
            expires = parse_time(text);
            if expires.is_none() {
                let expected = "a date and time such as 2027-01-01T00:00:00Z";
                let message = format!("expected {expected}, found {}", expires_at.written());
                let mended = format!("{text}T00:00:00Z");
                let mended = [mended, format!("{text}Z")].into_iter().find(|text| parse_time(text).is_some());
                let hint = mended.map(|mended| format!("write {mended}"));
                self.invalid(&expires_at, expected, &message, hint);
            }
        }
        let at = at.key("hash");
        let text = self.given(&at, &raw.hash)?;
        let (algorithm, digits) = text.split_once(':').unwrap_or((text, ""));
        let hash = match (algorithm, from_hex(digits)) {
            ("sha256", Some(digest)) => KeyHash::Sha256(digest),
            ("hmac-sha256", Some(digest)) => KeyHash::HmacSha256(digest),
            ("sha256" | "hmac-sha256", None) => {
                let message = format!("expected 64 hexadecimal digits after `{algorithm}:`");
                self.invalid(&at, "64 hexadecimal digits", &message, None);
                return None;
            }
            _ => {
                // whoever wrote the key itself here does not want to see it in a log
                let expected = "a hash that begins with `sha256:` or `hmac-sha256:`";
                let message = format!("expected {expected}");
                self.invalid(&at, expected, &message, None);
                return None;
            }
        };
        if matches!(hash, KeyHash::HmacSha256(_)) && !pepper && !self.damaged {
            let message = "a key hashed with `hmac-sha256` needs a pepper";
            let hint = "add `[credentials]` with `pepper = \"${env:NAME}\"`";
            self.problems.push(at.problem(message).hint(hint));
        }
        Some(Key { hash, expires })
    }
}

/// A moment: a date and time with its offset from UTC.
fn parse_time(text: &str) -> Option<SystemTime> {
    let Datetime { date: Some(date), time: Some(time), offset: Some(offset) } =
        Datetime::from_str(text).ok()?
    else {
        return None;
    };
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let days = days_since_1970(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let (hour, minute) = (i64::from(time.hour), i64::from(time.minute));
    let seconds = days * 86_400 + hour * 3_600 + (minute - minutes) * 60;
    let seconds = seconds + i64::from(time.second.unwrap_or(0));
    let moment = match u64::try_from(seconds) {
        Ok(after) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(after))?,
        Err(_) => SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs()))?,
    };
    moment.checked_add(Duration::from_nanos(u64::from(time.nanosecond.unwrap_or(0))))
}

/// In the Gregorian calendar; years begin in March here, so that a leap day is the last one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse_time;
    use std::time::UNIX_EPOCH;

    #[test]
    fn moments_are_counted_from_1970() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2027-01-01T00:00:00Z", 1_798_761_600),
            ("2027-01-01T02:00:00+02:00", 1_798_761_600),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            let moment = parse_time(text).unwrap();
            assert_eq!(moment.duration_since(UNIX_EPOCH).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["2027-01-01", "2027-01-01T00:00:00", "00:00:00", "tomorrow", ""] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        assert!(parse_time("1969-12-31T23:59:59Z").unwrap() < UNIX_EPOCH);
    }
}
