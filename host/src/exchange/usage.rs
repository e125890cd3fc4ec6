//! A route that the gateway serves itself: what the consumer used.

use http::{Request, Response, StatusCode};

use super::context::Context;
use super::failure::Failure;
use crate::body::Body;
use crate::problem_document::ProblemDocument;

/// What the consumer that the steps found has used. Nothing is kept of that yet, so there is nothing to tell.
pub(super) async fn usage(ctx: &mut Context, _request: Request<Body>) -> Result<Response<Body>, Failure> {
    let document = ProblemDocument::new(
        StatusCode::NOT_IMPLEMENTED,
        "usage-not-available",
        "this gateway does not tell what was used yet",
    );
    Ok(document.into_response(Some(&ctx.request_id)))
}
