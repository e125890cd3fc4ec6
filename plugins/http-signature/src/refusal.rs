//! Why a request is not let in, and what the client is told.

use sluice_sdk::prelude::*;

/// What is wrong with a request. The words are for the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// It is not signed, or not with a signature that counts here.
    Missing(String),
    /// Nobody's key, or not this key's signature. Which of them is not told.
    Invalid(String),
    /// Too old, over, or from the future.
    Expired(String),
    /// It came before.
    Replayed,
    /// The signature leaves out what it has to cover or state.
    Incomplete(Vec<String>),
    /// It cannot be read.
    Malformed(String),
    /// The body is not the one that was digested.
    DigestMismatch(String),
    /// There is no digest that can be used.
    DigestMissing(String),
}

/// Why a check ended: the client's mistake, or the plugin's failure.
pub(crate) enum Stop {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What clients are told to do better.
pub(crate) struct Challenges {
    /// `WWW-Authenticate`, one value for each scheme.
    pub(crate) authenticate: Vec<String>,
    /// `Accept-Signature` for a request without a body.
    pub(crate) accept: String,
    /// `Accept-Signature` for a request with one.
    pub(crate) accept_with_body: String,
}

/// The digests that are understood (RFC 9530 section 4).
const WANT_DIGEST: (&str, &str) = ("want-content-digest", "sha-256=10, sha-512=9");

/// An answer to a signature that cannot be trusted.
fn untrusted(kind: &str, detail: impl Into<String>) -> Problem {
    Problem::unauthorized(detail).kind(kind)
}

impl Refusal {
    pub(crate) fn answer(self, challenges: &Challenges, has_body: bool) -> Verdict {
        let problem = match self {
            Self::Missing(detail) => untrusted("signature-missing", detail),
            Self::Invalid(detail) => untrusted("signature-invalid", detail),
            Self::Expired(detail) => untrusted("signature-expired", detail),
            Self::Replayed => untrusted("signature-replayed", "this signature was used before"),
            Self::Incomplete(missing) => {
                let detail = "the signature does not cover or state everything that it has to";
                untrusted("signature-incomplete", detail).with("missing", &missing)
            }
            Self::Malformed(detail) => {
                return Problem::bad_request(detail).kind("signature-malformed").into();
            }
            Self::DigestMismatch(detail) => {
                return Problem::bad_request(detail).kind("digest-mismatch").into();
            }
            Self::DigestMissing(detail) => {
                let problem = Problem::bad_request(detail).kind("digest-missing");
                return problem.header(WANT_DIGEST.0, WANT_DIGEST.1).into();
            }
        };
        let accept = if has_body { &challenges.accept_with_body } else { &challenges.accept };
        let problem = problem.header("accept-signature", accept);
        let named = challenges.authenticate.iter();
        named.fold(problem, |problem, value| problem.header("www-authenticate", value)).into()
    }
}
