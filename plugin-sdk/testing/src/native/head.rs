//! Method, target and headers: what a plugin may write, checked as the gateway checks it.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use sluice_abi::{Code, RESERVED_HEADERS, Text};

/// A request's head.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
}

impl Request {
    pub(super) fn set(&mut self, text: Text, value: &[u8]) -> Result<(), Code> {
        match text {
            Text::Method => {
                let method = Method::from_bytes(value).map_err(|_| Code::Invalid)?;
                if method == Method::CONNECT || method == Method::TRACE {
                    return Err(Code::Invalid);
                }
                self.method = method;
            }
            Text::Path => self.uri = target(value, self.uri.query().map(str::as_bytes))?,
            // An empty query is none: the question mark goes too.
            Text::Query => {
                self.uri = target(self.uri.path().as_bytes(), Some(value).filter(|query| !query.is_empty()))?
            }
            _ => return Err(Code::Denied),
        }
        Ok(())
    }
}

fn target(path: &[u8], query: Option<&[u8]>) -> Result<Uri, Code> {
    if path.first() != Some(&b'/') || path.contains(&b'?') || path.contains(&b'#') {
        return Err(Code::Invalid);
    }
    let mut bytes = path.to_vec();
    if let Some(query) = query {
        if query.contains(&b'#') {
            return Err(Code::Invalid);
        }
        bytes.push(b'?');
        bytes.extend_from_slice(query);
    }
    PathAndQuery::try_from(bytes).map(Uri::from).map_err(|_| Code::Invalid)
}

fn is_reserved(name: &HeaderName) -> bool {
    RESERVED_HEADERS.contains(&name.as_str())
}

/// A name and value that a plugin may write.
pub(super) fn field(name: &[u8], value: &[u8]) -> Result<(HeaderName, HeaderValue), Code> {
    let name = HeaderName::from_bytes(name).map_err(|_| Code::Invalid)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Code::Invalid)?;
    if is_reserved(&name) { Err(Code::Denied) } else { Ok((name, value)) }
}

/// Values of a header, in any case of its name.
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &[u8]) -> Vec<&'a [u8]> {
    let name = std::str::from_utf8(name).unwrap_or_default();
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

/// Removes a header; how many values it had.
pub(super) fn remove(headers: &mut HeaderMap, name: &[u8]) -> Result<i32, Code> {
    let Ok(name) = HeaderName::from_bytes(name) else { return Ok(0) };
    // A request goes nowhere without `Host`; it can be set to another, not taken away.
    if is_reserved(&name) || name == header::HOST {
        return Err(Code::Denied);
    }
    match headers.entry(name) {
        header::Entry::Occupied(entry) => {
            let (_, values) = entry.remove_entry_mult();
            Ok(i32::try_from(values.count()).unwrap_or(i32::MAX))
        }
        header::Entry::Vacant(_) => Ok(0),
    }
}
