//! Names and values of headers.

use std::fmt;
use std::str::FromStr;

use super::{InvalidValue, is_token, text_value};
use crate::{ErrorContext, Result};

/// The name of a header, lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct HeaderName(String);

impl HeaderName {
    /// A name written in code.
    ///
    /// # Panics
    /// If it is not a header name.
    #[must_use]
    pub fn from_static(name: &'static str) -> Self {
        name.parse().expect("a header name written in code is valid")
    }

    /// The name, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it frames messages or belongs to one connection, as `Content-Length` and `Connection` do. Those are the gateway's: it
    /// denies a plugin to set or remove them, which a configuration that names one should hear at once.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        sluice_abi::RESERVED_HEADERS.contains(&self.as_str())
    }
}

impl FromStr for HeaderName {
    type Err = InvalidValue;

    fn from_str(name: &str) -> Result<Self, InvalidValue> {
        if is_token(name) {
            Ok(Self(name.to_ascii_lowercase()))
        } else {
            Err(InvalidValue::new(name, "a header name"))
        }
    }
}

impl AsRef<str> for HeaderName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl PartialEq<str> for HeaderName {
    fn eq(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl PartialEq<&str> for HeaderName {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

text_value!(HeaderName, "The name of a header.", "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");

/// The value of a header. Nearly always text, but HTTP allows other bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeaderValue(Vec<u8>);

impl HeaderValue {
    /// What the host gave, which has checked it.
    pub(crate) fn trusted(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text; none if it is not UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text; fails if it is not UTF-8.
    pub fn to_str(&self) -> Result<&str> {
        std::str::from_utf8(&self.0).context("reading a header value as text")
    }
}

impl FromStr for HeaderValue {
    type Err = InvalidValue;

    fn from_str(value: &str) -> Result<Self, InvalidValue> {
        // RFC 9110 section 5.5: no controls but tab, and no blank at either end.
        let controls = value.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f);
        if controls || value.trim_matches([' ', '\t']).len() != value.len() {
            Err(InvalidValue::new(value, "a header value"))
        } else {
            Ok(Self(value.as_bytes().to_vec()))
        }
    }
}

impl AsRef<[u8]> for HeaderValue {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

impl PartialEq<str> for HeaderValue {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for HeaderValue {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

text_value!(
    HeaderValue,
    "The value of a header.",
    "^([^\\x00-\\x20\\x7f]([^\\x00-\\x08\\x0a-\\x1f\\x7f]*[^\\x00-\\x20\\x7f])?)?$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens_and_lower_case() {
        assert_eq!("X-Api-Key".parse::<HeaderName>().unwrap().as_str(), "x-api-key");
        for bad in ["", "x y", "x:y", "ü", "x\n"] {
            assert!(bad.parse::<HeaderName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn framing_is_the_gateways() {
        let is_reserved = |name: &str| name.parse::<HeaderName>().unwrap().is_reserved();
        assert!(is_reserved("Content-Length") && is_reserved("TE"));
        assert!(!is_reserved("content-type") && !is_reserved("host"));
    }

    #[test]
    fn values_cannot_smuggle_a_line() {
        assert!("a, b;c=\"d e\"".parse::<HeaderValue>().is_ok());
        for bad in ["a\r\nb: c", "a\0", " a", "a\t", "\u{7f}"] {
            assert!(bad.parse::<HeaderValue>().is_err(), "{bad:?}");
        }
        let error = "a\nb".parse::<HeaderValue>().unwrap_err();
        assert_eq!(error.to_string(), "`a\\nb` is not a header value");
    }
}
