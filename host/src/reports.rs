//! Reports as responses: what the admin pages and the route of a consumer's own usage have in common.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::body::Body;
use crate::metering::report::{Document, Refused};
use crate::problem_document::ProblemDocument;

/// When to ask again, in seconds, if nobody can be answered at the moment.
const SOON: u64 = 1;

/// A report, or why there is none. What it says of the ledger's trouble is for operators: `detailed` is for them alone.
pub(crate) fn response(
    answered: Result<Document, Refused>,
    detailed: bool,
    request_id: Option<&HeaderValue>,
) -> Response<Body> {
    let mut response = match answered {
        Ok(document) => {
            let mut response = Response::new(Body::from(document.text));
            let content_type = HeaderValue::from_static(document.content_type);
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            response
        }
        Err(refused) => {
            let mut response = problem(&refused, detailed).into_response(request_id);
            if response.status() == StatusCode::SERVICE_UNAVAILABLE {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(SOON));
            }
            response
        }
    };
    keep_private(response.headers_mut());
    response
}

/// Nobody keeps it, and a browser takes it for nothing else than it is.
pub(crate) fn keep_private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // An invoice has a style of its own and nothing else.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
}

fn problem(refused: &Refused, detailed: bool) -> ProblemDocument {
    let text = refused.to_string();
    match refused {
        Refused::Parameter { name, problem } => {
            ProblemDocument::new(StatusCode::BAD_REQUEST, "invalid-parameter", problem)
                .with("parameter", &**name)
        }
        Refused::Consumer { .. } => ProblemDocument::new(StatusCode::NOT_FOUND, "consumer-unknown", &text),
        Refused::Unrated(_) => {
            ProblemDocument::new(StatusCode::INTERNAL_SERVER_ERROR, "invoice-failed", &text)
        }
        Refused::Conflict(_) => ProblemDocument::new(StatusCode::CONFLICT, "top-up-conflict", &text),
        Refused::Busy => ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "usage-busy", &text),
        Refused::Ledger(error) => {
            let detail = "the ledger cannot be read at the moment";
            let document =
                ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "ledger-unavailable", detail);
            if detailed { document.with("error", &**error) } else { document }
        }
    }
}
