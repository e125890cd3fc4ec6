//! From a message to its script and back.

use sluice_sdk::prelude::*;

use crate::failure::Failure;
use crate::script::{Made, Script};
use crate::value::Val;

/// Fields that hold of the body as it came and of no other.
const OF_THE_BODY: [&str; 5] = ["content-digest", "content-encoding", "content-md5", "digest", "repr-digest"];

/// A message that has come.
pub(crate) struct Incoming {
    content_type: String,
    coding: String,
    body: Vec<u8>,
}

impl Incoming {
    pub(crate) fn new(headers: Headers<'_>, body: &Body) -> Result<Self> {
        let text =
            |name| headers.get_all(name).iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Ok(Self { content_type: text("content-type"), coding: text("content-encoding"), body: body.bytes()? })
    }

    /// What the script makes of it; none if it is not for the script.
    pub(crate) fn through(self, script: &Script, facts: &[Val]) -> Result<Option<Made>, Failure> {
        // An empty body is none: there is nothing to transform.
        if self.body.is_empty() || !script.takes(&self.content_type) || !script.applies(facts)? {
            return Ok(None);
        }
        let body = decode(&self.coding, self.body)?;
        script.make(body, facts).map(Some)
    }
}

/// Undoes the content codings. None can be undone yet.
fn decode(coding: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let mut codings = coding.split(',').map(str::trim).filter(|coding| !coding.is_empty());
    match codings.find(|coding| !coding.eq_ignore_ascii_case("identity")) {
        None => Ok(body),
        Some(coding) => Err(Failure::Coded(coding.to_owned())),
    }
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

/// Names the new body's type, and takes away what held of the old one.
pub(crate) fn clean(headers: &mut HeadersMut<'_>, content_type: &str) -> Result<()> {
    for name in OF_THE_BODY {
        headers.remove(name)?;
    }
    headers.set("content-type", content_type)
}

/// The response is no longer byte for byte what its validator stands for, nor are its ranges.
pub(crate) fn weaken(headers: &mut HeadersMut<'_>) -> Result<()> {
    headers.remove("accept-ranges")?;
    match headers.get("etag") {
        Some(tag) if !tag.as_bytes().starts_with(b"W/") => {
            headers.set("etag", [b"W/", tag.as_bytes()].concat())
        }
        _ => Ok(()),
    }
}
