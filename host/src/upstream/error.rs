//! Why an upstream gave no response.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::body::Origin;

#[derive(Debug)]
pub(crate) struct UpstreamError {
    pub(crate) kind: UpstreamErrorKind,
    /// `host:port` of the last target that was tried.
    pub(crate) target: Option<Arc<str>>,
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UpstreamErrorKind {
    /// Nothing to send to.
    NoTarget,
    /// The name of the target has no address.
    Resolve,
    Connect,
    ConnectTimeout,
    /// No response head in time.
    Timeout,
    /// The connection ended before a response head.
    Reset,
    /// What came is not HTTP.
    Protocol,
    /// The request's own body ended early: whose fault, and how.
    RequestBody(Origin, &'static str),
}

impl UpstreamErrorKind {
    /// A metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoTarget => "no-target",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect-timeout",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Protocol => "protocol",
            Self::RequestBody(..) => "request-body",
        }
    }
}

impl UpstreamError {
    pub(super) fn new(kind: UpstreamErrorKind, target: Option<&Arc<str>>) -> Self {
        Self { kind, target: target.cloned(), source: None }
    }

    pub(super) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for UpstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            UpstreamErrorKind::NoTarget => "there is no target",
            UpstreamErrorKind::Resolve => "the target's name has no address",
            UpstreamErrorKind::Connect => "the connection was refused or failed",
            UpstreamErrorKind::ConnectTimeout => "no connection in time",
            UpstreamErrorKind::Timeout => "no response in time",
            UpstreamErrorKind::Reset => "the connection ended before a response",
            UpstreamErrorKind::Protocol => "the response is not valid HTTP",
            UpstreamErrorKind::RequestBody(..) => "the request body ended early",
        };
        match &self.target {
            Some(target) => write!(f, "{what} (target {target})"),
            None => f.write_str(what),
        }
    }
}

impl Error for UpstreamError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
