//! Views on the headers of the exchange. Nothing is copied until a value is asked for.

use std::marker::PhantomData;

use sluice_abi::{HeaderMap, Reader, decode_list, decode_pairs};

use crate::host::{self, raw};
use crate::{HeaderValue, Result};

/// The headers of a request or response, to read. Names match in any case.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    map: HeaderMap,
    owner: PhantomData<&'a ()>,
}

/// The headers of a request or response, to read and change.
#[derive(Debug)]
pub struct HeadersMut<'a> {
    read: Headers<'a>,
    // Changing needs the message exclusively, as with a map of one's own.
    owner: PhantomData<&'a mut ()>,
}

impl Headers<'_> {
    pub(crate) fn of(map: HeaderMap) -> Self {
        Self { map, owner: PhantomData }
    }

    /// The first value of a header.
    #[must_use]
    pub fn get(&self, name: impl AsRef<str>) -> Option<HeaderValue> {
        let name = name.as_ref().as_bytes();
        host::bytes(|out| raw::header_get(self.map, name, out)).ok().map(HeaderValue::trusted)
    }

    /// Whether the header is there, whatever its value.
    #[must_use]
    pub fn contains(&self, name: impl AsRef<str>) -> bool {
        let name = name.as_ref().as_bytes();
        host::look(|out| raw::header_get(self.map, name, out), |_| ()).is_ok()
    }

    /// Every value of a header, in order.
    #[must_use]
    pub fn get_all(&self, name: impl AsRef<str>) -> Vec<HeaderValue> {
        let name = name.as_ref().as_bytes();
        let values = host::look(
            |out| raw::header_values(self.map, name, out),
            |list| {
                let values = decode_list(&mut Reader::new(list)).unwrap_or_default();
                values.into_iter().map(|value| HeaderValue::trusted(value.to_vec())).collect()
            },
        );
        values.unwrap_or_default()
    }

    /// Every header in order: lower-case name and value. One host call copies them all.
    #[must_use]
    pub fn iter(&self) -> std::vec::IntoIter<(String, HeaderValue)> {
        let pairs = host::look(
            |out| raw::header_list(self.map, out),
            |list| {
                let pairs = decode_pairs(&mut Reader::new(list)).unwrap_or_default();
                let owned = pairs.into_iter().map(|(name, value)| {
                    (String::from_utf8_lossy(name).into_owned(), HeaderValue::trusted(value.to_vec()))
                });
                owned.collect::<Vec<_>>()
            },
        );
        pairs.unwrap_or_default().into_iter()
    }
}

impl IntoIterator for Headers<'_> {
    type Item = (String, HeaderValue);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl HeadersMut<'_> {
    pub(crate) fn of(map: HeaderMap) -> Self {
        Self { read: Headers::of(map), owner: PhantomData }
    }

    /// Gives the header this value alone.
    pub fn set(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<()> {
        let name = name.as_ref();
        changed("set", name, raw::header_set(self.read.map, name.as_bytes(), value.as_ref()))
    }

    /// Adds a value after those the header has.
    pub fn append(&mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Result<()> {
        let name = name.as_ref();
        changed("append", name, raw::header_append(self.read.map, name.as_bytes(), value.as_ref()))
    }

    /// Takes every value of the header away; whether there were any.
    pub fn remove(&mut self, name: impl AsRef<str>) -> Result<bool> {
        let name = name.as_ref();
        let removed = raw::header_remove(self.read.map, name.as_bytes());
        if removed < 0 { changed("remove", name, removed).map(|()| false) } else { Ok(removed > 0) }
    }

    /// Takes every header away whose name begins with `prefix`, in any case; how many there were. Those that belong to the host,
    /// such as `Host` and `Content-Length`, stay.
    pub fn remove_prefix(&mut self, prefix: impl AsRef<str>) -> Result<usize> {
        let prefix = prefix.as_ref();
        let removed = raw::header_remove_prefix(self.read.map, prefix.as_bytes());
        usize::try_from(removed).or_else(|_| changed("remove", prefix, removed).map(|()| 0))
    }

    /// Takes every header away whose lower-case name `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) -> Result<()> {
        let unwanted = host::look(
            |out| raw::header_list(self.read.map, out),
            |list| {
                let pairs = decode_pairs(&mut Reader::new(list)).unwrap_or_default();
                let names = pairs.into_iter().filter_map(|(name, _)| std::str::from_utf8(name).ok());
                names.filter(|name| !keep(name)).map(str::to_owned).collect::<Vec<_>>()
            },
        );
        unwanted.unwrap_or_default().iter().try_for_each(|name| self.remove(name).map(drop))
    }
}

/// Fields that hold of a body's bytes, and of no others.
const OF_THE_BYTES: [&str; 5] =
    ["content-digest", "content-encoding", "content-md5", "digest", "repr-digest"];

impl HeadersMut<'_> {
    pub(crate) fn mark_rewritten(&mut self) -> Result<()> {
        OF_THE_BYTES.iter().try_for_each(|name| self.remove(name).map(drop))
    }

    /// The entity may be the same, its bytes are not: RFC 9110 section 8.8.1.
    pub(crate) fn weaken_etag(&mut self) -> Result<()> {
        let weak = match self.get("etag").as_ref().map(HeaderValue::as_bytes) {
            None | Some([b'W', b'/', ..]) => return Ok(()),
            Some(strong @ [b'"', ..]) => self.set("etag", [b"W/", strong].concat()),
            Some(_) => self.remove("etag").map(drop),
        };
        match weak {
            // Longer by two bytes than what may be written.
            Err(error) if error.refuses_value() => self.remove("etag").map(drop),
            done => done,
        }
    }
}

impl<'a> std::ops::Deref for HeadersMut<'a> {
    type Target = Headers<'a>;

    fn deref(&self) -> &Headers<'a> {
        &self.read
    }
}

fn changed(verb: &str, name: &str, returned: i32) -> Result<()> {
    if returned < 0 { host::done(&format!("{verb} header `{name}`"), returned) } else { Ok(()) }
}
