//! What happened, for clients: `Cache-Status` (RFC 9211) and one word.

use std::fmt::Write as _;

use sluice_sdk::prelude::*;

use crate::config::Settings;
use crate::entry::Entry;

/// Why a request went to the upstream (RFC 9211 section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    Request,
    Stale,
}

impl Forwarded {
    const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    word: &'static str,
    forwarded: Option<Forwarded>,
    /// The upstream's status, where the client gets another one.
    status: Option<u16>,
    collapsed: bool,
    detail: Option<&'static str>,
}

impl Report {
    pub(crate) const fn hit(collapsed: bool) -> Self {
        let forwarded = if collapsed { Some(Forwarded::UriMiss) } else { None };
        Self { word: "hit", forwarded, status: None, collapsed, detail: None }
    }

    pub(crate) const fn stale(detail: &'static str) -> Self {
        Self { word: "stale", forwarded: None, status: None, collapsed: false, detail: Some(detail) }
    }

    /// The stored response, although the upstream has answered.
    pub(crate) const fn stale_after(status: u16, detail: &'static str) -> Self {
        let (forwarded, status) = (Some(Forwarded::Stale), Some(status));
        Self { word: "stale", forwarded, status, collapsed: false, detail: Some(detail) }
    }

    pub(crate) const fn revalidated(forwarded: Forwarded) -> Self {
        let (forwarded, status) = (Some(forwarded), Some(304));
        Self { word: "revalidated", forwarded, status, collapsed: false, detail: None }
    }

    pub(crate) const fn forwarded(forwarded: Forwarded) -> Self {
        let word = match forwarded {
            Forwarded::Bypass | Forwarded::Method => "bypass",
            _ => "miss",
        };
        Self { word, forwarded: Some(forwarded), status: None, collapsed: false, detail: None }
    }

    /// The member of `Cache-Status`; `ttl` in seconds, negative for what is stale.
    fn member(&self, name: &str, ttl: Option<i64>) -> String {
        let mut member = name.to_owned();
        match self.forwarded {
            None => member.push_str("; hit"),
            Some(forwarded) => member.extend(["; fwd=", forwarded.token()]),
        }
        if let Some(status) = self.status {
            // Writing to a string cannot fail.
            let _ = write!(member, "; fwd-status={status}");
        }
        if self.collapsed {
            member.push_str("; collapsed");
        }
        if let Some(ttl) = ttl {
            let _ = write!(member, "; ttl={ttl}");
        }
        if let Some(detail) = self.detail {
            let _ = write!(member, "; detail={detail}");
        }
        member
    }

    /// Tells it in an answer from the store, behind what caches before this one have told.
    pub(crate) fn in_reply(&self, reply: Reply, entry: &Entry, now: u64, settings: &Settings) -> Reply {
        let mut reply = reply;
        if let Some(name) = &settings.cache_name {
            let (lifetime, age) = (entry.rules.lifetime / 1000, entry.age(now) / 1000);
            let ttl = i64::try_from(lifetime).ok().zip(i64::try_from(age).ok());
            let ttl = ttl.map(|(lifetime, age)| lifetime.saturating_sub(age));
            reply = reply.header("cache-status", self.member(name, ttl));
        }
        match &settings.status_header {
            Some(name) => reply.header(name, self.word),
            None => reply,
        }
    }

    /// Tells it in a response that passes.
    pub(crate) fn in_response(&self, response: &mut Response, settings: &Settings) -> Result<()> {
        if let Some(name) = &settings.cache_name {
            response.headers_mut().append("cache-status", self.member(name, None))?;
        }
        match &settings.status_header {
            Some(name) => response.headers_mut().set(name, self.word),
            None => Ok(()),
        }
    }
}
