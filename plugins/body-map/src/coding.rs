//! Content codings. A body is transformed as what it stands for, and goes on without its coding.

use sluice_sdk::prelude::*;
use sluice_sdk_coding::CodingError;

use crate::refusal::{Fault, Refusal};

/// The body without its codings, of at most `bound` bytes.
pub(crate) fn decode(headers: &Headers<'_>, body: &[u8], bound: usize) -> Result<Vec<u8>, Refusal> {
    let lines = headers.get_all("content-encoding");
    let codings: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let codings = (!codings.is_empty()).then(|| codings.join(", "));
    let decoded = sluice_sdk_coding::decode(codings.as_deref(), body, bound);
    decoded.map(std::borrow::Cow::into_owned).map_err(|error| match error {
        CodingError::TooLarge { bound } => {
            Refusal::new(Fault::TooLarge, format!("the body is larger than the {bound} bytes of `max_size`"))
        }
        CodingError::Malformed { .. } => Refusal::new(Fault::Damaged, error.to_string()),
        _ => Refusal::new(Fault::Coding, error.to_string()),
    })
}
