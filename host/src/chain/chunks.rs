//! A body that a step sees chunk by chunk as it passes.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use sluice_abi::Phase;

use super::{Chain, Visit};
use crate::body::{Body, BodyError, Origin};
use crate::wasm::Clockwork;

type Call = Pin<Box<dyn Future<Output = Result<Bytes, BodyError>>>>;

/// A body that a step sees chunk by chunk. After the last chunk the step is called once more with an empty
/// one, to hand out what it held back.
pub(super) struct Chunks {
    chain: Rc<Chain>,
    visit: Rc<Visit>,
    index: usize,
    phase: Phase,
    source: Body,
    state: State,
}

enum State {
    Reading,
    Calling(Call, Next),
    Trailers(HeaderMap),
    Ended,
}

/// What comes after a call.
enum Next {
    Reading,
    Trailers(HeaderMap),
    Ended,
}

impl Chunks {
    pub(super) const fn new(
        chain: Rc<Chain>,
        visit: Rc<Visit>,
        index: usize,
        phase: Phase,
        source: Body,
    ) -> Self {
        Self { chain, visit, index, phase, source, state: State::Reading }
    }

    fn call(&self, chunk: Bytes, last: bool) -> Call {
        let (chain, visit) = (Rc::clone(&self.chain), Rc::clone(&self.visit));
        let (index, phase) = (self.index, self.phase);
        let seen = &visit.steps[index].passed;
        seen.set(seen.get().saturating_add(chunk.len()));
        Box::pin(async move {
            visit.slot.lend(|view| view.show_body(chunk)).await;
            match chain.steps[index].call(&visit, index, phase, last, &mut Clockwork::default()).await {
                Ok(None) => Ok(visit.slot.lend(|view| view.take_body()).await),
                Ok(Some(reply)) => {
                    visit.answer.borrow_mut().get_or_insert((index, reply));
                    Err(BodyError::new(Origin::Step, "answered"))
                }
                Err(failure) => {
                    visit.broken.borrow_mut().get_or_insert(failure);
                    Err(BodyError::new(Origin::Step, "fault"))
                }
            }
        })
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.state, State::Ended) {
                State::Reading => {
                    let Poll::Ready(frame) = Pin::new(&mut this.source).poll_frame(cx) else {
                        this.state = State::Reading;
                        return Poll::Pending;
                    };
                    let (chunk, next) = match frame.transpose()?.map(Frame::into_data) {
                        Some(Ok(data)) => (data, Next::Reading),
                        Some(Err(frame)) => match frame.into_trailers() {
                            Ok(trailers) => (Bytes::new(), Next::Trailers(trailers)),
                            Err(_) => (Bytes::new(), Next::Reading),
                        },
                        None => (Bytes::new(), Next::Ended),
                    };
                    let last = !matches!(next, Next::Reading);
                    this.state = State::Calling(this.call(chunk, last), next);
                }
                State::Calling(mut call, next) => {
                    let Poll::Ready(result) = call.as_mut().poll(cx) else {
                        this.state = State::Calling(call, next);
                        return Poll::Pending;
                    };
                    let chunk = result?;
                    this.state = match next {
                        Next::Reading => State::Reading,
                        Next::Trailers(trailers) => State::Trailers(trailers),
                        Next::Ended => State::Ended,
                    };
                    if !chunk.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(chunk))));
                    }
                }
                State::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}
