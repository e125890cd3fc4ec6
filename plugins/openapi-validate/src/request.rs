//! Requests: what is wrong with one, and what the client is told.

use std::borrow::Cow;

use sluice_sdk::prelude::*;
use sluice_sdk_coding::{CodingError, applied, decode};

use crate::api::{Found, OperationId};
use crate::check::{Check, CheckError, Head};
use crate::dialect::Direction;
use crate::finding::{Findings, Subject};
use crate::media::{Media, Syntax, narrowest};
use crate::operation::{Content, Operation};
use crate::{OpenApiValidate, joined};

/// Why a request should not go on.
pub(crate) enum Refused {
    UnknownOperation,
    /// The path has these methods only.
    UnknownMethod(String),
    /// The body is to be one of these media types.
    UnknownMedia(String),
    UnknownCoding,
    /// Without its coding the body is larger than this.
    TooLarge(usize),
    /// The body's values take more than this.
    TooComplex(usize),
    Invalid(Findings),
}

/// The declared content that a body is of.
pub(crate) enum Matched<'o> {
    Content(&'o Content, Syntax),
    /// There is no `Content-Type`: only without a body is that right.
    Untyped,
    Unknown,
}

impl Refused {
    /// For the log.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::UnknownOperation => "its path is not described".to_owned(),
            Self::UnknownMethod(_) => "its method is not described".to_owned(),
            Self::UnknownMedia(_) => "its media type is not described".to_owned(),
            Self::UnknownCoding => "its content coding cannot be undone".to_owned(),
            Self::TooLarge(bound) => {
                format!("without its coding, its body is larger than the {bound} bytes of `decoded_size`")
            }
            Self::TooComplex(bound) => too_complex("its body", *bound),
            Self::Invalid(findings) => findings.line(),
        }
    }

    /// For the client.
    pub(crate) fn answer(&self) -> Verdict {
        let problem = match self {
            Self::UnknownOperation => {
                Problem::not_found("the API does not describe this path").kind("operation-unknown")
            }
            Self::UnknownMethod(allow) => {
                Problem::method_not_allowed("the API does not describe this method of this path")
                    .kind("method-unknown")
                    .header("allow", allow)
            }
            Self::UnknownMedia(accept) => {
                Problem::unsupported_media_type("the API does not describe a body of this media type")
                    .kind("media-type-unknown")
                    .header("accept", accept)
            }
            Self::UnknownCoding => {
                Problem::unsupported_media_type("a body in this content coding cannot be checked")
                    .kind("content-coding-unknown")
                    .header("accept-encoding", "gzip, deflate, br, zstd")
            }
            Self::TooLarge(bound) => Problem::content_too_large(format!(
                "without its coding, the body is larger than the {bound} bytes of `decoded_size`"
            ))
            .kind("body-too-large"),
            Self::TooComplex(bound) => {
                Problem::content_too_large(too_complex("the body", *bound)).kind("body-too-complex")
            }
            Self::Invalid(findings) => Problem::bad_request("the request is not what the API describes")
                .kind("request-invalid")
                .with("errors", findings.as_slice()),
        };
        Verdict::respond(problem)
    }
}

fn too_complex(body: &str, bound: usize) -> String {
    format!("the values of {body} take more than the {bound} bytes of `body_memory`")
}

impl OpenApiValidate {
    pub(crate) fn check(&self, direction: Direction) -> Check<'_> {
        Check { api: &self.api, direction, memory: self.memory, findings: Findings::default() }
    }

    /// A body without its codings. One that has none is as it came: the gateway has bounded it.
    pub(crate) fn decode(&self, headers: Headers<'_>, body: Vec<u8>) -> Result<Vec<u8>, CodingError> {
        let codings = joined(headers, "content-encoding", ",").unwrap_or_default();
        if applied(&codings)?.is_empty() {
            return Ok(body);
        }
        decode(Some(&codings), &body, self.decoded).map(Cow::into_owned)
    }

    /// The length that the head tells of a body, if that is more than would be looked at.
    pub(crate) fn oversized(&self, headers: Headers<'_>) -> Option<usize> {
        let length = headers.get("content-length")?.as_str()?.parse().ok()?;
        (length > self.decoded).then_some(length)
    }

    /// The operation that a request means, and what is wrong with its head.
    pub(crate) fn check_request(&self, request: &Request) -> Result<(Option<OperationId>, Option<Refused>)> {
        let (id, path) = match self.api.find(&request.method(), &request.path()) {
            Found::Operation(id, path) => (id, path),
            Found::OtherMethods(allow) => return Ok((None, Some(Refused::UnknownMethod(allow)))),
            Found::Nothing => return Ok((None, Some(Refused::UnknownOperation))),
        };
        let operation = self.api.operation(id)?;
        let mut check = self.check(Direction::Request);
        let headers = request.headers();
        let head = Head {
            path: &path,
            query: &request.query().unwrap_or_default(),
            cookies: &joined(headers, "cookie", "; ").unwrap_or_default(),
            header: &|name| joined(headers, name, ","),
        };
        check.parameters(&operation, &head, self.unknown_query)?;
        let refused = if check.findings.is_empty() {
            let body = operation.body.as_ref().map(|body| matching(&body.content, headers));
            matches!(body, Some(Matched::Unknown)).then(|| unknown_media(&operation))
        } else {
            Some(Refused::Invalid(check.findings))
        };
        Ok((Some(id), refused))
    }

    /// Whether there is anything in a body that could be wrong.
    pub(crate) fn wants_body(&self, id: OperationId, request: &Request) -> Result<bool> {
        let operation = self.api.operation(id)?;
        let Some(body) = &operation.body else { return Ok(false) };
        Ok(body.required
            || match matching(&body.content, request.headers()) {
                Matched::Content(content, syntax) => content.is_checked(syntax),
                Matched::Untyped | Matched::Unknown => true,
            })
    }

    pub(crate) fn check_request_body(
        &self,
        id: OperationId,
        request: &Request,
        body: &Body,
    ) -> Result<Option<Refused>> {
        let operation = self.api.operation(id)?;
        let Some(declared) = &operation.body else { return Ok(None) };
        let mut check = self.check(Direction::Request);
        if body.is_empty() {
            if declared.required {
                check.findings.push(Subject::BODY.finding("is required"));
            }
            return Ok(Some(check.findings).filter(|findings| !findings.is_empty()).map(Refused::Invalid));
        }
        let Matched::Content(content, syntax) = matching(&declared.content, request.headers()) else {
            return Ok(Some(unknown_media(&operation)));
        };
        if !content.is_checked(syntax) {
            return Ok(None);
        }
        let bytes = match self.decode(request.headers(), body.bytes()?) {
            Ok(bytes) => bytes,
            Err(CodingError::TooLarge { bound }) => return Ok(Some(Refused::TooLarge(bound))),
            Err(error @ CodingError::Malformed { .. }) => {
                check.findings.push(Subject::BODY.finding(error.to_string()));
                return Ok(Some(Refused::Invalid(check.findings)));
            }
            Err(_) => return Ok(Some(Refused::UnknownCoding)),
        };
        match check.body(content, syntax, &bytes) {
            Ok(()) if check.findings.is_empty() => Ok(None),
            Ok(()) => Ok(Some(Refused::Invalid(check.findings))),
            Err(CheckError::TooComplex) => Ok(Some(Refused::TooComplex(self.memory))),
            Err(CheckError::Failed(error)) => Err(error),
        }
    }
}

/// Which of the declared contents a message's is.
pub(crate) fn matching<'o>(declared: &'o [Content], headers: Headers<'_>) -> Matched<'o> {
    let Some(media) = joined(headers, "content-type", ",") else { return Matched::Untyped };
    let Some(media) = Media::parse(&media) else { return Matched::Unknown };
    match narrowest(declared.iter().map(|content| &content.media), &media) {
        Some(at) => Matched::Content(&declared[at], media.syntax()),
        None => Matched::Unknown,
    }
}

fn unknown_media(operation: &Operation) -> Refused {
    let content = operation.body.iter().flat_map(|body| &body.content);
    Refused::UnknownMedia(content.map(|content| content.range.as_str()).collect::<Vec<_>>().join(", "))
}
