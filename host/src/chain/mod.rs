//! The steps of a route: forward over the request, backward over the response. Knows nothing of sockets.

mod before;
mod chunks;
mod circuit;
mod failure;
mod group;
mod metered;
mod step;
mod visit;

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use sluice_abi::{BodyMode, Origin, Outcome, Phase, Reply};

pub(crate) use circuit::Circuit;
pub(crate) use failure::{ChainFailure, FaultReport, FaultReports};
pub(crate) use group::Group;
pub(crate) use step::Step;
pub(crate) use visit::Visit;

use crate::body::{Body, CollectError};
use crate::problem_document::ProblemDocument;
use crate::wasm::{Clockwork, ExchangeView};
use before::Before;
use chunks::Chunks;
use visit::Message;

/// The steps of one route on one worker.
pub(crate) struct Chain {
    steps: Vec<Step>,
    /// Those that stand for each other, in their order.
    groups: Vec<Group>,
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

/// How much of a response the steps see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Whole,
    /// Its head alone: the body is the gateway's own.
    Head,
}

/// What a step that takes a body whole made of it.
enum Taken {
    Body(Body),
    /// With the place of the step that answers.
    Reply(usize, Reply),
}

impl Chain {
    /// A chain of steps, in their order, some of which stand for each other.
    pub(crate) fn new(mut steps: Vec<Step>, groups: Vec<Group>) -> Self {
        for index in groups.iter().flat_map(Group::steps) {
            steps[index].must_be_asked();
        }
        for step in steps.iter_mut().filter(|step| step.metered().is_some()) {
            step.must_be_asked();
        }
        let mut phases = [false; Phase::ALL.len()];
        for phase in Phase::ALL {
            phases[phase as usize] = steps.iter().any(|step| step.has(phase));
        }
        Self { steps, groups, phases }
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
        let mut groups = self.groups.iter();
        let mut group = groups.next();
        let mut index = 0;
        while index < self.steps.len() {
            let steps = match group.filter(|group| group.steps().start == index) {
                Some(alternatives) => {
                    group = groups.next();
                    if let Some((index, reply)) = self.admit(visit, alternatives, &mut clock).await? {
                        return Ok(Verdict::Respond(render(visit, &self.steps[index], reply).await));
                    }
                    alternatives.steps()
                }
                None => {
                    visit.reached.set(index + 1);
                    let step = &self.steps[index];
                    if step.has(Phase::Request) {
                        if let Some(reply) =
                            step.call(visit, index, Phase::Request, false, &mut clock).await?
                        {
                            return Ok(Verdict::Respond(render(visit, step, reply).await));
                        }
                        self.note_body_mode(visit, index, Message::Request);
                    }
                    index..index + 1
                }
            };
            index = steps.end;
            for index in steps {
                match self.request_body(visit, index, body, &mut clock).await? {
                    Taken::Body(taken) => body = taken,
                    Taken::Reply(index, reply) => {
                        return Ok(Verdict::Respond(render(visit, &self.steps[index], reply).await));
                    }
                }
                if let Some(response) = self.admit_metered(visit, index).await {
                    return Ok(Verdict::Respond(response));
                }
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

    /// The response passes the steps that the request came to, last to first. Where it is lost on that way, the answer to that
    /// passes those that are left.
    pub(crate) async fn on_response(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        response: Response<Body>,
        mut show: Show,
    ) -> Result<Response<Body>, ChainFailure> {
        if !(self.has(Phase::Response) || self.has(Phase::ResponseBody) || self.has(Phase::ResponseChunk)) {
            return Ok(response);
        }
        let (parts, mut body) = response.into_parts();
        let lay_out = |view: &mut ExchangeView| {
            // Still there if the exchange failed on its way.
            drop(view.send_request());
            view.response = Some(parts);
            if show == Show::Head {
                view.origin = Origin::Gateway;
            }
        };
        visit.slot.lend(lay_out).await;
        let mut clock = Clockwork::default();
        for index in (0..visit.reached.get().min(visit.waiting.get())).rev() {
            visit.waiting.set(index + 1);
            let step = &self.steps[index];
            if visit.steps[index].failed.get() {
                continue;
            }
            let sees_bodies = step.has(Phase::ResponseBody) || step.has(Phase::ResponseChunk);
            if step.has(Phase::Response) {
                // What such a step does to a head fits what it is about to do to the body.
                let before = match show {
                    Show::Head if sees_bodies => Some(visit.slot.lend(|view| Before::of(view)).await),
                    _ => None,
                };
                if let Some(reply) = step.call(visit, index, Phase::Response, false, &mut clock).await? {
                    body = replace(visit, render(visit, step, reply).await).await;
                    show = Show::Whole;
                    // Its answer is as it wants it.
                    self.leave_body(visit, index);
                    continue;
                } else if let Some(before) = before {
                    visit.slot.lend(|view| before.restore(view)).await;
                }
                self.note_body_mode(visit, index, Message::Response);
            }
            if !sees_bodies || show == Show::Head || !visit.wants_body(index, Message::Response) {
                continue;
            }
            if !carries_body(visit).await {
                // What it says of the body that is not there (RFC 9110 section 8.6) is not known any more.
                forget_length(visit, Phase::Response).await;
                continue;
            }
            clock.forget();
            body = match self.show_body(visit, index, Message::Response, body).await? {
                Taken::Body(taken) => taken,
                Taken::Reply(index, reply) => {
                    replace(visit, render(visit, &self.steps[index], reply).await).await
                }
            };
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
        let end = |view: &mut ExchangeView| {
            view.outcome = Some(outcome);
            // Nobody waits any more.
            view.store_budget = None;
        };
        visit.slot.lend(end).await;
        let mut clock = Clockwork::default();
        for (index, step) in self.steps.iter().enumerate().take(visit.reached.get()) {
            if step.has(Phase::Complete) {
                // Nothing is left that a failure could change; it has been counted and reported.
                let _ = step.call(visit, index, Phase::Complete, false, &mut clock).await;
            }
        }
    }

    /// How a step that has a phase for a body takes the one that follows, which it may say when it sees the head.
    fn note_body_mode(&self, visit: &Visit, index: usize, message: Message) {
        let (whole, chunk) = message.phases();
        if self.steps[index].has(whole) || self.steps[index].has(chunk) {
            visit.note_body_mode(index, message);
            if message == Message::Response && !visit.wants_body(index, message) {
                self.leave_body(visit, index);
            }
        }
    }

    /// The response's body does not come to a step.
    fn leave_body(&self, visit: &Visit, index: usize) {
        visit.set_body_mode(index, Message::Response, Some(BodyMode::Skip));
        if !self.steps[index].has(Phase::Complete) {
            // Nothing of this exchange comes to it any more: an instance that it keeps is free for another.
            visit.steps[index].own.replace(None);
        }
    }

    /// Shows the request's body to a step that wants it.
    async fn request_body(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        index: usize,
        body: Body,
        clock: &mut Clockwork,
    ) -> Result<Taken, ChainFailure> {
        let step = &self.steps[index];
        if !(step.has(Phase::RequestBody) || step.has(Phase::RequestChunk))
            || !visit.wants_body(index, Message::Request)
        {
            return Ok(Taken::Body(body));
        }
        clock.forget();
        self.show_body(visit, index, Message::Request, body).await
    }

    /// Shows a body to a step as it takes it.
    async fn show_body(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        index: usize,
        message: Message,
        body: Body,
    ) -> Result<Taken, ChainFailure> {
        let (whole, chunk) = message.phases();
        let step = &self.steps[index];
        let takes_whole = match visit.body_mode(index, message) {
            Some(mode) => mode == BodyMode::Whole,
            None => !step.has(chunk),
        };
        if takes_whole {
            self.whole(visit, index, whole, body).await
        } else {
            self.pass_chunks(visit, index, chunk, body).await
        }
    }

    /// The answer of a step that saw the request's body pass and let no more of it through.
    pub(crate) async fn take_answer(&self, visit: &Visit) -> Option<Response<Body>> {
        let (index, reply) = visit.answer.borrow_mut().take()?;
        Some(render(visit, &self.steps[index], reply).await)
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
        let limit = step.body_limit();
        let (bytes, trailers) = match body.collect_bounded(limit).await {
            Ok(collected) => collected,
            Err(CollectError::TooLarge) => {
                let step = Arc::clone(step.name());
                return Err(if phase == Phase::RequestBody {
                    ChainFailure::RequestTooLarge { step, limit }
                } else {
                    ChainFailure::ResponseTooLarge { step, limit }
                });
            }
            Err(CollectError::Body(error)) => {
                // Where another step cut the body off, that one has answered, or is at fault.
                let answer = visit.answer.borrow_mut().take();
                return match answer {
                    Some((index, reply)) => Ok(Taken::Reply(index, reply)),
                    None => Err(visit.take_broken().unwrap_or(ChainFailure::Body(error))),
                };
            }
        };
        visit.slot.lend(|view| view.show_body(bytes, Some(trailers.unwrap_or_default()))).await;
        if let Some(reply) = step.call(visit, index, phase, true, &mut Clockwork::default()).await? {
            return Ok(Taken::Reply(index, reply));
        }
        let left = visit.slot.lend(ExchangeView::take_body).await;
        let trailers = left.trailers.filter(|trailers| !trailers.is_empty());
        // A message with trailers has no stated length in HTTP/1.1.
        if left.is_written || trailers.is_some() {
            forget_length(visit, phase).await;
        }
        Ok(Taken::Body(Body::from_parts(left.passed, trailers)))
    }

    /// Lets a step see a body chunk by chunk, later, as it passes. One that is empty passes at once.
    async fn pass_chunks(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        index: usize,
        phase: Phase,
        body: Body,
    ) -> Result<Taken, ChainFailure> {
        if !body.is_end_stream() {
            forget_length(visit, phase).await;
            let chunks = Chunks::new(Rc::clone(self), Rc::clone(visit), index, phase, body);
            return Ok(Taken::Body(Body::stream(chunks)));
        }
        visit.slot.lend(|view| view.show_body(Bytes::new(), Some(HeaderMap::new()))).await;
        let mut clock = Clockwork::default();
        if let Some(reply) = self.steps[index].call(visit, index, phase, true, &mut clock).await? {
            return Ok(Taken::Reply(index, reply));
        }
        let left = visit.slot.lend(ExchangeView::take_body).await;
        let trailers = left.trailers.filter(|trailers| !trailers.is_empty());
        if !left.passed.is_empty() || trailers.is_some() {
            forget_length(visit, phase).await;
        }
        Ok(Taken::Body(Body::from_parts(left.passed, trailers)))
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
