//! The end of an exchange: the response's last byte, or the moment that it became clear there will be none.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Poller, Poll, ready};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use sluice_abi::{Outcome, Phase};

use super::context::Context;
use super::request_id::X_REQUEST_ID;
use super::settling::Held;
use crate::body::{Body, BodyError, Origin, Tunnel};
use crate::net::strip_trailers;
use crate::telemetry::access_log::Entry;

/// Body bytes received from the client: stated beforehand, or counted as they come.
pub(super) enum RequestBytes {
    Stated(u64),
    Counted(Rc<Cell<u64>>),
    /// What the client says in another protocol, if it comes to that.
    Tunnel(Tunnel),
}

impl RequestBytes {
    /// Starts counting where the length is not known.
    pub(super) fn count(body: &mut Body) -> Self {
        if let Body::Upgrade(tunnel) = body {
            return Self::Tunnel(tunnel.clone());
        }
        match body.exact() {
            Some(length) => Self::Stated(length),
            None => {
                let count = Rc::new(Cell::new(0));
                let source = std::mem::take(body);
                *body = Body::stream(CountedBody { source, count: Rc::clone(&count) });
                Self::Counted(count)
            }
        }
    }

    pub(super) fn get(&self) -> u64 {
        match self {
            Self::Stated(length) => *length,
            Self::Counted(count) => count.get(),
            Self::Tunnel(tunnel) => tunnel.received(),
        }
    }
}

struct CountedBody {
    source: Body,
    count: Rc<Cell<u64>>,
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.source).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.count.set(self.count.get() + data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}

/// What is logged for an exchange whose client left before there was a status to send (nginx's number).
const CLIENT_LEFT: u16 = 499;

/// An exchange that has no answer yet. What follows its answer is allocated here already, so that the context never moves.
pub(super) struct Unanswered(Option<Box<Followed>>);

impl Unanswered {
    pub(super) fn new(ctx: Context) -> Self {
        let source = Body::Empty;
        let (expected, held) = (None, None);
        Self(Some(Box::new(Followed {
            source,
            expected,
            sent: 0,
            finished: false,
            broken: false,
            status: 0,
            held,
            ctx,
        })))
    }

    /// The exchange's context, until it is answered.
    pub(super) fn context(&mut self) -> &mut Context {
        &mut self.0.as_mut().expect("taken only by `answer`, which consumes this").ctx
    }

    /// Gives the response its id and follows it to its end.
    pub(super) async fn answer(mut self, response: Response<Body>) -> Response<Body> {
        let ctx = self.context();
        let to_head = ctx.method == Method::HEAD;
        let bodiless = is_bodiless(&response, to_head);
        let mut response = ctx.record(response, bodiless).await;
        let id = ctx.request_id.clone();
        // A head that is full, which no upstream and no step can bring about, goes without.
        let _ = response.headers_mut().try_insert(X_REQUEST_ID, id);
        let status = response.status();
        let bodiless = is_bodiless(&response, to_head);
        let expected = if bodiless { Some(0) } else { response.body().exact() };
        if let Some(mut followed) = self.0.take() {
            let body = response.body_mut();
            followed.source = std::mem::take(body);
            (followed.expected, followed.finished, followed.status) = (expected, bodiless, status.as_u16());
            *body = Body::Stream(Box::into_pin(followed));
        }
        response
    }
}

/// Whether no body follows the head (RFC 9110 section 6.4.1).
fn is_bodiless(response: &Response<Body>, to_head: bool) -> bool {
    to_head || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// A response body that notes how it ends. Without a status there has been no response.
struct Followed {
    source: Body,
    expected: Option<u64>,
    sent: u64,
    finished: bool,
    /// It ended early.
    broken: bool,
    status: u16,
    /// The end, while the ledger has not said that it has the exchange.
    held: Option<Held>,
    ctx: Context,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(held) = &mut this.held {
            let frame = ready!(held.poll(cx, &this.ctx));
            this.held = None;
            if let Err(error) = &frame {
                this.ctx.body_failed(error);
                this.finished = false;
            }
            return Poll::Ready(frame.transpose());
        }
        // Looked at first, or a source that is always ready would never be late. What is here already, such as the answer that
        // says so, is not.
        // Another protocol takes as long as it takes: the connection looks after its silence.
        let streams = matches!(this.source, Body::Received(_) | Body::Stream(_))
            && this.status != StatusCode::SWITCHING_PROTOCOLS.as_u16();
        let late = streams && this.ctx.timer.poll(cx, this.ctx.deadline).is_ready();
        let mut frame = if late {
            Some(Err(BodyError::new(Origin::Gateway, "timeout")))
        } else {
            ready!(Pin::new(&mut this.source).poll_frame(cx))
        };
        match &mut frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    strip_trailers(trailers);
                }
                this.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                // Nothing follows trailers, whether or not their source says so.
                let is_last = frame.is_trailers() || this.source.is_end_stream();
                this.finished = is_last || this.expected == Some(this.sent);
            }
            Some(Err(error)) => {
                this.broken = true;
                this.ctx.body_failed(error);
            }
            None => this.finished = true,
        }
        if !this.finished || this.ctx.tab.is_none() {
            return Poll::Ready(frame);
        }
        match this.ctx.hold(this.status, this.sent, frame.transpose()?) {
            Ok(held) => {
                this.held = Some(held);
                Pin::new(this).poll_frame(cx)
            }
            Err(frame) => Poll::Ready(frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.source.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.source.size_hint();
        if let Some(held) = &self.held
            && let Some(rest) = hint.exact()
        {
            hint.set_exact(rest + held.length());
        }
        hint
    }
}

impl Drop for Followed {
    // The one moment that every exchange comes to: the last byte, a failure, or a client that left, before or after the head.
    fn drop(&mut self) {
        // Nobody asks for the end of a body that is known to be empty.
        let is_whole = self.source.is_end_stream() || self.expected == Some(self.sent);
        let ended = self.finished || (self.status != 0 && is_whole);
        let is_unrecorded = matches!(self.ctx.failure, Some(("ledger-unavailable", _)));
        let finished = ended && !self.broken && self.held.is_none() && !(is_unrecorded && self.status < 500);
        self.ctx.end(self.status, self.sent, finished);
    }
}

impl Context {
    fn body_failed(&mut self, error: &BodyError) {
        let broken = self.visit.as_ref().and_then(|visit| visit.take_broken());
        // An upstream whose request was cut off for it ends its response too.
        let refused = self.route.as_ref().zip(self.visit.as_ref());
        let refused = refused.and_then(|(route, visit)| route.chain.answering_step(visit));
        self.failure = Some(match (broken, refused) {
            (Some(crate::chain::ChainFailure::Step { step, .. }), _) => ("step-failed", Some(step)),
            (_, Some(step)) => ("request-refused", Some(step)),
            _ => match error.origin {
                Origin::Gateway if error.kind == "unrecorded" => ("ledger-unavailable", None),
                Origin::Upstream => ("upstream-incomplete", None),
                Origin::Gateway => ("exchange-timeout", None),
                Origin::Client | Origin::Step => ("body-failed", None),
            },
        });
    }

    /// Counts and logs the exchange, and tells the steps that asked to know.
    fn end(&mut self, sent: u16, response_bytes: u64, finished: bool) {
        self.timer.clear();
        // What it used and nobody has been told of: it was cut off, or the client left.
        drop(self.settle((sent != 0).then_some(sent), response_bytes, false));
        let status = if sent == 0 { CLIENT_LEFT } else { sent };
        let duration = self.started.elapsed();
        let request_bytes = self.request_bytes.get();
        if !finished && self.failure.is_none() {
            self.failure = Some(("client-left", None));
        }
        match &self.route {
            Some(route) => route.metrics.observe(status, duration, request_bytes, response_bytes),
            None => self.unrouted.observe(status, duration, request_bytes, response_bytes),
        }
        if let Some((failure, _)) = &self.failure {
            self.metrics.failed(failure);
        }
        self.metrics.exchange_ended();
        self.write_access_log(status, duration, request_bytes, response_bytes);
        let upstream = self.upstream.as_ref().map_or(std::time::Duration::ZERO, |(_, time)| *time);
        let (Some(route), Some(visit)) = (self.route.take(), self.visit.take()) else { return };
        if route.chain.has(Phase::Complete) {
            let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let outcome = Outcome {
                status: sent,
                finished,
                request_bytes,
                response_bytes,
                duration_us: micros(duration),
                upstream_us: micros(upstream),
            };
            self.completions.run(async move { route.chain.on_complete(&visit, outcome).await });
        }
    }

    fn write_access_log(
        &self,
        status: u16,
        duration: std::time::Duration,
        request_bytes: u64,
        response_bytes: u64,
    ) {
        if !self.access_log.is_on() {
            return;
        }
        let consumer =
            self.visit.as_ref().and_then(|visit| visit.with_view(|view| view.consumer.clone()).flatten());
        self.access_log.write(&Entry {
            time: std::time::SystemTime::now(),
            request_id: self.request_id.to_str().unwrap_or_default(),
            client: self.client,
            method: self.method.as_str(),
            host: self.authority.to_str().unwrap_or_default(),
            // Without the query, which carries credentials all too often.
            path: self.uri.path(),
            route: self.route.as_ref().map(|route| &*route.name),
            upstream: self.upstream.as_ref().map(|(target, _)| &**target),
            status,
            request_bytes,
            response_bytes,
            duration,
            failure: self.failure.as_ref().map(|(label, _)| *label),
            step: self.failure.as_ref().and_then(|(_, step)| step.as_deref()),
            consumer: consumer.as_ref().map(|consumer| &*consumer.name),
        });
    }
}
