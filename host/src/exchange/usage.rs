//! A route that the gateway serves itself: what the consumer used.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;

use super::context::Context;
use super::failure::Failure;
use crate::body::Body;
use crate::metering::report::{Parameters, Question, Refused};
use crate::metering::{Asker, Metering};
use crate::problem_document::ProblemDocument;
use crate::reports;

/// What the consumer that the steps found has used, and nothing of anybody else: nothing in the request says whose it is.
pub(super) async fn usage(
    ctx: &mut Context,
    metering: Option<&Arc<Metering>>,
    request: Request<Body>,
) -> Result<Response<Body>, Failure> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Failure::MethodNotAllowed(vec![Method::GET, Method::HEAD]));
    }
    let consumer =
        ctx.visit.as_ref().and_then(|visit| visit.with_view(|view| view.consumer.clone()).flatten());
    let Some(consumer) = consumer else {
        let detail = "no step of this route has found out who is asking";
        return Ok(refuse(ctx, StatusCode::FORBIDDEN, "consumer-unknown", detail));
    };
    let Some(metering) = metering else {
        return Ok(refuse(ctx, StatusCode::NOT_FOUND, "no-ledger", "nothing is metered here"));
    };
    let answered = async {
        let parameters = Parameters::of_query(request.uri().query(), Parameters::OWN)?;
        let question = Question::own(&consumer.name, &parameters, Timestamp::now())?;
        metering.ask(Asker::Consumer, question, ctx.snapshot.shared.tariff.catalog()).await
    };
    let answered: Result<_, Refused> = answered.await;
    Ok(reports::response(answered, false, Some(&ctx.request_id)))
}

fn refuse(ctx: &Context, status: StatusCode, kind: &str, detail: &str) -> Response<Body> {
    let mut response = ProblemDocument::new(status, kind, detail).into_response(Some(&ctx.request_id));
    reports::keep_private(response.headers_mut());
    response
}
