//! The body of a response as it arrives, and its trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};

use super::connection::Stream;
use super::upload::Uploading;
use crate::body::{Body, BodyError, Origin};

pub(super) struct Incoming {
    receiver: RecvStream,
    /// Bytes to come, where the head has said how many.
    left: Option<u64>,
    /// While it is not at its end.
    stream: Option<(Stream, Option<Uploading>)>,
}

impl Incoming {
    /// As the gateway's body.
    pub(super) fn body(
        receiver: RecvStream,
        headers: &HeaderMap,
        stream: Stream,
        uploading: Option<Uploading>,
    ) -> Body {
        if receiver.is_end_stream() {
            return Body::Empty;
        }
        let stated = headers.get(header::CONTENT_LENGTH);
        let left = stated.and_then(|length| length.to_str().ok()).and_then(|length| length.parse().ok());
        Body::stream(Self { receiver, left, stream: Some((stream, uploading)) })
    }

    fn failed(&mut self, error: h2::Error) -> BodyError {
        self.stream = None;
        let kind = if error.is_library() { "malformed" } else { "reset" };
        // Its words alone: a reason of HTTP/2 would be passed on to the client, whom it does not concern.
        BodyError { source: Some(error.to_string().into()), ..BodyError::new(Origin::Upstream, kind) }
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while this.stream.is_some() {
            match ready!(this.receiver.poll_data(cx)) {
                Some(Ok(data)) => {
                    // What is taken is passed on before more is asked for.
                    let _ = this.receiver.flow_control().release_capacity(data.len());
                    this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
                    if this.receiver.is_end_stream() {
                        this.stream = None;
                    }
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(this.failed(error)))),
                None => {
                    let trailers = match ready!(this.receiver.poll_trailers(cx)) {
                        Ok(trailers) => trailers,
                        Err(error) => return Poll::Ready(Some(Err(this.failed(error)))),
                    };
                    this.stream = None;
                    // A reset that says that nothing is wrong is no end either (RFC 9113 section 8.1).
                    if trailers.is_none() && !this.receiver.is_end_stream() {
                        return Poll::Ready(Some(Err(BodyError::new(Origin::Upstream, "reset"))));
                    }
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        // After a failure it is not at its end, but nobody asks then.
        self.stream.is_none() || self.receiver.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.stream.is_none() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}
