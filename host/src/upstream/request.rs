//! The head of a request as it goes to a target: framed in one way.

use http::header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Version, request};

use crate::body::Body;
use crate::config::UpstreamProtocol;
use crate::net::{is_claim, strip_trailers};

/// Makes the head say what the body is, and nothing else about framing: an exact length, or chunks where the protocol needs them.
pub(super) fn frame(request: &mut Request<Body>, protocol: UpstreamProtocol) {
    *request.version_mut() = Version::HTTP_11;
    let exact = request.body().exact();
    let offer = match request.body() {
        Body::Upgrade(tunnel) => Some(tunnel.offered()),
        _ => None,
    };
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
            if protocol == UpstreamProtocol::H1 {
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
    }
    if protocol == UpstreamProtocol::H1
        && let Some(offer) = offer
    {
        headers.remove(TE);
        headers.insert(UPGRADE, offer);
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        return;
    }
    match protocol {
        UpstreamProtocol::H1 if headers.contains_key(TE) => {
            headers.insert(CONNECTION, HeaderValue::from_static("te"));
        }
        UpstreamProtocol::H1 => {}
        // It means nothing there, where trailers need no room in the framing; but servers of gRPC refuse requests without it.
        UpstreamProtocol::H2 => {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
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
        Body::Upgrade(tunnel) => Some(Body::Upgrade(tunnel.clone())),
        Body::Received(_) | Body::Stream(_) => None,
    }
}

/// The head as it goes over the connection (RFC 9112, 3).
pub(super) fn write_head(parts: &request::Parts, out: &mut Vec<u8>) {
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b' ');
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str()).as_bytes();
    // An absolute form may have had a query and no path (RFC 9112, 3.2.1).
    if !matches!(target.first(), Some(b'/' | b'*')) {
        out.push(b'/');
    }
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_fields(&parts.headers, out);
    out.extend_from_slice(b"\r\n");
}

fn write_fields(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Takes from the trailers of a request what has no place there, and what tells who is asking.
pub(super) fn clean_trailers(trailers: &mut HeaderMap) {
    strip_trailers(trailers);
    let claims: Vec<_> = trailers.keys().filter(|name| is_claim(name)).cloned().collect();
    for name in claims {
        trailers.remove(name);
    }
}

/// The last chunk and what follows it.
pub(super) fn write_last_chunk(mut trailers: HeaderMap, out: &mut Vec<u8>) {
    clean_trailers(&mut trailers);
    out.extend_from_slice(b"0\r\n");
    write_fields(&trailers, out);
    out.extend_from_slice(b"\r\n");
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
        frame(&mut request, UpstreamProtocol::H1);
        assert_eq!(request.version(), Version::HTTP_11);
        let headers = request.headers();
        let length = headers.get(CONTENT_LENGTH).map(|value| value.to_str().unwrap().to_owned());
        (length, headers.get(TRANSFER_ENCODING).is_some_and(|value| value == "chunked"))
    }

    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use http_body::Frame;

    use crate::body::BodyError;

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
    fn a_head_is_written_as_it_is() {
        let request = Request::builder()
            .method(Method::PUT)
            .uri("/a?b")
            .header("host", "x")
            .header("x-a", "1")
            .header("x-a", "2: 3")
            .header("x-empty", "")
            .body(())
            .unwrap();
        let mut head = Vec::new();
        write_head(&request.into_parts().0, &mut head);
        let expected = "PUT /a?b HTTP/1.1\r\nhost: x\r\nx-a: 1\r\nx-a: 2: 3\r\nx-empty: \r\n\r\n";
        assert_eq!(String::from_utf8(head).unwrap(), expected);
    }

    #[test]
    fn a_target_without_a_path_gets_one() {
        for (uri, line) in [
            ("http://a?b", "GET /?b HTTP/1.1\r\n"),
            ("http://a", "GET / HTTP/1.1\r\n"),
            ("*", "GET * HTTP/1.1\r\n"),
        ] {
            let mut head = Vec::new();
            write_head(&Request::builder().uri(uri).body(()).unwrap().into_parts().0, &mut head);
            assert!(head.starts_with(line.as_bytes()), "{uri}");
        }
    }

    #[test]
    fn trailers_carry_neither_framing_nor_credentials() {
        let trailers = [("x-sum", "9"), ("content-length", "3"), ("authorization", "x"), ("host", "evil")];
        let mut map = HeaderMap::new();
        for (name, value) in trailers {
            map.insert(name, HeaderValue::from_static(value));
        }
        let mut out = Vec::new();
        write_last_chunk(map, &mut out);
        assert_eq!(out, b"0\r\nx-sum: 9\r\n\r\n");
    }
}
