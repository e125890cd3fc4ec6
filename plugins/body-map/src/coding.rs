//! Content codings. A body is transformed as what it stands for, and goes on without its coding.

use sluice_sdk::prelude::*;

use crate::refusal::{Fault, Refusal};

/// The body without its codings, of at most `bound` bytes.
pub(crate) fn decode(headers: &Headers<'_>, body: Vec<u8>, bound: usize) -> Result<Vec<u8>, Refusal> {
    let codings = headers.get_all("content-encoding");
    let is_identity = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !codings.iter().all(is_identity) {
        return Err(Refusal::new(Fault::Coding, "a body with a `Content-Encoding` cannot be transformed"));
    }
    if body.len() > bound {
        return Err(Refusal::new(
            Fault::TooLarge,
            format!("the body is larger than the {bound} bytes of `max_size`"),
        ));
    }
    Ok(body)
}
