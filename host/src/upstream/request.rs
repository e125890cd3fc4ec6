//! A request on its way to a target: framed in one way, and how much of it has left.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use http_body::{Body as _, Frame, SizeHint};

use super::io::Line;
use crate::body::{Body, BodyError};

/// Makes the head say what the body is, and nothing else about framing: an exact length, or chunks.
pub(super) fn frame(request: &mut Request<Body>) {
    *request.version_mut() = Version::HTTP_11;
    let exact = request.body().exact();
    let expects_body =
        !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE);
    let headers = request.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    match exact {
        Some(length) => {
            let stated = headers.get(CONTENT_LENGTH);
            let wanted = length > 0 || expects_body || stated.is_some();
            if wanted && stated.and_then(parse) != exact {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
        }
        None => {
            headers.remove(CONTENT_LENGTH);
            // Stated for every method: left to itself hyper would drop the body of a GET.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
    if headers.contains_key(TE) {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

fn parse(value: &HeaderValue) -> Option<u64> {
    std::str::from_utf8(value.as_bytes()).ok()?.parse().ok()
}

/// Whether sending it twice does no more than sending it once (RFC 9110, 9.2.2).
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE
    )
}

/// A body that can be sent again, or `None` for one that is a stream.
pub(super) fn replayable(body: &Body) -> Option<Body> {
    match body {
        Body::Empty => Some(Body::Empty),
        Body::Whole(bytes) => Some(Body::Whole(bytes.clone())),
        Body::Received(_) | Body::Stream(_) => None,
    }
}

/// A request from the head that was written for it. hyper consumes a request as it writes it; a connection that turns out to be
/// stale is rare enough to read the head again, and too common to copy every head in advance.
pub(super) fn reread(head: &[u8], body: Body) -> Option<Request<Body>> {
    let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let mut lines =
        head[..end].split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut first = lines.next()?.split(|byte| *byte == b' ');
    let mut request = Request::new(body);
    *request.method_mut() = Method::from_bytes(first.next()?).ok()?;
    *request.uri_mut() = Uri::try_from(first.next()?).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        headers.append(name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?);
    }
    *request.headers_mut() = headers;
    Some(request)
}

/// The body as hyper takes it. It says when it has been taken whole: before that its connection cannot carry another request.
pub(super) struct Outgoing {
    body: Body,
    line: Rc<Line>,
}

impl Outgoing {
    pub(super) fn new(body: Body, line: Rc<Line>) -> Self {
        line.sent.set(body.is_end_stream() || matches!(body, Body::Whole(_)));
        Self { body, line }
    }

    pub(super) fn into_body(self) -> Body {
        self.body
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_pending() {
            self.line.await_others();
            return frame;
        }
        self.line.await_target();
        match &frame {
            Poll::Ready(None) => self.line.sent.set(true),
            // Trailers are last, and after a last chunk hyper does not ask again.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() || self.body.is_end_stream() => {
                self.line.sent.set(true)
            }
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(method: Method, stated: Option<&str>, body: Body) -> (Option<String>, bool) {
        let mut request =
            Request::builder().method(method).version(Version::HTTP_2).header(TRANSFER_ENCODING, "gzip");
        if let Some(stated) = stated {
            request = request.header(CONTENT_LENGTH, stated);
        }
        let mut request = request.body(body).unwrap();
        frame(&mut request);
        assert_eq!(request.version(), Version::HTTP_11);
        let headers = request.headers();
        let length = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap().to_owned());
        (length, headers.get(TRANSFER_ENCODING).is_some_and(|value| value == "chunked"))
    }

    struct Unknown;

    impl http_body::Body for Unknown {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Ready(None)
        }
    }

    #[test]
    fn one_framing_and_it_is_the_body_s() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(framed(Method::GET, None, Body::Empty), (None, false));
        assert_eq!(framed(Method::GET, Some("5"), Body::Empty), (text("0"), false));
        assert_eq!(framed(Method::POST, None, Body::Empty), (text("0"), false));
        assert_eq!(framed(Method::POST, Some("3"), Body::from("abc")), (text("3"), false));
        assert_eq!(framed(Method::POST, Some("9"), Body::from("abc")), (text("3"), false));
        assert_eq!(framed(Method::GET, Some("9"), Body::stream(Unknown)), (None, true));
        assert_eq!(framed(Method::POST, None, Body::stream(Unknown)), (None, true));
    }

    #[test]
    fn a_written_head_can_be_read_again() {
        let head = b"PUT /a?b HTTP/1.1\r\nhost: x\r\nx-a: 1\r\nx-a: 2: 3\r\nx-empty: \r\n\r\nbody";
        let request = reread(head, Body::from("body")).unwrap();
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::PUT, "/a?b"));
        assert_eq!(request.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2: 3"]);
        assert_eq!(request.headers()["x-empty"], "");
        assert!(reread(&head[..30], Body::Empty).is_none());
    }
}
