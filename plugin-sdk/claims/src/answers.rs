//! What the client of a refused request is told (RFC 6750 section 3).

use sluice_sdk::prelude::*;

use crate::{Refusal, is_scope};

/// What every answer is made with.
pub(crate) struct Answers {
    realm: auth::Realm,
    /// The scopes that a token needs, with blanks between.
    scope: String,
}

impl Answers {
    pub(crate) fn new(realm: auth::Realm, required_scopes: &[String]) -> Result<Self> {
        ensure!(
            required_scopes.iter().all(|scope| is_scope(scope)),
            "`required_scopes`: a scope is of visible ASCII characters but quotes and backslashes"
        );
        Ok(Self { realm, scope: required_scopes.join(" ") })
    }

    pub(crate) fn answer(&self, refusal: Refusal) -> Problem {
        match refusal {
            // RFC 6750 section 3.1: nothing was shown, so nothing was wrong with it.
            Refusal::Missing => self
                .challenged(Problem::unauthorized("a bearer token is required").kind("token-missing"), &[]),
            Refusal::Several => {
                let detail = "more than one token was sent";
                self.told(Problem::bad_request(detail).kind("token-ambiguous"), "invalid_request", detail)
            }
            Refusal::Invalid(detail) => self.invalid("token-invalid", detail),
            Refusal::Inactive => self.invalid("token-inactive", "the token is not active"),
            Refusal::Expired => self.invalid("token-expired", "the token has expired"),
            Refusal::NotYetValid => self.invalid("token-not-yet-valid", "the token is not valid yet"),
            Refusal::Scope => {
                let detail = "the token does not permit this";
                let parameters =
                    [("error", "insufficient_scope"), ("error_description", detail), ("scope", &self.scope)];
                self.challenged(Problem::forbidden(detail).kind("insufficient-scope"), &parameters)
            }
            // No challenge with these: no other token of this client's would fare better.
            Refusal::Consumer => {
                Problem::forbidden("the token belongs to nobody who is known here").kind("consumer-unknown")
            }
            Refusal::Unavailable { kind, retry_after } => {
                Problem::unavailable("tokens cannot be verified at the moment")
                    .kind(kind)
                    .header("retry-after", retry_after.to_string())
            }
        }
    }

    fn invalid(&self, kind: &str, detail: &str) -> Problem {
        self.told(Problem::unauthorized(detail).kind(kind), "invalid_token", detail)
    }

    fn told(&self, problem: Problem, error: &str, description: &str) -> Problem {
        self.challenged(problem, &[("error", error), ("error_description", description)])
    }

    fn challenged(&self, problem: Problem, parameters: &[(&str, &str)]) -> Problem {
        problem.header("www-authenticate", self.realm.challenge("Bearer", parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(required_scopes: &[&str]) -> Result<Answers> {
        let scopes: Vec<_> = required_scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Answers::new(auth::Realm::default(), &scopes)
    }

    #[test]
    fn the_challenge_says_what_is_wrong_with_a_token() {
        let answers = answers(&["read", "orders:write"]).unwrap();
        let problem = |status, kind: &str, detail: &str, challenge: &str| {
            Problem::new(status, detail).kind(kind).header("www-authenticate", challenge)
        };
        for (refusal, answer) in [
            (
                Refusal::Missing,
                problem(401, "token-missing", "a bearer token is required", r#"Bearer realm="api""#),
            ),
            (
                Refusal::Several,
                problem(
                    400,
                    "token-ambiguous",
                    "more than one token was sent",
                    r#"Bearer realm="api", error="invalid_request", error_description="more than one token was sent""#,
                ),
            ),
            (
                Refusal::Invalid("it is wrong"),
                problem(
                    401,
                    "token-invalid",
                    "it is wrong",
                    r#"Bearer realm="api", error="invalid_token", error_description="it is wrong""#,
                ),
            ),
            (
                Refusal::Scope,
                problem(
                    403,
                    "insufficient-scope",
                    "the token does not permit this",
                    r#"Bearer realm="api", error="insufficient_scope", error_description="the token does not permit this", scope="read orders:write""#,
                ),
            ),
        ] {
            assert_eq!(answers.answer(refusal), answer);
        }
    }

    #[test]
    fn what_no_other_token_would_mend_has_no_challenge() {
        let answers = answers(&[]).unwrap();
        let refusal = Refusal::Unavailable { kind: "keys-unavailable", retry_after: 10 };
        let unavailable = Problem::unavailable("tokens cannot be verified at the moment");
        assert_eq!(answers.answer(refusal), unavailable.kind("keys-unavailable").header("retry-after", "10"));
        let unknown = Problem::forbidden("the token belongs to nobody who is known here");
        assert_eq!(answers.answer(Refusal::Consumer), unknown.kind("consumer-unknown"));
    }

    #[test]
    fn scopes_fit_into_a_challenge() {
        for bad in ["", "a b", "a\"b", "a\\b", "é", "a\n"] {
            assert!(answers(&["good", bad]).is_err(), "{bad:?}");
        }
        assert!(answers(&["orders:read"]).is_ok());
    }
}
