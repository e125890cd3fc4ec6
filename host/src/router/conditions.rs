//! What a route asks for beside host and path.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{RequestView, capture_names};
use crate::config::RouteMatch;

/// A route's conditions beside host and path, and the names of its captured segments.
#[derive(Debug)]
pub(super) struct Conditions {
    /// One of these; empty for any.
    pub(super) methods: Box<[Method]>,
    /// All of these.
    headers: Box<[(HeaderName, HeaderValue)]>,
    /// All of these.
    query: Box<[(Box<str>, Box<str>)]>,
    pub(super) names: Box<[Option<Box<str>>]>,
}

impl Conditions {
    pub(super) fn new(route: &RouteMatch) -> Self {
        Self {
            methods: route.methods.clone().into(),
            headers: route.headers.clone().into(),
            query: route
                .query
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect(),
            names: capture_names(&route.path.segments),
        }
    }

    /// Smaller goes first among routes of one host and path.
    pub(super) fn rank(&self) -> (bool, usize, usize) {
        (self.methods.is_empty(), usize::MAX - self.headers.len(), usize::MAX - self.query.len())
    }

    pub(super) fn allows_method(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    pub(super) fn holds_beside_method(&self, request: &RequestView<'_>) -> bool {
        self.headers.iter().all(|(name, value)| has_header(request.headers, name, value))
            && self.query.iter().all(|(name, value)| has_parameter(request.query, name, value))
    }
}

/// One of the field's lines is this value, to the byte.
fn has_header(headers: &HeaderMap, name: &HeaderName, value: &HeaderValue) -> bool {
    headers.get_all(name).iter().any(|line| line == value)
}

/// The first parameter of this name has this value, once both are decoded: the Gateway API recommends the
/// first.
fn has_parameter(query: Option<&str>, name: &str, value: &str) -> bool {
    query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| decodes_to(key, name))
        .is_some_and(|(_, given)| decodes_to(given, value))
}

/// Whether percent-encoded text, with `+` for a space, stands for `plain`. Broken encoding stands for itself.
fn decodes_to(encoded: &str, plain: &str) -> bool {
    let mut rest = encoded.as_bytes();
    let decoded = std::iter::from_fn(|| match rest {
        [b'%', high, low, tail @ ..] if let (Some(high), Some(low)) = (digit(*high), digit(*low)) => {
            rest = tail;
            Some(high << 4 | low)
        }
        [byte, tail @ ..] => {
            rest = tail;
            Some(if *byte == b'+' { b' ' } else { *byte })
        }
        [] => None,
    });
    decoded.eq(plain.bytes())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::{decodes_to, has_parameter};

    #[test]
    fn parameters_are_compared_decoded() {
        assert!(decodes_to("a%20b+c", "a b c"));
        assert!(decodes_to("%C3%A9", "é"));
        assert!(decodes_to("100%", "100%"));
        assert!(decodes_to("%zz%4", "%zz%4"));
        assert!(!decodes_to("a", "ab"));
        assert!(!decodes_to("ab", "a"));
    }

    #[test]
    fn the_first_parameter_of_a_name_counts() {
        assert!(has_parameter(Some("x=1&v=2&v=3"), "v", "2"));
        assert!(!has_parameter(Some("x=1&v=2&v=3"), "v", "3"));
        assert!(has_parameter(Some("flag"), "flag", ""));
        assert!(has_parameter(Some("a=b=c"), "a", "b=c"));
        assert!(!has_parameter(Some(""), "v", ""));
        assert!(!has_parameter(None, "v", ""));
    }
}
