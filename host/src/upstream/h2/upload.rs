//! A request's body on its way out, as far as the target's windows allow.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;
use tokio::task::JoinHandle;

use crate::body::{Body, BodyError};
use crate::upstream::request::clean_trailers;

/// Why a body did not leave whole.
pub(super) enum UploadError {
    /// It ended early itself.
    Body(BodyError),
    /// The target takes no more of it. It may have answered all the same.
    Stream,
}

/// What is left of a request behind its head.
pub(super) struct Upload {
    stream: SendStream<Bytes>,
    body: Body,
    /// Of the body, waiting for room.
    data: Bytes,
    over: bool,
    /// A part of the body was asked for.
    begun: bool,
}

impl Upload {
    /// What follows a head. With an `over` one, nothing.
    pub(super) const fn new(stream: SendStream<Bytes>, body: Body, over: bool) -> Self {
        Self { stream, body, data: Bytes::new(), over, begun: false }
    }

    /// Everything has left.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// Its body was begun.
    pub(super) const fn is_begun(&self) -> bool {
        self.begun
    }

    /// Nothing can be sent before the body goes on.
    pub(super) fn waits_for_body(&self) -> bool {
        !self.over && self.data.is_empty()
    }

    /// The body, if nothing of it was asked for.
    pub(super) fn unsent(&mut self) -> Option<Body> {
        (!self.begun && !self.over).then(|| std::mem::take(&mut self.body))
    }

    /// Sends what can be sent. `moved` is set when something was.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, moved: &mut bool) -> Poll<Result<(), UploadError>> {
        while !self.over {
            if self.data.is_empty() {
                ready!(self.poll_body(cx))?;
                continue;
            }
            self.stream.reserve_capacity(self.data.len());
            let room = match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(_)) | None => return Poll::Ready(Err(UploadError::Stream)),
            };
            let part = self.data.split_to(room.min(self.data.len()));
            let last = self.data.is_empty() && self.body.is_end_stream();
            self.send(part, last)?;
            *moved = true;
        }
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, part: Bytes, last: bool) -> Result<(), UploadError> {
        self.over = last;
        self.stream.send_data(part, last).map_err(|_| UploadError::Stream)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UploadError>> {
        // A target that wants no more says so while the body is waited for.
        if let Poll::Ready(_reset) = self.stream.poll_reset(cx) {
            return Poll::Ready(Err(UploadError::Stream));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.begun = true;
        let frame = match frame {
            None => return Poll::Ready(self.send(Bytes::new(), true)),
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                // Ended here it would be taken for whole.
                self.stream.send_reset(Reason::CANCEL);
                return Poll::Ready(Err(UploadError::Body(error)));
            }
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) if data.is_empty() && self.body.is_end_stream() => self.send(data, true),
            Ok(data) => {
                self.data = data;
                Ok(())
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                clean_trailers(&mut trailers);
                if trailers.is_empty() {
                    return Poll::Ready(self.send(Bytes::new(), true));
                }
                self.over = true;
                self.stream.send_trailers(trailers).map_err(|_| UploadError::Stream)
            }
        })
    }
}

/// The rest of a request whose response has begun. Dropped, it stops, and the target is told.
pub(super) struct Uploading(JoinHandle<()>);

impl Uploading {
    pub(super) fn spawn(mut upload: Upload) -> Self {
        Self(tokio::task::spawn_local(async move {
            let mut moved = false;
            // A target that has answered may well take no more, and a body that ends early was told of.
            let _ = std::future::poll_fn(|cx| upload.poll(cx, &mut moved)).await;
        }))
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        self.0.abort();
    }
}
