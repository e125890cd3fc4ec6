//! The only place where a failure becomes a status. The caller learns who failed, never how; the log learns both.

use http::{HeaderValue, Response, StatusCode, header};

use super::context::Context;
use super::failure::Failure;
use crate::body::{Body, BodyError, Origin};
use crate::chain::ChainFailure;
use crate::problem_document::ProblemDocument;
use crate::upstream::{UpstreamError, UpstreamErrorKind};

/// The response for a failure; notes on the exchange what failed.
pub(super) fn to(ctx: &mut Context, failure: Failure) -> Response<Body> {
    let (label, document) = document(&failure);
    let step = match &failure {
        Failure::Chain(
            ChainFailure::Step { step, .. }
            | ChainFailure::RequestTooLarge { step, .. }
            | ChainFailure::ResponseTooLarge { step, .. },
        ) => Some(std::sync::Arc::clone(step)),
        _ => None,
    };
    if let Failure::Upstream(upstream, error) = &failure {
        tracing::debug!(upstream = &**upstream, %error, request_id = ?ctx.request_id, "upstream failed");
    }
    let is_passing = matches!(failure, Failure::Chain(ChainFailure::NoRoom));
    ctx.failure = Some((label, step));
    let mut response = document.into_response(Some(&ctx.request_id));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_passing {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Failure::MethodNotAllowed(allow) = &failure {
        let allow: Vec<&str> = allow.iter().map(http::Method::as_str).collect();
        if let Ok(allow) = HeaderValue::try_from(allow.join(", ")) {
            headers.insert(header::ALLOW, allow);
        }
    }
    response
}

fn document(failure: &Failure) -> (&'static str, ProblemDocument) {
    match failure {
        Failure::NoRoute => problem("no-route", StatusCode::NOT_FOUND, "no route matches this request"),
        Failure::MethodNotAllowed(_) => problem(
            "method-not-allowed",
            StatusCode::METHOD_NOT_ALLOWED,
            "the route that matches this request does not serve its method",
        ),
        Failure::Deadline => problem(
            "exchange-timeout",
            StatusCode::GATEWAY_TIMEOUT,
            "the exchange took longer than this listener allows",
        ),
        Failure::Unrecorded => problem(
            "ledger-unavailable",
            StatusCode::SERVICE_UNAVAILABLE,
            "what this request used could not be recorded",
        ),
        Failure::Chain(failure) => of_chain(failure),
        Failure::Upstream(name, error) => {
            let (label, document) = of_upstream(error);
            (label, document.with("upstream", &**name))
        }
    }
}

fn problem(label: &'static str, status: StatusCode, detail: &str) -> (&'static str, ProblemDocument) {
    (label, ProblemDocument::new(status, label, detail))
}

fn of_chain(failure: &ChainFailure) -> (&'static str, ProblemDocument) {
    match failure {
        ChainFailure::Step { step, status, .. } => {
            let (label, document) = problem("step-failed", *status, "a step of this route failed");
            (label, document.with("step", &**step))
        }
        ChainFailure::RequestTooLarge { step, limit } => {
            let detail = format!("a step of this route takes request bodies of up to {limit} bytes");
            let (label, document) = problem("request-too-large", StatusCode::PAYLOAD_TOO_LARGE, &detail);
            (label, document.with("step", &**step).with("limit", *limit))
        }
        ChainFailure::ResponseTooLarge { step, limit } => {
            let detail = format!("a step of this route takes response bodies of up to {limit} bytes");
            let (label, document) = problem("response-too-large", StatusCode::BAD_GATEWAY, &detail);
            (label, document.with("step", &**step).with("limit", *limit))
        }
        ChainFailure::NoRoom => {
            problem("overloaded", StatusCode::SERVICE_UNAVAILABLE, "there is no room for the body now")
        }
        ChainFailure::Body(error) => of_body(error),
    }
}

fn of_body(error: &BodyError) -> (&'static str, ProblemDocument) {
    match (error.origin, error.kind) {
        (Origin::Client, "timeout") => {
            problem("request-timeout", StatusCode::REQUEST_TIMEOUT, "the request body did not arrive in time")
        }
        (Origin::Client, "too-large") => problem(
            "request-too-large",
            StatusCode::PAYLOAD_TOO_LARGE,
            "the request body is larger than this listener allows",
        ),
        (Origin::Client, _) => problem(
            "request-incomplete",
            StatusCode::BAD_REQUEST,
            "the request body ended early or is malformed",
        ),
        (Origin::Upstream, _) => {
            problem("upstream-incomplete", StatusCode::BAD_GATEWAY, "the upstream's response ended early")
        }
        (Origin::Step | Origin::Gateway, _) => {
            problem("body-failed", StatusCode::INTERNAL_SERVER_ERROR, "a body could not be passed on")
        }
    }
}

fn of_upstream(error: &UpstreamError) -> (&'static str, ProblemDocument) {
    match error.kind {
        UpstreamErrorKind::NoTarget => {
            problem("upstream-unreachable", StatusCode::SERVICE_UNAVAILABLE, "the upstream has no target")
        }
        UpstreamErrorKind::Resolve | UpstreamErrorKind::Connect => {
            problem("upstream-unreachable", StatusCode::BAD_GATEWAY, "the upstream cannot be reached")
        }
        UpstreamErrorKind::ConnectTimeout => problem(
            "upstream-unreachable",
            StatusCode::GATEWAY_TIMEOUT,
            "the upstream cannot be reached in time",
        ),
        UpstreamErrorKind::Timeout => {
            problem("upstream-timeout", StatusCode::GATEWAY_TIMEOUT, "the upstream did not answer in time")
        }
        UpstreamErrorKind::Reset => problem(
            "upstream-reset",
            StatusCode::BAD_GATEWAY,
            "the upstream closed the connection before it answered",
        ),
        UpstreamErrorKind::Protocol => {
            problem("upstream-protocol", StatusCode::BAD_GATEWAY, "the upstream's answer is not valid HTTP")
        }
        UpstreamErrorKind::RequestBody(origin, kind) => of_body(&BodyError::new(origin, kind)),
    }
}
