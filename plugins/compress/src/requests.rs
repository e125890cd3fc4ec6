//! Requests in a coding that the upstream does not know.

use sluice_sdk::Code;
use sluice_sdk::prelude::*;
use sluice_sdk_coding::{CodingError, applied, decode};

/// What this plugin decodes, for the answer to a client that sent something else.
const ACCEPTED: &str = "zstd, br, gzip, deflate";

/// Fields that speak of the body's bytes as they were.
const OUTDATED: [&str; 5] = ["content-encoding", "content-digest", "repr-digest", "digest", "content-md5"];

/// The codings of the request's body as one list.
fn codings(request: &Request) -> String {
    request
        .headers()
        .get_all("content-encoding")
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// Whether the request has a body to decode, or why it is answered before its body comes.
pub(crate) fn wants_decoding(request: &Request) -> Result<bool, Problem> {
    match applied(&codings(request)) {
        Ok(codings) => Ok(!codings.is_empty()),
        Err(error) => Err(problem(&error)),
    }
}

/// Puts the decoded body in the place of the encoded one.
pub(crate) fn decode_body(request: &mut Request, body: &mut Body, max: usize) -> Result<Verdict> {
    if !body.is_empty() {
        let encoded = body.bytes()?;
        let decoded = match decode(Some(&codings(request)), &encoded, max) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Verdict::respond(problem(&error))),
        };
        match body.set(decoded) {
            Ok(()) => {}
            // The operator's `limits.body` is smaller than `max`.
            Err(error) if error.code() == Some(Code::TooLarge) => {
                let detail = "the decoded body is larger than this plugin may write";
                return Ok(Verdict::respond(Problem::content_too_large(detail).kind(TOO_LARGE)));
            }
            Err(error) => return Err(error),
        }
    }
    for name in OUTDATED {
        request.headers_mut().remove(name)?;
    }
    Ok(Verdict::Continue)
}

const TOO_LARGE: &str = "decoded-body-too-large";

fn problem(error: &CodingError) -> Problem {
    let detail = error.to_string();
    match error {
        CodingError::TooLarge { bound } => {
            Problem::content_too_large(detail).kind(TOO_LARGE).with("limit", bound)
        }
        CodingError::Malformed { .. } => Problem::bad_request(detail).kind("body-not-decodable"),
        // RFC 9110 section 15.5.16: it was the coding, not the media type.
        _ => Problem::unsupported_media_type(detail)
            .kind("content-coding-unsupported")
            .header("accept-encoding", ACCEPTED),
    }
}
