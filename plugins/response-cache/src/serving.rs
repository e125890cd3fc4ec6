//! Whether a stored response may answer a request (RFC 9111 section 4), and the answer.

use sluice_sdk::prelude::*;

use crate::directives::{Directives, members};
use crate::entry::Entry;
use crate::freshness::{date, texts};

/// What a stored response is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// To answer with.
    Fresh,
    /// To answer with, since the client takes a stale one.
    Stale,
    /// To be validated. `forced`: the client wants it so, and no other's validation will do.
    Validate { forced: bool },
}

pub(crate) fn judge(entry: &Entry, now: u64, asked: &Directives) -> Use {
    let age = entry.age(now);
    let ms = |name| asked.seconds(name).map(|seconds| seconds * 1000);
    if asked.has("no-cache") || ms("max-age").is_some_and(|most| age > most || most == 0) {
        return Use::Validate { forced: true };
    }
    if entry.rules.no_cache {
        return Use::Validate { forced: false };
    }
    match entry.staleness(now) {
        None => {
            let left = entry.rules.lifetime.saturating_sub(age);
            let is_enough = ms("min-fresh").is_none_or(|least| left >= least);
            if is_enough { Use::Fresh } else { Use::Validate { forced: true } }
        }
        Some(staleness) => {
            let takes = asked.seconds_or_any("max-stale").is_some_and(|most| staleness <= most * 1000);
            let may = takes && !entry.rules.must_revalidate;
            if may { Use::Stale } else { Use::Validate { forced: false } }
        }
    }
}

/// Whether a stale response may be used within a time after it became stale.
pub(crate) fn within(entry: &Entry, now: u64, most: u64) -> bool {
    let may = !entry.rules.must_revalidate && !entry.rules.no_cache;
    may && most > 0 && entry.staleness(now).is_none_or(|staleness| staleness <= most)
}

/// The conditions of a client (RFC 9110 section 13), as it sent them.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    if_none_match: Option<String>,
    if_modified_since: Option<String>,
}

impl Conditions {
    pub(crate) fn of(request: &Request) -> Self {
        let lines = request.headers().get_all("if-none-match");
        let joined = lines.iter().filter_map(HeaderValue::as_str).collect::<Vec<_>>().join(",");
        Self {
            if_none_match: (!lines.is_empty()).then_some(joined),
            if_modified_since: request.headers().get("if-modified-since").map(|value| value.to_string()),
        }
    }

    /// Whether there are any.
    pub(crate) fn are_there(&self) -> bool {
        self.if_none_match.is_some() || self.if_modified_since.is_some()
    }

    /// Whether the client has a response with this tag.
    pub(crate) fn name(&self, tag: Option<&str>) -> bool {
        let tags = self.if_none_match.as_deref().map(members).unwrap_or_default();
        tags.into_iter().any(|known| known == "*" || tag.is_some_and(|tag| are_alike(known, tag)))
    }

    /// Whether the client has this response already.
    fn are_met(&self, entry: &Entry) -> bool {
        if !(200..300).contains(&entry.status) {
            return false;
        }
        if self.if_none_match.is_some() {
            return self.name(entry.text("etag"));
        }
        let since = self.if_modified_since.as_deref().and_then(date);
        // RFC 9111 section 4.3.2: without `Last-Modified`, when the response was made, else when it came.
        let changed = ["last-modified", "date"].iter().find_map(|name| entry.text(name)).and_then(date);
        since.is_some_and(|since| changed.unwrap_or(entry.came) <= since)
    }
}

/// Whether two entity tags match by weak comparison (RFC 9110 section 8.8.3.2).
pub(crate) fn are_alike(one: &str, other: &str) -> bool {
    one.strip_prefix("W/").unwrap_or(one) == other.strip_prefix("W/").unwrap_or(other)
}

/// What a 304 carries of the response that it stands for (RFC 9110 section 15.4.5).
const OF_304: [&str; 6] = ["cache-control", "content-location", "date", "etag", "expires", "vary"];

/// The stored response as an answer.
pub(crate) fn reply(entry: &Entry, now: u64, conditions: &Conditions) -> Reply {
    let is_known = conditions.are_met(entry);
    let mut reply = Reply::new(if is_known { 304 } else { entry.status });
    let carries = |name: &str| {
        !is_known || OF_304.contains(&name) || (name == "last-modified" && entry.text("etag").is_none())
    };
    for (name, value) in entry.fields.iter().filter(|(name, _)| carries(name)) {
        reply = reply.header(name, value);
    }
    reply = reply.header("age", (entry.age(now) / 1000).to_string());
    if is_known || entry.body.is_empty() { reply } else { reply.body(entry.body.clone()) }
}

/// Asks the upstream whether the stored response still holds (RFC 9111 section 4.3.1).
pub(crate) fn make_conditional(request: &mut Request, entry: &Entry) -> Result<()> {
    let mut headers = request.headers_mut();
    for name in ["if-none-match", "if-modified-since"] {
        headers.remove(name)?;
    }
    if let Some(tag) = texts(&entry.fields, "etag").next() {
        headers.set("if-none-match", tag)?;
    }
    match entry.text("last-modified") {
        Some(changed) => headers.set("if-modified-since", changed),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Rules;

    fn entry(lifetime: u64, age: u64) -> Entry {
        let rules = Rules { lifetime: lifetime * 1000, ..Rules::default() };
        let (status, fields, body) = (200, Vec::new(), Vec::new());
        Entry { came: 0, initial_age: age * 1000, rules, status, fields, body }
    }

    #[test]
    fn the_clients_directives_are_kept() {
        let (wanted, forced) = (Use::Validate { forced: false }, Use::Validate { forced: true });
        for (lifetime, age, asked, verdict) in [
            (10, 5, "", Use::Fresh),
            (10, 10, "", wanted),
            (10, 5, "no-cache", forced),
            (10, 5, "max-age=5", Use::Fresh),
            (10, 5, "max-age=4", forced),
            (10, 0, "max-age=0", forced),
            (10, 5, "min-fresh=5", Use::Fresh),
            (10, 5, "min-fresh=6", forced),
            (10, 12, "max-stale=2", Use::Stale),
            (10, 13, "max-stale=2", wanted),
            (10, 999, "max-stale", Use::Stale),
            (10, 12, "max-stale, max-age=11", forced),
        ] {
            assert_eq!(
                judge(&entry(lifetime, age), 0, &Directives::read(&[asked])),
                verdict,
                "{age} {asked}"
            );
        }
        let mut strict = entry(10, 12);
        strict.rules.must_revalidate = true;
        assert_eq!(judge(&strict, 0, &Directives::read(&["max-stale"])), wanted);
        let mut no_cache = entry(10, 1);
        no_cache.rules.no_cache = true;
        assert_eq!(judge(&no_cache, 0, &Directives::read(&["max-stale"])), wanted);
    }
}
