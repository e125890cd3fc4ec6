//! The steps of a route: forward over the request, backward over the response. Knows nothing of sockets.

mod before;
mod bodies;
mod chunks;
mod circuit;
mod failure;
mod group;
mod metered;
mod reply;
mod step;
mod visit;

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use sluice_abi::{BodyMode, Origin, Outcome, Phase};

pub(crate) use circuit::Circuit;
pub(crate) use failure::{ChainFailure, FaultReport, FaultReports};
pub(crate) use group::Group;
pub(crate) use step::Step;
pub(crate) use visit::Visit;

use crate::body::Body;
use crate::wasm::{Clockwork, ExchangeView};
use before::Before;
use bodies::{Taken, carries_body, forget_length};
use reply::{render, replace};
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

    /// The answer of a step that saw the request's body pass and let no more of it through.
    pub(crate) async fn take_answer(&self, visit: &Visit) -> Option<Response<Body>> {
        let (index, reply) = visit.answer.borrow_mut().take()?;
        Some(render(visit, &self.steps[index], reply).await)
    }

    /// The step whose answer came when the head of the response had left already.
    pub(crate) fn answering_step(&self, visit: &Visit) -> Option<Arc<str>> {
        let answer = visit.answer.borrow();
        answer.as_ref().map(|(index, _)| Arc::clone(self.steps[*index].name()))
    }
}
