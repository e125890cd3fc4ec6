//! What a step answers, as a response.

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use sluice_abi::{Origin, Reply};

use super::{Step, Visit};
use crate::body::Body;
use crate::problem_document::ProblemDocument;
use crate::wasm::ExchangeView;

/// Puts a step's response in the place of the one at hand; its body.
pub(super) async fn replace(visit: &Visit, response: Response<Body>) -> Body {
    let (parts, body) = response.into_parts();
    visit.slot.lend(|view| view.response = Some(parts)).await;
    body
}

/// A step's answer as a response.
pub(super) async fn render(visit: &Visit, step: &Step, reply: Reply) -> Response<Body> {
    // A request that is answered goes no further, but later phases may still ask what it was.
    let forget = |view: &mut ExchangeView| {
        drop(view.send_request());
        view.origin = Origin::Step;
        let is_head = view.sent.as_ref().is_some_and(|(method, _)| *method == Method::HEAD);
        (view.request_id.clone(), is_head)
    };
    let (request_id, is_head) = visit.slot.lend(forget).await;
    let (mut response, headers) = match reply {
        Reply::Plain { status, headers, body } => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() =
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (response, headers)
        }
        Reply::Problem { headers, problem } => {
            (ProblemDocument::of_plugin(problem, step.name()).into_response(Some(&request_id)), headers)
        }
    };
    for (name, value) in headers {
        // `respond` let only valid ones through.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&name), HeaderValue::from_bytes(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    // As an upstream would say it, for the steps that see it next.
    let has_body =
        !is_head && !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = response.body().exact().filter(|_| has_body) {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
