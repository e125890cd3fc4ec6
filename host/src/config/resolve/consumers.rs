//! Consumers and their credentials.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sluice_metering::Timestamp;
use toml::value::{Datetime, Offset};

use super::at::At;
use super::plugins::from_hex;
use super::{Entry, Input, Names, Resolver, can_be_sent};
use crate::config::field::Field;
use crate::config::model::{Consumer, Key, KeyMaterial, Secret, SignatureKey, Token};
use crate::config::raw::{RawConsumer, RawKey, RawPassword, RawSignatureKey, RawToken};

/// What a credential is known by; no two consumers may have the same.
#[derive(PartialEq, Eq, Hash)]
enum Known {
    Id(String),
    Key([u8; 32]),
    Password([u8; 32]),
    Token(Token),
    Certificate(String),
    Signature(String),
    CustomId(String),
}

/// The credentials met so far, with their places.
type Seen<'d> = HashMap<Known, At<'d>>;

impl Resolver<'_> {
    pub(super) fn consumers(&mut self, inputs: &[Input<'_>], pepper: bool, plans: &Names) -> Vec<Consumer> {
        let mut consumers = Vec::new();
        let mut seen = Seen::new();
        for entry in self.named(inputs, "consumers", |raw| &raw.consumers) {
            if let Some(mut consumer) = self.consumer(&entry, pepper, &mut seen) {
                (consumer.plan, consumer.plan_since) = self.plan_of(&entry, plans);
                consumers.push(consumer);
            }
        }
        consumers
    }

    fn consumer<'d>(
        &mut self,
        entry: &Entry<'d, RawConsumer>,
        pepper: bool,
        seen: &mut Seen<'d>,
    ) -> Option<Consumer> {
        let (at, raw) = (&entry.at, entry.raw?);
        let id_at = at.key("id");
        let id = self.plain(&id_at, &raw.id);
        let id = id.unwrap_or_else(|| entry.name.to_string());
        self.once(seen, Known::Id(id.clone()), if id_at.is_written() { &id_at } else { at });
        let custom_at = at.key("custom_id");
        let custom_id = self.plain(&custom_at, &raw.custom_id);
        if let Some(id) = &custom_id {
            self.once(seen, Known::CustomId(id.clone()), &custom_at);
        }
        let groups_at = at.key("groups");
        let mut groups = Vec::new();
        for (at, group) in self.list(&groups_at, &raw.groups) {
            if group.contains(',') {
                let message =
                    "a group's name has a comma in it, which separates groups in `X-Consumer-Groups`";
                self.problems.push(at.problem(message));
            } else if self.can_be_sent(&at, group) {
                groups.push(group.clone());
            }
        }
        let mut consumer = Consumer {
            id,
            name: entry.name.clone(),
            custom_id,
            groups,
            keys: Vec::new(),
            passwords: Vec::new(),
            tokens: Vec::new(),
            certificates: Vec::new(),
            signatures: Vec::new(),
            plan: None,
            plan_since: None,
        };
        for (at, raw) in self.list(&at.key("keys"), &raw.keys) {
            if let Some(key) = self.key(&at, raw, pepper) {
                self.once(seen, Known::Key(key.digest), &at.key("hash"));
                consumer.keys.push(key);
            }
        }
        for (at, raw) in self.list(&at.key("passwords"), &raw.passwords) {
            if let Some(password) = self.password(&at, raw, pepper) {
                self.once(seen, Known::Password(password.digest), &at.key("hash"));
                consumer.passwords.push(password);
            }
        }
        for (at, raw) in self.list(&at.key("tokens"), &raw.tokens) {
            if let Some(token) = self.token(&at, raw) {
                self.once(seen, Known::Token(token.clone()), &at.key("subject"));
                consumer.tokens.push(token);
            }
        }
        for (at, name) in self.list(&at.key("certificates"), &raw.certificates) {
            if let Some(name) = self.certificate(&at, name) {
                self.once(seen, Known::Certificate(name.clone()), &at);
                consumer.certificates.push(name);
            }
        }
        for (at, raw) in self.list(&at.key("signatures"), &raw.signatures) {
            if let Some(key) = self.signature_key(&at, raw) {
                self.once(seen, Known::Signature(key.id.clone()), &at.key("id"));
                consumer.signatures.push(key);
            }
        }
        Some(consumer)
    }

    /// The plan that a consumer is on, and since when.
    fn plan_of(
        &mut self,
        entry: &Entry<'_, RawConsumer>,
        plans: &Names,
    ) -> (Option<Arc<str>>, Option<Timestamp>) {
        let (at, Some(raw)) = (&entry.at, entry.raw) else { return (None, None) };
        let (plan_at, since_at) = (at.key("plan"), at.key("plan_since"));
        let since = self.time(&since_at, &raw.plan_since);
        let Some(name) = self.given(&plan_at, &raw.plan) else {
            if since_at.is_written() && !plan_at.is_written() && !self.is_lost(&plan_at) {
                let message = "this consumer is on no plan that could have begun";
                self.problems.push(since_at.problem(message).hint("add `plan = \"NAME\"`"));
            }
            return (None, None);
        };
        if !plans.contains_key(name.as_str()) {
            let names = plans.keys().map(|name| &**name);
            self.unknown(&plan_at, "plan", name, names, "declare it as `[plans.NAME]`");
        }
        let plan = plans.get_key_value(name.as_str()).map(|(name, _)| Arc::clone(name));
        (plan, since.and_then(|since| Timestamp::try_from(since).ok()))
    }

    /// Reports a credential that somebody has already.
    fn once<'d>(&mut self, seen: &mut Seen<'d>, known: Known, at: &At<'d>) {
        let what = match known {
            Known::Id(_) => "the id of two consumers is",
            Known::Key(_) => "two keys are",
            Known::Password(_) => "two passwords are",
            Known::Token(_) => "two tokens are",
            Known::Certificate(_) => "two certificates are",
            Known::Signature(_) => "the ids of two signature keys are",
            Known::CustomId(_) => "the `custom_id` of two consumers is",
        };
        if let Some(first) = seen.insert(known, at.clone()) {
            let mut problem = at.problem(format!("{what} the same, so nobody can tell whose it is"));
            if let Some(place) = first.place() {
                problem = problem.related(place, format!("`{}`", first.path()));
            }
            self.problems.push(problem);
        }
    }

    /// A text that goes into a header of the request.
    pub(super) fn plain(&mut self, at: &At<'_>, field: &Field<String>) -> Option<String> {
        let text = self.given(at, field)?;
        self.can_be_sent(at, text).then(|| text.clone())
    }

    fn can_be_sent(&mut self, at: &At<'_>, text: &str) -> bool {
        let fits = can_be_sent(text);
        if !fits {
            let expected = "1 to 256 bytes without control characters";
            self.invalid(at, expected, &format!("expected {expected}"), None);
        }
        fits
    }

    fn key(&mut self, at: &At<'_>, raw: &RawKey, pepper: bool) -> Option<Key> {
        let expires = self.time(&at.key("expires"), &raw.expires);
        let id = self.plain(&at.key("id"), &raw.id);
        let digest = self.digest(&at.key("hash"), &raw.hash, pepper)?;
        let short = || digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Some(Key { digest, id: id.unwrap_or_else(short), expires })
    }

    fn password(&mut self, at: &At<'_>, raw: &RawPassword, pepper: bool) -> Option<Key> {
        let expires = self.time(&at.key("expires"), &raw.expires);
        let (user_at, hash_at) = (at.key("user"), at.key("hash"));
        let user = self.plain(&user_at, &raw.user);
        if user.as_ref().is_some_and(|user| user.contains(':')) {
            let message = "a user name cannot have a colon in it (RFC 7617 section 2)";
            self.problems.push(user_at.problem(message));
        }
        let digest = self.digest(&hash_at, &raw.hash, pepper)?;
        Some(Key { digest, id: user?, expires })
    }

    fn token(&mut self, at: &At<'_>, raw: &RawToken) -> Option<Token> {
        let issuer = self.plain(&at.key("issuer"), &raw.issuer);
        let subject = self.plain(&at.key("subject"), &raw.subject)?;
        Some(Token { issuer, subject })
    }

    fn certificate(&mut self, at: &At<'_>, name: &str) -> Option<String> {
        if !self.can_be_sent(at, name) {
            return None;
        }
        let Some(digits) = name.strip_prefix("sha256:") else { return Some(name.to_owned()) };
        let packed: String = digits.chars().filter(|digit| *digit != ':').collect::<String>().to_lowercase();
        if from_hex(&packed).is_none() {
            let expected = "64 hexadecimal digits after `sha256:`";
            self.invalid(at, expected, &format!("expected {expected}"), None);
            return None;
        }
        Some(format!("sha256:{packed}"))
    }

    fn signature_key(&mut self, at: &At<'_>, raw: &RawSignatureKey) -> Option<SignatureKey> {
        let expires = self.time(&at.key("expires"), &raw.expires);
        let (public_at, secret_at) = (at.key("public_key"), at.key("secret"));
        let public = self.given(&public_at, &raw.public_key);
        let secret = self.given(&secret_at, &raw.secret);
        let material = match (public, secret) {
            (Some(_), Some(_)) => {
                self.problems.push(secret_at.problem("a key is either public or a secret"));
                None
            }
            (None, None) => {
                let lost = self.is_lost(&public_at) || self.is_lost(&secret_at);
                if !lost {
                    let hint = "add `public_key = \"${file:key.pem}\"` or `secret = \"${env:NAME}\"`";
                    self.problems.push(at.problem("a key to verify signatures with is missing").hint(hint));
                }
                None
            }
            (Some(public), None) => match sluice_keys::PublicKey::import(public.as_bytes()) {
                Ok(_) => Some(KeyMaterial::Public(public.clone())),
                Err(error) => {
                    let expected = "a public key in PEM or as a JWK";
                    self.invalid(
                        &public_at,
                        expected,
                        &format!("expected {expected}"),
                        Some(error.to_string()),
                    );
                    None
                }
            },
            (None, Some(secret)) if secret.len() < 16 => {
                let expected = "a secret of at least 16 bytes";
                self.invalid(&secret_at, expected, &format!("expected {expected}"), None);
                None
            }
            (None, Some(secret)) => Some(KeyMaterial::Secret(Secret::new(secret.as_str()))),
        };
        let id = self.plain(&at.key("id"), &raw.id);
        Some(SignatureKey { id: id?, material: material?, expires })
    }

    fn time(&mut self, at: &At<'_>, field: &Field<String>) -> Option<SystemTime> {
        let text = self.given(at, field)?;
        let time = parse_time(text);
        if time.is_none() {
            let expected = "a date and time such as 2027-01-01T00:00:00Z";
            let message = format!("expected {expected}, found {}", at.written());
            let mended = format!("{text}T00:00:00Z");
            let mended = [mended, format!("{text}Z")].into_iter().find(|text| parse_time(text).is_some());
            let hint = mended.map(|mended| format!("write {mended}"));
            self.invalid(at, expected, &message, hint);
        }
        time
    }

    fn digest(&mut self, at: &At<'_>, field: &Field<String>, pepper: bool) -> Option<[u8; 32]> {
        let text = self.given(at, field)?;
        let made = "`sluice keys new CONSUMER` makes a key and its digest";
        let Some(digits) = text.strip_prefix("hmac-sha256:") else {
            // Whoever wrote the key itself here does not want to see it in a log.
            let expected = "a digest under the pepper, which begins with `hmac-sha256:`";
            self.invalid(at, expected, &format!("expected {expected}"), Some(made.to_owned()));
            return None;
        };
        let digest = from_hex(digits);
        if digest.is_none() {
            let message = "expected 64 hexadecimal digits after `hmac-sha256:`";
            self.invalid(at, "64 hexadecimal digits", message, None);
        }
        if !pepper && !self.damaged {
            let hint = "add `[credentials]` with `pepper = \"${env:NAME}\"`";
            self.problems.push(at.problem("a digest needs the pepper that it was made with").hint(hint));
        }
        digest
    }
}

/// A moment: a date and time with its offset from UTC.
pub(super) fn parse_time(text: &str) -> Option<SystemTime> {
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
