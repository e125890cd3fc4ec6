//! A body that a step sees chunk by chunk as it passes.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use sluice_abi::Phase;

use super::{Chain, Visit};
use crate::body::{Body, BodyError, Origin};
use crate::wasm::{Clockwork, ExchangeView, Left};

/// What a call counts for beside its bytes: a body of many small messages costs a call for each of them.
const CALL: usize = 4 << 10;

/// Calls one after the other for what is there already, before others of the worker have their turn.
const AT_A_STRETCH: u8 = 16;

/// So many bytes that are there together are enough for one call.
const AT_ONCE: usize = 64 << 10;

type Call = Pin<Box<dyn Future<Output = Result<Left, BodyError>>>>;

/// A body that a step sees chunk by chunk. After the last chunk the step is called once more, to hand out what it held back.
pub(super) struct Chunks {
    chain: Rc<Chain>,
    visit: Rc<Visit>,
    index: usize,
    phase: Phase,
    source: Body,
    /// Nothing more comes from the source.
    at_end: bool,
    /// What came of the source behind data that the step has not seen: trailers, or why it broke off.
    behind: Option<Result<HeaderMap, BodyError>>,
    held: Held,
    /// Calls at a stretch so far.
    calls: u8,
    state: State,
}

/// What the step wants to see again.
#[derive(Default)]
struct Held {
    bytes: BytesMut,
    /// Together with what comes it has to be so much before the step is called.
    want: usize,
}

/// Data that came together. What came alone is not copied.
#[derive(Default)]
struct There {
    first: Bytes,
    all: BytesMut,
}

impl There {
    fn len(&self) -> usize {
        self.first.len() + self.all.len()
    }

    fn push(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.all.extend_from_slice(&data);
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

enum State {
    Reading,
    Calling(Call),
    /// What was held is shown again at once, with the trailers if it is the end.
    Again(Bytes, Option<HeaderMap>),
    Trailers(HeaderMap),
    Ended,
    /// It did not come to its end.
    Broken,
}

impl Chunks {
    pub(super) fn new(chain: Rc<Chain>, visit: Rc<Visit>, index: usize, phase: Phase, source: Body) -> Self {
        let (at_end, behind, held) = (false, None, Held::default());
        Self { chain, visit, index, phase, source, at_end, behind, held, calls: 0, state: State::Reading }
    }

    /// Bytes that earn the step time.
    fn passed(&self, bytes: usize) {
        let passed = &self.visit.steps[self.index].passed;
        passed.set(passed.get().saturating_add(bytes));
    }

    fn call(&self, chunk: Bytes, trailers: Option<HeaderMap>) -> State {
        self.passed(CALL);
        let (chain, visit) = (Rc::clone(&self.chain), Rc::clone(&self.visit));
        let (index, phase, last) = (self.index, self.phase, self.at_end);
        State::Calling(Box::pin(async move {
            visit.slot.lend(|view| view.show_body(chunk, trailers)).await;
            match chain.steps[index].call(&visit, index, phase, last, &mut Clockwork::default()).await {
                Ok(None) => Ok(visit.slot.lend(ExchangeView::take_body).await),
                Ok(Some(reply)) => {
                    visit.answer.borrow_mut().get_or_insert((index, reply));
                    Err(BodyError::new(Origin::Step, "answered"))
                }
                Err(failure) => {
                    visit.broken.borrow_mut().get_or_insert(failure);
                    Err(BodyError::new(Origin::Step, "fault"))
                }
            }
        }))
    }

    /// What is there of the source: its data as one chunk, since a message in a frame of its own would else cost a call; or its end.
    fn poll_there(&mut self, cx: &mut Context<'_>) -> Poll<Result<(Bytes, Option<HeaderMap>), BodyError>> {
        let mut there = There::default();
        while self.behind.is_none() && there.len() < AT_ONCE {
            let frame = match Pin::new(&mut self.source).poll_frame(cx) {
                Poll::Ready(Some(frame)) => frame.map(Frame::into_data),
                Poll::Ready(None) => Ok(Err(Frame::trailers(HeaderMap::new()))),
                Poll::Pending if there.len() == 0 => return Poll::Pending,
                Poll::Pending => break,
            };
            match frame {
                Ok(Ok(data)) => {
                    // The call counts for the first.
                    let beside = if there.len() == 0 { 0 } else { CALL };
                    self.passed(beside + data.len());
                    there.push(data);
                }
                // Any other frame is none that we know.
                Ok(Err(frame)) => self.behind = frame.into_trailers().ok().map(Ok),
                Err(error) => self.behind = Some(Err(error)),
            }
        }
        if there.len() > 0 {
            return Poll::Ready(Ok((there.into_bytes(), None)));
        }
        Poll::Ready(self.behind.take().transpose().map(|trailers| {
            self.at_end = true;
            (Bytes::new(), trailers)
        }))
    }

    /// A chunk came, or the end.
    fn came(&mut self, chunk: Bytes, trailers: Option<HeaderMap>) -> State {
        let shown = if self.held.bytes.is_empty() {
            chunk
        } else {
            self.held.bytes.extend_from_slice(&chunk);
            if self.held.bytes.len() < self.held.want && !self.at_end {
                return State::Reading;
            }
            std::mem::take(&mut self.held).bytes.freeze()
        };
        if self.at_end {
            return self.call(shown, Some(trailers.unwrap_or_default()));
        }
        if shown.len() < self.held.want {
            self.held.bytes = BytesMut::from(shown);
            return State::Reading;
        }
        self.call(shown, None)
    }

    /// What follows a call.
    fn after(&mut self, held: Option<(Bytes, usize)>, trailers: Option<HeaderMap>) -> State {
        if let Some((bytes, want)) = held {
            if self.at_end || want <= bytes.len() {
                return State::Again(bytes, trailers);
            }
            self.held = Held { bytes: BytesMut::from(bytes), want };
        } else {
            self.held.want = 0;
        }
        if !self.at_end {
            return State::Reading;
        }
        match trailers.filter(|trailers| !trailers.is_empty()) {
            Some(trailers) => State::Trailers(trailers),
            None => State::Ended,
        }
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
            match std::mem::replace(&mut this.state, State::Broken) {
                State::Reading => {
                    let Poll::Ready(there) = this.poll_there(cx) else {
                        this.state = State::Reading;
                        return Poll::Pending;
                    };
                    let (chunk, trailers) = there?;
                    this.state = this.came(chunk, trailers);
                }
                State::Again(bytes, trailers) => {
                    this.calls += 1;
                    if this.calls > AT_A_STRETCH {
                        // Others of this worker have waited long enough.
                        this.calls = 0;
                        this.state = State::Again(bytes, trailers);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    this.state = this.call(bytes, trailers);
                }
                State::Calling(mut call) => {
                    let Poll::Ready(left) = call.as_mut().poll(cx) else {
                        this.state = State::Calling(call);
                        return Poll::Pending;
                    };
                    let Left { passed, held, trailers, .. } = left?;
                    this.state = this.after(held, trailers);
                    if !passed.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(passed))));
                    }
                }
                State::Trailers(trailers) => {
                    this.state = State::Ended;
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                State::Ended => {
                    this.state = State::Ended;
                    return Poll::Ready(None);
                }
                State::Broken => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}
