//! A call's request as gRPC has it.

use data_encoding::{BASE64URL_NOPAD, Encoding};
use sluice_sdk::prelude::*;
use sluice_sdk_coding::{Coding, CodingError, decode};
use sluice_sdk_grpc::{FrameError, timeout};

use crate::call::{Call, Shape};

/// What the client says of its version: refused if it is another, or missing and wanted.
pub(crate) fn check_version(request: &Request, call: &Call, is_required: bool) -> Result<(), Problem> {
    let (told, expected, place) = match call.shape {
        Shape::Get => (request.query_param("connect"), "v1", "the query parameter `connect`"),
        Shape::Post | Shape::Stream => {
            let header = request.headers().get("connect-protocol-version");
            (header.map(|value| value.to_string()), "1", "the header `Connect-Protocol-Version`")
        }
    };
    match told {
        Some(told) if told != expected => {
            Err(invalid("connect-version-unsupported", format!("{place} has to be `{expected}`")))
        }
        None if is_required => {
            Err(invalid("connect-version-missing", format!("{place} is missing: it has to be `{expected}`")))
        }
        _ => Ok(()),
    }
}

/// Whether messages may be compressed with something.
pub(crate) fn names_coding(coding: Option<&str>) -> bool {
    !matches!(coding.unwrap_or_default().trim_ascii(), "" | "identity")
}

/// Whether messages are compressed: with gzip, the only coding that is known.
pub(crate) fn is_gzip(coding: Option<&str>) -> Result<bool, Problem> {
    match coding.unwrap_or_default().trim_ascii() {
        "" | "identity" => Ok(false),
        "gzip" => Ok(true),
        other => {
            let other: String = other.chars().take(32).collect();
            let detail = format!(
                "the compression `{}` is not supported: use `gzip` or `identity`",
                other.escape_debug()
            );
            Err(Problem::new(501, detail).kind("connect-compression-unsupported"))
        }
    }
}

/// The message without compression. One that is empty is never compressed.
pub(crate) fn decompress(message: &[u8], max: usize) -> Result<Vec<u8>, CodingError> {
    if message.is_empty() {
        return Ok(Vec::new());
    }
    decode(Some(Coding::Gzip.name()), message, max).map(std::borrow::Cow::into_owned)
}

pub(crate) fn refused_coding(error: &CodingError) -> Problem {
    match error {
        CodingError::TooLarge { bound } => too_large(format!("the message is larger than {bound} bytes")),
        _ => invalid("connect-malformed", format!("the message cannot be decompressed: {error}")),
    }
}

/// The type of what is no `invalid_argument`, though it is refused as a bad request: both protocols want `internal` for it.
pub(crate) const UNNAMED_COMPRESSION: &str = "connect-compression-unnamed";

pub(crate) fn refused_frame(error: FrameError) -> Problem {
    match error {
        FrameError::TooLarge { .. } => too_large(error.to_string()),
        FrameError::Compressed => invalid(UNNAMED_COMPRESSION, error.to_string()),
        _ => invalid("connect-malformed", error.to_string()),
    }
}

pub(crate) fn too_large(detail: impl Into<String>) -> Problem {
    Problem::content_too_large(detail).kind("connect-message-too-large")
}

fn invalid(kind: &str, detail: impl Into<String>) -> Problem {
    Problem::bad_request(detail).kind(kind)
}

/// How long the call may take, as gRPC writes it.
pub(crate) fn grpc_timeout(request: &Request) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get("connect-timeout-ms") else { return Ok(None) };
    match timeout::from_connect(value.as_bytes()) {
        Some(told) => Ok(Some(timeout::to_grpc(told))),
        None => {
            let detail = "`Connect-Timeout-Ms` is not a number of at most ten digits";
            Err(invalid("connect-timeout-invalid", detail))
        }
    }
}

/// Makes the head that of a gRPC request. Metadata stays.
pub(crate) fn rewrite(request: &mut Request, timeout: Option<&str>) -> Result<()> {
    request.mark_rewritten()?;
    request.set_method(&Method::Post)?;
    if request.query().is_some() {
        request.set_query("")?;
    }
    let mut headers = request.headers_mut();
    // A client that could write these would say to the service what this step says.
    headers.remove_prefix("grpc-")?;
    headers.remove_prefix("connect-")?;
    headers.remove("accept")?;
    headers.remove("accept-encoding")?;
    headers.set("content-type", "application/grpc+proto")?;
    timeout.map_or(Ok(()), |timeout| headers.set("grpc-timeout", timeout))
}

/// What a stream's messages in Protobuf may be compressed with, which is passed on: neither they nor the responses are looked into.
pub(crate) struct Codings {
    used: Option<HeaderValue>,
    accepted: Option<HeaderValue>,
}

impl Codings {
    pub(crate) fn of(request: &Request) -> Self {
        let used = request.headers().get("connect-content-encoding");
        let accepted = request.headers().get("connect-accept-encoding");
        // Who says nothing accepts what it uses itself.
        Self { accepted: accepted.or_else(|| used.clone()), used }
    }

    pub(crate) fn write(&self, request: &mut Request) -> Result<()> {
        for (name, value) in [("grpc-encoding", &self.used), ("grpc-accept-encoding", &self.accepted)] {
            if let Some(value) = value {
                request.headers_mut().set(name, value.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// The message of a GET, which is in its query.
pub(crate) fn message_of_query(request: &Request, call: &Call, max: usize) -> Result<Vec<u8>, Problem> {
    let Some(message) = request.query_param("message") else {
        return Err(invalid("connect-malformed", "the query parameter `message` is missing"));
    };
    let is_gzip = is_gzip(request.query_param("compression").as_deref())?;
    let message = if request.query_param("base64").is_some_and(|base64| base64 == "1") {
        let Some(bytes) = decode_base64(&message) else {
            return Err(invalid("connect-malformed", "the query parameter `message` is not valid Base64"));
        };
        bytes
    } else if (is_gzip || !call.is_json) && message.contains('\u{fffd}') {
        // Bytes that are no text do not survive percent-coding everywhere.
        return Err(invalid(
            "connect-malformed",
            "the query parameter `message` has bytes that want `base64=1`",
        ));
    } else {
        message.into_bytes()
    };
    if is_gzip { decompress(&message, max).map_err(|error| refused_coding(&error)) } else { Ok(message) }
}

/// In the alphabet for URLs, with padding or without.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    const CODING: Encoding = BASE64URL_NOPAD;
    CODING.decode(text.trim_end_matches('=').as_bytes()).ok()
}
