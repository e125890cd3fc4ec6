//! Types of texts: what XML Schema writes, and what JSON writes for it.

use std::borrow::Cow;

use sluice_sdk::prelude::*;

use crate::json::Json;
use crate::xml::is_char;

/// What a text is.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Scalar {
    /// A string.
    #[default]
    String,
    /// A whole number of any size.
    Integer,
    /// A number without an exponent.
    Decimal,
    /// A number that may have an exponent.
    Double,
    /// `true` or `false`; `1` and `0` are read too.
    Boolean,
}

impl Scalar {
    fn name(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Decimal => "a decimal number",
            Self::Double => "a number",
            Self::Boolean => "a boolean",
        }
    }

    /// The value that a text stands for; why not, if it stands for none.
    pub(crate) fn to_json(self, text: &str) -> Result<Json, String> {
        let trimmed = text.trim_matches([' ', '\t', '\r', '\n']);
        let value = match self {
            Self::String => Some(Json::text(text)),
            Self::Integer => integer(trimmed).map(Json::Number),
            Self::Decimal => decimal(trimmed).map(Json::Number),
            Self::Double => double(trimmed).map(Json::Number),
            Self::Boolean => match trimmed {
                "true" | "1" => Some(Json::Bool(true)),
                "false" | "0" => Some(Json::Bool(false)),
                _ => None,
            },
        };
        value.ok_or_else(|| format!("the text is not {}", self.name()))
    }

    /// The text that stands for a value.
    pub(crate) fn to_text(self, value: &Json) -> Result<Cow<'_, str>, String> {
        let fits = match (self, value) {
            (Self::String, Json::Text(text)) => {
                if !text.chars().all(is_char) {
                    return Err("the string has a character that XML does not have".to_owned());
                }
                true
            }
            (Self::String, Json::Number(_) | Json::Bool(_)) | (Self::Boolean, Json::Bool(_)) => true,
            (Self::Integer, Json::Number(number)) => !number.contains(['.', 'e', 'E']),
            (Self::Decimal, Json::Number(number)) => !number.contains(['e', 'E']),
            (Self::Double, Json::Number(_)) => true,
            _ => false,
        };
        match value {
            Json::Text(text) if fits => Ok(text.into()),
            Json::Number(number) if fits => Ok(number.into()),
            Json::Bool(value) if fits => Ok(value.to_string().into()),
            Json::Number(number) if self != Self::Boolean => Err(format!(
                "the number {} is not {}",
                number.chars().take(40).collect::<String>(),
                self.name()
            )),
            other => Err(format!("it is {} and not {}", other.kind(), self.name())),
        }
    }
}

/// Sign and digits, without a `+` and leading zeros.
fn integer(text: &str) -> Option<String> {
    let (sign, digits) = signed(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{sign}{}", without_zeros(digits)))
}

fn decimal(text: &str) -> Option<String> {
    let (sign, rest) = signed(text);
    let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(part) || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let whole = without_zeros(whole);
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

fn double(text: &str) -> Option<String> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return decimal(text) };
    Some(format!("{}e{}", decimal(mantissa)?, integer(exponent)?))
}

fn signed(text: &str) -> (&str, &str) {
    match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    }
}

fn without_zeros(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_become_values() {
        for (kind, text, value) in [
            (Scalar::String, " a ", Some("\" a \"")),
            (Scalar::Integer, " +007 ", Some("7")),
            (Scalar::Integer, "-0", Some("-0")),
            (Scalar::Integer, "123456789012345678901234567890", Some("123456789012345678901234567890")),
            (Scalar::Integer, "1.0", None),
            (Scalar::Integer, "", None),
            (Scalar::Integer, "0x1", None),
            (Scalar::Decimal, "19.90", Some("19.90")),
            (Scalar::Decimal, "-.5", Some("-0.5")),
            (Scalar::Decimal, "5.", Some("5")),
            (Scalar::Decimal, ".", None),
            (Scalar::Decimal, "1e5", None),
            (Scalar::Decimal, "--1", None),
            (Scalar::Double, "1.50E+07", Some("1.50e7")),
            (Scalar::Double, "INF", None),
            (Scalar::Double, "1e", None),
            (Scalar::Boolean, "1", Some("true")),
            (Scalar::Boolean, "false", Some("false")),
            (Scalar::Boolean, "TRUE", None),
        ] {
            let read = kind.to_json(text).ok().map(|value| value.write());
            assert_eq!(read.as_deref(), value, "{kind:?} {text:?}");
        }
    }

    #[test]
    fn values_become_texts() {
        let number = |text: &str| Json::Number(text.to_owned());
        for (kind, value, text) in [
            (Scalar::String, Json::text("a"), Some("a")),
            (Scalar::String, number("1.0"), Some("1.0")),
            (Scalar::String, Json::Bool(true), Some("true")),
            (Scalar::String, Json::text("\u{0}"), None),
            (Scalar::String, Json::Array(Vec::new()), None),
            (Scalar::Integer, number("12"), Some("12")),
            (Scalar::Integer, number("1.5"), None),
            (Scalar::Integer, Json::text("12"), None),
            (Scalar::Decimal, number("1.50"), Some("1.50")),
            (Scalar::Decimal, number("1e5"), None),
            (Scalar::Double, number("1e5"), Some("1e5")),
            (Scalar::Boolean, Json::Bool(false), Some("false")),
            (Scalar::Boolean, number("1"), None),
        ] {
            assert_eq!(kind.to_text(&value).ok().as_deref(), text, "{kind:?} {value:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_as_a_number_is_json(text in "[+-]?[0-9.eE+-]{0,8}") {
            for kind in [Scalar::Integer, Scalar::Decimal, Scalar::Double] {
                if let Ok(value) = kind.to_json(&text) {
                    prop_assert!(crate::json::parse(value.write().as_bytes(), &crate::bounds::Bounds::default()).is_ok());
                }
            }
        }
    }
}
