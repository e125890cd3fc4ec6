//! Why a request is not let in, and what its client is told (RFC 6750 section 3).

use sluice_sdk::prelude::*;

/// What the client did wrong, or cannot have now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// No token.
    Missing,
    /// More than one: it would be a guess whose request this is.
    Several,
    /// Revoked, expired, or never issued: the server does not tell which.
    Inactive,
    /// A token that is not accepted here.
    Invalid(&'static str),
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It does not permit enough.
    Scope,
    /// It belongs to nobody whom the gateway knows.
    Consumer,
    /// Nobody can be asked at the moment.
    Unavailable,
}

/// A refusal, or a failure of the plugin's own.
#[derive(Debug)]
pub(crate) enum Failure {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Seconds after which the server may be there again.
const RETRY_AFTER: &str = "5";

/// What every answer is made with.
pub(crate) struct Answers {
    realm: String,
    /// The scopes that a token needs, with blanks between.
    scope: String,
}

impl Answers {
    pub(crate) fn new(realm: String, required_scopes: &[String]) -> Result<Self> {
        let is_text = |c: char| !c.is_control() && !matches!(c, '"' | '\\');
        ensure!(
            !realm.is_empty() && realm.chars().all(is_text),
            "`realm` is empty, or has a quote, a backslash or a control character in it"
        );
        // RFC 6749 section 3.3: what stands in `scope` has blanks between and no quotes.
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        ensure!(
            required_scopes.iter().all(is_scope),
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
            Refusal::Inactive => self.invalid("token-inactive", "the token is not active"),
            Refusal::Invalid(detail) => self.invalid("token-invalid", detail),
            Refusal::Expired => self.invalid("token-expired", "the token has expired"),
            Refusal::NotYetValid => self.invalid("token-not-yet-valid", "the token is not valid yet"),
            Refusal::Scope => {
                let detail = "the token does not permit this";
                let parameters =
                    [("error", "insufficient_scope"), ("error_description", detail), ("scope", &self.scope)];
                self.challenged(Problem::forbidden(detail).kind("insufficient-scope"), &parameters)
            }
            Refusal::Consumer => {
                Problem::forbidden("the token belongs to nobody who is known here").kind("consumer-unknown")
            }
            Refusal::Unavailable => Problem::unavailable("tokens cannot be verified at the moment")
                .kind("introspection-unavailable")
                .header("retry-after", RETRY_AFTER),
        }
    }

    fn invalid(&self, kind: &str, detail: &str) -> Problem {
        self.told(Problem::unauthorized(detail).kind(kind), "invalid_token", detail)
    }

    fn told(&self, problem: Problem, error: &str, description: &str) -> Problem {
        self.challenged(problem, &[("error", error), ("error_description", description)])
    }

    fn challenged(&self, problem: Problem, parameters: &[(&str, &str)]) -> Problem {
        let parameters = [&[("realm", self.realm.as_str())], parameters].concat();
        problem.header("www-authenticate", auth::challenge("Bearer", &parameters))
    }
}
