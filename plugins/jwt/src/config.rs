//! The configuration as it is written.

use std::collections::BTreeMap;

use sluice_sdk::prelude::*;
use sluice_sdk_claims::{ClaimPath, ConsumerConfig, Expected, PlacesConfig};

use crate::algorithm::Algorithm;
use crate::issuer::{Issuer, KeysConfig};

/// A token says which of them issued it, and each is compared.
const MAX_ISSUERS: usize = 32;

/// Whose tokens are accepted, what they have to say, and what becomes of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Exact value of `iss`, or a list of them. For several issuers with keys of their own use `issuers`.
    #[serde(default)]
    pub(crate) issuer: Option<OneOrMany<String>>,
    /// With what tokens of `issuer` are verified: `{ jwks = "NAME" }`, `{ public = ["PEM or JWK"] }` or `{ secret = "NAME" }`.
    #[serde(default)]
    pub(crate) keys: Option<KeysConfig>,
    /// Algorithms that are accepted of `issuer`; all that its keys are for if not given.
    #[serde(default)]
    pub(crate) algorithms: Option<Vec<Algorithm>>,
    /// One of these has to be in `aud`; or `"any"`. Of `issuer`, and of those in `issuers` that have none of their own.
    #[serde(default)]
    pub(crate) audiences: Option<Audiences>,
    /// Several issuers, each with its own keys. Instead of `issuer`, `keys` and `algorithms`.
    #[serde(default)]
    #[schemars(length(max = MAX_ISSUERS))]
    pub(crate) issuers: Vec<IssuerConfig>,
    /// What the token says it is (`typ`). If not given, nothing, `JWT` or `at+jwt`.
    #[serde(default)]
    pub(crate) token_type: Option<TokenType>,
    /// Claims that have to be there.
    #[serde(default)]
    pub(crate) required_claims: Vec<ClaimPath>,
    /// Claims that have to have a value, or one of several. Of a claim that is a list, one item has to.
    #[serde(default)]
    pub(crate) claims: BTreeMap<ClaimPath, Expected>,
    /// Scopes that the token has to have, all of them.
    #[serde(default)]
    pub(crate) required_scopes: Vec<String>,
    /// Claim with the scopes; `scope`, else `scp`, if not given.
    #[serde(default)]
    pub(crate) scopes: Option<ClaimPath>,
    /// How far clocks may be apart: at most `5m`.
    #[serde(default = "default_leeway")]
    pub(crate) leeway: Duration,
    /// The longest time from `iat` to `exp`. Needs both.
    #[serde(default)]
    pub(crate) max_lifetime: Option<Duration>,
    /// Whether a token without `exp` is refused.
    #[serde(default = "yes")]
    pub(crate) require_exp: bool,
    /// Where the token is. If not given, in `Authorization` after `Bearer`.
    #[serde(default)]
    pub(crate) from: PlacesConfig,
    /// Whether the token is taken away before the request goes to the upstream.
    #[serde(default = "yes")]
    pub(crate) hide: bool,
    /// Headers that tell the upstream a claim. The client's own of these names are always taken away.
    #[serde(default)]
    pub(crate) claims_to_headers: BTreeMap<HeaderName, ClaimPath>,
    /// How the consumer is found.
    #[serde(default)]
    pub(crate) consumer: Option<ConsumerConfig>,
    /// Consumer as whom a request without a token is let in. A token that is not accepted is refused all the same.
    #[serde(default)]
    pub(crate) anonymous: Option<String>,
    /// The realm that `WWW-Authenticate` names.
    #[serde(default)]
    pub(crate) realm: auth::Realm,
}

fn default_leeway() -> Duration {
    Duration::from_secs(30)
}

fn yes() -> bool {
    true
}

/// Whom tokens have to be for.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Audiences {
    /// For one of these.
    List(#[schemars(length(min = 1, max = 64))] Vec<String>),
    /// For whomever.
    Any(Any),
}

/// The word `any`.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Any {
    /// Whatever it is.
    Any,
}

/// An issuer with its keys.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// Exact value of `iss`, or a list of them.
    issuer: OneOrMany<String>,
    /// With what its tokens are verified.
    keys: KeysConfig,
    /// Algorithms that are accepted; all that its keys are for if not given.
    #[serde(default)]
    algorithms: Option<Vec<Algorithm>>,
    /// One of these has to be in `aud`; or `"any"`.
    #[serde(default)]
    audiences: Option<Audiences>,
}

/// What a token says it is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
pub enum TokenType {
    /// An access token (RFC 9068 section 4): `at+jwt` or `application/at+jwt`.
    #[serde(rename = "at+jwt")]
    AccessToken,
    /// A JWT: `JWT` or `application/jwt`.
    #[serde(rename = "JWT")]
    Jwt,
    /// Whatever it is.
    #[serde(rename = "any")]
    Any,
}

impl TokenType {
    /// Whether `wanted`, or what is tolerated without, is what the token's `typ` says. It is a media type, so in any case, and
    /// `application/` may be left out (RFC 7515 section 4.1.9).
    pub(crate) fn fits(wanted: Option<Self>, typ: Option<&str>) -> bool {
        let is = |name: &str| {
            typ.is_some_and(|typ| {
                let prefix = typ.get(..12).filter(|prefix| prefix.eq_ignore_ascii_case("application/"));
                prefix.map_or(typ, |_| &typ[12..]).eq_ignore_ascii_case(name)
            })
        };
        match wanted {
            None => typ.is_none() || is("jwt") || is("at+jwt"),
            Some(Self::AccessToken) => is("at+jwt"),
            Some(Self::Jwt) => is("jwt"),
            Some(Self::Any) => true,
        }
    }
}

impl Config {
    /// The issuers, by either way to write them.
    pub(crate) fn issuers(&mut self) -> Result<Vec<Issuer>> {
        let shared = self.audiences.take();
        let audiences = |own: Option<Audiences>, place: &str| match own.or_else(|| shared.clone()) {
            Some(Audiences::List(list)) => Ok(Some(list)),
            Some(Audiences::Any(Any::Any)) => Ok(None),
            None => Err(Error::new(format!(
                "`{place}audiences` is missing: list whom tokens are for, or write \"any\""
            ))),
        };
        let Some(names) = self.issuer.take() else {
            ensure!(!self.issuers.is_empty(), "`issuer` is missing: say whose tokens are accepted");
            ensure!(self.issuers.len() <= MAX_ISSUERS, "`issuers` has at most {MAX_ISSUERS} entries");
            ensure!(self.keys.is_none(), "`keys` belongs to `issuer`: give each of `issuers` its own");
            ensure!(
                self.algorithms.is_none(),
                "`algorithms` belongs to `issuer`: give each of `issuers` its own"
            );
            let mut issuers: Vec<Issuer> = Vec::new();
            for (index, one) in std::mem::take(&mut self.issuers).into_iter().enumerate() {
                let place = format!("issuers[{index}].");
                let (names, audiences) = (one.issuer.into_vec(), audiences(one.audiences, &place)?);
                let mut known = issuers.iter().flat_map(|issuer| &issuer.names);
                if let Some(twice) = known.find(|name| names.contains(name)) {
                    bail!("`{place}issuer`: `{}` is there twice", twice.escape_debug());
                }
                issuers.push(Issuer::new(names, one.keys, one.algorithms.as_deref(), audiences, &place)?);
            }
            return Ok(issuers);
        };
        ensure!(self.issuers.is_empty(), "`issuer` and `issuers` are two ways to say the same: use one");
        let Some(keys) = self.keys.take() else {
            bail!("`keys` is missing: say with what tokens are verified")
        };
        let audiences = audiences(None, "")?;
        Ok(vec![Issuer::new(names.into_vec(), keys, self.algorithms.as_deref(), audiences, "")?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_media_types() {
        let fits = TokenType::fits;
        for (wanted, good, bad) in [
            (
                None,
                vec![None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("application/at+JWT")],
                vec![Some("dpop+jwt"), Some("logout+jwt"), Some(""), Some("application/")],
            ),
            (
                Some(TokenType::AccessToken),
                vec![Some("at+jwt"), Some("AT+JWT"), Some("Application/at+jwt")],
                vec![
                    None,
                    Some("JWT"),
                    Some("xat+jwt"),
                    Some("text/at+jwt"),
                    Some("application/ätt+jwt"),
                    Some("applicatioñ/jwt"),
                ],
            ),
            (Some(TokenType::Jwt), vec![Some("JWT"), Some("application/jwt")], vec![None, Some("at+jwt")]),
            (Some(TokenType::Any), vec![None, Some("dpop+jwt")], vec![]),
        ] {
            assert!(good.iter().all(|typ| fits(wanted, *typ)), "{wanted:?}");
            assert!(!bad.iter().any(|typ| fits(wanted, *typ)), "{wanted:?}");
        }
    }
}
