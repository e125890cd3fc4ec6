//! Under which keys a response is kept: one for its URI, and below that one for what else tells it apart.

use sluice_sdk::crypto::Digest;
use sluice_sdk::prelude::*;

use crate::config::{Part, Settings};
use crate::entry::Reader;

/// Names in `Vary`; a response that depends on more is not kept.
pub(crate) const MAX_VARY: usize = 16;

/// Parts with their lengths, so that none can look like two others.
#[derive(Default)]
struct Joined(Vec<u8>);

impl Joined {
    fn push(&mut self, part: impl AsRef<[u8]>) {
        let part = part.as_ref();
        self.0.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.0.extend(part);
    }

    /// As `push`, and one that is absent is not one that is empty.
    fn push_optional(&mut self, part: Option<impl AsRef<[u8]>>) {
        match part {
            Some(part) => self.push(part),
            None => self.0.extend(u32::MAX.to_le_bytes()),
        }
    }

    fn key(self, kind: u8) -> Result<Vec<u8>> {
        let mut key = vec![kind];
        key.extend(crypto::digest(Digest::Sha256, self.0)?);
        Ok(key)
    }
}

/// The key of a URI. It holds the [`Index`] of what is kept of it.
pub(crate) fn of_uri(
    scheme: &str,
    authority: &str,
    path: &str,
    query: Option<&str>,
    settings: &Settings,
) -> Result<Vec<u8>> {
    let mut joined = Joined::default();
    joined.push(scheme);
    joined.push(authority.to_ascii_lowercase());
    joined.push(path);
    joined.push_optional(query.and_then(|query| normal_query(query, settings)));
    joined.key(b'u')
}

/// The query as it counts; none if nothing of it does.
fn normal_query(query: &str, settings: &Settings) -> Option<String> {
    if settings.ignore_query.is_empty() && !settings.sort_query {
        return Some(query.to_owned());
    }
    let name = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).to_owned();
    let mut pairs: Vec<_> =
        query.split('&').filter(|pair| !settings.ignore_query.contains(&name(pair))).collect();
    if settings.sort_query {
        // Stable, so that values of one name keep their order.
        pairs.sort_by_key(|pair| name(pair));
    }
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

/// What is kept under a URI: nothing itself, but what tells its responses apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Index {
    /// Changes when the URI is invalidated, so that nothing from before is found again.
    pub(crate) generation: u64,
    /// Until when it is needed, in milliseconds since 1970.
    pub(crate) until: u64,
    /// Names of `Vary`, lower case and sorted.
    pub(crate) vary: Vec<String>,
}

impl Index {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![1];
        bytes.extend(self.generation.to_le_bytes());
        bytes.extend(self.until.to_le_bytes());
        bytes.extend(self.vary.join(",").as_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != 1 {
            return None;
        }
        let (generation, until) = (reader.number()?, reader.number()?);
        let names = std::str::from_utf8(reader.0).ok()?;
        let vary = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some(Self { generation, until, vary })
    }
}

/// What of a request tells responses apart, as it came.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) uri: Vec<u8>,
    route: String,
    host: Option<Vec<u8>>,
    /// What each part is, and its value.
    parts: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    fields: Vec<(String, Vec<u8>)>,
}

impl Asked {
    pub(crate) fn new(uri: Vec<u8>, settings: &Settings, request: &Request, ctx: &Context) -> Self {
        let fields: Vec<_> =
            request.headers().iter().map(|(name, value)| (name, value.as_bytes().to_vec())).collect();
        let part = |part: &Part| {
            let value = match part {
                Part::Consumer => ctx.consumer_name().map(String::into_bytes),
                Part::Header(name) => line(&fields, name.as_str()),
                // All of them, since it is the upstream that chooses. No value has a semicolon in it.
                Part::Cookie(name) => {
                    Some(request.cookies(name)).filter(|all| !all.is_empty()).map(|all| all.join(&b';'))
                }
            };
            (part.to_string().into_bytes(), value)
        };
        let host = line(&fields, "host").map(|host| host.to_ascii_lowercase());
        let parts = settings.key.iter().map(part).collect();
        Self { uri, route: ctx.route(), host, parts, fields }
    }

    /// The key of the response for this request, where responses depend on the index's fields.
    pub(crate) fn variant(&self, index: &Index) -> Result<Vec<u8>> {
        let mut joined = self.joined();
        joined.push(index.generation.to_le_bytes());
        for name in &index.vary {
            joined.push(name);
            joined.push_optional(line(&self.fields, name));
        }
        joined.key(b'v')
    }

    /// The key by which requests for the same response find each other.
    pub(crate) fn flight(&self, index: Option<&Index>) -> Result<Vec<u8>> {
        let mut joined = self.joined();
        for name in index.map(|index| &*index.vary).unwrap_or_default() {
            joined.push(name);
            joined.push_optional(line(&self.fields, name));
        }
        joined.key(b'f')
    }

    /// Two routes may lead one URI to different upstreams, and an earlier step to different hosts of one. After a reload a value of
    /// one part must not pass for another's.
    fn joined(&self) -> Joined {
        let mut joined = Joined::default();
        joined.push(&self.uri);
        joined.push(&self.route);
        joined.push_optional(self.host.as_ref());
        joined.push(self.parts.len().to_le_bytes());
        for (part, value) in &self.parts {
            joined.push(part);
            joined.push_optional(value.as_ref());
        }
        joined
    }
}

/// Lists of tokens of which neither blanks nor case mean anything, by which clients that want the same differ.
const TOKEN_LISTS: [&str; 3] = ["accept-charset", "accept-encoding", "accept-language"];

/// The lines of a field as one (RFC 9111 section 4.1); none if it is absent.
fn line(fields: &[(String, Vec<u8>)], name: &str) -> Option<Vec<u8>> {
    let lines: Vec<_> =
        fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.trim_ascii()).collect();
    let mut line = (!lines.is_empty()).then(|| lines.join(&b", "[..]))?;
    if TOKEN_LISTS.contains(&name) {
        line.retain(|byte| !matches!(byte, b' ' | b'\t'));
        line.make_ascii_lowercase();
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_survives_the_store() {
        let index = Index { generation: 7, until: 9, vary: vec!["a".to_owned(), "b".to_owned()] };
        assert_eq!(Index::decode(&index.encode()), Some(index.clone()));
        let none = Index { vary: Vec::new(), ..index };
        assert_eq!(Index::decode(&none.encode()), Some(none));
        for bad in [&b""[..], b"\x02", b"\x01abc", b"\x010123456789abcdef\xff"] {
            assert_eq!(Index::decode(bad), None);
        }
    }

    #[test]
    fn a_value_of_one_part_is_none_of_another() {
        let joined = |parts: &[(&str, Option<&str>)]| {
            let bytes = |text: &str| text.as_bytes().to_vec();
            let parts = parts.iter().map(|(part, value)| (bytes(part), value.map(bytes))).collect();
            let (uri, route) = (Vec::new(), String::new());
            Asked { uri, route, host: None, parts, fields: Vec::new() }.joined().0
        };
        let known = [
            joined(&[]),
            joined(&[("consumer", Some("alice"))]),
            joined(&[("header:x", Some("alice"))]),
            joined(&[("consumer", Some(""))]),
            joined(&[("consumer", None)]),
            joined(&[("consumer", Some("alice")), ("header:x", None)]),
        ];
        let distinct: std::collections::BTreeSet<_> = known.iter().collect();
        assert_eq!(distinct.len(), known.len());
    }

    #[test]
    fn lines_of_a_field_are_one() {
        let fields = [("a", "1 "), ("b", "x"), ("a", " 2")]
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(line(&fields, "a").as_deref(), Some(&b"1, 2"[..]));
        let accepted = [("accept-encoding".to_owned(), b"GZIP;q=1,  br".to_vec())];
        assert_eq!(line(&accepted, "accept-encoding").as_deref(), Some(&b"gzip;q=1,br"[..]));
        assert_eq!(line(&fields, "c"), None);
    }
}
