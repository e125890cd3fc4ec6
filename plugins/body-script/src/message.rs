//! From a message to its script and back.

use std::borrow::Cow;

use sluice_sdk::prelude::*;

use crate::failure::Failure;
use crate::script::{Made, Script};
use crate::value::Val;

/// A message that has come.
pub(crate) struct Incoming {
    content_type: String,
    coding: String,
    body: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(headers: &Headers<'_>, body: &Body) -> Result<Self> {
        let coding = field(headers, "content-encoding");
        Ok(Self { content_type: content_type(headers), coding, body: body.bytes()? })
    }

    /// What the script makes of it; none if it is not for the script.
    pub(crate) fn through(self, script: &Script, facts: &[Val]) -> Result<Option<Made>, Failure> {
        // An empty body is none: there is nothing to transform.
        if self.body.is_empty() || !script.takes(&self.content_type) || !script.applies(facts)? {
            return Ok(None);
        }
        let body = decode(&self.coding, self.body, script.max_size())?;
        script.make(body, facts).map(Some)
    }
}

/// All values of a field, as one.
fn field(headers: &Headers<'_>, name: &str) -> String {
    headers.get_all(name).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether the head says that there is nothing in the body.
pub(crate) fn is_empty(headers: &Headers<'_>) -> bool {
    headers.get("content-length").is_some_and(|length| length == "0")
}

pub(crate) fn content_type(headers: &Headers<'_>) -> String {
    field(headers, "content-type")
}

/// The body without its content codings, of at most `bound` bytes.
fn decode(coding: &str, body: Vec<u8>, bound: usize) -> Result<Vec<u8>, Failure> {
    let decoded = match sluice_sdk_coding::decode(Some(coding), &body, bound).map_err(Failure::Coding)? {
        Cow::Owned(decoded) => Some(decoded),
        Cow::Borrowed(_) => None,
    };
    Ok(decoded.unwrap_or(body))
}

/// Replaces the body; fails if the host says that it is too large.
pub(crate) fn replace(body: &mut Body, made: &str) -> Result<Result<(), Failure>> {
    match body.set(made) {
        Err(error) if error.code() == Some(sluice_sdk::Code::TooLarge) => {
            Ok(Err(Failure::TooLarge(made.len())))
        }
        other => other.map(Ok),
    }
}
