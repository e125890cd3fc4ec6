//! A stored response, and its compact form in the store.

use crate::directives::{Directives, Reach};
use crate::freshness::{self, Fields, Times, texts};

/// The form's version: an entry of another one is as good as none.
const VERSION: u8 = 1;

/// Fields of one response, more than that are not kept.
pub(crate) const MAX_FIELDS: usize = 100;

/// What a response says of its use.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rules {
    /// It has to be validated before each use.
    pub(crate) no_cache: bool,
    /// Once stale, it has to be validated whatever happens.
    pub(crate) must_revalidate: bool,
    /// It may answer those whom the gateway knows by name (RFC 9111 section 3.5).
    pub(crate) shareable: bool,
    /// How long it is fresh.
    pub(crate) lifetime: u64,
    /// How long it may be used stale while somebody validates it, and while the upstream fails (RFC 5861).
    pub(crate) while_revalidate: u64,
    pub(crate) if_error: u64,
}

/// A stored response. Times are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// When it came, since 1970, and how old it was then.
    pub(crate) came: u64,
    pub(crate) initial_age: u64,
    pub(crate) rules: Rules,
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// What the operator says where the response says nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) ttl: u64,
    pub(crate) max_ttl: u64,
    pub(crate) while_revalidate: u64,
    pub(crate) if_error: u64,
}

impl Rules {
    pub(crate) fn of(fields: &Fields, control: &Directives, came: u64, defaults: Defaults) -> Self {
        let seconds = |name, default| control.seconds(name).map_or(default, |seconds| seconds * 1000);
        let lifetime = freshness::lifetime(fields, control, came).unwrap_or(defaults.ttl);
        Self {
            no_cache: control.reach("no-cache") == Reach::All,
            // `s-maxage` implies `proxy-revalidate` (RFC 9111 section 5.2.2.10).
            must_revalidate: ["must-revalidate", "proxy-revalidate", "s-maxage"]
                .iter()
                .any(|name| control.has(name)),
            shareable: ["public", "s-maxage", "must-revalidate"].iter().any(|name| control.has(name)),
            lifetime: lifetime.min(defaults.max_ttl),
            while_revalidate: seconds("stale-while-revalidate", defaults.while_revalidate),
            if_error: seconds("stale-if-error", defaults.if_error),
        }
    }
}

impl Entry {
    pub(crate) fn new(
        status: u16,
        fields: Vec<(String, Vec<u8>)>,
        initial_age: u64,
        rules: Rules,
        times: Times,
    ) -> Self {
        Self { came: times.response, initial_age, rules, status, fields, body: Vec::new() }
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        texts(&self.fields, name).next()
    }

    /// How old it is now.
    pub(crate) fn age(&self, now: u64) -> u64 {
        self.initial_age.saturating_add(now.saturating_sub(self.came))
    }

    /// For how long it has been stale; none while it is fresh.
    pub(crate) fn staleness(&self, now: u64) -> Option<u64> {
        self.age(now).checked_sub(self.rules.lifetime)
    }

    pub(crate) fn has_validator(&self) -> bool {
        self.text("etag").is_some() || self.text("last-modified").is_some()
    }

    /// For how long it is worth its room; `validated` is how long one that can be validated is kept once it is stale.
    pub(crate) fn keep(&self, now: u64, validated: u64) -> u64 {
        let fresh = self.rules.lifetime.saturating_sub(self.age(now));
        let fresh = if self.rules.no_cache { 0 } else { fresh };
        let stale = match (self.rules.must_revalidate || self.rules.no_cache, self.has_validator()) {
            (true, false) => 0,
            (true, true) => validated,
            (false, true) => validated.max(self.rules.while_revalidate).max(self.rules.if_error),
            (false, false) => self.rules.while_revalidate.max(self.rules.if_error),
        };
        fresh.saturating_add(stale)
    }

    /// As bytes; none if it has more or longer fields than there is room for.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let Rules { no_cache, must_revalidate, shareable, lifetime, while_revalidate, if_error } = self.rules;
        let flags = u8::from(no_cache) | u8::from(must_revalidate) << 1 | u8::from(shareable) << 2;
        let mut bytes = vec![VERSION, flags];
        for number in [self.came, self.initial_age, lifetime, while_revalidate, if_error] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.status.to_le_bytes());
        bytes.push(u8::try_from(self.fields.len()).ok()?);
        for (name, value) in &self.fields {
            bytes.push(u8::try_from(name.len()).ok()?);
            bytes.extend(u16::try_from(value.len()).ok()?.to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(value);
        }
        bytes.extend(&self.body);
        Some(bytes)
    }

    /// From bytes; none if they are not an entry.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let flags = reader.byte()?;
        let (came, initial_age) = (reader.number()?, reader.number()?);
        let (lifetime, while_revalidate, if_error) = (reader.number()?, reader.number()?, reader.number()?);
        let flag = |bit: u8| flags & bit != 0;
        let (no_cache, must_revalidate, shareable) = (flag(1), flag(2), flag(4));
        let rules = Rules { no_cache, must_revalidate, shareable, lifetime, while_revalidate, if_error };
        let status = reader.short()?;
        let count = reader.byte()?;
        let mut fields = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let (name, value) = (reader.byte()?, reader.short()?);
            let name = std::str::from_utf8(reader.take(usize::from(name))?).ok()?.to_owned();
            fields.push((name, reader.take(usize::from(value))?.to_vec()));
        }
        Some(Self { came, initial_age, rules, status, fields, body: reader.0.to_vec() })
    }
}

/// What is left to read.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn short(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// An entry reads as it was written, and what is cut off or altered never fails otherwise than by being none.
        #[test]
        fn entries_survive_the_store(
            came: u64, age: u64, lifetime: u64, status: u16, flags in 0_u8..8,
            fields in prop::collection::vec(("[a-z-]{1,20}", prop::collection::vec(any::<u8>(), 0..50)), 0..20),
            body in prop::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..400,
        ) {
            let rules = Rules {
                no_cache: flags & 1 != 0, must_revalidate: flags & 2 != 0, shareable: flags & 4 != 0,
                lifetime, while_revalidate: age, if_error: came,
            };
            let entry = Entry { came, initial_age: age, rules, status, fields, body };
            let bytes = entry.encode().unwrap();
            prop_assert_eq!(Entry::decode(&bytes), Some(entry.clone()));
            let _ = Entry::decode(&bytes[..cut.min(bytes.len())]);
            let _ = (entry.age(lifetime), entry.staleness(age), entry.keep(age, u64::MAX));
        }

        #[test]
        fn any_bytes_are_an_entry_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
