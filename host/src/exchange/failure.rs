//! How an exchange can fail. Whose fault it was is part of the failure; `respond` alone turns it into a status.

use std::sync::Arc;

use http::Method;

use crate::chain::ChainFailure;
use crate::upstream::UpstreamError;

/// How an exchange can fail.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No route matches.
    NoRoute,
    /// Routes match but for the method.
    MethodNotAllowed(Vec<Method>),
    /// A step failed, or a body that it had to wait for.
    Chain(ChainFailure),
    /// The upstream failed.
    Upstream(Arc<str>, UpstreamError),
    /// The exchange took longer than the listener allows.
    Deadline,
    /// The ledger could not be given what the exchange used.
    Unrecorded,
}

impl From<ChainFailure> for Failure {
    fn from(failure: ChainFailure) -> Self {
        Self::Chain(failure)
    }
}
