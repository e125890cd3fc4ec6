//! How a step ends an exchange without meaning to, and the report of it.

use std::sync::Arc;

use http::StatusCode;
use sluice_abi::Phase;
use tokio::sync::mpsc;

use crate::body::BodyError;
use crate::wasm::FaultKind;

/// Why the chain could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChainFailure {
    /// A step faulted and is configured to deny, or to answer with a status.
    #[error("step `{step}` failed: {cause}")]
    Step { step: Arc<str>, cause: &'static str, status: StatusCode },
    /// The request's body is longer than a step that wants it whole may hold.
    #[error("the request body is longer than the {limit} bytes that step `{step}` may hold")]
    RequestTooLarge { step: Arc<str>, limit: usize },
    /// The response's body is.
    #[error("the response body is longer than the {limit} bytes that step `{step}` may hold")]
    ResponseTooLarge { step: Arc<str>, limit: usize },
    /// Bodies that are held whole take all the room that there is.
    #[error("there is no room for a body")]
    NoRoom,
    /// A body ended early while a step waited for all of it.
    #[error("{0}")]
    Body(BodyError),
}

/// A fault as it is told to the control runtime, which logs and remembers it.
#[derive(Debug)]
pub(crate) struct FaultReport {
    pub(crate) plugin: Arc<str>,
    pub(crate) route: Arc<str>,
    pub(crate) step: Arc<str>,
    pub(crate) phase: Phase,
    pub(crate) kind: FaultKind,
    pub(crate) message: String,
    pub(crate) backtrace: Vec<String>,
    pub(crate) request_id: String,
    /// Whether this fault opened the step's circuit on this worker.
    pub(crate) opened_circuit: bool,
}

/// Where reports go. Bounded: under a storm of faults some are only counted.
pub(crate) type FaultReports = mpsc::Sender<FaultReport>;
