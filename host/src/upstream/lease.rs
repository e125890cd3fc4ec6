//! One connection to a target: driven by a task of its own, carried by one exchange at a time, and given back only when both
//! the request and the response were read to their ends.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Poll, ready};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::error::{UpstreamError, UpstreamErrorKind};
use super::io::{Io, Line};
use super::request::{self, Outgoing};
use super::target::Target;
use crate::body::{Body, Origin, Received, Tail};
use crate::net::Alarm;

/// Bytes of a response that are read ahead of its client, beside the kernel's.
const READ_BUFFER: usize = 64 << 10;

/// Whoever holds it may use the connection. Dropped, it closes the connection.
pub(super) struct Lease {
    sender: http1::SendRequest<Outgoing>,
    line: Rc<Line>,
    driver: JoinHandle<()>,
    target: Weak<Target>,
}

/// Why there is no response, and the request if it may be sent again.
pub(super) struct Failed {
    pub(super) error: UpstreamError,
    pub(super) request: Option<Request<Body>>,
}

impl Lease {
    pub(super) async fn open(stream: TcpStream, target: &Rc<Target>) -> hyper::Result<Box<Self>> {
        let line = Rc::new(Line::default());
        let io = Io::new(stream, Rc::clone(&line));
        let (sender, connection) = http1::Builder::new().max_buf_size(READ_BUFFER).handshake(io).await?;
        let driver = tokio::task::spawn_local(drive(connection, Rc::clone(&line), Rc::downgrade(target)));
        Ok(Box::new(Self { sender, line, driver, target: Rc::downgrade(target) }))
    }

    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// It is in the pool from now on, for that long.
    pub(super) fn rest(&self, idle: Duration) {
        self.line.deadline.set(Some(Instant::now() + idle));
    }

    /// Sends a request and waits for the response head. On a connection that was `reused` the request comes back when it cannot
    /// have been processed, or may be processed twice.
    pub(super) async fn send(
        mut self: Box<Self>,
        request: Request<Body>,
        patience: Duration,
        reused: bool,
        target: &Target,
    ) -> Result<Response<Body>, Failed> {
        let idempotent = request::is_idempotent(request.method());
        let spare = if reused { request::replayable(request.body()) } else { None };
        self.line.begin(patience, spare.is_some());
        let line = Rc::clone(&self.line);
        let outcome = self.sender.try_send_request(request.map(|body| Outgoing::new(body, line))).await;
        let mut failure = match outcome {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                let error = UpstreamError::new(UpstreamErrorKind::Protocol, Some(target.authority()));
                return Err(Failed { error, request: None });
            }
            Ok(response) => return Ok(self.receive(response)),
            Err(failure) => failure,
        };
        if let Some(unsent) = failure.take_message() {
            let error = UpstreamError::from_hyper(failure.into_error(), target.authority());
            return Err(Failed { error, request: Some(unsent.map(Outgoing::into_body)) });
        }
        if self.line.timed_out.get() {
            let error = UpstreamError::new(UpstreamErrorKind::Timeout, Some(target.authority()));
            return Err(Failed { error, request: None });
        }
        // The target closed an idle connection just as the request left, which says nothing about the request. One that it may
        // have begun to process is sent again only if that does no harm.
        let safe = !self.line.answered.get() && (idempotent || !self.line.said.get());
        let request = spare.filter(|_| safe).and_then(|body| request::reread(&self.line.head.borrow(), body));
        let error = UpstreamError::from_hyper(failure.into_error(), target.authority());
        Err(Failed { error, request })
    }

    fn receive(self: Box<Self>, response: Response<Incoming>) -> Response<Body> {
        self.line.answer();
        response.map(|incoming| {
            if incoming.is_end_stream() {
                self.completed();
                Body::Empty
            } else {
                Body::Received(Received::new(incoming, Origin::Upstream, Some(self)))
            }
        })
    }
}

impl Tail for Lease {
    fn completed(self: Box<Self>) {
        // An answer that came before the request's end leaves the connection in the middle of a message.
        if self.line.sent.get()
            && let Some(target) = self.target.upgrade()
        {
            target.put(self);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Runs a connection until it ends or its deadline passes.
async fn drive(connection: http1::Connection<Io, Outgoing>, line: Rc<Line>, target: Weak<Target>) {
    {
        let mut connection = pin!(connection);
        let mut alarm = Alarm::default();
        poll_fn(|cx| {
            loop {
                if connection.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                ready!(alarm.poll(cx, line.deadline.get()));
                if line.deadline.get().is_some_and(|deadline| deadline <= Instant::now()) {
                    line.timed_out.set(true);
                    return Poll::Ready(());
                }
            }
        })
        .await;
    }
    if let Some(target) = target.upgrade() {
        target.forget_closed();
    }
}
