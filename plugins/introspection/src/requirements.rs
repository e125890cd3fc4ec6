//! What an active token has to be, beside active.

use serde_json::Value as Json;
use sluice_sdk::prelude::*;
use sluice_sdk_claims::{Claims, Leeway, Refusal, check_audience};

use crate::config::Config;

/// What the operator asks of tokens. Where a list is empty, anything goes.
pub(crate) struct Requirements {
    audiences: Vec<String>,
    issuers: Vec<String>,
    clients: Vec<String>,
    token_types: Vec<String>,
    leeway: Leeway,
}

impl Requirements {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let leeway = Leeway::new(config.leeway)?;
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
        Ok(Self { audiences, issuers, clients, token_types, leeway })
    }

    /// `now` is in seconds since 1970.
    pub(crate) fn check(&self, claims: &Claims, now: f64) -> Result<(), Refusal> {
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
        if !self.audiences.is_empty() {
            check_audience(claims, Some(&self.audiences))?;
        }
        // Last, so that of a token that is wrong otherwise too nobody learns its time.
        self.leeway.check(time(claims, "nbf")?, time(claims, "exp")?, now)
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
    fn a_time_that_is_none_is_not_passed_over() {
        let read = |value: Json| time(value.as_object().unwrap(), "exp");
        assert_eq!(read(json!({ "exp": 1.5 })), Ok(Some(1.5)));
        assert_eq!(read(json!({})), Ok(None));
        for bad in [json!({ "exp": "1" }), json!({ "exp": [] }), json!({ "exp": true })] {
            assert!(read(bad).is_err());
        }
    }
}
