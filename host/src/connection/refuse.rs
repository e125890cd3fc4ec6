//! Requests that the edge answers itself, before any step, as problem documents (RFC 9457).

use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use super::frames::Offence;
use super::request_id;
use crate::body::Body;
use crate::problem_document::ProblemDocument;

/// Why a request went no further than the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed(&'static str),
    /// Of the path, what makes it ambiguous.
    Path(&'static str),
    UriTooLong,
    BodyTooLarge,
    HeadTooLarge,
    HeadTimeout,
    TransferEncoding,
    Version,
    Method,
    /// The connection was made for somebody else.
    Misdirected,
    /// As many requests are under way as may be.
    Overloaded,
    /// Of frames of HTTP/2. The connection ends, and no request is answered with it.
    Offence(Offence),
}

impl Refusal {
    /// A metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Path(_) => "ambiguous-path",
            Self::UriTooLong => "uri-too-long",
            Self::BodyTooLarge => "body-too-large",
            Self::HeadTooLarge => "head-too-large",
            Self::HeadTimeout => "head-timeout",
            Self::TransferEncoding => "transfer-encoding",
            Self::Version => "version",
            Self::Method => "method",
            Self::Misdirected => "misdirected",
            Self::Overloaded => "overloaded",
            Self::Offence(Offence::Flood(kind)) => kind,
            Self::Offence(Offence::Malformed(_)) => "malformed",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Path(_) => StatusCode::BAD_REQUEST,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::HeadTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TransferEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Offence(Offence::Flood(_)) => StatusCode::TOO_MANY_REQUESTS,
            Self::Offence(Offence::Malformed(_)) => StatusCode::BAD_REQUEST,
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::Malformed(detail) | Self::Path(detail) => detail,
            Self::UriTooLong => "the request target is longer than this listener allows",
            Self::BodyTooLarge => "the request body is larger than this listener allows",
            Self::HeadTooLarge => "the request head is larger than this listener allows",
            Self::HeadTimeout => "the request head did not arrive in time",
            Self::TransferEncoding => "the only transfer coding accepted here is `chunked`",
            Self::Version => "this listener does not speak that version of HTTP",
            Self::Method => "this method is not served here",
            Self::Overloaded => "as many requests are under way as this listener allows",
            Self::Misdirected => "the certificate of this connection is not made out to that host",
            Self::Offence(Offence::Malformed(detail)) => detail,
            Self::Offence(Offence::Flood(_)) => "this connection asks for too much that is of no use",
        }
    }

    pub(super) fn response(self) -> Response<Body> {
        let id = request_id::generate();
        let document = ProblemDocument::new(self.status(), self.as_str(), self.detail());
        let mut response = document.into_response(Some(&id));
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(request_id::X_REQUEST_ID, id);
        if self == Self::Overloaded {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self == Self::Method {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn every_refusal_is_a_valid_problem_document() {
        for refusal in [
            Refusal::Malformed("a `Host` is missing"),
            Refusal::Path("the path has a backslash"),
            Refusal::UriTooLong,
            Refusal::BodyTooLarge,
            Refusal::HeadTooLarge,
            Refusal::HeadTimeout,
            Refusal::TransferEncoding,
            Refusal::Version,
            Refusal::Method,
            Refusal::Misdirected,
            Refusal::Overloaded,
        ] {
            let response = refusal.response();
            let id = response.headers()[request_id::X_REQUEST_ID].to_str().unwrap().to_owned();
            let Body::Whole(bytes) = response.body() else { panic!("a problem has a body") };
            let document: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(document["status"], refusal.status().as_u16());
            assert_eq!(document["request_id"], id);
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        }
    }
}
