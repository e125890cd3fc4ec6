//! What a counter belongs to.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use sluice_sdk::InvalidValue;
use sluice_sdk::auth::CLAIMS;
use sluice_sdk::prelude::*;

/// Longer values stand as their digest: a counter's name has to stay short.
const MAX_PLAIN: usize = 100;
/// Bytes of a digest. Nobody finds a value that has the same as somebody else's.
const DIGEST: usize = 16;
const MAX_PARTS: usize = 4;
const MAX_NAME: usize = 48;

const PATTERN: &str = r"^(ip|consumer|credential|route|host|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,48}|(query|cookie|claim|path-param):[!-~]{1,48})$";

/// One thing, or several that are counted together.
#[derive(Clone)]
pub struct Key(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Ip,
    Consumer,
    Credential,
    Route,
    Host,
    Header(HeaderName),
    Query(String),
    Cookie(String),
    Claim(String),
    PathParam(String),
}

/// What becomes of a request without the key: one without consumer, header, claim and so on.
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
    /// By consumer.
    pub(crate) fn consumer() -> Self {
        Self(vec![Part::Consumer])
    }
}

/// Whom a request is counted for.
pub(crate) struct Who {
    parts: Vec<Part>,
    missing: Missing,
    /// Bits of an address that count.
    ipv4: u32,
    ipv6: u32,
}

impl Who {
    pub(crate) fn new(key: Key, missing: Missing, ipv4_prefix: u8, ipv6_prefix: u8) -> Self {
        Self { parts: key.0, missing, ipv4: u32::from(ipv4_prefix), ipv6: u32::from(ipv6_prefix) }
    }

    /// The counter's name for a request; `None` if it is not counted, or the refusal.
    pub(crate) fn of(&self, request: &Request, ctx: &Context) -> Result<Option<Vec<u8>>, Problem> {
        let mut key = Vec::with_capacity(64);
        for part in &self.parts {
            let value = match part {
                Part::Ip => Some(self.address(ctx)),
                part => part.value(request, ctx).filter(|value| !value.is_empty()),
            };
            match (value, self.missing) {
                (Some(value), _) => push(&mut key, part, &value),
                (None, Missing::Ip) => push(&mut key, &Part::Ip, &self.address(ctx)),
                (None, Missing::Allow) => return Ok(None),
                (None, Missing::Deny) => {
                    return Err(Problem::forbidden(format!("the request has no {part}"))
                        .kind("rate-limit-key-missing"));
                }
            }
        }
        Ok(Some(key))
    }

    /// The bits of the client's address that count. IPv4 has 4 bytes, also within IPv6.
    fn address(&self, ctx: &Context) -> Vec<u8> {
        let text = ctx.client_address();
        match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.ipv4).unwrap_or(0);
                (address.to_bits() & mask).to_be_bytes().to_vec()
            }
            Ok(IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.ipv6).unwrap_or(0);
                (address.to_bits() & mask).to_be_bytes().to_vec()
            }
            Err(_) => text.into_bytes(),
        }
    }
}

/// Tag and lengths keep parts apart: no value can look like two others, and none of one header like that of another. A digest has
/// another tag than what it could be taken for.
fn push(key: &mut Vec<u8>, part: &Part, value: &[u8]) {
    if part.may_be_secret() || value.len() > MAX_PLAIN {
        key.push(part.tag().to_ascii_uppercase());
        append(key, part.name().as_bytes());
        append(key, &Sha256::digest(value)[..DIGEST]);
    } else {
        key.push(part.tag());
        append(key, part.name().as_bytes());
        append(key, value);
    }
}

/// A text with its length, which is below 256.
fn append(key: &mut Vec<u8>, text: &[u8]) {
    key.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(text);
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "ip" => return Ok(Self::Ip),
            "consumer" => return Ok(Self::Consumer),
            "credential" => return Ok(Self::Credential),
            "route" => return Ok(Self::Route),
            "host" => return Ok(Self::Host),
            _ => {}
        }
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let is_name =
            (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        match kind {
            "header" | "query" | "cookie" | "claim" | "path-param" if !is_name => {
                Err(format!("`{text}`: a name of 1 to {MAX_NAME} visible characters follows the colon"))
            }
            "header" => name.parse().map(Self::Header).map_err(|error: InvalidValue| error.to_string()),
            "query" => Ok(Self::Query(name.to_owned())),
            "cookie" => Ok(Self::Cookie(name.to_owned())),
            "claim" => Ok(Self::Claim(name.to_owned())),
            "path-param" => Ok(Self::PathParam(name.to_owned())),
            _ => Err(format!(
                "`{text}` is no key: known are `ip`, `consumer`, `credential`, `route`, `host`, `header:<name>`, \
                 `query:<name>`, `cookie:<name>`, `claim:<name>` and `path-param:<name>`"
            )),
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Ip => b'i',
            Self::Consumer => b'c',
            Self::Credential => b'k',
            Self::Route => b'r',
            Self::Host => b'o',
            Self::Header(_) => b'h',
            Self::Query(_) => b'q',
            Self::Cookie(_) => b'b',
            Self::Claim(_) => b'j',
            Self::PathParam(_) => b'p',
        }
    }

    /// What a client sends to show who it is may stand in it, and the names of counters are no secrets.
    const fn may_be_secret(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Query(_) | Self::Cookie(_))
    }

    fn name(&self) -> &str {
        match self {
            Self::Ip | Self::Consumer | Self::Credential | Self::Route | Self::Host => "",
            Self::Header(name) => name.as_str(),
            Self::Query(name) | Self::Cookie(name) | Self::Claim(name) | Self::PathParam(name) => name,
        }
    }

    /// The value of a part that is no address.
    fn value(&self, request: &Request, ctx: &Context) -> Option<Vec<u8>> {
        let text = match self {
            Self::Ip => return None,
            Self::Header(name) => {
                return request.headers().get(name).map(|value| value.as_bytes().to_vec());
            }
            Self::Consumer => ctx.consumer_name(),
            Self::Credential => return credential(&ctx.consumer()?),
            Self::Route => Some(ctx.route()),
            Self::Host => Some(request.host().to_ascii_lowercase()),
            Self::Query(name) => request.query_param(name),
            Self::Cookie(name) => request.cookie(name),
            Self::Claim(name) => claim(ctx, name),
            Self::PathParam(name) => ctx.path_param(name),
        };
        text.map(String::into_bytes)
    }
}

/// Which of the consumer's credentials. Those of two consumers may have one identifier.
fn credential(consumer: &Consumer) -> Option<Vec<u8>> {
    let identifier = consumer.credential.as_deref().filter(|identifier| !identifier.is_empty())?;
    let length = u32::try_from(consumer.name.len()).unwrap_or(u32::MAX).to_be_bytes();
    Some([&length, consumer.name.as_bytes(), identifier.as_bytes()].concat())
}

/// A claim that is a text, a number or a truth value.
fn claim(ctx: &Context, name: &str) -> Option<String> {
    // Claims of another form are none.
    let value = ctx.get(&CLAIMS).ok().flatten()?.remove(name)?;
    match value {
        Json::String(text) => Some(text),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("address"),
            Self::Consumer => f.write_str("consumer"),
            Self::Credential => f.write_str("credential"),
            Self::Route => f.write_str("route"),
            Self::Host => f.write_str("host"),
            Self::Header(name) => write!(f, "header `{name}`"),
            Self::Query(name) => write!(f, "query parameter `{name}`"),
            Self::Cookie(name) => write!(f, "cookie `{name}`"),
            Self::Claim(name) => write!(f, "claim `{name}`"),
            Self::PathParam(name) => write!(f, "path parameter `{name}`"),
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
