//! One exchange on one stream: the request goes out, the response comes in, each as far as it can.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use h2::{Reason, RecvStream};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version, header, request};
use http_body::Body as _;
use tokio::time::Instant;

use super::connection::{Connection, Stream};
use super::incoming::Incoming;
use super::upload::{Upload, UploadError, Uploading};
use crate::body::{Body, BodyError};
use crate::upstream::error::{UpstreamError, UpstreamErrorKind};
use crate::upstream::lease::Failed;
use crate::upstream::request::{is_idempotent, replayable};
use crate::upstream::target::Target;
use crate::upstream::wait::Wait;

/// What ended the wait for a response head.
enum Lost {
    /// In which nothing came from the target, for this exchange or another, or something did.
    Timeout { silent: bool },
    /// The request's own body ended early.
    Body(BodyError),
    /// The stream or its connection did.
    Stream(h2::Error),
    /// Before anything was sent.
    Unsent(h2::Error),
}

/// Sends a request and waits for the response head, from `now` and of the target's own time no longer than `patience`; says when it
/// was there. The request comes back if the target cannot have processed it, or if that it may have does no harm on a connection that
/// had been used before.
pub(in crate::upstream) async fn send(
    connection: &Rc<Connection>,
    request: Request<Body>,
    (now, patience): (Instant, Duration),
    target: &Target,
    wait: Wait<'_>,
) -> Result<(Response<Body>, bool, Instant), Failed> {
    let stream = Stream::new(connection);
    let reused = connection.note_use();
    let heard = connection.heard();
    let late = || Lost::Timeout { silent: connection.heard() == heard };
    let (parts, body) = request.into_parts();
    let failed = |lost, parts, body| fail(lost, target, connection, reused, parts, body);
    let Some(head) = head(&parts, target) else {
        let kind = UpstreamErrorKind::Protocol;
        return Err(Failed { error: UpstreamError::new(kind, Some(target.authority())), request: None });
    };
    let mut due = now + patience;
    let mut sender = connection.sender();
    let ready = poll_fn(|cx| match sender.poll_ready(cx) {
        Poll::Ready(ready) => Poll::Ready(ready.map_err(Lost::Unsent)),
        Poll::Pending => wait.timer.poll(cx, due).map(|()| Err(late())),
    });
    if let Err(lost) = ready.await {
        return Err(failed(lost, parts, Some(body)));
    }
    let over = body.is_end_stream();
    let (mut response, sending) = match sender.send_request(head, over) {
        Ok(begun) => begun,
        Err(error) => return Err(failed(Lost::Unsent(error), parts, Some(body))),
    };
    // The handle would count as one who may still send.
    drop(sender);
    let spare = replayable(&body);
    let (mut upload, mut refused) = (Upload::new(sending, body, over), false);
    let answer = poll_fn(|cx| {
        if !upload.is_over() && !refused {
            let (mut moved, waited) = (false, upload.waits_for_body());
            match upload.poll(cx, &mut moved) {
                Poll::Ready(Err(UploadError::Body(error))) => return Poll::Ready(Err(Lost::Body(error))),
                // What the target had to say is on its way.
                Poll::Ready(Err(UploadError::Stream)) => refused = true,
                Poll::Ready(Ok(())) | Poll::Pending => {}
            }
            // Its time begins anew with every part of a body that somebody else was waited for.
            if (moved && upload.is_begun()) || (waited && !upload.waits_for_body()) {
                due = Instant::now() + patience;
            }
        }
        while wait.listens()
            && let Poll::Ready(Some(Ok(interim))) = response.poll_informational(cx)
        {
            wait.hear(interim.status(), interim.headers());
        }
        if let Poll::Ready(answer) = Pin::new(&mut response).poll(cx) {
            return Poll::Ready(answer.map_err(Lost::Stream));
        }
        if upload.waits_for_body() && !refused {
            // It is somebody else's turn.
            return Poll::Pending;
        }
        wait.timer.poll(cx, due).map(|()| Err(late()))
    })
    .await;
    match answer {
        Ok(answer) => {
            connection.settle();
            let uploading = (!upload.is_over() && !refused).then(|| Uploading::spawn(upload));
            Ok((receive(answer, stream, uploading), reused, Instant::now()))
        }
        Err(lost) => {
            let body = spare.or_else(|| upload.unsent());
            Err(failed(lost, parts, body))
        }
    }
}

/// The head as HTTP/2 has it (RFC 9113 section 8.3.1): whom the request is for stands in `:authority`, which is the target where a
/// client of HTTP/1.0 did not say. `None` if that is no authority.
fn head(parts: &request::Parts, target: &Target) -> Option<Request<()>> {
    let mut head = Request::new(());
    *head.method_mut() = parts.method.clone();
    *head.version_mut() = Version::HTTP_2;
    *head.headers_mut() = parts.headers.clone();
    let host = head.headers_mut().remove(header::HOST)?;
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    let host = if host.is_empty() { target.authority().as_bytes() } else { host.as_bytes() };
    uri.authority = Some(Authority::try_from(host).ok()?);
    uri.path_and_query =
        Some(parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    *head.uri_mut() = Uri::from_parts(uri).ok()?;
    Some(head)
}

fn receive(answer: Response<RecvStream>, stream: Stream, uploading: Option<Uploading>) -> Response<Body> {
    let (mut parts, receiver) = answer.into_parts();
    // As all responses are on their way back, whatever the client speaks.
    parts.version = Version::HTTP_11;
    let body = Incoming::body(receiver, &parts.headers, stream, uploading);
    Response::from_parts(parts, body)
}

/// What a wait that was lost means for the exchange, for the request and for the connection.
fn fail(
    lost: Lost,
    target: &Target,
    connection: &Connection,
    reused: bool,
    parts: request::Parts,
    body: Option<Body>,
) -> Failed {
    let error = |kind| UpstreamError::new(kind, Some(target.authority()));
    let (why, sent) = match lost {
        Lost::Timeout { silent } => {
            // Whoever is at the other end may be gone without a word. What is under way may go on; nothing new waits for it.
            if silent {
                connection.leave();
            }
            return Failed { error: error(UpstreamErrorKind::Timeout), request: None };
        }
        Lost::Body(why) => {
            let kind = UpstreamErrorKind::RequestBody(why.origin, why.kind);
            return Failed { error: error(kind).with_source(why), request: None };
        }
        Lost::Stream(why) => (why, true),
        Lost::Unsent(why) => (why, false),
    };
    let told_to_go = why.is_go_away() && why.is_remote();
    if why.is_go_away() || why.is_io() || !sent {
        connection.leave();
    }
    // A stream that was refused, or that came after the last one of a connection that goes away, was not looked at (RFC 9113
    // sections 8.7 and 6.8).
    let refused = why.is_reset() && why.is_remote() && why.reason() == Some(Reason::REFUSED_STREAM);
    let unprocessed = !sent || refused || told_to_go;
    // A target that closes a connection says nothing about a request that it has just been sent.
    let harmless = reused && why.is_io() && is_idempotent(&parts.method);
    let kind = if why.is_library() { UpstreamErrorKind::Protocol } else { UpstreamErrorKind::Reset };
    let body = body.filter(|_| unprocessed || harmless);
    Failed { error: error(kind).with_source(why), request: body.map(|body| Request::from_parts(parts, body)) }
}
