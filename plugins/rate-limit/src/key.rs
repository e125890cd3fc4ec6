//! What a counter belongs to.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::de::{Error as _, SeqAccess, Visitor};
use sluice_sdk::prelude::*;

/// Longer values of a header are refused: a counter's name has to stay short.
const MAX_PART: usize = 200;
const MAX_PARTS: usize = 4;

const PATTERN: &str = "^(ip|consumer|route|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+)$";

/// One thing, or several that are counted together.
pub struct Key(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Ip,
    Consumer,
    Route,
    Header(HeaderName),
}

/// What becomes of a request without the key: one without consumer, or without the header.
#[derive(Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// It is counted by the client's address.
    #[default]
    Ip,
    /// It is refused.
    Deny,
    /// It is not counted.
    Allow,
}

impl Default for Key {
    fn default() -> Self {
        Self(vec![Part::Ip])
    }
}

impl Key {
    /// The counter's name for a request; `None` if it is not counted, or the refusal.
    pub(crate) fn of(
        &self,
        request: &Request,
        ctx: &Context,
        missing: Missing,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let mut key = Vec::with_capacity(64);
        for part in &self.0 {
            match (part.value(request, ctx), missing) {
                (Some(value), _) if value.len() > MAX_PART => {
                    return Err(Problem::bad_request(format!("{part} is longer than {MAX_PART} bytes")));
                }
                (Some(value), _) => push(&mut key, part.tag(), &value),
                (None, Missing::Ip) => push(&mut key, Part::Ip.tag(), address(ctx).as_bytes()),
                (None, Missing::Allow) => return Ok(None),
                (None, Missing::Deny) => {
                    return Err(Problem::forbidden(format!("the request has no {part}"))
                        .kind("rate-limit-key-missing"));
                }
            }
        }
        Ok(Some(key))
    }
}

/// Tag and length keep parts apart: no value can look like two others.
fn push(key: &mut Vec<u8>, tag: u8, value: &[u8]) {
    key.push(tag);
    key.push(u8::try_from(value.len().min(MAX_PART)).unwrap_or(u8::MAX));
    key.extend_from_slice(&value[..value.len().min(MAX_PART)]);
}

/// The client's address; of an IPv6 address the /64, which is what one client commonly has.
fn address(ctx: &Context) -> String {
    let text = ctx.client_address();
    match text.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.to_string(),
            None => format!("{:x}/64", address.to_bits() >> 64),
        },
        _ => text,
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "ip" => Ok(Self::Ip),
            "consumer" => Ok(Self::Consumer),
            "route" => Ok(Self::Route),
            _ => match text.strip_prefix("header:") {
                Some(name) => name
                    .parse()
                    .map(Self::Header)
                    .map_err(|error: sluice_sdk::InvalidValue| error.to_string()),
                None => Err(format!(
                    "`{text}` is no key: known are `ip`, `consumer`, `route` and `header:<name>`"
                )),
            },
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Ip => b'i',
            Self::Consumer => b'c',
            Self::Route => b'r',
            Self::Header(_) => b'h',
        }
    }

    fn value(&self, request: &Request, ctx: &Context) -> Option<Vec<u8>> {
        match self {
            Self::Ip => Some(address(ctx).into_bytes()),
            Self::Consumer => ctx.consumer_name().map(String::into_bytes),
            Self::Route => Some(ctx.route().into_bytes()),
            Self::Header(name) => request
                .headers()
                .get(name)
                .map(|value| value.as_bytes().to_vec())
                .filter(|value| !value.is_empty()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("address"),
            Self::Consumer => f.write_str("consumer"),
            Self::Route => f.write_str("route"),
            Self::Header(name) => write!(f, "header `{name}`"),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrSeveral;

        impl<'de> Visitor<'de> for OneOrSeveral {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key or a list of keys")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Key, E> {
                Part::parse(text).map(|part| Key(vec![part])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Key, A::Error> {
                let mut parts = Vec::new();
                while let Some(text) = list.next_element::<Cow<'_, str>>()? {
                    parts.push(Part::parse(&text).map_err(A::Error::custom)?);
                }
                if (1..=MAX_PARTS).contains(&parts.len()) {
                    Ok(Key(parts))
                } else {
                    Err(A::Error::custom(format!("a key has 1 to {MAX_PARTS} parts")))
                }
            }
        }

        deserializer.deserialize_any(OneOrSeveral)
    }
}

impl JsonSchema for Key {
    fn schema_name() -> Cow<'static, str> {
        "Key".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string", "pattern": PATTERN },
                { "type": "array", "items": { "type": "string", "pattern": PATTERN }, "minItems": 1, "maxItems": MAX_PARTS },
            ]
        })
    }
}
