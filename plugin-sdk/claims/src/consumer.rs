//! Whose token it is.

use serde_json::Value as Json;
use sluice_sdk::Code;
use sluice_sdk::consumers::Identity;
use sluice_sdk::prelude::*;

use crate::{ClaimPath, Claims, Failure, Refusal};

/// Bytes of the longest claim by which a consumer is looked up. OpenID Connect has at most 255 for `sub`.
const MAX_IDENTITY: usize = 1024;

/// How the consumer is found.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerConfig {
    /// Claim that identifies it, such as `sub`, `client_id` or `username`: a text or whole number of 1 to 1024 bytes.
    #[serde(default = "default_claim")]
    claim: ClaimPath,
    /// What the claim is.
    #[serde(default)]
    by: By,
    /// Whether a token that belongs to no consumer is refused.
    #[serde(default)]
    required: bool,
}

fn default_claim() -> ClaimPath {
    ClaimPath::named("sub")
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self { claim: default_claim(), by: By::default(), required: false }
    }
}

/// What identifies a consumer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The subject of its tokens, together with the issuer.
    #[default]
    Token,
    /// Its name.
    Name,
    /// Its custom id.
    CustomId,
}

/// Finds consumers by claims.
pub(crate) struct Lookup {
    config: ConsumerConfig,
    /// Whether the operator counts on consumers being found. Otherwise one is looked for only if that was granted.
    is_wanted: bool,
}

impl Lookup {
    pub(crate) fn new(config: Option<ConsumerConfig>) -> Self {
        Self { is_wanted: config.is_some(), config: config.unwrap_or_default() }
    }

    /// Fails if consumers are counted on but were not granted.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_wanted {
            // Nobody has an empty name. What matters is whether one may ask.
            consumers::identify(Identity::Name, "").context("`consumer`")?;
        }
        Ok(())
    }

    pub(crate) fn find(&self, claims: &Claims) -> Result<Option<Consumer>, Failure> {
        let identity = self.config.claim.of(claims).and_then(identity);
        let found = match identity.map(|identity| self.identify(claims, &identity)).transpose() {
            Err(error) if error.code() == Some(Code::Denied) && !self.is_wanted => None,
            found => found?.flatten(),
        };
        if found.is_none() && self.config.required { Err(Refusal::Consumer.into()) } else { Ok(found) }
    }

    fn identify(&self, claims: &Claims, identity: &str) -> Result<Option<Consumer>> {
        match self.config.by {
            By::Token => consumers::identify_token(claims.get("iss").and_then(Json::as_str), identity),
            By::Name => consumers::identify(Identity::Name, identity),
            By::CustomId => consumers::identify(Identity::CustomId, identity),
        }
    }
}

/// What a claim says of who somebody is; none if it cannot be that.
fn identity(claim: &Json) -> Option<String> {
    let text = match claim {
        Json::String(text) => text.clone(),
        Json::Number(number) if !number.is_f64() => number.to_string(),
        _ => return None,
    };
    let is_identity = !text.is_empty() && text.len() <= MAX_IDENTITY && !text.chars().any(char::is_control);
    is_identity.then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_whole_numbers_say_who_somebody_is() {
        assert_eq!(identity(&json!("alice")).as_deref(), Some("alice"));
        assert_eq!(identity(&json!(42)).as_deref(), Some("42"));
        assert!(identity(&json!("x".repeat(MAX_IDENTITY))).is_some());
        for nobody in [
            json!(""),
            json!("x".repeat(MAX_IDENTITY + 1)),
            json!("https://issuer.example\nalice"),
            json!(4.2),
            json!(true),
            json!(null),
            json!(["alice"]),
            json!({ "sub": "alice" }),
        ] {
            assert_eq!(identity(&nobody), None, "{nobody}");
        }
    }

    #[test]
    fn a_consumer_is_found_by_subject_unless_something_else_is_written() {
        let read = |config: Json| serde_json::from_value::<ConsumerConfig>(config);
        let config = read(json!({})).unwrap();
        assert_eq!((config.claim, config.by, config.required), (ClaimPath::named("sub"), By::Token, false));
        assert_eq!(read(json!({ "by": "custom-id" })).unwrap().by, By::CustomId);
        assert!(read(json!({ "by": "email" })).is_err() && read(json!({ "claims": "sub" })).is_err());
    }
}
