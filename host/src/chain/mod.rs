//! The steps of a route: forward over the request, backward over the response. Knows nothing of sockets.

mod chunks;
mod circuit;
mod failure;
mod step;
mod visit;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use sluice_abi::{Outcome, Phase, Reply};

pub(crate) use circuit::Circuit;
pub(crate) use failure::{ChainFailure, FaultReport, FaultReports};
pub(crate) use step::Step;
pub(crate) use visit::Visit;

use crate::body::{Body, CollectError};
use crate::problem_document::ProblemDocument;
use crate::wasm::{Clockwork, ExchangeView};
use chunks::Chunks;

/// The steps of one route on one worker.
pub(crate) struct Chain {
    steps: Vec<Step>,
    /// Whether any step has the phase.
    phases: [bool; Phase::ALL.len()],
}

/// What became of the request.
pub(crate) enum Verdict {
    /// It goes on to the upstream.
    Continue(Request<Body>),
    /// A step answers instead.
    Respond(Response<Body>),
}

/// What a step that takes a body whole made of it.
enum Taken {
    Body(Body),
    Reply(Reply),
}

impl Chain {
    /// A chain of steps, in their order.
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        let mut phases = [false; Phase::ALL.len()];
        for phase in Phase::ALL {
            phases[phase as usize] = steps.iter().any(|step| step.has(phase));
        }
        Self { steps, phases }
    }

    /// The number of steps.
    pub(crate) const fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether any step has a phase.
    pub(crate) const fn has(&self, phase: Phase) -> bool {
        self.phases[phase as usize]
    }

    /// The request passes the steps, first to last.
    pub(crate) async fn on_request(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        request: Request<Body>,
    ) -> Result<Verdict, ChainFailure> {
        let (parts, mut body) = request.into_parts();
        visit.slot.lend(|view| view.request = Some(parts)).await;
        let mut clock = Clockwork::default();
        for (index, step) in self.steps.iter().enumerate() {
            visit.reached.set(index + 1);
            if step.has(Phase::Request)
                && let Some(reply) = step.call(visit, index, Phase::Request, false, &mut clock).await?
            {
                return Ok(Verdict::Respond(render(visit, step, reply).await));
            }
            if step.has(Phase::RequestBody) {
                clock.forget();
                match self.whole(visit, index, Phase::RequestBody, body).await? {
                    Taken::Body(taken) => body = taken,
                    Taken::Reply(reply) => return Ok(Verdict::Respond(render(visit, step, reply).await)),
                }
            } else if step.has(Phase::RequestChunk) {
                body = self.pass_chunks(visit, index, Phase::RequestChunk, body).await?;
            }
        }
        let parts = visit.slot.lend(ExchangeView::send_request).await;
        let mut request = Request::new(body);
        if let Some(parts) = parts {
            let (_, body) = request.into_parts();
            request = Request::from_parts(parts, body);
        }
        Ok(Verdict::Continue(request))
    }

    /// The response passes the steps that the request came to, last to first.
    pub(crate) async fn on_response(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        response: Response<Body>,
    ) -> Result<Response<Body>, ChainFailure> {
        if !(self.has(Phase::Response) || self.has(Phase::ResponseBody) || self.has(Phase::ResponseChunk)) {
            return Ok(response);
        }
        let (parts, mut body) = response.into_parts();
        visit.slot.lend(|view| view.response = Some(parts)).await;
        let mut clock = Clockwork::default();
        for index in (0..visit.reached.get()).rev() {
            let step = &self.steps[index];
            if step.has(Phase::Response)
                && let Some(reply) = step.call(visit, index, Phase::Response, false, &mut clock).await?
            {
                body = replace(visit, render(visit, step, reply).await).await;
            }
            if step.has(Phase::ResponseBody) && carries_body(visit).await {
                clock.forget();
                match self.whole(visit, index, Phase::ResponseBody, body).await? {
                    Taken::Body(taken) => body = taken,
                    Taken::Reply(reply) => body = replace(visit, render(visit, step, reply).await).await,
                }
            } else if step.has(Phase::ResponseChunk) && carries_body(visit).await {
                body = self.pass_chunks(visit, index, Phase::ResponseChunk, body).await?;
            }
        }
        let parts = visit.slot.lend(|view| view.response.take()).await;
        let mut response = Response::new(body);
        if let Some(parts) = parts {
            (*response.status_mut(), *response.version_mut()) = (parts.status, parts.version);
            *response.headers_mut() = parts.headers;
            *response.extensions_mut() = parts.extensions;
        }
        Ok(response)
    }

    /// After the last byte: the steps that the request came to are told how it ended.
    pub(crate) async fn on_complete(&self, visit: &Visit, outcome: Outcome) {
        visit.slot.lend(|view| view.outcome = Some(outcome)).await;
        let mut clock = Clockwork::default();
        for (index, step) in self.steps.iter().enumerate().take(visit.reached.get()) {
            if step.has(Phase::Complete) {
                // Nothing is left that a failure could change; it has been counted and reported.
                let _ = step.call(visit, index, Phase::Complete, false, &mut clock).await;
            }
        }
    }

    /// Reads a body to its end and shows it to a step.
    async fn whole(
        &self,
        visit: &Visit,
        index: usize,
        phase: Phase,
        body: Body,
    ) -> Result<Taken, ChainFailure> {
        let step = &self.steps[index];
        if visit.passes_over(index) {
            return Ok(Taken::Body(body));
        }
        let limit = step.body_limit();
        let (bytes, trailers) = body.collect_bounded(limit).await.map_err(|error| match error {
            CollectError::TooLarge if phase == Phase::RequestBody => {
                ChainFailure::RequestTooLarge { step: Arc::clone(step.name()), limit }
            }
            CollectError::TooLarge => ChainFailure::ResponseTooLarge { step: Arc::clone(step.name()), limit },
            // Where another step cut the body off, it is the one at fault.
            CollectError::Body(error) => visit.take_broken().unwrap_or(ChainFailure::Body(error)),
        })?;
        visit.slot.lend(|view| view.show_body(bytes)).await;
        if let Some(reply) = step.call(visit, index, phase, true, &mut Clockwork::default()).await? {
            return Ok(Taken::Reply(reply));
        }
        let (rewritten, bytes) = visit.slot.lend(|view| (view.written.is_some(), view.take_body())).await;
        if rewritten {
            forget_length(visit, phase).await;
        }
        Ok(Taken::Body(Body::from_parts(bytes, trailers)))
    }

    /// Lets a step see a body chunk by chunk, later, as it passes. One that is empty passes at once.
    async fn pass_chunks(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        index: usize,
        phase: Phase,
        body: Body,
    ) -> Result<Body, ChainFailure> {
        if visit.passes_over(index) {
            return Ok(body);
        }
        if !body.is_end_stream() {
            forget_length(visit, phase).await;
            return Ok(Body::stream(Chunks::new(Rc::clone(self), Rc::clone(visit), index, phase, body)));
        }
        visit.slot.lend(|view| view.show_body(Bytes::new())).await;
        self.steps[index].call(visit, index, phase, true, &mut Clockwork::default()).await?;
        let bytes = visit.slot.lend(ExchangeView::take_body).await;
        if !bytes.is_empty() {
            forget_length(visit, phase).await;
        }
        Ok(Body::from(bytes))
    }
}

/// A stated length no longer holds once a step may change the body.
async fn forget_length(visit: &Visit, phase: Phase) {
    let forget = |view: &mut ExchangeView| {
        let headers = match phase {
            Phase::RequestBody | Phase::RequestChunk => view.request.as_mut().map(|head| &mut head.headers),
            _ => view.response.as_mut().map(|head| &mut head.headers),
        };
        if let Some(headers) = headers {
            headers.remove(header::CONTENT_LENGTH);
        }
    };
    visit.slot.lend(forget).await;
}

/// Whether the response at hand has a body at all (RFC 9110 section 6.4.1).
async fn carries_body(visit: &Visit) -> bool {
    let carries = |view: &mut ExchangeView| {
        let head = view.sent.as_ref().is_some_and(|(method, _)| *method == Method::HEAD);
        let empty = view.response.as_ref().is_some_and(|response| {
            matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        });
        !head && !empty
    };
    visit.slot.lend(carries).await
}

/// Puts a step's response in the place of the one at hand; its body.
async fn replace(visit: &Visit, response: Response<Body>) -> Body {
    let (parts, body) = response.into_parts();
    visit.slot.lend(|view| view.response = Some(parts)).await;
    body
}

/// A step's answer as a response.
async fn render(visit: &Visit, step: &Step, reply: Reply) -> Response<Body> {
    // A request that is answered goes no further, but later phases may still ask what it was.
    let forget = |view: &mut ExchangeView| {
        drop(view.send_request());
        view.request_id.clone()
    };
    let request_id = visit.slot.lend(forget).await;
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
    response
}
