//! The body of a response as it arrives. At its end the connection goes back to its target.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::head::{Framing, MAX_HEAD};
use super::lease::Lease;
use super::upload::Uploading;
use crate::body::{Body, BodyError, Origin};
use crate::net::{Chunks, Piece};

/// What is to come of a body.
enum Rest {
    Length(u64),
    Chunked {
        chunks: Chunks,
        /// Lines of the trailer section so far.
        trailers: Vec<u8>,
    },
    Close,
    Nothing,
}

pub(super) struct Incoming {
    /// Read and not yet passed on.
    held: Bytes,
    rest: Rest,
    lease: Option<Lease>,
    uploading: Option<Uploading>,
}

impl Incoming {
    /// A body that begins with `held`. The connection of `lease` is used again only if it `persists`.
    pub(super) fn new(held: Bytes, framing: Framing, lease: Lease, uploading: Option<Uploading>) -> Self {
        let rest = match framing {
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunked { chunks: Chunks::new(MAX_HEAD), trailers: Vec::new() },
            Framing::Close => Rest::Close,
        };
        Self { held, rest, lease: Some(lease), uploading }
    }

    /// As the gateway's body. One that is here already needs no stream, and its connection is free at once.
    pub(super) fn into_body(mut self, now: Instant) -> Body {
        match self.rest {
            Rest::Length(0) => {
                self.end(|| now);
                Body::Empty
            }
            Rest::Length(length) if length <= self.held.len() as u64 => {
                let bytes = self.held.split_to(usize::try_from(length).unwrap_or(usize::MAX));
                self.end(|| now);
                Body::Whole(bytes)
            }
            _ => Body::stream(self),
        }
    }

    /// The body is complete: the connection is given back, unless something is wrong with it.
    fn end(&mut self, now: impl FnOnce() -> Instant) {
        self.rest = Rest::Nothing;
        let uploaded = self.uploading.take().is_none_or(|uploading| uploading.is_over());
        if let Some(lease) = self.lease.take()
            // Bytes that nobody asked for: what they answer cannot be known.
            && self.held.is_empty()
            && uploaded
        {
            lease.give_back(now());
        }
    }

    /// What the bytes at hand are: a frame, or nothing without more of them.
    fn take(&mut self) -> Result<Option<Frame<Bytes>>, BodyError> {
        while !self.held.is_empty() {
            match &mut self.rest {
                Rest::Length(left) => {
                    let here =
                        usize::try_from(*left).map_or(self.held.len(), |left| left.min(self.held.len()));
                    *left -= here as u64;
                    let over = *left == 0;
                    let bytes = self.held.split_to(here);
                    if over {
                        self.end(Instant::now);
                    }
                    return Ok(Some(Frame::data(bytes)));
                }
                Rest::Chunked { chunks, trailers } => {
                    match chunks.next(&self.held).map_err(|_| failed("malformed"))? {
                        Piece::Data(length) => return Ok(Some(Frame::data(self.held.split_to(length)))),
                        Piece::Syntax(length) => self.held.advance(length),
                        Piece::Trailer(length) => {
                            trailers.extend_from_slice(&self.held[..length]);
                            self.held.advance(length);
                        }
                        Piece::End(length) => {
                            self.held.advance(length);
                            let trailers = read_trailers(trailers)?;
                            self.end(Instant::now);
                            return Ok(trailers.map(Frame::trailers));
                        }
                    }
                }
                Rest::Close => return Ok(Some(Frame::data(std::mem::take(&mut self.held)))),
                Rest::Nothing => return Ok(None),
            }
        }
        Ok(None)
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        (self.rest, self.lease, self.uploading) = (Rest::Nothing, None, None);
        error
    }
}

fn failed(kind: &'static str) -> BodyError {
    BodyError::new(Origin::Upstream, kind)
}

/// The trailer section, without its last empty line.
fn read_trailers(lines: &[u8]) -> Result<Option<HeaderMap>, BodyError> {
    if lines.is_empty() {
        return Ok(None);
    }
    let section = [lines, b"\r\n"].concat();
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let Ok(httparse::Status::Complete((_, fields))) = httparse::parse_headers(&section, &mut fields) else {
        return Err(failed("malformed"));
    };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields.iter() {
        let name = http::HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| failed("malformed"))?;
        let value = http::HeaderValue::from_bytes(field.value).map_err(|_| failed("malformed"))?;
        trailers.append(name, value);
    }
    Ok(Some(trailers))
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        loop {
            match this.take() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Err(error) => return Poll::Ready(Some(Err(this.fail(error)))),
                Ok(None) if matches!(this.rest, Rest::Nothing) => return Poll::Ready(None),
                Ok(None) => {}
            }
            let left = if let Rest::Length(left) = this.rest { Some(left) } else { None };
            let Some(lease) = &this.lease else { return Poll::Ready(None) };
            let read = ready!(lease.line().poll_read(cx, left));
            let cut = lease.line().is_cut();
            match read {
                Ok(bytes) if !bytes.is_empty() => this.held = bytes,
                Ok(_) if matches!(this.rest, Rest::Close) && !cut => {
                    (this.rest, this.lease) = (Rest::Nothing, None);
                    return Poll::Ready(None);
                }
                Ok(_) => return Poll::Ready(Some(Err(this.fail(failed("reset"))))),
                Err(error) => {
                    let error = BodyError { source: Some(error.into()), ..failed("reset") };
                    return Poll::Ready(Some(Err(this.fail(error))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    fn size_hint(&self) -> SizeHint {
        match self.rest {
            Rest::Length(left) => SizeHint::with_exact(left),
            Rest::Nothing => SizeHint::with_exact(0),
            Rest::Chunked { .. } | Rest::Close => SizeHint::default(),
        }
    }
}
