//! Lists of headers and methods as configuration writes them, and the names that a preflight asks for.

use std::borrow::Cow;
use std::str::FromStr;

use sluice_sdk::prelude::*;

/// A list is as long as a preflight may ask for.
pub(crate) const MAX_NAMES: usize = 100;
const MAX_ASKED: usize = 4096;

/// Names, or a word that stands for them.
#[derive(Clone, Debug, PartialEq)]
pub enum Names<T> {
    /// These.
    List(Vec<T>),
    /// All: the browser is told `*`.
    Any,
    /// Those that were asked for.
    Reflect,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    List(Vec<String>),
}

impl<'de, T: FromStr<Err: std::fmt::Display>> Deserialize<'de> for Names<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let items = match Written::deserialize(deserializer)? {
            Written::Word(word) if word == "*" => return Ok(Self::Any),
            Written::Word(word) if word == "reflect" => return Ok(Self::Reflect),
            Written::Word(_) => return Err(D::Error::custom("write a list of names, `*` or `reflect`")),
            Written::List(list) => list,
        };
        if let [word] = &items[..]
            && word == "*"
        {
            return Ok(Self::Any);
        }
        if items.iter().any(|item| item == "*") {
            return Err(D::Error::custom("`*` is all of them: leave the others out"));
        }
        items
            .iter()
            .map(|item| item.parse().map_err(D::Error::custom))
            .collect::<Result<_, _>>()
            .map(Self::List)
    }
}

impl<T> JsonSchema for Names<T> {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";
        schemars::json_schema!({ "anyOf": [
            { "enum": ["*", "reflect"] },
            { "type": "array", "items": { "type": "string", "pattern": name }, "maxItems": MAX_NAMES },
        ] })
    }
}

impl<T: AsRef<str>> Names<T> {
    /// The field that tells the browser; none if there is nothing to tell.
    pub(crate) fn to_field(&self) -> Option<String> {
        match self {
            Self::Any => Some("*".to_owned()),
            Self::List(names) if !names.is_empty() => {
                Some(names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "))
            }
            Self::List(_) | Self::Reflect => None,
        }
    }
}

/// The header names that a preflight asks for, in its own field's form; none if they are not names, or too many.
pub(crate) fn asked(fields: &[HeaderValue]) -> Option<String> {
    let length: usize = fields.iter().map(|field| field.as_bytes().len()).sum();
    if length > MAX_ASKED {
        return None;
    }
    let mut names = Vec::new();
    for field in fields {
        for name in field.as_str()?.split(',').map(|name| name.trim_matches([' ', '\t'])) {
            // RFC 9110 section 5.6.1.2: empty elements do not count.
            if !name.is_empty() {
                names.push(name.parse::<HeaderName>().ok()?.as_str().to_owned());
            }
        }
    }
    (names.len() <= MAX_NAMES).then(|| names.join(", "))
}
