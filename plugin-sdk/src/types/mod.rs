//! Values of HTTP and of configuration, checked when they are made.

mod asset;
pub(crate) mod cookie;
mod duration;
pub(crate) mod form;
mod header;
mod method;
mod one_or_many;
mod size;

use std::fmt;

pub use asset::Asset;
pub use duration::Duration;
pub use header::{HeaderName, HeaderValue};
pub use method::Method;
pub use one_or_many::OneOrMany;
pub use size::Size;

/// A text that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue {
    text: String,
    expected: &'static str,
}

impl InvalidValue {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not {}", self.text.escape_debug(), self.expected)
    }
}

impl std::error::Error for InvalidValue {}

/// `Deserialize` from a string through `FromStr`, and a schema of that string.
macro_rules! text_value {
    ($type:ident, $description:literal, $pattern:literal) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $description, "pattern": $pattern })
            }
        }
    };
}
pub(crate) use text_value;

/// RFC 9110 section 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Where the host of an authority ends: before the port, behind an IPv6 address's bracket.
pub(crate) fn host_length(authority: &str) -> usize {
    match authority.rfind(':') {
        Some(colon) if authority[colon..].find(']').is_none() => colon,
        _ => authority.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_ends_before_the_port() {
        for (authority, host) in
            [("a.example:80", "a.example"), ("a", "a"), ("[::1]", "[::1]"), ("[::1]:8080", "[::1]")]
        {
            assert_eq!(&authority[..host_length(authority)], host);
        }
    }
}
