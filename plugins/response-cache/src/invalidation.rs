//! Requests that change something make what is stored of it obsolete (RFC 9111 section 4.4).

use sluice_sdk::prelude::*;

use crate::config::Settings;
use crate::{key, shelf};

/// A request whose method is not safe.
pub(crate) struct Invalidation {
    uri: Vec<u8>,
}

impl Invalidation {
    pub(crate) fn new(uri: Vec<u8>) -> Self {
        Self { uri }
    }

    /// Forgets the request's URI, and those that the response names, unless it is an error.
    pub(crate) fn apply(&self, response: &Response, ctx: &Context, settings: &Settings) -> Result<()> {
        if !(200..400).contains(&response.status()) {
            return Ok(());
        }
        shelf::invalidate(&self.uri)?;
        let (scheme, authority) = (ctx.scheme(), ctx.authority());
        for name in ["location", "content-location"] {
            let Some(value) = response.headers().get(name) else { continue };
            let Some(target) = value.as_str().and_then(|value| own(value, &scheme, &authority)) else {
                continue;
            };
            let target = target.split('#').next().unwrap_or_default();
            let (path, query) =
                target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
            shelf::invalidate(&key::of_uri(&scheme, &authority, path, query, settings)?)?;
        }
        Ok(())
    }
}

/// The path and query of a reference to the same origin: nobody may make others' responses obsolete.
fn own<'a>(reference: &'a str, scheme: &str, authority: &str) -> Option<&'a str> {
    if reference.starts_with('/') && !reference.starts_with("//") {
        return Some(reference);
    }
    let (named, rest) = reference.split_once("://")?;
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_own = named.eq_ignore_ascii_case(scheme) && host.eq_ignore_ascii_case(authority);
    is_own.then_some(if path.is_empty() { "/" } else { path })
}

#[cfg(test)]
mod tests {
    use super::own;

    #[test]
    fn only_references_to_the_same_origin_count() {
        let own = |reference| own(reference, "https", "api.example");
        assert_eq!(own("/a?b"), Some("/a?b"));
        assert_eq!(own("https://API.example/a"), Some("/a"));
        assert_eq!(own("https://api.example"), Some("/"));
        for foreign in ["//evil.example/a", "https://evil.example/a", "http://api.example/a", "a", ""] {
            assert_eq!(own(foreign), None, "{foreign}");
        }
    }
}
