//! Why a request is not let in.

use sluice_sdk::prelude::*;

/// What the client did wrong, or cannot have now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No token. 401, `token-missing`.
    Missing,
    /// More than one: it would be a guess whose request this is. 400, `token-ambiguous`.
    Several,
    /// A token that is not accepted, and what is wrong with it. 401, `token-invalid`.
    Invalid(&'static str),
    /// Revoked, expired, or never issued: its server does not tell which (RFC 7662 section 2.2). 401, `token-inactive`.
    Inactive,
    /// Its time is over. 401, `token-expired`.
    Expired,
    /// Its time has not come. 401, `token-not-yet-valid`.
    NotYetValid,
    /// It does not permit enough. 403, `insufficient-scope`.
    Scope,
    /// It belongs to nobody whom the gateway knows. 403, `consumer-unknown`.
    Consumer,
    /// Whether it is good cannot be found out at the moment, which is nobody's fault who sent it. 503.
    Unavailable {
        /// The problem's type.
        kind: &'static str,
        /// `Retry-After`: seconds after which it may be.
        retry_after: u32,
    },
}

/// Why a request was not let in: a refusal, which its client is told, or a failure of the policy's own, of which `on_error`
/// decides.
#[derive(Debug)]
pub enum Failure {
    /// What the client is told.
    Refused(Refusal),
    /// What the log is told.
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
