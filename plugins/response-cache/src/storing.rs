//! Which responses are kept (RFC 9111 section 3), and what of them.

use sluice_sdk::prelude::*;

use crate::config::Settings;
use crate::directives::{Directives, Reach, members};
use crate::entry::{Entry, MAX_FIELDS, Rules};
use crate::freshness::{Fields, Times, initial_age, texts};
use crate::key::MAX_VARY;

/// Fields that belong to one connection or one exchange, or that this cache makes anew.
const NOT_KEPT: [&str; 14] = [
    "age",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields of a 304 that are not the stored response's: those of a body, which it does not have (RFC 9111 section 3.2), the tag, which
/// stays with the body that it names, and cookies, which are for the client who asked.
const NOT_UPDATED: [&str; 7] = [
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "set-cookie",
    "set-cookie2",
];

/// A response's fields, lower case names.
pub(crate) fn fields(response: &Response) -> Vec<(String, Vec<u8>)> {
    response.headers().iter().map(|(name, value)| (name, value.as_bytes().to_vec())).collect()
}

pub(crate) fn control(fields: &Fields) -> Directives {
    let lines = fields.iter().filter(|(name, _)| name == "cache-control");
    Directives::read(&lines.map(|(_, line)| line).collect::<Vec<_>>())
}

/// The response as it would be kept, without its body; none if it must not be, or is of no use.
/// `personal` is one whose request names a person that the key does not.
pub(crate) fn storable(
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    times: Times,
    personal: bool,
    settings: &Settings,
) -> Option<Entry> {
    let control = control(&fields);
    let has = |name: &str| fields.iter().any(|(known, _)| known == name);
    let is_known = settings.statuses.contains(&status);
    // Who understands the status may pass over `no-store` beside `must-understand` (RFC 9111 section 5.2.2.3).
    let forbidden = control.has("no-store") && !(is_known && control.has("must-understand"));
    let is_private = control.reach("private") == Reach::All;
    if !is_known || forbidden || is_private || fields.len() > MAX_FIELDS {
        return None;
    }
    if has("set-cookie") && !settings.strip_set_cookie {
        return None;
    }
    let rules = Rules::of(&fields, &control, times.response, settings.defaults);
    if (personal && !rules.shareable) || vary(&fields).is_none() {
        return None;
    }
    let age = initial_age(&fields, times);
    let entry = Entry::new(status, kept(fields, &control, settings), age, rules, times);
    (entry.keep(times.response, settings.keep) > 0).then_some(entry)
}

/// The names in `Vary`, lower case and sorted; none if nobody can tell, or there are too many.
pub(crate) fn vary(fields: &Fields) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for line in fields.iter().filter(|(name, _)| name == "vary") {
        let line = std::str::from_utf8(&line.1).ok()?;
        names.extend(members(line).into_iter().map(str::to_ascii_lowercase));
    }
    names.sort();
    names.dedup();
    let is_name = |name: &String| name.parse::<HeaderName>().is_ok() && name != "*";
    (names.len() <= MAX_VARY && names.iter().all(is_name)).then_some(names)
}

fn kept(fields: Vec<(String, Vec<u8>)>, control: &Directives, settings: &Settings) -> Vec<(String, Vec<u8>)> {
    let mut dropped: Vec<String> = Vec::new();
    for reach in [control.reach("no-cache"), control.reach("private")] {
        if let Reach::Fields(names) = reach {
            dropped.extend(names);
        }
    }
    for line in texts(&fields, "connection") {
        dropped.extend(members(line).into_iter().map(str::to_ascii_lowercase));
    }
    dropped.extend(settings.status_header.iter().map(ToString::to_string));
    fields
        .into_iter()
        .filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()) && !dropped.contains(name))
        .collect()
}

/// The stored response with what a 304 says of it (RFC 9111 section 4.3.4), and whether it may be kept any longer.
pub(crate) fn freshened(
    stored: &Entry,
    news: Vec<(String, Vec<u8>)>,
    times: Times,
    personal: bool,
    settings: &Settings,
) -> (Entry, bool) {
    let news: Vec<_> = news.into_iter().filter(|(name, _)| !NOT_UPDATED.contains(&name.as_str())).collect();
    let mut fields: Vec<_> =
        stored.fields.iter().filter(|(name, _)| !news.iter().any(|(new, _)| new == name)).cloned().collect();
    // Without a date the 304 was made when it came, and the stored response is as new.
    if !news.iter().any(|(name, _)| name == "date") {
        fields.retain(|(name, _)| name != "date");
    }
    fields.extend(news);
    match storable(stored.status, fields.clone(), times, personal, settings) {
        Some(entry) => (Entry { body: stored.body.clone(), ..entry }, true),
        None => {
            let control = control(&fields);
            let rules = Rules::of(&fields, &control, times.response, settings.defaults);
            let age = initial_age(&fields, times);
            let entry = Entry::new(stored.status, kept(fields, &control, settings), age, rules, times);
            (Entry { body: stored.body.clone(), ..entry }, false)
        }
    }
}
