//! One exchange on one connection: the request goes out, the response comes in, each as far as it can. The task of the exchange
//! does both itself; only a request that is still on its way when its response has begun gets a task of its own.

use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::UPGRADE;
use http::{Method, Request, Response, StatusCode, request};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::error::{UpstreamError, UpstreamErrorKind};
use super::head::{self, Head, Malformed};
use super::incoming::Incoming;
use super::line::Line;
use super::request::{is_idempotent, replayable};
use super::target::Target;
use super::upload::{Upload, UploadError, Uploading};
use super::wait::Wait;
use crate::body::Body;

/// Whoever holds it may use the connection. Dropped, it closes the connection.
pub(super) struct Lease {
    line: Rc<Line>,
    target: Weak<Target>,
}

/// Why there is no response, and the request if it may be sent again.
pub(super) struct Failed {
    pub(super) error: UpstreamError,
    pub(super) request: Option<Request<Body>>,
}

/// What ended the wait for a response head.
enum Lost {
    Timeout,
    /// The connection ended, or failed.
    Reset(Option<std::io::Error>),
    Malformed(Malformed),
    Body(crate::body::BodyError),
}

impl Lease {
    pub(super) fn new(stream: TcpStream, target: &Rc<Target>) -> Self {
        Self { line: Rc::new(Line::new(stream)), target: Rc::downgrade(target) }
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// The connection is free again.
    pub(super) fn give_back(self, now: Instant) {
        if let Some(target) = self.target.upgrade() {
            target.put(self, now);
        }
    }

    /// Sends a request and waits for the response head, from `now` and of the target's own time no longer than `patience`; says
    /// when it was there. On a connection that was `reused` the request comes back when it cannot have been processed, or may be
    /// processed twice.
    pub(super) async fn send(
        self,
        request: Request<Body>,
        (now, patience): (Instant, Duration),
        reused: bool,
        target: &Target,
        wait: Wait<'_>,
    ) -> Result<(Response<Body>, Instant), Failed> {
        let (parts, body) = request.into_parts();
        let tunnel = if let Body::Upgrade(tunnel) = &body { Some(tunnel.clone()) } else { None };
        let spare = if reused { replayable(&body) } else { None };
        let mut upload = Upload::new(&parts, body, self.line.buffer.take());
        let (mut due, mut refused) = (now + patience, None);
        let (to_head, may_switch) = (parts.method == Method::HEAD, tunnel.is_some());
        let mut reader = Reader { held: BytesMut::new(), told: 0, to_head, may_switch, wait };
        let head = poll_fn(|cx| {
            if !upload.is_over() && refused.is_none() {
                let (mut moved, waited) = (false, upload.waits_for_body());
                match upload.poll(cx, &self.line, &mut moved) {
                    Poll::Ready(Err(UploadError::Body(error))) => return Poll::Ready(Err(Lost::Body(error))),
                    // The target takes no more. What it had to say may be on its way.
                    Poll::Ready(Err(UploadError::Line(error))) => refused = Some(error),
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
                // Its time begins anew with every part of a body that somebody else was waited for.
                if (moved && upload.is_streamed()) || (waited && !upload.waits_for_body()) {
                    due = Instant::now() + patience;
                }
            }
            if let Poll::Ready(read) = reader.poll(cx, &self.line) {
                return Poll::Ready(match read {
                    Err(Lost::Reset(None)) => Err(Lost::Reset(refused.take())),
                    read => read,
                });
            }
            if upload.waits_for_body() && refused.is_none() {
                // It is somebody else's turn.
                return Poll::Pending;
            }
            wait.timer.poll(cx, due).map(|()| Err(Lost::Timeout))
        })
        .await;
        match head {
            Ok((head, held)) => {
                let now = Instant::now();
                if head.response.status() != StatusCode::SWITCHING_PROTOCOLS {
                    return Ok((self.receive(head, held, upload, now), now));
                }
                let spoken = head.response.headers().get(UPGRADE).cloned();
                match tunnel.filter(|tunnel| spoken.is_some_and(|spoken| tunnel.accept(spoken))) {
                    Some(tunnel) => {
                        let upload = Upload::tunnel(&tunnel);
                        Ok((self.receive(head, held, upload, now), now))
                    }
                    None => Err(fail(Lost::Malformed(head::SWITCHES), target, parts, &upload, None)),
                }
            }
            Err(lost) => {
                let heard = !reader.held.is_empty();
                let request = spare.or_else(|| upload.unsent()).filter(|_| reused && !heard);
                Err(fail(lost, target, parts, &upload, request))
            }
        }
    }

    fn receive(self, head: Head, held: Bytes, upload: Upload, now: Instant) -> Response<Body> {
        let uploading = if upload.is_over() {
            self.line.buffer.replace(upload.into_buffer());
            None
        } else {
            Some(Uploading::spawn(upload, Rc::clone(&self.line)))
        };
        // One that does not persist belongs to no target any more.
        let target = if head.persists { self.target } else { Weak::new() };
        let lease = Self { line: self.line, target };
        head.response.map(|()| Incoming::new(held, head.framing, lease, uploading).into_body(now))
    }
}

/// What a wait that was lost means for the exchange, and for the request.
fn fail(lost: Lost, target: &Target, parts: request::Parts, upload: &Upload, body: Option<Body>) -> Failed {
    let error = |kind| UpstreamError::new(kind, Some(target.authority()));
    match lost {
        Lost::Timeout => Failed { error: error(UpstreamErrorKind::Timeout), request: None },
        Lost::Malformed(why) => {
            Failed { error: error(UpstreamErrorKind::Protocol).with_source(why), request: None }
        }
        Lost::Body(why) => {
            let kind = UpstreamErrorKind::RequestBody(why.origin, why.kind);
            Failed { error: error(kind).with_source(why), request: None }
        }
        Lost::Reset(why) => {
            let mut error = error(UpstreamErrorKind::Reset);
            if let Some(why) = why {
                error = error.with_source(why);
            }
            // The target closed an idle connection just as the request left, which says nothing about the request. One that it
            // may have begun to process is sent again only if that does no harm.
            let safe = !upload.said || is_idempotent(&parts.method);
            Failed { error, request: body.filter(|_| safe).map(|body| Request::from_parts(parts, body)) }
        }
    }
}

/// Gathers a response head.
struct Reader<'a> {
    /// What has arrived of it, and of the interim responses before it.
    held: BytesMut,
    /// That much of it are interim responses that have been told of.
    told: usize,
    to_head: bool,
    may_switch: bool,
    wait: Wait<'a>,
}

impl Reader<'_> {
    /// The head, and what followed it.
    fn poll(&mut self, cx: &mut Context<'_>, line: &Line) -> Poll<Result<(Head, Bytes), Lost>> {
        loop {
            let Self { held, told, to_head, may_switch, wait } = self;
            let read = line.poll_look(cx, |bytes| {
                if bytes.is_empty() {
                    return Err(Lost::Reset(None));
                }
                // Almost every head arrives whole.
                let mut whole = if held.is_empty() {
                    Bytes::copy_from_slice(bytes)
                } else {
                    held.extend_from_slice(bytes);
                    if !bytes.contains(&b'\n') && held.len() < head::MAX_HEAD {
                        return Ok(None);
                    }
                    Bytes::copy_from_slice(held)
                };
                let hear = |interim: Response<()>| wait.hear(interim.status(), interim.headers());
                match head::parse(&whole, *to_head, *may_switch, told, hear) {
                    Ok(Some(head)) => {
                        let body = whole.split_off(head.length);
                        Ok(Some((head, body)))
                    }
                    // Interim responses are kept with the head that they come before, and count like it.
                    Ok(None) if whole.len() >= head::MAX_HEAD => Err(Lost::Malformed(head::TOO_LARGE)),
                    Ok(None) => {
                        if held.is_empty() {
                            held.extend_from_slice(bytes);
                        }
                        Ok(None)
                    }
                    Err(why) => Err(Lost::Malformed(why)),
                }
            });
            match ready!(read) {
                Ok(Ok(Some(found))) => return Poll::Ready(Ok(found)),
                Ok(Ok(None)) => {}
                Ok(Err(lost)) => return Poll::Ready(Err(lost)),
                Err(error) => return Poll::Ready(Err(Lost::Reset(Some(error)))),
            }
        }
    }
}
