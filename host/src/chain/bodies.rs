//! How a step takes a body: whole, or chunk by chunk as it passes.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body::Body as _;
use sluice_abi::{BodyMode, Phase, Reply};

use super::chunks::Chunks;
use super::visit::{Message, Visit};
use super::{Chain, ChainFailure};
use crate::body::{Body, CollectError};
use crate::wasm::{Clockwork, ExchangeView};

/// What a step that takes a body whole made of it.
pub(super) enum Taken {
    Body(Body),
    /// With the place of the step that answers.
    Reply(usize, Reply),
}

impl Chain {
    /// Shows the request's body to a step that wants it.
    pub(super) async fn request_body(
        self: &Rc<Self>,
        visit: &Rc<Visit>,
        index: usize,
        body: Body,
        clock: &mut Clockwork,
    ) -> Result<Taken, ChainFailure> {
        let step = &self.steps[index];
        if !(step.has(Phase::RequestBody) || step.has(Phase::RequestChunk))
            || !visit.wants_body(index, Message::Request)
            // There is none, and what is said later is no body.
            || matches!(body, Body::Upgrade(_))
        {
            return Ok(Taken::Body(body));
        }
        clock.forget();
        self.show_body(visit, index, Message::Request, body).await
    }

    /// Shows a body to a step as it takes it.
    pub(super) async fn show_body(
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
        let (bytes, trailers) = match body.collect_within(limit, visit.room.as_ref()).await {
            Ok(collected) => collected,
            Err(CollectError::TooLarge) => {
                let step = Arc::clone(step.name());
                return Err(if phase == Phase::RequestBody {
                    ChainFailure::RequestTooLarge { step, limit }
                } else {
                    ChainFailure::ResponseTooLarge { step, limit }
                });
            }
            Err(CollectError::NoRoom) => return Err(ChainFailure::NoRoom),
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
pub(super) async fn forget_length(visit: &Visit, phase: Phase) {
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
pub(super) async fn carries_body(visit: &Visit) -> bool {
    let carries = |view: &mut ExchangeView| {
        let head = view.sent.as_ref().is_some_and(|(method, _)| *method == Method::HEAD);
        let empty = view.response.as_ref().is_some_and(|response| {
            let bodiless =
                [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
            bodiless.contains(&response.status)
        });
        !head && !empty
    };
    visit.slot.lend(carries).await
}
