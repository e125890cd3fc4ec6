//! What an active token has to be, beside active.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value as Json;
use sluice_sdk::crypto::Digest;
use sluice_sdk::prelude::*;

use crate::claim::Claims;
use crate::config::Config;
use crate::refusal::{Failure, Refusal};

const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// What the operator asks of tokens. Where a list is empty, anything goes.
pub(crate) struct Requirements {
    audiences: Vec<String>,
    issuers: Vec<String>,
    clients: Vec<String>,
    token_types: Vec<String>,
    scopes: Vec<String>,
    leeway: f64,
}

impl Requirements {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        ensure!(config.leeway <= MAX_LEEWAY, "`leeway` is at most 5m");
        let lists = [
            ("audiences", &config.audiences),
            ("issuers", &config.issuers),
            ("clients", &config.clients),
            ("token_types", &config.token_types),
        ];
        for (name, list) in lists {
            ensure!(list.iter().all(|value| !value.is_empty()), "`{name}` has an empty value");
        }
        let [audiences, issuers, clients, token_types] = lists.map(|(_, list)| list.clone().into_vec());
        Ok(Self {
            audiences,
            issuers,
            clients,
            token_types,
            scopes: config.required_scopes.clone(),
            leeway: config.leeway.get().as_secs_f64(),
        })
    }

    /// Checks everything but scopes. `now` is in seconds since 1970.
    pub(crate) fn check(&self, claims: &Claims, now: f64) -> Result<(), Refusal> {
        if time(claims, "exp")?.is_some_and(|exp| exp <= now - self.leeway) {
            return Err(Refusal::Expired);
        }
        if time(claims, "nbf")?.is_some_and(|nbf| nbf > now + self.leeway) {
            return Err(Refusal::NotYetValid);
        }
        let is_one_of = |wanted: &[String], claim: &str| {
            wanted.is_empty()
                || text(claims, claim).is_some_and(|value| wanted.iter().any(|one| one == value))
        };
        if !is_one_of(&self.issuers, "iss") {
            return Err(Refusal::Invalid("the token is of another issuer"));
        }
        if !is_one_of(&self.clients, "client_id") {
            return Err(Refusal::Invalid("the token was given to another client"));
        }
        let is_type = text(claims, "token_type")
            .is_some_and(|value| self.token_types.iter().any(|one| one.eq_ignore_ascii_case(value)));
        if !self.token_types.is_empty() && !is_type {
            return Err(Refusal::Invalid("the token is of another type"));
        }
        if !self.audiences.is_empty() && !self.is_for_us(claims) {
            return Err(Refusal::Invalid("the token is for somebody else"));
        }
        Ok(())
    }

    fn is_for_us(&self, claims: &Claims) -> bool {
        let is_ours =
            |value: &Json| value.as_str().is_some_and(|value| self.audiences.iter().any(|one| one == value));
        match claims.get("aud") {
            Some(Json::Array(list)) => list.iter().any(is_ours),
            Some(value) => is_ours(value),
            None => false,
        }
    }

    pub(crate) fn permit(&self, scopes: &[String]) -> Result<(), Refusal> {
        if self.scopes.iter().all(|scope| scopes.contains(scope)) { Ok(()) } else { Err(Refusal::Scope) }
    }
}

/// Who shows a token that is bound to a key has to prove that the key is his. A certificate (RFC 8705 section 3.2) proves it here;
/// no other proof is understood, so tokens that want one are no bearer tokens (RFC 9449 section 7.2).
pub(crate) fn check_binding(claims: &Claims, ctx: &Context) -> Result<(), Failure> {
    let is_bound_otherwise = text(claims, "token_type")
        .is_some_and(|value| value.eq_ignore_ascii_case("dpop") || value.eq_ignore_ascii_case("pop"));
    let confirmation = match claims.get("cnf") {
        None | Some(Json::Null) if !is_bound_otherwise => return Ok(()),
        Some(Json::Object(confirmation)) if !is_bound_otherwise => confirmation,
        _ => return Err(Refusal::Invalid("the token is bound to a key that was not shown").into()),
    };
    let thumbprint = confirmation.get("x5t#S256").and_then(Json::as_str).filter(|_| confirmation.len() == 1);
    let Some(thumbprint) = thumbprint else {
        return Err(Refusal::Invalid("the token is bound to a key that was not shown").into());
    };
    let Some(certificate) = ctx.client_certificate() else {
        return Err(Refusal::Invalid("the token is bound to a certificate that was not shown").into());
    };
    let shown = BASE64URL_NOPAD.encode(&crypto::digest(Digest::Sha256, certificate)?);
    if shown == thumbprint.trim_end_matches('=') {
        Ok(())
    } else {
        Err(Refusal::Invalid("the token is bound to another certificate").into())
    }
}

/// What a token permits: `scope` with blanks between; some servers write a list.
pub(crate) fn scopes(claims: &Claims) -> Vec<String> {
    match claims.get("scope") {
        Some(Json::String(text)) => {
            text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
        }
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Json::as_str)
}

/// Seconds since 1970. What is there but is no time cannot be honoured, so the token cannot be either.
fn time(claims: &Claims, name: &str) -> Result<Option<f64>, Refusal> {
    match claims.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or(Refusal::Invalid("a time of the token cannot be read")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scopes_are_a_text_or_a_list() {
        let read = |value: Json| scopes(value.as_object().unwrap()).join(",");
        assert_eq!(read(json!({ "scope": "a  b " })), "a,b");
        assert_eq!(read(json!({ "scope": ["a", 1, "b"] })), "a,b");
        assert_eq!(read(json!({ "scope": 5 })), "");
        assert_eq!(read(json!({})), "");
    }

    #[test]
    fn a_time_that_is_none_is_not_passed_over() {
        let read = |value: Json| time(value.as_object().unwrap(), "exp");
        assert_eq!(read(json!({ "exp": 1.5 })), Ok(Some(1.5)));
        assert_eq!(read(json!({})), Ok(None));
        for bad in [json!({ "exp": "1" }), json!({ "exp": [] }), json!({ "exp": true })] {
            assert!(read(bad).is_err());
        }
    }
}
