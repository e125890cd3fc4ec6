//! What a message is refused for: 4xx if it is the client's request, 502 if it is the upstream's response.

use sluice_sdk::prelude::*;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    NotJson,
    NotForm,
    DuplicateMember,
    AmbiguousType,
    MediaType,
    Coding,
    Damaged,
    Partial,
    TooLarge,
    TooComplex,
    HeadersTooLarge,
    Mismatch,
}

/// A message that is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) fault: Fault,
    pub(crate) detail: String,
    /// The operation that the message does not suit.
    pub(crate) operation: Option<String>,
}

/// Which message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl Fault {
    fn kind(self) -> &'static str {
        match self {
            Self::NotJson => "body-not-json",
            Self::NotForm => "body-not-form",
            Self::DuplicateMember => "body-duplicate-member",
            Self::AmbiguousType => "content-type-ambiguous",
            Self::MediaType => "media-type-unsupported",
            Self::Coding => "content-coding-unsupported",
            Self::Damaged => "content-coding-malformed",
            Self::Partial => "content-partial",
            Self::TooLarge => "body-too-large",
            Self::TooComplex => "body-too-complex",
            Self::HeadersTooLarge => "headers-too-large",
            Self::Mismatch => "body-mismatch",
        }
    }

    fn request_status(self) -> u16 {
        match self {
            Self::NotJson
            | Self::NotForm
            | Self::DuplicateMember
            | Self::AmbiguousType
            | Self::Damaged
            | Self::Partial => 400,
            Self::MediaType | Self::Coding => 415,
            Self::TooLarge | Self::TooComplex => 413,
            Self::Mismatch => 422,
            Self::HeadersTooLarge => 431,
        }
    }
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

impl Refusal {
    pub(crate) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), operation: None }
    }

    /// What the client is told.
    pub(crate) fn problem(self, side: Side) -> Problem {
        let problem = match side {
            Side::Request => Problem::new(self.fault.request_status(), self.detail),
            Side::Response => Problem::bad_gateway(format!("of the upstream's response: {}", self.detail)),
        };
        let problem = problem.kind(self.fault.kind());
        match self.operation {
            Some(operation) => problem.with("operation", &operation),
            None => problem,
        }
    }
}
