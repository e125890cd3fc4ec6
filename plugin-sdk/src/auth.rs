//! What authentication policies have in common: how an identity reaches the upstream and later steps.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::consumers::{self, Consumer, Identity};
use crate::types::{InvalidValue, text_value};
use crate::{Context, Error, HeaderName, Request, Result, Value};

/// Claims of the token that was verified, as it states them. For `acl`, `rate-limit` and plugins of your own.
pub const CLAIMS: Value<Map<String, Json>> = Value::exchange("auth.claims");

/// What the credential that was shown permits (RFC 6749 section 3.3).
pub const SCOPES: Value<Vec<String>> = Value::exchange("auth.scopes");

/// That somebody was let in, and how. [`admit`] and [`admit_anonymous`] leave it.
pub const METHOD: Value<Method> = Value::exchange("auth.method");

/// How somebody was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// The latest step's word for it: `api-key`, `jwt`, ...
    pub name: String,
    /// Whether the consumer is nobody in particular, but the one that stands for all who show nothing.
    pub anonymous: bool,
    /// Whether somebody was recognised who is not the consumer: the owner of a token that belongs to none, or whom an earlier step
    /// found. The upstream may know them, so what it answers is not for everyone with this consumer.
    #[serde(default)]
    pub others: bool,
}

/// Headers by which the upstream learns who is asking. Nobody else may send them.
const CONSUMER_HEADERS: &str = "x-consumer-";
const CREDENTIAL: &str = "x-credential-identifier";
const ANONYMOUS: &str = "x-anonymous-consumer";

/// Lets a request in that was authenticated by `method`: makes `consumer` the exchange's, and tells the upstream who it is and only
/// that. Without a consumer (a token may be valid and belong to none) the one that an earlier step has found stays; what the client
/// claimed to be is taken away all the same.
///
/// | Header | |
/// |---|---|
/// | `X-Consumer-Id` | the consumer's `id`, its name if it has none |
/// | `X-Consumer-Username` | its name |
/// | `X-Consumer-Custom-Id` | its `custom_id` |
/// | `X-Consumer-Groups` | its groups, with commas between |
/// | `X-Credential-Identifier` | which of its credentials was shown |
pub fn admit(
    request: &mut Request,
    ctx: &mut Context,
    method: &str,
    consumer: Option<Consumer>,
) -> Result<()> {
    let Some(consumer) = consumer else { return admit_unknown(request, ctx, method) };
    tell(request, ctx, method, Some(&consumer), false)?;
    ctx.set_consumer(consumer);
    Ok(())
}

/// As [`admit`] without a consumer. It does not want the capability `consumers`.
pub fn admit_unknown(request: &mut Request, ctx: &mut Context, method: &str) -> Result<()> {
    tell(request, ctx, method, None, false)
}

/// Lets a request in that shows no credential, as the consumer of this name. The upstream is told so, with
/// `X-Anonymous-Consumer: true` beside the consumer's own headers.
pub fn admit_anonymous(request: &mut Request, ctx: &mut Context, method: &str, name: &str) -> Result<()> {
    let found = consumers::identify(Identity::Name, name)?;
    let consumer = found.ok_or_else(|| Error::new(format!("there is no consumer `{name}`")))?;
    tell(request, ctx, method, Some(&consumer), true)?;
    ctx.set_consumer(consumer);
    Ok(())
}

/// Tells the upstream and later steps who is let in, before a new consumer is the exchange's.
fn tell(
    request: &mut Request,
    ctx: &mut Context,
    method: &str,
    consumer: Option<&Consumer>,
    anonymous: bool,
) -> Result<()> {
    let (before, known) = (ctx.get(&METHOD)?, ctx.consumer());
    let was_anonymous = before.as_ref().is_some_and(|before| before.anonymous);
    let is_replaced =
        |known: &Consumer| !was_anonymous && consumer.is_some_and(|consumer| consumer.name != known.name);
    let others = consumer.is_none()
        || known.as_ref().is_some_and(is_replaced)
        || before.is_some_and(|before| before.others);
    let anonymous = if consumer.is_some() { anonymous } else { was_anonymous };
    introduce(request, consumer.or(known.as_ref()), anonymous)?;
    ctx.set(&METHOD, &Method { name: method.to_owned(), anonymous, others })
}

/// Whether it is one of the headers by which the upstream learns who is asking. No policy may let anybody else write them.
#[must_use]
pub fn is_consumer_header(name: &HeaderName) -> bool {
    name.as_str().starts_with(CONSUMER_HEADERS) || name == CREDENTIAL || name == ANONYMOUS
}

/// Checks that the consumer of this name exists, for `self_test`: better at load than at the first request.
pub fn check_consumer(name: &str) -> Result<()> {
    match consumers::identify(Identity::Name, name)? {
        Some(_) => Ok(()),
        None => Err(Error::new(format!("there is no consumer `{name}`"))),
    }
}

fn introduce(request: &mut Request, consumer: Option<&Consumer>, anonymous: bool) -> Result<()> {
    let mut headers = request.headers_mut();
    headers.remove_prefix(CONSUMER_HEADERS)?;
    headers.remove(ANONYMOUS)?;
    if anonymous {
        headers.set(ANONYMOUS, "true")?;
    }
    let Some(consumer) = consumer else { return headers.remove(CREDENTIAL).map(drop) };
    headers.set("x-consumer-id", &consumer.id)?;
    headers.set("x-consumer-username", &consumer.name)?;
    if let Some(id) = &consumer.custom_id {
        headers.set("x-consumer-custom-id", id)?;
    }
    if !consumer.groups.is_empty() {
        headers.set("x-consumer-groups", consumer.groups.join(","))?;
    }
    match &consumer.credential {
        Some(credential) => headers.set(CREDENTIAL, credential),
        None => headers.remove(CREDENTIAL).map(drop),
    }
}

/// The token of `Authorization: <scheme> <token>` (RFC 9110 section 11.4), if that header is there once and of this scheme.
/// `Err` tells why it cannot be used, for the client.
pub fn authorization(request: &Request, scheme: &str) -> Result<Option<String>, &'static str> {
    let values = request.headers().get_all("authorization");
    let mut found = None;
    for value in &values {
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else { continue };
        let (name, token) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if !name.eq_ignore_ascii_case(scheme) {
            continue;
        }
        if found.is_some() || values.len() > 1 {
            return Err("more than one `Authorization` was sent");
        }
        found = Some(token.trim_start().to_owned());
    }
    Ok(found)
}

/// A challenge for `WWW-Authenticate` (RFC 9110 section 11.6.1): a scheme and its parameters, quoted.
///
/// ```
/// # use sluice_sdk::auth::challenge;
/// assert_eq!(challenge("Bearer", &[("realm", "api"), ("error", "invalid_token")]), "Bearer realm=\"api\", error=\"invalid_token\"");
/// ```
#[must_use]
pub fn challenge(scheme: &str, parameters: &[(&str, &str)]) -> String {
    let mut text = scheme.to_owned();
    for (index, (name, value)) in parameters.iter().enumerate() {
        text.push_str(if index == 0 { " " } else { ", " });
        text.push_str(name);
        text.push_str("=\"");
        for character in value.chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(if character.is_control() { ' ' } else { character });
        }
        text.push('"');
    }
    text
}

/// The realm that a challenge names (RFC 9110 section 11.5), as configurations write it: `api` if not given. It is not empty
/// and has no quotes, backslashes or control characters, so that every client reads it alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Realm(String);

impl Realm {
    /// A [`challenge`] that names this realm, then these parameters.
    #[must_use]
    pub fn challenge(&self, scheme: &str, parameters: &[(&str, &str)]) -> String {
        challenge(scheme, &[&[("realm", self.0.as_str())], parameters].concat())
    }
}

impl Default for Realm {
    fn default() -> Self {
        Self("api".to_owned())
    }
}

impl FromStr for Realm {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let is_plain = |character: char| !character.is_control() && !matches!(character, '"' | '\\');
        if !text.is_empty() && text.chars().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new(
                text,
                "a realm: it is empty or has a quote, a backslash or a control character",
            ))
        }
    }
}

text_value!(Realm, "The realm that `WWW-Authenticate` names.", r#"^[^"\\\x00-\x1f\x7f-\x9f]+$"#);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_fits_into_a_challenge() {
        let realm: Realm = "orders & bills".parse().unwrap();
        let challenge = realm.challenge("Basic", &[("charset", "UTF-8")]);
        assert_eq!(challenge, r#"Basic realm="orders & bills", charset="UTF-8""#);
        assert_eq!(Realm::default().challenge("Key", &[]), r#"Key realm="api""#);
        for bad in ["", "a\"b", "a\\b", "a\nb", "\u{85}"] {
            assert!(bad.parse::<Realm>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn headers_of_consumers_are_known_in_any_case() {
        let is_one = |name: &str| is_consumer_header(&name.parse().unwrap());
        assert!(
            is_one("X-Consumer-Id") && is_one("x-credential-identifier") && is_one("X-Anonymous-Consumer")
        );
        assert!(!is_one("x-consumers") && !is_one("x-user"));
    }
}
