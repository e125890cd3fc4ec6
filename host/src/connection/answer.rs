//! A response on its way to the client: framed in one way, counted until its last byte.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::link::Exchange;
use super::pace::Pace;
use crate::body::{Body, BodyError};

/// Makes `Content-Length` say what the body says; hyper adds it, or chunks, where it is absent.
pub(super) fn frame(response: &mut Response<Body>, to_head: bool) {
    // That of the connection counts, not that of an upstream; hyper steps down for a client of HTTP/1.0.
    *response.version_mut() = Version::HTTP_11;
    let status = response.status();
    let headless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    response.headers_mut().remove(TRANSFER_ENCODING);
    if status == StatusCode::SWITCHING_PROTOCOLS {
        // What follows is no body (RFC 9110, 15.2.2).
        response.headers_mut().remove(CONTENT_LENGTH);
        return;
    }
    if to_head || headless {
        // The length that a GET would have had is kept; one is made up only from a body that is here.
        let exact = response.body().exact().filter(|length| *length > 0);
        let unstated = !response.headers().contains_key(CONTENT_LENGTH);
        *response.body_mut() = Body::Empty;
        match exact {
            _ if status == StatusCode::NO_CONTENT => drop(response.headers_mut().remove(CONTENT_LENGTH)),
            Some(length) if to_head && !headless && unstated => state_length(response.headers_mut(), length),
            _ => {}
        }
        return;
    }
    let exact = response.body().exact();
    if let Some(stated) = response.headers().get(CONTENT_LENGTH)
        && !(exact.is_some() && parse(stated) == exact)
    {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
}

fn state_length(headers: &mut HeaderMap, length: u64) {
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}

fn parse(value: &HeaderValue) -> Option<u64> {
    std::str::from_utf8(value.as_bytes()).ok()?.parse().ok()
}

/// Writes the head of a 103 (RFC 8297).
pub(super) fn write_hint(fields: &HeaderMap, out: &mut BytesMut) {
    out.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\n");
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// What hyper sends. The exchange ends when this is dropped: after the last byte was taken, or when the client is gone.
pub(super) struct Answer {
    body: Body,
    exchange: Option<Exchange>,
    /// The end of the body is told by the end of the connection.
    old: bool,
    /// How the client of a stream takes it.
    pace: Option<Rc<Pace>>,
    /// Bytes that the client of a stream has to take before more are offered.
    offered: usize,
    rest: Bytes,
}

/// What is offered to a stream at a time: hyper queues it whole as soon as the window has room for a byte.
const PIECE: usize = 32 << 10;

impl Answer {
    pub(super) fn new(body: Body, exchange: Exchange, old: bool) -> Self {
        Self { body, exchange: Some(exchange), old, pace: None, offered: 0, rest: Bytes::new() }
    }

    /// It is offered in pieces, and the client has to keep up the pace.
    pub(super) fn paced(self, pace: Option<Rc<Pace>>) -> Self {
        Self { pace, ..self }
    }

    /// Nothing follows the head, but the exchange goes on.
    pub(super) fn bodiless() -> Self {
        Self { body: Body::Empty, exchange: None, old: false, pace: None, offered: 0, rest: Bytes::new() }
    }
}

impl Answer {
    /// The next piece of a frame; from here on the client is waited for.
    fn offer(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let mut data = match frame.into_data() {
            Ok(data) => data,
            Err(trailers) => return trailers,
        };
        if data.len() > PIECE {
            self.rest = data.split_off(PIECE);
        }
        self.offered = data.len();
        if let Some(pace) = &self.pace {
            pace.wait(Instant::now);
        }
        Frame::data(data)
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(pace) = &self.pace {
            pace.stop(Instant::now);
            pace.earn(self.offered);
        }
        self.offered = 0;
        let frame = if self.rest.is_empty() {
            Pin::new(&mut self.body).poll_frame(cx)
        } else {
            Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))))
        };
        let frame = match frame {
            Poll::Ready(Some(Ok(frame))) if self.pace.is_some() => Poll::Ready(Some(Ok(self.offer(frame)))),
            frame => frame,
        };
        if let (Poll::Ready(Some(Err(_))), Some(exchange), true) = (&frame, &self.exchange, self.old) {
            exchange.link().set_cut();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Asked for before the first frame.
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(status: u16, stated: Option<&str>, body: Body, to_head: bool) -> (Option<String>, Option<u64>) {
        let mut builder = Response::builder().status(status).header(TRANSFER_ENCODING, "chunked");
        if let Some(stated) = stated {
            builder = builder.header(CONTENT_LENGTH, stated);
        }
        let mut response = builder.body(body).unwrap();
        frame(&mut response, to_head);
        assert!(!response.headers().contains_key(TRANSFER_ENCODING));
        let length = response.headers().get(CONTENT_LENGTH).map(|value| value.to_str().unwrap().to_owned());
        (length, response.body().exact())
    }

    #[test]
    fn the_stated_length_is_the_body_s() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(framed(200, Some("3"), Body::from("abc"), false), (text("3"), Some(3)));
        assert_eq!(framed(200, Some("9"), Body::from("abc"), false), (None, Some(3)));
        assert_eq!(framed(200, Some("9"), Body::Empty, false), (None, Some(0)));
        assert_eq!(framed(200, Some("9"), Body::Empty, true), (text("9"), Some(0)));
        assert_eq!(framed(200, None, Body::from("abc"), true), (text("3"), Some(0)));
        assert_eq!(framed(304, Some("9"), Body::Empty, false), (text("9"), Some(0)));
        assert_eq!(framed(204, Some("0"), Body::Empty, false), (None, Some(0)));
        assert_eq!(framed(204, None, Body::from("abc"), false), (None, Some(0)));
    }
}
