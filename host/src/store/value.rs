//! A value with its end.

use std::sync::Arc;
use std::time::Duration;

/// A value as it is to be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewValue<'a> {
    pub(crate) bytes: &'a [u8],
    /// None is for good.
    pub(crate) ttl: Option<Duration>,
    /// Whether it may be dropped at any time, to make room for others of its namespace.
    pub(crate) evictable: bool,
}

/// A value, replaced as a whole.
#[derive(Clone, Debug)]
pub(super) struct Value {
    content: Content,
    /// When it ends, in nanoseconds since the epoch.
    expires: Option<u64>,
    evictable: bool,
}

#[derive(Clone, Debug)]
enum Content {
    Text(Arc<[u8]>),
    /// A counter, written out only when it is read.
    Number(i64),
}

impl Value {
    pub(super) fn new(new: NewValue<'_>, now: u64) -> Self {
        let NewValue { bytes, ttl, evictable } = new;
        Self { content: Content::Text(bytes.into()), expires: end(now, ttl), evictable }
    }

    pub(super) fn number(number: i64, now: u64, ttl: Option<Duration>) -> Self {
        Self { content: Content::Number(number), expires: end(now, ttl), evictable: false }
    }

    /// Bytes beside the value itself.
    pub(super) fn weight(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.len(),
            Content::Number(_) => 0,
        }
    }

    pub(super) const fn is_evictable(&self) -> bool {
        self.evictable
    }

    /// When it ends; what is for good ends last.
    pub(super) fn end(&self) -> u64 {
        self.expires.unwrap_or(u64::MAX)
    }

    pub(super) fn has_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    pub(super) fn bytes(&self, now: u64) -> Option<Arc<[u8]>> {
        if self.has_expired(now) {
            return None;
        }
        Some(match &self.content {
            Content::Text(text) => Arc::clone(text),
            Content::Number(number) => number.to_string().into_bytes().into(),
        })
    }

    /// The number it stands for, also if it was set as text.
    pub(super) fn as_number(&self) -> Option<i64> {
        match &self.content {
            Content::Number(number) => Some(*number),
            Content::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        }
    }

    /// The sum, with the same end. Counters stay.
    pub(super) fn plus(&self, delta: i64) -> Option<Self> {
        let sum = self.as_number()?.saturating_add(delta);
        Some(Self { content: Content::Number(sum), expires: self.expires, evictable: false })
    }
}

fn end(now: u64, ttl: Option<Duration>) -> Option<u64> {
    ttl.map(|ttl| now.saturating_add(u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX)))
}
