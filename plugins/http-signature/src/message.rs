//! The request as signatures see it: its target and fields, copied out of the host once.

use sluice_sdk::prelude::*;

/// A request's head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) method: String,
    pub(crate) scheme: String,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// Lower-case names and values, in order.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl Message {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            method: request.method().as_str().to_owned(),
            scheme: request.scheme(),
            authority: request.authority(),
            path: request.path(),
            query: request.query(),
            fields: request.headers().iter().map(|(name, value)| (name, value.as_bytes().to_vec())).collect(),
        }
    }

    /// Every value of a field.
    pub(crate) fn values(&self, name: &str) -> Vec<&[u8]> {
        self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_slice()).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Each value of a field without whitespace around it and without line folds (RFC 9421 section 2.1, steps 2 and 3).
    pub(crate) fn clean_values(&self, name: &str) -> Vec<Vec<u8>> {
        self.values(name).into_iter().map(clean).collect()
    }

    /// The field's value as one, if it is there and can stand in a line of its own.
    pub(crate) fn combined(&self, name: &str) -> Result<String, String> {
        if !self.has(name) {
            return Err(format!("the request has no field `{name}`"));
        }
        let value = self.clean_values(name).join(&b", "[..]);
        match String::from_utf8(value) {
            Ok(value) if value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) => Ok(value),
            _ => Err(format!("the field `{name}` has bytes that a signature cannot cover as they are")),
        }
    }

    /// Path and query, as a request line has them.
    pub(crate) fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The authority in lower case, without the scheme's own port (RFC 9110 section 4.2.3).
    pub(crate) fn normal_authority(&self) -> String {
        let authority = self.authority.to_ascii_lowercase();
        let port = if self.scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
        let shorter = authority.strip_suffix(port).or_else(|| authority.strip_suffix(':'));
        shorter.map_or_else(|| authority.clone(), str::to_owned)
    }

    /// Whether the head says that a body follows. Over HTTP/2 and later it need not say.
    pub(crate) fn announces_body(&self) -> bool {
        let length = self.values("content-length");
        let counts = length.iter().any(|length| length.iter().any(|digit| (b'1'..=b'9').contains(digit)));
        counts || self.has("transfer-encoding")
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_blank(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_blank(*last)
    {
        value = rest;
    }
    value
}

fn clean(value: &[u8]) -> Vec<u8> {
    let mut cleaned: Vec<u8> = Vec::with_capacity(value.len());
    let mut rest = trim(value);
    while let Some((first, after)) = rest.split_first() {
        let fold = match rest {
            [b'\r', b'\n', blank, ..] if is_blank(*blank) => Some(2),
            [b'\n', blank, ..] if is_blank(*blank) => Some(1),
            _ => None,
        };
        if let Some(end) = fold {
            while cleaned.last().copied().is_some_and(is_blank) {
                cleaned.pop();
            }
            cleaned.push(b' ');
            rest = trim(&rest[end..]);
        } else {
            cleaned.push(*first);
            rest = after;
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_and_folds_are_normalised() {
        for (value, expected) in [
            ("  Leading and trailing whitespace.  ", "Leading and trailing whitespace."),
            ("Obsolete\n    line folding.", "Obsolete line folding."),
            ("Obsolete \r\n\t line folding.", "Obsolete line folding."),
            ("a\nb", "a\nb"),
            ("", ""),
        ] {
            assert_eq!(clean(value.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn a_line_of_its_own_cannot_be_smuggled_in() {
        for value in ["a\n\"@method\": GET", "a\r\nb", "\0", "ü"] {
            let fields = vec![("x".to_owned(), value.as_bytes().to_vec())];
            assert!(Message { fields, ..Message::default() }.combined("x").is_err(), "{value:?}");
        }
    }

    #[test]
    fn authorities_are_normalised() {
        for (scheme, authority, expected) in [
            ("https", "Example.COM", "example.com"),
            ("https", "example.com:443", "example.com"),
            ("https", "example.com:80", "example.com:80"),
            ("http", "example.com:80", "example.com"),
            ("http", "[::1]:8080", "[::1]:8080"),
            ("http", "[2001:DB8::1]:80", "[2001:db8::1]"),
        ] {
            let (scheme, authority) = (scheme.to_owned(), authority.to_owned());
            assert_eq!(Message { scheme, authority, ..Message::default() }.normal_authority(), expected);
        }
    }
}
